//! Consoles attached to the daemon: its core's two channels, carried over a Unix socket.
//!
//! The daemon's side is a [`Hub`] beside the world that it follows: whoever comes is retold that world and then told every event. A console
//! that does not read is dropped and holds nobody up. What consoles intend goes to the core in the name that the kernel gives their process;
//! plans are guarded again here. What they look at is joined, so that ten consoles are one poller.
//!
//! The console's side is [`attach`], which gives the same [`Link`](super::Link) that a core in the same process would, and comes back by itself
//! when the daemon does.

mod follow;
mod frame;
mod hub;
mod place;
mod session;
mod words;

pub use follow::{AttachError, Attached, Leave, Own, attach};
pub use hub::{Hub, Knock};
pub use words::PROTOCOL;
