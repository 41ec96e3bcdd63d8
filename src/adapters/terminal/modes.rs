//! What the terminal is put into while the console owns it, as a table: how each mode is entered and how it is left. Leaving walks the table
//! backwards from as far as entering got, so a mode without its way back cannot be written down.

use std::io;
use std::sync::Mutex;

/// One terminal mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    pub name: &'static str,
    pub enter: &'static [u8],
    pub leave: &'static [u8],
}

const fn mode(name: &'static str, enter: &'static [u8], leave: &'static [u8]) -> Mode {
    Mode { name, enter, leave }
}

/// In the order in which they are entered.
pub const MODES: &[Mode] = &[
    mode("alternate screen", b"\x1b[?1049h", b"\x1b[?1049l"),
    mode("hidden cursor", b"\x1b[?25l", b"\x1b[?25h"),
    mode("bracketed paste", b"\x1b[?2004h", b"\x1b[?2004l"),
    // Nothing to enter: a frame sets these itself, and the way out may come in the middle of one.
    mode("colours", b"", b"\x1b[0m"),
    mode("synchronized output", b"", b"\x1b[?2026l"),
];

/// Wheel, click and drag. Off unless the configuration asks for it.
pub const MOUSE: Mode = mode("mouse", b"\x1b[?1002h\x1b[?1006h", b"\x1b[?1006l\x1b[?1002l");

/// The device that has modes.
pub trait Tty: Send + Sync {
    /// Takes bytes as they are, without buffering.
    fn send(&self, bytes: &[u8]) -> io::Result<()>;
    /// Turns the line discipline off or back to what it was.
    fn set_raw(&self, raw: bool) -> io::Result<()>;
}

/// How far the terminal has been changed, and the way back.
pub struct Modes<T> {
    tty: T,
    table: Vec<Mode>,
    entered: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    is_raw: bool,
    modes: usize,
}

impl<T: Tty> Modes<T> {
    /// The table for a device; nothing is sent yet.
    pub fn new(tty: T, mouse: bool) -> Self {
        let table = MODES.iter().copied().chain(mouse.then_some(MOUSE)).collect();
        Self { tty, table, entered: Mutex::default() }
    }

    /// Enters all modes; when one cannot be entered, leaves those that were and says why.
    pub fn enter(&self) -> io::Result<()> {
        let entering = self.try_enter();
        if entering.is_err() {
            self.leave();
        }
        entering
    }

    fn try_enter(&self) -> io::Result<()> {
        let mut entered = self.progress();
        if !entered.is_raw {
            self.tty.set_raw(true)?;
            entered.is_raw = true;
        }
        for mode in self.table.get(entered.modes..).unwrap_or_default() {
            // Counted first: bytes of a failed write may have arrived, and leaving a mode that was never entered does no harm.
            entered.modes += 1;
            if !mode.enter.is_empty() {
                self.tty.send(mode.enter)?;
            }
        }
        Ok(())
    }

    /// Walks back what was entered, as far as the terminal still listens. Harmless when nothing is entered, from any thread, at any time.
    pub fn leave(&self) {
        let mut entered = self.progress();
        let way_back: Vec<u8> =
            self.table.iter().take(entered.modes).rev().flat_map(|mode| mode.leave.iter().copied()).collect();
        entered.modes = 0;
        if !way_back.is_empty() && self.tty.send(&way_back).is_err() {
            tracing::debug!("the terminal was gone before its modes could be reset");
        }
        if std::mem::take(&mut entered.is_raw) && self.tty.set_raw(false).is_err() {
            tracing::debug!("the terminal was gone before its line discipline could be restored");
        }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        // A panic while the lock was held leaves two counters that are true as they stand.
        self.entered.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T> Drop for Modes<T> {
    fn drop(&mut self) {
        // Only reminds: whoever owns the modes leaves them, because a panic hook may own them as well.
        let entered = self.entered.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        debug_assert!(entered.modes == 0 && !entered.is_raw || std::thread::panicking(), "terminal modes left behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers what happened to it, and fails from the nth write on.
    struct Fake {
        seen: Mutex<Vec<String>>,
        fails_at: usize,
    }

    impl Fake {
        fn modes(fails_at: usize, mouse: bool) -> Modes<Self> {
            Modes::new(Self { seen: Mutex::default(), fails_at }, mouse)
        }

        fn seen(modes: &Modes<Self>) -> Vec<String> {
            std::mem::take(&mut *modes.tty.seen.lock().unwrap())
        }
    }

    impl Tty for Fake {
        fn send(&self, bytes: &[u8]) -> io::Result<()> {
            let mut seen = self.seen.lock().unwrap();
            seen.push(String::from_utf8_lossy(bytes).replace('\x1b', "^"));
            if seen.len() == self.fails_at { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
        }

        fn set_raw(&self, raw: bool) -> io::Result<()> {
            self.seen.lock().unwrap().push(format!("raw {raw}"));
            Ok(())
        }
    }

    #[test]
    fn leaving_is_entering_backwards() {
        let modes = Fake::modes(usize::MAX, true);
        modes.enter().unwrap();
        assert_eq!(Fake::seen(&modes), ["raw true", "^[?1049h", "^[?25l", "^[?2004h", "^[?1002h^[?1006h"]);
        modes.leave();
        assert_eq!(Fake::seen(&modes), ["^[?1006l^[?1002l^[?2026l^[0m^[?2004l^[?25h^[?1049l", "raw false"]);
        modes.leave();
        assert!(Fake::seen(&modes).is_empty(), "leaving twice sends nothing");
        modes.enter().unwrap();
        assert_eq!(Fake::seen(&modes).len(), 5, "and it can be entered again");
        modes.leave();
    }

    #[test]
    fn whatever_was_entered_is_left_when_entering_fails_half_way() {
        // The third thing that happens is the second mode's write.
        let modes = Fake::modes(3, false);
        assert!(modes.enter().is_err());
        assert_eq!(Fake::seen(&modes), ["raw true", "^[?1049h", "^[?25l", "^[?25h^[?1049l", "raw false"]);
    }

    #[test]
    fn every_mode_has_a_way_back() {
        for mode in MODES.iter().chain([&MOUSE]) {
            assert!(!mode.leave.is_empty(), "{}", mode.name);
            let entered = String::from_utf8_lossy(mode.enter);
            let left = String::from_utf8_lossy(mode.leave);
            for private in entered.split("\x1b[").filter(|part| !part.is_empty()) {
                let number = private.trim_end_matches(['h', 'l']);
                assert!(left.contains(number), "{}: {number} is never undone", mode.name);
            }
        }
    }
}
