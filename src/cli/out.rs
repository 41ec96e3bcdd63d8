//! The only place of the program that writes to standard output and standard error.
//!
//! Everything passes `console::text` on its way, so no job name and no log line can say anything to a terminal. JSON is written in printable
//! ASCII. A reader that goes away is not an error: it ends the command quietly.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use super::exit::{Exit, Failure};
use crate::console::text::{ascii, clean, pad, width};

/// Where text goes, and with which characters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Out {
    /// Only ASCII.
    pub ascii: bool,
}

type Written = Result<(), Failure>;

impl Out {
    /// Writes one line. Line breaks in it are shown, not obeyed.
    pub fn line(self, text: &str) -> Written {
        let mut line = self.harmless(text);
        line.push('\n');
        raw(line.as_bytes())
    }

    /// Writes text that has lines of its own.
    pub fn text(self, text: &str) -> Written {
        let mut whole = String::with_capacity(text.len() + 1);
        for line in text.lines() {
            whole.push_str(&self.harmless(line));
            whole.push('\n');
        }
        raw(whole.as_bytes())
    }

    /// Writes columns under their heads; the last column is as wide as it is.
    pub fn table(self, heads: &[&str], rows: &[Vec<String>]) -> Written {
        let head = heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> = std::iter::once(&head)
            .chain(rows)
            .map(|row| row.iter().map(|cell| clean(cell).into_owned()).collect())
            .collect();
        let widths: Vec<usize> = (0..heads.len())
            .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&pad(cell, *width));
                line.push_str("  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        self.text(&text)
    }

    /// Tells the person something beside the output.
    pub fn note(self, text: &str) {
        let line = format!("stackhand: {}\n", self.harmless(text));
        // Without a standard error there is nobody left to tell.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// What stands before a number that may be higher.
    pub const fn at_least(self) -> &'static str {
        if self.ascii { ">= " } else { "≥ " }
    }

    fn harmless(self, text: &str) -> String {
        if self.ascii { ascii(text).into_owned() } else { clean(text).into_owned() }
    }
}

/// Writes a JSON document.
pub fn json(value: &impl Serialize) -> Written {
    let text = serde_json::to_string_pretty(value).map_err(|e| unwritable(&e.into()))?;
    raw((printable(&text) + "\n").as_bytes())
}

/// Writes a JSON document that is one line.
pub fn json_line(value: &impl Serialize) -> Written {
    let text = serde_json::to_string(value).map_err(|e| unwritable(&e.into()))?;
    raw((printable(&text) + "\n").as_bytes())
}

/// Writes bytes as they are: what is harmless already, or what the person asked to have raw.
pub fn raw(bytes: &[u8]) -> Written {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Closed),
        Err(error) => Err(unwritable(&error)),
        Ok(()) => Ok(()),
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write the output: {error}; check where it goes"))
}

/// Escapes what is not printable ASCII. Outside of strings JSON has nothing else, and in strings a reader gets the same text.
fn printable(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, '\n' | ' '..='~') {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// A line about what is going on, on a terminal only, and only when it takes a while.
pub struct Progress {
    shown: usize,
    is_on: bool,
}

impl Progress {
    /// How long a person waits before wondering.
    pub const PATIENCE: Duration = Duration::from_secs(1);

    pub fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Self { shown: 0, is_on: io::stderr().is_terminal() && !dumb }
    }

    /// Replaces the line.
    pub fn say(&mut self, text: &str) {
        if self.is_on {
            let text = ascii(text);
            let line = format!("\r{}", pad(&text, self.shown.max(text.len())));
            self.shown = text.len();
            // Progress that cannot be shown is not missed.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown > 0 {
            self.say("");
            // As above.
            let _ = io::stderr().lock().write_all(b"\r");
        }
    }
}

/// Whether a person sits at a terminal that can be drawn on.
pub fn has_screen() -> bool {
    let term = std::env::var("TERM").unwrap_or_default();
    io::stdout().is_terminal() && io::stdin().is_terminal() && !term.is_empty() && term != "dumb"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_meaning_in_printable_ascii() {
        let text = "\u{1b}[2J \u{202e}x\u{7f} 日本 😀 \"q\"\n";
        let json = printable(&serde_json::to_string(&text).unwrap());
        assert!(json.bytes().all(|b| matches!(b, b' '..=b'~')), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn names_cannot_break_lines_or_reach_the_terminal() {
        let out = Out { ascii: false };
        assert_eq!(out.harmless("a\nb\u{1b}[31m"), "a␤b␛[31m");
        assert_eq!(Out { ascii: true }.harmless("a\nb…"), "a^b~");
    }
}
