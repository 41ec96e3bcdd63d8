//! The edges of a child pipeline, read from the YAML that `spack ci generate` wrote for it.
//!
//! Only what a graph needs is kept; scripts, variables and artifacts are skipped as they stream by. The file comes from a job's artifact and
//! may be anybody's work: size, nesting and expansion of aliases are bounded.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, Options};

use super::words::Words;
use crate::ci::Need;

/// What one job waits for, as the pipeline's author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobNeeds {
    pub name: Arc<str>,
    pub stage: Arc<str>,
    pub tags: Arc<[Arc<str>]>,
    pub needs: Vec<Need>,
    /// It names no needs at all, so it waits for every job of the stages before its own.
    pub by_stage: bool,
}

/// Top-level entries that are no jobs.
const KEYWORDS: [&str; 12] = [
    "stages",
    "variables",
    "workflow",
    "default",
    "include",
    "image",
    "services",
    "cache",
    "before_script",
    "after_script",
    "types",
    "spec",
];

/// Reads a whole file; the error is a fragment for a fault.
pub(super) fn read(file: &[u8]) -> Result<Vec<JobNeeds>, String> {
    let File(jobs) =
        serde_saphyr::from_slice_with_options(file, options(file.len())).map_err(|error| error.to_string())?;
    let mut names: HashSet<Arc<str>> = HashSet::with_capacity(jobs.len());
    let mut name = |text: &str| -> Arc<str> {
        names.get(text).cloned().unwrap_or_else(|| {
            let kept: Arc<str> = text.into();
            names.insert(kept.clone());
            kept
        })
    };
    let mut words = Words::default();
    let mut all: Vec<JobNeeds> = Vec::with_capacity(jobs.len());
    let mut places: HashMap<Arc<str>, usize> = HashMap::with_capacity(jobs.len());
    for (job, entry) in jobs {
        let job = JobNeeds {
            name: name(&job),
            // GitLab's default.
            stage: words.word(entry.stage.as_deref().unwrap_or("test")),
            tags: words.tags(entry.tags.iter().map(String::as_str)),
            by_stage: entry.needs.is_none(),
            needs: entry
                .needs
                .unwrap_or_default()
                .iter()
                .map(|(job, optional)| Need { name: name(job), optional: *optional })
                .collect(),
        };
        // Written twice: the later one counts, as in GitLab.
        match places.get(&job.name).and_then(|at| all.get_mut(*at)) {
            Some(earlier) => *earlier = job,
            None => {
                places.insert(job.name.clone(), all.len());
                all.push(job);
            }
        }
    }
    Ok(all)
}

/// Limits by the size of the file, for the 50 MB that GitLab takes at most. Spack's files hold 55 events per kilobyte, 135 with their aliases
/// written out; seven times that is no longer a pipeline.
fn options(length: usize) -> Options {
    let events = (200_000 + length).min(12_000_000);
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: events,
            max_nodes: events,
            max_aliases: events,
            max_anchors: events,
            max_recorded_anchor_events: events,
            max_depth: 48,
            max_documents: 1,
            // One script shared by a thousand jobs is the rule here, not an attack.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: events,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // A tag `on` or a stage `y` is a name.
        strict_booleans: true,
    }
}

/// The jobs of a file, in its order.
struct File(Vec<(String, Entry)>);

#[derive(Default)]
struct Entry {
    stage: Option<String>,
    tags: Vec<String>,
    /// `None` when the key is absent.
    needs: Option<Vec<(String, bool)>>,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Jobs;
        impl<'de> Visitor<'de> for Jobs {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pipeline: a mapping of jobs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let mut jobs = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key.starts_with('.') || KEYWORDS.contains(&key.as_str()) {
                        map.next_value::<IgnoredAny>()?;
                    } else if let Maybe(Some(entry)) = map.next_value()? {
                        jobs.push((key, entry));
                    }
                }
                Ok(File(jobs))
            }
        }
        deserializer.deserialize_map(Jobs)
    }
}

/// A job, or something that is none.
struct Maybe(Option<Entry>);

impl<'de> Deserialize<'de> for Maybe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Maybe;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Maybe, A::Error> {
                let mut entry = Entry::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "stage" => entry.stage = map.next_value::<Items>()?.0.pop().map(|item| item.job),
                        "tags" => entry.tags = map.next_value::<Items>()?.0.into_iter().map(|item| item.job).collect(),
                        "needs" => {
                            let items = map.next_value::<Items>()?.0.into_iter();
                            // A need in another pipeline orders nothing in this one.
                            let edges = items.filter(|item| !item.elsewhere).map(|item| (item.job, item.optional));
                            entry.needs = Some(edges.collect());
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Maybe(Some(entry)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Maybe, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Maybe(None))
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_unit<E: Error>(self) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }
        }
        deserializer.deserialize_any(Fields)
    }
}

/// A word, a list, a list of lists, or mappings with a `job` in them: all the ways in which a list of names may be written.
#[derive(Default)]
struct Items(Vec<Item>);

#[derive(Default)]
struct Item {
    job: String,
    optional: bool,
    elsewhere: bool,
}

impl Items {
    fn word(text: impl Into<String>) -> Self {
        Self(vec![Item { job: text.into(), ..Item::default() }])
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut all = Items::default();
                while let Some(Items(mut part)) = seq.next_element()? {
                    all.0.append(&mut part);
                }
                Ok(all)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Items, A::Error> {
                let mut item = Item::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "job" => item.job = map.next_value::<String>()?,
                        "optional" => item.optional = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        other => {
                            item.elsewhere |= matches!(other, "pipeline" | "project");
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Items(if item.job.is_empty() { Vec::new() } else { vec![item] }))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Items, E> {
                Ok(Items::word(text))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Items, E> {
                Ok(Items::word(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Items, E> {
                Ok(Items::word(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Items, E> {
                Ok(Items::word(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Items, E> {
                Ok(Items::word(value.to_string()))
            }

            fn visit_unit<E: Error>(self) -> Result<Items, E> {
                Ok(Items::default())
            }
        }
        deserializer.deserialize_any(Names)
    }
}

#[cfg(test)]
#[path = "needs_tests.rs"]
mod tests;
