//! What goes to terminals that cannot do everything, and how much.

use std::time::{Duration, Instant};

use crate::bytes::colours;
use crate::story::worst_failure;
use crate::terminal::{Launch, Terminal};

/// Looks at every screen, and leaves.
fn toured(launch: Launch) -> Terminal {
    let mut terminal = launch.start();
    terminal.until("the first frame", |text| text.starts_with("stackhand demo"));
    for (keys, there) in [("2", "Pipelines"), ("3", "DAG"), ("4", "Jobs"), ("gz", "Audit"), ("gm", "Messages")] {
        terminal.keys(keys);
        terminal.until(there, |text| text.contains(there));
    }
    worst_failure(&mut terminal);
    terminal.keys("r");
    terminal.until("the preview", |text| text.contains("Retry preview"));
    terminal.keys("no");
    terminal.until("a log", |text| text.contains("landmark"));
    terminal.keys("?");
    terminal.until("the help", |text| text.contains("type to search"));
    terminal.keys("\x03");
    terminal.keys("q");
    terminal.ended();
    terminal
}

#[test]
fn colours_are_used_unless_they_are_unwanted() {
    assert!(!colours(&toured(Launch::demo()).bytes()).is_empty());
    let plain = colours(&toured(Launch::demo().env("NO_COLOR", "1")).bytes());
    assert!(plain.is_empty(), "against NO_COLOR: {plain:?}");
}

#[test]
fn ascii_means_every_byte() {
    let bytes = toured(Launch::demo().args(&["--ascii"])).bytes();
    let odd = bytes.iter().position(|byte| !byte.is_ascii());
    let around = odd.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(40)..(at + 20).min(bytes.len())]));
    assert!(odd.is_none(), "not ASCII: {around:?}");
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let mut terminal = Launch::demo().env("TERM", "dumb").start();
    terminal.until("lines of what happens", |text| text.lines().filter(|line| !line.is_empty()).count() >= 5);
    terminal.keys("\x03");
    terminal.ended();
    let bytes = terminal.bytes();
    assert!(!bytes.contains(&0x1b), "an escape byte: {:?}", String::from_utf8_lossy(&bytes));
    assert!(terminal.is_as_before());
}

#[test]
fn an_idle_console_is_nearly_silent() {
    let mut terminal = Launch::demo().args(&["--speed", "1"]).start();
    terminal.until("failures on the first screen", |text| text.contains("script_failure"));
    let is_whole = |text: &str| {
        let read = text.lines().find(|line| line.contains("READS")).and_then(|line| line.split_whitespace().nth(2));
        // Caches are listed once a minute, and tell how far that is.
        let is_listing = text.contains("listing");
        !is_listing && read.and_then(|part| part.split_once('/')).is_some_and(|(read, all)| read == all && all != "0")
    };
    terminal.stays("everything is read", Duration::from_secs(3), is_whole);
    let (begun, before) = (Instant::now(), terminal.written());
    terminal.stays("nothing happens", Duration::from_secs(6), |_| true);
    let per_second = (terminal.written() - before) as f64 / begun.elapsed().as_secs_f64();
    eprintln!("an idle second writes {per_second:.0} bytes");
    assert!(per_second <= 300.0, "{per_second:.0} bytes in an idle second; 150 are allowed, twice that fails");
    terminal.keys("q");
    terminal.ended();
}
