//! One pattern: whether it can be matched at all, at a bounded cost.

use regex::bytes::RegexBuilder;
use toml::Spanned;
use toml::de::DeValue;

use super::fault::Faults;
use super::table::{Table, kind};
use crate::taxonomy::lint::{Shape, shown};
use crate::taxonomy::{Origin, Pattern};

/// Most bytes of a pattern.
pub const LARGEST: usize = 4_096;
/// Most bytes and most states of a compiled one.
const LARGEST_COMPILED: usize = 1_000_000;
const MOST_STATES: usize = 20_000;
/// Fewest bytes of text that every match must hold, so that a prefilter can find it.
const SHORTEST_TEXT: usize = 3;

/// What a usable pattern costs.
pub struct Cost {
    /// In states, about.
    pub weight: usize,
    /// No prefilter can find its lines, so that each line is tried.
    pub slow: bool,
}

/// Why a pattern is refused: what is wrong, and what to do.
pub struct Refused {
    pub what: String,
    pub remedy: &'static str,
}

/// Checks a regular expression.
pub fn check(regex: &str) -> Result<Cost, Refused> {
    let refuse = |what: String, remedy| Err(Refused { what, remedy });
    if regex.len() > LARGEST {
        return refuse(format!("has {} bytes, {LARGEST} are allowed", regex.len()), "split it");
    }
    if regex.is_empty() {
        return refuse("is empty".to_owned(), "write a text that the line holds");
    }
    let shape = match Shape::of(regex) {
        Ok(shape) => shape,
        Err(reason) => {
            return refuse(format!("does not compile: {reason}"), "mend it, or escape what is meant as text");
        }
    };
    let weight = shape.weight();
    let build = |unicode| RegexBuilder::new(regex).unicode(unicode).size_limit(LARGEST_COMPILED).build();
    if weight > MOST_STATES || build(false).or_else(|_| build(true)).is_err() {
        return refuse("is too large when it is compiled".to_owned(), "use smaller counts in { }");
    }
    if shape.takes_nothing() {
        return refuse("matches the empty string".to_owned(), "ask for at least one character");
    }
    Ok(Cost { weight, slow: shape.text() < SHORTEST_TEXT })
}

/// Reads an item of `any` or `none`: a literal, or `{ regex = '…' }`. Vetoes look at few lines, so they may be slow.
pub(super) fn read<'a>(
    item: &'a Spanned<DeValue<'a>>,
    key: &str,
    table: &Table<'a>,
    faults: &mut Faults,
) -> Option<(Pattern, usize)> {
    let veto = key == "none";
    match item.get_ref() {
        DeValue::String(literal) => accept(&regex::escape(literal), literal, veto, table.place(item), table, faults),
        DeValue::Table(_) => {
            let inner = table.below(item, format!("a pattern of {}", table.of))?;
            read_regex(&inner, veto, faults)
        }
        other => {
            let what = format!("`{key}` of {} holds {}", table.of, kind(other));
            faults.hard(&table.place(item), what, "write a text in quotes or { regex = '…' }");
            None
        }
    }
}

/// Reads `regex = '…'` and `slow = true`.
pub(super) fn read_table(table: &Table<'_>, faults: &mut Faults) -> Option<(Pattern, usize)> {
    read_regex(table, false, faults)
}

fn read_regex(table: &Table<'_>, slow: bool, faults: &mut Faults) -> Option<(Pattern, usize)> {
    table.only(&["regex", "slow"], faults);
    let slow = table.flag("slow", faults).unwrap_or(slow);
    if !table.has("regex") {
        faults.hard(&table.at, format!("{} has no `regex`", table.of), "write { regex = '…' }");
    }
    let (regex, at) = table.text("regex", faults)?;
    accept(regex, regex, slow, at, table, faults)
}

fn accept(
    regex: &str,
    written: &str,
    slow: bool,
    at: Origin,
    table: &Table<'_>,
    faults: &mut Faults,
) -> Option<(Pattern, usize)> {
    let of = table.of.strip_prefix("a pattern of ").unwrap_or(&table.of);
    let mut refuse = |what: &str, remedy| {
        faults.hard(&at, format!("the pattern `{}` of {of} {what}", shown(written)), remedy);
        None
    };
    match check(regex) {
        Ok(Cost { slow: true, .. }) if !slow => refuse(
            &format!("is slow: its matches have no text of {SHORTEST_TEXT} bytes in common"),
            "add text that every such line holds, or accept it with { regex = '…', slow = true }",
        ),
        Ok(cost) => Some((Pattern { regex: regex.into(), origin: at }, cost.weight)),
        Err(refused) => refuse(&refused.what, refused.remedy),
    }
}
