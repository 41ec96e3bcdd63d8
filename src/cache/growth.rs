//! Growth: what stored samples of one root tell about its past.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Amount, Contents, Health, Sizes};
use crate::ci::Timestamp;

/// What a root was at one moment. Samples are kept, so that sizes can be told at once and growth at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The address of the root.
    pub url: Arc<str>,
    /// When it was listed, by the server's clock.
    pub at: Timestamp,
    /// How far that clock was ahead of ours, in milliseconds; 0 where nothing tells.
    pub skew_ms: i64,
    pub sizes: Sizes,
    /// Blobs that no manifest names; `None` where nobody looked, or not everything could be read.
    pub orphans: Option<Amount>,
    /// Specs without a binary; `None` likewise.
    pub holes: Option<u64>,
    /// The worst that was found, as a word of [`super::Severity`]; `None` while nobody looked.
    pub state: Option<super::Severity>,
}

impl Sample {
    /// Of a root whose keys were listed, and nothing more.
    pub fn listed(url: &str, at: Timestamp, skew_ms: Option<i64>, sizes: Sizes) -> Self {
        Self { url: url.into(), at, skew_ms: skew_ms.unwrap_or(0), sizes, orphans: None, holes: None, state: None }
    }

    /// Of a root that somebody looked into.
    pub fn of(url: &str, contents: &Contents, health: &Health, now: Timestamp) -> Self {
        let orphans = health.orphans.as_ref().zip(health.orphan_bytes);
        Self {
            url: url.into(),
            at: contents.listed_at.unwrap_or(now),
            skew_ms: contents.skew_ms.unwrap_or(0),
            sizes: Sizes::of(contents),
            orphans: orphans.map(|(blobs, bytes)| Amount { objects: blobs.len() as u64, bytes }),
            holes: health.is_whole.then_some(health.holes.len() as u64),
            state: Some(health.state()),
        }
    }
}

/// The most samples apart that a growth may be told from: an older one says little about today.
const REACH: i64 = 4;

/// Bytes that came to a root in a length of time, by its samples (oldest first); negative where it shrank. `None` where no sample is old enough
/// or the nearest is more than four times as old.
pub fn growth(samples: &[Sample], length: Duration) -> Option<i64> {
    let newest = samples.last()?;
    let length = i64::try_from(length.as_millis()).ok().filter(|length| *length > 0)?;
    let wanted = newest.at.shifted(-length);
    let before = samples.iter().rev().find(|sample| sample.at <= wanted)?;
    let apart = newest.at.millis().checked_sub(before.at.millis()).filter(|apart| *apart <= length * REACH)?;
    let grown = i128::from(newest.sizes.total().bytes) - i128::from(before.sizes.total().bytes);
    i64::try_from(grown * i128::from(length) / i128::from(apart.max(1))).ok()
}

/// One value per step of time, the newest last: the bytes of the newest sample by the end of each; `None` before the first.
pub fn history(samples: &[Sample], until: Timestamp, step: Duration, steps: usize) -> Vec<Option<u64>> {
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let end = |nth: usize| until.shifted(-step.saturating_mul((steps - 1 - nth) as i64));
    let by = |at: Timestamp| samples.iter().rev().find(|sample| sample.at <= at);
    (0..steps).map(|nth| by(end(nth)).map(|sample| sample.sizes.total().bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn samples(sizes: &[(i64, u64)]) -> Vec<Sample> {
        let sample = |(hours, bytes): &(i64, u64)| Sample {
            url: "s3://b/develop".into(),
            at: Timestamp::from_millis(hours * 3_600_000),
            skew_ms: 0,
            sizes: Sizes { blobs: Amount { objects: 1, bytes: *bytes }, ..Sizes::default() },
            orphans: None,
            holes: None,
            state: None,
        };
        sizes.iter().map(sample).collect()
    }

    #[test]
    fn growth_is_told_per_day_or_not_at_all() {
        assert_eq!(growth(&samples(&[]), DAY), None);
        assert_eq!(growth(&samples(&[(100, 5)]), DAY), None);
        assert_eq!(growth(&samples(&[(99, 4), (100, 5)]), DAY), None, "an hour says nothing about a day");
        assert_eq!(growth(&samples(&[(0, 100), (24, 300), (36, 250)]), DAY), Some(100));
        assert_eq!(growth(&samples(&[(0, 100), (23, 1), (24, 300)]), DAY), Some(200));
        assert_eq!(growth(&samples(&[(0, 300), (24, 100)]), DAY), Some(-200));
        assert_eq!(growth(&samples(&[(0, 100), (500, 300)]), DAY), None, "too long ago");
    }

    #[test]
    fn history_has_gaps_and_no_zeros() {
        let until = Timestamp::from_millis(40 * 3_600_000);
        let told = history(&samples(&[(10, 7), (30, 9)]), until, Duration::from_hours(10), 5);
        assert_eq!(told, [None, Some(7), Some(7), Some(9), Some(9)]);
    }
}
