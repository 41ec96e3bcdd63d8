//! Applies sections to jobs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::dynamic::{Answers, Query};
use super::section::{Change, JobKind, Kind, Origin, Step, unjudged};
use crate::generation::Refusal;
use crate::spack::yaml::{Key, Layers, Map, Mode, Value, merge, remove};
use crate::spack::{Hash, Lock, Request, Spec};

/// Tags that only the generator gives.
const RESERVED: [&str; 3] = ["public", "protected", "notary"];

/// Everything that the configuration says about jobs.
#[derive(Debug)]
pub struct Mapping {
    /// The highest precedence first.
    steps: Vec<Step>,
}

/// What a spec matched: the entries of the submappings, in the order in which they are applied. Specs of one class get the same attributes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(Vec<(usize, usize)>);

impl Mapping {
    /// Reads `ci:pipeline-gen` of all scopes.
    pub fn read(layers: &Layers) -> Result<Self, Refusal> {
        for scope in &layers.0 {
            if let Some(value) = scope.sections.get("ci").and_then(|ci| ci.get("pipeline-gen"))
                && value.as_list().is_none()
            {
                let what = format!("is {}; write a list of elements, or leave it out", value.kind());
                return Err(Refusal::Config { place: format!("{} pipeline-gen", scope.name), what });
            }
        }
        let mut steps = overrides();
        for section in layers.list("ci", "pipeline-gen") {
            steps.push(Step::read(&section)?);
        }
        steps.extend(defaults());
        Ok(Self { steps })
    }

    /// Refuses matches that this lock cannot decide. To take them for misses would give jobs other attributes than Spack gives them.
    pub fn check(&self, lock: &Lock) -> Result<(), Refusal> {
        let packages: HashSet<&str> = lock.specs().map(|spec| &*spec.name).collect();
        let virtuals: HashSet<&str> =
            lock.specs().flat_map(|spec| &spec.deps).flat_map(|dep| &dep.virtuals).map(|name| &**name).collect();
        // Of hundreds of matches nearly all only name a package that is one.
        let is_doubtful = |request: &Request, text: &str| {
            let is_virtual = |name: &str| virtuals.contains(name) && !packages.contains(name);
            text.contains(['^', '%']) || request.package().is_some_and(is_virtual)
        };
        for Step { origin, kind } in &self.steps {
            let Kind::Submapping(submapping) = kind else { continue };
            for (at, entry) in submapping.entries.iter().enumerate() {
                let doubtful = entry.requests.iter().filter(|(request, text)| is_doubtful(request, text));
                if let Some(error) = doubtful.into_iter().find_map(|(request, _)| request.undecided_by(lock)) {
                    return Err(unjudged(&origin.to_string(), at, &error));
                }
            }
        }
        Ok(())
    }

    /// What a spec matches.
    pub fn class(&self, spec: &Spec, lock: &Lock) -> Class {
        let mut matched = Vec::new();
        for (step, Step { kind, .. }) in self.steps.iter().enumerate().rev() {
            let Kind::Submapping(submapping) = kind else { continue };
            for at in submapping.candidates(&spec.name) {
                let Some(entry) = submapping.entries.get(at) else { continue };
                if entry.requests.iter().any(|(request, _)| request.matches(spec, lock)) {
                    matched.push((step, at));
                    if submapping.only_first {
                        break;
                    }
                }
            }
        }
        Class(matched)
    }

    /// The attributes of the build jobs of a class. The job's own variables stand in them as placeholders: see `fill`.
    pub fn build(&self, class: &Class, variables: &[&str]) -> Map {
        self.build_with(class, variables, |_| None, |_, _, _| {})
    }

    /// The attributes of one build job whose spec got answers from dynamic mappings.
    pub fn build_one(&self, class: &Class, variables: &[&str], hash: Hash, answers: &Answers) -> Map {
        self.build_with(class, variables, |step| answers.get(step, hash).cloned(), |_, _, _| {})
    }

    /// Which elements of the configuration set each key of a build job, the one that was applied last at the end. Variables are keys of their own.
    pub fn origins(
        &self,
        class: &Class,
        variables: &[&str],
        hash: Hash,
        answers: &Answers,
    ) -> BTreeMap<String, Vec<Origin>> {
        let mut origins: BTreeMap<String, Vec<Origin>> = BTreeMap::new();
        let watch = |before: &Value, after: &Value, origin: &Origin| {
            for key in changed(before, after) {
                origins.entry(key).or_default().push(origin.clone());
            }
        };
        self.build_with(class, variables, |step| answers.get(step, hash).cloned(), watch);
        origins
    }

    fn build_with(
        &self,
        Class(matched): &Class,
        variables: &[&str],
        answer: impl Fn(usize) -> Option<Value>,
        mut watch: impl FnMut(&Value, &Value, &Origin),
    ) -> Map {
        let own = Value::map(variables.iter().map(|name| (*name, Value::text(placeholder(name)))));
        let mut job = Value::map([("variables", own)]);
        let mut matched = matched.iter().peekable();
        let mut change_job = |job: &mut Value, change: &Change, origin: &Origin| {
            let before = job.clone();
            apply(job, change);
            watch(&before, job, origin);
        };
        for (at, Step { origin, kind }) in self.steps.iter().enumerate().rev() {
            match kind {
                Kind::Named(JobKind::Any | JobKind::Build, change) => change_job(&mut job, change, origin),
                Kind::Named(..) => {}
                Kind::Submapping(submapping) => {
                    while let Some((_, entry_at)) = matched.next_if(|(step, _)| *step == at) {
                        let Some(entry) = submapping.entries.get(*entry_at) else { continue };
                        let texts: Vec<&str> = entry.requests.iter().map(|(_, text)| &**text).collect();
                        let origin = Origin { entry: Some((*entry_at, texts.join(", ").into())), ..origin.clone() };
                        change_job(&mut job, &entry.change, &origin);
                    }
                }
                Kind::Dynamic(_) => {
                    if let Some(add) = answer(at) {
                        change_job(&mut job, &Change { add: Some(add), remove: None }, origin);
                    }
                }
            }
        }
        match job {
            Value::Map(map) => map,
            _ => Map::new(),
        }
    }

