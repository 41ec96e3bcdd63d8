//! The daemon's side, beside the world that it follows: passes on what is told, retells the world to whoever comes, guards plans.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::place::Place;
use super::session::{self, Host};
use super::words::{FromDaemon, encode};
use crate::adapters::peer::own_uid;
use crate::ci::{JobId, Timestamp};
use crate::console::actions::Plan;
use crate::console::attach::Retelling;
use crate::console::effect::{Fetch, Focus};
use crate::console::event::{Event, Intent, Stamped};
use crate::console::fault::{Fault, FaultKind};
use crate::console::world::World;

/// Frames, and bytes of them, that wait for one console; one that is behind by more is dropped.
const FRAMES: usize = 4_096;
const BYTES: usize = 64 << 20;
/// Logs that one console follows: as many as its world keeps.
const LOGS: usize = 3;

/// Attached consoles, seen from the daemon.
pub struct Hub {
    knocks: mpsc::Receiver<Knock>,
    seats: Vec<Seat>,
    /// Gone with the hub: the door, all sessions, and the socket's file.
    _door: JoinSet<()>,
    _place: Option<Place>,
}

/// What a session asks of whoever follows the world.
pub enum Knock {
    Enter(Seat),
    /// Whether a plan may take the road; the answer is why not.
    Guard {
        plan: Arc<Plan>,
        answer: oneshot::Sender<Result<(), String>>,
    },
}

/// One attached console.
pub struct Seat {
    who: Arc<str>,
    out: Out,
    /// Dropped with the seat: then its session ends.
    _alive: oneshot::Sender<()>,
}

impl Seat {
    /// A seat, and what tells when the console loses it.
    pub fn new(who: Arc<str>, out: Out) -> (Self, oneshot::Receiver<()>) {
        let (alive, gone) = oneshot::channel();
        (Self { who, out, _alive: alive }, gone)
    }
}

/// What waits for one console.
#[derive(Clone)]
pub struct Out {
    queue: mpsc::Sender<Parcel>,
    waiting: Arc<AtomicUsize>,
    logs: Arc<Mutex<VecDeque<JobId>>>,
}

/// One thing to write.
pub enum Parcel {
    Retelling(Box<Retelling>),
    Frame(Bytes),
}

impl Out {
    pub fn new() -> (Self, mpsc::Receiver<Parcel>) {
        let (queue, parcels) = mpsc::channel(FRAMES);
        (Self { queue, waiting: Arc::default(), logs: Arc::default() }, parcels)
    }

    /// False when the console is too far behind, or gone.
    pub fn put(&self, frame: &Bytes) -> bool {
        let waiting = self.waiting.fetch_add(frame.len(), Ordering::Relaxed);
        waiting <= BYTES && self.queue.try_send(Parcel::Frame(frame.clone())).is_ok()
    }

    /// Tells this console alone.
    pub fn tell(&self, event: Event, now: Timestamp) -> bool {
        encode(&FromDaemon::Told(Box::new(Stamped { event, now }))).is_ok_and(|frame| self.put(&frame.into()))
    }

    /// A frame was written.
    pub fn written(&self, length: usize) {
        self.waiting.fetch_sub(length, Ordering::Relaxed);
    }

    /// From now on this log is told here.
    pub fn follow_log(&self, job: JobId) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|known| *known != job);
        logs.push_front(job);
        logs.truncate(LOGS);
    }

    fn follows(&self, job: JobId) -> bool {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).contains(&job)
    }
}

impl Hub {
    /// Opens the door. Sessions send what is intended to `core`.
    pub fn open(path: &Path, pid: u32, core: mpsc::Sender<Intent>) -> io::Result<Self> {
        let (place, listener) = Place::open(path)?;
        let (knocks, knocked) = mpsc::channel(16);
        let (foci, looked) = watch::channel(BTreeMap::new());
        let mut door = JoinSet::new();
        door.spawn(join(looked, core.clone()));
        let host = Host { uid: own_uid()?, pid, core, knocks, foci };
        door.spawn(session::serve(listener, host));
        Ok(Self { knocks: knocked, seats: Vec::new(), _door: door, _place: Some(place) })
    }

