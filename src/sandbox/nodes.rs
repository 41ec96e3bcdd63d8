//! The nodes of the embedded locks as Spack wrote them, and as it would write them for other machines and in earlier months.
//!
//! A [`Variant`] is a lock under another target or from an earlier day. Its nodes are those of the lock with another architecture, another
//! package hash where a recipe was changed since, and the DAG hashes that follow from this: every node of every variant hashes to its name,
//! as after a real concretization. What a concretizer would have decided otherwise for that machine stays as it is in the lock.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use memchr::memmem::Finder;

use super::SandboxError;
use super::locks::{LockName, Shelf};
use super::stacks::Target;
use crate::spack::{Arch, Dep, Hash, Lock, Spec};

/// The texts of a lock's nodes.
#[derive(Debug)]
pub struct Nodes {
    text: Box<str>,
    all: Vec<Node>,
    places: HashMap<Hash, u16>,
}

/// Where in the text a node is, and what in it may be exchanged; places count from the node's own beginning.
#[derive(Debug)]
struct Node {
    at: Range<usize>,
    arch: Range<usize>,
    package_hash: Option<usize>,
    /// Hashes of dependencies and whose they are, in the order of the text.
    deps: Vec<(usize, u16)>,
}

/// What ends every node: `,"hash":"…"}`.
const HASH_KEY: &str = ",\"hash\":\"";
/// What stands before every hash, the node's own and those of dependencies.
const HASH_VALUE: &str = "\"hash\":\"";
const HASH: usize = 32;

impl Nodes {
    /// Finds the nodes of `lock` in its text; `None` when the text is not laid out as Spack lays it out.
    pub fn read(text: &[u8], lock: &Lock) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let places: HashMap<Hash, u16> = lock.specs().map(|spec| spec.hash).zip(0..).collect();
        let hashes = Finder::new(HASH_VALUE);
        let mut nodes = Vec::with_capacity(places.len());
        let mut after = find(text, "\"concrete_specs\":{", 0)?;
        for spec in lock.specs() {
            let key = format!("\"{}\":{{", spec.hash);
            let from = find(text, &key, after)? + key.len() - 1;
            let end = format!("{HASH_KEY}{}\"}}", spec.hash);
            after = find(text, &end, from)? + end.len();
            nodes.push(Node::read(text, from..after, spec, &places, &hashes)?);
        }
        Some(Self { text: text.into(), all: nodes, places })
    }

    /// The place of a spec of the lock.
    pub fn place(&self, hash: &Hash) -> Option<u16> {
        self.places.get(hash).copied()
    }
}

/// Where `what` is in the text, from `after` on.
fn find(text: &str, what: &str, after: usize) -> Option<usize> {
    let rest = text.as_bytes().get(after..)?;
    memchr::memmem::find(rest, what.as_bytes()).map(|found| after + found)
}

impl Node {
    fn read(
        text: &str,
        at: Range<usize>,
        spec: &Spec,
        places: &HashMap<Hash, u16>,
        hashes: &Finder<'_>,
    ) -> Option<Self> {
        let raw = text.get(at.clone())?;
        let arch = find(raw, "\"arch\":{", 0)?;
        let mut found = hashes.find_iter(raw.as_bytes()).map(|place| place + HASH_VALUE.len());
        let dep = |dep: &Dep| {
            // Dependencies stand in the order in which the lock gives them, and before the node's own hash.
            let place = found.find(|place| raw.get(*place..*place + HASH) == Some(dep.hash.as_str()))?;
            Some((place, *places.get(&dep.hash)?))
        };
        let deps = spec.deps.iter().map(dep).collect::<Option<_>>()?;
        let package_hash = find(raw, "\"package_hash\":\"", arch).map(|found| found + 16);
        Some(Self { at, arch: arch..find(raw, "}", arch)? + 1, package_hash, deps })
    }
}

/// How long ago a lock was concretized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Age {
    /// What CI builds tonight.
    Current,
    /// Before the last changes of a few recipes.
    LastMonth,
    /// When the release branch was cut.
    Release,
}

