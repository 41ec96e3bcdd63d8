//! One job per spec: attributes, variables, needs, tags.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::dag::{Kept, Need, joins};
use super::document::{self, Document, Job, flat, settled};
use super::make::Gathered;
use super::mapping::{self, Class, JobKind, Mapping, fill};
use super::verdict::is_indexed;
use super::{Inputs, Refusal};
use crate::spack::yaml::{Key, Map, Value, merge};
use crate::spack::{Spec, cdash_build_name, variants_text};

/// What GitLab takes as a job's name.
const MAX_NAME: usize = 255;

/// The variables that say which spec a job builds. They start every build job; the configuration may change them.
pub const OWN: [&str; 7] = [
    "SPACK_JOB_SPEC_DAG_HASH",
    "SPACK_JOB_SPEC_PKG_NAME",
    "SPACK_JOB_SPEC_PKG_VERSION",
    "SPACK_JOB_SPEC_COMPILER_NAME",
    "SPACK_JOB_SPEC_COMPILER_VERSION",
    "SPACK_JOB_SPEC_ARCH",
    "SPACK_JOB_SPEC_VARIANTS",
];

/// Failures after which GitLab tries a job again, unless the configuration says otherwise.
const RETRIED: [&str; 11] = [
    "unknown_failure",
    "script_failure",
    "api_failure",
    "stuck_or_timeout_failure",
    "runner_system_failure",
    "runner_unsupported",
    "stale_schedule",
    "archived_failure",
    "unmet_prerequisites",
    "scheduler_failure",
    "data_integrity_failure",
];

/// Usual minutes of one build where nothing is known about the package, by the size class that the configuration gave the job.
const USUAL_MINUTES: [(&str, f64); 5] =
    [("small", 4.0), ("medium", 15.0), ("large", 45.0), ("huge", 150.0), ("default", 8.0)];

/// `{name}@{version} /{hash} {group}`, cut to what GitLab takes.
pub fn name(spec: &Spec, group: Option<&str>) -> String {
    let whole = match group {
        Some(group) => format!("{}@{} /{} {group}", spec.name, spec.version, spec.hash),
        None => format!("{}@{} /{}", spec.name, spec.version, spec.hash),
    };
    whole.chars().take(MAX_NAME).collect()
}

/// Makes the build jobs of one pipeline.
pub struct Builder<'a, 'b> {
    inputs: &'b Inputs<'a>,
    mapping: &'b Mapping,
    specs: &'b [&'a Spec],
    /// CDash's build group, where the configuration has one.
    group: Option<String>,
    stamp: Option<Arc<str>>,
    /// The need that every build job has: the generate job, whose artifacts hold the lock.
    generate: Value,
}

/// What the jobs of one class share.
struct Shared {
    attributes: Job,
    variables: Map,
}

