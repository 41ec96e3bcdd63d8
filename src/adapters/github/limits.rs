//! GitHub's limits: so many requests an hour for each of its two dialects, and a second limit on everything when somebody is too fast. Pure:
//! `now` is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::ci::Timestamp;

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Rest,
    GraphQl,
}

/// What is left of an hour's requests, as GitHub last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub limit: u64,
    pub remaining: u64,
}

impl Quota {
    /// Less than a tenth is left: only what cannot wait should be asked.
    pub const fn is_low(self) -> bool {
        self.remaining < self.limit.div_ceil(10)
    }
}

/// The state of all limits of one client.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// For everything: the second limit.
    silent_until: Option<Timestamp>,
    /// How often in a row the second limit came without saying for how long.
    strikes: u32,
    rest: Primary,
    graphql: Primary,
    writes: VecDeque<Timestamp>,
}

#[derive(Debug, Default)]
struct Primary {
    empty_until: Option<Timestamp>,
    quota: Option<Quota>,
}

impl Limits {
    const MINUTE: Duration = Duration::from_secs(60);
    /// The longest that a limit lasts; a larger number is a mistake or malice.
    const HOUR: Duration = Duration::from_secs(3_600);
    const WRITES_A_MINUTE: usize = 80;
    const WRITES_AN_HOUR: usize = 500;

    /// When the next request may be sent; not later than `now` if at once.
    pub fn next(&self, dialect: Dialect, now: Timestamp) -> Timestamp {
        let of = self.primary(dialect).empty_until;
        [self.silent_until, of].into_iter().flatten().fold(now, Ord::max)
    }

    /// When the next write may be sent.
    pub fn next_write(&self, between: Duration, now: Timestamp) -> Timestamp {
        let nth_last = |most: usize| self.writes.len().checked_sub(most).and_then(|at| self.writes.get(at));
        let waits = [
            nth_last(1).map(|at| at.plus(between)),
            nth_last(Self::WRITES_A_MINUTE).map(|at| at.plus(Self::MINUTE)),
            nth_last(Self::WRITES_AN_HOUR).map(|at| at.plus(Self::HOUR)),
        ];
        waits.into_iter().flatten().fold(self.next(Dialect::Rest, now), Ord::max)
    }

    /// A write is sent.
    pub fn wrote(&mut self, now: Timestamp) {
        self.writes.push_back(now);
        if self.writes.len() > Self::WRITES_AN_HOUR {
            self.writes.pop_front();
        }
    }

    /// Reads an answer. When it is a limit, tells until when it holds.
    pub fn heard(
        &mut self,
        dialect: Dialect,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        // The reset is a moment of the server's clock.
        let date = headers.get("date").and_then(|date| Timestamp::parse_http_date(date.to_str().ok()?));
        let reset = number("x-ratelimit-reset").and_then(|at| i64::try_from(at).ok()).map(|seconds| {
            let at = Timestamp::from_millis(seconds.saturating_mul(1_000));
            now.plus(at.since(date.unwrap_or(now)).min(Self::HOUR))
        });
        let remaining = number("x-ratelimit-remaining");
        if let (Some(limit), Some(remaining)) = (number("x-ratelimit-limit"), remaining) {
            self.primary_mut(dialect).quota = Some(Quota { limit, remaining });
        }
        let is_refusal = matches!(status.as_u16(), 403 | 429);
        if remaining == Some(0) {
            self.primary_mut(dialect).empty_until = reset;
        }
        if !is_refusal {
            self.strikes = 0;
            return None;
        }
        if let Some(seconds) = number("retry-after") {
            let until = now.plus(Duration::from_secs(seconds).min(Self::HOUR));
            self.silent_until = self.silent_until.max(Some(until));
            return Some(until);
        }
        if remaining == Some(0)
            && let Some(until) = reset
        {
            return Some(until);
        }
        let says = |words: &str| memchr::memmem::find(&body.to_ascii_lowercase(), words.as_bytes()).is_some();
        if status == StatusCode::TOO_MANY_REQUESTS || says("rate limit") || says("abuse detection") {
            let length = Self::MINUTE.saturating_mul(1 << self.strikes.min(6)).min(Self::HOUR);
            self.strikes = self.strikes.saturating_add(1);
            let until = now.plus(length);
            self.silent_until = self.silent_until.max(Some(until));
            return Some(until);
        }
        None
    }

