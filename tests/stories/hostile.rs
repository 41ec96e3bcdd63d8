//! Hostile bytes: whatever stands in names, refs, titles and logs, a cell of the screen holds one harmless symbol.

use std::rc::Rc;

use ratatui::buffer::Cell;
use stackhand::ci::Status;
use stackhand::console::text::is_harmless_symbol;
use stackhand::sandbox::{LogBody, Running};

use crate::night::{Night, Plot, Who, story};

/// Clears the screen, sets the title, writes to the clipboard, turns the line around, and more.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;ZXZpbA==\u{1b}\\\u{9b}31m\u{202e}drow\u{2066}\u{0}\r\n\u{8}\u{200b}\u{feff}";

fn log() -> Vec<u8> {
    let mut log = Vec::new();
    for line in 0..400 {
        log.extend(format!("line {line} {EVIL} end\n").bytes());
    }
    log.extend(b"\xff\xfe\x00\x1b[1000;1000H\x1bPq#0\x1b\\ \x9c\n");
    log.extend(std::iter::repeat_n(b'w', 1_000_000));
    log.extend("\nerror: \u{1b}[8mhidden\u{1b}[0m ".bytes());
    log.extend(EVIL.bytes().cycle().take(60_000));
    log.extend(
        b"\n\x1b]8;;http://evil.example/\x07click\x1b]8;;\x07\nERROR: Job failed: exit code 1\n\x1b]52;c;never ends",
    );
    log
}

fn spoil(server: &Running) {
    server.world(|world| {
        let failed: Vec<_> =
            world.jobs().filter(|job| job.status == Status::Failed && !job.retried).map(|job| job.id).collect();
        for (nth, job) in failed.iter().enumerate() {
            world.inject_log(*job, LogBody::Bytes(log().into()));
            if nth % 2 == 0 {
                let name = world.name_of(world.job(*job).unwrap()).to_string();
                world.inject_name(*job, &format!("{EVIL}{name}{EVIL}"));
            }
        }
        let parents: Vec<_> = world.pipelines().filter(|p| p.parent.is_none()).map(|p| p.id).collect();
        for id in parents.iter().rev().take(6) {
            world.inject_ref(*id, &format!("pr1_{EVIL}"), EVIL);
        }
    });
}

fn harmless(night: &Night, place: &str) {
    let shown = night.shown.borrow();
    let bad = shown.buffer.content.iter().find(|cell| !is_harmless_symbol(cell.symbol()));
    assert!(bad.is_none(), "{place}: {bad:?}");
    let text = shown.buffer.content.iter().map(Cell::symbol).collect::<String>();
    let bidi =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let bad = text.chars().find(|c| c.is_control() || bidi(*c));
    assert!(bad.is_none(), "{place}: {bad:?}");
}

fn tour(size: (u16, u16), who: Who) {
    story(async move {
        let night = Plot { size, prelude: Some(Rc::new(spoil)), ..Plot::default() }.by(who).begin().await;
        night.loaded().await;
        for (keys, there) in [
            ("1", "Overview"),
            ("2", "Pipelines"),
            ("2 ⏎", "Pipelines"),
            ("3", "DAG"),
            ("4", "Jobs"),
            ("g m", "Messages"),
            ("g z", "Audit"),
            (":", "Command"),
            ("Esc f", "Command"),
            ("Esc 4 e", "Explain"),
            ("Esc r", "preview"),
            ("t", "preview"),
        ] {
            night.press(keys).await;
            night.settled().await;
            night.until(keys, |text| text.contains(there)).await;
            harmless(&night, keys);
        }
        night.press("Esc Esc").await;
        night.list("state:failed", night.failed()).await;
        harmless(&night, "failed jobs");
        night.press("g g o").await;
        night.until("the log", |text| text.contains("landmark")).await;
        harmless(&night, "the log at its cause");
        for keys in ["G", "g g", "z R", "z w", "z t", "] e", "C-d", "C-d", "PgDn"] {
            night.press(keys).await;
            night.settled().await;
            harmless(&night, keys);
        }
        night.end().await;
    });
}

#[test]
fn at_100x30() {
    tour((100, 30), Who::Operator);
}

#[test]
fn at_80x24_without_a_token() {
    tour((80, 24), Who::Nobody);
}
