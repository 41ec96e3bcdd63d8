//! Terminal escapes inside a log: which bytes are text, which set a style, and which are only noise.
//!
//! One scanner serves the index (plain text of a suspicious line) and the rows on screen (styled spans). It never trusts an escape: what
//! does not end within its bound is shown as text, so nothing can hide behind an unfinished sequence.

use memchr::{memchr2, memchr3};

/// Longest accepted CSI sequence and string sequence (OSC, DCS, …), in bytes.
const LONGEST_CSI: usize = 64;
const LONGEST_STRING: usize = 2_048;

/// What one stretch of bytes means.
#[derive(Debug, PartialEq, Eq)]
pub enum Token<'a> {
    Text(&'a [u8]),
    /// The parameters of `CSI … m`.
    Style(&'a [u8]),
    /// Carriage return: what follows replaces what was written.
    Return,
    Tab,
    /// Any other control byte, shown as its picture.
    Control(u8),
}

/// Splits bytes into tokens. Escapes that are not styles are swallowed.
pub struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let first = *self.rest.first()?;
            if !first.is_ascii_control() {
                return Some(Token::Text(self.take(text(self.rest))));
            }
            if let (0x1b, Some(escape)) = (first, Escape::read(self.rest)) {
                let sequence = self.take(escape.len);
                if escape.style {
                    return Some(Token::Style(sequence.get(2..escape.len - 1).unwrap_or_default()));
                }
                continue;
            }
            self.take(1);
            return Some(match first {
                b'\r' => Token::Return,
                b'\t' => Token::Tab,
                other => Token::Control(other),
            });
        }
    }
}

/// Bytes before the first control byte. Whole stretches without any are passed over at once.
fn text(bytes: &[u8]) -> usize {
    const STRETCH: usize = 16;
    let plain = |stretch: &&[u8; STRETCH]| !stretch.iter().fold(false, |any, b| any | b.is_ascii_control());
    let (stretches, _) = bytes.as_chunks::<STRETCH>();
    let passed = stretches.iter().take_while(plain).count() * STRETCH;
    let rest = bytes.get(passed..).unwrap_or_default();
    passed + rest.iter().position(u8::is_ascii_control).unwrap_or(rest.len())
}

struct Escape {
    len: usize,
    style: bool,
}

impl Escape {
    /// Measures the escape at the start of `bytes`; `None` when it does not end within its bound.
    fn read(bytes: &[u8]) -> Option<Self> {
        let plain = |len| Some(Self { len, style: false });
        match *bytes.get(1)? {
            b'[' => {
                let body = bytes.get(2..)?;
                let params = run(body, 0x30..=0x3f);
                let middle = run(body.get(params..)?, 0x20..=0x2f);
                let last = *body.get(params + middle)?;
                let asks = body.first().is_some_and(|b| (0x3c..=0x3f).contains(b)); // `CSI > … m` is no style
                let style = last == b'm' && middle == 0 && !asks;
                (0x40..=0x7e).contains(&last).then_some(Self { len: 2 + params + middle + 1, style })
            }
            b']' | b'P' | b'X' | b'^' | b'_' => {
                let body = bytes.get(2..)?;
                let body = body.get(..LONGEST_STRING).unwrap_or(body);
                let end = memchr2(0x07, 0x1b, body)?;
                match body.get(end..)? {
                    [0x07, ..] => plain(2 + end + 1),
                    [0x1b, b'\\', ..] => plain(2 + end + 2),
                    _ => None,
                }
            }
            0x20..=0x2f => {
                let middle = run(bytes.get(1..)?, 0x20..=0x2f);
                matches!(bytes.get(1 + middle), Some(0x30..=0x7e)).then_some(Self { len: 2 + middle, style: false })
            }
            0x30..=0x7e => plain(2),
            _ => None,
        }
    }
}

fn run(bytes: &[u8], kind: std::ops::RangeInclusive<u8>) -> usize {
    bytes.iter().take(LONGEST_CSI).take_while(|b| kind.contains(*b)).count()
}

/// Writes what a line shows in the end, without styles, into `out` (which is cleared). `line` comes without its newline.
pub fn plain_into(line: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if memchr3(0x1b, b'\r', b'\t', line).is_none() {
        out.extend_from_slice(line);
        return;
    }
    for token in Tokens::new(line) {
        match token {
            Token::Text(text) => out.extend_from_slice(text),
            Token::Return => out.clear(),
            Token::Tab => out.push(b' '),
            Token::Style(_) | Token::Control(_) => {}
        }
    }
}

/// A colour that a log asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnsiColor {
    /// 0–15 the named colours, up to 255 the fixed palette.
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// The style of a stretch of log text. Blinking and hidden text are never honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AnsiStyle {
    pub fg: Option<AnsiColor>,
    pub bg: Option<AnsiColor>,
    pub bold: bool,
    pub dim: bool,
    pub underline: bool,
    pub reverse: bool,
}

impl AnsiStyle {
    /// Applies the parameters of one `CSI … m`.
    pub fn apply(&mut self, params: &[u8]) {
        let mut groups = params.split(|b| *b == b';');
        while let Some(group) = groups.next() {
            if group.contains(&b':') {
                self.apply_colons(group);
                continue;
            }
            match number(group) {
                Some(code @ (38 | 48)) => {
                    let color = match groups.next().and_then(number) {
                        Some(5) => groups.next().and_then(byte).map(AnsiColor::Indexed),
                        Some(2) => rgb([groups.next(), groups.next(), groups.next()]),
                        _ => None,
                    };
                    self.paint(code, color);
                }
                Some(code) => self.apply_code(code),
                None => {}
            }
        }
    }

