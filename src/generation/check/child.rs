//! A child pipeline with the lock that it was generated from: what its jobs lack, and what they do not wait for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ci::SpecName;
use crate::generation::closure::gaps;
use crate::generation::{Dag, Refusal};
use crate::spack::{Hash, Lock, Spec};

/// A job as the child pipeline names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub name: Arc<str>,
    /// The jobs of this pipeline that it waits for; `None`: all of the stages before its own.
    pub needs: Option<Vec<Arc<str>>>,
}

/// What is wrong with a child pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// A spec that is neither built here nor on a mirror: jobs that install it fail, up to three of which are named.
    Missing { spec: Arc<str>, hash: Hash, jobs: Vec<Arc<str>> },
    /// A job may begin before another has pushed what it installs.
    Unordered { job: Arc<str>, before: Arc<str> },
    /// Two jobs build the same spec.
    Twice { job: Arc<str>, other: Arc<str> },
    /// A job builds a spec that the lock does not have.
    Foreign { job: Arc<str> },
}

impl Finding {
    /// Its kind, in one word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Unordered { .. } => "unordered",
            Self::Twice { .. } => "twice",
            Self::Foreign { .. } => "foreign",
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { spec, hash, jobs } => {
                let jobs: Vec<String> = jobs.iter().map(|job| brief(job)).collect();
                write!(f, "{spec} /{} is neither built nor in a cache: {} will fail", hash.short(), jobs.join(", "))
            }
            Self::Unordered { job, before } => {
                write!(f, "{} does not wait for {}, which it installs", brief(job), brief(before))
            }
            Self::Twice { job, other } => write!(f, "{job} and {other} build the same"),
            Self::Foreign { job } => write!(f, "{} builds what the lock does not have", brief(job)),
        }
    }
}

/// `zlib@1.3.1 /5c4lpyt` for a job's name.
fn brief(job: &str) -> String {
    SpecName::parse(job).map_or_else(
        || job.to_owned(),
        |name| format!("{}@{} /{}", name.package, name.version, name.hash.get(..7).unwrap_or(name.hash)),
    )
}

/// A child pipeline with its lock.
pub struct Child<'a> {
    specs: Vec<&'a Spec>,
    dag: Dag,
    /// The job that builds a place.
    jobs: Vec<Option<&'a Planned>>,
    /// Findings for which no cache has to be asked.
    plain: Vec<Finding>,
}

impl<'a> Child<'a> {
    /// Puts both together. The error says what is wrong with the lock.
    pub fn of(lock: &'a Lock, planned: &'a [Planned]) -> Result<Self, Refusal> {
        let graph = lock.graph()?;
        let specs: Vec<&Spec> = graph.node_weights().copied().collect();
        let dag = Dag::of(&graph)?;
        let places: HashMap<&str, usize> =
            specs.iter().enumerate().map(|(at, spec)| (spec.hash.as_str(), at)).collect();
        // Pipelines of Spack 0.23 have 7 characters of a hash; several specs may begin so, and then none is meant.
        let mut short: HashMap<&str, Option<usize>> = HashMap::new();
        for (at, spec) in specs.iter().enumerate() {
            short.entry(spec.hash.short()).and_modify(|known| *known = None).or_insert(Some(at));
        }
        let mut child = Self { jobs: vec![None; specs.len()], specs, dag, plain: Vec::new() };
        for job in planned {
            let Some(name) = SpecName::parse(&job.name) else { continue };
            let place = places.get(name.hash).copied().or_else(|| short.get(name.hash).copied().flatten());
            match place.and_then(|place| child.jobs.get_mut(place)) {
                None => child.plain.push(Finding::Foreign { job: Arc::clone(&job.name) }),
                Some(Some(first)) => {
                    let (job, other) = (Arc::clone(&first.name), Arc::clone(&job.name));
                    child.plain.push(Finding::Twice { job, other });
                }
                Some(slot) => *slot = Some(job),
            }
        }
        child.look_at_the_order(planned);
        Ok(child)
    }

    /// How many specs are built.
    pub fn built(&self) -> usize {
        self.jobs.iter().flatten().count()
    }

