//! Everything that a world knows, told again as the events that would have made it. What has no event of its own (plans under way, what the
//! world stands on) goes beside them.
//!
//! Left out is what rebuilds itself within minutes or concerns a single console: opened logs, what lies in single roots of caches, trends of
//! runner classes and costs of machines that are gone.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cache::Sample;
use crate::ci::{Job, Timestamp};
use crate::console::actions::{Actions, Rules};
use crate::console::effect::Fetch;
use crate::console::event::{Event, Stamped};
use crate::console::fleet::{Change, FleetFacts, News, Source};
use crate::console::fresh::{Completeness, Fresh};
use crate::console::loops::LoopState;
use crate::console::polling::PollRules;
use crate::console::world::{Needs, PipelineFacts, World};
use crate::fleet::{Kind, Object, Uid};

/// What a world stands on before anything is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ground {
    pub project: Arc<str>,
    pub rules: Arc<Rules>,
    pub poll: PollRules,
    pub mirrors: Vec<Arc<str>>,
    pub is_sparse: bool,
    /// What is configured to tell of the fleet.
    pub sources: Vec<Source>,
    pub left_out: Vec<(Arc<str>, Arc<str>)>,
    /// Plans on the road.
    pub actions: Actions,
    /// Rounds of the core's own loops.
    pub observed: Vec<LoopState>,
}

/// A whole world, to be told to one console.
#[derive(Debug, Clone)]
pub struct Retelling {
    pub ground: Ground,
    pub told: Vec<Stamped>,
}

impl World {
    /// Tells everything again.
    pub fn retell(&self, now: Timestamp) -> Retelling {
        let mut teller = Teller { told: Vec::new(), now };
        teller.tell_all(self);
        let ground = Ground {
            project: Arc::clone(&self.project),
            rules: Arc::clone(&self.rules),
            poll: self.polling.rules.clone(),
            mirrors: self.caches.mirrors.clone(),
            is_sparse: self.caches.is_sparse,
            sources: self.fleet.sources.keys().copied().collect(),
            left_out: self.loops.left_out.iter().map(|(name, why)| (Arc::clone(name), Arc::clone(why))).collect(),
            actions: self.actions.clone(),
            observed: self.loops.observed.values().cloned().collect(),
        };
        Retelling { ground, told: teller.told }
    }

    /// Becomes the world that was told; what is this console's own stays: what was said, what it looks at, the logs that it opened.
    pub(in crate::console) fn become_retold(&mut self, retelling: &Retelling) {
        let ground = &retelling.ground;
        let mut world = Self::new(&ground.project, (*ground.rules).clone(), ground.poll.clone());
        world.caches.mirrors.clone_from(&ground.mirrors);
        world.caches.is_sparse = ground.is_sparse;
        *world.fleet = FleetFacts::of((*self.fleet.rules).clone(), ground.sources.iter().copied());
        world.loops.left_out = ground.left_out.iter().cloned().collect();
        for Stamped { event, now } in &retelling.told {
            // The daemon has done what follows.
            world.update(event.clone(), *now);
        }
        world.actions = ground.actions.clone();
        world.loops.observed = ground.observed.iter().map(|state| (Arc::clone(&state.name), state.clone())).collect();
        world.polling.focus = self.polling.focus;
        world.keep_own(self);
        *self = world;
    }
}

struct Teller {
    told: Vec<Stamped>,
    now: Timestamp,
}

impl Teller {
    fn tell(&mut self, event: Event) {
        self.told.push(Stamped { event, now: self.now });
    }

    /// At the moment at which it was first told, where the world goes by that.
    fn tell_at(&mut self, now: Option<Timestamp>, event: Event) {
        self.told.push(Stamped { event, now: now.unwrap_or(self.now) });
    }

    fn tell_fault<T>(&mut self, fetch: Fetch, fact: &Fresh<T>) {
        if let Some(fault) = fact.error.clone() {
            self.tell(Event::Fetched { fetch, at: fact.fetched_at.unwrap_or(self.now), result: Err(fault) });
        }
    }

