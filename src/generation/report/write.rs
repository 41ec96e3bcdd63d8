//! Writes the report of a generation.

use std::collections::{BTreeMap, HashMap};

use super::{
    Change, Decision, Filter, Filters, FoundAt, IndexSeen, Instead, KeySet, MirrorSeen, Otherwise, Report, Summary,
    TouchedPath, VERSION,
};
use crate::generation::build_job::OWN;
use crate::generation::dag::affected;
use crate::generation::mapping::Class;
use crate::generation::verdict::{self, Reason};
use crate::generation::{Generation, Inputs, MirrorState, PipelineType, Touched};
use crate::spack::{Hash, Spec};

impl Report {
    /// Writes down what a generation decided.
    pub fn of(inputs: &Inputs<'_>, made: &Generation<'_>) -> Self {
        let mut origins = Origins::default();
        let mut classes: Vec<BTreeMap<String, KeySet>> = Vec::new();
        let mut class_places: HashMap<(Class, Option<Hash>), usize> = HashMap::new();
        let reached = Reached::of(inputs, made);
        let mut decisions = BTreeMap::new();
        for (at, (spec, verdict)) in made.specs.iter().zip(&made.verdicts).enumerate() {
            let job = made.jobs.get(&at);
            let class = job.map(|_| {
                let class = made.mapping.class(spec, inputs.lock);
                let own = inputs.answers.knows(spec.hash).then_some(spec.hash);
                *class_places.entry((class.clone(), own)).or_insert_with(|| {
                    classes.push(origins.keys(inputs, made, &class, spec));
                    classes.len() - 1
                })
            });
            let (found, without_binary) = listed(inputs, spec);
            let decision = Decision {
                decision: if verdict.is_rebuilt() { "rebuild" } else { "prune" }.to_owned(),
                reasons: verdict.reasons.iter().map(Reason::to_string).collect(),
                spec: format!("{}@{}", spec.name, spec.version),
                job: job.map(ToString::to_string),
                external: spec.is_external(),
                found,
                without_binary,
                affected_from_depth: reached.depths.get(at).copied().flatten(),
                class,
            };
            decisions.insert(spec.hash.to_string(), decision);
        }
        let options = inputs.options;
        let rebuild = made.verdicts.iter().filter(|verdict| verdict.is_rebuilt()).count();
        Self {
            version: VERSION.to_owned(),
            at: inputs.now,
            stack: options.stack.as_deref().map(str::to_owned),
            pipeline_type: options.type_text.as_deref().map(str::to_owned),
            parity: options.parity,
            filters: Filters {
                unaffected: options.prune_untouched,
                up_to_date: options.prune_up_to_date,
                external: options.prune_external,
            },
            summary: Summary {
                specs: made.specs.len(),
                rebuild,
                prune: made.specs.len() - rebuild,
                external: made.specs.iter().filter(|spec| spec.is_external()).count(),
                jobs: made.jobs.len(),
                // No jobs add up to a negative zero.
                hours: (made.hours * 10.0).round() / 10.0 + 0.0,
            },
            change: change(inputs, made),
            mirrors: mirrors(inputs),
            decisions,
            otherwise: reached.otherwise,
            origins: origins.texts,
            classes,
            warnings: made.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Where a spec is present, and which indexes list it without its binary.
fn listed(inputs: &Inputs<'_>, spec: &Spec) -> (Vec<FoundAt>, Vec<FoundAt>) {
    let (mut found, mut without_binary) = (Vec::new(), Vec::new());
    for view in inputs.views {
        let at =
            |layout, in_buildcache, direct| FoundAt { mirror: view.name.to_string(), layout, in_buildcache, direct };
        for listing in view.state.listings() {
            let Some(listed) = listing.listed.get(&spec.hash) else { continue };
            let list = if listed.is_present() { &mut found } else { &mut without_binary };
            list.push(at(listing.layout, listed.in_buildcache, false));
        }
        found.extend(view.direct.get(&spec.hash).map(|layout| at(*layout, true, true)));
    }
    (found, without_binary)
}

fn mirrors(inputs: &Inputs<'_>) -> Vec<MirrorSeen> {
    inputs
        .views
        .iter()
        .map(|view| {
            let (state, reason, listings) = match &view.state {
                MirrorState::Read(listings) => ("read", None, listings.as_slice()),
                MirrorState::Absent => ("absent", None, [].as_slice()),
                MirrorState::Failed { reason, listings } => ("failed", Some(reason.to_string()), listings.as_slice()),
            };
            let indexes = listings.iter().map(|listing| IndexSeen {
                layout: listing.layout,
                source: listing.source.to_string(),
                sha256: listing.checksum.to_string(),
                modified: listing.modified,
            });
            MirrorSeen {
                name: view.name.to_string(),
                url: view.url.to_string(),
                state: state.to_owned(),
                reason,
                indexes: indexes.collect(),
            }
        })
        .collect()
}

fn change(inputs: &Inputs<'_>, made: &Generation<'_>) -> Option<Change> {
    let changes = inputs.changes.filter(|_| inputs.options.prune_untouched)?;
    let here = verdict::changed_here(changes, &made.specs);
    let packages = changes.packages.iter().filter(|(name, _)| here.contains(&***name)).map(|(name, paths)| {
        let touched = paths.iter().map(|path| TouchedPath {
            path: path.text().into_owned(),
            commit: path.commit.as_deref().map(str::to_owned),
        });
        (name.to_string(), touched.collect())
    });
    Some(Change {
        base: changes.base.to_string(),
        head: changes.head.to_string(),
        depth: inputs.options.depth,
        packages: packages.collect(),
        elsewhere: changes.packages.len() - here.len(),
        stack: match changes.touched(inputs.options.stack_rule()) {
            Touched::Stack(stack) => Some(stack.change.text().into_owned()),
            Touched::NoPackage | Touched::Packages(_) => None,
        },
    })
}

/// Elements of the configuration, each text once.
#[derive(Default)]
struct Origins {
    texts: Vec<String>,
    places: HashMap<String, usize>,
}

impl Origins {
    fn place(&mut self, text: String) -> usize {
        if let Some(place) = self.places.get(&text) {
            return *place;
        }
        self.texts.push(text.clone());
        self.places.insert(text, self.texts.len() - 1);
        self.texts.len() - 1
    }

    fn keys(
        &mut self,
        inputs: &Inputs<'_>,
        made: &Generation<'_>,
        class: &Class,
        spec: &Spec,
    ) -> BTreeMap<String, KeySet> {
        let attributes = made.mapping.build_one(class, &OWN, spec.hash, inputs.answers);
        let set = made.mapping.origins(class, &OWN, spec.hash, inputs.answers);
        let value_of = |key: &str| match key.strip_prefix("variables.") {
            Some(name) => attributes.get("variables")?.get(name),
            None => attributes.get(key),
        };
        let mut keys = BTreeMap::new();
        for (key, origins) in set {
            // What was taken out again has no value.
            let Some(value) = value_of(&key).cloned() else { continue };
            let value = serde_json::to_value(value).unwrap_or_default();
            let set_by = origins.into_iter().map(|origin| self.place(origin.to_string())).collect();
            keys.insert(key, KeySet { value, set_by });
        }
        keys
    }
}

/// What other depths would have reached.
#[derive(Default)]
struct Reached {
    depths: Vec<Option<i64>>,
    otherwise: Vec<Otherwise>,
}

impl Reached {
    fn of(inputs: &Inputs<'_>, made: &Generation<'_>) -> Self {
        let options = inputs.options;
        let mut reached = Self { depths: vec![None; made.specs.len()], otherwise: Vec::new() };
        // What the other filters leave over; only these specs are asked about.
        let others: Vec<bool> = made
            .verdicts
            .iter()
            .map(|verdict| !verdict.reasons.iter().any(|r| r.prunes() && !matches!(r, Reason::Affected(_))))
            .collect();
        let jobs = |set: &[bool]| set.iter().zip(&others).filter(|(a, b)| **a && **b).count();
        let asked = made.verdicts.iter().any(|v| matches!(v.reasons.first(), Some(Reason::Affected(_))));
        if let Some(changes) = inputs.changes.filter(|_| asked) {
            let is_changed = |spec: &&Spec| changes.packages.contains_key(&spec.name);
            let changed: Vec<u32> = (0..).zip(&made.specs).filter(|(_, s)| is_changed(s)).map(|(at, _)| at).collect();
            let all = affected(&made.dag, &changed, None);
            let mut depth = 0;
            loop {
                let set = affected(&made.dag, &changed, Some(depth));
                for (slot, _) in reached.depths.iter_mut().zip(&set).filter(|(slot, hit)| slot.is_none() && **hit) {
                    *slot = Some(depth);
                }
                let last = set == all;
                let asked = options.depth == Some(depth) || (last && options.depth.is_none());
                if !asked {
                    let what = if last { Instead::NoLimit } else { Instead::Depth(depth) };
                    reached.otherwise.push(Otherwise { what: what.to_string(), jobs: jobs(&set) });
                }
                depth += 1;
                if last {
                    break;
                }
            }
            let what = Instead::Without(Filter::Unaffected).to_string();
            reached.otherwise.push(Otherwise { what, jobs: others.iter().filter(|kept| **kept).count() });
        }
        if options.prune_up_to_date {
            let count = made
                .verdicts
                .iter()
                .filter(|verdict| !verdict.reasons.iter().any(|r| r.prunes() && !matches!(r, Reason::Found(_))));
            let what = Instead::Without(Filter::UpToDate).to_string();
            reached.otherwise.push(Otherwise { what, jobs: count.count() });
        }
        // What builds nothing builds nothing otherwise either.
        if options.pipeline_type == Some(PipelineType::CopyOnly) {
            reached.otherwise.clear();
        }
        reached
    }
}
