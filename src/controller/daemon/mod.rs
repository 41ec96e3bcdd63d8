//! The controller without a face: asks for the lead, runs the core and the loops while it has it, stands by while somebody else does, and tells
//! how it fares over HTTP and to the service manager.

mod http;
mod metrics;
mod page;
mod term;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

pub use self::http::Door;
use self::metrics::Tally;
use self::page::{Page, Publisher};
use self::term::{Term, drain};
use super::leadership::{Bid, Holder, Leadership, Source};
use super::supervisor::{Limits, Maker, StopSign, Supervisor, Surroundings, once};
use super::webhooks::Hooks;
use super::{Core, CoreSetup, Outside};
use crate::adapters::clock::Clock;
use crate::adapters::service::Service;
use crate::console::event::Event;
use crate::console::loops::{Controller, DAEMON_CHOOSES, LoopOrder, LoopState, Role, Switch};
use crate::console::world::World;

/// How often whoever stands by asks for the lead, and whoever leads looks whether it still does.
const ASKED: Duration = Duration::from_secs(2);

/// Orders of attached consoles that wait.
const ORDERS: usize = 16;

/// What a daemon is made of.
pub struct DaemonSetup {
    pub outside: Outside,
    pub clock: Arc<dyn Clock>,
    /// The world of a core that begins, in which loops that were not chosen are left out.
    pub world: Box<dyn Fn() -> World + Send + Sync>,
    /// The loops of the core that were chosen.
    pub chosen: BTreeSet<&'static str>,
    /// Makes the loops that the supervisor runs, for each time that this daemon leads.
    pub makers: Box<dyn Fn() -> Vec<Maker> + Send + Sync>,
    /// Webhooks, where some are taken: also while somebody else leads, into the store that both have.
    pub hooks: Option<Arc<Hooks>>,
    pub limits: Limits,
    pub is_dry_run: bool,
    /// Where the lead comes from.
    pub lead: Source,
    /// Where consoles attach, if they may.
    pub socket: Option<PathBuf>,
    pub me: Holder,
    pub service: Service,
}

/// Why a daemon could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(
        "{lock}: the lead cannot be asked for: {error}; make its folder writable, or set XDG_STATE_HOME to one that is"
    )]
    Lock { lock: String, error: io::Error },
    #[error("the lead cannot be asked for: {0}")]
    Unanswered(String),
    #[error("{address}: cannot listen: {error}; name a free address with --listen, or `--listen none`")]
    Listen { address: SocketAddr, error: io::Error },
}

/// How a single pass ended.
pub enum Passed {
    /// Each loop with its one round.
    Ended(Vec<LoopState>),
    /// Somebody else leads.
    StandsBy(Option<Holder>),
}

impl DaemonSetup {
    /// Runs until a stop is asked for.
    pub async fn run(mut self, door: Option<Door>, stop: StopSign) -> Result<(), DaemonError> {
        let publisher =
            Publisher::new(self.limits.deadline, self.outside.store.as_ref().err().map(ToString::to_string));
        let served = door.map(|door| {
            tracing::info!(address = %door.address(), "listening");
            tokio::spawn(door.serve(publisher.pages(), self.hooks.clone(), stop.clone()))
        });
        let ended = self.terms(&publisher, &stop).await;
        self.service.stopping();
        if let Some(served) = served {
            // It ends with the stop; whoever still reads an answer is cut off.
            served.abort();
        }
        ended
    }

