//! How long a job will wait for a runner of its class, as an interval, and how good such forecasts were.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Knob, Thresholds};
use crate::ci::{JobId, Timestamp};

const SHORT: Duration = Duration::from_mins(15);
const LONG: Duration = Duration::from_hours(1);
/// Forecasts that are remembered until they are settled, and settled ones that are scored.
const MOST: usize = 2_000;

/// A wait to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    pub low: Duration,
    pub likely: Duration,
    pub high: Duration,
}

/// Why there is no forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoForecast {
    /// So many jobs started in 15 min: too few to tell a rate.
    TooFewStarts(usize),
    /// Starts were not watched for 15 min yet.
    WatchedTooShort,
}

/// Forecasts the wait behind `ahead` jobs, from the moments at which the class started jobs, as watched since `since`.
pub fn forecast(
    ahead: u64,
    starts: &[Timestamp],
    since: Timestamp,
    thresholds: &Thresholds,
    now: Timestamp,
) -> Result<Forecast, NoForecast> {
    let watched = now.since(since);
    if watched < SHORT {
        return Err(NoForecast::WatchedTooShort);
    }
    let within =
        |window: Duration| starts.iter().filter(|at| **at <= now && now.since(**at) <= window && **at >= since).count();
    let few = within(SHORT);
    if few == 0 || (few as f64) < thresholds.get(Knob::FewestStarts) {
        return Err(NoForecast::TooFewStarts(few));
    }
    let rate = |window: Duration| within(window) as f64 / window.as_secs_f64();
    let wait = |rate: f64| Duration::try_from_secs_f64(ahead as f64 / rate).unwrap_or(Duration::MAX);
    let (short, long) = (wait(rate(SHORT)), wait(rate(LONG.min(watched))));
    Ok(Forecast { low: short.min(long), likely: short, high: short.max(long) })
}

/// How good forecasts were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Forecasts that were settled.
    pub settled: usize,
    /// The share whose wait lay in the interval.
    pub inside: f64,
    /// How far off `likely` was on average.
    pub error: Duration,
    /// Positive: waits were longer than told. In seconds, on average.
    pub bias: f64,
}

/// Forecasts, until what was forecast has happened.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    open: VecDeque<(JobId, Timestamp, Forecast)>,
    settled: VecDeque<(Forecast, Duration)>,
}

impl Scores {
    /// Remembers what was told about a job at a moment; only the first word about a job counts.
    pub fn told(&mut self, job: JobId, at: Timestamp, forecast: Forecast) {
        if self.open.iter().any(|(open, ..)| *open == job) {
            return;
        }
        if self.open.len() >= MOST {
            self.open.pop_front();
        }
        self.open.push_back((job, at, forecast));
    }

    /// A job was taken by a runner.
    pub fn started(&mut self, job: JobId, at: Timestamp) {
        let Some(place) = self.open.iter().position(|(open, ..)| *open == job) else { return };
        let Some((_, told, forecast)) = self.open.remove(place) else { return };
        if self.settled.len() >= MOST {
            self.settled.pop_front();
        }
        self.settled.push_back((forecast, at.since(told)));
    }

    /// A job left the queue otherwise: what was told of it is no forecast of anything.
    pub fn dropped(&mut self, job: JobId) {
        self.open.retain(|(open, ..)| *open != job);
    }

    /// How good they were; `None` while nothing was settled.
    pub fn score(&self) -> Option<Score> {
        let settled = self.settled.len();
        if settled == 0 {
            return None;
        }
        let n = settled as f64;
        let inside = self.settled.iter().filter(|(f, waited)| (f.low..=f.high).contains(waited)).count();
        let error: f64 = self.settled.iter().map(|(f, waited)| waited.abs_diff(f.likely).as_secs_f64()).sum();
        let bias: f64 = self.settled.iter().map(|(f, waited)| waited.as_secs_f64() - f.likely.as_secs_f64()).sum();
        let error = Duration::try_from_secs_f64(error / n).unwrap_or(Duration::MAX);
        Some(Score { settled, inside: inside as f64 / n, error, bias: bias / n })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(100_000_000)
    }

    fn starts(minutes: &[i64]) -> Vec<Timestamp> {
        minutes.iter().map(|ago| now().shifted(-ago * 60_000)).collect()
    }

    fn told(ahead: u64, at: &[i64], watched: i64) -> Result<Forecast, NoForecast> {
        forecast(ahead, &starts(at), now().shifted(-watched * 60_000), &Thresholds::default(), now())
    }

    #[test]
    fn the_wait_is_the_queue_over_the_rate_and_the_hour_widens_it() {
        // 15 in 15 min: one a minute; 30 in the hour: one in two minutes.
        let at: Vec<i64> = (0..15).chain((16..46).step_by(2)).collect();
        let forecast = told(30, &at, 600).unwrap();
        assert_eq!(
            (forecast.likely, forecast.low, forecast.high),
            (Duration::from_mins(30), Duration::from_mins(30), Duration::from_mins(60))
        );
        assert_eq!(told(0, &at, 600).unwrap().high, Duration::ZERO);
    }

    #[test]
    fn too_little_is_unknown() {
        assert_eq!(told(3, &[1, 2, 3, 4], 600), Err(NoForecast::TooFewStarts(4)));
        assert!(told(3, &[1, 2, 3, 4, 5], 600).is_ok());
        assert_eq!(told(3, &[16, 17, 18, 19, 20, 21], 600), Err(NoForecast::TooFewStarts(0)));
        assert_eq!(told(3, &[1, 2, 3, 4, 5], 14), Err(NoForecast::WatchedTooShort));
        assert_eq!(told(3, &[-1, -2, -3, -4, -5], 600), Err(NoForecast::TooFewStarts(0)), "starts in the future");
        let mut lax = Thresholds::default();
        lax.set("fewest_starts", 0.0).unwrap();
        assert_eq!(
            forecast(1, &[], now().shifted(-3_600_000), &lax, now()),
            Err(NoForecast::TooFewStarts(0)),
            "no rate from nothing"
        );
    }

    #[test]
    fn a_short_watch_is_no_slow_hour() {
        // Watched for 20 min, 20 starts: the rate of the hour is that of 20 min.
        let forecast = told(10, &(0..20).collect::<Vec<_>>(), 20).unwrap();
        assert!(forecast.high <= Duration::from_secs(601), "{forecast:?}");
    }

    #[test]
    fn forecasts_are_scored_once_settled() {
        let mut scores = Scores::default();
        assert_eq!(scores.score(), None);
        let minutes = Duration::from_mins;
        let told = Forecast { low: minutes(5), likely: minutes(10), high: minutes(20) };
        for job in 1..=4 {
            scores.told(JobId(job), now(), told);
        }
        scores.told(
            JobId(1),
            now().plus(minutes(4)),
            Forecast { low: minutes(1), likely: minutes(1), high: minutes(1) },
        );
        scores.started(JobId(1), now().plus(minutes(12)));
        scores.started(JobId(2), now().plus(minutes(30)));
        scores.dropped(JobId(3));
        scores.started(JobId(3), now().plus(minutes(1)));
        let score = scores.score().unwrap();
        assert_eq!((score.settled, score.error), (2, minutes(11)));
        assert!((score.inside - 0.5).abs() < 1e-9 && (score.bias - 660.0).abs() < 1e-9);
    }
}
