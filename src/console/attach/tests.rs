//! What is told again makes the same world, also after it was text.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Ground, Retelling};
use crate::cache::{Amount, Duplication, Sample, Sizes};
use crate::ci::{Job, JobId, Need, Pipeline, PipelineId, RunnerId, Status, Timestamp};
use crate::console::actions::{Guard, GuardRule, Plan, Rules, Verb};
use crate::console::attach::Attachment;
use crate::console::audit::{AuditRow, AuditState};
use crate::console::effect::{Fetch, Focus};
use crate::console::event::{Event, Intent, NeedsOrigin, Stamped};
use crate::console::fault::{Fault, FaultKind};
use crate::console::filter::Filter;
use crate::console::fleet::{Change, FleetFacts, FleetRules, News, Phase, Source, SourceState};
use crate::console::fresh::Completeness;
use crate::console::polling::PollRules;
use crate::console::world::World;
use crate::fleet::{Kind, Node, Object, Offer, Pod, Runner, Uid, Usage};
use crate::taxonomy::Failure;

const PARENT: PipelineId = PipelineId(1);
const CHILD: PipelineId = PipelineId(2);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_773_457_927_000 + seconds * 1_000)
}

fn fault() -> Fault {
    Fault::new(FaultKind::RateLimited { until: Some(at(90)) }, "read something", "\u{1b}[31mslow down")
}

fn job(id: u64, name: &str, status: Status) -> Job {
    let mut job = Job::new(JobId(id), CHILD, name, status);
    job.finished_at = status.is_terminal().then(|| at(4));
    job
}

/// A world of everything that can be told.
fn world() -> World {
    let guard = Guard {
        rule: GuardRule::Tries { limit: 3 },
        when: Filter::parse("stack:e4s | ref~\"^gcc\"").unwrap(),
        reason: "enough".into(),
    };
    let rules = Rules { guards: vec![guard], ..Rules::default() };
    let mut world = World::new("lab/spack", rules, PollRules { verdicts: 2, ..PollRules::default() });
    world.caches.mirrors = vec!["s3://mirror".into()];
    *world.fleet = FleetFacts::of(FleetRules::default(), [Source::Pods, Source::Nodes, Source::Runners, Source::Uses]);
    world.loops.left_out.insert("bridge".into(), "it is not among the chosen loops".into());
    let (mut parent, mut child) =
        (Pipeline::new(PARENT, "pr7_x", Status::Failed), Pipeline::new(CHILD, "pr7_x", Status::Failed));
    (parent.created_at, child.stack, child.parent) = (Some(at(0)), Some("e4s".into()), Some(PARENT));
    let jobs = vec![
        job(10, "zlib@1 /aaaaaaa %gcc", Status::Failed),
        job(11, "hdf5@1 /bbbbbbb %gcc", Status::Skipped),
        job(12, "cmake@3 /ccccccc %gcc", Status::Success),
    ];
    let need = |name: &str| Need { name: name.into(), optional: false };
    let edges = vec![
        ("zlib@1 /aaaaaaa %gcc".into(), vec![]),
        ("hdf5@1 /bbbbbbb %gcc".into(), vec![need("zlib@1 /aaaaaaa %gcc")]),
        ("cmake@3 /ccccccc %gcc".into(), vec![]),
    ];
    let failure = Failure { class: "oom".into(), ..Failure::of(&jobs[0], &child, at(5)) };
    let usage = Usage { at: at(5), cpu: f64::NAN, memory: 1.5, received: 0.0, sent: 2.0 };
    let pod = Pod { is_job: true, node: Some("n1".into()), ..Pod::new("u1", "runner-x", crate::fleet::Phase::Running) };
    let offer = Offer { instance_type: "m7i".into(), capacity_type: "spot".into(), zone: "a".into() };
    let seen = SourceState {
        phase: Phase::Denied { right: "list pods".into() },
        heard: Some(at(3)),
        fault: Some(fault()),
        unreadable: 2,
    };
    let changes = vec![
        Change::Put(Object::Pod(Arc::new(pod))),
        Change::Listed { seen: Arc::new(HashSet::from([Uid("u1".into())])) },
    ];
    let news = vec![
        News::Changed { source: Source::Pods, changes },
        News::Runners(vec![Arc::new(Runner::new(RunnerId(3), "uo-19"))]),
        News::Prices(vec![(offer.clone(), 0.25), (Offer { zone: "b".into(), ..offer }, f64::NAN)]),
        News::Uses(vec![("runner-x".into(), usage)]),
        News::Seen { source: Source::Pods, state: seen },
    ];
    let sample = Sample::listed(
        "s3://mirror/develop",
        at(2),
        Some(3),
        Sizes { blobs: Amount { objects: 2, bytes: 9 }, ..Sizes::default() },
    );
    let duplication =
        Duplication { elsewhere: BTreeMap::from([("develop".into(), Amount::default())]), ..Duplication::default() };
    let told = [
        Event::ServerSeen { skew_ms: Some(5_000), requests: 17, limited_until: Some(at(90)) },
        Event::DurationsKnown(vec![("zlib".into(), Duration::from_secs(77))]),
        Event::FailuresKnown(vec![Arc::new(failure)]),
        Event::PipelinesFetched { rows: vec![parent], at: at(1), whole: true },
        Event::TriggerJobsFetched { parent: PARENT, jobs: Vec::new(), children: vec![child], at: at(1) },
        Event::JobsFetched { pipeline: CHILD, jobs: jobs.clone(), at: at(2) },
        Event::JobsListed { pipeline: CHILD, ids: Arc::new(jobs.iter().map(|job| job.id).collect()), at: at(2) },
        Event::JobsFetched { pipeline: CHILD, jobs: vec![job(20, "zlib@1 /aaaaaaa %gcc", Status::Failed)], at: at(4) },
        Event::NeedsFetched { pipeline: CHILD, edges, origin: NeedsOrigin::Store },
        Event::Fetched { fetch: Fetch::Jobs(CHILD), at: at(5), result: Err(fault()) },
        Event::CachesListed { mirror: "s3://mirror".into(), samples: vec![sample], duplication, at: at(2) },
        Event::Fetched { fetch: Fetch::Caches, at: at(2), result: Ok(()) },
        Event::FleetTold(news.into()),
        Event::Fetched { fetch: Fetch::Verdict(JobId(10)), at: at(5), result: Ok(()) },
    ];
    for event in told {
        world.update(event, at(6));
    }
    let plan = Arc::new(Plan::for_jobs(&world, Verb::Retry, [JobId(20)], at(6)));
    assert_eq!(plan.targets.len(), 1, "{plan:?}");
    let row = AuditRow::of(&plan, &"amy".into(), AuditState::Held, "retry 1 job".to_owned(), at(6));
    world.update(Event::Intended(Intent::Confirm { plan, who: "amy".into() }), at(6));
    world.update(Event::AuditStored { row, result: Ok(()) }, at(6));
    world
}

