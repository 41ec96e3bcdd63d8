//! What generate jobs make: the child pipeline and its report, by the generator that the program itself has.
//!
//! A stack's environment is one of the embedded locks, spelled for the stack's target; its configuration is the shared `data/ci.yaml` and what the
//! stack itself says: image, tags, build group, and the sizes of its packages. The build cache holds exactly what the plan does not build.
//! Nothing is kept but the environments: a pipeline is made again whenever somebody asks for it, and it is the same each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::SandboxError;
use super::locks::Shelf;
use super::nodes::Age;
use super::plan::{Access, Plan};
use super::rng::{Rng, hash};
use super::stacks::{STACKS, Stack, size};
use super::world::{Job, World};
use crate::ci::Timestamp;
use crate::generation::{
    Answers, DESTINATION, Form, Generation, Inputs, Listed, Listing, Mirror, MirrorState, MirrorView, Options, SOURCE,
    generate, report::Report,
};
use crate::spack::yaml::{Key, Layers, Map, Scope, Value};
use crate::spack::{Hash, Lock};

/// What a stack brings to every generation.
#[derive(Debug)]
struct Environment {
    lock: Lock,
    wanted: Vec<String>,
    layers: Layers,
}

/// A generation as a generate job runs it.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    plan: &'a Plan,
    stack: usize,
    about: &'static Stack,
    access: Access,
    git_ref: &'a str,
    /// The name of the generate job, and the pipeline that it is in.
    job: &'a str,
    pipeline: u64,
    now: Timestamp,
}

/// What a generation leaves, each made when it is asked for.
pub struct Made<'a> {
    inputs: &'a Inputs<'a>,
    generation: &'a Generation<'a>,
}

impl Made<'_> {
    /// The child pipeline.
    pub fn yaml(&self) -> String {
        self.generation.document.text(Form::Yaml)
    }

    /// What was decided about every spec, and why; as JSON.
    pub fn report(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Report::of(self.inputs, self.generation))
    }
}

impl<'a> Run<'a> {
    /// The run of a generate job; `None` for other jobs.
    pub fn of(world: &'a World, job: &'a Job) -> Option<Self> {
        let (plan, pipeline) = (world.generated(job)?, world.pipeline_of(job));
        let stack = plan.stack?;
        Some(Self {
            plan,
            stack,
            about: STACKS.get(stack)?,
            access: pipeline.access,
            git_ref: &pipeline.git_ref,
            job: world.name_of(job),
            pipeline: pipeline.id.0,
            now: job.finished_at.unwrap_or(job.created_at),
        })
    }

