//! The report of one generation: what was decided about every spec, and everything that the decision rests on.
//!
//! It is written beside the pipeline and read back by `explain`, by `diff` and by the console, so that nobody has to generate again to know why.
//! Verdicts and reasons are in the words of Spack's pruning summary.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dag::affected;
use super::make::Generation;
use super::build_job::OWN;
use super::mapping::Class;
use super::verdict::{self, Reason};
use super::{Inputs, MirrorState, Touched};
use crate::ci::Timestamp;
use crate::spack::yaml::Value;
use crate::spack::{Hash, Spec};

/// The version of this shape; readers refuse others.
pub const VERSION: u32 = 1;

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    pub at: Timestamp,
    pub stack: Option<String>,
    pub pipeline_type: Option<String>,
    pub parity: bool,
    pub summary: Summary,
    /// What changed, when the unaffected filter could ask for it.
    pub change: Option<Change>,
    pub mirrors: Vec<MirrorSeen>,
    /// By hash.
    pub decisions: BTreeMap<String, Decision>,
    /// How many jobs there would be otherwise.
    pub otherwise: Vec<Otherwise>,
    /// Elements of the configuration that set keys of build jobs.
    pub origins: Vec<String>,
    /// Jobs of one class got the same keys from the configuration.
    pub classes: Vec<BTreeMap<String, KeySet>>,
    pub warnings: Vec<String>,
}

/// Counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub specs: usize,
    pub rebuild: usize,
    pub prune: usize,
    pub external: usize,
    /// Build jobs in the document; a copy-only pipeline has none.
    pub jobs: usize,
    /// Predicted hours of building, all jobs added up.
    pub hours: f64,
}

/// What is decided about one spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// `rebuild` or `prune`.
    pub decision: String,
    pub reasons: Vec<String>,
    /// `name@version`.
    pub spec: String,
    /// The name of its job, when it has one.
    pub job: Option<String>,
    pub external: bool,
    /// Mirrors whose index lists it.
    pub found: Vec<FoundAt>,
    /// The smallest depth of dependents at which the change reaches it.
    pub affected_from_depth: Option<i64>,
    /// Index into `classes`.
    pub class: Option<usize>,
}

/// One index that lists a spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundAt {
    pub mirror: String,
    pub layout: u8,
    /// `false` for an external, which needs no binary.
    pub in_buildcache: bool,
}

/// A mirror as it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MirrorSeen {
    pub name: String,
    pub url: String,
    /// `read`, `absent` or `failed`.
    pub state: String,
    pub reason: Option<String>,
    pub indexes: Vec<IndexSeen>,
}

/// An index as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexSeen {
    pub layout: u8,
    pub source: String,
    pub sha256: String,
    pub modified: Option<Timestamp>,
}

/// What changed between two commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub base: String,
    pub head: String,
    pub depth: Option<i64>,
    /// Changed packages that this stack has, with the paths and the commits that touched them.
    pub packages: BTreeMap<String, Vec<TouchedPath>>,
    /// Changed packages that this stack does not have.
    pub elsewhere: usize,
    /// A path that changes the whole stack: then the filter is off.
    pub stack: Option<String>,
}

/// A changed path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TouchedPath {
    pub path: String,
    pub commit: Option<String>,
}

/// A generation that was not asked for, and how many jobs it would have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    /// `depth 2`, `every depth`, `without the unaffected filter`, …
    pub what: String,
    pub jobs: usize,
}

