//! The dispatcher: everything that happens goes through one channel in one order, changes the `World`, and is passed on to the face.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::executor::{Executor, Outside};
use crate::adapters::clock::Clock;
use crate::ci::Timestamp;
use crate::console::effect::Effect;
use crate::console::event::{Event, Intent, Stamped};
use crate::console::world::World;

/// A face's end of the two channels.
pub struct Link {
    pub events: mpsc::Receiver<Stamped>,
    pub intents: mpsc::Sender<Intent>,
}

/// What a core is made of.
pub struct CoreSetup {
    pub world: World,
    pub outside: Outside,
    pub clock: Arc<dyn Clock>,
}

/// A running core.
pub struct Core {
    stop: oneshot::Sender<()>,
    task: JoinHandle<World>,
    tell: mpsc::Sender<Event>,
}

/// Room for bursts; a full channel makes sources wait, it never drops.
const CHANNEL: usize = 256;
/// How long actions that were sent are waited for at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(4);
/// How finely holds, waves and schedules are timed.
const TICK: Duration = Duration::from_millis(200);

impl Core {
    /// Starts the dispatcher and the executor.
    pub fn start(setup: CoreSetup) -> (Self, Link) {
        let (face, events) = mpsc::channel(CHANNEL);
        let (intents, wishes) = mpsc::channel(CHANNEL);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel(CHANNEL);
        let task = tokio::spawn(dispatch(setup, face, wishes, (tell.clone(), told), stopped));
        (Self { stop, task, tell }, Link { events, intents })
    }

    /// Where whoever runs beside the executor tells what happened: loops, and who leads.
    pub fn teller(&self) -> mpsc::Sender<Event> {
        self.tell.clone()
    }

    /// Stops it and hands back what it knew. Nothing more is begun; actions that were sent have a few seconds for their answers, and the audit is
    /// written to its end. Holds stay unsent, and reads are cut off.
    pub async fn stop(self) -> Option<World> {
        // The dispatcher may have ended already; then there is nobody to tell.
        let _ = self.stop.send(());
        self.task.await.ok()
    }
}

async fn dispatch(
    setup: CoreSetup,
    face: mpsc::Sender<Stamped>,
    mut wishes: mpsc::Receiver<Intent>,
    (answers, mut events): (mpsc::Sender<Event>, mpsc::Receiver<Event>),
    mut stopped: oneshot::Receiver<()>,
) -> World {
    let CoreSetup { mut world, outside, clock } = setup;
    let mut executor = Executor::new(outside, answers, Arc::clone(&clock));
    executor.begin(world.polling.rules.verdicts > 0, &world.fleet.sources.keys().copied().collect());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut face = Some(face);
    loop {
        let event = tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(intent) = wishes.recv() => Event::Intended(intent),
            Some(event) = events.recv() => event,
            _ = ticks.tick() => Event::Ticked,
        };
        let now = clock.now();
        if let Some(link) = &face
            && link.send(Stamped { event: event.clone(), now }).await.is_err()
        {
            // The face left; the core goes on until it is stopped.
            face = None;
        }
        for effect in world.update(event, now) {
            executor.execute(effect);
        }
    }
    let until = Instant::now() + LAST_ANSWERS;
    while world.actions.is_sending()
        && let Ok(Some(event)) = timeout_at(until, events.recv()).await
    {
        for effect in take(&mut world, face.as_ref(), event, clock.now()) {
            if matches!(effect, Effect::StoreAudit(_)) {
                executor.execute(effect);
            }
        }
    }
    let server_now = world.server_time(clock.now());
    world.actions.end(server_now).into_iter().for_each(|effect| executor.execute(effect));
    let mut ended = std::pin::pin!(executor.end());
    loop {
        tokio::select! {
            () = &mut ended => return world,
            // Rows that were written are told, which must hold up none.
            Some(event) = events.recv() => drop(take(&mut world, face.as_ref(), event, clock.now())),
        }
    }
}

/// Takes an event at the end, when nobody may be waited for who listens.
fn take(world: &mut World, face: Option<&mpsc::Sender<Stamped>>, event: Event, now: Timestamp) -> Vec<Effect> {
    if let Some(link) = face {
        // One that is too slow to hear it reads it in the audit.
        let _ = link.try_send(Stamped { event: event.clone(), now });
    }
    world.update(event, now)
}
