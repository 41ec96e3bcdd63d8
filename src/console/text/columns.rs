//! Columns: how wide a cleaned text is, and how to make it fit.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use super::clean::is_printable_ascii;

/// How many columns a cleaned text takes. Counted character by character, as the cells of a terminal are: where a ligature could make it
/// narrower, this is the upper bound, so that nothing ever flows into its neighbour.
pub fn width(text: &str) -> usize {
    if is_printable_ascii(text.as_bytes()) { text.len() } else { text.chars().map(columns_of).sum() }
}

/// The longest beginning that fits, with the marks of its last character.
pub fn head(text: &str, cols: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns_of(c);
        if used > cols {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// Cuts at the end when it does not fit: `trilinos@16…`.
pub fn cut_end(text: &str, cols: usize) -> Cow<'_, str> {
    if fits(text, cols) {
        return Cow::Borrowed(text);
    }
    match cols.checked_sub(1) {
        Some(room) => Cow::Owned(format!("{}…", head(text, room))),
        None => Cow::Borrowed(""),
    }
}

/// Cuts in the middle when it does not fit, because names differ at both ends: `py-sci…/k3x2f`.
pub fn cut_middle(text: &str, cols: usize) -> Cow<'_, str> {
    if fits(text, cols) {
        return Cow::Borrowed(text);
    }
    match cols.checked_sub(1) {
        Some(room) => Cow::Owned(format!("{}…{}", head(text, room.div_ceil(2)), tail(text, room / 2))),
        None => Cow::Borrowed(""),
    }
}

/// Makes the text exactly so many columns wide: cut at the end, or filled with spaces.
pub fn pad(text: &str, cols: usize) -> String {
    let mut out = cut_end(text, cols).into_owned();
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', cols.saturating_sub(used)));
    out
}

fn fits(text: &str, cols: usize) -> bool {
    text.len() <= cols && text.is_ascii() || head(text, cols).len() == text.len()
}

/// The longest end that fits and does not begin with a mark.
fn tail(text: &str, cols: usize) -> &str {
    let mut used = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        let wide = columns_of(c);
        used += wide;
        if used > cols {
            break;
        }
        if wide > 0 {
            from = at;
        }
    }
    text.get(from..).unwrap_or_default()
}

fn columns_of(c: char) -> usize {
    c.width().unwrap_or(1) // a control character that was not cleaned will be shown as one picture
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::super::clean;
    use super::*;

    #[test]
    fn cuts_say_that_they_cut() {
        assert_eq!(cut_end("trilinos@16.1.0", 12), "trilinos@16…");
        assert_eq!(cut_middle("py-scikit-learn@1.6 /k3x2f", 13), "py-sci…/k3x2f");
        assert_eq!((cut_end("abc", 3), cut_end("abc", 1), cut_end("abc", 0)), ("abc".into(), "…".into(), "".into()));
        assert_eq!(cut_middle("日本語ビルド", 6), "日…ド");
        assert_eq!(pad("日本語", 5), "日本…");
        assert_eq!(pad("日本語", 6), "日本語");
        assert_eq!(pad("ab", 4), "ab  ");
    }

    #[test]
    fn marks_stay_with_their_base() {
        assert_eq!(cut_end("e\u{301}te\u{301}s", 3), "e\u{301}t…");
        assert_eq!(cut_middle("ae\u{301}bcde\u{301}", 3), "a…e\u{301}");
    }

    proptest! {
        #[test]
        fn nothing_overflows_and_pad_is_exact(text in "\\PC{0,40}", cols in 0usize..50) {
            let text = clean(&text).into_owned();
            prop_assert!(width(&cut_end(&text, cols)) <= cols);
            prop_assert!(width(&cut_middle(&text, cols)) <= cols);
            prop_assert_eq!(width(&pad(&text, cols)), cols);
        }

        #[test]
        fn width_does_not_lie(text in "[ -~\u{a0}-\u{52f}\u{1e00}-\u{1fff}\u{2010}-\u{26ff}\u{3000}-\u{9fff}\u{ac00}-\u{d7a3}\u{1f300}-\u{1f64f}\u{300}-\u{36f}]{0,40}") {
            let text = clean(&text).into_owned();
            prop_assert_eq!(width(&text), text.width());
        }

        #[test]
        fn width_is_never_too_small(text in any::<String>()) {
            let text = clean(&text).into_owned();
            prop_assert!(width(&text) >= text.width());
        }
    }
}