    /// The stack that it is about.
    pub const fn about(&self) -> &'static Stack {
        self.about
    }

    /// Generates, and hands over what came of it.
    pub fn make<T>(&self, then: impl FnOnce(&Made<'_>) -> T) -> Result<T, SandboxError> {
        let environment = Environment::of(self.stack, self.about)?;
        let (options, _) = Options::of(&self.env());
        let (mirrors, views) = self.mirrors(&environment.lock);
        let inputs = Inputs {
            lock: &environment.lock,
            wanted: &environment.wanted,
            layers: &environment.layers,
            mirrors: &mirrors,
            views: &views,
            changes: None,
            options: &options,
            answers: &Answers::default(),
            broken: &BTreeMap::new(),
            durations: &HashMap::new(),
            now: self.now,
        };
        let stack = self.about.name;
        let generation = generate(&inputs).map_err(|source| SandboxError::Generate { stack, source })?;
        Ok(then(&Made { inputs: &inputs, generation: &generation }))
    }

    /// The environment variables of the job, as far as generation reads them.
    fn env(&self) -> BTreeMap<String, String> {
        let (kind, signing) = match self.access {
            Access::Protected => ("spack_protected_branch", "True"),
            Access::Public => ("spack_pull_request", "False"),
        };
        let pipeline = self.pipeline.to_string();
        [
            ("SPACK_PIPELINE_TYPE", kind),
            ("SPACK_REQUIRE_SIGNING", signing),
            ("SPACK_CI_STACK_NAME", self.about.name),
            ("CI_JOB_NAME", self.job),
            ("CI_PIPELINE_ID", &pipeline),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    /// The build caches. What the plan does not build is in that of `develop`; a pull request begins with an empty one of its own.
    fn mirrors(&self, lock: &Lock) -> (Vec<Mirror>, Vec<MirrorView>) {
        let stack = self.about.name;
        let develop = |name| Mirror::at(name, &format!("s3://spack-binaries/develop/{stack}"));
        let mirrors = match self.access {
            Access::Protected => vec![develop(DESTINATION)],
            Access::Public => {
                let own = format!("s3://spack-binaries-prs/spack-packages/{}/{stack}", self.git_ref);
                vec![Mirror::at(DESTINATION, &own), develop(SOURCE)]
            }
        };
        let built: BTreeSet<&str> =
            self.plan.entries.iter().filter_map(|entry| entry.work.as_ref()).map(|work| &*work.hash).collect();
        let there = lock.specs().filter(|spec| !built.contains(spec.hash.as_str()));
        let listed: HashMap<Hash, Listed> = there
            .map(|spec| {
                let external = spec.is_external();
                (spec.hash, Listed { in_buildcache: !external, external })
            })
            .collect();
        let mut listed = Some(listed);
        let mut views: Vec<MirrorView> = Vec::with_capacity(mirrors.len());
        for mirror in mirrors.iter().rev() {
            let state = listed.take().map_or(MirrorState::Absent, |listed| {
                let checksum = Rng::named(hash(stack), "index", self.job).hex(64).into();
                let source = format!("{}/v3/manifests/index/index.manifest.json", mirror.fetch).into();
                MirrorState::Read(vec![Listing { layout: 3, source, checksum, modified: None, listed }])
            });
            let (name, url) = (mirror.name.clone(), mirror.fetch.clone());
            views.insert(0, MirrorView { name, url, state, direct: HashMap::new() });
        }
        (mirrors, views)
    }
}

impl Environment {
    /// The environment of a stack, made once per process.
    fn of(stack: usize, about: &'static Stack) -> Result<&'static Self, SandboxError> {
        static MADE: [OnceLock<Environment>; STACKS.len()] = [const { OnceLock::new() }; STACKS.len()];
        let slot = MADE.get(stack);
        if let Some(known) = slot.and_then(OnceLock::get) {
            return Ok(known);
        }
        let made = Self::make(about)?;
        match slot {
            Some(slot) => Ok(slot.get_or_init(|| made)),
            None => Err(SandboxError::Died),
        }
    }

    fn make(about: &Stack) -> Result<Self, SandboxError> {
        let lock = Shelf::embedded(about.lock)?;
        let specs = about.specs(Age::Current)?;
        let lock = lock.lock.renamed(|hash| specs.rename(hash), |arch| about.target.arch(arch));
        let wanted = lock.roots().iter().map(|root| root.spec.to_string()).collect();
        let shared = Value::parse(include_bytes!("data/ci.yaml")).map_err(|source| SandboxError::Config { source })?;
        let shared = shared.as_map().cloned().unwrap_or_default();
        let manifest = format!("stacks/{}/spack.yaml", about.name).into();
        let layers = Layers(vec![
            Scope { name: manifest, sections: sections(about, &lock) },
            Scope { name: "configs/ci.yaml".into(), sections: shared },
        ]);
        Ok(Self { lock, wanted, layers })
    }
}

/// What a stack says itself.
fn sections(about: &Stack, lock: &Lock) -> Map {
    let target = about.target;
    let variables = Value::map([("SPACK_CI_TARGET", Value::text(target.microarchitecture()))]);
    let attributes = [
        ("image", Value::text(target.image())),
        ("tags", Value::texts(target.tags().iter().copied())),
        ("variables", variables),
    ];
    // Machines that Spack does not own do not have its tag.
    let gone = Value::map([("tags", Value::texts(["spack"]))]);
    let job = Value::map([("build-job-remove", gone), ("build-job", Value::map(attributes))]);
    let sizes = Value::map([("match_behavior", Value::text("first")), ("submapping", sizes(lock))]);
    let ci = Value::map([("pipeline-gen", Value::List(vec![sizes, job]))]);
    let cdash = Value::map([("build-group", Value::text(about.group))]);
    [("ci", ci), ("cdash", cdash)].into_iter().map(|(name, value)| (Key::from(name), value)).collect()
}

/// One match per size class, with the packages that need it. Packages of the default size are not named.
fn sizes(lock: &Lock) -> Value {
    let mut classes: BTreeMap<&str, BTreeSet<Arc<str>>> = BTreeMap::new();
    for spec in lock.specs().filter(|spec| !spec.is_external()) {
        if let Some(tag) = size(&spec.name).tag() {
            classes.entry(tag).or_default().insert(spec.name.clone());
        }
    }
    let entry = |(tag, packages): (&str, BTreeSet<Arc<str>>)| {
        let of = packages.first().map_or_else(|| size(""), |package| size(package));
        let variables = [
            ("CI_JOB_SIZE", of.class),
            ("SPACK_BUILD_JOBS", of.build_jobs),
            ("KUBERNETES_CPU_REQUEST", of.cpu),
            ("KUBERNETES_MEMORY_REQUEST", of.memory),
        ];
        let variables = Value::map(variables.map(|(name, value)| (name, Value::text(value))));
        let job = Value::map([("tags", Value::texts([tag])), ("variables", variables)]);
        Value::map([("match", Value::texts(packages)), ("build-job", job)])
    };
    Value::List(classes.into_iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::Status;
    use crate::sandbox::Scenario;
    use crate::sandbox::plan::{choose_change, choose_stack};
    use crate::sandbox::world::OPENING;

    fn run(plan: &Plan, access: Access) -> Run<'_> {
        let stack = plan.stack.unwrap();
        let now = Timestamp::parse("2026-01-17T12:00:00Z").unwrap();
        let git_ref = if access == Access::Public { "pr7_hdf5" } else { "develop" };
        Run { plan, stack, about: &STACKS[stack], access, git_ref, job: "x-generate", pipeline: 7, now }
    }

    fn texts<'a>(list: Option<&'a Value>, key: Option<&str>) -> BTreeSet<&'a str> {
        let items = list.and_then(Value::as_list).unwrap_or_default().iter();
        items.filter_map(|item| key.map_or(Some(item), |key| item.get(key))?.as_text()).collect()
    }

    #[test]
    fn the_plan_and_the_document_agree_job_by_job() {
        for name in
            ["build_systems", "developer-tools-darwin", "e4s", "e4s-cray-rhel", "radiuss-aarch64", "windows-vis"]
        {
            let stack = STACKS.iter().position(|s| s.name == name).unwrap();
            let shelf = Shelf::embedded(STACKS[stack].lock).unwrap();
            for (access, seed) in [Access::Protected, Access::Public].into_iter().flat_map(|a| [(a, 1), (a, 42)]) {
                let chosen = match access {
                    Access::Protected => choose_stack(seed, stack, 60 + seed as usize * 3).unwrap(),
                    Access::Public => choose_change(stack, if seed == 1 { "zlib-ng" } else { "cmake" }, 30).unwrap(),
                };
                let plan = Plan::child(stack, shelf, &chosen, access).unwrap();
                assert!(plan.entries.len() > 2, "{name} {access:?} {seed}");
                run(&plan, access).make(|made| agree(&plan, made)).unwrap();
            }
        }
    }

    fn agree(plan: &Plan, made: &Made<'_>) {
        let document = &made.generation.document;
        let names: BTreeSet<&str> = plan.entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(document.jobs.keys().map(|name| &**name).collect::<BTreeSet<_>>(), names);
        let stages: Vec<&str> = plan.stages.iter().map(|stage| &**stage).collect();
        let written = document.globals["stages"].as_list().unwrap().iter().filter_map(Value::as_text);
        assert_eq!(written.collect::<Vec<_>>(), stages);
        for entry in &plan.entries {
            let job = &document.jobs[&entry.name];
            let key = |key: &str| job.get(key).map(|value| &**value);
            assert_eq!(key("stage").and_then(Value::as_text), Some(&**plan.stage(entry)), "{}", entry.name);
            assert_eq!(texts(key("tags"), None), entry.tags.iter().copied().collect(), "{}", entry.name);
            let mut needs = texts(key("needs"), Some("job"));
            assert_eq!(needs.remove("x-generate"), entry.needs.is_some());
            let planned = entry.needs.iter().flatten().map(|need| &*plan.entry(*need).name);
            assert_eq!(needs, planned.collect(), "{}", entry.name);
            let Some(work) = &entry.work else { continue };
            let variable = |name: &str| key("variables").and_then(|v| v.get(name)).and_then(Value::as_text);
            assert_eq!(variable("SPACK_JOB_SPEC_DAG_HASH"), Some(&*work.hash));
            assert_eq!(variable("SPACK_JOB_SPEC_ARCH"), Some(&*work.arch));
            assert_eq!(variable("SPACK_JOB_SPEC_VARIANTS"), Some(&*work.variants));
            assert_eq!(variable("CI_JOB_SIZE"), Some(size(&work.package).class));
        }
    }

    #[expect(clippy::redundant_closure_for_method_calls, reason = "a method is not general enough over the borrow")]
    #[test]
    fn the_document_repeats_nothing_that_it_can_point_to_and_the_report_counts_its_jobs() {
        let mut world = World::new(42, Scenario::Busy, 1_200).unwrap();
        world.advance_to(OPENING);
        let is_e4s = |j: &&Job| &**world.name_of(j) == "e4s-generate" && j.status == Status::Success;
        let job = world.jobs().find(is_e4s).unwrap();
        let run = Run::of(&world, job).unwrap();
        let yaml = run.make(|made| made.yaml()).unwrap();
        assert_eq!(yaml, run.make(|made| made.yaml()).unwrap());
        let report = run.make(|made| made.report()).unwrap().unwrap();
        assert_eq!(yaml.matches("- unknown_failure").count(), 1);
        let keys: Vec<&str> = yaml.lines().filter(|l| l.ends_with(':') && !l.starts_with([' ', '-'])).collect();
        assert!(keys.is_sorted(), "top-level keys are sorted by bytes");
        let report = Report::read(report.as_bytes()).unwrap();
        let builds = run.plan.entries.iter().filter(|entry| entry.work.is_some()).count();
        assert_eq!((report.summary.jobs, report.at), (builds, job.finished_at.unwrap()));
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    }
}
