//! What joins a console to a core in another process: whether it hears it, and all that a world knows, told again to whoever comes later.
//!
//! The daemon retells its world and then passes its events on; the console takes the retelling as one event, so that no screen ever shows a
//! part of it, and follows. Neither end knows of sockets here: those are the controller's business.

mod admit;
pub(crate) mod bytes;
mod retell;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use retell::{Ground, Retelling};
use serde::{Deserialize, Serialize};

use super::messages::Level;
use super::world::World;
use crate::ci::Timestamp;

/// How a console stands to the daemon whose world it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub pid: u32,
    /// Who acts, by the daemon's word.
    pub who: Arc<str>,
    /// Since when nothing is heard of it, and why; `None` while it is heard.
    pub lost: Option<(Timestamp, Arc<str>)>,
}

impl World {
    /// Why nothing can be asked of the core, if so: the daemon is not heard.
    pub(in crate::console) fn unheard(&self) -> Option<String> {
        let attachment = self.attachment.as_ref()?;
        let (_, why) = attachment.lost.as_ref()?;
        Some(format!("read-only: the daemon (pid {}) is not heard: {why}", attachment.pid))
    }

    /// Notes how the daemon is heard, and says so when that changes.
    pub(in crate::console) fn attached(&mut self, attachment: Arc<Attachment>, now: Timestamp) {
        let (pid, before) = (attachment.pid, self.attachment.as_ref().map(|known| known.lost.is_some()));
        match (&attachment.lost, before) {
            (Some((_, why)), Some(false)) => {
                let text = format!(
                    "the daemon (pid {pid}) is not heard any more: {why}; what is shown grows old, trying again"
                );
                self.messages.say(Level::Error, text, now);
            }
            (None, Some(true)) => {
                self.messages.say(Level::Info, format!("attached to the daemon again (pid {pid})"), now);
            }
            _ => {}
        }
        self.attachment = Some(attachment);
    }

    /// Whether what a person decided here is for the eyes of whoever looks at this world.
    pub(in crate::console) fn concerns_me(&self, who: &str) -> bool {
        self.attachment.as_ref().is_none_or(|attachment| &*attachment.who == who)
    }
}
