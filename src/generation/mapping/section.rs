//! One element of `pipeline-gen`, read and checked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::dynamic::Dynamic;
use crate::generation::Refusal;
use crate::spack::yaml::{Map, Section, Value};
use crate::spack::{Request, RequestError};

/// Which jobs a section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    /// Every job, those that build and those that serve.
    Any,
    /// The jobs that build one spec each.
    Build,
    Copy,
    Cleanup,
    Noop,
    Reindex,
    Signing,
}

impl JobKind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Any, "any"),
        (Self::Build, "build"),
        (Self::Copy, "copy"),
        (Self::Cleanup, "cleanup"),
        (Self::Noop, "noop"),
        (Self::Reindex, "reindex"),
        (Self::Signing, "signing"),
    ];

    /// The kind whose key this is, and whether the key removes.
    fn of_key(key: &str) -> Option<(Self, bool)> {
        let (name, removes) = match key.strip_suffix("-job-remove") {
            Some(name) => (name, true),
            None => (key.strip_suffix("-job")?, false),
        };
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| (kind, removes))
    }
}

/// Where an element of the list stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, or `built in`.
    pub scope: Arc<str>,
    pub index: usize,
    /// What of it: the entry of a submapping that matched.
    pub entry: Option<(usize, Arc<str>)>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pipeline-gen[{}]", self.scope, self.index)?;
        match &self.entry {
            Some((at, text)) => write!(f, " submapping[{at}] (match {text})"),
            None => Ok(()),
        }
    }
}

/// What is added to a job and what is taken out of it; the latter happens first.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub add: Option<Value>,
    pub remove: Option<Value>,
}

/// One entry of a submapping.
#[derive(Debug)]
pub struct Entry {
    pub requests: Vec<(Request, Arc<str>)>,
    pub change: Change,
}

/// One element of the list.
#[derive(Debug)]
pub struct Step {
    pub origin: Origin,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Named(JobKind, Change),
    Submapping(Submapping),
    Dynamic(Dynamic),
}

/// A list of matches. The lowest entry of the file is tried first.
#[derive(Debug)]
pub struct Submapping {
    pub only_first: bool,
    pub entries: Vec<Entry>,
    /// Entries that name a package, by that name; most specs match none of hundreds of entries.
    by_name: HashMap<Arc<str>, Vec<usize>>,
    /// Entries with a request for any package.
    nameless: Vec<usize>,
}

impl Submapping {
    /// The entries that may match a package, the lowest of the file first.
    pub fn candidates(&self, package: &str) -> Vec<usize> {
        let named = self.by_name.get(package).into_iter().flatten();
        let mut found: Vec<usize> = named.chain(&self.nameless).copied().collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        found
    }
}

impl Step {
    /// Reads an element of a scope's list.
    pub fn read(section: &Section) -> Result<Self, Refusal> {
        let origin = Origin { scope: section.scope.clone(), index: section.index, entry: None };
        let fault = |what: String| Refusal::Config { place: origin.to_string(), what };
        let Value::Map(map) = &section.value else {
            return Err(fault(format!("is {}; write one of build-job, any-job, submapping, …", section.value.kind())));
        };
        let kind = if map.contains("submapping") {
            Kind::Submapping(submapping(map, &origin)?)
        } else if let Some(dynamic) = map.get("dynamic-mapping") {
            if let Some((key, _)) = map.iter().find(|(key, _)| &*key.name != "dynamic-mapping") {
                return Err(fault(beside(&key.name, "dynamic-mapping")));
            }
            Kind::Dynamic(Dynamic::read(dynamic).map_err(fault)?)
        } else {
            named(map).map_err(fault)?
        };
        Ok(Self { origin, kind })
    }

    /// A section that Spack has built in.
    pub fn built_in(index: usize, job: JobKind, change: Change) -> Self {
        Self { origin: Origin { scope: "built in".into(), index, entry: None }, kind: Kind::Named(job, change) }
    }
}

fn named(map: &Map) -> Result<Kind, String> {
    let mut found: Option<JobKind> = None;
    let mut change = Change::default();
    for (key, value) in map.iter() {
        let Some((kind, removes)) = JobKind::of_key(&key.name) else {
            return Err(format!(
                "has the key `{}`, which nobody knows; use one of any-job, build-job, copy-job, cleanup-job, noop-job, reindex-job, \
                 signing-job (each also with -remove), submapping or dynamic-mapping",
                key.name
            ));
        };
        if found.is_some_and(|known| known != kind) {
            return Err("is about two kinds of job; make it two elements".to_owned());
        }
        found = Some(kind);
        if removes {
            change.remove = attributes(&key.name, value)?;
        } else {
            change.add = added(&key.name, value)?;
        }
    }
    found.map(|kind| Kind::Named(kind, change)).ok_or_else(|| "is empty; remove it".to_owned())
}

/// The map under a key that is about a job; `None` when all of its lines are commented out.
fn attributes(key: &str, value: &Value) -> Result<Option<Value>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Map(_) => Ok(Some(value.clone())),
        other => Err(format!("has {} under `{key}`; write a map of the job's keys", other.kind())),
    }
}

