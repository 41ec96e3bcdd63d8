//! How long to wait before something is tried again, so that those who failed together do not come back together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Waits that double up to a limit, each taken anywhere below (full jitter).
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    dice: AtomicU64,
}

impl Backoff {
    /// `first` is the longest wait before the second try, `most` the longest of all.
    pub fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, dice: AtomicU64::new(seed) }
    }

    /// How long to wait when so many tries have failed before the last one.
    pub fn after(&self, tried: u32) -> Duration {
        self.ceiling(tried).mul_f64(self.roll())
    }

    /// A length between this one and a tenth more.
    pub fn spread(&self, length: Duration) -> Duration {
        length.mul_f64(1.0 + self.roll() / 10.0)
    }

    fn ceiling(&self, tried: u32) -> Duration {
        self.first.saturating_mul(1 << tried.min(20)).min(self.most)
    }

    /// A number in 0..1 (SplitMix64).
    fn roll(&self) -> f64 {
        let mut z = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_is_capped_and_may_be_anything_below() {
        let half = Duration::from_millis(500);
        let backoff = Backoff::new(half, half * 16, 7);
        assert_eq!(backoff.ceiling(0), half);
        assert_eq!(backoff.ceiling(2), Duration::from_secs(2));
        assert_eq!(backoff.ceiling(u32::MAX), Duration::from_secs(8));
        let rolls: Vec<f64> = (0..200).map(|_| backoff.roll()).collect();
        assert!(rolls.iter().all(|r| (0.0..1.0).contains(r)));
        assert!((rolls.iter().sum::<f64>() / 200.0 - 0.5).abs() < 0.1);
        let spread: Vec<_> = (0..50).map(|_| backoff.spread(half)).collect();
        assert!(spread.iter().all(|length| (half..=half * 11 / 10).contains(length)));
        assert!(spread.iter().max() > spread.iter().min());
    }
}
