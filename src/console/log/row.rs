//! Rows: what one line of a log looks like on screen. Only visible lines ever become rows.

use memchr::{memchr, memrchr};

use super::landmarks::{LandmarkKind, Landmarks};
use super::sections::SectionId;
use crate::ci::Timestamp;
use crate::ci::log::{AnsiStyle, STAMP, Stamp, Token, Tokens, plain_into};
use crate::console::text;

/// Longest part of a line that is shown.
pub(super) const LONGEST: u64 = 8_192;
const TAB: usize = 8;

/// A stretch of harmless text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub text: String,
    pub style: AnsiStyle,
}

/// One line of a log, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Counted from 0; shown from 1.
    pub line: u64,
    /// From the runner's stamp, when it writes stamps.
    pub time: Option<Timestamp>,
    pub spans: Vec<Span>,
    pub landmark: Option<LandmarkKind>,
    /// The innermost section that the line lies in.
    pub section: Option<SectionId>,
    /// Bytes of the line that are not shown; the last span says so.
    pub hidden: u64,
    /// The bytes are not in memory; the missing pages were named.
    pub loading: bool,
}

impl Row {
    /// The shown text without styles.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// Columns that the text takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| text::width(&span.text)).sum()
    }

    /// Cuts the row into pieces of at most so many columns.
    pub fn wrap(&self, cols: usize) -> Vec<Vec<Span>> {
        let cols = cols.max(2); // a wide character must fit
        let mut pieces = vec![Vec::new()];
        let mut used = 0;
        for span in &self.spans {
            let mut rest = span.text.as_str();
            while !rest.is_empty() {
                let head = text::head(rest, cols - used);
                if head.is_empty() {
                    pieces.push(Vec::new());
                    used = 0;
                    continue;
                }
                used += text::width(head);
                if let Some(piece) = pieces.last_mut() {
                    piece.push(Span { text: head.to_owned(), style: span.style });
                }
                rest = rest.get(head.len()..).unwrap_or_default();
            }
        }
        pieces
    }

    /// Draws the bytes of a line. `hidden` bytes of it were left out.
    pub(super) fn draw(line: u64, bytes: &[u8], stamped: bool, hidden: u64) -> Self {
        let bytes = trim_end(bytes);
        let stamp = if stamped { Stamp::read(bytes) } else { None };
        let bytes = if stamp.is_some() { bytes.get(STAMP..).unwrap_or_default() } else { bytes };
        let mut brush = Brush::default();
        let mut rest = bytes;
        while let Some(newline) = memchr(b'\n', rest) {
            // The runner flushed in the middle of this line: the stamp of the next piece is not text.
            brush.paint(rest.get(..newline).unwrap_or_default());
            rest = rest.get(newline + 1 + STAMP..).unwrap_or_default();
        }
        brush.paint(rest);
        brush.flush();
        if hidden > 0 {
            let style = AnsiStyle { dim: true, ..AnsiStyle::default() };
            brush.spans.push(Span { text: format!("…+{}", text::size(hidden)), style });
        }
        let mut row = Self { line, time: stamp.and_then(Stamp::time), spans: brush.spans, hidden, ..Self::default() };
        row.landmark = Landmarks::classify(row.text().as_bytes());
        row
    }
}

/// Writes what a line shows, without styles, into `out`: what search and filter look at.
pub(super) fn shown_into(bytes: &[u8], stamped: bool, out: &mut Vec<u8>) {
    let bytes = trim_end(bytes);
    let text = if stamped && Stamp::read(bytes).is_some() { bytes.get(STAMP..).unwrap_or_default() } else { bytes };
    if stamped && memchr(b'\n', text).is_some() {
        let mut pieces = text.split(|b| *b == b'\n');
        let mut joined = pieces.next().unwrap_or_default().to_vec();
        joined.extend(pieces.flat_map(|piece| piece.get(STAMP..).unwrap_or_default()));
        plain_into(&joined, out);
    } else {
        plain_into(text, out);
    }
}

/// Where the last state of overwritten progress starts within the last bytes of a line; `None` when nothing was overwritten there.
pub(super) fn last_state(tail: &[u8]) -> Option<usize> {
    memrchr(b'\r', trim_end(tail)).map(|at| at + 1)
}

