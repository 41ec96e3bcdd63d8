//! What the screen is drawn on. The app loop knows only this; `cli` fits the terminal adapter to it, and tests fit a buffer.

use std::io;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Size};

/// Figures for `:perf`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub frames: u64,
    pub bytes: u64,
    pub last_bytes: usize,
    /// How long the last write blocked.
    pub last_blocked: Duration,
}

/// Something that shows frames.
pub trait Surface {
    fn size(&self) -> io::Result<Size>;

    /// Shows a frame at once, with the text cursor at `cursor` or hidden. Writes nothing when nothing changed.
    fn present(&mut self, frame: &Buffer, cursor: Option<Position>) -> io::Result<()>;

    /// Makes the next frame paint the whole screen.
    fn redraw(&mut self);

    /// Makes the next frame paint over everything, without a flash.
    fn repaint(&mut self);

    /// How long to wait between two frames that no key asked for: 33 ms on a good line, more on a slow one.
    fn interval(&self) -> Duration;

    /// Puts text on the clipboard. `false` when it is too long for terminals to take.
    fn copy(&mut self, text: &str) -> io::Result<bool>;

    /// Lets the shell have the terminal until it brings the console back.
    fn suspend(&mut self) -> io::Result<()>;

    /// Shows plain text outside the console until a key is pressed.
    fn plain(&mut self, text: &str) -> io::Result<()>;

    fn written(&self) -> Written;
}
