//! The terminal: its modes and the way back from them, the one writer of frames, keys as plain events, the clipboard, stop and continue.
//! `cli` opens it and lends it to the screen; nothing else in the crate writes to a terminal.

mod frame;
mod ink;
mod input;
mod modes;
mod osc;
mod session;

pub use frame::{Clock, FrameStats, FrameWriter};
pub use modes::{MODES, MOUSE, Mode};
pub use osc::Multiplexer;
pub use session::{Ending, Input, Options, Terminal, ending};
