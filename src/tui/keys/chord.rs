//! How keys are written in keymap files, in hints and in the help: `g g`, `C-x [`, `M-v`, `⏎`, `Space`, `F1`. Knows no actions.

use std::fmt;

use crate::console::input::{Code, Key};

/// A key that has a name: as shown, in ASCII, and other spellings that files may use.
struct Named {
    code: Code,
    shown: &'static str,
    ascii: &'static str,
    also: &'static [&'static str],
}

const fn named(code: Code, shown: &'static str, ascii: &'static str, also: &'static [&'static str]) -> Named {
    Named { code, shown, ascii, also }
}

const NAMED: &[Named] = &[
    named(Code::Enter, "⏎", "RET", &["Enter", "Return"]),
    named(Code::Char(' '), "Space", "Space", &["SPC"]),
    named(Code::Tab, "Tab", "Tab", &[]),
    named(Code::Esc, "Esc", "Esc", &["Escape"]),
    named(Code::Backspace, "BS", "BS", &["Backspace"]),
    named(Code::Delete, "Del", "Del", &["Delete"]),
    named(Code::Insert, "Ins", "Ins", &["Insert"]),
    named(Code::Up, "↑", "Up", &[]),
    named(Code::Down, "↓", "Down", &[]),
    named(Code::Left, "←", "Left", &[]),
    named(Code::Right, "→", "Right", &[]),
    named(Code::Home, "Home", "Home", &[]),
    named(Code::End, "End", "End", &[]),
    named(Code::PageUp, "PgUp", "PgUp", &["PageUp"]),
    named(Code::PageDown, "PgDn", "PgDn", &["PageDown"]),
];

/// Why a chord cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChordError {
    #[error("an empty chord; write keys like `g g` or `C-x`")]
    Empty,
    #[error("unknown key `{0}`; write `C-x`, `M-v`, `RET`, `Space`, `Tab`, `Esc`, `F1` or one character")]
    UnknownKey(String),
    #[error("`{0}` inside a chord: it cancels a chord that was begun, so it can only stand alone or first")]
    CancelsInside(String),
}

/// The keys to press one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chord(Vec<Key>);

impl Chord {
    /// Reads the notation of keymap files.
    pub fn parse(text: &str) -> Result<Self, ChordError> {
        let keys = text.split_whitespace().map(parse_key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(ChordError::Empty);
        }
        match keys.iter().skip(1).find(|key| cancels(**key)) {
            Some(key) => Err(ChordError::CancelsInside(key_name(*key, true))),
            None => Ok(Self(keys)),
        }
    }

    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The chord for a terminal that may not know arrows: `RET`, not `⏎`.
    pub fn to_ascii(&self) -> String {
        self.0.iter().map(|key| key_name(*key, true)).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.iter().map(|key| key_name(*key, false)).collect::<Vec<_>>().join(" "))
    }
}

/// Whether a key takes back a chord that was begun.
pub(super) fn cancels(key: Key) -> bool {
    key == Key::plain(Code::Esc) || key == Key::ctrl('g')
}

/// The name of one key.
pub fn key_name(key: Key, ascii: bool) -> String {
    let mut name = String::new();
    for (held, prefix) in [(key.has_ctrl(), "C-"), (key.has_alt(), "M-"), (key.has_shift(), "S-")] {
        if held {
            name.push_str(prefix);
        }
    }
    match (NAMED.iter().find(|n| n.code == key.code()), key.code()) {
        (Some(n), _) => name.push_str(if ascii { n.ascii } else { n.shown }),
        (None, Code::Char(c)) => name.push(c),
        (None, Code::F(n)) => name.extend(["F", &n.to_string()]),
        (None, _) => {}
    }
    name
}

