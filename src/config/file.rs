//! One TOML file as a flat list of what it sets, each entry with its place.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::origin::Place;
use super::value::Raw;

/// One `key = value`, the key with its section.
#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub raw: Raw,
    pub place: Place,
}

/// Tables that stand in lists.
pub const LISTS: [&str; 2] = ["guard", "auto_retry"];

/// One `[[guard]]` or `[[auto_retry]]`.
#[derive(Debug)]
pub struct ListTable {
    /// One of [`LISTS`].
    pub name: &'static str,
    pub place: Place,
    pub entries: Vec<Entry>,
}

/// What one file holds.
#[derive(Debug, Default)]
pub struct File {
    pub entries: Vec<Entry>,
    pub lists: Vec<ListTable>,
}

/// Takes a file apart without judging what its keys mean.
pub fn read(path: &Arc<Path>, text: &str) -> Result<File, ConfigError> {
    let place = |offset: usize| Place::at(path, text, offset);
    let document = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: place(error.span().map_or(0, |span| span.start)),
        what: error.message().trim_end().replace('\n', ", "),
    })?;
    let mut file = File::default();
    for (key, value) in document.get_ref() {
        let list = LISTS.into_iter().find(|list| key.get_ref() == list);
        match (value.get_ref(), list) {
            (DeValue::Array(items), Some(name)) => {
                for item in items {
                    let mut entries = Vec::new();
                    match item.get_ref() {
                        DeValue::Table(table) => flatten("", table, &place, &mut entries),
                        other => {
                            return Err(ConfigError::Value {
                                place: place(item.span().start).to_string(),
                                key: name.to_owned(),
                                found: raw(other).to_string(),
                                expected: format!("a table: write [[{name}]]"),
                            });
                        }
                    }
                    file.lists.push(ListTable { name, place: place(item.span().start), entries });
                }
            }
            // `[guard]` instead of `[[guard]]` must not pass as a section with unknown keys.
            (other, Some(name)) => {
                return Err(ConfigError::Value {
                    place: place(key.span().start).to_string(),
                    key: name.to_owned(),
                    found: raw(other).to_string(),
                    expected: format!("a list of tables: write [[{name}]]"),
                });
            }
            (_, None) => flatten_one("", key, value, &place, &mut file.entries),
        }
    }
    Ok(file)
}

fn flatten(prefix: &str, table: &DeTable<'_>, place: &impl Fn(usize) -> Place, entries: &mut Vec<Entry>) {
    for (key, value) in table {
        flatten_one(prefix, key, value, place, entries);
    }
}

fn flatten_one(
    prefix: &str,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    place: &impl Fn(usize) -> Place,
    entries: &mut Vec<Entry>,
) {
    let path = format!("{prefix}{}", key.get_ref());
    match value.get_ref() {
        DeValue::Table(table) => flatten(&format!("{path}."), table, place, entries),
        other => entries.push(Entry { key: path, raw: raw(other), place: place(value.span().start) }),
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).map_or(Raw::Other("a number that is too big"), Raw::Whole)
        }
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map_or(Raw::Other("a list of things that are not texts"), Raw::List),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_text(text: &str) -> Result<File, ConfigError> {
        read(&Path::new("/home/amy/config.toml").into(), text)
    }

    #[test]
    fn sections_and_dotted_keys_are_the_same() {
        let keys = |text| read_text(text).unwrap().entries.into_iter().map(|e| (e.key, e.raw)).collect::<Vec<_>>();
        let expected = [("ui.utc".to_owned(), Raw::Flag(false)), ("ui.escape_ms".to_owned(), Raw::Whole(16))];
        for text in [
            "[ui]\nescape_ms = 0x10\nutc = false",
            "ui.escape_ms = 16\nui.utc = false",
            "ui = {utc = false, escape_ms = 16}",
        ] {
            let mut found = keys(text);
            found.sort_by(|a, b| b.0.cmp(&a.0));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn places_count_characters_not_bytes() {
        let file = read_text("# größer\r\nui.theme = 'ä'\r\n\"ü\" = 1").unwrap();
        let places: Vec<_> = file.entries.iter().map(|e| (e.key.as_str(), e.place.line, e.place.column)).collect();
        assert!(places.contains(&("ui.theme", 2, 12)) && places.contains(&("ü", 3, 7)), "{places:?}");
    }

    #[test]
    fn deep_nesting_ends_in_an_answer() {
        let _ = read_text(&("a = ".to_owned() + &"[".repeat(50_000)));
        let _ = read_text(&("a.".repeat(50_000) + "a = 1"));
        let _ = read_text(&format!("[{}a]\nb = 1", "a.".repeat(50_000)));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), toml in "[\\[\\]a-c.=\"'\\n{} 0-9#]{0,60}") {
            let _ = (read_text(&text), read_text(&toml));
        }
    }
}
