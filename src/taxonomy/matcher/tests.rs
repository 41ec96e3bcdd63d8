//! The matcher as a whole: places, splits, long lines, bad bytes.

use std::path::PathBuf;

use proptest::prelude::*;

use super::sample::{but, chosen, compiled, judged, rule};
use super::{Classifier, Compiled, classify};
use crate::taxonomy::{JobFacts, Rule, RuleSet, Strength, Verdict};
use std::sync::Arc;

fn rules() -> Vec<Rule> {
    vec![
        rule("oom", &[r"Killed signal terminated program (?<program>\w+)", r"(?i)out of memory"]),
        rule("build_error.compiler", &[r"^(?<file>[^ :]+):(?<line>\d+):(?:\d+:)? (?:fatal )?error: ", r"^CMake Error"]),
        but(rule("dns", &[r"(?i)could not resolve host"]), |r| (r.recovers, r.precedence) = (true, 100)),
        but(rule("pod", &["status is \"Failed\"", "is disrupted: reason"]), |r| {
            r.scope.sections = vec!["runner".into()];
        }),
        but(rule("trace", &["^Traceback "]), |r| r.strength = Strength::Symptom),
        but(rule("digits", &[r"^\d{4}$"]), |r| r.precedence = 100),
        but(rule("tail", &["imed out"]), |r| r.scope.tail_kb = Some(1)),
        but(rule("vetoed", &["No such file"]), |r| r.none = vec![super::sample::pattern("^cat: ")]),
    ]
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/logs");
    let Ok(entries) = std::fs::read_dir(&dir) else {
        println!("skipped: {} is not there", dir.display());
        return Vec::new();
    };
    let mut logs: Vec<(String, Vec<u8>)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    logs.sort();
    logs
}

fn in_pieces(rules: &Arc<Compiled>, pieces: &[&[u8]]) -> Verdict {
    let mut classifier = Classifier::new(Arc::clone(rules));
    for piece in pieces {
        classifier.feed(piece);
    }
    classifier.finish(&JobFacts::default())
}

const HARD: &[u8] = b"\x1b[0KRunning with gitlab-runner 17.11.1\x1b[0;m\r\n\
    section_start:1:prepare_script\r\x1b[0K\x1b[36;1mPreparing\x1b[0;m\n\
    Running on runner-a-project-1 via host-7.example...\n\
    section_end:2:prepare_script\r\x1b[0Ksection_start:2:step_script\r\x1b[0K\x1b[32;1m$ make\x1b[0;m\n\
    10%\r20%\rCould not resolve HOST x\r30%\n1234\ncaf\xc3\xa9.c:7:1: \x1b[31merror: \x1b[0m\xe2\x80\x98x\xe2\x80\x99\n\
    \x1b]0;title\x07g++: fatal error: Killed signal terminated program cc1plus\ncat: No such file\n\0\xff\xfe\x1b[\n\
    section_end:3:step_script\r\x1b[0K\n\x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m\n";

const STAMPED: &[u8] = b"2026-01-02T13:08:19.007919Z 01O section_start:1:step_script\r\x1b[0Kscript\n\
    2026-01-02T13:08:19.007919Z 01O g++: fatal error: Killed sig\n\
    2026-01-02T13:08:19.507919Z 01O+nal terminated program cc1plus\n\
    2026-01-02T13:08:20.007919Z 01E ERROR: Job failed\n";

#[test]
fn a_match_is_told_with_its_place() {
    let verdict = classify(&compiled(rules()), HARD, &JobFacts::default());
    assert_eq!((chosen(&verdict), verdict.host.as_deref()), ("build_error.compiler", Some("host-7.example")));
    let evidence = &verdict.evidence[0];
    assert_eq!((evidence.line, evidence.text.as_str()), (7, "café.c:7:1: error: ‘x’"));
    assert!(HARD[evidence.offset as usize..].starts_with(b"caf\xc3\xa9.c:7"));
    assert_eq!((evidence.found["file"].as_str(), evidence.found["line"].as_str()), ("café.c", "7"));
    assert_eq!(evidence.section.as_deref(), Some("step_script"));
    assert_eq!(evidence.before, ["$ make", "30%", "1234"]);
    assert_eq!(evidence.after[0], "g++: fatal error: Killed signal terminated program cc1plus");
    let also: Vec<(&str, u64)> = verdict.also.iter().map(|a| (&*a.rule, a.line)).collect();
    assert_eq!(also, [("dns", 5), ("digits", 6), ("oom", 8)]);
}

