//! The world under events: what is known never turns into something else by accident.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ci::{Job, Need, Pipeline};
use crate::console::effect::{Effect, Fetch, Order};
use crate::console::event::{Event, Intent, NeedsOrigin};
use crate::console::fault::FaultKind;
use crate::console::filter::Filter;
use crate::console::fresh::{Completeness, Freshness};

const PARENT: PipelineId = PipelineId(10);
const CHILD: PipelineId = PipelineId(11);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
}

fn job(id: u64, name: &str, status: Status) -> Job {
    Job::new(JobId(id), CHILD, &format!("{name}@1.0 /aaaaaaa{id:025} G").replace('0', "b"), status)
}

fn world() -> World {
    let mut world = World::new("lab/spack", Rules::default(), PollRules::default());
    let parent = Pipeline::new(PARENT, "pr7_zlib", Status::Running);
    world.update(Event::PipelinesFetched { rows: vec![parent], at: at(0), whole: true }, at(0));
    let child = Pipeline { stack: Some("e4s".into()), ..Pipeline::new(CHILD, "pr7_zlib", Status::Running) };
    let trigger = Job { downstream: Some(CHILD), ..Job::new(JobId(1), PARENT, "e4s-build", Status::Running) };
    let event = Event::TriggerJobsFetched { parent: PARENT, jobs: vec![trigger], children: vec![child], at: at(0) };
    world.update(event, at(0));
    world
}

fn fetched(world: &mut World, jobs: Vec<Job>, seconds: i64) -> Vec<Effect> {
    world.update(Event::JobsFetched { pipeline: CHILD, jobs, at: at(seconds) }, at(seconds))
}

fn chain(world: &mut World, names: &[Arc<str>]) {
    let edges = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let need = i.checked_sub(1).and_then(|i| names.get(i)).cloned();
            (Arc::clone(name), need.into_iter().map(|name| Need { name, optional: false }).collect())
        })
        .collect();
    world.update(Event::NeedsFetched { pipeline: CHILD, edges, origin: NeedsOrigin::Artifact }, at(1));
}

#[test]
fn the_graph_is_the_same_whether_jobs_or_needs_come_first() {
    let jobs = vec![job(2, "a", Status::Failed), job(3, "b", Status::Skipped), job(4, "c", Status::Skipped)];
    let names: Vec<Arc<str>> = jobs.iter().map(|j| Arc::clone(&j.name)).collect();
    let (mut first, mut second) = (world(), world());
    fetched(&mut first, jobs.clone(), 1);
    chain(&mut first, &names);
    chain(&mut second, &names);
    fetched(&mut second, jobs, 1);
    for world in [&first, &second] {
        let facts = world.pipeline(CHILD).unwrap();
        assert_eq!(facts.blocks(facts.jobs.value.get(JobId(2)).unwrap()), Some(2));
        assert_eq!(world.blocked(PARENT), 2);
        assert_eq!(world.state(world.job(JobId(4)).unwrap()), JobState::Blocked, "skipped because a need failed");
    }
}

#[test]
fn a_job_that_the_needs_do_not_name_joins_the_graph() {
    let mut world = world();
    let jobs = vec![job(2, "a", Status::Running)];
    chain(&mut world, &[Arc::clone(&jobs[0].name)]);
    fetched(&mut world, jobs, 1);
    fetched(&mut world, vec![Job::new(JobId(9), CHILD, "rebuild-index", Status::Created)], 2);
    let graph = world.pipeline(CHILD).unwrap().needs.graph().unwrap();
    assert_eq!(graph.len(), 2);
    assert!(graph.find("rebuild-index").is_some());
}

#[test]
fn a_retry_unblocks_what_waited() {
    let mut world = world();
    let jobs = vec![job(2, "a", Status::Failed), job(3, "b", Status::Skipped)];
    let names: Vec<Arc<str>> = jobs.iter().map(|j| Arc::clone(&j.name)).collect();
    fetched(&mut world, jobs, 1);
    chain(&mut world, &names);
    assert_eq!(world.blocked(PARENT), 1);
    let retried = Job { name: Arc::clone(&names[0]), ..job(20, "a", Status::Pending) };
    let revived = Job { name: Arc::clone(&names[1]), ..job(3, "b", Status::Created) };
    fetched(&mut world, vec![retried, revived], 2);
    assert_eq!(world.blocked(PARENT), 0);
    assert_eq!(world.tries(world.job(JobId(20)).unwrap()), 2);
    assert_eq!(world.counts(), &world.recount());
}