/// Through text and back, as over the socket.
fn sent(retelling: Retelling) -> Retelling {
    let ground: Ground = serde_json::from_slice(&serde_json::to_vec(&retelling.ground).unwrap()).unwrap();
    let told = retelling.told.iter().map(|stamped| {
        let text = serde_json::to_vec(stamped).unwrap();
        serde_json::from_slice::<Stamped>(&text).unwrap()
    });
    Retelling { ground, told: told.collect() }
}

/// Everything that a person can see, as text.
fn shown(world: &World) -> Vec<String> {
    let mut shown = Vec::new();
    for facts in world.pipelines.value.values() {
        let jobs = &facts.jobs;
        shown.push(format!("{:?} {:?} {:?}", facts.pipeline, facts.seen_at, facts.children));
        shown.push(format!("{:?} {:?} {:?}", jobs.fetched_at, jobs.completeness, jobs.error));
        shown.extend(jobs.value.seen().map(|seen| format!("{seen:?} {:?}", facts.blocks(seen.0))));
        shown.push(format!("{:?} {:?}", jobs.value.counts(), facts.blocked()));
    }
    let pipelines = &world.pipelines;
    shown.push(format!("{:?} {:?} {:?}", pipelines.fetched_at, pipelines.completeness, pipelines.error));
    shown.push(format!("{:?} {:?}", world.server, world.counts()));
    shown.push(format!("{:?}", world.failures.iter().collect::<Vec<_>>()));
    shown.push(format!("{:?}", world.durations.medians()));
    shown.push(format!("{:?}", world.actions));
    shown.push(format!("{:?}", world.audit));
    shown.push(format!("{:?}", world.caches));
    shown.push(format!("{:?}", world.loops));
    shown.push(format!("{:?}", world.rules));
    let fleet = &world.fleet;
    shown.push(format!("{:?}", fleet.objects.pods().collect::<Vec<_>>()));
    shown.push(format!("{:?}", fleet.objects.runners().collect::<Vec<_>>()));
    shown.push(format!("{:?}", fleet.objects.prices.iter().collect::<Vec<_>>()));
    shown.push(format!("{:?}", fleet.all_uses().collect::<Vec<_>>()));
    shown.push(format!("{:?} {:?}", fleet.objects.knows(Kind::Pod), fleet.objects.knows(Kind::Node)));
    shown.push(format!("{:?}", fleet.sources.values().map(|facts| &facts.state).collect::<Vec<_>>()));
    shown
}

