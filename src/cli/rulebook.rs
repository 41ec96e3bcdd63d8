//! The rules by which logs are judged: those that are shipped, then the user's own file, then files that were named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::{Exit, Failure};
use crate::controller::Rulebook;
use crate::taxonomy::{
    self, Compiled, Draft, Loaded, RuleFault, Source, append, load_shipped, load_with_lints, shipped,
};

/// The user's own rules, in the configuration folder.
pub const OWN: &str = "rules.toml";

/// Where the user's own rules are, whether or not there are any.
pub fn own(config_dir: Option<&Path>) -> Option<PathBuf> {
    config_dir.map(|folder| folder.join(OWN))
}

/// The user's own rules if there are any, and more files.
pub fn texts(config_dir: Option<&Path>, more: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let own = own(config_dir).filter(|path| path.exists());
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::new(Exit::Config, format!("cannot read the rules {}: {error}; check the file", path.display()))
        })?;
        Ok((path.display().to_string(), text))
    };
    own.iter().chain(more).map(read).collect()
}

/// Loads the shipped rules and these.
pub fn load(texts: &[(String, String)]) -> Result<Loaded, Vec<RuleFault>> {
    load_with_lints(&sources(texts))
}

/// The shipped rules and these.
fn sources(texts: &[(String, String)]) -> Vec<Source<'_>> {
    let named = texts.iter().map(|(name, text)| Source { name, text });
    shipped().into_iter().chain(named).collect()
}

fn told(faults: &[RuleFault]) -> Failure {
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    let more = match faults.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more: `stackhand rules check` lists them)", n - 1),
    };
    Failure::new(Exit::Config, format!("{first}{more}"))
}

/// Reads the shipped rules, the user's own if there are any, and more files.
pub fn read(config_dir: Option<&Path>, more: &[PathBuf]) -> Result<Loaded, Failure> {
    load(&texts(config_dir, more)?).map_err(|faults| told(&faults))
}

/// The same, ready to match. Nobody asked for warnings, so none are looked for.
pub fn compiled(config_dir: Option<&Path>, more: &[PathBuf]) -> Result<Arc<Compiled>, Failure> {
    let texts = texts(config_dir, more)?;
    let rules = if texts.is_empty() { load_shipped() } else { taxonomy::load(&sources(&texts)) };
    let rules = rules.map_err(|faults| told(&faults))?;
    Compiled::of(&rules).map(Arc::new).map_err(|error| Failure::new(Exit::Config, error.to_string()))
}

/// The rules of a core: read when they are needed, and added to by the console.
pub fn book(config_dir: Option<PathBuf>) -> Arc<Rulebook> {
    let folder = config_dir.clone();
    Rulebook::new(
        move || compiled(config_dir.as_deref(), &[]).map_err(|failure| failure.to_string()),
        move |draft| save(folder.as_deref(), draft),
    )
}

/// Adds a rule to the user's own file, if the whole set is still good with it.
fn save(config_dir: Option<&Path>, draft: &Draft) -> Result<String, String> {
    let path = own(config_dir).ok_or("there is no configuration folder; set XDG_CONFIG_HOME")?;
    let name = path.display().to_string();
    let trouble = |error: std::io::Error| format!("{name}: {error}; check the folder");
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(trouble(error)),
    };
    let text = append(Source { name: &name, text: &before }, draft).map_err(|fault| fault.to_string())?;
    if let Err(faults) = load(&[(name.clone(), text.clone())]) {
        return Err(faults.first().map_or_else(String::new, ToString::to_string));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(trouble)?;
    }
    let part = path.with_extension("toml.part");
    std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path)).map_err(trouble)?;
    Ok(name)
}
