//! Which characters may reach a terminal, and what stands in for the others.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Stands in for a character that would be invisible or that moves its neighbours. Narrow in every locale, like all control pictures.
const HIDDEN: char = '␦';
/// One picture for everything that would break the line.
const LINE_BREAK: char = '␤';
/// ESC, and the C1 controls: they are the eight-bit forms of `ESC @` … `ESC _`.
const ESCAPE: char = '␛';
/// How many marks one base may carry. Vietnamese needs two, pointed Hebrew three; towers of marks paint over other rows.
const MAX_MARKS: u8 = 3;

/// Makes one line of foreign text harmless: every control, line break, bidirectional control, invisible or private character becomes a
/// visible stand-in. Text that is harmless already is borrowed; the answer does not change when it is cleaned again.
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_printable_ascii(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut judge = Judge::default();
    let mut chars = text.char_indices().peekable();
    let mut out: Option<String> = None;
    while let Some((at, c)) = chars.next() {
        let verdict = judge.verdict(c, chars.peek().map(|(_, next)| *next));
        match (verdict, &mut out) {
            (Verdict::Keep, None) => {}
            (Verdict::Keep, Some(out)) => out.push(c),
            (other, out) => {
                let out = out.get_or_insert_with(|| {
                    let mut kept = String::with_capacity(text.len() + 8);
                    kept.push_str(text.get(..at).unwrap_or_default());
                    kept
                });
                if let Verdict::Show(picture) = other {
                    out.push(picture);
                }
            }
        }
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// [`clean`] for bytes of unknown encoding: what is not UTF-8 becomes `�`.
pub fn clean_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => match clean(&text) {
            Cow::Borrowed(_) => Cow::Owned(text),
            Cow::Owned(cleaned) => Cow::Owned(cleaned),
        },
    }
}

/// Cleans text for a terminal that draws only ASCII. Every column stays a column, so a layout made for the cleaned text still holds.
pub fn ascii(text: &str) -> Cow<'_, str> {
    let cleaned = clean(text);
    if cleaned.is_ascii() {
        return cleaned;
    }
    let mut out = String::with_capacity(cleaned.len());
    for c in cleaned.chars() {
        let stand_in = match c {
            c if c.is_ascii() => c,
            '…' => '~',
            '␀'..='␟' | LINE_BREAK => '^',
            '‘' | '’' => '\'',
            '“' | '”' => '"',
            '‐'..='―' | '−' => '-',
            '•' | '·' => '.',
            // Never a question mark: that says that nobody knows.
            '≥' | '→' => '>',
            '≤' | '←' => '<',
            c if c.is_whitespace() => ' ',
            _ => '?',
        };
        out.extend(std::iter::repeat_n(stand_in, c.width().unwrap_or(1)));
    }
    Cow::Owned(out)
}

/// Whether a finished screen cell may be sent to the terminal as it is.
pub fn is_harmless_symbol(symbol: &str) -> bool {
    matches!(clean(symbol), Cow::Borrowed(_))
}

pub(super) fn is_printable_ascii(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, b' '..=b'~'))
}

enum Verdict {
    Keep,
    /// Only for presentation (emoji style, skin tone, the glue of emoji families): terminals disagree on its width, nothing is lost.
    Drop,
    Show(char),
}

/// Walks a text and remembers what the next mark or joiner would attach to.
#[derive(Default)]
struct Judge {
    base: Option<char>,
    marks: u8,
    flooded: bool,
}

impl Judge {
    fn verdict(&mut self, c: char, next: Option<char>) -> Verdict {
        if let Some(picture) = picture_of(c) {
            return self.show(picture);
        }
        let on_emoji = self.base.is_some_and(is_emoji);
        match c {
            '\u{fe0e}' | '\u{fe0f}' if on_emoji || next == Some('\u{20e3}') => Verdict::Drop,
            '\u{1f3fb}'..='\u{1f3ff}' if on_emoji => Verdict::Drop,
            '\u{200d}' if on_emoji && next.is_some_and(is_emoji) => Verdict::Drop,
            '\u{200c}' | '\u{200d}' if self.base.is_some_and(joins) && next.is_some_and(joins) => self.mark(),
            _ if is_hidden(c) => self.show(HIDDEN),
            _ if c.width() == Some(0) => self.mark(),
            _ => {
                *self = Self { base: Some(c), marks: 0, flooded: false };
                Verdict::Keep
            }
        }
    }

    fn show(&mut self, picture: char) -> Verdict {
        *self = Self { base: Some(picture), marks: 0, flooded: false };
        Verdict::Show(picture)
    }

