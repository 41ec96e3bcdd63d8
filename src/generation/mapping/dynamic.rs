//! Dynamic mapping: attributes that a server knows, asked once per spec.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;

use super::section::Origin;
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
pub struct Answers(HashMap<(usize, Hash), Value>);

impl Answers {
    /// The answer to one question.
    pub fn get(&self, step: usize, hash: Hash) -> Option<&Value> {
        self.0.get(&(step, hash))
    }

    /// Whether any mapping said something about a spec.
    pub fn knows(&self, hash: Hash) -> bool {
        self.0.keys().any(|(_, known)| *known == hash)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps an answer, as [`super::Mapping::accept`] cut it down.
    pub fn insert(&mut self, step: usize, hash: Hash, answer: Map) {
        self.0.insert((step, hash), Value::Map(answer));
    }
}

impl Dynamic {
    /// Reads an element; the error is a fragment.
    pub fn read(value: &Value) -> Result<Self, String> {
        let text = |name: &str| value.get(name).and_then(Value::as_text).map(Arc::from);
        let names = |name: &str| -> BTreeSet<Arc<str>> {
            value
                .get(name)
                .and_then(Value::as_list)
                .into_iter()
                .flatten()
                .filter_map(Value::as_text)
                .map(Arc::from)
                .collect()
        };
        let endpoint = text("endpoint").ok_or("has a dynamic-mapping without `endpoint`; write its address")?;
        let seconds = match value.get("timeout") {
            Some(Value::Int(seconds)) => u64::try_from(*seconds).ok().filter(|s| *s > 0),
            _ => None,
        };
        let dynamic = Self {
            endpoint,
            name: text("name"),
            timeout: seconds.map_or(PATIENCE, Duration::from_secs),
            verify: value.get("verify_ssl") != Some(&Value::Bool(false)),
            headers: value
                .get("header")
                .and_then(Value::as_map)
                .into_iter()
                .flat_map(Map::iter)
                .filter_map(|(key, value)| Some((key.name.clone(), Arc::from(value.scalar()?))))
                .collect(),
            allow: names("allow"),
            require: names("require"),
            ignore: names("ignore"),
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
        let mut text = format!("{}@{} {} arch={}", spec.name, spec.version, variants_text(spec), spec.arch);
        if let Some(compiler) = &spec.compiler {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{}@{}", compiler.name, compiler.version);
        }
        Query {
            step,
            hash: spec.hash,
            url: format!("{}?spec={}", self.endpoint, utf8_percent_encode(&text, NON_ALPHANUMERIC)),
            headers: self.headers.clone(),
            timeout: self.timeout,
            verify: self.verify,
        }
    }

    /// Cuts an answer down to what may be merged; the second part names what is required and missing.
    pub fn accept(&self, answer: Map) -> (Map, Vec<Arc<str>>) {
        let missing = self.require.iter().filter(|name| !answer.contains(name)).cloned().collect();
        let limited = !(self.allow.is_empty() && self.require.is_empty());
        let may = |key: &Key| {
            !self.ignore.contains(&key.name)
                && (!limited || self.allow.contains(&key.name) || self.require.contains(&key.name))
        };
        (answer.into_iter().filter(|(key, _)| may(key)).collect(), missing)
    }
}
