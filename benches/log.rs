//! Budgets of the log viewer: a 10 MB log opens at its cause, a 500 MB log stays small, a frame costs next to nothing.
//!
//! Prints medians, and the time of a bare newline count over the same bytes in the same run, so that a slow machine explains itself.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark talks to the terminal and may give up")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use stackhand::console::log::{LogDoc, LogState, LogView, Motion, Pattern, Work};

const MB: usize = 1_000_000;

/// A build log of about so many bytes that fails near its end.
fn build_log(bytes: usize) -> Vec<u8> {
    let mut log = b"section_start:1764126998:step_script\r\x1b[0K\x1b[36;1mExecuting the job script\x1b[0;m\n".to_vec();
    log.extend(b"\x1b[1;34m==>\x1b[0m hdf5: Executing phase: 'build'\n");
    let mut n = 0;
    while log.len() < bytes {
        log.extend(format!("[{n:5}/99999] \x1b[32mBuilding CXX object src/part_{}/CMakeFiles/hdf5.dir/part_{n}.cpp.o\x1b[0m -Werror=format\n", n % 97).bytes());
        if n % 50 == 0 {
            log.extend(
                format!("../src/part_{n}.cpp:931:7: warning: unused variable 'hash{n}' [-Wunused-variable]\n").bytes(),
            );
        }
        n += 1;
    }
    log.extend(b"H5public.h:27:10: fatal error: hwloc.h: No such file or directory\n");
    log.extend(b"\x1b[1;31m==>\x1b[0m Error: ProcessError: Command exited with status 2\n");
    log.extend(b"section_end:1764127002:step_script\r\x1b[0K\n\x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m\n");
    log
}

fn median(times: usize, mut run: impl FnMut()) -> Duration {
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken.get(times / 2).copied().unwrap_or_default()
}

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

/// Resident bytes of this process, where the system tells them.
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<usize>().ok().map(|pages| pages * 4_096)
}

fn main() {
    let log = build_log(10 * MB);
    let newlines = median(9, || {
        black_box(memchr::memchr_iter(b'\n', black_box(&log)).count());
    });
    let open = median(9, || {
        let doc = fed(black_box(&log));
        let frame = opened(&doc).frame(&doc);
        assert!(frame.rows.iter().any(|row| row.cursor && row.landmark.is_some()), "the log must open at its cause");
    });
    let ratio = open.as_secs_f64() / newlines.as_secs_f64();
    println!("10 MB: newline count {newlines:?}, index and first frame {open:?} ({ratio:.0} x)");
    assert!(open < Duration::from_millis(150), "10 MB must open within 150 ms");

    let doc = fed(&log);
    let mut view = opened(&doc);
    let frame = median(99, || {
        view.go(&doc, Motion::HalfPageUp);
        black_box(view.frame(&doc));
    });
    println!("10 MB: half a page up and its frame {frame:?}");
    let search = median(3, || {
        view.search(&doc, Some(Pattern::parse("no such text anywhere").expect("a literal")));
        while view.work(&doc) == Work::More {}
    });
    println!("10 MB: search of the whole log {search:?}");

    let block = build_log(10 * MB);
    let before = resident();
    let mut doc = LogDoc::default();
    let start = Instant::now();
    let mut at = 0;
    while at < 500 * MB as u64 {
        for chunk in block.chunks(64 * 1024) {
            doc.feed(at, chunk);
            at += chunk.len() as u64;
        }
    }
    doc.set_state(LogState::Complete);
    let feed = start.elapsed();
    let frame = opened(&doc).frame(&doc);
    let held = doc.memory();
    println!("500 MB: {feed:?}, {} lines, {} kB held, {} rows drawn", doc.lines(), held / 1_000, frame.rows.len());
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        println!("500 MB: resident memory grew by {} kB", grown / 1_000);
        assert!(grown < 64 * MB, "a log may hold 64 MB at most");
    }
    assert!(held < 64 * MB, "a log may hold 64 MB at most");
}
