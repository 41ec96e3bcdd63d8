//! Keymaps and themes are files a person edits while the console runs. This is what both need: a text with its name, its `inherits` line
//! followed to the built-in root, and complaints that name the file and the line. Texts come in from outside; nothing here reads a disk.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A text and the name that complaints call it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    file: String,
    text: String,
    is_shipped: bool,
}

impl Source {
    /// A file of the user's.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into(), is_shipped: false }
    }

    /// A file inside the binary.
    pub(super) fn shipped(name: &str, text: &str) -> Self {
        Self { file: format!("{name}.toml"), text: text.to_owned(), is_shipped: true }
    }

    /// The name that complaints call this file by.
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// Finds the user's file for a name; `None` where there is only the built-in one, or none at all.
pub type Find<'a> = &'a dyn Fn(&str) -> Option<Source>;

/// Why a keymap or a theme cannot be used. The one in use stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct LoadError {
    pub file: String,
    pub line: usize,
    pub what: String,
}

/// One parsed file.
pub(super) struct Doc<'s> {
    source: &'s Source,
    pub root: DeTable<'s>,
}

/// How deep files may inherit; nobody needs more, and a circle ends here.
const DEPTH: usize = 8;

impl<'s> Doc<'s> {
    pub fn parse(source: &'s Source) -> Result<Self, LoadError> {
        match DeTable::parse(&source.text) {
            Ok(root) => Ok(Self { source, root: root.into_inner() }),
            Err(error) => {
                let line = line_of(&source.text, error.span().map_or(0, |span| span.start));
                Err(LoadError { file: source.file.clone(), line, what: error.message().to_owned() })
            }
        }
    }

    /// The name that complaints call this file by.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// Whether the file is part of the binary.
    pub fn is_shipped(&self) -> bool {
        self.source.is_shipped
    }

    /// The line on which a span starts.
    pub fn line(&self, span: &Range<usize>) -> usize {
        line_of(&self.source.text, span.start)
    }

    /// A complaint about the line on which `span` starts.
    pub fn error(&self, span: &Range<usize>, what: impl Into<String>) -> LoadError {
        LoadError { file: self.source.file.clone(), line: self.line(span), what: what.into() }
    }

    /// The string behind `key`, with its place. `Ok(None)` when the key is absent.
    pub fn string<'t>(&self, table: &'t DeTable<'_>, key: &str) -> Result<Option<(&'t str, Range<usize>)>, LoadError> {
        match table.get(key) {
            None => Ok(None),
            Some(value) => match value.get_ref().as_str() {
                Some(text) => Ok(Some((text, value.span()))),
                None => Err(self.error(&value.span(), format!("`{key}` must be a text in quotes"))),
            },
        }
    }

    /// The table behind `key`.
    pub fn table<'t>(
        &self,
        table: &'t DeTable<'t>,
        key: &str,
    ) -> Result<Option<(&'t DeTable<'t>, Range<usize>)>, LoadError> {
        match table.get(key) {
            None => Ok(None),
            Some(value) => match value.get_ref().as_table() {
                Some(inner) => Ok(Some((inner, value.span()))),
                None => Err(self.error(&value.span(), format!("`{key}` must be a table"))),
            },
        }
    }

    /// The tables of an array of tables.
    pub fn tables(&self, key: &str) -> Result<Vec<(&DeTable<'s>, Range<usize>)>, LoadError> {
        let Some(value) = self.root.get(key) else { return Ok(Vec::new()) };
        let wrong = |span: Range<usize>| self.error(&span, format!("write each entry as its own `[[{key}]]`"));
        let array = value.get_ref().as_array().ok_or_else(|| wrong(value.span()))?;
        array
            .iter()
            .map(|entry| match entry.get_ref() {
                DeValue::Table(table) => Ok((table, entry.span())),
                _ => Err(wrong(entry.span())),
            })
            .collect()
    }

    /// Complains about the first key of `table` that is not in `known`.
    pub fn only(&self, table: &DeTable<'_>, known: &[&str]) -> Result<(), LoadError> {
        let mut unknown: Vec<_> = table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())).collect();
        unknown.sort_by_key(|key| key.span().start);
        match unknown.first() {
            None => Ok(()),
            Some(key) => {
                let name = key.get_ref().as_ref();
                Err(self
                    .error(&key.span(), format!("unknown key `{name}`{}", did_you_mean(name, known.iter().copied()))))
            }
        }
    }
}

/// The file for `name` and those it inherits from, root first. A file that inherits its own name means the built-in one.
pub(super) fn lineage(name: &str, find: Find<'_>, built_in: Find<'_>) -> Result<Vec<Source>, LoadError> {
    let nowhere = "no file of this name, and none is built in".to_owned();
    let mut missing = LoadError { file: name.to_owned(), line: 0, what: nowhere };
    let mut sources: Vec<Source> = Vec::new();
    let mut next = find(name).or_else(|| built_in(name));
    let mut name = name.to_owned();
    loop {
        let source = next.ok_or(missing)?;
        let doc = Doc::parse(&source)?;
        let Some((parent, span)) = doc.string(&doc.root, "inherits")? else {
            sources.push(source);
            sources.reverse();
            return Ok(sources);
        };
        if sources.len() >= DEPTH {
            return Err(doc.error(&span, "inherits from itself in a circle"));
        }
        missing = doc.error(&span, format!("inherits `{parent}`, which is neither a file here nor built in"));
        next = if parent == name { built_in(parent) } else { find(parent).or_else(|| built_in(parent)) };
        parent.clone_into(&mut name);
        sources.push(source);
    }
}

/// `; did you mean ...?` for the candidate that is a few keystrokes away, else nothing.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(away, _)| *away <= allowed)
        .min_by_key(|(away, _)| *away)
        .map_or_else(String::new, |(_, candidate)| format!("; did you mean `{candidate}`?"))
}

/// How many characters must be inserted, deleted, replaced or swapped with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX);
    let (mut older, mut above, mut previous) = (Vec::new(), (0..=b.len()).collect::<Vec<_>>(), None);
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (at(&above, j) + usize::from(x != *y)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            if j > 0 && previous == Some(*y) && b.get(j - 1) == Some(&x) {
                best = best.min(at(&older, j - 1) + 1);
            }
            row.push(best);
        }
        (older, above, previous) = (above, row, Some(x));
    }
    at(&above, b.len())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, want) in [("kitten", "sitting", 3), ("list.tpo", "list.top", 1), ("", "abc", 3), ("same", "same", 0)]
        {
            assert_eq!(distance(a, b), want, "{a} {b}");
        }
        assert_eq!(did_you_mean("list.tpo", ["list.up", "list.top"]), "; did you mean `list.top`?");
        assert_eq!(did_you_mean("zebra", ["list.top"]), "");
    }

    #[test]
    fn a_circle_ends_with_a_line() {
        let find = |name: &str| {
            let other = if name == "a" { "b" } else { "a" };
            Some(Source::new(format!("{name}.toml"), format!("# {name}\ninherits = \"{other}\"\n")))
        };
        let error = lineage("a", &find, &|_| None).err().unwrap();
        assert_eq!(error.line, 2);
        assert_eq!(error.what, "inherits from itself in a circle");
    }
}
