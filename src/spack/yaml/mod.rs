//! Spack's configuration as data: ordered YAML values, and the algebra by which scopes and job sections are merged.
//!
//! * [`Value::parse`] reads one document within limits, so that a file of anchors cannot take the machine down.
//! * [`merge()`] and [`remove`] are Spack's `merge_yaml` and `remove_yaml`: the source has precedence, and the last character of a key says how.
//! * [`Layers`] is a stack of scopes, highest precedence first.

mod layers;
mod merge;
mod read;
mod value;

pub use layers::{Layers, Scope, Section};
pub use merge::{merge, remove};
pub use read::YamlError;
pub(super) use read::options;
pub use value::{Key, Map, Mode, Value};