    fn mark(&mut self) -> Verdict {
        if self.base.is_none() {
            return self.show(HIDDEN); // it would attach to whatever stands left of the text
        }
        if self.marks < MAX_MARKS {
            self.marks += 1;
            Verdict::Keep
        } else if self.flooded {
            Verdict::Drop
        } else {
            self.flooded = true;
            Verdict::Show(HIDDEN)
        }
    }
}

/// The control picture of characters that a terminal obeys.
fn picture_of(c: char) -> Option<char> {
    match c {
        '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(LINE_BREAK),
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32),
        '\u{7f}' => Some('␡'),
        '\u{80}'..='\u{9f}' => Some(ESCAPE),
        _ => None,
    }
}

/// Characters that show nothing, or that reorder, or that every font draws differently.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}'
        // Planes 4 to 16 hold no letters: unassigned, tags, variation selectors, private use.
        | '\u{40000}'..)
        || c as u32 & 0xfffe == 0xfffe
}

/// Characters that can be drawn as emoji and may be glued to each other.
fn is_emoji(c: char) -> bool {
    matches!(c,
        '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}'
        | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' | '〰' | '〽' | '㊗' | '㊙' | '\u{1f000}'..='\u{1faff}')
}

/// Letters of scripts whose spelling needs joiners: Arabic, Persian and the Indic scripts.
fn joins(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{900}'..='\u{dff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn printable_text_is_borrowed() {
        for text in ["", "hdf5@1.14.5 /k3x2f", "日本語のビルド", "Zürich ✗ ▸ ⋯", "naïve e\u{301}te\u{301}"]
        {
            assert!(matches!(clean(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        for (dirty, shown) in [
            ("\x1b[31mred", "␛[31mred"),
            ("a\0b\x07c\x7fd\te", "a␀b␇c␡d␉e"),
            ("two\nlines\r\u{85}\u{2028}\u{2029}", "two␤lines␍␤␤␤"),
            ("\u{9b}31m\u{9d}0;x", "␛31m␛0;x"),
            ("pr_\u{202e}gpj.exe\u{202c}", "pr_␦gpj.exe␦"),
            ("\u{2066}a\u{2069}\u{200e}\u{200f}\u{61c}", "␦a␦␦␦␦"),
            ("de\u{200b}velop", "de␦velop"),
            ("x\u{e0041}\u{e0042}", "x␦␦"),
            ("\u{f0000}\u{e0a0}", "␦␦"),
            ("\u{301}a", "␦a"),
        ] {
            assert_eq!(clean(dirty), shown, "{dirty:?}");
        }
    }

    #[test]
    fn towers_of_marks_are_cut_and_the_cut_is_visible() {
        let tower = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(clean(&tower), "a\u{301}\u{301}\u{301}␦b");
    }

    #[test]
    fn presentation_goes_and_spelling_stays() {
        assert_eq!(clean("❤\u{fe0f} 👍🏽 👩\u{200d}💻 1\u{fe0f}\u{20e3}"), "❤ 👍 👩💻 1\u{20e3}");
        assert!(is_harmless_symbol("می\u{200c}خواهم"));
        assert_eq!(clean("a\u{fe0f}\u{200d}"), "a␦␦");
    }

    #[test]
    fn bytes_of_any_encoding_are_shown() {
        assert_eq!(clean_bytes(b"caf\xe9 \x9b31m \xff\xfe"), "caf� �31m ��");
        assert!(matches!(clean_bytes(b"plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn ascii_keeps_the_columns() {
        assert_eq!(ascii("a…b ␛[0m 日本 — “x” é"), "a~b ^[0m ???? - \"x\" ?");
    }

    #[test]
    fn the_last_gate_refuses_what_clean_would_change() {
        assert!(["", " ", "▸", "┌", "━", "░", "e\u{301}", "日", "▁", "⠋"].into_iter().all(is_harmless_symbol));
        assert!(
            ["\x1b", "\u{202e}", "\u{200b}", "a\u{200d}", "\n", "\u{301}"].into_iter().all(|s| !is_harmless_symbol(s))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_become_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let shown = clean_bytes(&bytes);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(is_harmless_symbol(&shown));
            prop_assert_eq!(clean(&shown), &*shown);
        }

        #[test]
        fn any_text_becomes_harmless_once_and_for_all(text in "[\\PC\\p{Cf}\\p{M}\\p{Cc}🏽👩\u{200d}\u{fe0f}a]{0,60}") {
            let shown = clean(&text).into_owned();
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c) && !joins_everywhere(c)));
            prop_assert!(is_harmless_symbol(&shown));
            prop_assert!(ascii(&text).bytes().all(|b| matches!(b, b' '..=b'~')));
        }
    }

    fn joins_everywhere(c: char) -> bool {
        matches!(c, '\u{200c}' | '\u{200d}')
    }
}
