//! Budgets of the log viewer: a 10 MB log opens at its cause, a 500 MB log stays small, a frame costs next to nothing.
//! A bare newline count over the same bytes is measured beside them.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod bytes;
    pub mod log;
}

use std::time::Duration;

use stackhand::console::log::{LogDoc, LogState, LogView, Motion, Pattern, Work};

use made::bytes;
use made::log::build_log;
use timing::{Sheet, measure};

const MB: usize = 1_000_000;

fn fed(log: &[u8]) -> LogDoc {
    let mut doc = LogDoc::default();
    let mut at = 0;
    for chunk in log.chunks(64 * 1024) {
        doc.feed(at, chunk);
        at += chunk.len() as u64;
    }
    doc.set_state(LogState::Complete);
    doc
}

fn opened(doc: &LogDoc) -> LogView {
    let mut view = LogView::new(false);
    view.resize(doc, 100, 26);
    view.sync(doc);
    view
}

fn main() {
    let mut sheet = Sheet::open("log");
    let ms = Duration::from_millis;
    let log = build_log(10 * MB);
    sheet.row("10 MB: newline count", None, &measure(9, |_| memchr::memchr_iter(b'\n', &log).count()));
    let open = measure(9, |_| {
        let doc = fed(&log);
        let frame = opened(&doc).frame(&doc);
        assert!(frame.rows.iter().any(|row| row.cursor && row.landmark.is_some()), "the log must open at its cause");
        doc
    });
    sheet.row("10 MB: index and first frame", ms(150), &open);

    let doc = fed(&log);
    let mut view = opened(&doc);
    let half_page = measure(99, |_| {
        view.go(&doc, Motion::HalfPageUp);
        view.frame(&doc)
    });
    sheet.row("10 MB: half a page up and its frame", ms(4), &half_page);
    let search = measure(3, |_| {
        view.search(&doc, Some(Pattern::parse("no such text anywhere").expect("a literal")));
        while view.work(&doc) == Work::More {}
    });
    sheet.row("10 MB: search of the whole log", None, &search);

    let before = bytes::resident();
    let mut doc = LogDoc::default();
    let feed = measure(1, |_| {
        let mut at = 0;
        while at < 500 * MB as u64 {
            for chunk in log.chunks(64 * 1024) {
                doc.feed(at, chunk);
                at += chunk.len() as u64;
            }
        }
        doc.set_state(LogState::Complete);
    });
    sheet.row("500 MB: index", None, &feed);
    assert!(!opened(&doc).frame(&doc).rows.is_empty(), "a log of 500 MB must show");
    bytes::row(&mut sheet, "500 MB: held", doc.memory(), Some(64 * MB));
    if let (Some(before), Some(after)) = (before, bytes::resident()) {
        bytes::row(&mut sheet, "500 MB: resident, grown by", after.saturating_sub(before), Some(64 * MB));
    }
    sheet.close();
}
