//! The shelf of real `spack.lock` files from which every stack of the practice world is cut.
//!
//! Four locks that Spack wrote travel inside the binary. This reads the few facts that jobs need and answers which specs depend on which;
//! externals are taken out and what stood on both sides of them is joined, as Spack's generator does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::SandboxError;

/// One of the embedded locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockName {
    BuildSystems,
    DeveloperTools,
    Radiuss,
    E4s,
}

/// One spec that Spack would build.
#[derive(Debug, Clone)]
pub struct Spec {
    pub name: Arc<str>,
    pub version: Arc<str>,
    pub hash: Arc<str>,
    /// Platform and operating system; the target is the stack's.
    pub platform_os: Arc<str>,
    /// Variants as `SPACK_JOB_SPEC_VARIANTS` spells them.
    pub variants: Arc<str>,
    /// Name and version of the compiler, `none` when the spec has none.
    pub compiler: (Arc<str>, Arc<str>),
    /// Indices of the specs that must be there first. Externals are joined away.
    pub deps: Vec<u32>,
}

/// The specs of one lock, sorted so that dependencies come before their dependents.
#[derive(Debug)]
pub struct Lock {
    pub specs: Vec<Spec>,
    /// Indices of the roots, in the order of the lock.
    pub roots: Vec<u32>,
}

impl Lock {
    /// The embedded lock of that name, read once per process.
    pub fn embedded(name: LockName) -> Result<&'static Self, SandboxError> {
        static SHELF: [OnceLock<Lock>; 4] = [const { OnceLock::new() }; 4];
        let (slot, title, bytes): (_, _, &[u8]) = match name {
            LockName::BuildSystems => (&SHELF[0], "build_systems", include_bytes!("data/locks/build_systems.lock.gz")),
            LockName::DeveloperTools => {
                (&SHELF[1], "developer-tools", include_bytes!("data/locks/developer-tools-x86_64_v3-linux-gnu.lock.gz"))
            }
            LockName::Radiuss => (&SHELF[2], "radiuss", include_bytes!("data/locks/radiuss.lock.gz")),
            LockName::E4s => (&SHELF[3], "e4s", include_bytes!("data/locks/e4s.lock.gz")),
        };
        if let Some(lock) = slot.get() {
            return Ok(lock);
        }
        let lock = Self::parse(bytes).map_err(|source| SandboxError::Lock { lock: title, source })?;
        Ok(slot.get_or_init(|| lock))
    }

    fn parse(gzip: &[u8]) -> Result<Self, std::io::Error> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(gzip).read_to_end(&mut text)?;
        let file: LockFile = serde_json::from_slice(&text)?;
        Ok(file.into_lock())
    }

    /// The spec of that index.
    pub fn spec(&self, index: u32) -> Option<&Spec> {
        self.specs.get(index as usize)
    }

    /// `wanted` and everything they depend on.
    pub fn closure(&self, wanted: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
        let mut seen = BTreeSet::new();
        let mut queue: Vec<u32> = wanted.into_iter().collect();
        while let Some(index) = queue.pop() {
            if seen.insert(index) {
                queue.extend(self.spec(index).into_iter().flat_map(|s| &s.deps));
            }
        }
        seen
    }

    /// Who depends on `index` directly.
    pub fn dependents(&self, index: u32) -> Vec<u32> {
        (0..).zip(&self.specs).filter(|(_, s)| s.deps.contains(&index)).map(|(i, _)| i).collect()
    }
}

#[derive(Deserialize)]
struct LockFile {
    roots: Vec<RootLine>,
    concrete_specs: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct RootLine {
    hash: String,
}

#[derive(Deserialize)]
struct Node {
    name: Arc<str>,
    version: Arc<str>,
    arch: Arch,
    #[serde(default)]
    parameters: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    external: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    dependencies: Vec<Edge>,
}

#[derive(Deserialize)]
struct Arch {
    platform: String,
    platform_os: String,
}

#[derive(Deserialize)]
struct Edge {
    hash: String,
    parameters: EdgeParameters,
}

#[derive(Deserialize)]
struct EdgeParameters {
    virtuals: Vec<String>,
}

impl LockFile {
    fn into_lock(self) -> Lock {
        let mut order = Vec::new();
        let mut done = BTreeSet::new();
        for hash in self.concrete_specs.keys() {
            self.visit(hash, &mut done, &mut order);
        }
        let numbers: BTreeMap<&str, u32> = order.iter().copied().zip(0..).collect();
        let specs = order.iter().filter_map(|hash| self.spec(hash, &numbers)).collect();
        let roots = self.roots.iter().filter_map(|r| numbers.get(r.hash.as_str()).copied()).collect();
        Lock { specs, roots }
    }

