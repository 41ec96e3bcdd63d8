//! Numbers that know what they do not know.

use serde::{Deserialize, Serialize};

/// The z of a two-sided interval of 95 %.
const Z: f64 = 1.96;

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share {
    pub part: u64,
    pub whole: u64,
}

impl Share {
    /// Between 0 and 1; `None` when there is no whole.
    pub fn rate(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part.min(self.whole) as f64 / self.whole as f64)
    }

    /// The lower end of Wilson's 95 % interval: the rate is at least this, unless chance was unkind. `None` when there is no whole.
    pub fn at_least(self) -> Option<f64> {
        self.wilson(-1.0)
    }

    /// The upper end of Wilson's 95 % interval. `None` when there is no whole.
    pub fn at_most(self) -> Option<f64> {
        self.wilson(1.0)
    }

    pub(super) fn add(&mut self, hit: bool) {
        self.whole += 1;
        self.part += u64::from(hit);
    }

    fn wilson(self, side: f64) -> Option<f64> {
        let (rate, n) = (self.rate()?, self.whole as f64);
        let spread = Z * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
        Some(((rate + Z * Z / (2.0 * n) + side * spread) / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
    }
}

/// How many of something there were in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Count {
    /// Nobody looked, and none is known.
    Unknown,
    /// Some are known, and there may be more: only a part of the time was looked at.
    AtLeast(u64),
    Exactly(u64),
}

impl Count {
    /// From what was seen, and whether all of the time was looked at.
    pub(super) const fn new(seen: u64, whole: bool) -> Self {
        match (seen, whole) {
            (seen, true) => Self::Exactly(seen),
            (0, false) => Self::Unknown,
            (seen, false) => Self::AtLeast(seen),
        }
    }

    /// The number when all of it is known.
    pub const fn exact(self) -> Option<u64> {
        match self {
            Self::Exactly(n) => Some(n),
            Self::Unknown | Self::AtLeast(_) => None,
        }
    }

    /// What is known of it.
    pub const fn seen(self) -> u64 {
        match self {
            Self::Unknown => 0,
            Self::AtLeast(n) | Self::Exactly(n) => n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_nothing_is_no_rate() {
        assert_eq!(Share::default().rate(), None);
        assert_eq!(Share::default().at_least(), None);
        assert_eq!(Share { part: 1, whole: 4 }.rate(), Some(0.25));
    }

    #[test]
    fn wilson_holds_the_rate_and_narrows_with_more() {
        // Known values of the interval, for 8 of 10: 0.4902 to 0.9433.
        let share = Share { part: 8, whole: 10 };
        assert!((share.at_least().unwrap() - 0.4902).abs() < 1e-4);
        assert!((share.at_most().unwrap() - 0.9433).abs() < 1e-4);
        for whole in 1..60_u64 {
            for part in 0..=whole {
                let one = Share { part, whole };
                let many = Share { part: part * 100, whole: whole * 100 };
                let (low, rate, high) = (one.at_least().unwrap(), one.rate().unwrap(), one.at_most().unwrap());
                assert!(low <= rate + 1e-12 && rate <= high + 1e-12);
                assert!(many.at_least().unwrap() >= low - 1e-12 && many.at_most().unwrap() <= high + 1e-12);
            }
        }
    }

    #[test]
    fn a_count_says_what_was_not_looked_at() {
        assert_eq!(Count::new(0, false), Count::Unknown);
        assert_eq!(Count::new(3, false), Count::AtLeast(3));
        assert_eq!(Count::new(0, true).exact(), Some(0));
    }
}
