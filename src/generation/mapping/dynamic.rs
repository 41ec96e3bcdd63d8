//! Dynamic mapping: attributes that a server knows, asked once per spec.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;

use super::section::{Origin, check};
use crate::generation::Refusal;
use crate::spack::yaml::{Key, Map, Value};
use crate::spack::{Hash, Spec, variants_text};

/// How long one answer may take where the configuration does not say.
const PATIENCE: Duration = Duration::from_secs(60);

/// One `dynamic-mapping` element.
#[derive(Debug, Clone)]
pub struct Dynamic {
    endpoint: Arc<str>,
    name: Option<Arc<str>>,
    timeout: Duration,
    verify: bool,
    headers: Vec<(Arc<str>, Arc<str>)>,
    allow: BTreeSet<Arc<str>>,
    require: BTreeSet<Arc<str>>,
    ignore: BTreeSet<Arc<str>>,
}

/// One question to a dynamic mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which mapping asks, and about which spec: the keys of the answer.
    pub step: usize,
    pub hash: Hash,
    pub url: String,
    /// Variables in them are not expanded yet: they may hold secrets, which do not belong here.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    pub timeout: Duration,
    pub verify: bool,
}

/// What dynamic mappings answered, cut down to what each may say.
#[derive(Debug, Clone, Default)]
pub struct Answers(HashMap<Hash, BTreeMap<usize, Value>>);

impl Answers {
    /// The answer to one question.
    pub fn get(&self, step: usize, hash: Hash) -> Option<&Value> {
        self.0.get(&hash)?.get(&step)
    }

    /// Whether any mapping said something about a spec.
    pub fn knows(&self, hash: Hash) -> bool {
        self.0.contains_key(&hash)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps an answer, as [`super::Mapping::accept`] cut it down.
    pub fn insert(&mut self, step: usize, hash: Hash, answer: Map) {
        self.0.entry(hash).or_default().insert(step, Value::Map(answer));
    }
}

impl Dynamic {
    /// Reads an element; the error is a fragment.
    pub fn read(value: &Value) -> Result<Self, String> {
        let wrong =
            |key: &str, want: &str| format!("has a dynamic-mapping whose `{key}` is not {want}; correct or remove it");
        let text = |key: &str| match value.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(key, "a text")),
        };
        let names = |key: &str| -> Result<BTreeSet<Arc<str>>, String> {
            let Some(list) = value.get(key) else { return Ok(BTreeSet::new()) };
            let items = list.as_list().unwrap_or(std::slice::from_ref(list));
            let name = |item: &Value| item.as_text().filter(|_| list.as_list().is_some()).map(Arc::from);
            items.iter().map(|item| name(item).ok_or_else(|| wrong(key, "a list of names"))).collect()
        };
        let timeout = match value.get("timeout") {
            // No patience at all is no way to ask.
            None | Some(Value::Int(0)) => PATIENCE,
            Some(Value::Int(seconds)) if *seconds > 0 => Duration::from_secs(seconds.unsigned_abs()),
            Some(_) => return Err(wrong("timeout", "a number of seconds")),
        };
        let verify = match value.get("verify_ssl") {
            None => true,
            Some(Value::Bool(verify)) => *verify,
            Some(_) => return Err(wrong("verify_ssl", "true or false")),
        };
        let header = match value.get("header") {
            None => Vec::new(),
            Some(header) => {
                let map = header.as_map().ok_or_else(|| wrong("header", "a map of texts"))?;
                let entry = |(key, value): (&Key, &Value)| Some((key.name.clone(), Arc::from(value.scalar()?)));
                map.iter().map(entry).collect::<Option<Vec<_>>>().ok_or_else(|| wrong("header", "a map of texts"))?
            }
        };
        let dynamic = Self {
            endpoint: text("endpoint")?.ok_or("has a dynamic-mapping without `endpoint`; write its address")?,
            name: text("name")?,
            timeout,
            verify,
            headers: header,
            allow: names("allow")?,
            require: names("require")?,
            ignore: names("ignore")?,
        };
        match dynamic.require.intersection(&dynamic.ignore).next() {
            Some(both) => Err(format!("has a dynamic-mapping that requires and ignores `{both}`; do one of both")),
            None => Ok(dynamic),
        }
    }

    /// Whether `SPACK_CI_SKIP_DYNAMIC_MAPPING` leaves it out.
    pub fn is_skipped(&self, skip: Option<&str>, origin: &Origin) -> Result<bool, Refusal> {
        let (Some(skip), Some(name)) = (skip, &self.name) else { return Ok(false) };
        let pattern = Regex::new(skip).map_err(|error| Refusal::Config {
            place: "SPACK_CI_SKIP_DYNAMIC_MAPPING".to_owned(),
            what: format!("is no regular expression, so {origin} cannot be judged: {error}; correct or unset it"),
        })?;
        Ok(pattern.find(name).is_some_and(|found| found.start() == 0))
    }

    /// The question about a spec.
    pub fn query(&self, step: usize, spec: &Spec) -> Query {
        let compiler = spec.compiler.as_ref();
        let (name, version) = compiler.map_or(("none", "none"), |compiler| (&compiler.name, &compiler.version));
        // Spack asks for a compiler called `none` where there is none, and the blank before the variants always stands.
        let text =
            format!("{}@{} {} arch={}%{name}@{version}", spec.name, spec.version, variants_text(spec), spec.arch);
        // As in Spack, the question takes the place of one that the address has.
        let endpoint = self.endpoint.split(['?', '#']).next().unwrap_or_default();
        Query {
            step,
            hash: spec.hash,
            url: format!("{endpoint}?spec={}", utf8_percent_encode(&text, NON_ALPHANUMERIC)),
            headers: self.headers.clone(),
            timeout: self.timeout,
            verify: self.verify,
        }
    }

    /// Cuts an answer down to what may be merged; the second part names what is required and missing.
    pub fn accept(&self, answer: Map) -> (Map, Vec<Arc<str>>) {
        let limited = !(self.allow.is_empty() && self.require.is_empty());
        let may = |key: &Key| {
            !self.ignore.contains(&key.name)
                && (!limited || self.allow.contains(&key.name) || self.require.contains(&key.name))
        };
        // A server that answers nonsense must not stop anybody.
        let is_sound = |key: &Key, value: &Value| check(&key.name, value).is_ok();
        let kept: Map = answer.into_iter().filter(|(key, value)| may(key) && is_sound(key, value)).collect();
        let missing = self.require.iter().filter(|name| !kept.contains(name)).cloned().collect();
        (kept, missing)
    }
}
