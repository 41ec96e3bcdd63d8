//! Attached consoles: a real daemon on the practice world, a real socket, and consoles that come, act, hang, lie and come back.

mod strangers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use stackhand::adapters::clock::SystemClock;
use stackhand::adapters::service::Service;
use stackhand::ci::{JobId, Status};
use stackhand::console::actions::{Plan, Rules, Verb};
use stackhand::console::audit::AuditState;
use stackhand::console::effect::Focus;
use stackhand::console::event::{Event, Intent};
use stackhand::console::fault::Fault;
use stackhand::console::fresh::Completeness;
use stackhand::console::loops::{LoopOrder, Switch};
use stackhand::console::polling::PollRules;
use stackhand::console::world::World;
use stackhand::controller::Outside;
use stackhand::controller::attach::{AttachError, Attached, Own, attach};
use stackhand::controller::daemon::DaemonSetup;
use stackhand::controller::leadership::{Holder, Source};
use stackhand::controller::supervisor::{Limits, Loop, Maker, TickContext, Ticked, stop_sign};
use stackhand::sandbox::Running;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::night::{Plot, Who, now, outside, project, serve, story};

const DEADLINE: Duration = Duration::from_secs(60);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A loop that has little to do.
struct Hourly;

impl Loop for Hourly {
    fn name(&self) -> &'static str {
        "hourly"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    fn tick<'a>(&'a mut self, _: &'a TickContext) -> BoxFuture<'a, Result<Ticked, Fault>> {
        Box::pin(async { Ok(Ticked { summary: "looked".to_owned(), ..Ticked::default() }) })
    }
}

/// A daemon of a practice world.
struct Duty {
    server: Running,
    outside: Outside,
    plot: Plot,
    folder: PathBuf,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl Duty {
    async fn begin(plot: Plot) -> Self {
        static DUTIES: AtomicU32 = AtomicU32::new(0);
        let nth = DUTIES.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("stackhand-duty-{}-{nth}", std::process::id()));
        let server = serve(plot.jobs, 0).await;
        let outside = outside(&server, plot.who, &folder.join("logs")).await;
        let mut duty = Self { server, outside, plot, folder, running: None };
        duty.start();
        duty
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("attach/d.sock")
    }

    fn start(&mut self) {
        let (name, rules, poll): (_, Rules, PollRules) =
            (project(&self.server), self.plot.rules.clone(), self.plot.poll());
        let setup = DaemonSetup {
            outside: self.outside.clone(),
            clock: Arc::new(SystemClock),
            world: Box::new(move || {
                let mut world = World::new(&name, rules.clone(), poll.clone());
                world.log_budget = None;
                world
            }),
            chosen: BTreeSet::new(),
            makers: Box::new(|| vec![Box::new(|| Box::new(Hourly) as Box<dyn Loop>) as Maker]),
            limits: Limits::default(),
            is_dry_run: false,
            lead: Source::File(self.folder.join("d.lock")),
            hooks: None,
            socket: Some(self.socket()),
            me: Holder { pid: 4_711, host: "bastion-2".to_owned(), since: now() },
            service: Service::default(),
        };
        let (switch, stop) = stop_sign();
        let task = tokio::task::spawn_local(async move { setup.run(None, stop).await.unwrap() });
        self.running = Some((switch, task));
    }

    async fn stop(&mut self) {
        let (switch, task) = self.running.take().unwrap();
        switch.send(true).unwrap();
        task.await.unwrap();
    }

    async fn desk(&self) -> Desk {
        Desk::sit(&self.socket(), Own::default()).await
    }

    fn failed(&self) -> JobId {
        self.server.world(|world| {
            let failed = world.jobs().find(|job| {
                let is_transient = job.failure().is_some_and(|mishap| mishap.get().transient);
                !job.retried && is_transient && world.name_of(job).contains(" /")
            });
            failed.expect("a night has failures").id
        })
    }

    fn jobs(&self) -> usize {
        self.server.world(|world| world.jobs().count())
    }

