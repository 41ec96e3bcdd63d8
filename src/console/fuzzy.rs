//! Fuzzy matching: the letters of a pattern in their order, with anything between them.
//!
//! The one matcher of the program: the filter's bare words, the palette and completion all use it, so that the same letters find the same
//! thing everywhere. Case counts once the pattern has a capital. [`Fuzzy::matches`] runs for every row at every key and allocates nothing;
//! [`Fuzzy::find`] looks for the alignment that a person would underline, and runs for what is on the screen.

use std::ops::Range;

/// Where a pattern was found, and how well it fits: higher is better, comparable only for the same pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub score: i32,
    /// Byte offset of each matched character, ascending.
    pub positions: Vec<usize>,
}

impl Match {
    /// The matched bytes of `text` as ranges; neighbours are joined.
    pub fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for &at in &self.positions {
            let end = at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            match ranges.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => ranges.push(at..end),
            }
        }
        ranges
    }
}

/// Matches `pattern` against `text` once; keep a [`Fuzzy`] where the pattern meets many texts.
pub fn fuzzy(pattern: &str, text: &str) -> Option<Match> {
    Fuzzy::new(pattern).find(text)
}

/// A pattern made ready for many texts. Spaces in it mean nothing; an empty one matches everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fuzzy {
    /// The characters to find, lower case unless case counts.
    wanted: Box<[char]>,
    /// The bytes that each of them may be, when all are ASCII: then a text is matched byte by byte.
    ascii: Option<Box<[[u8; 2]]>>,
    exact_case: bool,
}

/// One character of a text, as the alignment sees it.
struct Letter {
    at: usize,
    folded: char,
    bonus: i32,
}

/// The best alignment of a pattern's first letters that ends here (`hit`), or ended earlier, less the gap since then (`held`).
#[derive(Clone, Copy)]
struct Cell {
    hit: i32,
    held: i32,
}

const NEVER: i32 = i32::MIN / 2;
const LETTER: i32 = 16;
const NEIGHBOUR: i32 = 12;
const WORD_START: i32 = 10;
const HUMP: i32 = 8;
const GAP: i32 = 1;
/// Beyond this many cells the first alignment is good enough.
const MAX_CELLS: usize = 1 << 15;

impl Fuzzy {
    /// Prepares a pattern.
    pub fn new(pattern: &str) -> Self {
        let exact_case = has_capital(pattern);
        let wanted: Box<[char]> =
            pattern.chars().filter(|c| !c.is_whitespace()).map(|c| if exact_case { c } else { fold(c) }).collect();
        let either_case = |c: &char| {
            let byte = u8::try_from(*c).ok().filter(u8::is_ascii)?;
            Some([byte, if exact_case { byte } else { byte.to_ascii_uppercase() }])
        };
        let ascii = wanted.iter().map(either_case).collect();
        Self { wanted, ascii, exact_case }
    }

    /// Says whether the pattern occurs in `text`.
    pub fn matches(&self, text: &str) -> bool {
        let Some(wanted) = &self.ascii else {
            let mut letters = text.chars().map(|c| self.folded(c));
            return self.wanted.iter().all(|want| letters.any(|c| c == *want));
        };
        // No other character folds to an ASCII one, so that the bytes tell all. A plain loop: it stays fast in a build without optimisation.
        let mut wanted = wanted.iter();
        let Some(&[mut low, mut high]) = wanted.next() else { return true };
        for &byte in text.as_bytes() {
            if byte == low || byte == high {
                match wanted.next() {
                    Some(&next) => [low, high] = next,
                    None => return true,
                }
            }
        }
        false
    }

    /// Finds the best alignment: whole runs and starts of words before scattered letters.
    pub fn find(&self, text: &str) -> Option<Match> {
        if !self.matches(text) {
            return None;
        }
        let letters = self.letters(text);
        let spare = letters.len().saturating_sub(self.wanted.len()).min(256) as i32 / 8;
        let (score, positions) = if letters.len().saturating_mul(self.wanted.len()) > MAX_CELLS {
            (0, self.first(&letters))
        } else {
            self.best(&letters)
        };
        Some(Match { score: score - spare, positions })
    }

    fn folded(&self, c: char) -> char {
        if self.exact_case { c } else { fold(c) }
    }

    fn letters(&self, text: &str) -> Vec<Letter> {
        let mut before = None;
        let mut letter = |(at, c): (usize, char)| {
            let bonus = match before {
                None => WORD_START,
                Some(_) if !c.is_alphanumeric() => 0,
                Some(b) if !char::is_alphanumeric(b) => WORD_START,
                Some(b) if (b.is_lowercase() && c.is_uppercase()) || (b.is_alphabetic() && c.is_numeric()) => HUMP,
                Some(_) => 0,
            };
            before = Some(c);
            Letter { at, folded: self.folded(c), bonus }
        };
        text.char_indices().map(&mut letter).collect()
    }

    fn first(&self, letters: &[Letter]) -> Vec<usize> {
        let mut rest = letters.iter();
        self.wanted.iter().filter_map(|want| rest.find(|l| l.folded == *want)).map(|l| l.at).collect()
    }

