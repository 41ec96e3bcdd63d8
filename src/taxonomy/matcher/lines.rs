//! From bytes in pieces of any size to the lines of the log, as they came: without their stamps, and joined where the runner had to flush.
//!
//! The result depends on the bytes alone, not on how they were cut up. Of a line that is longer than 64 KiB only both ends are kept.

use memchr::{memchr, memchr_iter};

use crate::ci::log::{Joiner, STAMP, Stamp};

/// What is kept of either end of a longer line.
const END: usize = 32 * 1024;
const LONGEST: usize = 2 * END;

/// A line of the log. `tail` is empty unless the line was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw<'a> {
    /// From 1.
    pub line: u64,
    /// Of its first byte, in the log as it came.
    pub offset: u64,
    pub head: &'a [u8],
    pub tail: &'a [u8],
}

/// Bytes of one line that arrive in pieces, of which only both ends are kept.
#[derive(Debug, Clone, Default)]
struct Ends {
    bytes: Vec<u8>,
    /// Where bytes were left out.
    seam: Option<usize>,
}

impl Ends {
    fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() <= 2 * LONGEST {
            self.bytes.extend_from_slice(bytes);
            return;
        }
        let (front, rest) = match self.seam {
            Some(_) => (&[][..], bytes),
            None => bytes.split_at_checked(END.saturating_sub(self.bytes.len())).unwrap_or((bytes, &[])),
        };
        self.bytes.extend_from_slice(front);
        let last = rest.get(rest.len().saturating_sub(END)..).unwrap_or_default();
        self.bytes.extend_from_slice(last);
        self.leave_out(END);
    }

    /// Leaves out all between the first end and so many last bytes.
    fn leave_out(&mut self, last: usize) {
        let seam = self.seam.unwrap_or(END).min(self.bytes.len());
        self.bytes.drain(seam..self.bytes.len().saturating_sub(last).max(seam));
        self.seam = Some(seam);
    }

    fn shorten(&mut self) {
        if self.bytes.len() > LONGEST {
            self.leave_out(END);
        }
    }

    /// Appends another line's text, without its first bytes.
    fn append(&mut self, other: &mut Self, from: usize) {
        other.shorten();
        let cut = other.seam.is_some();
        let (head, tail) = other.ends();
        self.push(head.get(from..).unwrap_or_default());
        if cut && self.seam.is_none() {
            self.leave_out(0);
        }
        self.push(tail);
    }

    fn ends(&mut self) -> (&[u8], &[u8]) {
        self.shorten();
        let seam = self.seam.unwrap_or(self.bytes.len());
        self.bytes.split_at_checked(seam).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(LONGEST);
        self.seam = None;
    }
}

/// Cuts a log into lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    /// Bytes taken.
    total: u64,
    /// Lines told, and in a log with stamps the one that may go on.
    count: u64,
    /// The bytes since the last newline, and where they begin.
    partial: Ends,
    partial_at: u64,
    /// The log has stamps; `None` before its first line is complete.
    stamped: Option<bool>,
    joiner: Joiner,
    /// In a log with stamps: the line that may go on in the next one.
    waiting: Option<(u64, Ends)>,
}

impl Lines {
    /// Bytes taken so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the log ends inside a line.
    pub fn is_inside(&self) -> bool {
        self.partial_at < self.total
    }