    async fn end(mut self) {
        self.stop().await;
        assert!(!self.socket().exists(), "the socket stays behind");
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// An attached console without a screen.
struct Desk {
    attached: Attached,
    world: World,
}

impl Desk {
    async fn sit(socket: &Path, own: Own) -> Self {
        let begun = Instant::now();
        let sockets = [PathBuf::from("/nowhere/d.sock"), socket.to_owned()];
        loop {
            match attach(&sockets, own.clone(), Arc::new(SystemClock)).await {
                Ok(attached) => {
                    return Self { attached, world: World::new("nothing yet", Rules::default(), PollRules::default()) };
                }
                Err(AttachError::Absent) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => panic!("{error}"),
            }
            assert!(begun.elapsed() < DEADLINE, "nobody listens");
        }
    }

    async fn tell(&self, intent: Intent) {
        self.attached.link.intents.send(intent).await.unwrap();
    }

    /// Follows until something holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&World) -> bool) {
        let follow = async {
            while !holds(&self.world) {
                let stamped = self.attached.link.events.recv().await.expect("the link broke");
                drop(self.world.update(stamped.event, stamped.now));
            }
        };
        if tokio::time::timeout(DEADLINE, follow).await.is_err() {
            let said: Vec<String> = self.world.messages.iter().map(|message| message.text.clone()).collect();
            panic!("not within {DEADLINE:?}: {what}; said: {said:#?}");
        }
    }

    async fn loaded(&mut self) {
        self.until("everything was read", |world| {
            world.jobs_known() == Completeness::Whole && world.graphs_known() == Completeness::Whole
        })
        .await;
    }

    fn plan(&self, job: JobId) -> Arc<Plan> {
        let plan = Plan::for_jobs(&self.world, Verb::Retry, [job], now());
        assert_eq!((plan.targets.len(), &plan.refused), (1, &None), "{plan:?}");
        Arc::new(plan)
    }

    /// Confirms in a name that is not ours.
    async fn confirm(&self, plan: &Arc<Plan>) {
        self.tell(Intent::Confirm { plan: Arc::clone(plan), who: "mallory".into() }).await;
    }

    fn says(world: &World, words: &[&str]) -> bool {
        world.messages.iter().any(|message| words.iter().all(|word| message.text.contains(word)))
    }
}

/// Does something that blocks while daemon and consoles go on.
async fn aside<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(what).await.unwrap()
}

#[test]
fn ten_consoles_are_one_poller() {
    story(async {
        let duty = Duty::begin(Plot::quiet()).await;
        let mut first = duty.desk().await;
        first.loaded().await;
        // One person has looked at everything, the pipelines that ended well among them.
        let roots: Vec<_> = first.world.parents().map(|facts| facts.pipeline.id).collect();
        for root in roots.clone() {
            first.tell(Intent::Focus(Focus { pipeline: Some(root), ..Focus::default() })).await;
            first
                .until("its jobs and those of its children", |world| {
                    world.tree(root).all(|facts| facts.jobs.completeness == Completeness::Whole)
                })
                .await;
        }
        let mut requests = 0;
        while duty.server.requests() != requests {
            requests = duty.server.requests();
            let later = now().plus(Duration::from_secs(2));
            first.until("time passes", |_| now() > later).await;
        }
        let mut others = Vec::new();
        for nth in 0..9 {
            let mut desk = duty.desk().await;
            desk.loaded().await;
            let pipeline = Some(roots[nth % roots.len()]);
            desk.tell(Intent::Focus(Focus { pipeline, ..Focus::default() })).await;
            desk.until("its focus is taken", |world| world.polling.focus.pipeline == pipeline).await;
            others.push(desk);
        }
        // Several turns of the daemon's schedule.
        let later = now().plus(Duration::from_secs(2));
        first.until("time passes", |_| now() > later).await;
        assert_eq!(duty.server.requests(), requests, "nine more consoles read nothing");
        for desk in &others {
            assert_eq!(desk.world.counts(), first.world.counts());
            assert_eq!(desk.world.recount(), *desk.world.counts());
        }
        drop(others);
        duty.end().await;
    });
}

#[test]
fn a_console_has_a_loop_of_the_daemon_begin_a_round_and_no_more() {
    story(async {
        let duty = Duty::begin(Plot::quiet()).await;
        let mut desk = duty.desk().await;
        let rounds = |world: &World| world.loops.told.get("hourly").map_or(0, |state| state.ticks);
        let order = |name: &str, switch| Intent::SwitchLoop(LoopOrder { name: name.into(), switch });
        desk.until("its first round", |world| rounds(world) == 1).await;
        desk.tell(order("hourly", Switch::Now)).await;
        desk.until("its second round", |world| rounds(world) == 2).await;
        desk.tell(order("hourly", Switch::Stop)).await;
        desk.until("why it goes on", |world| Desk::says(world, &["hourly", "`daemon.loops`"])).await;
        desk.tell(order("nobody", Switch::Now)).await;
        desk.until("that there is none", |world| Desk::says(world, &["nobody", "none of those"])).await;
        assert_eq!(rounds(&desk.world), 2);
        duty.end().await;
    });
}

