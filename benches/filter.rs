//! One keystroke in a filter over 5,000 jobs (ux.md §10: < 8 ms): parse the text, ask every row. Each filter is measured in turn with a plain
//! `str::contains` over the same texts, so that the ratio holds on any machine.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stackhand::ci::Timestamp;
use stackhand::console::filter::{Field, Filter, Subject, Value};
use stackhand::console::state::JobState;

const ROWS: usize = 5_000;
const ROUNDS: usize = 200;
const BUDGET: Duration = Duration::from_millis(8);

struct Row {
    name: String,
    package: &'static str,
    runner: String,
    state: JobState,
    tags: Arc<[Arc<str>]>,
    blocks: usize,
    queued_at: Timestamp,
}

impl Subject for Row {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.name);
        visit(&self.runner);
        visit(self.state.name());
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::State => Value::State(self.state),
            Field::Pkg => Value::Text(self.package),
            Field::Stack => Value::Text("e4s-oneapi"),
            Field::Cause => Value::Text("build_error"),
            Field::Runner => Value::Text(&self.runner),
            Field::Tag => Value::Many(&self.tags),
            Field::Blocks => Value::Number(self.blocks as f64),
            Field::Wait => Value::Time(self.queued_at),
            _ => Value::Unknown,
        }
    }
}

fn rows(now: Timestamp) -> Vec<Row> {
    const PACKAGES: [&str; 8] = ["hdf5", "llvm", "py-numpy", "trilinos", "zlib-ng", "openmpi", "r-ggplot2", "petsc"];
    let tags: Arc<[Arc<str>]> = ["spack", "large", "x86_64_v3", "public"].map(Arc::from).into();
    (0..ROWS)
        .zip(PACKAGES.iter().cycle())
        .zip(JobState::ALL.iter().cycle())
        .map(|((i, package), state)| Row {
            name: format!("{package}@{}.{}.{} /k3x2fabcdefghijklmnopqrst{i:07} E4S OneAPI", i % 9, i % 31, i % 7),
            package,
            runner: format!("runner-x86-v{}-pub-gitlab-runner-6c9f-{i:05}", i % 4),
            state: *state,
            tags: tags.clone(),
            blocks: i % 200,
            queued_at: now.shifted(-(i as i64) * 1_000),
        })
        .collect()
}

/// Median and 99th percentile of many rounds.
fn measure(mut round: impl FnMut() -> usize) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            black_box(round());
            start.elapsed()
        })
        .collect();
    times.sort();
    let at = |part: usize| times.get(ROUNDS * part / 100).copied().unwrap_or_default();
    (at(50), at(99))
}

fn main() {
    let now = Timestamp::from_millis(1_777_600_000_000);
    let rows = rows(now);
    println!("{:<44} {:>9} {:>9} {:>6} {:>8}", "filter, 5,000 rows", "median", "p99", "kept", "ratio");
    for text in [
        "hdf5",
        "zzz",
        "k3xoneapi",
        "\"1.14\"",
        "/hdf5@1\\.[0-9]+/",
        "state:failed !cause:spot blocks>10",
        "stack:e4s pkg=hdf5 | pkg~^llvm",
        "tag:large wait>30m",
        "petsc v2 (state:failed,canceled | blocks>150) !tag:win",
    ] {
        let keystroke = || {
            let filter = Filter::parse(text).unwrap_or_default();
            rows.iter().filter(|row| filter.matches(*row, now)).count()
        };
        let naive = || {
            let mut kept = 0;
            for row in &rows {
                let mut any = false;
                row.words(&mut |word| any = any || word.contains("hdf5"));
                kept += usize::from(any);
            }
            kept
        };
        let (plain, _) = measure(naive);
        let (median, p99) = measure(keystroke);
        let ratio = median.as_secs_f64() / plain.as_secs_f64();
        println!("{text:<44} {median:>9.1?} {p99:>9.1?} {:>6} {ratio:>7.1}x", keystroke());
        // A build without optimisation only prints.
        assert!(cfg!(debug_assertions) || median < BUDGET, "`{text}` takes {median:?}, more than a keystroke may");
    }
}
