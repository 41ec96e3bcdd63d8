//! What every benchmark does alike: runs something often, prints one row about it, and fails at the end if a budget was missed.
//!
//! A row holds the median, the 99th percentile, and the median's ratio to a sort of 5,000 names in the same process, so that a slow machine
//! explains itself. Budgets are held with a threefold margin, because a neighbour may be compiling, and only in optimised builds.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How many times over its budget a duration may be before the benchmark fails.
const MARGIN: u32 = 3;

/// How long something took.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub median: Duration,
    pub p99: Duration,
}

/// Runs something so many times.
pub fn measure<R>(times: usize, run: impl FnMut(usize) -> R) -> Figures {
    prepared(times, |turn| turn, run)
}

/// Runs something so many times; neither what it needs nor what it leaves is timed.
pub fn prepared<T, R>(times: usize, mut prepare: impl FnMut(usize) -> T, mut run: impl FnMut(T) -> R) -> Figures {
    let taken = (0..times)
        .map(|turn| {
            let needed = prepare(turn);
            let start = Instant::now();
            let left = black_box(run(black_box(needed)));
            let took = start.elapsed();
            drop(left);
            took
        })
        .collect();
    of(taken)
}

/// The figures of so many durations.
pub fn of(mut taken: Vec<Duration>) -> Figures {
    taken.sort_unstable();
    let last = taken.len().saturating_sub(1);
    let at = |part: usize| taken.get((taken.len() * part / 100).min(last)).copied().unwrap_or_default();
    Figures { median: at(50), p99: at(99) }
}

/// The rows of one benchmark.
pub struct Sheet {
    reference: Duration,
    missed: Vec<String>,
}

impl Sheet {
    /// Measures the reference and prints the head of the table.
    pub fn open(title: &str) -> Self {
        let names: Vec<String> = (0..5_000_u32).map(|i| format!("pkg-{}", i.wrapping_mul(2_654_435_761))).collect();
        let sort = prepared(
            50,
            |_| names.clone(),
            |mut names| {
                names.sort_unstable();
                names
            },
        );
        println!("{title:<48} {:>9} {:>9} {:>8}  budget", "median", "p99", "x sort");
        let mut sheet = Self { reference: sort.median, missed: Vec::new() };
        sheet.row("a sort of 5,000 names", None, &sort);
        sheet
    }

    /// Prints a row; `budget` is for the median.
    pub fn row(&mut self, what: &str, budget: impl Into<Option<Duration>>, figures: &Figures) {
        self.compare(what, budget, figures, figures.median);
    }

    /// Prints a row in which `held` is what the budget is for.
    pub fn compare(&mut self, what: &str, budget: impl Into<Option<Duration>>, figures: &Figures, held: Duration) {
        let budget = budget.into();
        let ratio = figures.median.as_secs_f64() / self.reference.as_secs_f64();
        let figures = format!("{:>9.1?} {:>9.1?} {ratio:>8.3}", figures.median, figures.p99);
        let kept = cfg!(debug_assertions) || budget.is_none_or(|most| held < most * MARGIN);
        self.print(what, &figures, &budget.map(|most| format!("{most:?}")).unwrap_or_default(), kept);
    }

    /// Prints any other row. `kept` is false when its budget was missed.
    pub fn print(&mut self, what: &str, figures: &str, budget: &str, kept: bool) {
        println!("{what:<48} {figures:<28}  {budget}{}", if kept { "" } else { "  MISSED" });
        if !kept {
            self.missed.push(what.trim().to_owned());
        }
    }

    /// Fails when a budget was missed.
    pub fn close(self) {
        println!();
        assert!(self.missed.is_empty(), "over budget: {}", self.missed.join("; "));
    }
}