    /// Leads and stands by, turn and turn about.
    async fn terms(&mut self, publisher: &Publisher, stop: &StopSign) -> Result<(), DaemonError> {
        let mut behind = None;
        let mut idle: Option<Vec<LoopState>> = None;
        let mut is_ready = false;
        let mut pulse = Pulse::of(&self.service);
        while !stop.is_asked() {
            let bid = self.bid().await?;
            let unanswered = if let Bid::Unanswered(why) = &bid { Some(why.clone()) } else { None };
            match bid {
                Bid::Leads(lead) => {
                    tracing::info!(lock = %self.lead, "leading");
                    self.service.status("leads");
                    behind = None;
                    self.lead(&lead, publisher, stop, &mut pulse).await;
                }
                follows => {
                    let who = match follows {
                        Bid::Follows(Some(holder)) => holder.to_string(),
                        _ => "somebody".to_owned(),
                    };
                    if let Some(why) = &unanswered {
                        tracing::warn!(%why, "the lead cannot be asked for");
                    } else if behind.as_ref() != Some(&who) {
                        tracing::info!(behind = %who, lock = %self.lead, "standing by");
                        self.service.status(&format!("stands by: {who} leads"));
                        behind = Some(who.clone());
                    }
                    let idle = idle.get_or_insert_with(|| self.idle_loops());
                    publisher.publish(self.standing_by(&who, idle.clone()).awaiting(unanswered));
                    is_ready = is_ready || self.service.ready();
                    let until = Instant::now() + ASKED;
                    while Instant::now() < until && !stop.is_asked() {
                        pulse.beat(&self.service);
                        tokio::select! {
                            () = stop.asked() => {}
                            () = sleep(pulse.rest(ASKED).min(until.saturating_duration_since(Instant::now()))) => {}
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn bid(&self) -> Result<Bid, DaemonError> {
        let bid = self.lead.bid(&self.me, self.clock.now()).await;
        bid.map_err(|error| DaemonError::Lock { lock: self.lead.to_string(), error })
    }

    fn controller(&self, role: Role) -> Controller {
        Controller { host: self.me.host.as_str().into(), pid: self.me.pid, since: self.me.since, role }
    }

    /// All loops as they are while somebody else leads.
    fn idle_loops(&self) -> Vec<LoopState> {
        let now = self.clock.now();
        let of_the_core = self.chosen.iter().map(|name| LoopState::new(name, None, self.is_dry_run, now));
        let supervised = (self.makers)().into_iter().map(|mut make| {
            let made = make();
            LoopState::new(made.name(), Some(made.period()), self.is_dry_run, now)
        });
        let mut idle: Vec<LoopState> = of_the_core.chain(supervised).collect();
        for state in &mut idle {
            state.stands_by(now);
        }
        idle
    }

    /// What is told while somebody else leads: nothing about any source.
    fn standing_by(&self, who: &str, idle: Vec<LoopState>) -> Page {
        let controller = self.controller(Role::StandingBy { behind: who.into() });
        Page::of(controller, idle, None, &Tally::default(), self.clock.now())
    }

    fn around(&self, told: mpsc::Sender<Event>) -> Surroundings {
        Surroundings { limits: self.limits, is_dry_run: self.is_dry_run, clock: Arc::clone(&self.clock), told }
    }

    /// Starts a core; what is ordered of loops goes to `orders`.
    fn start_core(&self, orders: Option<mpsc::Sender<LoopOrder>>) -> (Core, Term) {
        let outside = Outside { desk: orders, ..self.outside.clone() };
        let setup = CoreSetup { world: (self.world)(), outside, clock: Arc::clone(&self.clock) };
        let (core, link) = Core::start(setup);
        (core, Term::new((self.world)(), link))
    }

    /// Runs everything until a stop is asked for or the lead is lost.
    async fn lead(&self, lead: &Leadership, publisher: &Publisher, stop: &StopSign, pulse: &mut Pulse) {
        let (orders, mut ordered) = mpsc::channel(ORDERS);
        let (core, mut term) = self.start_core(Some(orders));
        term.serve(self.socket.as_deref(), self.me.pid);
        let controller = self.controller(Role::Leader);
        // The core lives as long as this term.
        let _ = core.teller().send(Event::ControllerTold(Arc::new(controller.clone()))).await;
        let supervisor = Supervisor::start((self.makers)(), &self.around(core.teller()));
        let (mut looked, mut is_told) = (Instant::now(), false);
        let mut is_ready = false;
        let mut status = String::new();
        loop {
            if is_told || looked.elapsed() >= ASKED {
                looked = Instant::now();
                if !lead.holds() {
                    tracing::error!(lock = %self.lead, "{}", lead.how_lost());
                    // Somebody else may act already: nothing is brought to its end.
                    drop(supervisor);
                    drain(core.stop(), &mut term).await;
                    return;
                }
            }
            let page = term.page(&controller, &self.chosen, self.clock.now());
            if page.status() != status {
                status = page.status();
                self.service.status(&status);
            }
            publisher.publish(page);
            is_ready = is_ready || self.service.ready();
            pulse.beat(&self.service);
            tokio::select! {
                biased;
                () = stop.asked() => break,
                () = lead.lost() => is_told = true,
                Some(order) = ordered.recv() => {
                    if let Err(why) = follow(&supervisor, &order) {
                        tracing::info!(name = %order.name, %why, "an order of a console");
                        // Where the core has no room for it, the person sees that nothing happens.
                        let _ = core.teller().try_send(Event::Said { error: true, text: why.into() });
                    }
                }
                () = term.follow(pulse.rest(ASKED), self.hooks.as_deref()) => {}
            }
        }
        self.service.status("stopping");
        // Both have their time, and together no more than a service manager gives.
        let both = async { tokio::join!(supervisor.stop(), core.stop()) };
        drain(both, &mut term).await;
    }

    /// Runs one round of every loop, if nobody else leads.
    pub async fn pass(self, stop: StopSign) -> Result<Passed, DaemonError> {
        let lead = match self.bid().await? {
            Bid::Leads(lead) => lead,
            Bid::Follows(holder) => return Ok(Passed::StandsBy(holder)),
            Bid::Unanswered(why) => return Err(DaemonError::Unanswered(why)),
        };
        let (core, mut term) = self.start_core(None);
        let around = self.around(core.teller());
        let rounds = once((self.makers)(), &around, stop.clone());
        let mut told = drain(rounds, &mut term).await;
        let until = Instant::now() + self.limits.deadline;
        while !stop.is_asked() && Instant::now() < until && !term.has_gone_round(&self.chosen, self.clock.now()) {
            tokio::select! {
                biased;
                () = stop.asked() => {}
                () = term.follow(Duration::from_millis(200), None) => {}
            }
        }
        // Of the supervisor's loops the world may not have heard the last word yet.
        let mut loops = term.loops(&self.chosen, self.clock.now());
        loops.retain(|state| self.chosen.contains(&*state.name));
        loops.append(&mut told);
        drain(core.stop(), &mut term).await;
        drop(lead);
        Ok(Passed::Ended(loops))
    }
}

/// What a console may order of a daemon's loops: to begin a round now.
fn follow(supervisor: &Supervisor, LoopOrder { name, switch }: &LoopOrder) -> Result<(), String> {
    match (switch, supervisor.waker(name)) {
        (Switch::Now, Some(waker)) => {
            waker.wake();
            Ok(())
        }
        (Switch::Now, None) => Err(format!("loop {name} is none of those that this daemon runs")),
        _ => Err(format!("loop {name}: {DAEMON_CHOOSES}")),
    }
}

/// Says to the service manager that we live, as often as it wants to hear it.
struct Pulse {
    every: Option<Duration>,
    last: Option<Instant>,
}

impl Pulse {
    fn of(service: &Service) -> Self {
        Self { every: service.pulse(), last: None }
    }

    fn beat(&mut self, service: &Service) {
        if let Some(every) = self.every
            && self.last.is_none_or(|last| last.elapsed() >= every)
        {
            service.alive();
            self.last = Some(Instant::now());
        }
    }

    /// How long to rest at most before the next beat.
    fn rest(&self, most: Duration) -> Duration {
        self.every.map_or(most, |every| (every / 2).min(most)).max(Duration::from_millis(10))
    }
}