/// Shortens `bytes` so that it does not end inside a UTF-8 character.
pub(super) fn whole_characters(bytes: &mut Vec<u8>) {
    if let Err(error) = std::str::from_utf8(bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[derive(Default)]
struct Brush {
    spans: Vec<Span>,
    style: AnsiStyle,
    pending: Vec<u8>,
    column: usize,
}

impl Brush {
    fn paint(&mut self, bytes: &[u8]) {
        for token in Tokens::new(bytes) {
            match token {
                Token::Text(text) => self.pending.extend_from_slice(text),
                Token::Control(byte) => self.pending.push(byte),
                Token::Style(params) => {
                    let mut style = self.style;
                    style.apply(params);
                    if style != self.style {
                        self.flush();
                        self.style = style;
                    }
                }
                Token::Return => {
                    self.pending.clear();
                    self.spans.clear();
                    self.column = 0;
                }
                Token::Tab => {
                    self.flush();
                    let fill = TAB - self.column % TAB;
                    self.pending.extend(std::iter::repeat_n(b' ', fill));
                }
            }
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let shown = text::clean_bytes(&self.pending);
        self.column += text::width(&shown);
        match self.spans.last_mut() {
            Some(span) if span.style == self.style => span.text.push_str(&shown),
            _ => self.spans.push(Span { text: shown.into_owned(), style: self.style }),
        }
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::log::AnsiColor;

    fn text_of(bytes: &[u8]) -> String {
        Row::draw(0, bytes, false, 0).text()
    }

    #[test]
    fn styles_become_spans() {
        let row = Row::draw(3, b"\x1b[1;34m==>\x1b[0m zlib: done\x1b[0;m\r\n", false, 0);
        let blue = AnsiStyle { bold: true, fg: Some(AnsiColor::Indexed(4)), ..AnsiStyle::default() };
        assert_eq!(
            row.spans,
            [
                Span { text: "==>".into(), style: blue },
                Span { text: " zlib: done".into(), style: AnsiStyle::default() }
            ]
        );
        assert_eq!(row.line, 3);
    }

    #[test]
    fn every_byte_is_shown_harmlessly() {
        assert_eq!(text_of(b"a\x1b]52;c;cGF5bG9hZA==\x07b"), "ab");
        assert_eq!(text_of(b"a\x1b]52;c;no end"), "a␛]52;c;no end");
        assert_eq!(text_of(b"bell\x07 nul\0 \xff\xfe caf\xc3\xa9"), "bell␇ nul␀ �� café");
        assert_eq!(text_of("a\u{202e}b\u{9b}31m".as_bytes()), "a␦b␛31m");
    }

    #[test]
    fn tabs_expand_and_progress_collapses() {
        assert_eq!(text_of(b"a\tb\x1b[1m\tc"), "a       b       c");
        assert_eq!(text_of("日\tx".as_bytes()), "日      x");
        assert_eq!(text_of(b" 10%\r 50%\r\x1b[K100%"), "100%");
        assert_eq!(text_of(b"\x1b[32m10%\r20%"), "20%");
        assert_eq!(Row::draw(0, b"\x1b[32m10%\r20%", false, 0).spans[0].style.fg, Some(AnsiColor::Indexed(2)));
    }

    #[test]
    fn stamps_become_times_and_flushed_lines_are_one() {
        let bytes = b"2026-01-02T13:08:19.007919Z 01O one \n2026-01-02T13:08:20.007919Z 01O+two\n";
        let row = Row::draw(0, bytes, true, 0);
        assert_eq!(row.text(), "one two");
        assert_eq!(row.time, Timestamp::parse("2026-01-02T13:08:19.007Z"));
    }

    #[test]
    fn long_rows_wrap_at_columns() {
        let row = Row::draw(0, "\x1b[1mab日\x1b[0m本cd".as_bytes(), false, 0);
        let pieces: Vec<String> = row.wrap(3).iter().map(|p| p.iter().map(|s| s.text.as_str()).collect()).collect();
        assert_eq!(pieces, ["ab", "日", "本c", "d"]);
        assert_eq!(Row::default().wrap(10).len(), 1);
    }
}
