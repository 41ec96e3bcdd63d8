//! What an `include` section asks for.

use super::error::ManifestError;
use crate::spack::yaml::{Map, Value};

/// One entry of an `include` section, as it is written: nothing is expanded, followed or evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    pub target: IncludeTarget,
    /// The entry counts only where this condition holds.
    pub when: Option<String>,
    /// Whether the target may be absent.
    pub optional: bool,
    /// What the contents of a remote file must hash to.
    pub sha256: Option<String>,
    /// An environment variable whose value, where set, takes the place of the path.
    pub override_variable: Option<String>,
}

/// Where an include leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncludeTarget {
    /// A file, a folder or a URL; may hold variables.
    Path(String),
    /// Files of a git repository.
    Git { url: String, paths: Vec<String> },
}

const PATH_KEYS: [&str; 8] =
    ["path", "when", "optional", "sha256", "path_override_env_var", "name", "prefer_modify", "backwards_compat"];
const GIT_KEYS: [&str; 8] = ["git", "when", "optional", "paths", "branch", "commit", "tag", "name"];

impl Include {
    /// Reads the value of an `include` section; `place` is what messages call it.
    pub fn list(section: &Value, place: &str) -> Result<Vec<Self>, ManifestError> {
        match section {
            Value::Null => Ok(Vec::new()),
            Value::List(items) => {
                items.iter().enumerate().map(|(at, item)| Self::read(item, &format!("{place}[{at}]"))).collect()
            }
            other => Err(ManifestError::shape(place, format!("is {} but must be a list", other.kind()))),
        }
    }

    fn read(item: &Value, place: &str) -> Result<Self, ManifestError> {
        let map = match item {
            Value::Text(path) => return Self::plain(path, place),
            Value::Map(map) => map,
            other => {
                return Err(ManifestError::shape(place, format!("is {} but must be a path or a map", other.kind())));
            }
        };
        let is_git = map.contains("git");
        let known = if is_git { GIT_KEYS } else { PATH_KEYS };
        if let Some((key, _)) = map.iter().find(|(key, _)| !known.contains(&&*key.name)) {
            let what = format!("has the unknown attribute `{key}` (known are {})", known.join(", "));
            return Err(ManifestError::shape(place, what));
        }
        let fields = Fields { map, place };
        let target = if is_git {
            IncludeTarget::Git { url: fields.needed("git")?, paths: fields.texts("paths")? }
        } else {
            IncludeTarget::Path(fields.needed("path")?)
        };
        Ok(Self {
            target,
            // An empty condition is none.
            when: fields.text("when")?.filter(|when| !when.is_empty()),
            optional: fields.flag("optional")?,
            sha256: fields.text("sha256")?.filter(|sum| !sum.is_empty()),
            override_variable: fields.text("path_override_env_var")?,
        })
    }

    fn plain(path: &str, place: &str) -> Result<Self, ManifestError> {
        if path.is_empty() {
            return Err(ManifestError::shape(place, "is empty"));
        }
        Ok(Self {
            target: IncludeTarget::Path(path.to_owned()),
            when: None,
            optional: false,
            sha256: None,
            override_variable: None,
        })
    }

    /// The path, where this is one.
    pub fn path(&self) -> Option<&str> {
        match &self.target {
            IncludeTarget::Path(path) => Some(path),
            IncludeTarget::Git { .. } => None,
        }
    }
}

/// The attributes of one entry.
struct Fields<'a> {
    map: &'a Map,
    place: &'a str,
}

impl Fields<'_> {
    fn wrong(&self, key: &str, value: &Value, wanted: &str) -> ManifestError {
        ManifestError::shape(format!("{}:{key}", self.place), format!("is {} but must be {wanted}", value.kind()))
    }

    fn text(&self, key: &str) -> Result<Option<String>, ManifestError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.to_string())),
            Some(other) => Err(self.wrong(key, other, "a text")),
        }
    }

    fn needed(&self, key: &str) -> Result<String, ManifestError> {
        let found = self.text(key)?.filter(|text| !text.is_empty());
        found.ok_or_else(|| ManifestError::shape(self.place, format!("has no `{key}`")))
    }

    fn flag(&self, key: &str) -> Result<bool, ManifestError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(key, other, "true or false")),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, ManifestError> {
        let items = match self.map.get(key) {
            None => return Err(ManifestError::shape(self.place, format!("has no `{key}`"))),
            Some(Value::List(items)) => items,
            Some(other) => return Err(self.wrong(key, other, "a list of texts")),
        };
        items
            .iter()
            .map(|item| item.as_text().map(str::to_owned).ok_or_else(|| self.wrong(key, item, "texts")))
            .collect()
    }
}
