//! What a follower tells: changes of the objects, and how it fares itself.

use super::kind::Kind;
use super::object::{Id, Object};
use crate::ci::Timestamp;
use crate::console::fault::Fault;

/// One thing to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    Change(Change),
    State(State),
}

/// What became of the objects of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// These are all that there are. What was known besides is gone; what has the same version is the same.
    Reset(Vec<Object>),
    /// This one is new, or has changed.
    Applied(Object),
    /// This one is gone. `last` is how the server last saw it, where it said so.
    Deleted { id: Id, last: Option<Object> },
}

/// How following fares.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub kind: Kind,
    pub phase: Phase,
    /// When the server last said anything about this kind.
    pub heard: Option<Timestamp>,
    pub objects: usize,
    pub restarts: Restarts,
}

/// Whether what is known is true now. Whatever it is, what was known before stays.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Nothing is known yet.
    Starting,
    /// Every change arrives as it happens.
    Live { since: Timestamp },
    /// Changes may be missing; it is being tried again.
    Stale { since: Timestamp, fault: Fault },
    /// A right is missing; it is looked for again every minute.
    Denied { since: Timestamp, right: String, fault: Fault },
    /// The cluster has no such resource; it is looked for again every minute.
    Absent { since: Timestamp },
}

/// How often a watch was opened again, by what ended the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restarts {
    /// The server closed it, as it does every few minutes.
    pub closed: u64,
    /// It was too far behind, and everything was listed again.
    pub expired: u64,
    pub error: u64,
}
