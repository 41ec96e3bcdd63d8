//! Generation as a whole: the cases of the reference, and what Spack itself made of real stacks.

mod cases;
mod check;
mod goldens;
mod reports;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::*;
use crate::ci::Timestamp;
use crate::spack::yaml::{Layers, Scope, Value};
use crate::spack::{Hash, Lock};

/// A generation's inputs, owned.
pub struct Made {
    pub lock: Lock,
    pub wanted: Vec<String>,
    pub layers: Layers,
    pub mirrors: Vec<Mirror>,
    pub views: Vec<MirrorView>,
    pub changes: Option<ChangeSet>,
    pub options: Options,
    pub broken: BTreeMap<Hash, String>,
}

impl Made {
    /// A stack from the text of its lock and of its scopes, the highest precedence first. All roots are wanted.
    pub fn new(lock: &[u8], scopes: &[&str], env: &[(&str, &str)]) -> Self {
        let lock = Lock::parse(lock).unwrap();
        let layers = Layers(
            scopes
                .iter()
                .enumerate()
                .map(|(at, text)| {
                    let Value::Map(sections) = Value::parse(text.as_bytes()).unwrap() else { panic!("no map: {text}") };
                    Scope { name: format!("scope{at}").into(), sections }
                })
                .collect(),
        );
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (mut options, _) = Options::of(&env);
        options.forward(&[], &env);
        let mirrors = Mirror::configured(&layers, &[]).unwrap();
        let views = mirrors.iter().map(|mirror| absent(&mirror.name, &mirror.fetch)).collect();
        let wanted = lock.roots().iter().map(|root| root.spec.to_string()).collect();
        Self { lock, wanted, layers, mirrors, views, changes: None, options, broken: BTreeMap::new() }
    }

    pub fn with<T>(&self, then: impl FnOnce(&Inputs<'_>, Result<Generation<'_>, Refusal>) -> T) -> T {
        let (answers, durations) = (Answers::default(), HashMap::new());
        let inputs = Inputs {
            lock: &self.lock,
            wanted: &self.wanted,
            layers: &self.layers,
            mirrors: &self.mirrors,
            views: &self.views,
            changes: self.changes.as_ref(),
            options: &self.options,
            answers: &answers,
            broken: &self.broken,
            durations: &durations,
            now: Timestamp::parse("2026-01-17T12:00:00Z").unwrap(),
        };
        let made = generate(&inputs);
        then(&inputs, made)
    }

    pub fn document(&self) -> Document {
        self.with(|_, made| made.unwrap().document)
    }

    pub fn refusal(&self) -> String {
        self.with(|_, made| made.unwrap_err().to_string())
    }

    /// Lists hashes in the index of a mirror.
    pub fn index(&mut self, mirror: usize, hashes: &[&str]) -> &mut Self {
        let listed = hashes
            .iter()
            .map(|hash| (Hash::parse(hash).unwrap(), Listed { in_buildcache: true, external: false }))
            .collect();
        self.views[mirror].state = MirrorState::Read(vec![listing(listed)]);
        self
    }
}

pub fn absent(name: &str, url: &str) -> MirrorView {
    MirrorView { name: name.into(), url: url.into(), state: MirrorState::Absent, direct: HashMap::new() }
}

pub fn listing(listed: HashMap<Hash, Listed>) -> Listing {
    let source: Arc<str> = "v3/manifests/index/index.manifest.json".into();
    Listing { layout: 3, source, checksum: "00".into(), modified: None, listed }
}