#[test]
fn stamps_are_no_text_and_flushed_lines_are_one() {
    let verdict = classify(&compiled(rules()), STAMPED, &JobFacts::default());
    let evidence = &verdict.evidence[0];
    assert_eq!((chosen(&verdict), evidence.line), ("oom", 2));
    assert_eq!(evidence.text, "g++: fatal error: Killed signal terminated program cc1plus");
    assert_eq!(evidence.after, ["ERROR: Job failed"]);
}

#[test]
fn every_split_gives_the_same_verdict() {
    let rules = compiled(rules());
    for log in [HARD, STAMPED] {
        let whole = in_pieces(&rules, &[log]);
        for cut in 0..=log.len() {
            assert_eq!(in_pieces(&rules, &[&log[..cut], &log[cut..]]), whole, "cut at {cut}");
        }
        assert_eq!(in_pieces(&rules, &log.chunks(1).collect::<Vec<_>>()), whole);
        let mut classifier = Classifier::new(Arc::clone(&rules));
        for byte in log.chunks(1) {
            classifier.feed(byte);
            classifier.so_far(&JobFacts::default());
        }
        assert_eq!(classifier.so_far(&JobFacts::default()), whole);
    }
}

#[test]
fn every_fixture_is_the_same_in_pieces() {
    let rules = compiled(rules());
    for (name, log) in fixtures() {
        let whole = in_pieces(&rules, &[&log]);
        for size in [1, 3, 17, 32, 33, 1_000, 4_096] {
            let pieces: Vec<&[u8]> = log.chunks(size).collect();
            assert_eq!(in_pieces(&rules, &pieces), whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn blocks_do_not_show() {
    // Many blocks, many hits, and surroundings that lie in other blocks.
    let mut log = b"section_start:1:step_script\r\x1b[0K\n".to_vec();
    for n in 0..40_000 {
        log.extend(format!("[{n}] plain line of a build log\n").bytes());
        if n % 1_000 == 0 {
            log.extend(format!("a{n}.c:1: error: x\n==> Installing p{n}\n").bytes());
        }
    }
    log.extend(b"z.c:1: error: last\nmake: *** [all] Error 1\n");
    let rules = compiled(rules());
    let whole = in_pieces(&rules, &[&log]);
    assert_eq!(whole.evidence[0].text, "z.c:1: error: last");
    assert_eq!(whole.evidence[0].before.len(), 3);
    for size in [9_999, 65_536, 300_000] {
        assert_eq!(in_pieces(&rules, &log.chunks(size).collect::<Vec<_>>()), whole, "pieces of {size}");
    }
    let early = judged(self::rules(), &String::from_utf8(log.replace_last()).unwrap());
    assert_eq!((early.evidence[0].line, early.evidence[0].after.len()), (39_081, 10));
}

trait ReplaceLast {
    fn replace_last(&self) -> Vec<u8>;
}

impl ReplaceLast for Vec<u8> {
    /// The log up to the last hit in its middle, with an ending of its own.
    fn replace_last(&self) -> Vec<u8> {
        let at = memchr::memmem::find(self, b"a39000.c").unwrap();
        let end = memchr::memmem::find(&self[at..], b"==> Installing").unwrap();
        let mut log = self[..at + end].to_vec();
        log.extend(b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n");
        log
    }
}

#[test]
fn long_lines_match_at_both_ends() {
    for (before, after) in [(10, 1_000_000), (1_000_000, 10)] {
        let log = format!("x\n{} a.c out of memory {}\ny\n", "a".repeat(before), "b".repeat(after));
        let verdict = judged(rules(), &log);
        assert_eq!((chosen(&verdict), verdict.evidence[0].line, verdict.evidence[0].offset), ("oom", 2, 2));
        assert!(verdict.evidence[0].text.len() <= 2_048 && verdict.evidence[0].text.contains("out of memory"));
    }
    let middle = format!("{}out of memory{}", "a".repeat(500_000), "b".repeat(500_000));
    assert_eq!(chosen(&judged(rules(), &middle)), "?");
}

#[test]
fn no_log_makes_it_hold_much() {
    let rules = compiled(rules());
    let long = [vec![b'x'; 65_000], b"\n".to_vec()].concat();
    let returns = [b"a\r".repeat(30_000), b"\n".to_vec()].concat();
    let sections: Vec<u8> = (0..2_000).flat_map(|n| format!("section_start:1:s{n}\r").into_bytes()).collect();
    let errors = b"a.c:1: error: Killed signal terminated program x out of memory\n".repeat(100);
    for piece in
        [&b"\n".repeat(1_000), &long, &returns, &sections, &errors, &b"\x1b[".repeat(5_000), &b"\xff\0".repeat(9_000)]
    {
        let mut classifier = Classifier::new(Arc::clone(&rules));
        let mut most = 0;
        for _ in 0..3_000_000 / piece.len() {
            classifier.feed(piece);
            most = most.max(classifier.held());
        }
        assert!(most < 3_000_000, "{most} bytes for pieces like {:?}", &piece[..8]);
    }
}

#[test]
fn scopes_and_vetoes_hold() {
    assert_eq!(chosen(&judged(rules(), "cat: No such file\n")), "?");
    assert_eq!(chosen(&judged(rules(), "x: No such file\n")), "vetoed");
    assert_eq!(chosen(&judged(rules(), "timed out\n")), "tail");
    assert_eq!(chosen(&judged(rules(), &format!("timed out\n{}", "x\n".repeat(1_000)))), "?");
    let inside = "section_start:1:step_script\r\nERROR: pod status is \"Failed\"\nsection_end:1:step_script\r\n";
    assert_eq!(chosen(&judged(rules(), inside)), "?");
    let outside = "section_start:1:step_script\r\nsection_end:1:step_script\r\nERROR: Job failed (system failure): pod status is \"Failed\"\n";
    assert_eq!(chosen(&judged(rules(), outside)), "pod");
}

#[test]
fn bad_patterns_are_told_with_their_place() {
    let set = RuleSet { rules: vec![rule("bad", &["fine", "(unclosed"])], ..RuleSet::default() };
    let error = Compiled::of(&set).unwrap_err();
    assert_eq!((error.of.as_str(), error.regex.as_str()), ("bad", "(unclosed"));
    assert!(error.to_string().contains("unclosed group"), "{error}");
}

#[test]
fn nothing_at_all_is_judged() {
    assert_eq!(chosen(&judged(Vec::new(), "")), "?");
    assert_eq!(chosen(&judged(Vec::new(), "\n\n")), "?");
    assert_eq!(judged(Vec::new(), "").missing, ["the log is empty"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Pieces of logs, damaged and put together anyhow: no panic, the same verdict for every split, bounded memory.
    #[test]
    fn damaged_logs_are_judged_alike(
        parts in proptest::collection::vec((0..3_usize, 0..400_usize, 0..400_usize), 1..6),
        noise in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..20),
        cuts in proptest::collection::vec(1..200_usize, 1..8),
    ) {
        let mut log = Vec::new();
        for (which, from, len) in parts {
            let source: &[u8] = [HARD, STAMPED, b"\r\r\x1b[\x1b]\x1b]0;\nsection_start:9:x\r\x1b[0Ksection_end:8:y\r"][which];
            let from = from.min(source.len());
            log.extend_from_slice(&source[from..(from + len).min(source.len())]);
        }
        for (at, byte) in noise {
            let len = log.len();
            if let Some(place) = log.get_mut(usize::from(at) % len.max(1)) {
                *place = byte;
            }
        }
        let rules = compiled(rules());
        let whole = in_pieces(&rules, &[&log]);
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut rest = log.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(in_pieces(&rules, &pieces), whole);
    }
}
