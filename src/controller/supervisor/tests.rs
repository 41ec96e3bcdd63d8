//! Loops that work, fail, break, hang and are stopped: what is told of each.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::adapters::clock::SystemClock;
use crate::console::fault::FaultKind;
use crate::console::loops::{LoopOrder, Phase, Switch};
use crate::controller::leadership::{Holder, Source};

/// What a round does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Work,
    Fail,
    Panic,
    /// Never ends.
    Hang,
    /// Ends once a stop is asked for.
    HandBack,
}

/// A loop that does these in turn, then works.
struct Actor {
    deeds: Arc<Mutex<VecDeque<Deed>>>,
    period: Duration,
}

impl Loop for Actor {
    fn name(&self) -> &'static str {
        "actor"
    }

    fn period(&self) -> Duration {
        self.period
    }

    fn tick<'a>(&'a mut self, cx: &'a TickContext) -> BoxFuture<'a, Result<Ticked, Fault>> {
        Box::pin(async {
            let deed = self.deeds.lock().unwrap().pop_front().unwrap_or(Deed::Work);
            match deed {
                Deed::Work => {}
                Deed::Fail => return Err(Fault::new(FaultKind::Server { status: 502 }, "read", "bad gateway")),
                Deed::Panic => panic!("poisoned\u{1b}[2J"),
                Deed::Hang => std::future::pending().await,
                Deed::HandBack => cx.stop.asked().await,
            }
            let summary = format!("worked{}", if cx.dry_run { " dry" } else { "" });
            Ok(Ticked { summary, counts: vec![("done", 1)], news: None })
        })
    }
}

const LONG: Duration = Duration::from_hours(1);

struct Stage {
    around: Surroundings,
    told: mpsc::Receiver<Event>,
    made: Arc<AtomicU32>,
}

impl Stage {
    fn new(limits: Limits) -> Self {
        let (tell, told) = mpsc::channel(256);
        let around = Surroundings { limits, is_dry_run: false, clock: Arc::new(SystemClock), told: tell };
        Self { around, told, made: Arc::default() }
    }

    fn maker(&self, deeds: &[Deed], period: Duration) -> Maker {
        let deeds: Arc<Mutex<VecDeque<Deed>>> = Arc::new(Mutex::new(deeds.iter().copied().collect()));
        let made = Arc::clone(&self.made);
        Box::new(move || {
            made.fetch_add(1, Ordering::SeqCst);
            Box::new(Actor { deeds: Arc::clone(&deeds), period })
        })
    }

    fn start(&self, deeds: &[Deed], period: Duration) -> Supervisor {
        Supervisor::start(vec![self.maker(deeds, period)], &self.around)
    }

    /// The next state that passes; the test's own deadline ends what never comes.
    async fn until(&mut self, passes: impl Fn(&LoopState) -> bool) -> Arc<LoopState> {
        let wait = async {
            loop {
                match self.told.recv().await {
                    Some(Event::LoopTold(state)) if passes(&state) => return state,
                    Some(_) => {}
                    None => panic!("nobody tells any more"),
                }
            }
        };
        timeout(Duration::from_secs(60), wait).await.expect("the state comes")
    }
}

fn quick() -> Limits {
    Limits {
        deadline: Duration::from_secs(30),
        backoff_first: Duration::from_millis(5),
        backoff_most: Duration::from_millis(20),
        grace: Duration::from_millis(100),
    }
}

#[tokio::test]
async fn a_round_is_told_when_it_begins_and_when_it_ends() {
    let mut stage = Stage::new(quick());
    let supervisor = stage.start(&[], LONG);
    stage.until(|state| state.phase == Phase::Starting).await;
    stage.until(|state| state.phase == Phase::Running && state.ticks == 0).await;
    let state = stage.until(|state| state.phase == Phase::Waiting).await;
    assert_eq!((state.ticks, state.failures, state.period), (1, 0, Some(LONG)));
    let round = state.last().unwrap();
    assert_eq!((round.result.as_deref().unwrap(), &round.counts[..]), ("worked", &[("done".into(), 1)][..]));
    // Waits are measured, not read off a wall clock.
    let off = state.next.unwrap().since(round.at).abs_diff(LONG);
    assert!(off < Duration::from_secs(5), "{off:?}");
    supervisor.stop().await;
    let state = stage.until(|state| state.phase == Phase::Stopped).await;
    assert!(!state.has_died && state.why_stopped.as_deref() == Some("asked to stop"));
}

#[tokio::test]
async fn whoever_wakes_a_loop_begins_its_round_at_once() {
    let mut stage = Stage::new(quick());
    let supervisor = stage.start(&[], LONG);
    stage.until(|state| state.ticks == 1).await;
    let waker = supervisor.waker("actor").unwrap();
    assert!(supervisor.waker("other").is_none());
    waker.wake();
    stage.until(|state| state.ticks == 2).await;
    supervisor.stop().await;
}

