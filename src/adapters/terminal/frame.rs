//! The frame writer: the only place from which anything is drawn. Compares a frame with what the terminal shows, and sends the difference
//! in exactly one write between the marks of a synchronized update, or nothing at all when nothing changed. It measures how long the write
//! blocked; whoever draws asks [`FrameWriter::interval`] how long to wait for the next frame, so that frames are dropped, never queued.

use std::io::{self, Write};
use std::time::Duration;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use super::ink::Ink;
use crate::console::text::is_harmless_symbol;

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// Drawn where a cell holds something that a terminal would obey.
static STAND_IN: Cell = Cell::new("␛");
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";

/// How often to draw while writes block for no longer than so; above the last row, [`SLOWEST`].
const PACE: [(Duration, Duration); 2] =
    [(Duration::from_millis(80), Duration::from_millis(33)), (Duration::from_millis(250), Duration::from_millis(100))];
const SLOWEST: Duration = Duration::from_millis(250);

/// Time since some fixed moment.
pub type Clock = std::sync::Arc<dyn Fn() -> Duration + Send + Sync>;

/// What has been written so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameStats {
    pub frames: u64,
    pub bytes: u64,
    pub last_bytes: usize,
    /// How long the last write blocked.
    pub last_blocked: Duration,
}

/// What is known about the cells of the terminal.
enum Shown {
    /// Anything may be there; clear before drawing.
    Unknown,
    Cells(Buffer),
}

/// Draws frames on a sink that does not buffer.
pub struct FrameWriter<W> {
    sink: W,
    clock: Clock,
    shown: Shown,
    cursor: Option<Position>,
    bytes: Vec<u8>,
    stats: FrameStats,
    /// How long writes block: the last one, or what is left of a longer one before it.
    drag: Duration,
}

impl<W: Write> FrameWriter<W> {
    pub fn new(sink: W, clock: Clock) -> Self {
        Self {
            sink,
            clock,
            shown: Shown::Unknown,
            cursor: None,
            bytes: Vec::new(),
            stats: FrameStats::default(),
            drag: Duration::ZERO,
        }
    }

    /// Makes the terminal show `frame`, with the text cursor at `cursor` or hidden. Returns how many bytes that took.
    pub fn present(&mut self, frame: &Buffer, cursor: Option<Position>) -> io::Result<usize> {
        self.bytes.clear();
        self.bytes.extend_from_slice(BEGIN);
        let before = self.comparand(frame.area);
        let mut changes = before.diff_iter(frame).peekable();
        let is_drawn = changes.peek().is_some();
        if is_drawn {
            // The last gate: screens clean what they draw, and what slipped through is not obeyed by the terminal either.
            let mut ink = Ink::new(&mut self.bytes);
            for (x, y, cell) in changes {
                ink.put(x, y, if is_harmless_symbol(cell.symbol()) { cell } else { &STAND_IN });
            }
            ink.dry();
        }
        if let Some(at) = cursor
            && (is_drawn || self.cursor != cursor)
        {
            write!(self.bytes, "\x1b[{};{}H", at.y.saturating_add(1), at.x.saturating_add(1))?;
        }
        match (self.cursor.is_some(), cursor.is_some()) {
            (false, true) => self.bytes.extend_from_slice(b"\x1b[?25h"),
            (true, false) => self.bytes.extend_from_slice(b"\x1b[?25l"),
            _ => {}
        }
        let mut shown = before;
        let is_news = self.bytes.len() > BEGIN.len();
        if is_news {
            self.bytes.extend_from_slice(END);
            self.send()?;
            shown.content.clone_from(&frame.content);
        }
        self.shown = Shown::Cells(shown);
        self.cursor = cursor;
        Ok(if is_news { self.stats.last_bytes } else { 0 })
    }

