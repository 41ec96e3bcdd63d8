//! Why a lock is refused.

use thiserror::Error;

use super::Hash;

/// A `spack.lock` that cannot be used. Every message names the place and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LockError {
    /// Not JSON, or not the JSON of a lock.
    #[error(
        "spack.lock is damaged at line {line}, column {column}: {what}; restore the file or run `spack concretize --force`"
    )]
    Json { line: usize, column: usize, what: String },
    /// A version whose shape this program does not know.
    #[error(
        "spack.lock has {found}, but only 4, 5 and 6 are supported; run `spack concretize --force` with Spack 0.18 or newer, \
         or get a newer stackhand if Spack is newer"
    )]
    Version { found: String },
    /// Environments that include each other without end.
    #[error(
        "spack.lock includes environments more than {limit} deep, at `{path}`; remove the circle of `include_concrete`"
    )]
    IncludesTooDeep { limit: usize, path: String },
    /// A node that contradicts itself.
    #[error("spack.lock has a spec {node} that {what}; run `spack concretize --force`")]
    Node { node: String, what: String },
    /// A root that leads nowhere.
    #[error(
        "spack.lock has the root `{spec}` with hash {hash}, which is not among its specs; run `spack concretize --force`"
    )]
    MissingRoot { spec: String, hash: Hash },
    /// An edge that leads nowhere.
    #[error(
        "spack.lock has the edge {parent} → {name}/{hash}, which is not among its specs; run `spack concretize --force`"
    )]
    MissingDependency { parent: String, name: String, hash: Hash },
    /// Specs that need each other.
    #[error("spack.lock has a circle: {}; undo the manual edit or run `spack concretize --force`", circle(path))]
    Cycle {
        /// The specs along the circle; the first one is repeated at the end.
        path: Vec<String>,
    },
}

impl From<serde_json::Error> for LockError {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
        Self::Json { line: error.line(), column: error.column(), what }
    }
}

/// The circle as text; a damaged lock may have one through all of its specs.
fn circle(path: &[String]) -> String {
    const SHOWN: usize = 12;
    match path.get(..SHOWN) {
        Some(shown) if path.len() > SHOWN => format!("{} → … ({} specs in all)", shown.join(" → "), path.len() - 1),
        _ => path.join(" → "),
    }
}
