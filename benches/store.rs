//! Budgets of the store with 100,000 failures of 90 days: the groups of the Errors screen over a week in < 20 ms, 1,000
//! failures written in < 100 ms. The file lies where temporary files lie; each write waits for the disk.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod dice;
    pub mod failures;
}

use std::ops::Range;
use std::time::Duration;

use stackhand::adapters::store::Store;
use stackhand::ci::Timestamp;
use stackhand::console::failures::{By, FailureFilter, Kind, Piece};
use stackhand::taxonomy::Failure;
use tokio::runtime::{Builder, Runtime};

use made::failures::{DAY, NOW, failures, later_tries};
use timing::{Figures, Sheet, measure, prepared};

const STORED: usize = 100_000;
const WRITTEN: usize = 1_000;

fn days(days: i64) -> Range<Timestamp> {
    NOW.shifted(-days * DAY)..NOW
}

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let folder = std::env::temp_dir().join(format!("stackhand-bench-store-{}", std::process::id()));
    let mut sheet = Sheet::open("store, 100,000 failures of 90 days");
    let store = runtime.block_on(Store::open(&folder.join("stackhand.db"), NOW)).expect("a store");
    let all = failures(STORED, 90, 15_000_000);
    fill(&mut sheet, &runtime, &store, &all);
    ask(&mut sheet, &runtime, &store);
    write(&mut sheet, &runtime, &store, &all);
    forget(&mut sheet, &runtime, &store);
    runtime.block_on(store.close());
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    sheet.close();
}

fn fill(sheet: &mut Sheet, runtime: &Runtime, store: &Store, all: &[Failure]) {
    let tries = later_tries(all);
    let fill = measure(1, |_| {
        runtime.block_on(async {
            for some in all.chunks(WRITTEN) {
                store.put_failures(some).await.expect("room");
            }
            store.put_later_tries(&tries).await.expect("room");
        });
    });
    sheet.row("fill: 100,000 failures, 40,000 later tries", None, &fill);
}

fn write(sheet: &mut Sheet, runtime: &Runtime, store: &Store, all: &[Failure]) {
    let put = |some: Vec<_>| runtime.block_on(store.put_failures(&some)).expect("room");
    let new = |first: u64, days: i64| move |turn: usize| failures(WRITTEN, days, first + turn as u64 * 1_000_000);
    sheet.row("write 1,000 failures of a day", Duration::from_millis(100), &prepared(9, new(20_000_000, 1), put));
    // No page of the file holds two of them.
    sheet.row("write 1,000 failures of 90 days", None, &prepared(9, new(40_000_000, 90), put));
    let again = |turn: usize| all.iter().skip(turn * WRITTEN).take(WRITTEN).cloned().collect::<Vec<_>>();
    sheet.row("judge 1,000 failures again", Duration::from_millis(100), &prepared(9, again, put));
}

fn ask(sheet: &mut Sheet, runtime: &Runtime, store: &Store) {
    let ms = Duration::from_millis;
    let grouped = |by: &[By], range: Range<Timestamp>, times: usize| -> Figures {
        measure(times, |_| {
            let groups = runtime.block_on(store.grouped(by, range.clone(), NOW.shifted(-DAY))).expect("an answer");
            assert!(groups.iter().all(|groups| !groups.is_empty()), "there is something to count");
            groups
        })
    };
    sheet.row("7 days by class and signature", ms(20), &grouped(&[By::Class, By::Signature], days(7), 99));
    sheet.row("6 hours by class and signature", ms(20), &grouped(&[By::Class, By::Signature], hours(6), 99));
    sheet.row("90 days by class and signature", None, &grouped(&[By::Class, By::Signature], days(90), 9));
    sheet.row("7 days by package and host", None, &grouped(&[By::Package, By::Host], days(7), 99));
    let class = FailureFilter { class: Some("class_07".into()), ..FailureFilter::default() };
    for (what, filter) in [("newest 100 of all", FailureFilter::default()), ("newest 100 of a class", class)] {
        let list = measure(99, |_| {
            runtime.block_on(store.failures_since(days(90), &filter, Piece::newest(100))).expect("an answer")
        });
        sheet.row(what, None, &list);
    }
    let daily = measure(99, |_| runtime.block_on(store.daily_counts(days(7))).expect("an answer"));
    sheet.row("7 days, per class and day", None, &daily);
    let history = measure(99, |_| {
        runtime.block_on(store.retry_history(Kind::Class("class_07"), NOW.shifted(-90 * DAY))).expect("an answer")
    });
    sheet.row("90 days of retries of a class", None, &history);
}

fn hours(hours: i64) -> Range<Timestamp> {
    NOW.shifted(-hours * 3_600_000)..NOW
}

fn forget(sheet: &mut Sheet, runtime: &Runtime, store: &Store) {
    let mut oldest = NOW.shifted(-90 * DAY);
    let forget = measure(3, |_| {
        oldest = oldest.shifted(DAY);
        runtime.block_on(store.forget_before(oldest)).expect("room")
    });
    sheet.row("forget a day, with pauses", None, &forget);
}
