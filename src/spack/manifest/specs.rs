//! Expands `specs`: strings, references to `definitions`, and matrices.

use std::collections::HashMap;

use super::combine::combine;
use super::error::ManifestError;
use crate::spack::condition::{Facts, holds};
use crate::spack::request::within;
use crate::spack::yaml::{Map, Value};

/// What all lists of one manifest may hold, and what they may expand to. Spack's largest stacks have some hundred roots.
const MAX_SPECS: usize = 100_000;
/// A text beyond this many bytes counts as several.
const USUAL_LENGTH: usize = 256;

/// The abstract specs of `specs`, in order.
pub(super) fn expand(specs: &Value, definitions: &Value, facts: &Facts) -> Result<Vec<String>, ManifestError> {
    let mut lists = Lists::default();
    lists.define(definitions, facts)?;
    let place = "spack:specs";
    let wanted = list(specs, place)?;
    // Spack passes over empty entries here, and only here.
    let wanted = wanted.iter().enumerate().filter(|(_, item)| **item != Value::Null && item.as_text() != Some(""));
    let items = lists.items(wanted, place)?;
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Text(text) => found.push(text),
            Item::Matrix(matrix) => {
                for constraints in matrix.combinations(MAX_SPECS.saturating_sub(found.len()))? {
                    found.push(matrix.combine(&constraints)?);
                }
            }
        }
        bounded(found.len(), MAX_SPECS, place)?;
    }
    Ok(found)
}

fn bounded(count: usize, limit: usize, place: &str) -> Result<(), ManifestError> {
    if count > limit {
        return Err(ManifestError::TooMany { place: place.to_owned(), limit: MAX_SPECS });
    }
    Ok(())
}

fn list<'a>(value: &'a Value, place: &str) -> Result<&'a [Value], ManifestError> {
    match value {
        Value::Null => Ok(&[]),
        Value::List(items) => Ok(items),
        other => Err(ManifestError::shape(place, format!("is {} but must be a list", other.kind()))),
    }
}

/// An entry whose references are replaced.
#[derive(Debug, Clone)]
enum Item {
    Text(String),
    Matrix(Matrix),
}

/// Rows whose combinations are specs.
#[derive(Debug, Clone)]
struct Matrix {
    place: String,
    rows: Vec<Vec<Item>>,
    exclude: Vec<String>,
    /// `^` or `%`, put in front of the first constraint.
    sigil: String,
}

/// The definitions read so far. A list may refer to those above it, so there are no circles.
#[derive(Default)]
struct Lists {
    known: HashMap<String, Vec<Item>>,
    /// Entries of all lists, which may double from list to list.
    size: usize,
}

impl Lists {
    fn define(&mut self, definitions: &Value, facts: &Facts) -> Result<(), ManifestError> {
        let place = "spack:definitions";
        // All parts of a list are read where its first part stands, as Spack does.
        let mut order: Vec<(&str, Vec<(String, &Value)>)> = Vec::new();
        for (at, entry) in list(definitions, place)?.iter().enumerate() {
            let place = format!("{place}[{at}]");
            let Value::Map(map) = entry else {
                return Err(ManifestError::shape(place, format!("is {} but must be a map", entry.kind())));
            };
            let (name, items) = definition(map, &place)?;
            let part = if applies(map, &place, facts)? { Some((format!("{place}:{name}"), items)) } else { None };
            match order.iter_mut().find(|(known, _)| *known == name) {
                Some((_, parts)) => parts.extend(part),
                None => order.push((name, part.into_iter().collect())),
            }
        }
        for (name, parts) in order {
            let mut items = Vec::new();
            for (place, value) in parts {
                items.append(&mut self.items(list(value, &place)?.iter().enumerate(), &place)?);
            }
            self.known.insert(name.to_owned(), items);
        }
        Ok(())
    }

    fn items<'a>(
        &mut self,
        values: impl Iterator<Item = (usize, &'a Value)>,
        place: &str,
    ) -> Result<Vec<Item>, ManifestError> {
        let mut items = Vec::new();
        for (at, value) in values {
            let place = format!("{place}[{at}]");
            let mut fresh = match value {
                Value::Text(text) => match text.strip_prefix('$') {
                    Some(reference) => self.referred(reference, &place)?,
                    None => vec![Item::Text(text.to_string())],
                },
                Value::Map(map) => vec![Item::Matrix(self.matrix(map, place.clone())?)],
                other => {
                    let what = format!("is {} but must be a spec or a matrix; quote it if it is a spec", other.kind());
                    return Err(ManifestError::shape(place, what));
                }
            };
            self.size += fresh.iter().map(Item::size).sum::<usize>();
            bounded(self.size, MAX_SPECS, &place)?;
            items.append(&mut fresh);
        }
        Ok(items)
    }

    /// `$name`, `$^name` and `$%name`, without the dollar.
    fn referred(&self, reference: &str, place: &str) -> Result<Vec<Item>, ManifestError> {
        let name = reference.strip_prefix(['^', '%']).unwrap_or(reference);
        let (sigil, _) = reference.split_at(reference.len() - name.len());
        let Some(items) = self.known.get(name) else {
            return Err(ManifestError::Undefined { place: place.to_owned(), name: name.to_owned() });
        };
        let marked = items.iter().cloned().map(|item| match item {
            item if sigil.is_empty() => item,
            Item::Text(text) => Item::Text(format!("{sigil}{text}")),
            Item::Matrix(matrix) => Item::Matrix(Matrix { sigil: sigil.to_owned(), ..matrix }),
        });
        Ok(marked.collect())
    }

