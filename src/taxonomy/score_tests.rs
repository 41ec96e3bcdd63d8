//! The shipped rules against labelled logs and against short logs of our own. Every miss is printed, so that one run shows what to mend.
//!
//! The labelled logs stand outside of the crate; without them their test says so and passes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    Cause, Classifier, Compiled, JobFacts, LintKind, SignatureContext, Verdict, classify, data_tests, load,
    load_with_lints, shipped, signature,
};
use crate::ci::{FailureReason, Status};

/// A row of `labels.tsv`, by column.
type Row = HashMap<String, String>;

fn rules() -> Arc<Compiled> {
    match load(&shipped()) {
        Ok(set) => Arc::new(Compiled::of(&set).unwrap()),
        Err(faults) => panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[test]
fn the_shipped_rules_say_what_they_mean() {
    let mut lints = load_with_lints(&shipped()).unwrap().lints;
    // Two kinds look at one pattern alone: our rules name old and new wordings side by side, and Go writes `exec format error` small.
    lints.retain(|lint| !matches!(lint.kind, LintKind::Outdated | LintKind::Capitals));
    assert!(lints.is_empty(), "{}", lints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

fn labelled() -> Option<(PathBuf, Vec<Row>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/logs");
    let Ok(table) = std::fs::read_to_string(folder.join("labels.tsv")) else {
        println!("skipped: no labelled logs in {}", folder.display());
        return None;
    };
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next()?.split('\t').collect();
    let row = |line: &str| names.iter().zip(line.split('\t')).map(|(n, v)| ((*n).to_owned(), v.to_owned())).collect();
    Some((folder, lines.map(row).collect()))
}

fn facts(row: &Row) -> JobFacts {
    let word = |name: &str| Some(row[name].as_str()).filter(|w| !w.is_empty());
    JobFacts {
        status: Some(if row["status"] == "success" { Status::Success } else { Status::Failed }),
        failure_reason: word("failure_reason").map(FailureReason::new),
        exit_code: word("exit_code").and_then(|w| w.parse().ok()),
        job_kind: word("job_kind").map(Into::into),
    }
}

fn class(verdict: &Verdict) -> &str {
    match &verdict.cause {
        Cause::None => "success",
        Cause::Known { class, .. } => class,
        Cause::Unknown => "unknown",
    }
}

fn rule(verdict: &Verdict) -> &str {
    if let Cause::Known { rule, .. } = &verdict.cause { rule } else { "-" }
}

fn first(verdict: &Verdict) -> &str {
    verdict.evidence.first().map_or("", |e| e.text.as_str())
}

/// A count out of a count.
#[derive(Default, Clone, Copy)]
struct Share(usize, usize);

impl Share {
    fn add(&mut self, good: bool) {
        self.0 += usize::from(good);
        self.1 += 1;
    }

    /// At least so many percent; nothing at all is enough of nothing.
    fn at_least(self, percent: usize) -> bool {
        self.0 * 100 >= percent * self.1
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.0, self.1)
    }
}

#[test]
fn the_labelled_logs_are_judged_right() {
    let Some((folder, rows)) = labelled() else { return };
    let rules = rules();
    let mut kinds: BTreeMap<String, Share> = BTreeMap::new();
    let [mut known, mut owner, mut evidence, mut unknown, mut success] = [Share::default(); 5];
    let (mut labels, mut found) = (Vec::new(), Vec::new());
    for row in &rows {
        let log = std::fs::read(folder.join(&row["file"])).unwrap();
        let verdict = classify(&rules, &log, &facts(row));
        let good = class(&verdict) == row["label"];
        kinds.entry(row["kind"].clone()).or_default().add(good);
        let miss = |what: &str, wanted: &str| {
            println!("{what}: {} wants {wanted}, got {} ({})", row["file"], class(&verdict), rule(&verdict));
            println!("    {}", first(&verdict).chars().take(160).collect::<String>());
        };
        if !good {
            miss("class", &row["label"]);
        }
        match row["label"].as_str() {
            "success" => success.add(good),
            "unknown" => {
                unknown.add(good);
                labels.push(row["cluster"].clone());
                found.push(verdict.signature.as_ref().map_or_else(String::new, |s| s.fingerprint.to_string()));
                if good && !first(&verdict).contains(&row["evidence"]) {
                    miss("evidence", &row["evidence"]);
                }
            }
            _ => {
                known.add(good);
                owner.add(verdict.owner.as_str() == row["owner"]);
                let told = first(&verdict).contains(&row["evidence"]);
                evidence.add(told);
                if good && !told {
                    miss("evidence", &row["evidence"]);
                }
            }
        }
    }
    let ari = adjusted_rand(&labels, &found);
    for (kind, share) in &kinds {
        println!("{kind}: {share}");
    }
    println!("known {known}, owner {owner}, evidence {evidence}, unknown {unknown}, success {success}, ARI {ari:.3}");
    assert!(known.at_least(97) && owner.at_least(98) && evidence.at_least(95), "see the misses above");
    assert!(unknown.at_least(95) && success.at_least(100), "see the misses above");
    assert!(ari >= 0.95, "equal unknown failures do not meet: {ari}");
}

#[test]
fn our_own_short_logs_are_judged_right() {
    let rules = rules();
    let mut share = Share::default();
    for case in data_tests::all() {
        let verdict = classify(&rules, &case.log(), &case.facts());
        let good = class(&verdict) == case.want;
        share.add(good);
        if !good {
            println!("wants {}, got {} ({}): {}", case.want, class(&verdict), rule(&verdict), first(&verdict));
            println!("{}", String::from_utf8_lossy(&case.log()));
        }
    }
    println!("short logs: {share}");
    assert!(share.at_least(100), "see the misses above");
}

/// How many of the shortest logs are cut in two everywhere; of the others each is cut once, anywhere. `cargo bench --bench taxonomy -- cuts`
/// cuts all labelled logs everywhere, which takes minutes.
const CUT_EVERYWHERE: usize = 10;

/// Every log is also judged byte by byte, which is cut everywhere at once.
fn are_judged_alike_wherever_they_are_cut(mut logs: Vec<(Vec<u8>, JobFacts)>) {
    let rules = rules();
    logs.sort_by_key(|(log, _)| log.len());
    // Equal in every run, and of no pattern: a linear congruence (Knuth's MMIX).
    let mut seed = 0x5eed_u64;
    let mut anywhere = |length: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % (length + 1)
    };
    let in_pieces = |pieces: &mut dyn Iterator<Item = &[u8]>, facts| {
        let mut classifier = Classifier::new(Arc::clone(&rules));
        pieces.for_each(|piece| classifier.feed(piece));
        classifier.finish(facts)
    };
    for (nth, (log, facts)) in logs.iter().enumerate() {
        let (whole, text) = (classify(&rules, log, facts), String::from_utf8_lossy(log));
        assert_eq!(in_pieces(&mut log.chunks(1), facts), whole, "byte by byte: {text}");
        let once = anywhere(log.len());
        let cuts = if nth < CUT_EVERYWHERE { 0..=log.len() } else { once..=once };
        for cut in cuts {
            let (head, tail) = log.split_at(cut);
            assert_eq!(in_pieces(&mut [head, tail].into_iter(), facts), whole, "cut at {cut}: {text}");
        }
    }
}

#[test]
fn our_own_short_logs_are_judged_alike_wherever_they_are_cut() {
    are_judged_alike_wherever_they_are_cut(data_tests::all().map(|case| (case.log(), case.facts())).collect());
}

#[test]
fn labelled_logs_are_judged_alike_wherever_they_are_cut() {
    let Some((folder, rows)) = labelled() else { return };
    let log = |row: &Row| (std::fs::read(folder.join(&row["file"])).unwrap(), facts(row));
    are_judged_alike_wherever_they_are_cut(rows.iter().map(log).collect());
}

/// A signature of a line outside of any log; keeps the interface in sight when a verdict carries none.
#[test]
fn a_verdict_over_an_unknown_failure_has_the_signature_of_its_evidence() {
    let log = b"section_start:1:step_script\r\x1b[0K\nOSError: [Errno 116] Stale file handle: '/spack/opt/x'\nsection_end:1:step_script\r\x1b[0K\nERROR: Job failed: exit code 1\n";
    let facts = JobFacts { job_kind: Some("copy".into()), status: Some(Status::Failed), ..JobFacts::default() };
    let verdict = classify(&rules(), log, &facts);
    assert_eq!(
        (class(&verdict), first(&verdict)),
        ("unknown", "OSError: [Errno 116] Stale file handle: '/spack/opt/x'")
    );
    let context = SignatureContext { job_kind: Some("copy"), section: Some("step_script"), exit_code: None };
    assert_eq!(verdict.signature, Some(signature(first(&verdict), &context)));
}

/// How well two partitions agree: 1 for equal ones, about 0 for chance.
fn adjusted_rand(labels: &[String], found: &[String]) -> f64 {
    let pairs = |n: usize| {
        let n = f64::from(u32::try_from(n).unwrap());
        n * (n - 1.0) / 2.0
    };
    let (mut cells, mut rows, mut columns) = (HashMap::new(), HashMap::new(), HashMap::new());
    for pair in labels.iter().zip(found) {
        *cells.entry(pair).or_insert(0usize) += 1;
        *rows.entry(pair.0).or_insert(0usize) += 1;
        *columns.entry(pair.1).or_insert(0usize) += 1;
    }
    let both: f64 = cells.values().map(|n| pairs(*n)).sum();
    let (left, right): (f64, f64) = (rows.values().map(|n| pairs(*n)).sum(), columns.values().map(|n| pairs(*n)).sum());
    let chance = left * right / pairs(labels.len()).max(1.0);
    let most = f64::midpoint(left, right);
    if (most - chance).abs() < f64::EPSILON { 1.0 } else { (both - chance) / (most - chance) }
}