    fn best(&self, letters: &[Letter]) -> (i32, Vec<usize>) {
        let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(self.wanted.len());
        for want in &self.wanted {
            let mut held = NEVER;
            let row = letters.iter().enumerate().map(|(j, letter)| {
                let so_far = match rows.last() {
                    None => -(j.min(16) as i32) / 4,
                    Some(row) => {
                        j.checked_sub(1).and_then(|j| row.get(j)).map_or(NEVER, |c| c.held.max(c.hit + NEIGHBOUR))
                    }
                };
                let hit =
                    if letter.folded == *want && so_far > NEVER / 2 { so_far + LETTER + letter.bonus } else { NEVER };
                held = hit.max(held - GAP);
                Cell { hit, held }
            });
            let row = row.collect();
            rows.push(row);
        }
        let last = rows.last().and_then(|row| row.iter().enumerate().max_by_key(|(j, c)| (c.hit, usize::MAX - j)));
        let Some((mut at, cell)) = last else { return (0, Vec::new()) };
        let score = cell.hit;
        let mut path = vec![at];
        for row in rows.iter().rev().skip(1) {
            let reach = row.get(..at).unwrap_or_default();
            at = match reach.last() {
                Some(c) if c.hit > NEVER / 2 && c.hit + NEIGHBOUR >= c.held => reach.len() - 1,
                _ => reach.iter().rposition(|c| c.hit == c.held).unwrap_or_default(),
            };
            path.push(at);
        }
        (score, path.iter().rev().filter_map(|j| letters.get(*j)).map(|l| l.at).collect())
    }
}

/// Lower case of one character. Nothing outside ASCII becomes ASCII, so that ASCII patterns can be matched as bytes.
pub(super) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    c.to_lowercase().next().filter(|low| !low.is_ascii()).unwrap_or(c)
}

/// The rule of smart case: case counts once a capital was typed.
pub(super) fn has_capital(text: &str) -> bool {
    text.chars().any(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(pattern: &str, text: &str) -> String {
        let found = fuzzy(pattern, text).unwrap();
        let mut out = String::new();
        let mut from = 0;
        for range in found.ranges(text) {
            out.push_str(&text[from..range.start]);
            out.push('[');
            out.push_str(&text[range.clone()]);
            out.push(']');
            from = range.end;
        }
        out + &text[from..]
    }

    #[test]
    fn the_letters_a_person_would_underline_are_found() {
        for (pattern, text, want) in [
            ("hdf", "hd-x-hdf5", "hd-x-[hdf]5"),
            ("h5", "hdf5@1.14.5", "[h]df[5]@1.14.5"),
            ("np", "py-numpy", "py-[n]um[p]y"),
            ("pn", "py-numpy", "[p]y-[n]umpy"),
            ("jr", "jobs.retry", "[j]obs.[r]etry"),
            ("llvm", "rust-llvm-llvm", "rust-[llvm]-llvm"),
            ("dev", "E4S Develop", "E4S [Dev]elop"),
            ("gK", "gromacs-openKIM", "[g]romacs-open[K]IM"),
            ("é", "café É", "café [É]"),
            ("", "zlib", "zlib"),
            ("a b", "a-b", "[a]-[b]"),
        ] {
            assert_eq!(marked(pattern, text), want, "{pattern} in {text}");
        }
    }

    #[test]
    fn capitals_make_case_count() {
        assert!(fuzzy("hdf", "HDF5").is_some());
        assert!(fuzzy("HDF", "hdf5").is_none());
        assert!(fuzzy("x", "").is_none());
        // The Kelvin sign is no `k` here: byte and character matching must agree.
        assert!(fuzzy("k", "\u{212a}").is_none());
    }

    #[test]
    fn better_fits_score_higher() {
        let score = |text| fuzzy("retry", text).unwrap().score;
        assert!(score("retry") > score("retry pipeline"));
        assert!(score("jobs.retry") > score("regex tried early"));
        assert!(score("jobs.retry") > score("theme.registry"));
    }

    #[test]
    fn a_text_of_a_megabyte_is_matched_without_a_table() {
        let text = "ab".repeat(500_000);
        assert_eq!(fuzzy("bab", &text).unwrap().positions, [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn positions_spell_the_pattern_and_agree_with_matches(
            pattern in "[abAé\u{130}k1-]{0,5}", text in "[abABéÉ\u{130}\u{212a}kK1 .-]{0,24}",
        ) {
            let compiled = Fuzzy::new(&pattern);
            let found = compiled.find(&text);
            prop_assert_eq!(found.is_some(), compiled.matches(&text));
            if let Some(found) = found {
                prop_assert!(found.positions.is_sorted_by(|a, b| a < b));
                let spelled: Vec<char> =
                    found.positions.iter().map(|at| compiled.folded(text[*at..].chars().next().unwrap())).collect();
                prop_assert_eq!(&spelled[..], &compiled.wanted[..]);
            }
        }
    }
}
