//! Numbers with units, lengths of time and moments, as people write them in a filter.

use std::time::Duration;

use super::field::Kind;
use crate::ci::Timestamp;

/// A number, a size in bytes or a length in seconds, as exact as it was written: `3G` equals all from 3 G up to 4 G.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    pub(super) low: f64,
    step: f64,
}

const LENGTHS: [(char, f64); 4] = [('d', 86_400.0), ('h', 3_600.0), ('m', 60.0), ('s', 1.0)];

impl Quantity {
    /// Reads a value of a field of this kind; `None` if it is not one.
    pub(super) fn parse(kind: Kind, text: &str) -> Option<Self> {
        match kind {
            Kind::Number => Self::scaled(text),
            Kind::Bytes => Self::scaled(text.strip_suffix(['B', 'b']).unwrap_or(text)),
            Kind::Length => Self::length(text),
            Kind::Text | Kind::Moment => None,
        }
    }

    /// Says whether `value` is this quantity, as far as it was written.
    pub(super) fn equals(&self, value: f64) -> bool {
        value >= self.low && value < self.low + self.step
    }

    fn scaled(text: &str) -> Option<Self> {
        let unit = match text.chars().last()? {
            'k' | 'K' => 1e3,
            'M' | 'm' => 1e6,
            'G' | 'g' => 1e9,
            'T' | 't' => 1e12,
            _ => return Self::decimal(text, 1.0),
        };
        Self::decimal(text.get(..text.len() - 1)?, unit)
    }

    /// `90s`, `1.5h`, and what screens show: `1h12`, `6m02`.
    fn length(text: &str) -> Option<Self> {
        if text.bytes().all(|b| b == b'0') && !text.is_empty() {
            return Some(Self { low: 0.0, step: 1.0 });
        }
        let mut low = 0.0;
        let mut step = f64::INFINITY;
        let mut units = LENGTHS.iter();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic());
            let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
            let mut after = after.chars();
            // The last unit may be left out after another: it is the next smaller one.
            let (_, seconds) = match after.next() {
                Some(unit) => units.find(|(name, _)| *name == unit)?,
                None if step.is_finite() => units.next()?,
                None => return None,
            };
            let part = Self::decimal(digits, *seconds)?;
            low += part.low;
            step = part.step;
            rest = after.as_str();
        }
        step.is_finite().then_some(Self { low, step })
    }

    fn decimal(digits: &str, unit: f64) -> Option<Self> {
        let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let decimals = digits.split_once('.').map_or(0, |(_, after)| after.len() as i32);
        let number: f64 = digits.parse().ok().filter(|n: &f64| plain && n.is_finite())?;
        Some(Self { low: number * unit, step: unit / 10_f64.powi(decimals) })
    }
}

/// A moment, told by the clock or backwards from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// The last time the clock (UTC) showed this.
    Clock {
        second: u32,
        step: Duration,
    },
    Ago {
        length: Duration,
        step: Duration,
    },
}

const DAY: i64 = 86_400_000;

