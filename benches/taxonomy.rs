//! Budgets of the taxonomy: a log is judged sooner than a `RegexSet` finds the same patterns in it, whatever it is made of, and in memory that
//! does not grow with it. With `-- cuts` it cuts every labelled log in two at every byte instead, and looks that each half-and-half is judged
//! like the whole.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark may give up, and tells what it found")]

mod timing;
mod made {
    pub mod bytes;
    pub mod log;
}

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use regex::bytes::RegexSetBuilder;
use stackhand::ci::log::plain_into;
use stackhand::taxonomy::{Cause, Classifier, Compiled, JobFacts, Verdict, classify, load, shipped};

use made::bytes;
use made::log::build_log;
use timing::{Sheet, measure};

const MB: usize = 1_000_000;

fn cause(verdict: &Verdict) -> &str {
    match &verdict.cause {
        Cause::Known { class, .. } => class,
        Cause::Unknown => "unknown",
        Cause::None => "none",
    }
}

/// What a Python program prints that gives up again and again.
fn tracebacks(bytes: usize) -> Vec<u8> {
    repeated(bytes, |n, log| {
        log.extend(b"Traceback (most recent call last):\n");
        for frame in 0..8 {
            let part = n % 97;
            log.extend(
                format!("  File \"/spack/lib/spack/spack/part_{part}.py\", line {n}, in step_{frame}\n").bytes(),
            );
            log.extend(format!("    return self.package.step_{}(spec, **kwargs)\n", frame + 1).bytes());
        }
        log.extend(format!("AssertionError: part {n} is not what it was\n").bytes());
    })
}

/// Nothing but lines that many rules have to look at.
fn errors(bytes: usize) -> Vec<u8> {
    repeated(bytes, |n, log| {
        log.extend(format!("spack.error.FetchError: All fetchers failed for part-{n}: connection refused\n").bytes());
        log.extend(format!("==> Error: GET https://mirror.spack.io/{n} returned 503: Service Unavailable\n").bytes());
    })
}

fn repeated(bytes: usize, more: impl Fn(usize, &mut Vec<u8>)) -> Vec<u8> {
    let mut log = b"section_start:1764126998:step_script\r\x1b[0K\n".to_vec();
    for n in 0.. {
        if log.len() >= bytes {
            break;
        }
        more(n, &mut log);
    }
    log.extend(b"section_end:1764127002:step_script\r\x1b[0K\n\x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m\n");
    log
}

/// The shown lines of a log.
fn shown(log: &[u8]) -> Vec<u8> {
    let (mut all, mut line) = (Vec::new(), Vec::new());
    for raw in log.split(|b| *b == b'\n') {
        plain_into(raw, &mut line);
        all.extend_from_slice(&line);
        all.push(b'\n');
    }
    all
}

/// Judges all logs of a folder, each cut in two at each of its bytes.
fn cut_everywhere(rules: &Arc<Compiled>, folder: &Path) {
    let facts = JobFacts::default();
    let files = std::fs::read_dir(folder).expect("the labelled logs lie in ../shared/fixtures/logs");
    let files = files.map(|file| file.expect("the folder can be listed").path());
    let logs: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect();
    let (next, cuts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(path) = logs.get(next.fetch_add(1, Relaxed)) {
            let log = std::fs::read(path).expect("a log can be read");
            let whole = classify(rules, &log, &facts);
            for cut in 0..=log.len() {
                let mut classifier = Classifier::new(Arc::clone(rules));
                let (head, tail) = log.split_at(cut);
                classifier.feed(head);
                classifier.feed(tail);
                assert_eq!(classifier.finish(&facts), whole, "{} cut at {cut}", path.display());
            }
            cuts.fetch_add(log.len() + 1, Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    println!("{} logs, {} cuts: all are judged like the whole", logs.len(), cuts.into_inner());
}

fn main() {
    if std::env::args().any(|argument| argument == "cuts") {
        let set = load(&shipped()).expect("the shipped rules load");
        let rules = Arc::new(Compiled::of(&set).expect("the shipped rules compile"));
        return cut_everywhere(&rules, Path::new("../shared/fixtures/logs"));
    }
    let mut sheet = Sheet::open("taxonomy");
    let ms = Duration::from_millis;
    let set = load(&shipped()).expect("the shipped rules load");
    let compile = measure(5, |_| Compiled::of(&set).expect("the shipped rules compile"));
    sheet.row("the shipped rules: compile", ms(150), &compile);
    let rules = Arc::new(Compiled::of(&set).expect("the shipped rules compile"));
    let facts = JobFacts::default();

    let made = [build_log(MB), errors(MB), tracebacks(MB), errors(MB)];
    let before = bytes::resident();
    let mut classifier = Classifier::new(Arc::clone(&rules));
    for log in made.iter().cycle().take(100) {
        for piece in log.chunks(64 * 1024) {
            classifier.feed(piece);
        }
    }
    assert_ne!(cause(&classifier.finish(&facts)), "none");
    if let (Some(before), Some(after)) = (before, bytes::resident()) {
        bytes::row(&mut sheet, "100 MB: resident, grown by", after.saturating_sub(before), Some(32 * MB));
    }
    drop(made);

    let plain = build_log(10 * MB);
    let all = set.rules.iter().flat_map(|rule| &rule.any).chain(&set.progress);
    // As the classifier does: over bytes, unless a pattern names characters that are no ASCII.
    let all = all.map(|p| if p.regex.is_ascii() { format!("(?-u){}", p.regex) } else { p.regex.to_string() });
    let patterns = RegexSetBuilder::new(all).multi_line(true).size_limit(64 * MB).build();
    let patterns = patterns.expect("the shipped rules compile");
    let text = shown(&plain);
    let reference = measure(3, |_| patterns.matches(&text).iter().count());
    sheet.row("10 MB: RegexSet over the shown text", None, &reference);

    let judged = measure(9, |_| classify(&rules, &plain, &facts));
    assert_eq!(cause(&classify(&rules, &plain, &facts)), "build_error");
    sheet.row("10 MB: plain", reference.median, &judged);
    let limit = judged.median * 3 / 2;
    let pieces = measure(9, |_| {
        let mut classifier = Classifier::new(Arc::clone(&rules));
        for piece in plain.chunks(16 * 1024) {
            classifier.feed(piece);
        }
        classifier.finish(&facts)
    });
    sheet.row("10 MB: plain, in pieces of 16 kB", limit, &pieces);
    let log = tracebacks(10 * MB);
    sheet.row("10 MB: tracebacks", limit, &measure(9, |_| classify(&rules, &log, &facts)));
    let log = errors(10 * MB);
    let text = shown(&log);
    let reference = measure(3, |_| patterns.matches(&text).iter().count());
    sheet.row("10 MB: errors, RegexSet over the shown text", None, &reference);
    sheet.row("10 MB: errors", reference.median * 2, &measure(9, |_| classify(&rules, &log, &facts)));
    let line: Vec<u8> = plain.iter().copied().filter(|b| *b != b'\n').collect();
    let figures = measure(9, |_| classify(&rules, &line, &facts));
    sheet.row("10 MB: one line", limit, &figures);
    let so_far = {
        let mut classifier = Classifier::new(Arc::clone(&rules));
        classifier.feed(&log);
        measure(9, |_| classifier.so_far(&facts))
    };
    sheet.row("10 MB: a verdict on the way", ms(20), &so_far);

    sheet.close();
}
