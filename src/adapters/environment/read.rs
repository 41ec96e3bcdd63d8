//! The environment as a whole.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::{EnvironmentError, EnvironmentFault};
use super::file::{self, MAX_YAML};
use super::http::Http;
use super::lock::{self, LockAge, Locked, StoredLock};
use super::variables;
use super::walk::{Found, Skipped, Trail, Walk};
use crate::spack::condition::Facts;
use crate::spack::manifest::path::{is_url, relative};
use crate::spack::yaml::Layers;
use crate::spack::{Hash, Lock, Manifest};

/// What is to be read.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The folder of the stack: `spack.yaml` lies in it.
    pub dir: PathBuf,
    /// The lock, where it is not `spack.lock` in that folder.
    pub lock: Option<PathBuf>,
    /// Whether includes are followed.
    pub includes: bool,
    /// Further configuration below everything that the manifest says and includes, the highest precedence first.
    pub scopes: Vec<PathBuf>,
    /// The machine that conditions ask about.
    pub facts: Facts,
}

/// A stack as it lies on disk.
#[derive(Debug)]
pub struct Environment {
    pub manifest: Manifest,
    pub manifest_path: PathBuf,
    /// The manifest, what it includes, and further scopes; the highest precedence first.
    pub layers: Layers,
    pub lock_path: PathBuf,
    pub lock: Lock,
    /// The lock as it was read: what the jobs of the pipeline get.
    pub stored_lock: StoredLock,
    /// Specs of the lock that do not give their hashes: it was changed after Spack wrote it.
    pub forged: Vec<Hash>,
    pub lock_age: LockAge,
    /// The abstract specs that the manifest asks for, expanded; empty when that is unclear.
    pub specs: Vec<String>,
    /// Optional includes that were not there.
    pub skipped: Vec<Skipped>,
    dir: PathBuf,
    /// The include paths of the manifest with their variables replaced, as far as they are known.
    expanded: HashMap<String, OsString>,
}

/// Reads an environment. The client should not follow redirects by itself, so that none is sent to a host that the manifest does not name.
pub async fn read(wanted: &Wanted, http: &Http) -> Result<Environment, EnvironmentError> {
    let Wanted { dir, facts, .. } = wanted;
    let manifest_path = dir.join("spack.yaml");
    let label = manifest_path.display().to_string();
    let told = |fault: EnvironmentFault| fault.at(label.clone());
    let bytes = file::read(&manifest_path, MAX_YAML).await.map_err(told)?;
    let bytes = bytes.ok_or_else(|| EnvironmentFault::NoManifest.at(dir.display().to_string()))?;
    let manifest = Manifest::parse(&bytes).map_err(|error| told(error.into()))?;
    let (layers, skipped) = layers(wanted, http, &manifest, &manifest_path).await?;
    let definitions = layers.section("definitions");
    let specs = manifest.specs_with(&definitions, facts);
    let lock_path = wanted.lock.clone().unwrap_or_else(|| dir.join("spack.lock"));
    let Locked { lock, stored: stored_lock, forged } = lock::read(&lock_path, dir).await?;
    let (specs, lock_age) = match specs {
        Ok(specs) => {
            let age = LockAge::of(&specs, &lock);
            (specs, age)
        }
        Err(error) => (Vec::new(), LockAge::Unclear { why: error.to_string() }),
    };
    let paths = manifest.includes().into_iter().filter_map(|include| include.path().map(str::to_owned));
    let expanded = paths.filter_map(|path| Some((path.clone(), variables::expand(&path, facts, dir).ok()?))).collect();
    let dir = dir.clone();
    Ok(Environment {
        manifest,
        manifest_path,
        layers,
        lock_path,
        lock,
        stored_lock,
        forged,
        lock_age,
        specs,
        skipped,
        dir,
        expanded,
    })
}

async fn layers(
    wanted: &Wanted,
    http: &Http,
    manifest: &Manifest,
    path: &Path,
) -> Result<(Layers, Vec<Skipped>), EnvironmentError> {
    let mut walk = Walk::new(http, &wanted.facts, &wanted.dir, wanted.includes);
    let label = path.display().to_string();
    let identity = tokio::fs::canonicalize(path).await.unwrap_or_else(|_| path.to_owned());
    walk.add(label.clone(), manifest.sections().clone());
    walk.follow(manifest.includes(), Some(&wanted.dir), &Trail::default().to(label, identity)).await?;
    for scope in &wanted.scopes {
        if let Found::No(trail) = walk.local(scope, &Trail::default()).await? {
            return Err(EnvironmentFault::NoScope.at(trail.text()));
        }
    }
    Ok((Layers(walk.scopes), walk.skipped))
}

impl Environment {
    /// The text of the manifest for a copy in another folder: relative include paths lead to the same files from there.
    ///
    /// URLs and absolute paths stay, and so does what begins with a variable that is not known here.
    pub fn manifest_in(&self, folder: &Path) -> Result<String, EnvironmentError> {
        let told = |include: &str, what| {
            let (include, folder) = (include.to_owned(), folder.display().to_string());
            EnvironmentFault::Relocate { include, folder, what }.at(self.manifest_path.display().to_string())
        };
        let mut moved = HashMap::new();
        for include in &self.manifest.includes() {
            let Some(path) = include.path() else { continue };
            let target = match self.expanded.get(path) {
                Some(expanded) => PathBuf::from(expanded),
                None if path.starts_with(['$', '~']) => continue,
                None => PathBuf::from(path),
            };
            if target.is_absolute() || target.to_str().is_some_and(is_url) {
                continue;
            }
            let absolute =
                |place: &Path| std::path::absolute(place).map_err(|_| told(path, "the working folder is unknown"));
            let new = relative(&absolute(&self.dir.join(&target))?, &absolute(folder)?);
            let new = new.ok_or_else(|| told(path, "there is no way between the folders"))?;
            let new = new.to_str().ok_or_else(|| told(path, "a folder on the way has a name that is not UTF-8"))?;
            moved.insert(path.to_owned(), new.to_owned());
        }
        let rewritten = self.manifest.rewritten(|path| moved.get(path).cloned().unwrap_or_else(|| path.to_owned()));
        rewritten.map_err(|error| EnvironmentFault::from(error).at(self.manifest_path.display().to_string()))
    }
}
