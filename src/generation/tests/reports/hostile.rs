//! Reports that are damaged, or that somebody made to do harm.

use std::time::{Duration, Instant};

use super::*;
use crate::generation::diff::diff;
use crate::generation::report::{Decision, KeySet};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap()).unwrap()
    }
}

/// Changes a few bytes. Most changes leave the text JSON, so that they get past the first check.
fn mutate(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(8) {
            0..=3 => {
                // Another letter for a letter, another digit for a digit.
                let near = bytes[at..].iter().position(u8::is_ascii_alphanumeric).map_or(at, |step| at + step);
                bytes[near] = match bytes[near] {
                    b'0'..=b'9' => b"0123456789"[dice.below(10)],
                    _ => b"abcdefghijklmnop/@[] \\"[dice.below(22)],
                };
            }
            4 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            5 => {
                let tokens: [&[u8]; 10] = [
                    b"null",
                    b"-1",
                    b"18446744073709551615",
                    b"1e308",
                    b"{}",
                    b"[]",
                    b"\"\"",
                    b"\"\\u0000\"",
                    b",",
                    b"true",
                ];
                bytes.splice(at..at, tokens[dice.below(10)].iter().copied());
            }
            6 => {
                // A value for a value.
                let colon = bytes[at..].iter().position(|byte| *byte == b':').map_or(at, |step| at + step + 1);
                let end = bytes[colon..]
                    .iter()
                    .position(|byte| matches!(byte, b',' | b'}'))
                    .map_or(colon, |step| colon + step);
                let values: [&[u8]; 6] =
                    [b"null", b"-9223372036854775808", b"255", b"[]", b"{}", "\"ü\u{202e}\"".as_bytes()];
                bytes.splice(colon..end, values[dice.below(6)].iter().copied());
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

fn rich() -> Report {
    let mut made = changed("1", &["corelib", "zlib"]);
    indexed(&mut made, 0, 'a', &[MIDLIB]);
    made.views[1].direct.insert(Hash::parse(GENKIT).unwrap(), 2);
    report(&made)
}

#[test]
fn ten_thousand_damaged_reports_are_read_explained_and_compared_without_a_panic() {
    let whole = rich();
    let bytes = bytes(&whole);
    let mut dice = Dice(0x5eed_cafe);
    let mut last = whole.clone();
    let mut read = 0;
    for _ in 0..10_000 {
        let damaged = mutate(&bytes, &mut dice);
        let report = match Report::read(&damaged) {
            Ok(report) => report,
            Err(error) => {
                assert!(error.to_string().len() < 400, "{error}");
                continue;
            }
        };
        read += 1;
        for (hash, decision) in &report.decisions {
            assert!(!report.explain(hash).unwrap().lines().is_empty());
            assert!(report.find(&decision.spec).len() <= report.decisions.len());
            report.nearest(&decision.spec);
        }
        for other in [&whole, &last] {
            assert!(!diff(&report, other).lines().is_empty());
            assert!(!diff(other, &report).lines().is_empty());
        }
        assert!(diff(&report, &report).is_empty());
        last = report;
    }
    assert!(read > 2_000, "only {read} of the damaged reports could still be read");
}

#[test]
fn damaged_reports_of_real_stacks_are_survived() {
    let mut dice = Dice(7);
    let reports = real();
    for (_, whole) in &reports {
        let bytes = bytes(whole);
        for _ in 0..20 {
            let Ok(report) = Report::read(&mutate(&bytes, &mut dice)) else { continue };
            for hash in report.decisions.keys() {
                assert!(!told(&report, hash).is_empty());
            }
            assert!(!diff(&report, whole).lines().is_empty() && !diff(whole, &report).lines().is_empty());
        }
    }
}

#[test]
fn many_specs_with_many_classes_are_compared_in_reasonable_time() {
    let whole = rich();
    let make = |value: &str, keys: usize, classes: usize| {
        let mut report = whole.clone();
        let one: BTreeMap<String, KeySet> = (0..keys)
            .map(|key| (format!("k{key}"), KeySet { value: value.into(), set_by: vec![0, usize::MAX] }))
            .collect();
        report.classes = vec![one; classes];
        for at in 0..20_000 {
            let mut decision: Decision = whole.decisions[CORELIB].clone();
            decision.class = Some(at % classes);
            report.decisions.insert(format!("{at:032}"), decision);
        }
        report
    };
    // One class with endless keys against a class of its own for each job: beyond the bound, the rest is only counted.
    let (a, b) = (make("x", 20_000, 1), make("y", 3, 10_000));
    let start = Instant::now();
    let difference = diff(&a, &b);
    let lines = difference.lines();
    assert!(difference.keys_left_out > 0);
    says(&lines, "of keys not shown: there are too many");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(diff(&a, &a).is_empty());
}

#[test]
fn texts_that_would_break_lines_stay_on_their_lines() {
    let mut report = rich();
    let evil = "a\nmidlib@1.4 is fine\r\u{1b}[2J";
    report.mirrors[0].reason = Some(evil.into());
    report.mirrors[0].state = "failed".into();
    report.warnings = vec![evil.into()];
    report.decisions.get_mut(CORELIB).unwrap().spec = evil.into();
    report.change.as_mut().unwrap().packages.get_mut("corelib").unwrap()[0].path = evil.into();
    let lines = [told(&report, CORELIB), diff(&rich(), &report).lines()].concat();
    assert!(lines.iter().all(|line| !line.contains(['\n', '\r'])), "{lines:#?}");
}