impl Age {
    /// The packages whose recipes have changed since. What does not depend on them has the same hash as tonight.
    fn changed(self) -> &'static [&'static str] {
        match self {
            Self::Current => &[],
            Self::LastMonth => &["camp", "go", "hdf5", "ninja", "nlohmann-json", "openblas", "openjdk", "ruby"],
            Self::Release => &["gmake", "gcc-runtime"],
        }
    }
}

/// A lock under another target, or from another day.
#[derive(Debug)]
pub struct Variant {
    shelf: &'static Shelf,
    target: Target,
    age: Age,
    /// Instead of the hashes of the lock.
    hashes: Vec<Hash>,
    /// Instead of the architecture of the first node of the lock, and of most.
    arch: String,
    /// Places, in the order of their hashes; sorted when somebody looks for one.
    by_hash: OnceLock<Vec<u16>>,
    pub(super) packed: OnceLock<Vec<super::s3::Metadata>>,
}

const LOCKS: usize = 4;
const TARGETS: usize = 8;
const AGES: usize = 3;

impl Variant {
    /// The variant of an embedded lock, made once per process.
    pub fn of(lock: LockName, target: Target, age: Age) -> Result<&'static Self, SandboxError> {
        static MADE: [OnceLock<Variant>; LOCKS * TARGETS * AGES] = [const { OnceLock::new() }; LOCKS * TARGETS * AGES];
        let slot = MADE.get((lock as usize * TARGETS + target as usize) * AGES + age as usize);
        if let Some(known) = slot.and_then(OnceLock::get) {
            return Ok(known);
        }
        let made = Self::make(Shelf::embedded(lock)?, target, age);
        Ok(match slot {
            Some(slot) => slot.get_or_init(|| made),
            // There are as many slots as variants; were there not, one would be made again each time.
            None => Box::leak(Box::new(made)),
        })
    }

    fn make(shelf: &'static Shelf, target: Target, age: Age) -> Self {
        let hashes: Vec<Hash> = shelf.lock.specs().map(|spec| spec.hash).collect();
        let arch = shelf.lock.specs().next().map(|spec| arch_text(&target.arch(&spec.arch))).unwrap_or_default();
        let (by_hash, packed) = (OnceLock::new(), OnceLock::new());
        let mut made = Self { shelf, target, age, hashes, arch, by_hash, packed };
        if !made.is_the_lock() {
            let (mut done, mut text) = (vec![false; made.hashes.len()], Vec::new());
            for at in 0..made.len() {
                made.rehash(at, &mut done, &mut text);
            }
        }
        made
    }

    /// Nothing in it differs from the lock.
    fn is_the_lock(&self) -> bool {
        self.target == Target::X86V3 && self.age == Age::Current
    }

    /// Dependencies first: a node's hash covers theirs.
    fn rehash(&mut self, at: u16, done: &mut [bool], text: &mut Vec<u8>) {
        match done.get_mut(usize::from(at)) {
            Some(done) if !*done => *done = true,
            _ => return,
        }
        for (_, dep) in self.deps(at) {
            self.rehash(*dep, done, text);
        }
        text.clear();
        self.body(at, text);
        text.push(b'}');
        let hash = Hash::parse(&base32(digest(&SHA1_FOR_LEGACY_USE_ONLY, text).as_ref()));
        if let (Some(slot), Ok(hash)) = (self.hashes.get_mut(usize::from(at)), hash) {
            *slot = hash;
        }
    }

    /// How many specs there are, externals too.
    pub fn len(&self) -> u16 {
        self.hashes.len() as u16
    }

    /// The spec at that place, as the lock has it: name, version and everything but its hash and its architecture hold.
    pub fn spec(&self, at: u16) -> Option<&'static Spec> {
        self.shelf.lock.specs().nth(usize::from(at))
    }

    /// The hash of the spec at that place.
    pub fn hash(&self, at: u16) -> Option<&Hash> {
        self.hashes.get(usize::from(at))
    }

    /// The hash that a spec of the lock has here; its own when the lock does not know it.
    pub fn rename(&self, of: &Hash) -> Hash {
        self.shelf.nodes.place(of).and_then(|at| self.hash(at)).copied().unwrap_or(*of)
    }

    /// Where the spec with that hash is.
    pub fn find(&self, hash: &Hash) -> Option<u16> {
        let by_hash = self.by_hash.get_or_init(|| {
            let mut places: Vec<u16> = (0..self.len()).collect();
            places.sort_unstable_by_key(|at| self.hash(*at));
            places
        });
        let found = by_hash.binary_search_by(|at| self.hash(*at).cmp(&Some(hash))).ok()?;
        by_hash.get(found).copied()
    }

    /// The architecture that a spec of the lock has here.
    pub fn arch(&self, spec: &Spec) -> Arch {
        if self.is_the_lock() { spec.arch.clone() } else { self.target.arch(&spec.arch) }
    }

    /// Where the roots of the lock are.
    pub fn roots(&self) -> impl Iterator<Item = u16> {
        self.shelf.lock.roots().iter().filter_map(|root| self.shelf.nodes.place(&root.hash))
    }

    /// Hashes of dependencies in the text, and whose they are.
    pub fn deps(&self, at: u16) -> &'static [(usize, u16)] {
        self.shelf.nodes.all.get(usize::from(at)).map_or(&[], |node| &node.deps)
    }

    /// The spec and everything that it depends on, each once: itself first, then depth first, as Spack writes metadata.
    pub fn closure(&self, at: u16) -> Vec<u16> {
        let mut seen = vec![false; self.hashes.len()];
        let mut order = Vec::new();
        let mut queue = vec![at];
        while let Some(next) = queue.pop() {
            if let Some(seen) = seen.get_mut(usize::from(next)).filter(|seen| !**seen) {
                *seen = true;
                order.push(next);
                queue.extend(self.deps(next).iter().rev().map(|(_, dep)| *dep));
            }
        }
        order
    }

    /// The whole lock.
    pub fn lock(&self) -> Vec<u8> {
        let mut text =
            br#"{"_meta":{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5},"roots":["#.to_vec();
        let roots = self.roots().filter_map(|at| {
            let (hash, spec) = (self.hash(at)?, self.spec(at)?);
            Some(
                serde_json::json!({"hash": hash.as_str(), "spec": format!("{}@{}", spec.name, spec.version)})
                    .to_string(),
            )
        });
        text.extend_from_slice(roots.collect::<Vec<_>>().join(",").as_bytes());
        text.extend_from_slice(br#"],"concrete_specs":{"#);
        for at in 0..self.len() {
            if at > 0 {
                text.push(b',');
            }
            let hash = self.hash(at).map_or("", Hash::as_str);
            text.extend_from_slice(format!("\"{hash}\":").as_bytes());
            self.node(at, &mut text);
        }
        text.extend_from_slice(b"}}");
        text
    }

    /// Adds the node's JSON.
    pub fn node(&self, at: u16, to: &mut Vec<u8>) {
        self.body(at, to);
        if let Some(hash) = self.hash(at) {
            to.extend_from_slice(HASH_KEY.as_bytes());
            to.extend_from_slice(hash.as_str().as_bytes());
            to.extend_from_slice(b"\"}");
        }
    }

    /// The node without its hash and without its last brace.
    fn body(&self, at: u16, to: &mut Vec<u8>) {
        let Nodes { text, all: nodes, .. } = &self.shelf.nodes;
        let (Some(node), Some(spec)) = (nodes.get(usize::from(at)), self.spec(at)) else { return };
        let text = text.as_bytes().get(node.at.clone()).unwrap_or_default();
        let body = text.get(..text.len() - HASH_KEY.len() - HASH - 2).unwrap_or_default();
        if self.is_the_lock() {
            return to.extend_from_slice(body);
        }
        let from = to.len();
        to.extend_from_slice(body.get(..node.arch.start).unwrap_or_default());
        if self.target == Target::X86V3 {
            // The locks' own.
            to.extend_from_slice(body.get(node.arch.clone()).unwrap_or_default());
        } else if self
            .shelf
            .lock
            .specs()
            .next()
            .is_some_and(|first| first.arch.platform == spec.arch.platform && first.arch.os == spec.arch.os)
        {
            to.extend_from_slice(self.arch.as_bytes());
        } else {
            to.extend_from_slice(arch_text(&self.target.arch(&spec.arch)).as_bytes());
        }
        // Everything else is as long as what it stands for.
        let moved = to.len() - from;
        to.extend_from_slice(body.get(node.arch.end..).unwrap_or_default());
        let mut exchange = |place: usize, with: &[u8]| {
            let place = from + moved + place - node.arch.end;
            if let Some(old) = to.get_mut(place..place + with.len()) {
                old.copy_from_slice(with);
            }
        };
        if let Some(place) = node.package_hash.filter(|_| self.age.changed().contains(&&*spec.name)) {
            // Another recipe: any other hash of the same form.
            exchange(place, if self.age == Age::Release { b"r7a2" } else { b"m3c5" });
        }
        for (place, dep) in &node.deps {
            exchange(*place, self.hash(*dep).map_or("", Hash::as_str).as_bytes());
        }
    }
}