    /// Takes bytes and tells every line that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Raw<'_>)) {
        while !bytes.is_empty() {
            let mut used = 0;
            if !self.is_inside() && self.stamped == Some(false) {
                used = self.take_lines(bytes, &mut tell);
            }
            if used == 0 {
                used = self.take_line(bytes, &mut tell);
            }
            bytes = bytes.get(used..).unwrap_or_default();
        }
    }

    /// Takes whole lines from the front, in a log without stamps, and returns how many bytes they are. Stops before a line that is too long.
    fn take_lines(&mut self, bytes: &[u8], tell: &mut impl FnMut(Raw<'_>)) -> usize {
        let mut start = 0;
        for newline in memchr_iter(b'\n', bytes) {
            let head = bytes.get(start..newline).unwrap_or_default();
            if head.len() > LONGEST {
                break;
            }
            self.count += 1;
            tell(Raw { line: self.count, offset: self.total + start as u64, head, tail: &[] });
            start = newline + 1;
        }
        self.total += start as u64;
        self.partial_at = self.total;
        start
    }

    /// No more bytes will come: tells the lines that are left.
    pub fn finish(&mut self, mut tell: impl FnMut(Raw<'_>)) {
        if self.is_inside() {
            self.end_line(&mut tell);
        }
        self.tell_waiting(&mut tell);
    }

    /// Takes the bytes up to the next newline.
    fn take_line(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Raw<'_>)) -> usize {
        let newline = memchr(b'\n', bytes);
        self.partial.push(bytes.get(..newline.unwrap_or(bytes.len())).unwrap_or_default());
        let used = newline.map_or(bytes.len(), |n| n + 1);
        self.total += used as u64;
        if newline.is_some() {
            self.end_line(tell);
        }
        used
    }

    fn end_line(&mut self, tell: &mut dyn FnMut(Raw<'_>)) {
        let mut partial = std::mem::take(&mut self.partial);
        let offset = std::mem::replace(&mut self.partial_at, self.total);
        let stamped = *self.stamped.get_or_insert_with(|| Stamp::read(&partial.bytes).is_some());
        if stamped {
            let text = if Stamp::read(&partial.bytes).is_some() { STAMP } else { 0 };
            let begins = self.joiner.begins(&partial.bytes);
            match &mut self.waiting {
                Some((_, waiting)) if !begins => waiting.append(&mut partial, text),
                _ => {
                    self.tell_waiting(tell);
                    self.count += 1;
                    let mut waiting = Ends::default();
                    waiting.append(&mut partial, text);
                    self.waiting = Some((offset, waiting));
                }
            }
        } else {
            self.count += 1;
            let (head, tail) = partial.ends();
            tell(Raw { line: self.count, offset, head, tail });
        }
        partial.clear();
        self.partial = partial;
    }

    fn tell_waiting(&mut self, tell: &mut dyn FnMut(Raw<'_>)) {
        if let Some((offset, mut waiting)) = self.waiting.take() {
            let (head, tail) = waiting.ends();
            tell(Raw { line: self.count, offset, head, tail });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&[u8]]) -> Vec<(u64, u64, String, String)> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut tell = |raw: Raw<'_>| all.push((raw.line, raw.offset, text(raw.head), text(raw.tail)));
        for piece in pieces {
            lines.feed(piece, &mut tell);
        }
        lines.finish(&mut tell);
        all
    }

    fn short(pieces: &[&[u8]]) -> Vec<(u64, u64, String)> {
        told(pieces).into_iter().map(|(line, offset, head, _)| (line, offset, head)).collect()
    }

    #[test]
    fn lines_have_numbers_and_places() {
        assert_eq!(short(&[b"a\r\n\nb"]), [(1, 0, "a\r".into()), (2, 3, String::new()), (3, 4, "b".into())]);
        assert_eq!(short(&[]), []);
        assert_eq!(short(&[b"\n"]), [(1, 0, String::new())]);
    }

    #[test]
    fn stamped_lines_go_on_within_their_stream() {
        let log = b"2026-01-02T13:08:19.007919Z 01O one \n2026-01-02T13:08:20.007919Z 01O+two\n\
            2026-01-02T13:08:20.007919Z 01E+three\nno stamp\n2026-01-02T13";
        let want = [(1, 0, "one two"), (2, 73, "three"), (3, 111, "no stamp"), (4, 120, "2026-01-02T13")];
        let want = want.map(|(line, offset, text): (u64, u64, &str)| (line, offset, text.to_owned()));
        assert_eq!(short(&[log]), want);
        for cut in 0..log.len() {
            assert_eq!(short(&[&log[..cut], &log[cut..]]), want, "cut at {cut}");
        }
    }

    #[test]
    fn of_a_long_line_both_ends_are_kept() {
        for (stamp, len) in
            [("", 64 * 1024), ("", 64 * 1024 + 1), ("", 400_000), ("2026-01-02T13:08:19.007919Z 01O ", 400_000)]
        {
            let mut log = format!("{stamp}first\n{stamp}").into_bytes();
            log.extend((0..len).map(|n| b'a' + (n / 1000 % 26) as u8));
            log.extend(b"\nlast");
            let whole = told(&[&log]);
            assert_eq!(whole.len(), 3);
            let (_, _, head, tail) = &whole[1];
            if len > LONGEST {
                assert_eq!((head.len(), tail.len()), (END - stamp.len(), END));
                assert!(tail.ends_with(char::from(b'a' + ((len - 1) / 1000 % 26) as u8)));
            } else {
                assert_eq!((head.len(), tail.len()), (len, 0));
            }
            for size in [1, 7, 31, 1000, 65_535, 65_536, 65_537, 100_000, 200_000] {
                let pieces: Vec<&[u8]> = log.chunks(size).collect();
                assert_eq!(told(&pieces), whole, "pieces of {size}");
            }
        }
    }

    #[test]
    fn a_line_of_any_length_takes_bounded_memory() {
        let mut lines = Lines::default();
        for _ in 0..2_000 {
            lines.feed(&[b'x'; 10_000], |_| panic!("no line has ended"));
            assert!(lines.partial.bytes.capacity() <= 4 * LONGEST);
        }
    }
}
