//! The history of the repository: develop with the commits that the world's older pipelines ran, a release branch, and tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::people::{Commit, PullRequest};
use super::super::rng::Rng;
use super::object::{Oid, Signature, Store};
use super::tree::{Files, write};
use crate::ci::Timestamp;

/// The newest commit of develop whose pipeline has ended when the world begins, by its running number.
pub const TESTED: u64 = 131;
/// The nightly pipeline's.
const NIGHTLY: u64 = 150;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A commit, with all that is known of it.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: Oid,
    pub parents: Vec<Oid>,
    pub files: Arc<Files>,
    pub tree: Oid,
    pub at: Timestamp,
    pub about: Arc<Commit>,
}

/// What lies in every repository of this world when it begins.
#[derive(Debug, Clone)]
pub struct Trunk {
    pub store: Store,
    /// Develop, the oldest first.
    pub develop: Vec<Made>,
    pub release: Vec<Made>,
    pub tags: BTreeMap<String, Oid>,
    /// By the running number of the pipeline that ran it.
    places: BTreeMap<u64, usize>,
}

impl Trunk {
    /// The release branch.
    pub const RELEASE: &'static str = "releases/v1.0";

    /// The history of a seed. `begin` is the moment at which the world begins.
    pub fn new(seed: u64, begin: Timestamp) -> Self {
        let mut trunk = Self {
            store: Store::default(),
            develop: Vec::new(),
            release: Vec::new(),
            tags: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        let mut files = first_files(&mut trunk.store);
        let mut parent = Vec::new();
        // Old ones first, then those whose pipelines the world shows.
        let old = (0..6).map(|n| (2_000 + n, begin.shifted(-30 * DAY + n as i64 * 4 * DAY)));
        let shown =
            [11, 35, 59, 83, 107, TESTED].map(|n| (n, begin.shifted(-30 * HOUR + n as i64 * 30 * HOUR / 152 - HOUR)));
        let nightly = (NIGHTLY, begin.shifted(-HOUR / 2));
        for (number, at) in old.chain(shown).chain([nightly]) {
            let pr = PullRequest::nth(seed ^ 0xd0, 1_000 + number);
            let text = edited(&trunk.store, &files, pr.package, &pr.title);
            let id = trunk.store.file(&text);
            files.insert(path_of(pr.package), id);
            let title = format!("{} (#{})", pr.title, pr.number);
            let made = trunk.store.make(&files, &parent, pr.author, &pr.email, at, &title);
            parent = vec![made.id];
            trunk.places.insert(number, trunk.develop.len());
            trunk.develop.push(made);
        }
        trunk.branch_off(seed);
        trunk
    }

    fn branch_off(&mut self, seed: u64) {
        let Some(fork) = self.develop.get(3).cloned() else { return };
        let mut files = (*fork.files).clone();
        let release = self.store.file("1.0.1\n");
        files.insert("VERSION".into(), release);
        let at = fork.at.shifted(DAY);
        let made =
            self.store.make(&files, &[fork.id], "Maren Achebe", "machebe@example.invalid", at, "Set version to 1.0.1");
        self.tags.insert("v1.0.0".to_owned(), fork.id);
        self.tags.insert("v1.0.1".to_owned(), made.id);
        self.release = vec![made];
        for (n, commit) in self.develop.iter().enumerate().skip(4).take(5) {
            let day = Rng::of(seed, "snapshot", n as u64).between(10, 28);
            self.tags.insert(format!("develop-2026-{:02}-{day:02}", n / 3 + 1), commit.id);
        }
    }

    /// The commit that the pipeline of this running number ran; the nightly one's for a number that has none.
    pub fn of_pipeline(&self, number: u64) -> Option<&Made> {
        let place = self.places.get(&number).or_else(|| self.places.get(&NIGHTLY))?;
        self.develop.get(*place)
    }

    /// All commits.
    pub fn commits(&self) -> impl Iterator<Item = &Made> {
        self.develop.iter().chain(&self.release)
    }

    /// The newest of develop.
    pub fn tip(&self) -> Option<&Made> {
        self.develop.last()
    }
}

impl Store {
    /// Makes a commit of these files.
    pub fn make(
        &mut self,
        files: &Files,
        parents: &[Oid],
        author: &str,
        email: &str,
        at: Timestamp,
        title: &str,
    ) -> Made {
        let tree = write(files, self);
        let who = Signature { name: author, email, at };
        let message = format!("{title}\n");
        let id = self.commit(tree, parents, who, who, &message);
        let about = Commit {
            sha: id.to_string().into(),
            parents: parents.iter().map(|parent| parent.to_string().into()).collect(),
            title: title.into(),
            message: message.into(),
            author: author.into(),
            email: email.into(),
        };
        Made { id, parents: parents.to_vec(), files: Arc::new(files.clone()), tree, at, about: Arc::new(about) }
    }
}

/// Where a package lies.
pub fn path_of(package: &str) -> Arc<str> {
    format!("repos/spack_repo/builtin/packages/{}/package.py", package.replace('-', "_")).into()
}

/// The recipe of a package with one more line, always at the same place: two changes of one recipe conflict.
pub fn edited(store: &Store, files: &Files, package: &str, what: &str) -> String {
    let old = files
        .get(&path_of(package))
        .and_then(|id| store.text(*id))
        .map_or_else(|| recipe(package), ToString::to_string);
    let mark = "    license(\"MIT\")\n";
    match old.split_once(mark) {
        Some((before, after)) => format!("{before}{mark}    # {what}\n{after}"),
        None => format!("{old}# {what}\n"),
    }
}

fn recipe(package: &str) -> String {
    let class: String = package
        .split('-')
        .map(|part| part.get(..1).unwrap_or_default().to_uppercase() + part.get(1..).unwrap_or_default())
        .collect();
    format!(
        "from spack.package import *\n\n\nclass {class}(Package):\n    \"\"\"The practice world's {package}.\"\"\"\n\n    homepage = \
         \"https://{package}.example.invalid\"\n\n    license(\"MIT\")\n\n    version(\"1.0\")\n\n    depends_on(\"c\", type=\"build\")\n"
    )
}

fn first_files(store: &mut Store) -> Files {
    let mut files = Files::new();
    for (path, text) in [
        (".ci/gitlab/.gitlab-ci.yml", "# What runs is decided by the practice world.\n"),
        ("README.md", "# The practice world's packages\n"),
        ("VERSION", "1.1.0.dev0\n"),
    ] {
        files.insert(path.into(), store.file(text));
    }
    for package in super::super::people::TOUCHED {
        let id = store.file(&recipe(package));
        files.insert(path_of(package), id);
    }
    files
}
