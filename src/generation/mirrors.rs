//! The mirrors of a configuration: where binaries are fetched from and pushed to.

use std::sync::Arc;

use super::Refusal;
use crate::spack::yaml::{Layers, Value};

/// One binary mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    pub name: Arc<str>,
    pub fetch: Arc<str>,
    pub push: Arc<str>,
}

/// The mirror that jobs push to. Spack insists on its name.
pub const DESTINATION: &str = "buildcache-destination";
/// The mirror that a copy-only pipeline copies from.
pub const SOURCE: &str = "buildcache-source";

impl Mirror {
    /// A mirror with one address for both ways.
    pub fn at(name: &str, url: &str) -> Self {
        let url: Arc<str> = url.trim_end_matches('/').into();
        Self { name: name.into(), fetch: url.clone(), push: url }
    }

    /// The binary mirrors of a configuration in their order, with those in `overrides` put in the place of the same name or at the end.
    pub fn configured(layers: &Layers, overrides: &[Self]) -> Result<Vec<Self>, Refusal> {
        let mut mirrors = Vec::new();
        match layers.section("mirrors") {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    mirrors.extend(Self::read(&key.name, value)?);
                }
            }
            other => return Err(wrong("", &format!("is {}, not a map of mirrors", other.kind()))),
        }
        for mirror in overrides {
            match mirrors.iter_mut().find(|known| known.name == mirror.name) {
                Some(known) => *known = mirror.clone(),
                None => mirrors.push(mirror.clone()),
            }
        }
        Ok(mirrors)
    }

    /// One entry; `None` when it holds no binaries.
    fn read(name: &str, value: &Value) -> Result<Option<Self>, Refusal> {
        let Value::Map(map) = value else {
            return match value.as_text() {
                Some(url) => Ok(Some(Self::at(name, url))),
                None => Err(wrong(name, "has no address")),
            };
        };
        if map.get("binary") == Some(&Value::Bool(false)) {
            return Ok(None);
        }
        let address = |way: &str| match map.get(way) {
            Some(Value::Map(connection)) => connection.get("url").and_then(Value::as_text),
            Some(value) => value.as_text(),
            None => map.get("url").and_then(Value::as_text),
        };
        let trimmed = |url: &str| -> Arc<str> { url.trim_end_matches('/').into() };
        match (address("fetch"), address("push")) {
            (Some(fetch), Some(push)) => {
                Ok(Some(Self { name: name.into(), fetch: trimmed(fetch), push: trimmed(push) }))
            }
            (Some(url), None) | (None, Some(url)) => Ok(Some(Self::at(name, url))),
            (None, None) => Err(wrong(name, "has no address: neither `url` nor `fetch`")),
        }
    }
}

fn wrong(name: &str, what: &str) -> Refusal {
    let place = if name.is_empty() { "mirrors".to_owned() } else { format!("mirrors:{name}") };
    Refusal::Config { place, what: format!("{what}; write `fetch: s3://bucket/prefix`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::yaml::Scope;

    fn read(text: &str) -> Result<Vec<Mirror>, Refusal> {
        let Value::Map(sections) = Value::parse(text.as_bytes()).unwrap() else { panic!() };
        Mirror::configured(&Layers(vec![Scope { name: "x".into(), sections }]), &[Mirror::at("b", "file:///b/")])
    }

    #[test]
    fn every_form_of_a_mirror_is_read() {
        let text = "mirrors:\n  a: s3://a/\n  b: {url: s3://b}\n  c: {fetch: {url: s3://c}, push: s3://d}\n  e: {url: x, binary: false}\n";
        let mirrors = read(text).unwrap();
        let shown: Vec<_> = mirrors.iter().map(|m| format!("{} {} {}", m.name, m.fetch, m.push)).collect();
        assert_eq!(shown, ["a s3://a s3://a", "b file:///b file:///b", "c s3://c s3://d"]);
        let error = read("mirrors: {a: {signed: true}}").unwrap_err().to_string();
        assert!(error.contains("mirrors:a") && error.contains("fetch"), "{error}");
        assert!(read("mirrors: [a]").is_err());
    }
}
