//! Moments and lengths of time. No clock is read here: `now` is always an argument.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes a moment from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Parses ISO 8601 as GitLab writes it: with or without milliseconds, `Z` or an offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.timestamp_millis()))
    }

    /// Parses the `Date` header of an HTTP answer.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc2822(text).ok().map(|t| Self(t.timestamp_millis()))
    }

    /// The time that passed since `earlier`; zero when `earlier` lies in the future (clocks differ).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment, moved by a signed number of milliseconds.
    pub const fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This moment plus a length of time.
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
    }

    /// `03:12:07`, UTC.
    pub fn clock(self) -> String {
        self.utc().format("%H:%M:%S").to_string()
    }

    /// The moment as `YYYYMMDD-HHMM`, UTC: how CDash stamps begin.
    pub fn compact(self) -> String {
        self.utc().format("%Y%m%d-%H%M").to_string()
    }

    /// `Mon, 23 Nov 2026 03:12:07 GMT`, as HTTP headers carry it.
    pub fn http_date(self) -> String {
        self.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an ISO 8601 time")))
    }
}

/// Writes a length of time the way the console shows ages: `4s`, `12m`, `1h12`, `9d`.
pub fn short(length: Duration) -> String {
    let s = length.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m", s / 60),
        3_600..36_000 => format!("{}h{:02}", s / 3_600, s % 3_600 / 60),
        36_000..172_800 => format!("{}h", s / 3_600),
        _ => format!("{}d", s / 86_400),
    }
}

/// Writes a length of time with seconds while they matter: `41s`, `6m02`, `1h40`.
pub fn precise(length: Duration) -> String {
    let s = length.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m{:02}", s / 60, s % 60),
        _ => short(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gitlab_times_parse_and_print() {
        let t = Timestamp::parse("2026-05-01T10:00:05.123Z").unwrap();
        assert_eq!(t.to_string(), "2026-05-01T10:00:05.123Z");
        assert_eq!(Timestamp::parse("2026-05-01T12:00:05.123+02:00"), Some(t));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse_http_date(&t.http_date()), Some(t.shifted(-123)));
    }

    #[test]
    fn ages_are_short_and_never_negative() {
        let t = Timestamp::from_millis(1_000_000);
        assert_eq!(t.since(t.plus(Duration::from_secs(9))), Duration::ZERO);
        for (s, want) in [(4, "4s"), (720, "12m"), (4_320, "1h12"), (43_200, "12h"), (777_600, "9d")] {
            assert_eq!(short(Duration::from_secs(s)), want);
        }
        assert_eq!(precise(Duration::from_secs(362)), "6m02");
    }
}
