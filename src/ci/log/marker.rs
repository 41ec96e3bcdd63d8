//! The marks by which gitlab-runner opens and closes the sections of a log: `section_start:UNIX:name[options]\r\x1b[0K`.

use memchr::memmem;

use crate::ci::Timestamp;

/// One marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker<'a> {
    pub opens: bool,
    pub time: Option<Timestamp>,
    pub name: &'a str,
    /// The runner asks to show the section folded.
    pub collapsed: bool,
}

impl<'a> Marker<'a> {
    /// Reads `section_start:UNIX:name[options]\r` and returns what follows it.
    pub fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (opens, rest) = match (bytes.strip_prefix(b"section_start:"), bytes.strip_prefix(b"section_end:")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return None,
        };
        let digits = rest.iter().take(12).take_while(|b| b.is_ascii_digit()).count();
        let (unix, rest) = rest.split_at_checked(digits)?;
        let rest = rest.strip_prefix(b":")?;
        let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'_' | b'.' | b'-');
        let (name, rest) = rest.split_at_checked(rest.iter().take(64).take_while(is_name).count())?;
        let (options, rest) = match rest.strip_prefix(b"[") {
            Some(options) => options.split_at_checked(options.iter().take(64).position(|b| *b == b']')? + 1)?,
            None => (&[][..], rest),
        };
        let unix: Option<i64> = std::str::from_utf8(unix).ok()?.parse().ok();
        let marker = Self {
            opens,
            time: unix.map(|s| Timestamp::from_millis(s * 1_000)),
            name: std::str::from_utf8(name).ok().filter(|n| !n.is_empty())?,
            collapsed: memmem::find(options, b"collapsed=true").is_some(),
        };
        Some((marker, rest.strip_prefix(b"\r")?))
    }
}
