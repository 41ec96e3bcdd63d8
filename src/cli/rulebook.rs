//! The rules by which logs are judged: those that are shipped, then the user's own file, then files that were named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::{Exit, Failure};
use crate::taxonomy::{Compiled, Loaded, Source, load_with_lints, shipped};

/// The user's own rules, in the configuration folder.
pub const OWN: &str = "rules.toml";

/// Where the user's own rules are, whether or not there are any.
pub fn own(config_dir: Option<&Path>) -> Option<PathBuf> {
    config_dir.map(|folder| folder.join(OWN))
}

/// Reads the shipped rules, the user's own if there are any, and more files.
pub fn read(config_dir: Option<&Path>, more: &[PathBuf]) -> Result<Loaded, Failure> {
    let own = own(config_dir).filter(|path| path.exists());
    let mut texts = Vec::new();
    for path in own.iter().chain(more) {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::new(Exit::Config, format!("cannot read the rules {}: {error}; check the file", path.display()))
        })?;
        texts.push((path.display().to_string(), text));
    }
    let files: Vec<Source<'_>> =
        shipped().into_iter().chain(texts.iter().map(|(name, text)| Source { name, text })).collect();
    load_with_lints(&files).map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Config, told.join("\n"))
    })
}

/// The same, ready to match.
pub fn compiled(config_dir: Option<&Path>, more: &[PathBuf]) -> Result<Arc<Compiled>, Failure> {
    let loaded = read(config_dir, more)?;
    Compiled::of(&loaded.rules).map(Arc::new).map_err(|error| Failure::new(Exit::Config, error.to_string()))
}