#[test]
fn what_is_told_again_makes_the_same_world() {
    let before = world();
    let mut after = World::new("nothing", Rules::default(), PollRules::default());
    after.update(Event::Retold(Arc::new(sent(before.retell(at(9))))), at(9));
    assert_eq!(after.project, before.project);
    for (after, before) in shown(&after).iter().zip(shown(&before)) {
        assert_eq!(*after, before);
    }
    assert_eq!(shown(&after).len(), shown(&before).len());
    assert_eq!(after.recount(), *after.counts());
    assert_eq!(after.polling.rules, before.polling.rules);
}

#[test]
fn of_a_world_in_which_nothing_is_known_nothing_is_made_up() {
    let before = World::new("lab/spack", Rules::default(), PollRules::default());
    let mut after = World::new("nothing", Rules::default(), PollRules::default());
    after.update(Event::Retold(Arc::new(sent(before.retell(at(9))))), at(9));
    assert_eq!(after.pipelines.completeness, Completeness::Unknown);
    assert_eq!(
        (after.audit.completeness, after.caches.roots.completeness),
        (Completeness::Unknown, Completeness::Unknown)
    );
    assert!(!after.failures.is_recalled() && after.history.value.is_none() && !after.fleet.objects.knows(Kind::Node));
    assert!(after.fleet.objects.nodes().collect::<Vec<&Node>>().is_empty() && !after.fleet.objects.knows_runners());
}

#[test]
fn what_is_the_consoles_own_stays_its_own() {
    let retelling = Arc::new(world().retell(at(9)));
    let mut console = World::new("lab/spack", Rules::default(), PollRules::default());
    console.update(Event::Retold(Arc::clone(&retelling)), at(9));
    let heard = Attachment { pid: 7, who: "amy".into(), lost: None };
    console.update(Event::Attached(Arc::new(heard.clone())), at(9));
    let focus = Focus { log: Some(JobId(10)), ..Focus::default() };
    console.update(Event::Intended(Intent::Focus(focus)), at(9));
    console.update(Event::Intended(Intent::OpenLog(JobId(10))), at(9));
    console.update(Event::LogFed { job: JobId(10), offset: 0, bytes: (*b"one\ntwo\n").into() }, at(9));
    let lost = Attachment { lost: Some((at(10), "it closed the socket".into())), ..heard.clone() };
    console.update(Event::Attached(Arc::new(lost)), at(10));
    assert!(console.read_only(at(10)).unwrap().contains("it closed the socket"));
    let revision = console.revision;
    console.update(Event::Retold(retelling), at(20));
    assert!(console.revision > revision && console.polling.focus == focus);
    assert_eq!(console.log(JobId(10)).unwrap().doc.lines(), 2);
    // It is heard again when that is said.
    assert!(console.read_only(at(20)).is_some());
    console.update(Event::Attached(Arc::new(heard)), at(20));
    assert_eq!(console.read_only(at(20)), None);
    let said: Vec<&str> = console.messages.iter().map(|message| message.text.as_str()).collect();
    assert!(said[0].starts_with("attached to the daemon again") && said[1].contains("not heard any more"), "{said:?}");
}

#[test]
fn who_was_faster_is_named_with_the_time_that_has_passed() {
    let mut world = world();
    let plan =
        Arc::new(Plan { id: crate::console::actions::PlanId("p2".into()), ..(*world.actions.held()[0].plan).clone() });
    let held = world.actions.refusal(&plan, &world.rules, at(9)).unwrap();
    assert!(held.starts_with("job 20 is part of p") && held.ends_with("amy confirmed it 3s ago"), "{held}");
    let first = world.actions.held()[0].plan.id.clone();
    world.update(Event::Ticked, at(12));
    let sent = world.actions.refusal(&plan, &world.rules, at(14)).unwrap();
    assert!(sent.ends_with("amy sent it 2s ago"), "{sent}");
    let (object, outcome) =
        (plan.targets[0].object.clone(), crate::console::actions::Outcome::Done { new_job: Some(JobId(99)) });
    world.update(Event::TargetFinished { plan: first, object, outcome }, at(13));
    let done = world.actions.refusal(&plan, &world.rules, at(15)).unwrap();
    assert!(done.starts_with("amy retried job 20 3s ago") && done.ends_with("its new try is job 99"), "{done}");
    assert_eq!(BTreeSet::from([JobId(20)]), plan.targets.iter().filter_map(|target| target.object.job()).collect());
}