    /// Sends bytes that draw nothing, such as a copy, outside of any frame.
    pub fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)?;
        self.sink.flush()
    }

    /// Forgets what the terminal shows, so that the next frame is painted whole.
    pub fn forget(&mut self) {
        self.shown = Shown::Unknown;
        self.cursor = None;
    }

    /// Paints the next frame over whatever is there: a terminal that had another size for a moment has lost cells, whatever its size is now.
    pub fn distrust(&mut self) {
        if let Shown::Cells(cells) = &mut self.shown {
            cells.content.fill(nowhere());
        }
    }

    /// How long to wait between two frames that no key asked for.
    pub fn interval(&self) -> Duration {
        PACE.iter().find(|(blocked, _)| self.drag <= *blocked).map_or(SLOWEST, |(_, interval)| *interval)
    }

    pub fn stats(&self) -> FrameStats {
        self.stats
    }

    /// What a frame of this size is compared with. Begins with a clear where cells are unknown or the terminal shrank under them; a terminal
    /// that grew is painted over, because clearing it would flash.
    fn comparand(&mut self, area: Rect) -> Buffer {
        // While a frame is under way the terminal's cells are unknown; an error on the way keeps it so.
        match std::mem::replace(&mut self.shown, Shown::Unknown) {
            Shown::Cells(cells) if cells.area == area => cells,
            Shown::Cells(cells) if cells.area.width <= area.width && cells.area.height <= area.height => {
                Buffer::filled(area, nowhere())
            }
            Shown::Cells(_) | Shown::Unknown => {
                self.bytes.extend_from_slice(CLEAR);
                Buffer::empty(area)
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let started = (self.clock)();
        self.sink.write_all(&self.bytes)?;
        self.sink.flush()?;
        let blocked = (self.clock)().saturating_sub(started);
        self.drag = blocked.max(self.drag * 3 / 4);
        self.stats.frames += 1;
        self.stats.last_bytes = self.bytes.len();
        self.stats.bytes += self.bytes.len() as u64;
        self.stats.last_blocked = blocked;
        Ok(())
    }
}

/// No theme blinks, so this differs from every cell that can be drawn.
fn nowhere() -> Cell {
    let mut nowhere = Cell::EMPTY;
    nowhere.modifier = Modifier::RAPID_BLINK;
    nowhere
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A terminal at the end of a line: counts writes, and each one takes so many milliseconds.
    #[derive(Default)]
    struct Line {
        writes: Vec<Vec<u8>>,
        takes: Arc<AtomicU64>,
        now: Arc<AtomicU64>,
    }

    impl Write for Line {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.now.fetch_add(self.takes.load(Ordering::SeqCst), Ordering::SeqCst);
            self.writes.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn writer() -> FrameWriter<Line> {
        let line = Line::default();
        let now = Arc::clone(&line.now);
        FrameWriter::new(line, Arc::new(move || Duration::from_millis(now.load(Ordering::SeqCst))))
    }

    fn last(writer: &FrameWriter<Line>) -> String {
        String::from_utf8_lossy(writer.sink.writes.last().unwrap()).replace('\x1b', "^")
    }

    #[test]
    fn a_frame_is_one_write_inside_a_synchronized_update() {
        let mut writer = writer();
        let bytes = writer.present(&Buffer::with_lines(["✗ hdf5", "✓ zlib"]), None).unwrap();
        assert_eq!(writer.sink.writes.len(), 1);
        assert!(last(&writer).starts_with("^[?2026h^[0m^[2J^[1;1H✗"), "{}", last(&writer));
        assert!(last(&writer).ends_with("^[?2026l"));
        assert_eq!((bytes, writer.stats().bytes), (writer.sink.writes[0].len(), bytes as u64));

        writer.present(&Buffer::with_lines(["✗ hdf5", "✗ zlib"]), None).unwrap();
        assert_eq!(writer.sink.writes.len(), 2);
        assert!(last(&writer).starts_with("^[?2026h^[2;1H✗"), "{}", last(&writer));
        assert!(!last(&writer).contains("hdf5"));
    }

    #[test]
    fn nothing_new_is_nothing_written() {
        let mut writer = writer();
        let frame = Buffer::with_lines(["filter: oom"]);
        let cursor = Some(Position::new(11, 0));
        writer.present(&frame, cursor).unwrap();
        for _ in 0..3 {
            assert_eq!(writer.present(&frame, cursor).unwrap(), 0);
        }
        assert_eq!(writer.sink.writes.len(), 1);
        writer.present(&frame, Some(Position::new(3, 0))).unwrap();
        assert_eq!(last(&writer), "^[?2026h^[1;4H^[?2026l");
        writer.present(&frame, None).unwrap();
        assert_eq!(last(&writer), "^[?2026h^[?25l^[?2026l");
        assert_eq!(writer.stats().frames, 3);
    }

    #[test]
    fn a_resize_clears_only_when_the_terminal_shrank() {
        let mut writer = writer();
        let frame = |w, h| Buffer::filled(Rect::new(0, 0, w, h), Cell::new("x"));
        writer.present(&frame(4, 2), None).unwrap();
        let mut grown = Buffer::empty(Rect::new(0, 0, 6, 2));
        grown.set_string(0, 0, "ab", ratatui::style::Style::new());
        writer.present(&grown, None).unwrap();
        assert!(!last(&writer).contains("^[2J"));
        // Blank cells are painted too: what the terminal kept there is not known.
        assert!(last(&writer).contains("ab    ^[2;1H      "), "{}", last(&writer));
        writer.present(&frame(6, 1), None).unwrap();
        assert!(last(&writer).contains("^[2J^[1;1Hxxxxxx"));
        writer.forget();
        writer.present(&frame(6, 1), None).unwrap();
        assert!(last(&writer).contains("^[2J^[1;1Hxxxxxx"));
        // It was smaller for a moment, between two frames of the same size.
        writer.distrust();
        writer.present(&frame(6, 1), None).unwrap();
        assert!(last(&writer).contains("^[1;1Hxxxxxx") && !last(&writer).contains("^[2J"), "{}", last(&writer));
    }

    #[test]
    fn a_slow_line_gets_fewer_frames_and_recovers() {
        let mut writer = writer();
        let mut n = 0;
        let mut draw = |writer: &mut FrameWriter<Line>, takes: u64| {
            writer.sink.takes.store(takes, Ordering::SeqCst);
            n += 1;
            writer.present(&Buffer::with_lines([format!("frame {n:4}")]), None).unwrap();
            writer.interval().as_millis()
        };
        assert_eq!(draw(&mut writer, 2), 33);
        assert_eq!(draw(&mut writer, 80), 33);
        assert_eq!(draw(&mut writer, 81), 100);
        assert_eq!(draw(&mut writer, 900), 250);
        let recovery: Vec<_> = (0..10).map(|_| draw(&mut writer, 1)).collect();
        assert_eq!(recovery, [250, 250, 250, 250, 100, 100, 100, 100, 33, 33]);
    }

    #[test]
    fn a_hostile_cell_is_shown_not_obeyed() {
        let mut writer = writer();
        let mut frame = Buffer::with_lines(["ab"]);
        frame.content[1].set_symbol("\x1b]0;pwned\x07");
        writer.present(&frame, None).unwrap();
        assert!(last(&writer).contains("a␛") && !last(&writer).contains("pwned"), "{}", last(&writer));
    }

    #[test]
    fn a_wide_letter_and_a_failed_write_do_not_leave_ghosts() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut broken = FrameWriter::new(Broken, Arc::new(Duration::default));
        assert!(broken.present(&Buffer::with_lines(["x"]), None).is_err());
        assert!(matches!(broken.shown, Shown::Unknown));

        let mut writer = writer();
        writer.present(&Buffer::with_lines(["日本"]), None).unwrap();
        writer.present(&Buffer::with_lines(["ab本"]), None).unwrap();
        assert!(last(&writer).contains("ab"), "{}", last(&writer));
    }
}
