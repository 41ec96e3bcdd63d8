//! Configuration scopes, and what a section is when all of them have spoken.

use std::sync::Arc;

use super::merge::merge;
use super::value::{Map, Mode, Value};

/// One scope: a file, or the sections that a manifest holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// What people call it: the path of its file.
    pub name: Arc<str>,
    /// Sections by name.
    pub sections: Map,
}

/// One element of a list that several scopes add to, with the scope that it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub scope: Arc<str>,
    /// The place in that scope's list, from 0.
    pub index: usize,
    pub value: Value,
}

/// Scopes, the highest precedence first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layers(pub Vec<Scope>);

impl Layers {
    /// A section with all scopes merged; `Null` where none has it.
    pub fn section(&self, name: &str) -> Value {
        self.0.iter().rev().fold(Value::Null, |below, scope| {
            match (scope.sections.key(name), scope.sections.get(name)) {
                (Some(key), Some(value)) if key.mode == Mode::Replace => value.clone(),
                // A section without content says nothing.
                (_, None | Some(Value::Null)) => below,
                (_, Some(value)) => merge(below, value),
            }
        })
    }

    /// The list at `section:key`, merged as [`Self::section`] merges it, with the origin of every element.
    pub fn list(&self, section: &str, key: &str) -> Vec<Section> {
        let mut found: Vec<Section> = Vec::new();
        for scope in self.0.iter().rev() {
            let Some(Value::Map(map)) = scope.sections.get(section) else { continue };
            let replaces_all = scope.sections.key(section).is_some_and(|key| key.mode == Mode::Replace);
            let mode = map.key(key).map(|key| key.mode);
            if replaces_all || mode == Some(Mode::Replace) {
                found.clear();
            }
            let items = match map.get(key) {
                None => continue,
                Some(Value::List(items)) => items,
                // As for every value: what is no list replaces what was there.
                Some(_) => {
                    found.clear();
                    continue;
                }
            };
            let fresh = items.iter().enumerate().map(|(index, value)| Section {
                scope: scope.name.clone(),
                index,
                value: value.clone(),
            });
            found.retain(|known| !items.contains(&known.value));
            if mode == Some(Mode::Append) {
                found.extend(fresh);
            } else {
                found.splice(0..0, fresh);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(scopes: &[&str]) -> Layers {
        Layers(
            scopes
                .iter()
                .enumerate()
                .map(|(at, text)| {
                    let Value::Map(sections) = Value::parse(text.as_bytes()).unwrap() else { panic!("{text}") };
                    Scope { name: format!("scope{at}").into(), sections }
                })
                .collect(),
        )
    }

    #[test]
    fn higher_scopes_come_first_and_elements_keep_their_origin() {
        let layers = layers(&[
            "ci: {pipeline-gen: [{a: 1}, {b: 1}], target: x}",
            "ci: {pipeline-gen: [{b: 1}, {c: 1}]}",
            "cdash: {}",
        ]);
        let list = layers.list("ci", "pipeline-gen");
        let origins: Vec<_> = list.iter().map(|s| (&*s.scope, s.index)).collect();
        assert_eq!(origins, [("scope0", 0), ("scope0", 1), ("scope1", 1)]);
        let values: Vec<Value> = list.into_iter().map(|s| s.value).collect();
        assert_eq!(layers.section("ci").get("pipeline-gen"), Some(&Value::List(values)));
        assert_eq!(layers.section("ci").get("target"), Some(&Value::text("x")));
        assert_eq!(layers.section("mirrors"), Value::Null);
    }

    #[test]
    fn a_replacing_key_silences_the_scopes_below() {
        let layers = layers(&["'ci:': {pipeline-gen: [{a: 1}]}", "ci: {pipeline-gen: [{b: 1}], target: x}"]);
        assert_eq!(layers.list("ci", "pipeline-gen").len(), 1);
        assert_eq!(layers.section("ci").get("target"), None);
    }
}
