//! Every way out leaves the terminal as it was.

use crate::bytes::{assert_left, modes};
use crate::story::{READ, worst_failure};
use crate::terminal::{Launch, Terminal};

fn started() -> Terminal {
    let mut terminal = Launch::demo().start();
    terminal.until("the first frame", |text| text.starts_with("stackhand demo"));
    assert!(!terminal.is_as_before(), "the console reads keys one by one");
    assert!(modes(&terminal.bytes())["1049"]);
    terminal
}

fn assert_as_before(terminal: &Terminal) {
    assert_left(&terminal.bytes());
    assert!(terminal.is_as_before(), "the line discipline is not what it was");
}

#[test]
fn by_q() {
    let mut terminal = started();
    terminal.keys("q");
    assert!(terminal.ended().success());
    assert_as_before(&terminal);
}

#[test]
fn by_two_interrupts() {
    let mut terminal = started();
    terminal.keys("\x03\x03");
    terminal.ended();
    assert_as_before(&terminal);
}

#[test]
fn by_signals_from_outside() {
    for name in ["TERM", "HUP", "INT"] {
        let mut terminal = started();
        // In the middle of something: a prompt with its cursor, a popup.
        terminal.keys(":retr");
        terminal.until("the palette", |text| text.contains(":retr"));
        terminal.signal(name);
        terminal.ended();
        assert_as_before(&terminal);
    }
}

#[test]
fn while_a_plan_is_held_it_asks_first() {
    let mut terminal = started();
    worst_failure(&mut terminal);
    terminal.keys("r");
    terminal.stays("the preview", READ, |text| text.contains("[y]"));
    terminal.keys("yq");
    terminal.until("it asks", |text| text.contains("Quit?"));
    terminal.keys("q");
    assert!(terminal.ended().success());
    assert_as_before(&terminal);
}

#[test]
fn by_stopping_and_coming_back() {
    let shell = "/bin/bash";
    if !std::path::Path::new(shell).exists() {
        return eprintln!("SKIPPED: no {shell}, so nobody stops and continues the console here");
    }
    let mut terminal = Launch::program(shell).args(&["--norc", "--noprofile", "-i"]).env("PS1", "ready> ").start();
    terminal.until("the shell", |text| text.contains("ready>"));
    let program = env!("CARGO_BIN_EXE_stackhand");
    terminal.keys(&format!("'{program}' demo --seed 7 --jobs 300\n"));
    terminal.until("the console", |text| text.starts_with("stackhand demo"));
    terminal.keys("\x1a");
    terminal.until("the shell again", |text| text.contains("Stopped") && text.trim_end().ends_with("ready>"));
    let left = modes(&terminal.bytes());
    assert_eq!((left["1049"], left["25"], left["2026"]), (false, true, false));
    terminal.keys("fg\n");
    terminal.until("the console again", |text| text.starts_with("stackhand demo"));
    terminal.keys("2");
    terminal.until("it answers keys", |text| text.contains("Pipelines"));
    terminal.keys("q");
    terminal.until("the shell at the end", |text| text.trim_end().ends_with("ready>"));
    terminal.keys("echo code $?\n");
    terminal.until("a good end", |text| text.contains("code 0"));
    let left = modes(&terminal.bytes());
    assert_eq!((left["1049"], left["25"], left["2026"]), (false, true, false));
    terminal.keys("exit\n");
    terminal.ended();
}