    /// Specs that jobs install and that are neither built here nor, as far as is known, in a cache.
    pub fn missing(&self, is_there: impl Fn(&Hash) -> bool) -> Vec<&'a Spec> {
        self.gaps(is_there).into_iter().map(|(spec, _)| spec).collect()
    }

    /// Everything that is wrong, what is missing first.
    pub fn findings(&self, is_there: impl Fn(&Hash) -> bool) -> Vec<Finding> {
        let missing = self.gaps(is_there).into_iter().map(|(spec, jobs)| Finding::Missing {
            spec: format!("{}@{}", spec.name, spec.version).into(),
            hash: spec.hash,
            jobs,
        });
        missing.chain(self.plain.iter().cloned()).collect()
    }

    fn gaps(&self, is_there: impl Fn(&Hash) -> bool) -> Vec<(&'a Spec, Vec<Arc<str>>)> {
        let external: Vec<bool> = self.specs.iter().map(|spec| spec.is_external()).collect();
        let available: Vec<bool> = self.specs.iter().map(|spec| is_there(&spec.hash)).collect();
        let named = |places: Vec<u32>| places.into_iter().filter_map(|place| self.name(place)).collect();
        let found = gaps(&self.dag, &self.keep(), &external, &available).into_iter();
        found.filter_map(|gap| Some((*self.specs.get(gap.missing as usize)?, named(gap.parents)))).collect()
    }

    fn keep(&self) -> Vec<bool> {
        self.jobs.iter().map(Option::is_some).collect()
    }

    fn name(&self, place: u32) -> Option<Arc<str>> {
        self.jobs.get(place as usize).copied().flatten().map(|job| Arc::clone(&job.name))
    }

    /// Every wait that the lock asks for has to follow from the needs. It does if adding it to them changes nothing, once needs that
    /// follow from others are left out.
    fn look_at_the_order(&mut self, planned: &[Planned]) {
        // Jobs that build nothing, such as joins, come after the specs.
        let own: HashMap<*const Planned, u32> =
            (0..).zip(&self.jobs).filter_map(|(place, job)| job.map(|job| (std::ptr::from_ref(job), place))).collect();
        let mut places: BTreeMap<&str, u32> = BTreeMap::new();
        let mut next = self.specs.len() as u32;
        for job in planned {
            let place = own.get(&std::ptr::from_ref(job)).copied().unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            places.insert(&job.name, place);
        }
        let (count, keep) = (next as usize, self.keep());
        let waits = |job: &Planned| {
            let (from, places) = (places.get(&*job.name).copied(), &places);
            let needs = job.needs.iter().flatten().filter_map(|need| places.get(&**need).copied()).collect::<Vec<_>>();
            from.into_iter().flat_map(move |from| needs.clone().into_iter().map(move |to| (from, to)))
        };
        let given: Vec<(u32, u32)> = planned.iter().flat_map(waits).collect();
        let Ok(asked) = self.dag.reduced(&keep) else { return };
        // Without needs, a job waits for all stages before its own: for more, and never for less.
        let is_free =
            |place: u32| self.jobs.get(place as usize).copied().flatten().is_some_and(|job| job.needs.is_some());
        let wanted = asked.order().iter().flat_map(|place| asked.children(*place).iter().map(|child| (*place, *child)));
        let wanted: Vec<(u32, u32)> = wanted.filter(|(place, _)| is_free(*place)).collect();
        let everything = vec![true; count];
        let reduced = |edges: Vec<(u32, u32)>| Dag::new(count, edges).and_then(|dag| dag.reduced(&everything));
        let (Ok(with), Ok(without)) = (reduced([given.clone(), wanted.clone()].concat()), reduced(given)) else {
            // GitLab refuses needs in a circle, and says so.
            return;
        };
        for (job, before) in wanted {
            let is_new = with.children(job).contains(&before) && !without.children(job).contains(&before);
            if let (true, Some(job), Some(before)) = (is_new, self.name(job), self.name(before)) {
                self.plain.push(Finding::Unordered { job, before });
            }
        }
    }
}
