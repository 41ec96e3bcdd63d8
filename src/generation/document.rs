//! The child pipeline as data: what GitLab reads, in the order in which it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::spack::yaml::{Map, Value};

/// Keys of one job. Jobs of one class share most of their values.
pub type Job = BTreeMap<Arc<str>, Arc<Value>>;

/// A child pipeline. Keys are sorted by bytes on every level, so that equal pipelines are equal texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document {
    pub jobs: BTreeMap<Arc<str>, Job>,
    /// Everything that is no job: `stages`, `variables`, `workflow`.
    pub globals: BTreeMap<Arc<str>, Value>,
}

impl Document {
    /// A job from the attributes that the configuration gave it.
    pub fn add(&mut self, name: &str, attributes: Map) {
        self.jobs.insert(name.into(), job(attributes));
    }

    /// The whole document as one value, everything written out.
    pub fn to_value(&self) -> Value {
        let jobs = self.jobs.iter().map(|(name, job)| {
            let keys = job.iter().map(|(key, value)| ((&**key).into(), (**value).clone()));
            ((&**name).into(), Value::Map(keys.collect()))
        });
        let globals = self.globals.iter().map(|(name, value)| ((&**name).into(), value.clone()));
        Value::Map(jobs.chain(globals).collect())
    }
}

/// The `workflow` of every child: it runs whenever it is triggered.
pub fn always() -> Value {
    Value::map([("rules", Value::List(vec![Value::map([("when", Value::text("always"))])]))])
}

/// The keys of a job, as GitLab reads them.
pub fn job(attributes: Map) -> Job {
    attributes.into_iter().map(|(key, value)| (key.name, Arc::new(settled(value)))).collect()
}

/// A value whose keys have lost their modes: everything is merged.
pub fn settled(value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.into_iter().map(settled).collect()),
        Value::Map(map) => Value::Map(map.settle(settled)),
        scalar => scalar,
    }
}

/// A list of scripts with nested lists flattened one level, each line changed by `line`.
pub fn flat(script: &Value, line: impl Fn(&str) -> String) -> Value {
    let changed = |value: &Value| match value {
        Value::Text(text) => Value::text(line(text)),
        other => other.clone(),
    };
    match script {
        Value::List(items) => Value::List(
            items
                .iter()
                .flat_map(|item| match item {
                    Value::List(inner) => inner.iter().map(&changed).collect::<Vec<_>>(),
                    other => vec![changed(other)],
                })
                .collect(),
        ),
        other => changed(other),
    }
}
