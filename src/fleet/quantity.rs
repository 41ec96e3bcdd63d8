//! Amounts as Kubernetes writes them: `750m`, `96G`, `15Ti`, `255910m`, `1e3`.

use std::fmt;

use serde::{Deserialize, Serialize};

use thiserror::Error;

/// Nano-units in one unit: the finest that Kubernetes keeps.
const NANO: i128 = 1_000_000_000;
/// Digits behind the point that are read; Kubernetes rounds everything below nano up.
const MOST_DIGITS: usize = 64;

/// An exact amount, in nano-units: cores of CPU, bytes of memory, a number of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Quantity(i128);

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a Kubernetes quantity: {why}")]
pub struct QuantityError {
    text: String,
    why: &'static str,
}

impl Quantity {
    pub const ZERO: Self = Self(0);

    /// So many whole units.
    pub const fn of(units: i64) -> Self {
        Self(units as i128 * NANO)
    }

    /// So many thousandths.
    pub const fn millis(millis: i64) -> Self {
        Self(millis as i128 * (NANO / 1_000))
    }

    /// Reads every form: a decimal number, then nothing, `n u m k M G T P E`, `Ki` … `Ei`, or an exponent. Finer than nano is rounded away
    /// from zero, as Kubernetes does.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let fault = |why| QuantityError { text: text.chars().take(40).collect(), why };
        if text.len() > MOST_DIGITS {
            return Err(fault("it is too long"));
        }
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let split = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(split);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if part.contains('.') || (whole.is_empty() && part.is_empty()) {
            return Err(fault("it has no number"));
        }
        let (factor, ten) = scale(suffix).ok_or_else(|| fault("its unit is not known"))?;
        let digits = format!("{whole}{part}");
        let digits: i128 = digits.parse().map_err(|_| fault("it is too large"))?;
        let nanos = exact(digits, factor, ten - part.len() as i32 + 9).ok_or_else(|| fault("it is too large"))?;
        Ok(Self(if text.starts_with('-') { -nanos } else { nanos }))
    }

    /// In units, as near as a float comes.
    pub fn units(self) -> f64 {
        self.0 as f64 / NANO as f64
    }

    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left when the other is taken away; negative when it is more.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Which part of the whole this is; `None` when there is no whole.
    pub fn share_of(self, whole: Self) -> Option<f64> {
        (whole.0 > 0).then(|| self.0 as f64 / whole.0 as f64)
    }

    /// The memory as people write it: `30.3Gi`, `512Mi`.
    pub fn bytes_text(self) -> String {
        let bytes = self.units();
        let steps = [("Ti", 1_u64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
        match steps.into_iter().find(|(_, size)| bytes.abs() >= *size as f64) {
            Some((unit, size)) => {
                let text = format!("{:.1}", bytes / size as f64);
                format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
            }
            None => format!("{bytes:.0}"),
        }
    }
}

/// The factor and the power of ten that a suffix stands for.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    let binary = |power: u32| Some((1_i128 << (10 * power), 0));
    match suffix {
        "" => Some((1, 0)),
        "n" => Some((1, -9)),
        "u" => Some((1, -6)),
        "m" => Some((1, -3)),
        "k" => Some((1, 3)),
        "M" => Some((1, 6)),
        "G" => Some((1, 9)),
        "T" => Some((1, 12)),
        "P" => Some((1, 15)),
        "E" => Some((1, 18)),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let is_number = !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|b| b.is_ascii_digit());
            Some((1, exponent.parse().ok().filter(|_| is_number)?))
        }
    }
}

/// `digits × factor × 10^ten`, what lies below one rounded up; `None` when it is too large to be kept.
fn exact(digits: i128, factor: i128, ten: i32) -> Option<i128> {
    let value = digits.checked_mul(factor)?;
    if value == 0 {
        return Some(0);
    }
    match u32::try_from(ten) {
        Ok(up) => value.checked_mul(10_i128.checked_pow(up)?),
        // A power that overflows is larger than every value, so the rest rounds up to one.
        Err(_) => Some(10_i128.checked_pow(ten.unsigned_abs()).map_or(1, |down| (value + (down - 1)) / down)),
    }
}

impl fmt::Display for Quantity {
    /// The exact amount: whole units, or the coarsest of `m`, `u` and `n` that holds it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = [(NANO, ""), (NANO / 1_000, "m"), (1_000, "u"), (1, "n")];
        let fitting = steps.into_iter().find(|(size, _)| self.0 % size == 0);
        let (size, unit) = fitting.unwrap_or((1, "n"));
        f.pad(&format!("{}{unit}", self.0 / size))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn every_form_is_read_exactly() {
        for (text, nanos) in [
            ("1", NANO),
            ("+1", NANO),
            ("-2", -2 * NANO),
            ("0", 0),
            (".5", NANO / 2),
            ("3.", 3 * NANO),
            ("750m", 750_000_000),
            ("255910m", 255_910_000_000),
            ("5n", 5),
            ("5u", 5_000),
            ("2k", 2_000 * NANO),
            ("96G", 96_000_000_000 * NANO),
            ("500M", 500_000_000 * NANO),
            ("1T", 1_000_000_000_000 * NANO),
            ("1P", 1_000_000_000_000_000 * NANO),
            ("1E", 1_000_000_000_000_000_000 * NANO),
            ("1Ki", 1_024 * NANO),
            ("1.5Ki", 1_536 * NANO),
            ("32950452Ki", 32_950_452 * 1_024 * NANO),
            ("15Ti", 15 * (1_i128 << 40) * NANO),
            ("2Pi", 2 * (1_i128 << 50) * NANO),
            ("7Ei", 7 * (1_i128 << 60) * NANO),
            ("1e3", 1_000 * NANO),
            ("1E3", 1_000 * NANO),
            ("12e-1", 1_200_000_000),
            ("1E+2", 100 * NANO),
            ("1.0000000001", NANO + 1),
            ("-0.1n", -1),
            ("1e-400", 1),
        ] {
            assert_eq!(read(text).0, nanos, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_by_name() {
        let long = "9".repeat(80);
        for text in [
            "",
            " 1",
            "1 ",
            "m",
            "1K",
            "1kb",
            "1e",
            "1e+",
            "1.2.3",
            "NaN",
            "inf",
            "0x10",
            "1Zi",
            "--1",
            "1e999",
            "1e9999999",
            "١",
            &long,
        ] {
            let told = Quantity::parse(text).unwrap_err().to_string();
            assert!(told.contains("is not a Kubernetes quantity"), "{told}");
            assert!(told.len() < 120);
        }
        assert!(Quantity::parse(&"9".repeat(40)).unwrap_err().to_string().ends_with("it is too large"));
    }

    #[test]
    fn memory_is_told_as_people_write_it() {
        assert_eq!(read("31721652Ki").bytes_text(), "30.3Gi");
        assert_eq!(read("512Mi").bytes_text(), "512Mi");
        assert_eq!(read("1").bytes_text(), "1");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(nanos in -1_000_000_000_000_000_000_000_i128..1_000_000_000_000_000_000_000) {
            let quantity = Quantity(nanos);
            prop_assert_eq!(Quantity::parse(&quantity.to_string()), Ok(quantity));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,70}") {
            let _unread = Quantity::parse(&text);
        }
    }
}
