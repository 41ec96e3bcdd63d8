//! The loops of the controller, as the console knows them: those that the supervisor runs tell of themselves, and those that the core is made of
//! (reading logs, listing caches, following the fleet) are judged by how fresh what they read is.

mod observed;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;
use std::sync::Arc;

pub use observed::{CACHES, FLEET, OF_THE_CORE, TAXONOMY};
pub use state::{DEAD_AFTER, LoopState, Phase, ROUNDS, Round};

use crate::ci::Timestamp;

/// Whether a controller acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Leader,
    /// Another one acts; the text says which.
    StandingBy {
        behind: Arc<str>,
    },
}

/// The process that runs the loops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    pub host: Arc<str>,
    pub pid: u32,
    pub since: Timestamp,
    pub role: Role,
}

/// Why a console starts and stops no loop of a daemon.
pub const DAEMON_CHOOSES: &str = "a daemon runs the loops that `daemon.loops` names: change that, and start it again; `:loops run NAME` begins a round now";

/// What a person wants of a loop.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoopOrder {
    pub name: Arc<str>,
    pub switch: Switch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Switch {
    Start {
        dry_run: bool,
    },
    Stop,
    /// Begin its next round now.
    Now,
}

impl LoopOrder {
    /// Reads `start NAME [--dry-run]`, `stop NAME` or `run NAME`.
    pub fn read(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, switch) = match *words.as_slice() {
            ["start", name] => (name, Switch::Start { dry_run: false }),
            ["start", name, "--dry-run"] | ["start", "--dry-run", name] => (name, Switch::Start { dry_run: true }),
            ["stop", name] => (name, Switch::Stop),
            ["run", name] => (name, Switch::Now),
            _ => {
                return Err(
                    "write `:loops start NAME [--dry-run]`, `:loops stop NAME` or `:loops run NAME`; `all` is a name"
                        .to_owned(),
                );
            }
        };
        Ok(Self { name: name.into(), switch })
    }
}

impl Loops {
    /// Those that somebody started or stopped by name, and those of a daemon's supervisor.
    pub fn switched(&self) -> impl Iterator<Item = &LoopState> {
        self.told.values().map(|state| &**state)
    }

    /// What an order comes to: `all` are those that it would change something about.
    pub fn meant(&self, order: &LoopOrder) -> Vec<LoopOrder> {
        if &*order.name != "all" {
            return vec![order.clone()];
        }
        let starts = matches!(order.switch, Switch::Start { .. });
        let running = |name: &str| self.told.get(name).is_some_and(|state| state.phase != Phase::Stopped);
        let names = self.told.keys().chain(self.left_out.keys().filter(|name| !self.told.contains_key(*name)));
        names
            .filter(|name| running(name) != starts)
            .map(|name| LoopOrder { name: Arc::clone(name), switch: order.switch })
            .collect()
    }
}

/// What is known of loops.
#[derive(Debug, Clone, Default)]
pub struct Loops {
    /// `None`: what runs them is a console or a command.
    pub controller: Option<Arc<Controller>>,
    /// Those of the supervisor, as they last told.
    pub told: BTreeMap<Arc<str>, Arc<LoopState>>,
    /// Why a loop does not run here: somebody chose so, or nobody has started it.
    pub left_out: BTreeMap<Arc<str>, Arc<str>>,
    /// Rounds of the core's own loops.
    pub(in crate::console) observed: BTreeMap<Arc<str>, LoopState>,
}