fn arch_text(Arch { platform, os, target }: &Arch) -> String {
    format!("\"arch\":{{\"platform\":\"{platform}\",\"platform_os\":\"{os}\",\"target\":\"{target}\"}}")
}

/// Lower-case base32 without padding.
fn base32(bytes: &[u8]) -> String {
    let digit =
        |five: u16| char::from(*b"abcdefghijklmnopqrstuvwxyz234567".get(usize::from(five & 31)).unwrap_or(&b'a'));
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    let (mut held, mut bits) = (0u16, 0);
    for byte in bytes {
        held = held << 8 | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(held >> bits));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn node(variant: &Variant, at: u16) -> String {
        let mut text = Vec::new();
        variant.node(at, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_node_of_every_variant_hashes_to_its_name_and_names_its_dependencies() {
        for (lock, target, age) in [
            (LockName::BuildSystems, Target::X86V3, Age::Current),
            (LockName::BuildSystems, Target::Windows, Age::Current),
            (LockName::Radiuss, Target::CrayRhel, Age::LastMonth),
            (LockName::DeveloperTools, Target::Aarch64, Age::Release),
        ] {
            let variant = Variant::of(lock, target, age).unwrap();
            for at in 0..variant.len() {
                let text = node(variant, at);
                let hash = variant.hash(at).unwrap().as_str();
                let (body, tail) = text.split_at(text.len() - HASH_KEY.len() - HASH - 2);
                assert_eq!(tail, format!("{HASH_KEY}{hash}\"}}"));
                let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{body}}}").as_bytes());
                assert_eq!(base32(digest.as_ref()), hash, "{text}");
                let read: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(read["name"], &*variant.spec(at).unwrap().name);
                for dep in read["dependencies"].as_array().into_iter().flatten() {
                    let hash = Hash::parse(dep["hash"].as_str().unwrap()).unwrap();
                    let found = variant.find(&hash).unwrap();
                    assert_eq!(dep["name"], &*variant.spec(found).unwrap().name);
                }
            }
        }
    }

    #[test]
    fn another_target_renames_everything_and_an_earlier_day_what_depends_on_a_changed_recipe() {
        let same = |target, age| {
            let now = Variant::of(LockName::E4s, Target::X86V3, Age::Current).unwrap();
            let other = Variant::of(LockName::E4s, target, age).unwrap();
            now.hashes.iter().zip(&other.hashes).filter(|(a, b)| a == b).count()
        };
        assert_eq!((same(Target::X86V3, Age::Current), same(Target::NeoverseV2, Age::Current)), (1_346, 0));
        let lock = &Shelf::embedded(LockName::E4s).unwrap().lock;
        let mut renamed: std::collections::HashSet<Hash> = std::collections::HashSet::new();
        loop {
            let is_new = |spec: &&Spec| {
                let is_changed = Age::LastMonth.changed().contains(&&*spec.name);
                !renamed.contains(&spec.hash) && (is_changed || spec.deps.iter().any(|dep| renamed.contains(&dep.hash)))
            };
            let more: Vec<Hash> = lock.specs().filter(is_new).map(|spec| spec.hash).collect();
            if more.is_empty() {
                break;
            }
            renamed.extend(more);
        }
        assert_eq!(same(Target::X86V3, Age::LastMonth), 1_346 - renamed.len());
    }
}