impl Moment {
    /// Reads `02:30`, `02:30:15` or `-6h`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(length) = text.strip_prefix('-') {
            let Quantity { low, step } = Quantity::length(length)?;
            let seconds = |n: f64| Duration::try_from_secs_f64(n).ok();
            return Some(Self::Ago { length: seconds(low)?, step: seconds(step)? });
        }
        let mut parts = text.split(':').map(|part| {
            let two = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| two)
        });
        let hour = parts.next()?.filter(|h| *h < 24)?;
        let minute = parts.next()?.filter(|m| *m < 60)?;
        let (second, step) = match parts.next() {
            None => (0, 60),
            Some(second) => (second.filter(|s| *s < 60)?, 1),
        };
        parts
            .next()
            .is_none()
            .then_some(Self::Clock { second: hour * 3_600 + minute * 60 + second, step: Duration::from_secs(step) })
    }

    /// The moment that is meant at `now`, and the first one that is no longer it.
    pub(super) fn at(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let (start, step) = match *self {
            Self::Clock { second, step } => {
                let today = now.millis().div_euclid(DAY).saturating_mul(DAY).saturating_add(i64::from(second) * 1_000);
                let start = Timestamp::from_millis(today);
                (if start > now { start.shifted(-DAY) } else { start }, step)
            }
            Self::Ago { length, step } => {
                (now.shifted(i64::try_from(length.as_millis()).map_or(i64::MIN, i64::wrapping_neg)), step)
            }
        };
        (start, start.plus(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_what_screens_show() {
        for (kind, text, low, step) in [
            (Kind::Number, "10", 10.0, 1.0),
            (Kind::Number, "4k", 4e3, 1e3),
            (Kind::Number, "1.5M", 1.5e6, 1e5),
            (Kind::Bytes, "3G", 3e9, 1e9),
            (Kind::Bytes, "41.2TB", 41.2e12, 1e11),
            (Kind::Bytes, "0", 0.0, 1.0),
            (Kind::Length, "0", 0.0, 1.0),
            (Kind::Length, "30s", 30.0, 1.0),
            (Kind::Length, "30m", 1_800.0, 60.0),
            (Kind::Length, "6h", 21_600.0, 3_600.0),
            (Kind::Length, "9d", 777_600.0, 86_400.0),
            (Kind::Length, "1h12", 4_320.0, 60.0),
            (Kind::Length, "6m02", 362.0, 1.0),
            (Kind::Length, "1h30m15s", 5_415.0, 1.0),
            (Kind::Length, "1.5h", 5_400.0, 360.0),
        ] {
            let got = Quantity::parse(kind, text).unwrap_or_else(|| panic!("{text}"));
            assert!((got.low - low).abs() < 1e-3 && (got.step / step - 1.0).abs() < 1e-9, "{text}: {got:?}");
        }
        for (kind, bad) in [
            (Kind::Number, ""),
            (Kind::Number, "k"),
            (Kind::Number, "ten"),
            (Kind::Number, "-1"),
            (Kind::Number, "1e9"),
            (Kind::Number, "inf"),
            (Kind::Number, "1.2.3"),
            (Kind::Bytes, "B"),
            (Kind::Length, ""),
            (Kind::Length, "30"),
            (Kind::Length, "m"),
            (Kind::Length, "1m2h"),
            (Kind::Length, "1h2h"),
            (Kind::Length, "30é"),
            (Kind::Text, "1"),
        ] {
            assert_eq!(Quantity::parse(kind, bad), None, "{kind:?} {bad}");
        }
        assert!(Quantity::parse(Kind::Length, "12m").unwrap().equals(779.0));
        assert!(!Quantity::parse(Kind::Length, "12m").unwrap().equals(780.0));
    }

    #[test]
    fn moments_are_the_last_ones() {
        let now = Timestamp::parse("2026-05-01T03:12:07Z").unwrap();
        for (text, want) in [
            ("02:30", "2026-05-01T02:30:00.000Z"),
            ("3:12", "2026-05-01T03:12:00.000Z"),
            ("03:12:08", "2026-04-30T03:12:08.000Z"),
            ("23:59", "2026-04-30T23:59:00.000Z"),
            ("-6h", "2026-04-30T21:12:07.000Z"),
            ("-90s", "2026-05-01T03:10:37.000Z"),
        ] {
            assert_eq!(Moment::parse(text).unwrap().at(now).0.to_string(), want, "{text}");
        }
        for bad in ["24:00", "02:60", "2", "02:", ":30", "02:30:61", "1:2:3:4", "6h", "-", "-6", "+1:00", "002:30"] {
            assert_eq!(Moment::parse(bad), None, "{bad}");
        }
        let far = Moment::parse("-99999999999999999d");
        assert!(far.is_none_or(|m| m.at(now).0 < now));
        Moment::parse("00:00").unwrap().at(Timestamp::from_millis(i64::MIN));
        Moment::parse("23:59").unwrap().at(Timestamp::from_millis(i64::MAX));
    }
}
