//! The world under events: what is known never turns into something else by accident.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ci::{Job, Need, Pipeline};
use crate::console::effect::{Effect, Fetch, Focus, Order};
use crate::console::event::{Event, Intent, NeedsOrigin};
use crate::console::failures::{TryEnd, rows};
use crate::console::fault::Fault;
use crate::console::fault::FaultKind;
use crate::console::filter::Filter;
use crate::console::fresh::{Completeness, Freshness};
use crate::taxonomy::{Failure, RuleSet};

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

fn verdict(world: &World, id: u64, class: &str, fingerprint: &str) -> Event {
    let job = world.job(JobId(id)).unwrap();
    let failure = Failure::of(job, &world.home(job.id).unwrap().pipeline, at(5));
    Event::Judged(Arc::new(Failure {
        class: class.into(),
        fingerprint: Some(fingerprint.into()),
        evidence: Some(format!("evidence of {fingerprint}").into()),
        rules: "r1".into(),
        ..failure
    }))
}

#[test]
fn verdicts_take_the_place_of_gitlabs_reason_and_make_the_rows_of_errors() {
    let mut world = world();
    let failed = |id, name| Job {
        failure_reason: Some(FailureReason::new("script_failure")),
        finished_at: Some(at(5)),
        ..job(id, name, Status::Failed)
    };
    let jobs = vec![failed(2, "a"), failed(3, "b"), failed(4, "c"), job(5, "d", Status::Skipped)];
    let names: Vec<Arc<str>> = [3, 1].into_iter().map(|nth: usize| Arc::clone(&jobs[nth].name)).collect();
    fetched(&mut world, jobs, 1);
    // d needs b.
    let edges = vec![
        (Arc::clone(&names[1]), Vec::new()),
        (Arc::clone(&names[0]), vec![Need { name: Arc::clone(&names[1]), optional: false }]),
    ];
    world.update(Event::NeedsFetched { pipeline: CHILD, edges, origin: NeedsOrigin::Artifact }, at(1));
    assert_eq!(world.failures.due().collect::<Vec<_>>(), [4, 3, 2].map(JobId), "the newest first");
    for (id, class, fingerprint) in [(2, "oom", "s1-a"), (3, "oom", "s1-b"), (4, "unknown", "s1-c")] {
        let event = verdict(&world, id, class, fingerprint);
        world.update(event, at(6));
    }
    assert_eq!(world.failures.due_count(), 0);
    let cause = |id| world.cause(world.job(JobId(id)).unwrap());
    assert_eq!((cause(2), cause(4)), (Some("oom"), Some("script_failure")), "what no rule knows keeps GitLab's reason");
    let rows = rows(&world, at(6), at(0), at(4));
    let told: Vec<_> = rows.iter().map(|row| (&*row.class, row.sum.jobs, row.sum.new, row.sum.blocks)).collect();
    assert_eq!(told, [("oom", 2, 2, Some(1)), ("unknown", 1, 1, Some(0))]);
    let texts: Vec<&str> = rows[0].signatures.iter().map(|row| &*row.text).collect();
    assert_eq!(texts, ["evidence of s1-b", "evidence of s1-a"], "what blocks more comes first");
    assert_eq!(rows[0].sum.live, [JobId(2), JobId(3)]);
    assert!(self::rows(&world, at(6), at(6), at(6)).is_empty(), "the window has its end");

    // A new try: the failure stays, but nothing of it is left to retry.
    let try_of_a = |status| Job { id: JobId(9), finished_at: Some(at(8)), ..job(2, "a", status) };
    fetched(&mut world, vec![try_of_a(Status::Running)], 7);
    let again = self::rows(&world, at(7), at(0), at(4));
    assert_eq!((again[0].sum.jobs, again[0].sum.live.as_slice()), (2, [JobId(3)].as_slice()));
    let effects = fetched(&mut world, vec![try_of_a(Status::Success)], 8);
    let tries = effects.iter().find_map(|effect| match effect {
        Effect::StoreLaterTries(tries) => Some(tries.clone()),
        _ => None,
    });
    assert_eq!(tries.unwrap().iter().map(|t| (t.job, t.ended)).collect::<Vec<_>>(), [(JobId(2), TryEnd::Succeeded)]);
    let healed = self::rows(&world, at(9), at(0), at(4));
    let flaky: Vec<_> = healed[0].signatures.iter().map(|row| (&*row.text, row.flaky, row.is_new())).collect();
    assert_eq!(flaky, [("evidence of s1-b", 0, None), ("evidence of s1-a", 1, None)], "nobody read what was before");

    // Other rules: what was unknown is read again, and only that.
    world.update(Event::TaxonomyChanged(Arc::new(RuleSet { hash: "r2".into(), ..RuleSet::default() })), at(9));
    assert_eq!(world.failures.due().collect::<Vec<_>>(), [JobId(4)]);
}

