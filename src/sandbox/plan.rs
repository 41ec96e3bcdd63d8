//! Plans: what a pipeline will run before anything runs. Stages, entries, needs, tags.
//!
//! A parent's plan has one generate and one trigger entry per stack. A child's plan is cut from a lock by the graph that generation works
//! with: one entry per spec that is not in the cache yet, `stage-N` by longest path, the fewest needs that keep every wait. So it says the same
//! as the child pipeline that the generate job keeps. Plans never change; jobs refer to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::spack::{Hash, Spec, variants_text};

use super::SandboxError;
use super::locks::Shelf;
use super::nodes::Age;
use super::rng::{Rng, hash};
use super::stacks::{STACKS, Stack, median_seconds, size};

/// What an entry of a pipeline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Fetches the pinned environment (`.pre`).
    Dotenv,
    /// Keeps a pull request's pipeline from being empty.
    Placeholder,
    /// Writes the child pipeline of a stack.
    Generate,
    /// Starts the child pipeline of a stack and mirrors its status.
    Trigger,
    /// Builds one spec.
    Build,
    /// Signs what a protected pipeline built.
    Sign,
    /// Rebuilds the index of the build cache.
    Reindex,
}

/// The spec that a build entry builds, as this stack's target spells it.
#[derive(Debug)]
pub struct Work {
    pub package: Arc<str>,
    pub version: Arc<str>,
    pub hash: Arc<str>,
    pub arch: Arc<str>,
    pub variants: Arc<str>,
    pub compiler: (Arc<str>, Arc<str>),
}

/// One entry of a plan; a job is one run of it.
#[derive(Debug)]
pub struct Entry {
    pub name: Arc<str>,
    pub role: Role,
    /// Index into the plan's stages.
    pub stage: usize,
    /// Entries that must have succeeded first; `None` waits for all earlier stages instead.
    pub needs: Option<Vec<u32>>,
    /// Who names this entry in its needs.
    pub dependents: Vec<u32>,
    /// How many entries wait for this one, directly or not.
    pub blocks: u32,
    pub tags: Arc<[&'static str]>,
    pub allow_failure: bool,
    /// Usual run time in seconds.
    pub seconds: u64,
    pub work: Option<Work>,
}

/// Everything that a pipeline will run.
#[derive(Debug)]
pub struct Plan {
    /// Index into the table of stacks; `None` for a parent.
    pub stack: Option<usize>,
    pub stages: Vec<Arc<str>>,
    pub entries: Vec<Entry>,
    /// Entries without needs: they wait for all earlier stages.
    pub in_stage_order: Vec<u32>,
}

/// Who a pipeline builds for; decides tags, signing and the cache that it pushes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    Protected,
    Public,
}

impl Access {
    /// The tag that is appended to every build job.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Public => "public",
        }
    }
}

impl Plan {
    /// The plan of a parent pipeline for these stacks; without stacks, what a pull request gets that touches nothing CI watches.
    pub fn parent(stacks: &[usize], access: Access) -> Self {
        let mut entries = vec![Entry::service("dotenv", Role::Dotenv, 0, &["spack", "service"], 35)];
        if stacks.is_empty() {
            let mut noop =
                Entry::service("force_pipeline_status", Role::Placeholder, 1, &["spack", "service_noop"], 12);
            noop.allow_failure = true;
            entries.push(noop);
        }
        for stack in stacks.iter().filter_map(|i| STACKS.get(*i)) {
            let mut tags = stack.target.tags().to_vec();
            tags.push(access.tag());
            // Big environments take long to concretize.
            let seconds = 240 + hash(stack.name) % 180 + u64::from(stack.weight) * 3;
            entries.push(Entry::service(&format!("{}-generate", stack.name), Role::Generate, 1, &tags, seconds));
        }
        for (generate, name) in (1..).zip(stacks.iter().filter_map(|i| STACKS.get(*i)).map(|s| s.name)) {
            let mut trigger = Entry::service(&format!("{name}-build"), Role::Trigger, 2, &[], 0);
            trigger.needs = Some(vec![generate]);
            entries.push(trigger);
        }
        Self::finish(None, vec![".pre".into(), "generate".into(), "build".into()], entries)
    }