    /// `38:5:n`, `38:2:r:g:b`, `38:2::r:g:b`, `4:3`.
    fn apply_colons(&mut self, group: &[u8]) {
        let parts: Vec<&[u8]> = group.splitn(8, |b| *b == b':').collect();
        match *parts.as_slice() {
            [code, kind, index] if number(kind) == Some(5) => {
                self.paint(number(code).unwrap_or(0), byte(index).map(AnsiColor::Indexed));
            }
            [code, kind, .., r, g, b] if number(kind) == Some(2) => {
                self.paint(number(code).unwrap_or(0), rgb([Some(r), Some(g), Some(b)]));
            }
            [code, shape] if number(code) == Some(4) => self.underline = number(shape) != Some(0),
            _ => {}
        }
    }

    fn apply_code(&mut self, code: u16) {
        match code {
            0 => *self = Self::default(),
            1 => self.bold = true,
            2 => self.dim = true,
            4 | 21 => self.underline = true,
            7 => self.reverse = true,
            22 => (self.bold, self.dim) = (false, false),
            24 => self.underline = false,
            27 => self.reverse = false,
            30..=37 => self.fg = Some(AnsiColor::Indexed(code as u8 - 30)),
            39 => self.fg = None,
            40..=47 => self.bg = Some(AnsiColor::Indexed(code as u8 - 40)),
            49 => self.bg = None,
            90..=97 => self.fg = Some(AnsiColor::Indexed(code as u8 - 82)),
            100..=107 => self.bg = Some(AnsiColor::Indexed(code as u8 - 92)),
            _ => {}
        }
    }

    fn paint(&mut self, code: u16, color: Option<AnsiColor>) {
        match (code, color) {
            (38, Some(_)) => self.fg = color,
            (48, Some(_)) => self.bg = color,
            _ => {}
        }
    }
}

/// An empty parameter means 0; one that is no number, or a huge one, means nothing.
fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |n, d| {
        let digit = d.is_ascii_digit().then(|| u16::from(d - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

fn byte(digits: &[u8]) -> Option<u8> {
    number(digits).and_then(|n| u8::try_from(n).ok())
}

fn rgb(parts: [Option<&[u8]>; 3]) -> Option<AnsiColor> {
    let [r, g, b] = parts.map(|part| part.and_then(byte));
    Some(AnsiColor::Rgb(r?, g?, b?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(line: &str) -> String {
        let mut out = Vec::new();
        plain_into(line.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn styled(params: &str) -> AnsiStyle {
        let mut style = AnsiStyle::default();
        style.apply(params.as_bytes());
        style
    }

    #[test]
    fn plain_text_is_what_the_terminal_would_show_in_the_end() {
        assert_eq!(plain("\x1b[1;34m==>\x1b[0m zlib: done"), "==> zlib: done");
        assert_eq!(plain("section_start:1:a\r\x1b[0K\x1b[36;1mTitle\x1b[0;m"), "Title");
        assert_eq!(plain(" 10%\r 50%\r100%\r"), "100%");
        assert_eq!(plain("\x1b]0;evil title\x07text\x1b]8;;http://x\x1b\\link\x1b(B\x1b7"), "textlink");
    }

    #[test]
    fn unfinished_escapes_hide_nothing() {
        assert_eq!(plain("\x1b]0;never ends"), "]0;never ends");
        assert_eq!(plain("\x1b[12"), "[12");
        assert_eq!(plain("\x1b"), "");
        assert_eq!(plain(&format!("\x1b[{}m", "1;".repeat(60))), format!("[{}m", "1;".repeat(60)));
    }

    #[test]
    fn styles_of_every_depth() {
        let red = Some(AnsiColor::Indexed(1));
        assert_eq!(styled("1;31"), AnsiStyle { bold: true, fg: red, ..AnsiStyle::default() });
        assert_eq!(styled("31;0;"), AnsiStyle::default());
        assert_eq!(styled("0;91").fg, Some(AnsiColor::Indexed(9)));
        assert_eq!(styled("38;5;208").fg, Some(AnsiColor::Indexed(208)));
        assert_eq!(styled("48;2;1;2;3;4").bg, Some(AnsiColor::Rgb(1, 2, 3)));
        let orange = Some(AnsiColor::Rgb(9, 8, 7));
        assert_eq!(styled("38:2::9:8:7;7"), AnsiStyle { fg: orange, reverse: true, ..AnsiStyle::default() });
        assert_eq!(styled("5;8;38;5;999;x;99999"), AnsiStyle::default());
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_but_in_escapes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let shown: usize = Tokens::new(&bytes).map(|t| match t {
                Token::Text(text) => text.len(),
                Token::Style(_) => 0,
                Token::Return | Token::Tab | Token::Control(_) => 1,
            }).sum();
            prop_assert!(shown <= bytes.len());
            if !bytes.contains(&0x1b) {
                prop_assert_eq!(shown, bytes.len());
            }
        }
    }
}