    pub fn quota(&self, dialect: Dialect) -> Option<Quota> {
        self.primary(dialect).quota
    }

    fn primary(&self, dialect: Dialect) -> &Primary {
        match dialect {
            Dialect::Rest => &self.rest,
            Dialect::GraphQl => &self.graphql,
        }
    }

    fn primary_mut(&mut self, dialect: Dialect) -> &mut Primary {
        match dialect {
            Dialect::Rest => &mut self.rest,
            Dialect::GraphQl => &mut self.graphql,
        }
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "cases are numbered as in the reference")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn heard(limits: &mut Limits, status: u16, headers: &[(&'static str, String)], body: &str) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let status = StatusCode::from_u16(status).unwrap();
        let until = limits.heard(Dialect::Rest, status, &headers, body.as_bytes(), NOW);
        until.map(|until| until.since(NOW).as_secs())
    }

    #[test]
    fn case_E19_nothing_is_sent_while_github_asks_for_silence() {
        let mut limits = Limits::default();
        assert_eq!(heard(&mut limits, 403, &[("retry-after", "60".into())], "{}"), Some(60));
        for dialect in [Dialect::Rest, Dialect::GraphQl] {
            assert_eq!(limits.next(dialect, NOW), NOW.shifted(60_000));
        }
        assert_eq!(limits.next(Dialect::Rest, NOW.shifted(60_000)), NOW.shifted(60_000));
    }

    #[test]
    fn case_E20_without_a_header_it_is_a_minute_and_doubles() {
        let mut limits = Limits::default();
        let body = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        let remaining = || [("x-ratelimit-remaining", "4000".to_owned())];
        let waits: Vec<_> = (0..8).map(|_| heard(&mut limits, 403, &remaining(), body).unwrap()).collect();
        assert_eq!(waits, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!(heard(&mut limits, 200, &remaining(), ""), None);
        assert_eq!(heard(&mut limits, 403, &remaining(), body), Some(60), "a success starts afresh");
        assert_eq!(heard(&mut limits, 403, &remaining(), r#"{"message":"Must have push access"}"#), None);
    }

    #[test]
    fn case_E21_an_empty_hour_stops_its_own_dialect_until_the_reset() {
        let mut limits = Limits::default();
        // GitHub's clock is five minutes ahead of ours.
        let server = NOW.shifted(300_000);
        let reset = (server.shifted(1_200_000).millis() / 1_000).to_string();
        let headers = [
            ("x-ratelimit-limit", "5000".to_owned()),
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", reset),
            ("date", server.http_date()),
        ];
        assert_eq!(heard(&mut limits, 429, &headers, ""), Some(1_200));
        assert_eq!(limits.next(Dialect::Rest, NOW), NOW.shifted(1_200_000));
        assert_eq!(limits.next(Dialect::GraphQl, NOW), NOW);
        assert!(limits.quota(Dialect::Rest).unwrap().is_low() && limits.quota(Dialect::GraphQl).is_none());
        let mut limits = Limits::default();
        assert_eq!(heard(&mut limits, 200, &headers, ""), None);
        assert_eq!(limits.next(Dialect::Rest, NOW), NOW.shifted(1_200_000), "the last request is told as a success");
    }

    #[test]
    fn writes_come_one_by_one_and_never_more_than_github_takes() {
        let mut limits = Limits::default();
        let (mut now, between) = (NOW, Duration::from_millis(100));
        let mut sent = Vec::new();
        for _ in 0..700 {
            now = limits.next_write(between, now);
            limits.wrote(now);
            sent.push(now.since(NOW).as_millis());
        }
        let most = |length: u128| {
            let within = |begin: &u128| sent.iter().filter(|at| (*begin..*begin + length).contains(*at)).count();
            sent.iter().map(within).max().unwrap()
        };
        assert_eq!((most(100), most(60_000), most(3_600_000)), (1, 80, 500));
    }
}