#[test]
fn logs_are_judged_a_few_at_a_time_and_not_where_that_is_refused() {
    let mut world = world();
    (world.polling.rules.verdicts, world.polling.rules.slots) = (2, 64);
    fetched(&mut world, (2..9).map(|id| job(id, &format!("p{id}"), Status::Failed)).collect(), 1);
    let asked = |world: &mut World, s: i64| -> Vec<JobId> {
        let effects = world.update(Event::Ticked, at(s));
        let job = |effect: &Effect| match effect {
            Effect::Fetch(Order::Verdict { failure, .. }) => Some(failure.job),
            _ => None,
        };
        effects.iter().filter_map(job).collect()
    };
    let ended = |world: &mut World, id: u64, s: i64, result: Result<(), Fault>| {
        world.update(Event::Fetched { fetch: Fetch::Verdict(JobId(id)), at: at(s), result }, at(s));
    };
    assert_eq!(asked(&mut world, 2), [JobId(7), JobId(8)], "the newest two, while others are on their way");
    assert!(asked(&mut world, 3).is_empty());
    let event = verdict(&world, 8, "oom", "s1-a");
    world.update(event, at(4));
    ended(&mut world, 8, 2, Ok(()));
    assert_eq!(asked(&mut world, 5), [JobId(6)]);
    let refused = Fault::new(FaultKind::Forbidden, "read the log", "no");
    ended(&mut world, 7, 2, Err(refused));
    ended(&mut world, 6, 5, Err(Fault::new(FaultKind::Timeout, "read the log", "late")));
    assert!(asked(&mut world, 300).is_empty(), "none of the others would be told either");
    assert_eq!(asked(&mut world, 700).len(), 2);
}

#[test]
fn ends_of_pipelines_are_remembered_once() {
    let mut world = world();
    let row = Pipeline { updated_at: Some(at(9)), ..Pipeline::new(PipelineId(12), "develop", Status::Failed) };
    let listed = |world: &mut World| {
        let event = Event::PipelinesFetched { rows: vec![row.clone()], at: at(10), whole: true };
        world.update(event, at(10)).len()
    };
    assert_eq!((listed(&mut world), listed(&mut world)), (1, 0));
}

#[test]
fn what_left_the_list_is_forgotten_unless_somebody_looks_at_it_or_acts_on_it() {
    let mut world = world();
    fetched(&mut world, vec![job(2, "a", Status::Failed), job(3, "b", Status::Running)], 1);
    let newer = |first: u64| (first..first + 20).map(|id| Pipeline::new(PipelineId(id), "develop", Status::Running));
    let list = |world: &mut World, first| {
        let event = Event::PipelinesFetched { rows: newer(first).collect(), at: at(2), whole: true };
        world.update(event, at(2));
    };
    world.update(Event::Intended(Intent::Focus(Focus { pipeline: Some(CHILD), ..Focus::default() })), at(2));
    list(&mut world, 200);
    list(&mut world, 300);
    assert!(world.pipeline(CHILD).is_some() && world.job(JobId(2)).is_some(), "somebody looks at it");
    world.update(Event::Intended(Intent::Focus(Focus::default())), at(3));
    for first in (400..2_000).step_by(20) {
        list(&mut world, first);
        let orders = world.update(Event::Ticked, at(3));
        assert!(!format!("{orders:?}").contains("PipelineId(11)"), "nobody asks for it any more");
    }
    assert!(world.pipeline(CHILD).is_none() && world.job(JobId(2)).is_none() && world.failures.due_count() == 0);
    assert_eq!(world.pipelines.value.len(), 20);
    assert_eq!(*world.counts(), world.recount());
    assert_eq!(world.counts().total(), 0);
}

#[test]
fn webhooks_hasten_a_read_and_give_the_server_its_rest() {
    let mut world = world();
    let reads = |world: &mut World, seconds: i64| {
        let effects = world.update(Event::Ticked, at(seconds));
        let fetches: Vec<Fetch> = effects
            .into_iter()
            .filter_map(|effect| if let Effect::Fetch(order) = effect { Some(order.fetches()) } else { None })
            .flatten()
            .collect();
        for fetch in &fetches {
            let result = Ok(());
            world.update(Event::Fetched { fetch: *fetch, at: at(seconds), result }, at(seconds));
        }
        fetches
    };
    let all = |world: &mut World, seconds| while !reads(world, seconds).is_empty() {};
    let hint = |world: &mut World, id: u64, seconds| {
        world.update(Event::Intended(Intent::Hint(Some(PipelineId(id)))), at(seconds));
    };
    all(&mut world, 10);
    for second in 11..15 {
        hint(&mut world, 11, second);
        assert_eq!(reads(&mut world, second), [], "second {second}");
    }
    assert!(reads(&mut world, 15).contains(&Fetch::Jobs(CHILD)));
    // A server in trouble is left alone, whatever it tells by webhooks.
    let result = Err(Fault::new(FaultKind::Server { status: 502 }, "list", "no"));
    world.update(Event::Fetched { fetch: Fetch::Pipelines, at: at(16), result }, at(16));
    hint(&mut world, 11, 17);
    assert!(!reads(&mut world, 17).contains(&Fetch::Pipelines));
    // Of one that nobody follows only the list is read.
    all(&mut world, 40);
    hint(&mut world, 999, 50);
    assert_eq!(reads(&mut world, 50), [Fetch::Pipelines]);
}