#[tokio::test]
async fn a_loop_that_fails_is_tried_again_and_says_so() {
    let mut stage = Stage::new(quick());
    let supervisor = stage.start(&[Deed::Fail, Deed::Fail], LONG);
    let state = stage.until(|state| state.phase == Phase::BackingOff && state.in_a_row == 2).await;
    assert_eq!(state.fault().unwrap().to_string(), "read: bad gateway");
    let state = stage.until(|state| state.phase == Phase::Waiting).await;
    assert_eq!((state.ticks, state.failures, state.in_a_row), (3, 2, 0));
    assert_eq!(stage.made.load(Ordering::SeqCst), 1, "a fault does not break it");
    supervisor.stop().await;
}

#[tokio::test]
async fn nobody_shortens_the_wait_after_a_fault() {
    let limits = Limits { backoff_first: LONG, backoff_most: LONG, ..quick() };
    let mut stage = Stage::new(limits);
    let supervisor = stage.start(&[Deed::Fail], LONG);
    stage.until(|state| state.phase == Phase::BackingOff).await;
    supervisor.waker("actor").unwrap().wake();
    let again = timeout(Duration::from_millis(300), stage.until(|state| state.phase == Phase::Running)).await;
    assert!(again.is_err(), "it waits");
    supervisor.stop().await;
}

#[tokio::test]
async fn a_loop_that_breaks_is_made_anew_and_what_it_said_is_harmless() {
    let mut stage = Stage::new(quick());
    let supervisor = stage.start(&[Deed::Panic], LONG);
    let state = stage.until(|state| state.phase == Phase::BackingOff).await;
    let told = state.fault().unwrap().to_string();
    assert!(told.contains("it broke: poisoned") && !told.contains('\u{1b}'), "{told}");
    stage.until(|state| state.phase == Phase::Waiting).await;
    assert_eq!(stage.made.load(Ordering::SeqCst), 2);
    supervisor.stop().await;
}

#[tokio::test]
async fn a_round_that_does_not_end_is_cut_off_and_tried_again() {
    let mut stage = Stage::new(Limits { deadline: Duration::from_millis(50), ..quick() });
    let supervisor = stage.start(&[Deed::Hang], LONG);
    let state = stage.until(|state| state.phase == Phase::BackingOff).await;
    assert_eq!(state.fault().unwrap().kind, FaultKind::Timeout);
    stage.until(|state| state.phase == Phase::Waiting).await;
    supervisor.stop().await;
}

#[tokio::test]
async fn a_stop_lets_a_round_hand_back_what_it_holds() {
    let mut stage = Stage::new(Limits { grace: LONG, ..quick() });
    let supervisor = stage.start(&[Deed::HandBack], LONG);
    stage.until(|state| state.phase == Phase::Running).await;
    timeout(Duration::from_secs(60), supervisor.stop()).await.expect("it hands back");
    let state = stage.until(|state| state.phase == Phase::Stopped).await;
    assert_eq!((state.ticks, state.failures), (1, 0));
}

#[tokio::test]
async fn a_stop_cuts_off_what_hands_nothing_back() {
    let mut stage = Stage::new(quick());
    let supervisor = stage.start(&[Deed::Hang], LONG);
    stage.until(|state| state.phase == Phase::Running).await;
    timeout(Duration::from_secs(60), supervisor.stop()).await.expect("it is cut off");
    let state = stage.until(|state| state.phase == Phase::Stopped).await;
    assert!(state.why_stopped.as_deref().unwrap().starts_with("cut off"), "{state:?}");
}

#[tokio::test]
async fn a_loop_that_cannot_be_made_again_is_no_end_of_the_others() {
    let stage = Stage::new(quick());
    let mut stage = stage;
    let made = AtomicU32::new(0);
    let fragile: Maker = Box::new(move || {
        assert_eq!(made.fetch_add(1, Ordering::SeqCst), 0, "no second one");
        Box::new(Actor { deeds: Arc::new(Mutex::new([Deed::Panic].into())), period: LONG })
    });
    let supervisor = Supervisor::start(vec![fragile], &stage.around);
    let state = stage.until(|state| state.in_a_row == 3).await;
    assert!(state.fault().unwrap().to_string().contains("make the loop actor"), "{state:?}");
    supervisor.stop().await;
}

#[tokio::test]
async fn once_runs_one_round_of_each() {
    let mut stage = Stage::new(quick());
    stage.around.is_dry_run = true;
    let makers = vec![stage.maker(&[], LONG), stage.maker(&[Deed::Fail], LONG), stage.maker(&[Deed::Panic], LONG)];
    let (_switch, stop) = stop_sign();
    let states = once(makers, &stage.around, stop).await;
    let ends: Vec<_> = states.iter().map(|state| (state.ticks, state.failures, state.is_dry_run)).collect();
    assert_eq!(ends, [(1, 0, true), (1, 1, true), (1, 1, true)]);
    assert_eq!(states[0].last().unwrap().result.as_deref().unwrap(), "worked dry");
}

