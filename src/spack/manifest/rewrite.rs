//! Puts other include paths into the text of a manifest, and changes nothing else.
//!
//! The YAML parser says where each path stands. The result is read again and must be the old document with the new paths: whatever the
//! parser or this file may get wrong ends as an error, never as a damaged manifest.

use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::error::ManifestError;
use super::include::Include;
use crate::spack::yaml::{Key, Map, Value};

/// A byte order mark is no part of the document.
const MARK: char = '\u{feff}';

pub(super) fn rewritten(
    text: &str,
    includes: &[Include],
    rewrite: impl Fn(&str) -> String,
) -> Result<String, ManifestError> {
    let news: Vec<Option<String>> = includes.iter().map(|include| include.path().map(&rewrite)).collect();
    let unchanged = includes.iter().zip(&news).all(|(include, new)| include.path() == new.as_deref());
    if unchanged {
        return Ok(text.to_owned());
    }
    let body = text.strip_prefix(MARK).unwrap_or(text);
    let places = places(body)?;
    let mut result = body.to_owned();
    // From the last to the first, so that places stay where they are.
    for ((include, new), place) in includes.iter().zip(&news).zip(&places).rev() {
        let (Some(old), Some(new)) = (include.path(), new.as_deref()) else { continue };
        if old == new {
            continue;
        }
        let lost = |what: &str| ManifestError::Rewrite { path: old.to_owned(), what: what.to_owned() };
        let place = place.clone().ok_or_else(|| lost("its place is unknown"))?;
        let written = result.get(place.clone()).ok_or_else(|| lost("its place is outside of the file"))?;
        let new = styled(written, new).ok_or_else(|| lost("it spans several lines"))?;
        result.replace_range(place, &new);
    }
    check(body, &result, includes, &news)?;
    Ok(if body.len() == text.len() { result } else { format!("{MARK}{result}") })
}

/// The new path in the style of the old one.
fn styled(written: &str, new: &str) -> Option<String> {
    if written.contains(['\n', '\r']) || written.starts_with(['|', '>']) {
        return None;
    }
    Some(match written.chars().next() {
        _ if new.chars().any(char::is_control) => double_quoted(new),
        Some('"') => double_quoted(new),
        Some('\'') => single_quoted(new),
        _ if is_plain(new) => new.to_owned(),
        _ => single_quoted(new),
    })
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if c.is_control() => {
                // Writing into a text cannot fail.
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a text may stand without quotes, in flow style as well.
fn is_plain(text: &str) -> bool {
    let is_safe = |c: char| c.is_alphanumeric() || "/._-+@=~$".contains(c);
    text.starts_with(|c: char| c.is_alphanumeric() || "/.$".contains(c))
        && text.chars().all(is_safe)
        && Value::parse(text.as_bytes()) == Ok(Value::text(text))
}

/// The new text must say what the old one says, but for the paths.
fn check(old: &str, new: &str, includes: &[Include], news: &[Option<String>]) -> Result<(), ManifestError> {
    let path = || includes.iter().zip(news).find_map(|(i, new)| i.path().filter(|path| Some(*path) != new.as_deref()));
    let lost = |what: String| ManifestError::Rewrite { path: path().unwrap_or_default().to_owned(), what };
    let read = |text: &str| Value::parse(text.as_bytes()).map_err(|error| lost(error.to_string()));
    if with_paths(read(old)?, news) == Some(read(new)?) {
        return Ok(());
    }
    Err(lost("other values would change with it".to_owned()))
}

/// The document with other include paths.
fn with_paths(document: Value, news: &[Option<String>]) -> Option<Value> {
    let Value::Map(mut top) = document else { return None };
    let spack = change(&mut top, "spack", |spack| {
        let Value::Map(mut sections) = spack else { return None };
        change(&mut sections, "include", |includes| {
            let Value::List(items) = includes else { return None };
            let changed = items.into_iter().zip(news).map(|(item, new)| match (item, new) {
                (item, None) => Some(item),
                (Value::Text(_), Some(new)) => Some(Value::text(new.as_str())),
                (Value::Map(mut map), Some(new)) => {
                    change(&mut map, "path", |_| Some(Value::text(new.as_str())))?;
                    Some(Value::Map(map))
                }
                _ => None,
            });
            changed.collect::<Option<_>>().map(Value::List)
        })?;
        Some(Value::Map(sections))
    });
    spack.map(|()| Value::Map(top))
}

fn change(map: &mut Map, name: &str, with: impl FnOnce(Value) -> Option<Value>) -> Option<()> {
    let key = map.key(name)?.clone();
    let value = with(map.take(name)?)?;
    map.insert(key, value);
    Some(())
}

/// Where the paths stand in the text, one per include.
fn places(text: &str) -> Result<Vec<Option<Range<usize>>>, ManifestError> {
    let top: Top = serde_saphyr::from_str_with_options(text, crate::spack::yaml::options()).map_err(|error| {
        let error = error.to_string();
        let what = error.lines().next().unwrap_or_default().chars().take(200).collect();
        ManifestError::Rewrite { path: "spack:include".to_owned(), what }
    })?;
    Ok(top
        .0
        .map(|Sections(includes)| includes.unwrap_or_default())
        .unwrap_or_default()
        .into_iter()
        .map(|e| e.0)
        .collect())
}

/// The document, with nothing but the value of `spack`.
struct Top(Option<Sections>);
/// The sections, with nothing but the value of `include`.
struct Sections(Option<Vec<Entry>>);
/// An entry of `include`: the place of its path.
struct Entry(Option<Range<usize>>);

/// The value under one key of a map; everything else is passed over.
fn only<'de, A: MapAccess<'de>, T: Deserialize<'de>>(mut map: A, name: &str) -> Result<Option<T>, A::Error> {
    let mut found = None;
    while let Some(key) = map.next_key::<Value>()? {
        if key.scalar().is_some_and(|key| &*Key::read(&key).name == name) {
            found = Some(map.next_value::<T>()?);
        } else {
            map.next_value::<IgnoredAny>()?;
        }
    }
    Ok(found)
}

macro_rules! only_from_maps {
    ($type:ident, $key:literal, $wanted:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Only;
                impl<'de> Visitor<'de> for Only {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($wanted)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        only(map, $key).map($type)
                    }
                }
                deserializer.deserialize_map(Only)
            }
        }
    };
}

only_from_maps!(Top, "spack", "a manifest");
only_from_maps!(Sections, "include", "sections");

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What the entry is; for a map, where its path stands.
        enum Kind {
            Text,
            Map(Option<Spanned<IgnoredAny>>),
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a map")
            }

            fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
                Ok(Kind::Text)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Kind, A::Error> {
                only(map, "path").map(Kind::Map)
            }
        }
        impl<'de> Deserialize<'de> for Kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Any)
            }
        }
        let whole = Spanned::<Kind>::deserialize(deserializer)?;
        let place = |location: serde_saphyr::Location| {
            let span = location.span();
            let start = usize::try_from(span.byte_offset()?).ok()?;
            Some(start..start + usize::try_from(span.byte_len()?).ok()?)
        };
        Ok(Self(match whole.value {
            Kind::Text => place(whole.referenced),
            Kind::Map(path) => path.and_then(|path| place(path.referenced)),
        }))
    }
}
