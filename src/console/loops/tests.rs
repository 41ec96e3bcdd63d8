//! What is said of loops: by their own rounds, and by how fresh the core's sources are.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::console::actions::Rules;
use crate::console::effect::Fetch;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::console::fleet::{self, FleetFacts, News, Source, SourceState};
use crate::console::polling::PollRules;
use crate::console::world::World;

const START: Timestamp = Timestamp::from_millis(1_773_457_927_000);

fn fault() -> Fault {
    Fault::new(FaultKind::Timeout, "list", "no answer")
}

fn round(second: i64, took: u64, result: Result<&str, Fault>) -> Round {
    let took = Duration::from_secs(took);
    Round { at: START.shifted(second * 1_000), took, result: result.map(Into::into), counts: Vec::new() }
}

#[test]
fn a_loop_knows_its_last_rounds() {
    let period = Duration::from_secs(60);
    let mut state = LoopState::new("bridge", Some(period), false, START);
    assert_eq!((state.lag(START), state.p95(), state.errors_since(START).to_string()), (None, None, "0".to_owned()));
    state.began(START);
    state.ended(round(0, 3, Ok("pushed 2")), Some(START.shifted(60_000)));
    assert_eq!((state.phase, state.lag(START.shifted(63_000))), (Phase::Waiting, Some(Duration::ZERO)));
    assert_eq!(state.lag(START.shifted(100_000)), Some(Duration::from_secs(37)));
    for n in 0..60 {
        state.ended(round(100 + n, n as u64, Err(fault())), None);
    }
    assert_eq!((state.ticks, state.failures, state.in_a_row, state.rounds.len()), (61, 60, 60, ROUNDS));
    assert_eq!(state.errors_since(START.shifted(120_000)).to_string(), "40");
    assert_eq!(state.errors_since(START).to_string(), "≥ 50", "older rounds are forgotten");
    assert_eq!(state.p95(), Some(Duration::from_secs(57)));
    assert_eq!(state.last_ok, Some(START.shifted(3_000)));
}

#[test]
fn a_loop_that_cannot_be_relied_on_says_why() {
    let deadline = Duration::from_secs(60);
    let mut state = LoopState::new("bridge", None, false, START);
    let failed = |state: &mut LoopState, times: u32| {
        for n in 0..times {
            state.ended(round(i64::from(n), 1, Err(fault())), None);
        }
    };
    failed(&mut state, DEAD_AFTER - 1);
    assert_eq!(state.trouble(deadline, START), None);
    failed(&mut state, 1);
    assert_eq!(state.trouble(deadline, START).unwrap(), "bridge failed 5 times in a row: list: no answer");
    state.began(START);
    let hangs = state.trouble(deadline, START.shifted(121_000)).unwrap();
    assert!(hangs.starts_with("bridge hangs since"), "{hangs}");
    state.stopped("asked to stop", START);
    assert_eq!(state.trouble(deadline, START), None, "what was stopped is not missed");
    state.died("its driver broke", START);
    assert_eq!(state.trouble(deadline, START).unwrap(), "bridge died: its driver broke");
}

fn world(poll: PollRules) -> World {
    World::new("gitlab.example/g/p", Rules::default(), poll)
}

fn named(world: &World, name: &str, now: Timestamp) -> LoopState {
    world.loops(now).into_iter().find(|state| &*state.name == name).unwrap()
}

#[test]
fn what_is_turned_off_says_by_what() {
    let mut world = world(PollRules::default());
    for (name, word) in [(TAXONOMY, "taxonomy.logs"), (CACHES, "cache.mirrors"), (FLEET, "nothing is configured")] {
        let state = named(&world, name, START);
        assert!(state.phase == Phase::Stopped && state.why_stopped.unwrap().contains(word), "{name}");
        assert!(world.has_gone_round(name, START));
    }
    world.caches.mirrors = vec!["s3://b".into()];
    assert!(named(&world, CACHES, START).why_stopped.unwrap().contains("when somebody asks"));
    world.loops.left_out.insert(CACHES.into(), "not chosen".into());
    assert_eq!(named(&world, CACHES, START).why_stopped.as_deref(), Some("not chosen"));
}