    /// One that nobody can find.
    pub fn closed() -> Self {
        let (_, knocks) = mpsc::channel(1);
        Self { knocks, seats: Vec::new(), _door: JoinSet::new(), _place: None }
    }

    /// Waits until somebody wants something.
    pub async fn knock(&mut self) -> Knock {
        match self.knocks.recv().await {
            Some(knock) => knock,
            None => std::future::pending().await,
        }
    }

    /// Answers by the world as it is `now`.
    pub fn answer(&mut self, knock: Knock, world: &World, now: Timestamp) {
        match knock {
            Knock::Enter(seat) => {
                let retelling = Box::new(world.retell(now));
                if seat.out.queue.try_send(Parcel::Retelling(retelling)).is_ok() {
                    tracing::info!(who = %seat.who, consoles = self.seats.len() + 1, "a console is attached");
                    self.seats.push(seat);
                }
            }
            Knock::Guard { plan, answer } => {
                // Whoever asked may have left.
                let _ = answer.send(world.admit(&plan, now));
            }
        }
    }

    /// Tells every console whom it concerns. Costs nothing while there is none.
    pub fn pass(&mut self, stamped: &Stamped) {
        if self.seats.is_empty() {
            return;
        }
        let Some(Stamped { event, now }) = told(stamped) else { return };
        let log = log_of(&event);
        if log.is_some_and(|job| !self.seats.iter().any(|seat| seat.out.follows(job))) {
            return;
        }
        let frame: Bytes = match encode(&FromDaemon::Told(Box::new(Stamped { event, now }))) {
            Ok(frame) => frame.into(),
            Err(error) => {
                tracing::error!(%error, "an event could not be told to attached consoles");
                return;
            }
        };
        self.seats.retain(|seat| {
            let is_well = log.is_some_and(|job| !seat.out.follows(job)) || seat.out.put(&frame);
            if !is_well {
                tracing::info!(who = %seat.who, "a console left, or is too far behind, and is let go");
            }
            is_well
        });
    }
}

/// Tells the core what all consoles look at, as often as that changes.
async fn join(mut foci: watch::Receiver<BTreeMap<u64, Focus>>, core: mpsc::Sender<Intent>) {
    while foci.changed().await.is_ok() {
        let all: Vec<Focus> = foci.borrow_and_update().values().copied().collect();
        if core.send(Intent::Watch(all.into())).await.is_err() {
            return;
        }
    }
}

/// The log that an event is about: it concerns only those who read it.
const fn log_of(event: &Event) -> Option<JobId> {
    match event {
        Event::LogFed { job, .. } | Event::LogReset { job } | Event::LogPageRead { job, .. } => Some(*job),
        _ => None,
    }
}

/// An event as it is told to consoles; `None`: it concerns none of them.
fn told(stamped: &Stamped) -> Option<Stamped> {
    let now = stamped.now;
    let event = match &stamped.event {
        // What one console looks at is no business of the others; it was told so itself already.
        Event::Intended(
            Intent::Focus(_)
            | Intent::Watch(_)
            | Intent::OpenLog(_)
            | Intent::ReadLogPage { .. }
            | Intent::ChangeRules(_),
        ) => return None,
        // What lies in a root is too much for a message; its sizes are not.
        Event::CacheRead { sample, .. } => Event::CachesRecalled(vec![sample.clone()]),
        Event::Fetched { fetch: fetch @ Fetch::Cache(_), at, result: Ok(()) } => {
            let (what, detail) =
                ("look into a root", "what lies in it is not told to attached consoles; start with --no-attach");
            Event::Fetched { fetch: *fetch, at: *at, result: Err(Fault::new(FaultKind::Local, what, detail)) }
        }
        event => event.clone(),
    };
    Some(Stamped { event, now })
}