    /// Depth first, so that `order` lists dependencies before dependents; externals are left out.
    fn visit<'a>(&'a self, hash: &'a str, done: &mut BTreeSet<&'a str>, order: &mut Vec<&'a str>) {
        let Some(node) = self.concrete_specs.get(hash) else { return };
        if !done.insert(hash) {
            return;
        }
        for edge in &node.dependencies {
            self.visit(&edge.hash, done, order);
        }
        if node.external.is_none() {
            order.push(hash);
        }
    }

    fn spec(&self, hash: &str, numbers: &BTreeMap<&str, u32>) -> Option<Spec> {
        let node = self.concrete_specs.get(hash)?;
        let mut deps = BTreeSet::new();
        self.real_deps(node, numbers, &mut deps);
        Some(Spec {
            name: node.name.clone(),
            version: node.version.clone(),
            hash: hash.into(),
            platform_os: format!("{}-{}", node.arch.platform, node.arch.platform_os).into(),
            variants: variants(&node.parameters).into(),
            compiler: self.compiler(node),
            deps: deps.into_iter().collect(),
        })
    }

    fn real_deps(&self, node: &Node, numbers: &BTreeMap<&str, u32>, found: &mut BTreeSet<u32>) {
        for edge in &node.dependencies {
            match (numbers.get(edge.hash.as_str()), self.concrete_specs.get(&edge.hash)) {
                (Some(number), _) => {
                    found.insert(*number);
                }
                (None, Some(external)) => self.real_deps(external, numbers, found),
                (None, None) => {}
            }
        }
    }

    fn compiler(&self, node: &Node) -> (Arc<str>, Arc<str>) {
        ["c", "cxx", "fortran"]
            .iter()
            .find_map(|language| node.dependencies.iter().find(|e| e.parameters.virtuals.iter().any(|v| v == language)))
            .and_then(|edge| self.concrete_specs.get(&edge.hash))
            .map_or_else(|| ("none".into(), "none".into()), |c| (c.name.clone(), c.version.clone()))
    }
}

/// Boolean variants first and joined, then `name=value`, both sorted by name; flag lists are no variants.
fn variants(parameters: &BTreeMap<String, serde_json::Value>) -> String {
    use serde_json::Value;
    let mut switches = String::new();
    let mut pairs = String::new();
    for (name, value) in parameters {
        match value {
            Value::Bool(on) => {
                switches.push(if *on { '+' } else { '~' });
                switches.push_str(name);
            }
            Value::String(text) => pairs.extend([" ", name, "=", text]),
            Value::Array(items) if !items.is_empty() => {
                let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                pairs.extend([" ", name, ":=", &items.join(",")]);
            }
            _ => {}
        }
    }
    (switches + &pairs).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_locks_become_ordered_specs_without_externals() {
        for (name, specs, roots) in [
            (LockName::BuildSystems, 69, 9),
            (LockName::DeveloperTools, 168, 52),
            (LockName::Radiuss, 306, 23),
            (LockName::E4s, 1343, 144),
        ] {
            let lock = Lock::embedded(name).unwrap();
            assert_eq!((lock.specs.len(), lock.roots.len()), (specs, roots), "{name:?}");
            for (i, spec) in (0..).zip(&lock.specs) {
                assert!(spec.deps.iter().all(|d| *d < i), "{} comes before its dependency", spec.name);
            }
        }
    }

    #[test]
    fn job_variables_read_as_spack_writes_them() {
        let lock = Lock::embedded(LockName::BuildSystems).unwrap();
        let zlib = lock.specs.iter().find(|s| &*s.name == "zlib-ng").unwrap();
        assert_eq!(&*zlib.variants, "+compat+new_strategies+opt+pic+shared build_system=autotools");
        assert_eq!((&*zlib.compiler.0, &*zlib.compiler.1), ("gcc", "12.2.0"));
        assert_eq!(&*zlib.platform_os, "linux-debian12");
    }
}