fn added(key: &str, value: &Value) -> Result<Option<Value>, String> {
    let attributes = attributes(key, value)?;
    for (key, value) in attributes.iter().filter_map(Value::as_map).flat_map(Map::iter) {
        check(&key.name, value)?;
    }
    Ok(attributes)
}

/// What generation itself works with must be what it takes it for; everything else is handed on as it is.
pub(super) fn check(key: &str, value: &Value) -> Result<(), String> {
    let wrong =
        |place: &str, value: &Value, want: &str| Err(format!("has {} under `{place}`; write {want}", value.kind()));
    match (key, value) {
        ("tags", Value::List(tags)) => match tags.iter().find(|tag| tag.as_text().is_none()) {
            Some(odd) => wrong(key, odd, "texts only"),
            None => Ok(()),
        },
        ("script" | "before_script" | "after_script", Value::List(lines)) => {
            // One level of lists is flattened.
            let mut lines = lines.iter().flat_map(|line| line.as_list().unwrap_or(std::slice::from_ref(line)));
            match lines.find(|line| line.as_text().is_none()) {
                Some(odd) => wrong(key, odd, "texts, or lists of texts; quote what YAML takes for something else"),
                None => Ok(()),
            }
        }
        ("variables", Value::Map(variables)) => {
            for (name, value) in variables.iter() {
                let place = format!("variables:{}", name.name);
                match value {
                    Value::Text(text) if text.contains('\0') => {
                        return Err(format!(
                            "has a NUL character under `{place}`; no variable can hold it, so take it out"
                        ));
                    }
                    Value::Text(_) | Value::Int(_) | Value::Float(_) => {}
                    other => return wrong(&place, other, "a text or a number"),
                }
            }
            Ok(())
        }
        ("tags" | "script" | "before_script" | "after_script", _) => wrong(key, value, "a list"),
        ("variables", _) => wrong(key, value, "a map"),
        _ => Ok(()),
    }
}

fn beside(key: &str, of: &str) -> String {
    format!("has the key `{key}` beside its {of}; make it an element of its own")
}

/// The refusal of a match that cannot be judged, in this entry of an element.
pub(super) fn unjudged(origin: &str, entry: usize, error: &RequestError) -> Refusal {
    let what = format!("has a match that cannot be judged: {error}");
    Refusal::Config { place: format!("{origin} submapping[{entry}]"), what }
}

fn submapping(map: &Map, origin: &Origin) -> Result<Submapping, Refusal> {
    let fault = |at: Option<usize>, what: String| Refusal::Config {
        place: at.map_or_else(|| origin.to_string(), |at| format!("{origin} submapping[{at}]")),
        what,
    };
    let only_first = match map.get("match_behavior").map(Value::as_text) {
        None | Some(Some("first")) => true,
        Some(Some("merge")) => false,
        Some(_) => {
            return Err(fault(
                None,
                "has a match_behavior other than `first` and `merge`; use one of these".to_owned(),
            ));
        }
    };
    if let Some((key, _)) = map.iter().find(|(key, _)| !matches!(&*key.name, "match_behavior" | "submapping")) {
        return Err(fault(None, beside(&key.name, "submapping")));
    }
    let items = map.get("submapping").and_then(Value::as_list);
    let items =
        items.ok_or_else(|| fault(None, "has a submapping that is no list; write a list of matches".to_owned()))?;
    let mut entries = Vec::with_capacity(items.len());
    let mut by_name: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
    let mut nameless = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let texts = item.get("match").and_then(Value::as_list);
        let texts =
            texts.ok_or_else(|| fault(Some(at), "has no list `match`; write the specs that it is for".to_owned()))?;
        let mut requests = Vec::with_capacity(texts.len());
        for text in texts {
            let text =
                text.scalar().ok_or_else(|| fault(Some(at), format!("matches {}; write a spec", text.kind())))?;
            let request = Request::parse(&text).map_err(|error| unjudged(&origin.to_string(), at, &error))?;
            match request.package() {
                Some(name) => by_name.entry(name.into()).or_default().push(at),
                None => nameless.push(at),
            }
            requests.push((request, Arc::from(text)));
        }
        let said = |key: &str| item.get(key).unwrap_or(&Value::Null);
        let change = Change {
            add: added("build-job", said("build-job")).map_err(|what| fault(Some(at), what))?,
            remove: attributes("build-job-remove", said("build-job-remove")).map_err(|what| fault(Some(at), what))?,
        };
        let odd = item.as_map().and_then(|map| {
            map.iter().find(|(key, _)| !matches!(&*key.name, "match" | "build-job" | "build-job-remove"))
        });
        if let Some((key, _)) = odd {
            return Err(fault(
                Some(at),
                format!("has the key `{}`; only match, build-job and build-job-remove are known", key.name),
            ));
        }
        entries.push(Entry { requests, change });
    }
    Ok(Submapping { only_first, entries, by_name, nameless })
}