    fn tell_all(&mut self, world: &World) {
        let server = world.server;
        self.tell(Event::ServerSeen {
            skew_ms: Some(server.skew_ms),
            requests: server.requests,
            limited_until: server.limited_until,
        });
        self.tell(Event::DurationsKnown(world.durations.medians()));
        if world.failures.is_recalled() {
            self.tell(Event::FailuresKnown(world.failures.iter().cloned().collect()));
        } else {
            for failure in world.failures.iter() {
                self.tell(Event::Judged(Arc::clone(failure)));
            }
        }
        self.tell_pipelines(world);
        if !world.taxonomy.hash.is_empty() {
            self.tell(Event::TaxonomyChanged(Arc::clone(&world.taxonomy)));
        }
        if let Some(history) = &world.history.value {
            self.tell_at(world.history.fetched_at, Event::HistoryKnown(Arc::clone(history)));
        }
        self.tell_fault(Fetch::History, &world.history);
        if let Some(at) = world.board.fetched_at {
            self.tell_at(Some(at), Event::BoardKnown(world.board.value.clone()));
        }
        self.tell_fault(Fetch::Board, &world.board);
        self.tell_caches(world);
        self.tell_fleet(&world.fleet);
        for state in world.loops.told.values() {
            self.tell(Event::LoopTold(Arc::clone(state)));
        }
        if let Some(controller) = &world.loops.controller {
            self.tell(Event::ControllerTold(Arc::clone(controller)));
        }
        if world.audit.completeness != Completeness::Unknown {
            let rows = world.audit.value.iter().cloned().collect();
            self.tell_at(world.audit.fetched_at, Event::AuditListed(rows));
        }
    }

    fn tell_pipelines(&mut self, world: &World) {
        let pipelines = &world.pipelines;
        for facts in pipelines.value.values() {
            self.tell(Event::PipelinesFetched { rows: vec![facts.pipeline.clone()], at: facts.seen_at, whole: false });
        }
        for facts in pipelines.value.values() {
            self.tell_pipeline(world, facts);
        }
        if let Some(at) = pipelines.fetched_at {
            let whole = pipelines.completeness == Completeness::Whole;
            self.tell(Event::PipelinesFetched { rows: Vec::new(), at, whole });
        }
        self.tell_fault(Fetch::Pipelines, pipelines);
    }

    fn tell_pipeline(&mut self, world: &World, facts: &PipelineFacts) {
        let pipeline = facts.pipeline.id;
        if let Some(at) = facts.jobs.fetched_at {
            let children: Vec<_> = facts.children.iter().filter_map(|child| world.pipeline(*child)).collect();
            if !children.is_empty() {
                let at = children.iter().map(|child| child.seen_at).max().unwrap_or(at);
                let children = children.into_iter().map(|child| child.pipeline.clone()).collect();
                self.tell(Event::TriggerJobsFetched { parent: pipeline, jobs: Vec::new(), children, at });
            }
            let mut by_time: BTreeMap<Timestamp, Vec<Job>> = BTreeMap::new();
            let mut ids = std::collections::BTreeSet::new();
            for (job, seen_at) in facts.jobs.value.seen() {
                ids.insert(job.id);
                by_time.entry(seen_at).or_default().push(job.clone());
            }
            for (at, jobs) in by_time {
                self.tell(Event::JobsFetched { pipeline, jobs, at });
            }
            if facts.jobs.completeness == Completeness::Whole {
                self.tell(Event::JobsListed { pipeline, ids: Arc::new(ids), at });
            } else {
                self.tell(Event::JobsFetched { pipeline, jobs: Vec::new(), at });
            }
        }
        self.tell_fault(Fetch::Jobs(pipeline), &facts.jobs);
        match &facts.needs {
            Needs::Known { origin, edges, .. } => {
                self.tell(Event::NeedsFetched { pipeline, edges: edges.clone(), origin: *origin });
            }
            Needs::Absent(fault) => {
                let result = Err(fault.clone());
                self.tell(Event::Fetched { fetch: Fetch::Needs(pipeline), at: self.now, result });
            }
            Needs::Unknown => {}
        }
        if let (Some(report), Some(at)) = (&facts.report.value, facts.report.fetched_at) {
            self.tell(Event::ReportFetched { pipeline, report: Arc::clone(report), at });
        }
        self.tell_fault(Fetch::Report(pipeline), &facts.report);
    }