    /// The plan of a child: one entry per spec in `chosen`, then signing and the index.
    pub fn child(stack: usize, shelf: &Shelf, chosen: &BTreeSet<u32>, access: Access) -> Option<Self> {
        let about = STACKS.get(stack)?;
        let specs = about.specs(Age::Current).ok()?;
        let numbers: BTreeMap<u32, u32> = chosen.iter().copied().zip(0..).collect();
        let keep: Vec<bool> = (0..).zip(&shelf.specs).map(|(place, _)| chosen.contains(&place)).collect();
        let kept = shelf.dag.reduced(&keep).ok()?;
        let mut entries = Vec::with_capacity(chosen.len() + 2);
        for (place, placed) in chosen.iter().filter_map(|place| Some((*place, shelf.at(*place)?))) {
            let needs = kept.children(place).iter().filter_map(|need| numbers.get(need).copied()).collect();
            entries.push(Entry::build(
                about,
                &placed.spec,
                specs.rename(&placed.spec.hash),
                kept.level(place) as usize,
                needs,
                access,
            ));
        }
        let mut names: Vec<Arc<str>> = (0..kept.height()).map(|n| format!("stage-{n}").into()).collect();
        if access == Access::Protected {
            names.push("stage-sign-pkgs".into());
            let tags = ["aws", "protected", "notary", "spack"];
            entries.push(Entry::service("sign-pkgs", Role::Sign, names.len() - 1, &tags, 90));
        }
        names.push("stage-rebuild-index".into());
        let tags = ["service", "x86_64", "spack"];
        entries.push(Entry::service("rebuild-index", Role::Reindex, names.len() - 1, &tags, 120));
        Some(Self::finish(Some(stack), names, entries))
    }

    fn finish(stack: Option<usize>, stages: Vec<Arc<str>>, entries: Vec<Entry>) -> Self {
        let in_stage_order = (0..).zip(&entries).filter(|(_, e)| e.needs.is_none()).map(|(i, _)| i).collect();
        let mut plan = Self { stack, stages, entries, in_stage_order };
        let edges: Vec<(u32, u32)> =
            (0..).zip(&plan.entries).flat_map(|(i, e)| e.needs.iter().flatten().map(move |need| (*need, i))).collect();
        for (need, dependent) in edges {
            if let Some(entry) = plan.entries.get_mut(need as usize) {
                entry.dependents.push(dependent);
            }
        }
        plan.count_blocks();
        plan
    }

    /// Needs always point to earlier entries, so walking backwards meets every dependent before what it needs.
    fn count_blocks(&mut self) {
        let words = self.entries.len().div_ceil(64);
        let mut reach: Vec<Vec<u64>> = vec![Vec::new(); self.entries.len()];
        for i in (0..self.entries.len()).rev() {
            let mut mine = vec![0u64; words];
            for dependent in self.entries.get(i).into_iter().flat_map(|e| &e.dependents) {
                let at = *dependent as usize;
                if let Some(word) = mine.get_mut(at / 64) {
                    *word |= 1 << (at % 64);
                }
                for (word, theirs) in mine.iter_mut().zip(reach.get(at).into_iter().flatten()) {
                    *word |= theirs;
                }
            }
            if let Some(entry) = self.entries.get_mut(i) {
                entry.blocks = mine.iter().map(|word| word.count_ones()).sum();
            }
            if let Some(slot) = reach.get_mut(i) {
                *slot = mine;
            }
        }
    }

    /// The entry of that index. Indices come from the plan itself.
    #[expect(clippy::indexing_slicing, reason = "entry numbers are made by the plan that they index")]
    pub fn entry(&self, index: u32) -> &Entry {
        &self.entries[index as usize]
    }

    /// All entry numbers.
    pub fn numbers(&self) -> std::ops::Range<u32> {
        0..self.entries.len() as u32
    }

    /// The stage's name.
    pub fn stage(&self, entry: &Entry) -> &Arc<str> {
        #[expect(clippy::indexing_slicing, reason = "stage numbers are made by the plan that they index")]
        &self.stages[entry.stage]
    }

    /// `index` and all entries that it waits for, directly or not.
    pub fn needed_by(&self, index: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::from([index]);
        let mut queue = vec![index];
        while let Some(next) = queue.pop() {
            queue.extend(self.entry(next).needs.iter().flatten().filter(|n| found.insert(**n)));
        }
        found
    }

    /// All entries that wait for `index`, directly or not.
    pub fn blocked_by(&self, index: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut queue = vec![index];
        while let Some(next) = queue.pop() {
            queue.extend(self.entry(next).dependents.iter().filter(|d| found.insert(**d)));
        }
        found
    }
}