#[test]
fn whoever_comes_late_knows_what_was_told_before_and_hears_what_comes() {
    story(async {
        let duty = Duty::begin(Plot::default()).await;
        let mut early = duty.desk().await;
        early.loaded().await;
        let mut late = duty.desk().await;
        late.until("the daemon's world", |world| world.attachment.is_some()).await;
        // The first thing that it shows is whole: never a part that grows.
        assert_eq!(late.world.jobs_known(), Completeness::Whole);
        assert_eq!(late.world.graphs_known(), Completeness::Whole);
        assert_eq!(late.world.project, early.world.project);
        let running = duty
            .server
            .world(|world| world.jobs().find(|job| job.status == Status::Running).map(|job| job.id))
            .unwrap();
        let begun = Instant::now();
        while !duty.server.world(|world| world.job(running).unwrap().status.is_terminal()) {
            duty.server.world(|world| world.advance_to(world.now().shifted(30_000)));
            assert!(begun.elapsed() < DEADLINE);
        }
        for desk in [&mut early, &mut late] {
            desk.until("its end", |world| world.job(running).is_some_and(|job| job.status.is_terminal())).await;
        }
        // A log is told to whoever opened it.
        let failed = duty.failed();
        late.tell(Intent::Focus(Focus { log: Some(failed), ..Focus::default() })).await;
        late.tell(Intent::OpenLog(failed)).await;
        late.until("the log", |world| {
            world.log(failed).is_some_and(|log| log.doc.lines() > 10 && log.read_at.is_some())
        })
        .await;
        assert!(early.world.log(failed).is_none());
        duty.end().await;
    });
}

#[test]
fn two_operators_cannot_retry_the_same_job_twice() {
    story(async {
        let duty = Duty::begin(Plot::default()).await;
        let (mut one, mut two) = (duty.desk().await, duty.desk().await);
        one.loaded().await;
        two.loaded().await;
        let (job, jobs) = (duty.failed(), duty.jobs());
        let me = Arc::clone(&one.attached.who);
        assert_ne!(&*me, "mallory");
        // Both see it failed, both have a preview.
        let (first, second) = (one.plan(job), two.plan(job));
        one.confirm(&first).await;
        one.until("the hold", |world| world.actions.held().len() == 1).await;
        two.confirm(&second).await;
        let (named, held) = (format!("job {job} is part of {}", first.id), format!("{me} confirmed it"));
        two.until("it is refused while held", |world| Desk::says(world, &["not sent", &named, &held, " ago"])).await;
        for desk in [&mut one, &mut two] {
            desk.until("the new try, on both desks", |world| world.actions.done().any(|run| run.plan.id == first.id))
                .await;
        }
        assert!(!Desk::says(&one.world, &["not sent"]), "what was refused to one is no news for the other");
        // Its preview is still open; the job itself says `failed` for ever.
        two.confirm(&second).await;
        two.until("it is refused afterwards", |world| {
            Desk::says(world, &["not sent", &format!("{me} retried job {job}"), "its new try is job"])
        })
        .await;
        assert_eq!(duty.jobs(), jobs + 1);
        let rows = &two.world.audit.value;
        assert!(rows.len() >= 3 && rows.iter().all(|row| row.who == me), "{rows:?}");
        duty.end().await;
    });
}