#[test]
fn failures_to_read_keep_what_is_known_and_say_so_once() {
    let mut world = world();
    fetched(&mut world, vec![job(2, "a", Status::Failed)], 1);
    let fault = Fault::new(FaultKind::Server { status: 502 }, "list pipelines", "bad gateway");
    for s in 2..6 {
        let event = Event::Fetched { fetch: Fetch::Pipelines, at: at(s), result: Err(fault.clone()) };
        world.update(event, at(s));
    }
    assert_eq!(world.counts().get(JobState::Fail), 1);
    assert_eq!(world.messages.iter().filter(|m| m.text.contains("bad gateway")).count(), 1);
    assert!(world.pipelines.error.is_some());
    let period = Duration::from_secs(30);
    assert_eq!(world.pipelines.freshness(at(61), period), Freshness::Stale(Duration::from_secs(61)));
    world.update(Event::Fetched { fetch: Fetch::Pipelines, at: at(62), result: Ok(()) }, at(62));
    let row = Pipeline::new(PARENT, "pr7_zlib", Status::Failed);
    world.update(Event::PipelinesFetched { rows: vec![row], at: at(62), whole: true }, at(62));
    assert!(world.pipelines.error.is_none());
}

#[test]
fn completeness_is_partial_until_all_pages_are_read() {
    let mut world = world();
    fetched(&mut world, vec![job(2, "a", Status::Success)], 1);
    assert_eq!(world.pipeline(CHILD).unwrap().jobs.completeness, Completeness::Partial);
    let ids = Arc::new([JobId(2)].into());
    world.update(Event::JobsListed { pipeline: CHILD, ids, at: at(1) }, at(1));
    assert_eq!(world.pipeline(CHILD).unwrap().jobs.completeness, Completeness::Whole);
}

#[test]
fn ages_follow_the_servers_clock_once_it_is_known_to_differ() {
    let mut world = world();
    let seen = |skew_ms| Event::ServerSeen { skew_ms, requests: 3, limited_until: None };
    world.update(seen(Some(1_500)), at(0));
    assert_eq!(world.server_time(at(0)), at(0), "below the header's resolution");
    world.update(seen(Some(-3_600_000)), at(0));
    assert_eq!(world.server_time(at(0)), at(-3_600));
}

#[test]
fn durations_are_learnt_once_per_job() {
    let mut world = world();
    let done = |seconds| {
        let (start, end) = (Some(at(0)), Some(at(seconds)));
        Job { started_at: start, finished_at: end, ..job(2, "zlib", Status::Success) }
    };
    let effects = fetched(&mut world, vec![done(600)], 700);
    assert!(matches!(effects.as_slice(), [Effect::StoreDurations(rows)] if rows[0].length == Duration::from_secs(600)));
    assert_eq!(world.durations.expected("zlib"), Duration::from_secs(600));
    assert!(fetched(&mut world, vec![done(600)], 701).is_empty());
}

#[test]
fn the_filter_reads_jobs_in_their_surroundings() {
    let mut world = world();
    let failed = Job { failure_reason: Some(FailureReason::new("runner_interrupted")), ..job(2, "a", Status::Failed) };
    let unread = job(3, "b", Status::Failed);
    fetched(&mut world, vec![failed, unread, job(4, "c", Status::Success)], 1);
    let found = |text: &str| {
        let filter = Filter::parse(text).unwrap();
        world.jobs().filter(|j| filter.matches(&world.subject(j, at(2)), at(2))).map(|j| j.id.0).collect::<Vec<_>>()
    };
    assert_eq!(found("state:failed"), [2, 3]);
    assert_eq!(found("cause:interrupted"), [2]);
    assert_eq!(found("state:failed !cause:interrupted"), [0u64; 0], "an unread cause is neither");
    assert_eq!(found("cause:?"), [3]);
    assert_eq!(found("stack:e4s pkg=c"), [4]);
    assert_eq!(found("pr=7 tries>=1").len(), 4, "the trigger job has a pull request too");
    assert_eq!(found("runner_interrupted"), [2]);
}

#[test]
fn details_of_jobs_that_are_not_known_do_not_make_them_known() {
    let mut world = world();
    fetched(&mut world, vec![job(2, "a", Status::Failed)], 1);
    let told = |id| Job { failure_reason: Some(FailureReason::new("script_failure")), ..job(id, "a", Status::Failed) };
    world.update(Event::DetailsFetched { jobs: vec![told(2), told(77)], at: at(2) }, at(2));
    assert_eq!(world.cause(world.job(JobId(2)).unwrap()), Some("script_failure"));
    assert!(world.job(JobId(77)).is_none());
    assert_eq!(world.counts().get(JobState::Fail), 1);
    fetched(&mut world, vec![job(77, "b", Status::Failed)], 3);
    assert_eq!(world.cause(world.job(JobId(77)).unwrap()), Some("script_failure"), "they wait for their job");
}

#[test]
fn reading_begins_with_the_list_and_never_asks_twice_at_once() {
    let mut world = World::new("lab/spack", Rules::default(), PollRules::default());
    let orders = |world: &mut World, s| {
        let effects = world.update(Event::Ticked, at(s));
        effects.into_iter().filter_map(|e| if let Effect::Fetch(order) = e { Some(order) } else { None }).collect()
    };
    let first: Vec<Order> = orders(&mut world, 0);
    assert_eq!(first, [Order::Pipelines { limit: 20 }]);
    assert_eq!(orders(&mut world, 1), [] as [Order; 0]);
    let fault = Fault::new(FaultKind::Timeout, "list", "no answer");
    world.update(Event::Fetched { fetch: Fetch::Pipelines, at: at(0), result: Err(fault) }, at(2));
    assert_eq!(orders(&mut world, 3), [] as [Order; 0], "a failure backs off");
    assert_eq!(orders(&mut world, 7), [Order::Pipelines { limit: 20 }]);
}