#[test]
fn a_listing_of_caches_is_a_round() {
    let hour = Duration::from_hours(1);
    let mut world = world(PollRules { caches: Some(hour), ..PollRules::default() });
    world.caches.mirrors = vec!["s3://b".into()];
    assert_eq!(named(&world, CACHES, START).phase, Phase::Starting);
    assert!(!world.has_gone_round(CACHES, START));
    world.update(Event::Ticked, START);
    assert_eq!(named(&world, CACHES, START).phase, Phase::Running);
    let ended = START.shifted(9_000);
    world.update(Event::Fetched { fetch: Fetch::Caches, at: START, result: Ok(()) }, ended);
    let state = named(&world, CACHES, ended);
    assert_eq!((state.phase, state.last_ok, state.next), (Phase::Waiting, Some(ended), Some(ended.plus(hour))));
    assert_eq!(state.last().unwrap().took, Duration::from_secs(9));
    world.update(Event::Fetched { fetch: Fetch::Caches, at: ended, result: Err(fault()) }, ended.shifted(1_000));
    let state = named(&world, CACHES, ended.shifted(1_000));
    assert_eq!((state.phase, state.fault()), (Phase::BackingOff, Some(&fault())));
    assert!(world.has_gone_round(CACHES, ended));
}

#[test]
fn judging_waits_for_gitlab_and_says_so() {
    let mut world = world(PollRules { verdicts: 2, ..PollRules::default() });
    assert_eq!(named(&world, TAXONOMY, START).phase, Phase::Starting);
    world.update(Event::Fetched { fetch: Fetch::Pipelines, at: START, result: Err(fault()) }, START);
    let state = named(&world, TAXONOMY, START);
    assert_eq!((state.phase, state.fault(), state.queue), (Phase::BackingOff, Some(&fault()), None));
    assert!(world.has_gone_round(TAXONOMY, START));
    world.update(Event::PipelinesFetched { rows: Vec::new(), at: START, whole: true }, START);
    world.update(Event::FailuresKnown(Vec::new()), START);
    let state = named(&world, TAXONOMY, START);
    assert_eq!((state.phase, state.queue, state.last_ok), (Phase::Waiting, Some(0), Some(START)));
    assert!(world.has_gone_round(TAXONOMY, START));
}

#[test]
fn the_fleet_is_as_good_as_its_worst_source() {
    let mut world = world(PollRules::default());
    *world.fleet = FleetFacts::of(fleet::FleetRules::default(), [Source::Pods, Source::Alerts]);
    assert_eq!(named(&world, FLEET, START).phase, Phase::Starting);
    assert_eq!(world.silent_sources(START), ["pods not told yet", "alerts not told yet"]);
    let seen = |world: &mut World, source, state: SourceState, at| {
        world.update(Event::FleetTold([News::Seen { source, state }].into()), at);
    };
    let live = |at| SourceState { phase: fleet::Phase::Live, heard: Some(at), ..SourceState::default() };
    seen(&mut world, Source::Pods, live(START), START);
    assert_eq!(named(&world, FLEET, START).last_ok, None, "alerts were never told");
    assert!(!world.has_gone_round(FLEET, START));
    seen(&mut world, Source::Alerts, live(START.shifted(5_000)), START.shifted(5_000));
    let state = named(&world, FLEET, START.shifted(5_000));
    assert_eq!((state.phase, state.last_ok), (Phase::Running, Some(START)));
    assert!(world.has_gone_round(FLEET, START));
    let broken = SourceState { phase: fleet::Phase::Stale, fault: Some(fault()), ..live(START) };
    seen(&mut world, Source::Pods, broken.clone(), START.shifted(9_000));
    seen(&mut world, Source::Pods, broken, START.shifted(10_000));
    let state = named(&world, FLEET, START.shifted(10_000));
    assert_eq!((state.phase, state.failures), (Phase::BackingOff, 1), "the same fault is one");
    assert_eq!(world.silent_sources(START.shifted(10_000)), ["pods: list: no answer"]);
}

#[test]
fn loops_of_the_supervisor_are_as_they_last_told() {
    let mut world = world(PollRules::default());
    let mut state = LoopState::new("bridge", None, true, START);
    world.update(Event::LoopTold(Arc::new(state.clone())), START);
    state.began(START.shifted(1_000));
    world.update(Event::LoopTold(Arc::new(state)), START.shifted(1_000));
    let names: Vec<_> = world.loops(START).into_iter().map(|state| (state.name, state.phase)).collect();
    assert_eq!(names.last().unwrap(), &("bridge".into(), Phase::Running));
    assert_eq!(names.len(), 4);
}
