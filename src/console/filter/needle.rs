//! Texts and patterns made ready to be found in many rows without allocating.

use std::ops::Range;

use memchr::memchr2_iter;
use regex::{Regex, RegexBuilder};

use crate::console::fuzzy::{fold, has_capital};

/// A text to be found as it is. Case counts once it has a capital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    text: Box<str>,
    exact_case: bool,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        // Digits and signs have no case: the plain search is the faster one.
        let caseless = text.bytes().all(|b| b.is_ascii() && !b.is_ascii_alphabetic());
        Self { text: text.into(), exact_case: caseless || has_capital(text) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The first place in `hay`.
    pub(super) fn find(&self, hay: &str) -> Option<Range<usize>> {
        if self.exact_case {
            return hay.find(&*self.text).map(|at| at..at + self.text.len());
        }
        let Some(first) = self.text.bytes().next().filter(|_| self.text.is_ascii()) else {
            return hay.char_indices().find_map(|(at, _)| {
                let len = self.starts(hay.get(at..)?)?;
                Some(at..at + len)
            });
        };
        let len = self.text.len();
        memchr2_iter(first, first.to_ascii_uppercase(), hay.as_bytes())
            .map(|at| at..at + len)
            .find(|at| hay.as_bytes().get(at.clone()).is_some_and(|b| b.eq_ignore_ascii_case(self.text.as_bytes())))
    }

    /// Says whether `hay` is this text and nothing else.
    pub(super) fn equals(&self, hay: &str) -> bool {
        if self.exact_case { *self.text == *hay } else { self.starts(hay) == Some(hay.len()) }
    }

    /// How many bytes of `hay` this text takes if it stands at its start.
    fn starts(&self, hay: &str) -> Option<usize> {
        let mut letters = hay.char_indices();
        for want in self.text.chars() {
            let (_, c) = letters.next()?;
            if fold(c) != fold(want) {
                return None;
            }
        }
        Some(letters.offset())
    }
}

/// A regular expression with a bounded size. Case counts once it has a capital that is not an escape.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: Box<str>,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Bytes that one compiled pattern, or its cache, may take.
const MAX_COMPILED: usize = 1 << 20;

impl Pattern {
    /// Compiles a pattern of at most `max` bytes; an escaped slash is a slash. Says what is wrong with a bad one.
    pub(super) fn new(source: &str, max: usize) -> Result<Self, String> {
        let mut text = String::with_capacity(source.len());
        let mut capital = false;
        let mut chars = source.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                capital |= c.is_uppercase();
                text.push(c);
                continue;
            }
            match chars.next() {
                Some('/') => text.push('/'),
                Some(escaped) => text.extend(['\\', escaped]),
                None => text.push('\\'),
            }
        }
        if text.len() > max {
            return Err(format!("it is longer than {max} bytes"));
        }
        let regex = RegexBuilder::new(&text)
            .case_insensitive(!capital)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .nest_limit(50)
            .build()
            .map_err(|e| match e {
                regex::Error::CompiledTooBig(_) => "it would grow too large".to_owned(),
                e => {
                    let words = e.to_string();
                    words.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
                }
            })?;
        Ok(Self { text: text.into(), regex })
    }

    pub(super) fn is_match(&self, hay: &str) -> bool {
        self.regex.is_match(hay)
    }

    pub(super) fn find_iter<'h>(&self, hay: &'h str) -> impl Iterator<Item = Range<usize>> + use<'_, 'h> {
        self.regex.find_iter(hay).map(|found| found.range())
    }

    /// The pattern as it stands between slashes.
    pub(super) fn slashed(&self) -> String {
        let mut out = String::with_capacity(self.text.len() + 2);
        out.push('/');
        let mut escaped = false;
        for c in self.text.chars() {
            if c == '/' && !escaped {
                out.push('\\');
            }
            out.push(c);
            escaped = c == '\\' && !escaped;
        }
        out.push('/');
        out
    }

    /// The pattern bare, if it can stand so after `~`.
    pub(super) fn bare(&self) -> Option<&str> {
        let safe = |c: char| !c.is_whitespace() && !matches!(c, '(' | ')' | '|' | '"' | '\\');
        (!self.text.starts_with('/') && self.text.chars().all(safe)).then_some(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(source: &str) -> Result<Pattern, String> {
        Pattern::new(source, 5_000)
    }

    #[test]
    fn texts_are_found_in_any_case_unless_a_capital_was_typed() {
        for (needle, hay, want) in [
            ("hdf", "lib-HDF5", Some(4..7)),
            ("HDF", "lib-hdf5", None),
            ("HDF", "lib-HDF5", Some(4..7)),
            ("é", "CAFÉ", Some(3..5)),
            ("aab", "aaab", Some(1..4)),
            ("", "x", Some(0..0)),
            ("long", "lon", None),
        ] {
            assert_eq!(Needle::new(needle).find(hay), want, "{needle} in {hay}");
        }
        assert!(Needle::new("hdf5").equals("HDF5"));
        assert!(!Needle::new("hdf").equals("hdf5"));
        assert!(!Needle::new("hdf55").equals("hdf5"));
    }

    #[test]
    fn patterns_are_bounded_and_say_what_is_wrong() {
        assert!(pattern(r"^py-\S+$").unwrap().is_match("PY-NUMPY"));
        assert!(!pattern("^Py").unwrap().is_match("py"));
        assert_eq!(pattern("a(").unwrap_err(), "unclosed group");
        assert_eq!(pattern(r"(\w{100}){100}").unwrap_err(), "it would grow too large");
        assert!(pattern(&"(".repeat(4_000)).is_err());
    }

    #[test]
    fn slashes_survive_being_written() {
        for source in ["a/b", r"a\/b", r"a\\/b", "/"] {
            let read = pattern(source).unwrap();
            let written = read.slashed();
            assert_eq!(pattern(&written[1..written.len() - 1]).unwrap(), read, "{source}");
        }
    }
}
