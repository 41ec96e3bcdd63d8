//! The time stamp that gitlab-runner may put before each line: `2026-01-01T00:00:00.000000Z 01O text`.
//!
//! The two digits and the letter name the stream (which process wrote it, `O`ut or `E`rror). The next byte is a space on a new line and `+`
//! where the text goes on from the line before, because the runner had to flush in the middle of it.

use crate::ci::Timestamp;

/// Bytes that the stamp takes at the start of a line, its flag included.
pub const STAMP: usize = 32;
const TIME: usize = 27;

/// Which stream a stamped line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream([u8; 3]);

/// A stamp, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp<'a> {
    time: &'a [u8],
    pub stream: Stream,
    /// The text goes on from the line before.
    pub goes_on: bool,
}

impl<'a> Stamp<'a> {
    /// Reads the stamp at the start of a line.
    pub fn read(line: &'a [u8]) -> Option<Self> {
        let (stamp, _) = line.split_at_checked(STAMP)?;
        let (time, rest) = stamp.split_at_checked(TIME)?;
        let &[b' ', a, b, kind, flag] = rest else { return None };
        let digits = time.iter().zip(b"0000-00-00T00:00:00.000000Z").all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            literal => byte == literal,
        });
        let stream = a.is_ascii_hexdigit() && b.is_ascii_hexdigit() && matches!(kind, b'O' | b'E');
        (digits && stream && matches!(flag, b' ' | b'+')).then_some(Self {
            time,
            stream: Stream([a, b, kind]),
            goes_on: flag == b'+',
        })
    }

    /// The moment it names.
    pub fn time(self) -> Option<Timestamp> {
        Timestamp::parse(std::str::from_utf8(self.time).ok()?)
    }
}

/// Decides, line of bytes by line of bytes, whether a new line of the log begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Joiner {
    last: Option<Stream>,
}

impl Joiner {
    /// Whether the bytes after a newline begin a line of their own. `line` needs its first [`STAMP`] bytes only.
    pub fn begins(&mut self, line: &[u8]) -> bool {
        let stamp = Stamp::read(line);
        let goes_on = stamp.is_some_and(|s| s.goes_on && self.last == Some(s.stream));
        self.last = stamp.map(|s| s.stream);
        !goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_and_lookalikes_are_not() {
        let stamp = Stamp::read(b"2026-01-02T13:08:19.007919Z 01O+text").unwrap();
        assert!(stamp.goes_on);
        assert_eq!(stamp.time(), Timestamp::parse("2026-01-02T13:08:19.007Z"));
        for other in
            ["2026-01-02T13:08:19.007919Z 01X text", "2026-01-02 13:08:19.007919Z 01O text", "2026-01-02T13", ""]
        {
            assert_eq!(Stamp::read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn only_the_same_stream_goes_on() {
        let mut joiner = Joiner::default();
        assert!(joiner.begins(b"2026-01-02T13:08:19.007919Z 01O one"));
        assert!(!joiner.begins(b"2026-01-02T13:08:20.007919Z 01O+ two"));
        assert!(joiner.begins(b"2026-01-02T13:08:20.007919Z 01E+ err"));
        assert!(joiner.begins(b"2026-01-02T13:08:20.007919Z 01O+ out"));
    }
}