    fn tell_caches(&mut self, world: &World) {
        let caches = &world.caches;
        let samples: Vec<Sample> = caches.roots.value.values().flat_map(|root| root.samples.iter().cloned()).collect();
        if !samples.is_empty() {
            self.tell(Event::CachesRecalled(samples));
        }
        if let Some(at) = caches.roots.fetched_at {
            for (mirror, duplication) in &caches.duplication {
                let roots = caches.roots.value.values().filter(|root| root.url.starts_with(&**mirror));
                let samples = roots.filter_map(|root| root.newest().cloned()).collect();
                let (mirror, duplication) = (Arc::clone(mirror), duplication.clone());
                self.tell(Event::CachesListed { mirror, samples, duplication, at });
            }
            if caches.roots.completeness == Completeness::Whole {
                self.tell_at(Some(at), Event::Fetched { fetch: Fetch::Caches, at, result: Ok(()) });
            }
        }
        self.tell_fault(Fetch::Caches, &caches.roots);
        if let Some(listing) = caches.listing {
            self.tell(Event::CachesListing(listing));
        }
        for (root, facts) in &caches.roots.value {
            for (hash, known) in &facts.signatures {
                if let (Some(signature), Some(at)) = (&known.value, known.fetched_at) {
                    let (root, hash, signature) = (*root, *hash, signature.clone());
                    self.tell(Event::BinaryVerified { root, hash, signature, at });
                }
            }
        }
    }

    fn tell_fleet(&mut self, fleet: &FleetFacts) {
        let objects = &fleet.objects;
        let all: [(Source, Kind, Vec<Object>); 5] = [
            (Source::Nodes, Kind::Node, objects.nodes().map(|node| Object::Node(Arc::new(node.clone()))).collect()),
            (
                Source::Claims,
                Kind::Claim,
                objects.claims().map(|claim| Object::Claim(Arc::new(claim.clone()))).collect(),
            ),
            (
                Source::Pools,
                Kind::Pool,
                objects.pools().into_iter().map(|pool| Object::Pool(Arc::new(pool.clone()))).collect(),
            ),
            (Source::Pods, Kind::Pod, objects.pods().map(|pod| Object::Pod(Arc::new(pod.clone()))).collect()),
            (
                Source::Events,
                Kind::Event,
                objects.events().map(|event| Object::Event(Arc::new(event.clone()))).collect(),
            ),
        ];
        let mut news = Vec::new();
        for (source, kind, objects_of_kind) in all {
            let seen: HashSet<Uid> = objects_of_kind.iter().map(|object| object.uid().clone()).collect();
            let mut changes: Vec<Change> = objects_of_kind.into_iter().map(Change::Put).collect();
            if objects.knows(kind) {
                changes.push(Change::Listed { seen: Arc::new(seen) });
            }
            if !changes.is_empty() {
                news.push(News::Changed { source, changes });
            }
        }
        if objects.knows_runners() {
            news.push(News::Runners(objects.runners().map(|runner| Arc::new(runner.clone())).collect()));
        }
        news.push(News::Prices(objects.prices.iter().map(|(offer, price)| (offer.clone(), price.amount())).collect()));
        news.push(News::Metrics(fleet.metrics.clone()));
        news.push(News::Uses(fleet.all_uses().map(|(pod, usage)| (Arc::clone(pod), *usage)).collect()));
        news.push(News::Alerts { alerts: fleet.told.clone(), silences: fleet.silences.clone() });
        let seen =
            fleet.sources.iter().map(|(source, facts)| News::Seen { source: *source, state: facts.state.clone() });
        news.extend(seen);
        self.tell(Event::FleetTold(news.into()));
    }
}