    fn matrix(&mut self, map: &Map, place: String) -> Result<Matrix, ManifestError> {
        if let Some((key, _)) = map.iter().find(|(key, _)| !["matrix", "exclude", "sigil"].contains(&&*key.name)) {
            let what = format!("has `{key}`, which is not supported; only `matrix` and `exclude` are");
            return Err(ManifestError::shape(place, what));
        }
        let rows = match map.get("matrix") {
            Some(Value::List(rows)) if !rows.is_empty() => rows,
            Some(Value::List(_)) => return Err(ManifestError::shape(place, "has a matrix without rows")),
            Some(other) => {
                let what = format!("has a matrix that is {} but must be a list of lists", other.kind());
                return Err(ManifestError::shape(place, what));
            }
            None => return Err(ManifestError::shape(place, "has no `matrix`")),
        };
        let mut expanded = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            let place = format!("{place}:matrix[{at}]");
            if *row == Value::Null {
                return Err(ManifestError::shape(place, "is nothing but must be a list"));
            }
            expanded.push(self.items(list(row, &place)?.iter().enumerate(), &place)?);
        }
        let exclude_place = format!("{place}:exclude");
        let exclude = list(map.get("exclude").unwrap_or(&Value::Null), &exclude_place)?.iter().map(|item| {
            let wrong = || ManifestError::shape(&exclude_place, format!("holds {} but must hold specs", item.kind()));
            item.as_text().map(str::to_owned).ok_or_else(wrong)
        });
        let exclude = exclude.collect::<Result<_, _>>()?;
        let sigil = match map.get("sigil") {
            None => String::new(),
            Some(value) => match value.as_text() {
                Some(sigil @ ("" | "^" | "%")) => sigil.to_owned(),
                _ => return Err(ManifestError::shape(format!("{place}:sigil"), "must be `^` or `%`")),
            },
        };
        Ok(Matrix { place, rows: expanded, exclude, sigil })
    }
}

/// The name and the list of one definition.
fn definition<'a>(map: &'a Map, place: &str) -> Result<(&'a str, &'a Value), ManifestError> {
    let mut names = map.iter().filter(|(key, _)| &*key.name != "when");
    match (names.next(), names.next()) {
        (Some((key, items)), None) => Ok((&key.name, items)),
        (None, _) => Err(ManifestError::shape(place, "defines no list")),
        (Some((first, _)), Some((second, _))) => {
            let what = format!("defines `{first}` and `{second}`; one entry defines one list");
            Err(ManifestError::shape(place, what))
        }
    }
}

fn applies(map: &Map, place: &str, facts: &Facts) -> Result<bool, ManifestError> {
    match map.get("when") {
        None => Ok(true),
        Some(Value::Text(when)) => {
            holds(when, facts).map_err(|error| ManifestError::Condition { place: place.to_owned(), error })
        }
        Some(other) => {
            let what = format!("is {} but must be a condition; quote it", other.kind());
            Err(ManifestError::shape(format!("{place}:when"), what))
        }
    }
}

const fn weight(length: usize) -> usize {
    1 + length / USUAL_LENGTH
}

impl Item {
    /// Entries in it, itself included.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => weight(text.len()),
            Self::Matrix(matrix) => 1 + matrix.rows.iter().flatten().map(Self::size).sum::<usize>(),
        }
    }
}

impl Matrix {
    /// Every combination that is not excluded, as constraints; at most `limit` combinations are tried.
    fn combinations(&self, limit: usize) -> Result<Vec<Vec<String>>, ManifestError> {
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let mut choices = Vec::new();
            for item in row {
                match item {
                    Item::Text(text) => choices.push(text.clone()),
                    // A matrix within a row is one choice per combination.
                    Item::Matrix(inner) => {
                        let found = inner.combinations(limit.saturating_sub(choices.len()))?;
                        choices.extend(found.iter().map(|constraints| constraints.join(" ")));
                    }
                }
            }
            rows.push(choices);
        }
        let longest = rows.iter().map(|row| row.iter().map(String::len).max().unwrap_or_default()).sum();
        let count = rows.iter().map(Vec::len).try_fold(weight(longest), usize::checked_mul);
        bounded(count.unwrap_or(usize::MAX), limit, &self.place)?;
        let mut combinations = vec![Vec::new()];
        for row in &rows {
            let longer = |begun: &Vec<String>| {
                let begun = begun.clone();
                row.iter()
                    .map(move |choice| [begun.as_slice(), std::slice::from_ref(choice)].concat())
                    .collect::<Vec<_>>()
            };
            combinations = combinations.iter().flat_map(longer).collect();
        }
        let mut kept = Vec::new();
        for mut constraints in combinations {
            if self.excludes(&constraints)? {
                continue;
            }
            if let Some(first) = constraints.first_mut() {
                first.insert_str(0, &self.sigil);
            }
            kept.push(constraints);
        }
        Ok(kept)
    }

    fn excludes(&self, constraints: &[String]) -> Result<bool, ManifestError> {
        if self.exclude.is_empty() {
            return Ok(false);
        }
        let spec = self.combine(constraints)?;
        for exclusion in &self.exclude {
            let is_excluded = within(&spec, exclusion).map_err(|error| {
                ManifestError::shape(
                    format!("{}:exclude", self.place),
                    format!("cannot be compared with `{spec}`: {error}"),
                )
            })?;
            if is_excluded {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn combine(&self, constraints: &[String]) -> Result<String, ManifestError> {
        combine(constraints).map_err(|(first, second)| {
            ManifestError::shape(
                &self.place,
                format!("combines `{first}` with `{second}`, which are different packages"),
            )
        })
    }
}
