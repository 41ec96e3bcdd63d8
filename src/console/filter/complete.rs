//! What `Tab` offers in a filter prompt: fields, operators, and the values that are there.

use std::cmp::Reverse;
use std::ops::Range;

use super::field::Field;
use super::term::{Op, ends_bare, quoted_if_needed};
use crate::console::fuzzy::fold;

/// One thing to put into the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub text: String,
    /// The bytes of the text that it takes the place of.
    pub replaces: Range<usize>,
    /// How many rows have this value, for values.
    pub count: Option<usize>,
}

/// Offers what may stand at `cursor`, best first; `live` gives the values that a field has now, with how many rows have them.
pub fn complete(text: &str, cursor: usize, live: &dyn Fn(Field) -> Vec<(String, usize)>) -> Vec<Completion> {
    let cursor = text.floor_char_boundary(cursor);
    let term = term_at(text, cursor);
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let whole = part(term.clone());
    let letters = whole.bytes().take_while(u8::is_ascii_alphabetic).count();
    let name_end = term.start + letters;
    let (name, after) = whole.split_at(letters);
    match (Op::at_start(after), Field::parse(name)) {
        (Some(op), Some(field)) if cursor >= name_end + op.sign().len() => {
            if op.takes_list() {
                values(text, name_end + op.sign().len()..term.end, cursor, live(field))
            } else {
                Vec::new()
            }
        }
        (None, Some(field)) if cursor == term.end && name_end == term.end => {
            let offers = Op::of(field.kind()).iter().map(|op| format!("{field}{}", op.sign()));
            offers.map(|text| Completion { text, replaces: term.clone(), count: None }).collect()
        }
        (None, _) if name_end < term.end => Vec::new(),
        _ if cursor > name_end => Vec::new(),
        (op, _) => {
            let typed = part(term.start..cursor);
            let colon = if op.is_some() { "" } else { ":" };
            Field::ALL
                .into_iter()
                .filter(|field| starts_with(field.name(), typed))
                .map(|field| format!("{field}{colon}"))
                .map(|text| Completion { text, replaces: term.start..name_end, count: None })
                .collect()
        }
    }
}

/// Values of the list at `list`: those that start as typed first, then by how many rows have them.
fn values(text: &str, list: Range<usize>, cursor: usize, live: Vec<(String, usize)>) -> Vec<Completion> {
    let mut piece = list.start..list.end;
    let mut in_quotes = Quotes::default();
    for (at, c) in text.get(list.clone()).unwrap_or_default().char_indices() {
        if in_quotes.pass(c) || c != ',' {
            continue;
        }
        if list.start + at < cursor {
            piece.start = list.start + at + 1;
        } else {
            piece.end = list.start + at;
            break;
        }
    }
    let typed = text.get(piece.start..cursor).unwrap_or_default().trim_matches('"');
    let mut offers: Vec<_> = live
        .into_iter()
        .filter(|(value, _)| {
            value.char_indices().any(|(at, _)| starts_with(value.get(at..).unwrap_or_default(), typed))
        })
        .map(|(value, count)| ((!starts_with(&value, typed), Reverse(count)), value))
        .collect();
    offers.sort();
    offers
        .into_iter()
        .map(|((_, Reverse(count)), value)| Completion {
            text: quoted_if_needed(&value),
            replaces: piece.clone(),
            count: Some(count),
        })
        .collect()
}

fn starts_with(text: &str, start: &str) -> bool {
    let mut letters = text.chars();
    start.chars().all(|want| letters.next().is_some_and(|c| fold(c) == fold(want)))
}

/// The term that the cursor is in or behind; empty between terms.
fn term_at(text: &str, cursor: usize) -> Range<usize> {
    let mut start = None;
    let mut in_quotes = Quotes::default();
    for (at, c) in text.char_indices() {
        // A quote belongs to the term that it stands in; `!` leads only where a term starts.
        let ends = !in_quotes.pass(c) && c != '"' && (ends_bare(c) || (c == '!' && start.is_none()));
        if !ends {
            start.get_or_insert(at);
            continue;
        }
        if at >= cursor {
            return start.unwrap_or(cursor)..at.max(cursor);
        }
        start = None;
    }
    start.unwrap_or(cursor)..text.len()
}

/// Follows quotes through a text.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    /// Takes the next character; says whether it stands inside quotes.
    fn pass(&mut self, c: char) -> bool {
        let inside = self.open;
        if self.escaped {
            self.escaped = false;
        } else if c == '"' {
            self.open = !self.open;
        } else {
            self.escaped = inside && c == '\\';
        }
        inside
    }
}
