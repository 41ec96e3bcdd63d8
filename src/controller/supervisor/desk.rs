//! Loops that a person starts and stops one by one, in the process of a console. What acts needs the lead, like a daemon; what runs dry does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::{Maker, StopSign, Supervisor, Surroundings};
use crate::console::event::Event;
use crate::console::loops::{LoopOrder, LoopState, Switch};
use crate::controller::leadership::{Bid, Holder, Leadership, Source};

/// How often it is looked whether the lead still holds.
const LOOK: Duration = Duration::from_secs(2);

/// Makes a loop by its name, or says why there is none.
pub type Makers = Box<dyn Fn(&str) -> Result<Maker, String> + Send + Sync>;

/// What runs loops for a person.
pub struct Desk {
    pub makers: Makers,
    /// Whether a loop runs dry is said with each order.
    pub around: Surroundings,
    /// Where the lead comes from; an error says why there is none to be had. What runs dry needs none.
    pub lead: Result<Source, String>,
    pub me: Holder,
}

/// What runs now.
#[derive(Default)]
struct Running {
    loops: BTreeMap<Arc<str>, (Supervisor, bool)>,
    lead: Option<Leadership>,
}

impl Running {
    fn acts(&self) -> bool {
        self.loops.values().any(|(_, is_dry)| !is_dry)
    }

    async fn stop(&mut self, name: &str) -> bool {
        let Some((supervisor, _)) = self.loops.remove(name) else { return false };
        supervisor.stop().await;
        if !self.acts()
            && let Some(lead) = self.lead.take()
        {
            lead.give_back();
        }
        true
    }
}

impl Desk {
    /// Takes orders until a stop is asked for; then all loops are stopped.
    pub async fn serve(self, mut orders: mpsc::Receiver<LoopOrder>, stop: StopSign) {
        let mut running = Running::default();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.asked() => break,
                order = orders.recv() => match order {
                    Some(order) => self.follow(order, &mut running).await,
                    None => break,
                },
                _ = looks.tick() => self.look(&mut running).await,
            }
        }
        let stops = std::mem::take(&mut running.loops).into_values().map(|(supervisor, _)| supervisor.stop());
        futures_util::future::join_all(stops).await;
    }

    async fn follow(&self, LoopOrder { name, switch }: LoopOrder, running: &mut Running) {
        match switch {
            Switch::Start { dry_run } => {
                if let Err(why) = self.start(&name, dry_run, running).await {
                    self.say(true, format!("loop {name} not started: {why}")).await;
                }
            }
            Switch::Stop if running.stop(&name).await => self.say(false, format!("loop {name} stopped")).await,
            Switch::Now if running.loops.contains_key(&name) => {
                let waker = running.loops.get(&name).and_then(|(supervisor, _)| supervisor.waker(&name));
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Switch::Stop | Switch::Now => {
                self.say(true, format!("loop {name} was not started here; `:loops start {name}` does that")).await;
            }
        }
    }

    async fn start(&self, name: &Arc<str>, dry_run: bool, running: &mut Running) -> Result<(), String> {
        if running.loops.contains_key(name) {
            return Err(format!("it runs already; `:loops stop {name}` ends it"));
        }
        let maker = (self.makers)(name)?;
        if !dry_run && running.lead.is_none() {
            running.lead = Some(self.bid().await?);
        }
        let around = Surroundings { is_dry_run: dry_run, ..self.around.clone() };
        running.loops.insert(Arc::clone(name), (Supervisor::start(vec![maker], &around), dry_run));
        Ok(())
    }

    async fn bid(&self) -> Result<Leadership, String> {
        let lead =
            self.lead.as_ref().map_err(|why| format!("there is no lead to be had: {why}; --dry-run needs none"))?;
        match lead.bid(&self.me, self.around.clock.now()).await {
            Ok(Bid::Leads(lead)) => Ok(lead),
            Ok(Bid::Follows(holder)) => {
                let who = holder.map_or_else(|| "somebody".to_owned(), |holder| holder.to_string());
                Err(format!("{who} leads, and only one may act; end that one, or add --dry-run"))
            }
            Ok(Bid::Unanswered(why)) => Err(format!("the lead cannot be asked for: {why}; --dry-run needs none")),
            Err(error) => Err(format!("{lead}: the lead cannot be asked for: {error}")),
        }
    }

    /// Whoever lost the lead acts no longer.
    async fn look(&self, running: &mut Running) {
        let Some(lead) = running.lead.as_ref().filter(|lead| !lead.holds()) else { return };
        let why = lead.how_lost();
        self.say(true, format!("{why}; loops that act were stopped")).await;
        running.lead = None;
        for (name, _) in running.loops.extract_if(.., |_, (_, is_dry)| !*is_dry) {
            // It was cut off, and could not say so itself.
            let now = self.around.clock.now();
            let mut state = LoopState::new(&name, None, false, now);
            state.stopped(why, now);
            // Whoever listened is gone.
            let _ = self.around.told.send(Event::LoopTold(Arc::new(state))).await;
        }
    }

    async fn say(&self, error: bool, text: String) {
        // Whoever listened is gone, and will order nothing more.
        let _ = self.around.told.send(Event::Said { error, text: text.into() }).await;
    }
}
