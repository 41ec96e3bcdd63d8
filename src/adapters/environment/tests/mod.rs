//! Environments on a real disk: made-up ones in folders of their own, and those of Spack's fixtures.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::spack::condition::Facts;

mod fixtures;
mod includes;
mod locks;
mod remote;

const LOCK: &[u8] = include_bytes!("../../../spack/testdata/mini-v6.lock");

/// A folder of its own, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("stackhand-environment-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A stack with this manifest and a lock.
    fn stack(manifest: &str) -> Self {
        let scratch = Self::new();
        scratch.write("env/spack.yaml", manifest);
        scratch.write("env/spack.lock", LOCK);
        scratch
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn wanted(&self) -> Wanted {
        Wanted { dir: self.0.join("env"), includes: true, facts: facts(&[]), ..Wanted::default() }
    }

    async fn read(&self) -> Result<Environment, EnvironmentError> {
        read(&self.wanted(), &client()).await
    }

    /// The message of the error, with the folder cut out.
    async fn fault(&self) -> String {
        self.told(self.read().await.map(|_| ()).unwrap_err())
    }

    fn told(&self, error: EnvironmentError) -> String {
        error.to_string().replace(&format!("{}/", self.0.display()), "")
    }

    /// The names of all layers, with the folder cut out.
    fn names(&self, environment: &Environment) -> Vec<String> {
        let cut = format!("{}/", self.0.display());
        environment.layers.0.iter().map(|scope| scope.name.replace(&cut, "")).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn facts(env: &[(&str, &str)]) -> Facts {
    let env: BTreeMap<_, _> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Facts {
        platform: "linux".to_owned(),
        os: "debian12".to_owned(),
        target: "x86_64_v3".to_owned(),
        hostname: "runner".to_owned(),
        env,
    }
}

fn client() -> Http {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap().into()
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, fs::read(from).unwrap()).unwrap();
    }
}
