//! The shelf of real `spack.lock` files from which every stack of the practice world is cut.
//!
//! Four locks that Spack wrote travel inside the binary. Here they are put in an order in which dependencies come first; externals are taken out
//! and what stood on both sides of them is joined, as Spack's generator does. The graph over them is the one that generation works with.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::sync::OnceLock;

use crate::generation::{Dag, DagError};
use crate::spack::{Hash, Lock, Spec};

use super::SandboxError;
use super::nodes::Nodes;

/// One of the embedded locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockName {
    BuildSystems,
    DeveloperTools,
    Radiuss,
    E4s,
}

/// A spec that Spack would build, and what must be there first.
#[derive(Debug)]
pub struct Placed {
    pub spec: Spec,
    /// Places of the specs that it depends on. Externals are joined away.
    pub deps: Vec<u32>,
}

/// The specs of one lock, dependencies before their dependents.
#[derive(Debug)]
pub struct Shelf {
    /// The whole lock, with externals.
    pub lock: Lock,
    /// Its nodes as they are written.
    pub nodes: Nodes,
    pub specs: Vec<Placed>,
    /// Places of the roots, in the order of the lock.
    pub roots: Vec<u32>,
    /// `specs` by their places.
    pub dag: Dag,
}

impl Shelf {
    /// The embedded lock of that name, read once per process.
    pub fn embedded(name: LockName) -> Result<&'static Self, SandboxError> {
        static SHELF: [OnceLock<Shelf>; 4] = [const { OnceLock::new() }; 4];
        let (slot, title, bytes): (_, _, &[u8]) = match name {
            LockName::BuildSystems => (&SHELF[0], "build_systems", include_bytes!("data/locks/build_systems.lock.gz")),
            LockName::DeveloperTools => {
                (&SHELF[1], "developer-tools", include_bytes!("data/locks/developer-tools-x86_64_v3-linux-gnu.lock.gz"))
            }
            LockName::Radiuss => (&SHELF[2], "radiuss", include_bytes!("data/locks/radiuss.lock.gz")),
            LockName::E4s => (&SHELF[3], "e4s", include_bytes!("data/locks/e4s.lock.gz")),
        };
        if let Some(shelf) = slot.get() {
            return Ok(shelf);
        }
        let shelf = Self::read(title, bytes)?;
        Ok(slot.get_or_init(|| shelf))
    }

    fn read(lock: &'static str, gzip: &[u8]) -> Result<Self, SandboxError> {
        let mut text = Vec::new();
        let unpacked = flate2::read::GzDecoder::new(gzip).read_to_end(&mut text);
        unpacked.map_err(|source| SandboxError::Unpack { lock, source })?;
        let parsed = Lock::parse(&text).map_err(|source| SandboxError::Lock { lock, source })?;
        let nodes = Nodes::read(&text, &parsed).ok_or(SandboxError::Layout { lock })?;
        Self::of(parsed, nodes).map_err(|source| SandboxError::Graph { lock, source })
    }

    fn of(parsed: Lock, nodes: Nodes) -> Result<Self, DagError> {
        let lock = &parsed;
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        for spec in lock.specs() {
            visit(lock, spec, &mut seen, &mut order);
        }
        let places: HashMap<Hash, u32> = order.iter().map(|spec| spec.hash).zip(0..).collect();
        let roots = lock.roots().iter().filter_map(|root| places.get(&root.hash).copied()).collect();
        let place = |spec: &&Spec| {
            let mut deps = BTreeSet::new();
            built_deps(lock, spec, &places, &mut deps);
            Placed { spec: (*spec).clone(), deps: deps.into_iter().collect() }
        };
        let specs: Vec<Placed> = order.iter().map(place).collect();
        let edges = (0..).zip(&specs).flat_map(|(at, placed)| placed.deps.iter().map(move |dep| (at, *dep)));
        let dag = Dag::new(specs.len(), edges)?;
        Ok(Self { lock: parsed, nodes, specs, roots, dag })
    }

    /// What stands at that place.
    pub fn at(&self, place: u32) -> Option<&Placed> {
        self.specs.get(place as usize)
    }

    /// Builds a package of that name.
    pub fn has(&self, package: &str) -> bool {
        self.specs.iter().any(|placed| &*placed.spec.name == package)
    }

    /// `wanted` and everything they depend on.
    pub fn closure(&self, wanted: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
        let mut seen = BTreeSet::new();
        let mut queue: Vec<u32> = wanted.into_iter().collect();
        while let Some(place) = queue.pop() {
            if seen.insert(place) {
                queue.extend(self.at(place).into_iter().flat_map(|placed| &placed.deps));
            }
        }
        seen
    }

    /// Who depends on `place` directly.
    pub fn dependents(&self, place: u32) -> Vec<u32> {
        (0..).zip(&self.specs).filter(|(_, placed)| placed.deps.contains(&place)).map(|(i, _)| i).collect()
    }
}

/// Depth first, so that `order` lists dependencies before dependents; externals are left out.
fn visit<'a>(lock: &'a Lock, spec: &'a Spec, seen: &mut HashSet<Hash>, order: &mut Vec<&'a Spec>) {
    if !seen.insert(spec.hash) {
        return;
    }
    for dep in spec.deps.iter().filter_map(|dep| lock.get(&dep.hash)) {
        visit(lock, dep, seen, order);
    }
    if !spec.is_external() {
        order.push(spec);
    }
}

fn built_deps(lock: &Lock, spec: &Spec, places: &HashMap<Hash, u32>, found: &mut BTreeSet<u32>) {
    for dep in &spec.deps {
        match (places.get(&dep.hash), lock.get(&dep.hash)) {
            (Some(place), _) => {
                found.insert(*place);
            }
            (None, Some(external)) => built_deps(lock, external, places, found),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::variants_text;

    #[test]
    fn real_locks_become_ordered_specs_without_externals() {
        for (name, specs, roots) in [
            (LockName::BuildSystems, 69, 9),
            (LockName::DeveloperTools, 168, 52),
            (LockName::Radiuss, 306, 23),
            (LockName::E4s, 1_343, 144),
        ] {
            let shelf = Shelf::embedded(name).unwrap();
            assert_eq!((shelf.specs.len(), shelf.roots.len()), (specs, roots), "{name:?}");
            for (i, placed) in (0..).zip(&shelf.specs) {
                assert!(placed.deps.iter().all(|d| *d < i), "{} comes before its dependency", placed.spec);
            }
        }
    }

    #[test]
    fn variants_read_as_spack_writes_them() {
        let shelf = Shelf::embedded(LockName::BuildSystems).unwrap();
        let zlib = shelf.specs.iter().find(|placed| &*placed.spec.name == "zlib-ng").unwrap();
        assert_eq!(variants_text(&zlib.spec), "+compat+new_strategies+opt+pic+shared build_system=autotools");
    }
}