fn parse_key(word: &str) -> Result<Key, ChordError> {
    let (mut rest, mut ctrl, mut alt, mut shift) = (word, false, false, false);
    let held = |word: &str| ['C', 'M', 'S'].into_iter().find(|c| word.starts_with(*c) && word.get(1..2) == Some("-"));
    while let Some(modifier) = held(rest) {
        // `C--` is control and minus: a prefix only counts while something follows it.
        match rest.get(2..) {
            None | Some("") => break,
            Some(tail) => rest = tail,
        }
        match modifier {
            'C' => ctrl = true,
            'M' => alt = true,
            _ => shift = true,
        }
    }
    let code = code_named(rest).ok_or_else(|| ChordError::UnknownKey(word.to_owned()))?;
    if shift && matches!(code, Code::Char(_)) {
        return Err(ChordError::UnknownKey(word.to_owned()));
    }
    Ok(Key::new(code, ctrl, alt, shift))
}

fn code_named(word: &str) -> Option<Code> {
    let mut chars = word.chars();
    if let (Some(c), None) = (chars.next(), chars.next())
        && !NAMED.iter().any(|n| n.shown == word)
    {
        return (!c.is_control()).then_some(Code::Char(c));
    }
    let is = |name: &str| name.eq_ignore_ascii_case(word);
    if let Some(n) = NAMED.iter().find(|n| is(n.shown) || is(n.ascii) || n.also.iter().any(|a| is(a))) {
        return Some(n.code);
    }
    let number: u8 = word.strip_prefix('F')?.parse().ok()?;
    (1..=12).contains(&number).then_some(Code::F(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_is_read() {
        for (text, shown) in [
            ("g g", "g g"),
            ("RET", "⏎"),
            ("⏎", "⏎"),
            ("C-SPC", "C-Space"),
            ("C-x [", "C-x ["),
            ("C--", "C--"),
            ("-", "-"),
            ("M-<", "M-<"),
            ("C-/", "C-/"),
            ("C-_", "C-/"),
            ("C-M-s", "C-M-s"),
            ("S-Tab", "S-Tab"),
            ("C-i", "Tab"),
            ("f1", "F1"),
        ] {
            let parsed = Chord::parse(text).map(|c| c.to_string());
            // `f1` is not a key: function keys are written with a capital, as on the keyboard.
            assert_eq!(parsed.ok().as_deref(), (text != "f1").then_some(shown), "{text}");
        }
        assert_eq!(Chord::parse("F12").unwrap().to_ascii(), "F12");
        assert_eq!(Chord::parse("⏎ ↑").unwrap().to_ascii(), "RET Up");
    }

    #[test]
    fn what_no_terminal_sends_is_refused() {
        for text in ["", "  ", "gg", "F0", "F13", "S-a", "C-", "Hyper-x"] {
            assert!(Chord::parse(text).is_err(), "{text}");
        }
        assert_eq!(Chord::parse("g Esc"), Err(ChordError::CancelsInside("Esc".to_owned())));
        assert_eq!(
            Chord::parse("Entr").unwrap_err().to_string(),
            "unknown key `Entr`; write `C-x`, `M-v`, `RET`, `Space`, `Tab`, `Esc`, `F1` or one character"
        );
    }

    proptest! {
        #[test]
        fn shown_chords_are_read_back(
            keys in proptest::collection::vec((0..NAMED.len() + 90, any::<bool>(), any::<bool>(), any::<bool>()), 1..4),
        ) {
            let keys: Vec<Key> = keys
                .into_iter()
                .map(|(n, ctrl, alt, shift)| {
                    let code = NAMED.get(n).map_or_else(|| Code::Char((33 + (n - NAMED.len()) as u8) as char), |n| n.code);
                    Key::new(code, ctrl, alt, shift)
                })
                .collect();
            prop_assume!(!keys.iter().skip(1).any(|key| cancels(*key)));
            let chord = Chord(keys);
            prop_assert_eq!(Chord::parse(&chord.to_string()), Ok(chord.clone()));
            prop_assert_eq!(Chord::parse(&chord.to_ascii()), Ok(chord));
        }
    }
}
