//! The manifest as a whole.

use std::collections::HashSet;

use super::error::ManifestError;
use super::include::Include;
use super::{rewrite, specs};
use crate::spack::Lock;
use crate::spack::condition::Facts;
use crate::spack::request::canonical;
use crate::spack::yaml::{Map, Value};

/// A stack's `spack.yaml`: everything below its top-level key `spack`, and the text it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    text: String,
    sections: Map,
    includes: Vec<Include>,
}

impl Manifest {
    /// Reads a manifest. What concerns only expansion (`specs`, `definitions`) is looked at by [`Self::specs`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(bytes).map_err(|error| ManifestError::Encoding { at: error.valid_up_to() })?;
        let found = match Value::parse(bytes).map_err(ManifestError::Yaml)? {
            Value::Map(mut top) => match top.take("spack") {
                Some(sections) => Ok(sections),
                None if top.contains("env") => Err("`env` is the key of Spack 0.19 and older; rename it".to_owned()),
                None => Err(match top.iter().next() {
                    Some((key, _)) => format!("the file starts with `{}`", key.name),
                    None => "the file is an empty map".to_owned(),
                }),
            },
            Value::Null => Err("the file is empty".to_owned()),
            other => Err(format!("the file holds {}", other.kind())),
        };
        let sections = match found.map_err(|found| ManifestError::NoSpack { found })? {
            Value::Map(sections) => sections,
            // `spack:` alone is a stack without specs.
            Value::Null => Map::new(),
            other => return Err(ManifestError::shape("spack", format!("is {} but must be a map", other.kind()))),
        };
        let includes = Include::list(sections.get("include").unwrap_or(&Value::Null), "spack:include")?;
        Ok(Self { text: text.to_owned(), sections, includes })
    }

    /// Everything under `spack`: the configuration sections (`ci`, `cdash`, `mirrors`, `packages`, …) and what only a manifest has.
    pub const fn sections(&self) -> &Map {
        &self.sections
    }

    /// What it includes, the highest precedence first.
    pub fn includes(&self) -> Vec<Include> {
        self.includes.clone()
    }

    /// The text that was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The abstract specs that the stack asks for, expanded with its own `definitions`.
    pub fn specs(&self, facts: &Facts) -> Result<Vec<String>, ManifestError> {
        self.specs_with(self.sections.get("definitions").unwrap_or(&Value::Null), facts)
    }

    /// The same with the `definitions` of all scopes: those of includes count as well.
    pub fn specs_with(&self, definitions: &Value, facts: &Facts) -> Result<Vec<String>, ManifestError> {
        specs::expand(self.sections.get("specs").unwrap_or(&Value::Null), definitions, facts)
    }

    /// The original text with the include paths that `rewrite` gives; comments, order and quotes stay as they are.
    ///
    /// Fails rather than change anything else: the result is read back and compared.
    pub fn rewritten(&self, rewrite: impl Fn(&str) -> String) -> Result<String, ManifestError> {
        rewrite::rewritten(&self.text, &self.includes, rewrite)
    }
}

/// The specs that are not among the roots of the lock, however they are spaced and ordered there.
pub fn missing_roots(specs: &[String], lock: &Lock) -> Vec<String> {
    let roots: HashSet<_> = lock.roots().iter().map(|root| canonical(&root.spec)).collect();
    specs.iter().filter(|spec| !roots.contains(&canonical(spec))).cloned().collect()
}
