//! From the lines of a log as they came to what they show: without escapes and markers, each state of an overwritten line by itself.

use memchr::memmem;

use super::block::Block;
use super::lines::Raw;
use super::sections::Sections;
use crate::ci::log::{Marker, Token, Tokens};

/// States of one line that are looked at; of more the last one counts in any case.
const MOST_STATES: usize = 1_024;

/// Writes lines into a block, and follows the sections on the way.
#[derive(Debug, Clone, Default)]
pub(super) struct Cleaner {
    pub sections: Sections,
    /// Where the job came to a new phase before its epilogue: numbers of entries, in order.
    pub phases: Vec<u64>,
    /// Bytes of text, and bytes that no text has.
    pub text: u64,
    pub odd: u64,
    /// The last line that shows anything.
    pub last_shown: u64,
    buffer: Vec<u8>,
}

impl Cleaner {
    /// Writes what a line shows.
    pub fn show(&mut self, raw: Raw<'_>, block: &mut Block) {
        let plain = !raw.head.iter().fold(false, |any, b| any | b.is_ascii_control());
        if plain && raw.tail.is_empty() {
            block.write(raw.head);
            self.end(raw, true, block);
            return;
        }
        let mut states = 0;
        if !raw.tail.is_empty() {
            self.states(raw, raw.head, &mut states, block);
            self.end_state(raw, &mut states, block);
        }
        let bytes = if raw.tail.is_empty() { raw.head } else { raw.tail };
        let shown = bytes.iter().rposition(|b| *b != b'\r').map_or(0, |last| last + 1);
        self.states(raw, bytes.get(..shown).unwrap_or_default(), &mut states, block);
        if shown < bytes.len() {
            self.take_marker(raw, &mut states, block);
        }
        self.end(raw, true, block);
    }

    /// Writes the states of a line and leaves the last one open.
    fn states(&mut self, raw: Raw<'_>, bytes: &[u8], states: &mut usize, block: &mut Block) {
        for token in Tokens::new(bytes) {
            match token {
                Token::Text(text) => block.write(text),
                Token::Tab => block.write(b" "),
                Token::Style(_) => {}
                Token::Control(_) => self.odd += 1,
                Token::Return => {
                    self.take_marker(raw, states, block);
                    self.end_state(raw, states, block);
                }
            }
        }
    }

    /// Ends a state that was overwritten, unless it shows nothing.
    fn end_state(&mut self, raw: Raw<'_>, states: &mut usize, block: &mut Block) {
        if block.written().is_empty() {
            return;
        }
        if *states < MOST_STATES {
            *states += 1;
        } else {
            block.drop_newest();
        }
        self.end(raw, false, block);
    }

    /// Takes a marker from the end of what was written, if one stands there; text before it is a state of its own.
    fn take_marker(&mut self, raw: Raw<'_>, states: &mut usize, block: &mut Block) {
        let Some(at) = memmem::rfind(block.written(), b"section_") else { return };
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.clear();
        bytes.extend_from_slice(block.written().get(at..).unwrap_or_default());
        bytes.push(b'\r');
        if let Some((marker, [])) = Marker::read(&bytes) {
            block.cut(at);
            self.end_state(raw, states, block);
            if !marker.opens {
                self.sections.close(marker.name);
            } else if self.sections.open(marker.name) {
                self.phases.push(block.next_number());
            }
        }
        self.buffer = bytes;
    }

    fn end(&mut self, raw: Raw<'_>, last: bool, block: &mut Block) {
        self.text += block.written().len() as u64;
        if !block.written().trim_ascii().is_empty() {
            self.last_shown = raw.line;
        }
        block.end(raw.line, raw.offset, self.sections.place(), last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taxonomy::matcher::lines::Lines;

    fn shown(log: &[u8]) -> Vec<String> {
        let (mut lines, mut cleaner, mut block) = (Lines::default(), Cleaner::default(), Block::default());
        lines.feed(log, |raw| cleaner.show(raw, &mut block));
        lines.finish(|raw| cleaner.show(raw, &mut block));
        let section = |n: usize| {
            let place = block.entries()[n].place;
            place.section.and_then(|s| cleaner.sections.name(s)).map_or("-", |n| n)
        };
        let said = |n: usize| {
            let entry = block.entries()[n];
            let text = String::from_utf8_lossy(block.shown(n));
            format!("{}{} {} {text}", entry.line, if entry.last { "" } else { "~" }, section(n))
        };
        (0..block.entries().len()).map(said).collect()
    }

    #[test]
    fn escapes_and_returns_leave_what_was_shown() {
        assert_eq!(shown(b"\x1b[31;1mERROR: x\x1b[0;m\r\nplain\r\r\n"), ["1 - ERROR: x", "2 - plain"]);
        assert_eq!(shown(b" 10%\r 50%\r\x1b[K100%\n"), ["1~ -  10%", "1~ -  50%", "1 - 100%"]);
        assert_eq!(shown(b"a\tb\0c\x07\x1b]0;t\x07d\n"), ["1 - a bcd"]);
        assert_eq!(shown(b"\xff\xfeok\x1b[12\n"), [format!("1 - {}ok[12", "\u{fffd}".repeat(2))]);
    }

    #[test]
    fn markers_share_a_line_with_text() {
        let log = b"section_start:1:get_sources\r\x1b[0K\x1b[36;1mGetting\x1b[0m\nlast words\
            section_end:2:get_sources\r\x1b[0Ksection_start:2:step_script[collapsed=true]\r\x1b[0KScript\ntext\n\
            section_end:3:step_script\r\x1b[0K\nERROR\n";
        let want = [
            "1 get_sources Getting",
            "2~ get_sources last words",
            "2 step_script Script",
            "3 step_script text",
            "4 - ",
            "5 - ERROR",
        ];
        assert_eq!(shown(log), want);
        assert_eq!(shown(b"section_end:1:a\r\nsection_x:1:a\rb\n"), ["1 - ", "2~ - section_x:1:a", "2 - b"]);
    }

    #[test]
    fn endless_progress_stays_bounded() {
        let mut log = b"\r50%".repeat(10_000);
        log.extend(b"\rlast\nnext\n");
        let lines = shown(&log);
        assert_eq!(lines.len(), MOST_STATES + 2);
        assert_eq!(lines[lines.len() - 2..], ["1 - last", "2 - next"]);
    }
}