#[test]
fn waits_grow_up_to_their_most() {
    let limits = Limits { backoff_first: Duration::from_secs(2), backoff_most: Duration::from_secs(60), ..quick() };
    let waits: Vec<u64> = [1, 2, 3, 5, 6, u32::MAX].map(|n| limits.backoff(n).as_secs()).into();
    assert_eq!(waits, [2, 4, 8, 32, 60, 60]);
}

/// A desk over one loop, whose lead is the lock of a file. What it tells comes to the stage.
fn order(
    folder: &std::path::Path,
    stage: &Stage,
) -> (mpsc::Sender<LoopOrder>, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let around = stage.around.clone();
    let makers = |name: &str| match name {
        "actor" => {
            let make: Maker = Box::new(|| Box::new(Actor { deeds: Arc::default(), period: LONG }));
            Ok(make)
        }
        other => Err(format!("there is no loop {other}")),
    };
    let (lead, me) = (
        Ok(Source::File(folder.join("lead.lock"))),
        Holder { pid: 7, host: "here".to_owned(), since: around.clock.now() },
    );
    let (orders, ordered) = mpsc::channel(8);
    let (switch, stop) = stop_sign();
    let desk = Desk { makers: Box::new(makers), around, lead, me };
    (orders, switch, tokio::spawn(desk.serve(ordered, stop)))
}

/// What a desk says next.
async fn said(stage: &mut Stage) -> String {
    let wait = async {
        loop {
            match stage.told.recv().await {
                Some(Event::Said { text, .. }) => return text.to_string(),
                Some(_) => {}
                None => panic!("nobody tells any more"),
            }
        }
    };
    timeout(Duration::from_secs(60), wait).await.expect("something is said")
}

#[tokio::test]
async fn a_desk_starts_runs_and_stops_loops_and_only_one_desk_acts() {
    let folder = std::env::temp_dir().join(format!("stackhand-desk-{}", std::process::id()));
    let (mut ours, mut theirs) = (Stage::new(quick()), Stage::new(quick()));
    let (orders, switch, task) = order(&folder, &ours);
    let (others, other_switch, other_task) = order(&folder, &theirs);
    let give = async |orders: &mpsc::Sender<LoopOrder>, text: &str| {
        orders.send(LoopOrder::read(text).unwrap()).await.unwrap();
    };
    give(&orders, "start nobody").await;
    assert_eq!(said(&mut ours).await, "loop nobody not started: there is no loop nobody");
    give(&orders, "run actor").await;
    assert!(said(&mut ours).await.contains("`:loops start actor` does that"));

    give(&orders, "start actor").await;
    assert!(!ours.until(|state| state.phase == Phase::Waiting && state.ticks == 1).await.is_dry_run);
    give(&orders, "run actor").await;
    ours.until(|state| state.ticks == 2).await;
    give(&orders, "start actor").await;
    assert!(said(&mut ours).await.contains("it runs already"));

    // Another one may look, and acts only after us.
    give(&others, "start actor").await;
    assert!(said(&mut theirs).await.contains("pid 7 on here"));
    give(&others, "start actor --dry-run").await;
    assert!(theirs.until(|state| state.ticks == 1).await.is_dry_run);
    give(&others, "stop actor").await;
    assert_eq!(said(&mut theirs).await, "loop actor stopped");
    give(&orders, "stop actor").await;
    assert_eq!(said(&mut ours).await, "loop actor stopped");
    give(&others, "start actor").await;
    assert!(!theirs.until(|state| state.phase == Phase::Waiting).await.is_dry_run);

    // Whoever loses the lead acts no longer.
    std::fs::remove_file(folder.join("lead.lock")).unwrap();
    assert!(said(&mut theirs).await.contains("loops that act were stopped"));
    let stopped = theirs.until(|state| state.phase == Phase::Stopped).await;
    assert!(stopped.why_stopped.as_ref().unwrap().contains("the lead is lost"));
    for (switch, task) in [(switch, task), (other_switch, other_task)] {
        switch.send(true).unwrap();
        task.await.unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_wanted_of_a_loop_is_read_or_refused_with_the_way_to_write_it() {
    let read = |text| LoopOrder::read(text).map(|order| (order.name.to_string(), order.switch));
    assert_eq!(read("start  bridge --dry-run"), Ok(("bridge".to_owned(), Switch::Start { dry_run: true })));
    assert_eq!(read("start --dry-run bridge"), read("start bridge --dry-run"));
    assert_eq!(read("stop bridge"), Ok(("bridge".to_owned(), Switch::Stop)));
    for wrong in ["", "bridge", "start", "stop a b", "start a --dry"] {
        assert!(read(wrong).unwrap_err().contains(":loops start NAME"), "{wrong}");
    }
}