/// A key of a job: what the configuration made of it, and which elements did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeySet {
    pub value: Value,
    /// Indices into `origins`, the one that was applied last at the end.
    pub set_by: Vec<usize>,
}

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
            let decision = Decision {
                decision: if verdict.is_rebuilt() { "rebuild" } else { "prune" }.to_owned(),
                reasons: verdict.reasons.iter().map(Reason::to_string).collect(),
                spec: format!("{}@{}", spec.name, spec.version),
                job: job.map(ToString::to_string),
                external: spec.is_external(),
                found: found(inputs, spec),
                affected_from_depth: reached.depths.get(at).copied().flatten(),
                class,
            };
            decisions.insert(spec.hash.to_string(), decision);
        }
        let options = inputs.options;
        let rebuild = made.verdicts.iter().filter(|verdict| verdict.is_rebuilt()).count();
        Self {
            version: VERSION,
            at: inputs.now,
            stack: options.stack.as_deref().map(str::to_owned),
            pipeline_type: options.type_text.as_deref().map(str::to_owned),
            parity: options.parity,
            summary: Summary {
                specs: made.specs.len(),
                rebuild,
                prune: made.specs.len() - rebuild,
                external: made.specs.iter().filter(|spec| spec.is_external()).count(),
                jobs: made.jobs.len(),
                hours: (made.hours * 10.0).round() / 10.0,
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

fn found(inputs: &Inputs<'_>, spec: &Spec) -> Vec<FoundAt> {
    let listings = inputs.views.iter().flat_map(|view| match &view.state {
        MirrorState::Read(listings) => listings.iter().map(|listing| (view, listing)).collect(),
        MirrorState::Absent | MirrorState::Failed(_) => Vec::new(),
    });
    let indexed = listings.filter_map(|(view, listing)| {
        let listed = listing.listed.get(&spec.hash).filter(|listed| listed.is_present())?;
        Some(FoundAt { mirror: view.name.to_string(), layout: listing.layout, in_buildcache: listed.in_buildcache })
    });
    let direct = inputs.views.iter().filter_map(|view| {
        let layout = *view.direct.get(&spec.hash)?;
        Some(FoundAt { mirror: view.name.to_string(), layout, in_buildcache: true })
    });
    indexed.chain(direct).collect()
}

fn mirrors(inputs: &Inputs<'_>) -> Vec<MirrorSeen> {
    inputs
        .views
        .iter()
        .map(|view| {
            let (state, reason, listings) = match &view.state {
                MirrorState::Read(listings) => ("read", None, listings.as_slice()),
                MirrorState::Absent => ("absent", None, [].as_slice()),
                MirrorState::Failed(reason) => ("failed", Some(reason.to_string()), [].as_slice()),
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

    fn keys(&mut self, inputs: &Inputs<'_>, made: &Generation<'_>, class: &Class, spec: &Spec) -> BTreeMap<String, KeySet> {
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
                if options.depth != Some(depth) {
                    let what = if last { "every depth".to_owned() } else { format!("depth {depth}") };
                    reached.otherwise.push(Otherwise { what, jobs: jobs(&set) });
                }
                depth += 1;
                if last {
                    break;
                }
            }
            let without = "without the unaffected filter".to_owned();
            reached.otherwise.push(Otherwise { what: without, jobs: others.iter().filter(|kept| **kept).count() });
        }
        if options.prune_up_to_date {
            let count = made.verdicts.iter().filter(|verdict| {
                !verdict.reasons.iter().any(|r| r.prunes() && !matches!(r, Reason::Found(_)))
            });
            reached.otherwise.push(Otherwise { what: "without the up-to-date filter".to_owned(), jobs: count.count() });
        }
        reached
    }
}

/// The name under which a spec is looked up, for callers that hold one of its forms.
pub fn matches(hash: &str, decision: &Decision, wanted: &str) -> bool {
    let wanted = wanted.trim().trim_start_matches('/');
    let name: Arc<str> = decision.spec.split('@').next().unwrap_or_default().into();
    wanted == &*name || wanted == decision.spec || (wanted.len() >= 3 && hash.starts_with(wanted))
}

impl Report {
    /// Reads a report.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
    pub fn find(&self, _wanted: &str) -> Vec<(&str, &Decision)> {
        Vec::new()
    }
    pub fn nearest(&self, _wanted: &str) -> Vec<String> {
        Vec::new()
    }
    pub fn explain(&self, _hash: &str) -> Option<String> {
        None
    }
}