#[test]
fn what_is_over_and_read_is_left_alone_until_it_is_asked_for() {
    let mut world = world();
    let mut all: Vec<Order> = Vec::new();
    let mut drain = |world: &mut World, from: i64, to: i64| {
        all.clear();
        for s in from..to {
            for effect in world.update(Event::Ticked, at(s)) {
                let Effect::Fetch(order) = effect else { continue };
                for fetch in order.fetches() {
                    world.update(Event::Fetched { fetch, at: at(s), result: Ok(()) }, at(s));
                }
                all.push(order);
            }
        }
        all.iter().filter(|o| matches!(o, Order::Jobs { batch } if batch[0].0 == CHILD)).count()
    };
    assert!(drain(&mut world, 0, 200) >= 3, "a running child is read again and again");
    for (id, parent) in [(PARENT, None), (CHILD, Some(PARENT))] {
        let row = Pipeline { parent, ..Pipeline::new(id, "pr7_zlib", Status::Failed) };
        world.update(Event::PipelinesFetched { rows: vec![row], at: at(200), whole: true }, at(200));
    }
    drain(&mut world, 200, 300);
    assert_eq!(drain(&mut world, 300, 900), 0, "failed, read since, and nobody looks");
    world.update(Event::Intended(Intent::Refresh(Some(CHILD))), at(900));
    assert_eq!(drain(&mut world, 900, 903), 1);
}

#[test]
fn an_older_pipeline_of_a_pull_request_is_not_worth_a_retry() {
    let mut world = world();
    fetched(&mut world, vec![job(2, "a", Status::Failed)], 1);
    let newer = Pipeline::new(PipelineId(50), "pr7_zlib", Status::Running);
    world.update(Event::PipelinesFetched { rows: vec![newer], at: at(2), whole: false }, at(2));
    let plan = crate::console::actions::Plan::for_jobs(&world, crate::console::actions::Verb::Retry, [JobId(2)], at(3));
    assert_eq!(plan.skip_reasons(), [("newer pipeline 50 of the same ref", 1)]);
}

#[test]
fn counts_are_as_known_as_the_jobs_they_are_made_of() {
    let now = Timestamp::from_millis(1_773_457_927_000);
    let mut world = World::new("gitlab.spack.io/spack/spack-packages", Rules::default(), PollRules::default());
    let zero = |world: &World| (world.jobs_known().count(0).to_string(), world.graphs_known().count(0).to_string());
    let both = |word: &str| (word.to_owned(), word.to_owned());
    assert_eq!(zero(&world), both("?"));
    let listed = |rows| Event::PipelinesFetched { rows, at: now, whole: true };
    world.update(listed(Vec::new()), now);
    assert_eq!(zero(&world), both("0"), "nothing to read is all there is");
    let parent = PipelineId(1);
    let old = Pipeline::new(PipelineId(9), "pr51199_fftw", Status::Success);
    world.update(listed(vec![Pipeline::new(parent, "develop", Status::Running), old]), now);
    assert_eq!(zero(&world), both("?"), "no job was read");
    let child = Pipeline::new(PipelineId(2), "develop", Status::Running);
    world.update(Event::TriggerJobsFetched { parent, jobs: Vec::new(), children: vec![child], at: now }, now);
    let all = |pipeline| Event::JobsListed { pipeline, ids: Arc::default(), at: now };
    world.update(all(parent), now);
    assert_eq!(zero(&world), both("≥ 0"));
    world.update(all(PipelineId(2)), now);
    assert_eq!(zero(&world), ("0".to_owned(), "≥ 0".to_owned()));
    world.update(Event::NeedsFetched { pipeline: PipelineId(2), edges: Vec::new(), origin: NeedsOrigin::GraphQl }, now);
    assert_eq!(zero(&world), both("0"), "what ended well is not missed");
}

#[test]
fn a_cause_says_where_without_counting_to_one() {
    let row = |jobs, stacks: &[(&str, usize)]| CauseRow {
        jobs,
        stacks: stacks.iter().map(|(name, n)| (Arc::from(*name), *n)).collect(),
        ..CauseRow::default()
    };
    assert_eq!(row(1, &[("e4s", 1)]).place(), "e4s");
    assert_eq!(row(3, &[("e4s", 3)]).place(), "e4s only");
    assert_eq!(row(3, &[("e4s", 2), ("radiuss", 1)]).place(), "e4s 2 of 3");
    assert_eq!(row(4, &[("e4s", 1), ("radiuss", 1)]).place(), "");
}