#[test]
fn what_a_colleague_holds_can_be_taken_back_in_ones_own_name() {
    story(async {
        let rules = Rules { hold: Duration::from_secs(600), ..Rules::default() };
        let mut duty = Duty::begin(Plot { rules, ..Plot::default() }).await;
        let (mut one, mut two) = (duty.desk().await, duty.desk().await);
        one.loaded().await;
        let (job, jobs) = (duty.failed(), duty.jobs());
        let plan = one.plan(job);
        one.confirm(&plan).await;
        two.until("it is held", |world| world.actions.held().first().is_some_and(|held| held.recorded)).await;
        two.tell(Intent::Undo { plan: plan.id.clone(), who: "mallory".into() }).await;
        one.until("it is undone", |world| world.actions.held().is_empty() && Desk::says(world, &["undone"])).await;
        assert_eq!(duty.jobs(), jobs);
        // A plan that is held is known to whoever comes now.
        let again = one.plan(job);
        one.confirm(&again).await;
        one.until("it is held again", |world| !world.actions.held().is_empty()).await;
        let mut three = duty.desk().await;
        three.until("the daemon's world", |world| world.attachment.is_some()).await;
        assert_eq!(three.world.actions.held()[0].plan.id, again.id);
        // A daemon that ends sends it no more, and says so where people look for it.
        duty.stop().await;
        let rows = duty.outside.store.as_ref().unwrap().list(10, None).await.unwrap();
        let last = &rows.iter().find(|(_, row)| row.plan == again.id).unwrap().1;
        assert!(last.state == AuditState::Undone && last.summary.ends_with("not sent: stackhand ended"), "{last:?}");
        assert_eq!(duty.jobs(), jobs);
        duty.start();
        duty.end().await;
    });
}

#[test]
fn the_daemon_guards_what_a_console_did_not() {
    story(async {
        use stackhand::console::actions::{Guard, GuardRule};
        use stackhand::console::filter::Filter;
        let guard =
            Guard { rule: GuardRule::Deny, when: Filter::parse("state:failed").unwrap(), reason: "frozen".into() };
        let rules = Rules { guards: vec![guard], ..Rules::default() };
        let duty = Duty::begin(Plot { rules, ..Plot::default() }).await;
        let mut desk = duty.desk().await;
        desk.loaded().await;
        let (job, jobs) = (duty.failed(), duty.jobs());
        // This console forgot its guardrails.
        assert_eq!(desk.world.rules.guards.len(), 1);
        desk.world.rules = Arc::new(Rules { guards: Vec::new(), ..(*desk.world.rules).clone() });
        let plan = desk.plan(job);
        desk.confirm(&plan).await;
        desk.until("it is refused", |world| Desk::says(world, &["not sent", "guardrail: frozen"])).await;
        assert_eq!(duty.jobs(), jobs);
        duty.end().await;
    });
}

#[test]
fn a_console_that_forbids_itself_to_write_sends_nothing() {
    story(async {
        let duty = Duty::begin(Plot::default()).await;
        let own = Own { read_only: Some("read-only: --readonly".to_owned()), dry_run: false };
        let mut desk = Desk::sit(&duty.socket(), own).await;
        desk.loaded().await;
        let jobs = duty.jobs();
        let plan = Plan::for_jobs(&desk.world, Verb::Retry, [duty.failed()], now());
        assert_eq!(plan.refused.as_deref(), Some("read-only: --readonly"));
        desk.confirm(&Arc::new(Plan { refused: None, ..plan })).await;
        desk.until("it is refused here", |world| Desk::says(world, &["not sent", "read-only: --readonly"])).await;
        assert_eq!(duty.jobs(), jobs);
        duty.end().await;
    });
}

#[test]
fn a_daemon_that_goes_is_missed_and_one_that_comes_is_followed() {
    story(async {
        let mut duty = Duty::begin(Plot::default()).await;
        let mut desk = duty.desk().await;
        desk.loaded().await;
        let counts = *desk.world.counts();
        let plan = desk.plan(duty.failed());
        duty.stop().await;
        desk.until("it is missed", |world| world.attachment.as_ref().is_some_and(|a| a.lost.is_some())).await;
        assert_eq!(
            (*desk.world.counts(), desk.world.jobs_known()),
            (counts, Completeness::Whole),
            "nothing became nothing"
        );
        assert!(desk.world.read_only(now()).unwrap().contains("pid 4711"));
        desk.confirm(&plan).await;
        desk.until("nothing is sent", |world| Desk::says(world, &["not sent", "the daemon is not heard"])).await;
        duty.start();
        desk.until("it is heard again", |world| world.attachment.as_ref().is_some_and(|a| a.lost.is_none())).await;
        desk.loaded().await;
        assert_eq!(desk.world.read_only(now()), None);
        assert_eq!(*desk.world.counts(), counts);
        let plan = desk.plan(duty.failed());
        desk.confirm(&plan).await;
        desk.until("it acts again", |world| world.actions.done().any(|run| run.plan.id == plan.id)).await;
        duty.end().await;
    });
}