impl<'a, 'b> Builder<'a, 'b> {
    pub fn new(inputs: &'b Inputs<'a>, mapping: &'b Mapping, specs: &'b [&'a Spec]) -> Self {
        let cdash = inputs.layers.section("cdash");
        let group = cdash.get("build-group").and_then(Value::scalar).filter(|group| !group.is_empty());
        let stamp = group.as_ref().map(|group| {
            let given = inputs.options.cdash_stamp.clone();
            given.unwrap_or_else(|| format!("{}-{group}", inputs.now.compact()).into())
        });
        let generate = Value::map([
            ("job", Value::Text(inputs.options.generate_job.clone())),
            ("pipeline", Value::Text(inputs.options.pipeline_id.clone())),
        ]);
        Self { inputs, mapping, specs, group, stamp, generate }
    }

    /// Adds a job for every spec that is left; the result has their names by place.
    pub fn add_jobs(
        &self,
        kept: &Kept,
        document: &mut Document,
        made: &mut Gathered,
    ) -> Result<BTreeMap<usize, Arc<str>>, Refusal> {
        let mut names: BTreeMap<usize, Arc<str>> = BTreeMap::new();
        for at in kept.order() {
            if let Some(spec) = self.specs.get(*at as usize) {
                names.insert(*at as usize, name(spec, self.group.as_deref()).into());
            }
        }
        let mut classes: HashMap<Class, Shared> = HashMap::new();
        let [variables, needs, stage] = ["variables", "needs", "stage"].map(Arc::<str>::from);
        for at in kept.order() {
            let (Some(spec), Some(name)) = (self.specs.get(*at as usize), names.get(&(*at as usize))) else { continue };
            let class = self.mapping.class(spec, self.inputs.lock);
            let own;
            let shared = if self.inputs.answers.knows(spec.hash) {
                own = self.shared(self.mapping.build_one(&class, &OWN, spec.hash, self.inputs.answers), spec)?;
                &own
            } else {
                if !classes.contains_key(&class) {
                    let shared = self.shared(self.mapping.build(&class, &OWN), spec)?;
                    classes.insert(class.clone(), shared);
                }
                let Some(shared) = classes.get(&class) else { continue };
                shared
            };
            let mut job = shared.attributes.clone();
            job.insert(variables.clone(), Arc::new(settled(Value::Map(self.variables(shared, spec)))));
            job.insert(needs.clone(), Arc::new(self.needs(kept, *at, &names, document, made)?));
            job.insert(stage.clone(), Arc::new(Value::text(format!("stage-{}", kept.level(*at)))));
            if document.jobs.insert(name.clone(), job).is_some() {
                return Err(Refusal::Config {
                    place: format!("the job name `{name}`"),
                    what: format!(
                        "would name two jobs, since GitLab takes only {MAX_NAME} characters; shorten the package's name or version"
                    ),
                });
            }
        }
        Ok(names)
    }

    /// Finishes the attributes that a class got from the configuration.
    fn shared(&self, mut attributes: Map, spec: &Spec) -> Result<Shared, Refusal> {
        let options = self.inputs.options;
        let fault =
            |what: &str| Refusal::Config { place: format!("the job of {}", spec.label()), what: what.to_owned() };
        // Spack does not look what is left in them.
        let variables = match attributes.take("variables") {
            Some(Value::Map(map)) if options.parity || map.contains(OWN[0]) => map,
            _ => {
                return Err(fault(
                    "has no variables that say what it builds: the configuration took them away; leave SPACK_JOB_SPEC_DAG_HASH in",
                ));
            }
        };
        let script = attributes.take("script").filter(|script| *script != Value::Null);
        let script =
            script.ok_or_else(|| fault("has no script: the configuration took it away; give build-job a `script`"))?;
        let environment = options.artifact("concrete_environment");
        attributes.insert("script", flat(&script, |line| line.replace("{env_dir}", &environment)));
        for key in ["before_script", "after_script"] {
            if let Some(script) = attributes.take(key) {
                attributes.insert(key, flat(&script, str::to_owned));
            }
        }
        if let Some(kind) = options.pipeline_type {
            let mut tags = match attributes.take("tags") {
                Some(Value::List(tags)) => tags,
                _ => Vec::new(),
            };
            mapping::without_reserved(&mut tags);
            tags.extend(kind.tag().map(Value::text));
            attributes.insert("tags", Value::List(tags));
        }
        let paths = ["logs", "reproduction", "tests", "user_data"].map(|name| options.artifact(name));
        let kept = Value::map([("when", Value::text("always")), ("paths", Value::texts(paths))]);
        let artifacts = attributes.take("artifacts").unwrap_or_else(|| Value::Map(Map::new()));
        attributes.insert("artifacts", merge(artifacts, &kept));
        let retry = Value::map([("max", Value::Int(2)), ("when", Value::texts(RETRIED))]);
        let configured = attributes.take("retry").unwrap_or_else(|| Value::Map(Map::new()));
        attributes.insert("retry", merge(retry, &configured));
        attributes.insert("interruptible", Value::Bool(true));
        Ok(Shared { attributes: document::job(attributes), variables })
    }

    fn variables(&self, shared: &Shared, spec: &Spec) -> Map {
        let none: Arc<str> = "none".into();
        let compiler = spec.compiler.as_ref();
        let own: [Arc<str>; 7] = [
            spec.hash.as_str().into(),
            spec.name.clone(),
            spec.version.clone(),
            compiler.map_or_else(|| none.clone(), |c| c.name.clone()),
            compiler.map_or_else(|| none.clone(), |c| c.version.clone()),
            spec.arch.to_string().into(),
            variants_text(spec).into(),
        ];
        let values: HashMap<&str, Arc<str>> = OWN.into_iter().zip(own).collect();
        let mut variables = fill(&shared.variables, &values);
        let needs_rebuild = if is_indexed(self.inputs.views, spec.hash) { "False" } else { "True" };
        variables.insert("SPACK_SPEC_NEEDS_REBUILD", Value::text(needs_rebuild));
        if let (Some(group), Some(stamp)) = (&self.group, &self.stamp) {
            let name = cdash_build_name(spec, self.inputs.lock, group);
            variables.insert("SPACK_CDASH_BUILD_NAME", Value::text(name));
            variables.insert("SPACK_CDASH_BUILD_STAMP", Value::Text(stamp.clone()));
        }
        variables
    }

    /// The needs of a job. Where GitLab's limit is passed, join jobs stand between: each waits for some of them, and the job waits for these.
    fn needs(
        &self,
        kept: &Kept,
        at: u32,
        names: &BTreeMap<usize, Arc<str>>,
        document: &mut Document,
        made: &mut Gathered,
    ) -> Result<Value, Refusal> {
        let options = self.inputs.options;
        let (limit, children) = (options.limits.needs, kept.children(at));
        let mut needs: Vec<Need> = children.iter().copied().map(Need::Node).collect();
        let mut label = String::new();
        // The generate job takes one place.
        if children.len() >= limit {
            let job = names.get(&(at as usize)).map(ToString::to_string).unwrap_or_default();
            if options.parity || !options.limits.joins || limit < 3 {
                made.refuse(Refusal::Needs { job, needs: children.len() + 1, limit }, options)?;
            } else if let Some(spec) = self.specs.get(at as usize) {
                // What is built first is joined; a job waits directly for what it waits for last.
                let mut sorted = children.to_vec();
                sorted.sort_by_key(|child| kept.level(*child));
                if let Some(tree) = joins(&sorted, limit - 1)? {
                    label = format!("{}@{} {}", spec.name, spec.version, spec.hash.short());
                    for (number, group) in tree.groups.iter().enumerate() {
                        let members = Self::entries(group, names, &label);
                        self.add_join(document, &join_name(number, &label), members, kept.level(at).saturating_sub(1));
                    }
                    needs = tree.needs;
                }
            }
        }
        let mut entries = Self::entries(&needs, names, &label);
        entries.push(self.generate.clone());
        Ok(Value::List(entries))
    }

    /// Needs by name. Their order means nothing to GitLab; sorted, equal pipelines are equal texts.
    fn entries(needs: &[Need], names: &BTreeMap<usize, Arc<str>>, label: &str) -> Vec<Value> {
        let mut found: Vec<Arc<str>> = needs
            .iter()
            .filter_map(|need| match need {
                Need::Node(at) => names.get(&(*at as usize)).cloned(),
                Need::Join(number) => Some(join_name(*number as usize, label).into()),
            })
            .collect();
        found.sort_unstable();
        // Thousands of needs: the names of their keys are made once.
        let (job, artifacts) = (Key::from("job"), Key::from("artifacts"));
        let entry = |name| {
            let keys = [(artifacts.clone(), Value::Bool(false)), (job.clone(), Value::Text(name))];
            Value::Map(keys.into_iter().collect())
        };
        found.into_iter().map(entry).collect()
    }

    fn add_join(&self, document: &mut Document, name: &str, needs: Vec<Value>, level: u32) {
        let mut job = self.mapping.service(JobKind::Noop);
        job.insert("script", Value::texts(["echo \"What this job needs is there.\""]));
        job.insert("needs", Value::List(needs));
        job.insert("stage", Value::text(format!("stage-{level}")));
        job.insert("retry", Value::Int(2));
        job.insert("interruptible", Value::Bool(true));
        document.add(name, job);
    }

    /// Predicted hours of all build jobs together.
    pub fn hours(&self, jobs: &BTreeMap<usize, Arc<str>>, document: &Document) -> f64 {
        let seconds = jobs.iter().map(|(at, name)| {
            let known = self.specs.get(*at).and_then(|spec| self.inputs.durations.get(&spec.name)).copied();
            known.unwrap_or_else(|| {
                let size = document.jobs.get(name).and_then(|job| job.get("variables")?.get("CI_JOB_SIZE")?.as_text());
                let minutes = USUAL_MINUTES.iter().find(|(known, _)| Some(*known) == size).map_or(8.0, |(_, m)| *m);
                minutes * 60.0
            })
        });
        seconds.sum::<f64>() / 3_600.0
    }
}

fn join_name(number: usize, label: &str) -> String {
    format!("join-{} {label}", number + 1)
}