    /// The attributes of a service job.
    pub fn service(&self, wanted: JobKind) -> Map {
        let mut job = Value::Map(Map::new());
        for Step { kind, .. } in self.steps.iter().rev() {
            if let Kind::Named(kind, change) = kind
                && (*kind == JobKind::Any || *kind == wanted)
            {
                apply(&mut job, change);
            }
        }
        match job {
            Value::Map(map) => map,
            _ => Map::new(),
        }
    }

    /// What has to be asked of dynamic mappings before these specs can be mapped.
    pub fn queries(&self, specs: &[&Spec], skip: Option<&str>) -> Result<Vec<Query>, Refusal> {
        let mut queries = Vec::new();
        for (at, Step { origin, kind }) in self.steps.iter().enumerate() {
            if let Kind::Dynamic(dynamic) = kind
                && !dynamic.is_skipped(skip, origin)?
            {
                queries.extend(specs.iter().map(|spec| dynamic.query(at, spec)));
            }
        }
        Ok(queries)
    }
}

impl Mapping {
    /// Keeps of an answer what the mapping that asked may say; the result names keys that it requires and did not get.
    pub fn accept(&self, query: &Query, answer: Map, answers: &mut Answers) -> Vec<Arc<str>> {
        let Some(Step { kind: Kind::Dynamic(dynamic), .. }) = self.steps.get(query.step) else { return Vec::new() };
        let (kept, missing) = dynamic.accept(answer);
        answers.insert(query.step, query.hash, kept);
        missing
    }
}

fn apply(job: &mut Value, change: &Change) {
    if let Some(gone) = &change.remove {
        *job = remove(std::mem::take(job), gone);
    }
    if let Some(add) = &change.add {
        *job = merge(std::mem::take(job), add);
    }
}

/// The keys that differ; those of `variables` one by one.
fn changed(before: &Value, after: &Value) -> Vec<String> {
    let empty = Map::new();
    let (before, after) = (before.as_map().unwrap_or(&empty), after.as_map().unwrap_or(&empty));
    let mut keys = Vec::new();
    for (key, value) in after.iter() {
        match (&*key.name, before.get(&key.name), value) {
            (_, Some(old), new) if old == new => {}
            ("variables", old, Value::Map(new)) => {
                let old = old.and_then(Value::as_map).unwrap_or(&empty);
                let differ = new.iter().filter(|(name, value)| old.get(&name.name) != Some(value));
                keys.extend(differ.map(|(name, _)| format!("variables.{}", name.name)));
            }
            (name, _, _) => keys.push(name.to_owned()),
        }
    }
    keys
}

/// What stands for a job's own value until it is known. The configuration's own variables never hold a NUL character: that is refused.
fn placeholder(name: &str) -> String {
    format!("\0{name}\0")
}

/// Puts a job's own values into the variables of its class.
pub fn fill(variables: &Map, values: &HashMap<&str, Arc<str>>) -> Map {
    let filled = |text: &Arc<str>| -> Arc<str> {
        if !text.contains('\0') {
            return text.clone();
        }
        if let Some(whole) = text.strip_prefix('\0').and_then(|rest| rest.strip_suffix('\0'))
            && let Some(value) = values.get(whole)
        {
            return value.clone();
        }
        let parts = text.split('\0').enumerate();
        parts
            .map(|(at, part)| if at % 2 == 1 { values.get(part).map_or(part, |v| &**v) } else { part })
            .collect::<String>()
            .into()
    };
    let mut variables = variables.clone();
    for value in variables.values_mut() {
        if let Value::Text(text) = value {
            *text = filled(text);
        }
    }
    variables
}

/// Sections that win over the configuration, the first one most of all.
fn overrides() -> Vec<Step> {
    let replace =
        |key: &str, value: Value| Value::Map(Map::from_iter([(Key { name: key.into(), mode: Mode::Replace }, value)]));
    let add = |value| Change { add: Some(value), remove: None };
    let script = |text: &str| replace("script", Value::texts([text]));
    [
        (JobKind::Reindex, add(script("spack buildcache update-index --keys {index_target_mirror}"))),
        (JobKind::Cleanup, add(script("spack -d mirror destroy {mirror_prefix}/$CI_PIPELINE_ID"))),
        (JobKind::Signing, add(Value::map([("tags", Value::texts(["aws", "protected", "notary"]))]))),
        (JobKind::Any, Change { add: None, remove: Some(Value::map([("tags", Value::texts(RESERVED))])) }),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, (job, change))| Step::built_in(at, job, change))
    .collect()
}

/// Sections over which every configuration wins.
fn defaults() -> Vec<Step> {
    let script = |lines: &[&str]| Change {
        add: Some(Value::map([("script", Value::texts(lines.iter().copied()))])),
        remove: None,
    };
    let build = ["cd {env_dir}", "spack env activate --without-view .", "spack ci rebuild"];
    let noop = ["echo \"All specs already up to date, nothing to rebuild.\""];
    vec![Step::built_in(4, JobKind::Build, script(&build)), Step::built_in(5, JobKind::Noop, script(&noop))]
}

/// Takes the tags out that only the generator gives.
pub(in crate::generation) fn without_reserved(tags: &mut Vec<Value>) {
    tags.retain(|tag| !tag.as_text().is_some_and(|tag| RESERVED.contains(&tag)));
}