impl Entry {
    fn service(name: &str, role: Role, stage: usize, tags: &[&'static str], seconds: u64) -> Self {
        Self {
            name: name.into(),
            role,
            stage,
            needs: None,
            dependents: Vec::new(),
            blocks: 0,
            tags: tags.into(),
            allow_failure: false,
            seconds,
            work: None,
        }
    }

    fn build(stack: &Stack, spec: &Spec, hash: Hash, stage: usize, needs: Vec<u32>, access: Access) -> Self {
        let hash: Arc<str> = hash.as_str().into();
        let mut tags = stack.target.tags().to_vec();
        tags.extend(size(&spec.name).tag());
        tags.push(access.tag());
        Self {
            name: format!("{}@{} /{hash} {}", spec.name, spec.version, stack.group).into(),
            needs: Some(needs),
            work: Some(Work {
                package: spec.name.clone(),
                version: spec.version.clone(),
                arch: stack.target.arch(&spec.arch).to_string().into(),
                variants: variants_text(spec).into(),
                compiler: match &spec.compiler {
                    Some(compiler) => (compiler.name.clone(), compiler.version.clone()),
                    None => ("none".into(), "none".into()),
                },
                hash,
            }),
            ..Self::service("", Role::Build, stage, &tags, median_seconds(&spec.name))
        }
    }

    /// Runs even when earlier stages failed.
    pub fn runs_always(&self) -> bool {
        matches!(self.role, Role::Sign | Role::Reindex)
    }
}

/// Chooses `count` specs of a stack for a full rebuild: whole roots, while what lies lowest is already in the cache.
pub fn choose_stack(seed: u64, stack: usize, count: usize) -> Result<BTreeSet<u32>, SandboxError> {
    let Some(about) = STACKS.get(stack) else { return Ok(BTreeSet::new()) };
    let shelf = Shelf::embedded(about.lock)?;
    let mut rng = Rng::named(seed, "roots", about.name);
    let mut roots = shelf.roots.clone();
    let mut chosen = BTreeSet::new();
    while chosen.len() < count && !roots.is_empty() {
        let root = roots.swap_remove(rng.below(roots.len() as u64) as usize);
        chosen.extend(shelf.closure([root]));
    }
    // The lock lists dependencies first, so dropping from the front never leaves a spec without something it needs in the cache.
    while chosen.len() > count {
        chosen.pop_first();
    }
    Ok(chosen)
}

/// Chooses at most `count` specs that a change of `package` affects: its specs first, then who depends on them, level by level.
pub fn choose_change(stack: usize, package: &str, count: usize) -> Result<BTreeSet<u32>, SandboxError> {
    let Some(about) = STACKS.get(stack) else { return Ok(BTreeSet::new()) };
    let shelf = Shelf::embedded(about.lock)?;
    let mut level: Vec<u32> =
        (0..).zip(&shelf.specs).filter(|(_, placed)| &*placed.spec.name == package).map(|(i, _)| i).collect();
    let mut chosen: BTreeSet<u32> = BTreeSet::new();
    while !level.is_empty() && chosen.len() < count {
        level.truncate(count - chosen.len());
        chosen.extend(&level);
        let mut next: Vec<u32> =
            level.iter().flat_map(|i| shelf.dependents(*i)).filter(|i| !chosen.contains(i)).collect();
        next.sort_unstable();
        next.dedup();
        level = next;
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::locks::LockName;

    fn e4s(count: usize) -> Plan {
        let stack = STACKS.iter().position(|s| s.name == "e4s").unwrap();
        let chosen = choose_stack(42, stack, count).unwrap();
        Plan::child(stack, Shelf::embedded(LockName::E4s).unwrap(), &chosen, Access::Protected).unwrap()
    }

    #[test]
    fn a_child_has_one_job_per_spec_and_the_service_jobs() {
        let plan = e4s(240);
        assert_eq!(plan.entries.len(), 242);
        assert_eq!(plan.stages.last().map(|s| &**s), Some("stage-rebuild-index"));
        for (i, entry) in (0..).zip(&plan.entries) {
            for need in entry.needs.iter().flatten() {
                assert!(*need < i && plan.entry(*need).stage < entry.stage, "{} comes too early", entry.name);
                assert!(plan.entry(*need).dependents.contains(&i));
            }
            assert_eq!(entry.blocks as usize, plan.blocked_by(i).len());
        }
        assert!(plan.stages.len() > 8, "a flat plan shows no graph: {} stages", plan.stages.len());
    }

    #[test]
    fn job_names_are_those_of_spack() {
        let plan = e4s(50);
        let parsed = crate::ci::SpecName::parse(&plan.entries[0].name).unwrap();
        assert_eq!((parsed.hash.len(), parsed.group), (32, "E4S"));
    }

    #[test]
    fn a_change_starts_at_its_package() {
        let chosen = choose_change(18, "hdf5", 12).unwrap();
        let shelf = Shelf::embedded(STACKS[18].lock).unwrap();
        assert!(chosen.iter().any(|i| &*shelf.at(*i).unwrap().spec.name == "hdf5"), "{chosen:?}");
    }

    #[test]
    fn a_parent_without_stacks_still_has_a_job() {
        let names = |stacks: &[usize]| {
            Plan::parent(stacks, Access::Public)
                .entries
                .iter()
                .map(|e| e.name.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(names(&[]), "dotenv force_pipeline_status");
        assert_eq!(names(&[4, 18]), "dotenv build_systems-generate radiuss-generate build_systems-build radiuss-build");
    }
}
