//! One rules file as a whole.

use toml::de::DeTable;

use super::fault::Faults;
use super::pattern;
use super::rule::{self, ReadRule};
use super::source::{Source, Text};
use super::table::Table;
use crate::taxonomy::{Origin, Pattern};

const LARGEST_FILE: usize = 1_000_000;
/// Most patterns of `progress`, and of `secondary`.
const MOST_LINES: usize = 512;
const FORMAT: i64 = 1;

/// What one file holds.
#[derive(Default)]
pub(super) struct File {
    pub rules: Vec<ReadRule>,
    pub progress: Vec<Pattern>,
    pub secondary: Vec<Pattern>,
    pub off: Vec<(String, Origin)>,
    /// Of the patterns of `progress` and `secondary`, in states.
    pub weight: usize,
}

/// Reads a file. `most` is how many rules it may have.
pub(super) fn read(source: Source<'_>, most: usize, faults: &mut Faults) -> File {
    let top = Origin { file: source.name.into(), line: 1 };
    if source.text.len() > LARGEST_FILE {
        let what = format!("the file has {} bytes, {LARGEST_FILE} are allowed", source.text.len());
        faults.hard(&top, what, "split it");
        return File::default();
    }
    let text = Text::of(source);
    let document = match DeTable::parse(text.as_str()) {
        Ok(document) => document,
        Err(error) => {
            let at = text.origin(error.span().map_or(0, |span| span.start));
            let what = error.message().trim_end().replace('\n', ", ");
            faults.hard(&at, format!("this is no TOML: {what}"), "mend the syntax");
            return File::default();
        }
    };
    let table = Table::new(&text, document.get_ref(), top, "the file");
    if !format(&table, faults) {
        return File::default();
    }
    table.only(&["format", "off", "progress", "secondary", "rule"], faults);
    let mut file = File::default();
    file.off.extend(table.texts("off", faults).into_iter().map(|(id, at)| (id.to_owned(), at)));
    for (key, list) in [("progress", &mut file.progress), ("secondary", &mut file.secondary)] {
        let tables = table.tables(key, format!("[[{key}]]"), faults);
        if let Some(first) = tables.get(MOST_LINES) {
            let what = format!("the file has {} of [[{key}]], {MOST_LINES} are allowed", tables.len());
            faults.hard(&first.at, what, "remove some");
        }
        for (pattern, weight) in tables.iter().take(MOST_LINES).filter_map(|t| pattern::read_table(t, faults)) {
            list.push(pattern);
            file.weight += weight;
        }
    }
    let mut tables = table.tables("rule", "a rule", faults);
    if let Some(first) = tables.get(most) {
        faults.hard(&first.at, format!("there are more than {} rules", super::set::MOST_RULES), "remove some");
    }
    for (number, table) in (1..).zip(tables.iter_mut().take(most)) {
        table.of = rule::name(table, number);
        file.rules.extend(rule::read(table, faults));
    }
    file
}

/// Whether the file is of a format that this program reads.
fn format(table: &Table<'_>, faults: &mut Faults) -> bool {
    if !table.has("format") {
        faults.hard(&table.at, "the file has no `format`", "write format = 1 in its first line");
        return true;
    }
    match table.whole("format", 0..=i64::MAX, faults) {
        Some(FORMAT) => true,
        Some(other) => {
            let remedy = "write format = 1, or use the program that the file was made for";
            faults.hard(&table.place_of("format"), format!("this program does not read format {other}"), remedy);
            false
        }
        None => false,
    }
}
