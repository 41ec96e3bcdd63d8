//! What is said over the socket.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::console::attach::Ground;
use crate::console::event::{Intent, Stamped};

/// The protocol, with its version.
pub const PROTOCOL: &str = "stackhand.attach/1";
/// Events have the shape of the program that tells them: both ends must be of one version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a console says.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromConsole {
    /// First of all. Its shape never changes, so that other versions can be told apart.
    Hello {
        protocol: String,
        version: String,
    },
    Intend(Intent),
}

/// What a daemon says.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromDaemon {
    Welcome(Welcome),
    /// Nothing more follows. Its shape never changes either.
    Refused {
        why: String,
    },
    /// A retelling begins.
    Ground(Box<Ground>),
    Told(Box<Stamped>),
    /// The retelling is whole; what follows happens now.
    Whole,
}

/// Who answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    pub pid: u32,
    /// As whom the console acts.
    pub who: Arc<str>,
}

/// Writes what is said as JSON.
pub fn encode(words: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(words)
}
