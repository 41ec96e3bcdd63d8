//! One keystroke in a filter over 5,000 jobs (ux.md §10: < 8 ms): parse the text, ask every row. A plain `str::contains` over the same
//! texts is measured beside them.

mod timing;

use std::sync::Arc;
use std::time::Duration;

use stackhand::ci::Timestamp;
use stackhand::console::filter::{Field, Filter, Subject, Value};
use stackhand::console::state::JobState;

use timing::{Sheet, measure};

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

fn main() {
    let now = Timestamp::from_millis(1_777_600_000_000);
    let rows = rows(now);
    let mut sheet = Sheet::open("filter, 5,000 rows");
    let plain = measure(ROUNDS, |_| {
        let mut kept = 0;
        for row in &rows {
            let mut any = false;
            row.words(&mut |word| any = any || word.contains("hdf5"));
            kept += usize::from(any);
        }
        kept
    });
    sheet.row("plain `contains` over all words", None, &plain);
    for text in [
        "hdf5",
        "zzz",
        "k3xoneapi",
        "\"1.14\"",
        "/hdf5@1\\.[0-9]+/",
        "state:failed !cause:spot blocks>10",
        "stack:e4s pkg=hdf5 | pkg~^llvm",
        "tag:large wait>30m",
        "petsc (state:failed,canceled | blocks>150) !tag:win",
    ] {
        let keystroke = measure(ROUNDS, |_| {
            let filter = Filter::parse(text).unwrap_or_default();
            rows.iter().filter(|row| filter.matches(*row, now)).count()
        });
        sheet.row(text, BUDGET, &keystroke);
    }
    sheet.close();
}
