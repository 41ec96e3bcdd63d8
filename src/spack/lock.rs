//! `spack.lock`: the specs that a stack was concretized to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::dag::{SpecGraph, reach};
use super::request::canonical;
use super::wire::{Edge, Entries, Environment, Node, Parameter, Probe, RawEnvironment};
use super::{Arch, Compiler, Dep, DepTypes, Hash, LockError, Seals, Spec, Variant};

/// How deep environments may include each other; Spack's own stacks do not go beyond one.
const MAX_INCLUDES: usize = 8;

/// A spec that was asked for, and what it became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The abstract spec as Spack prints it.
    pub spec: Arc<str>,
    pub hash: Hash,
}

/// The Spack that wrote a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    pub version: Arc<str>,
    /// The commit, when it ran from a git checkout.
    pub commit: Option<Arc<str>>,
}

/// A lock of version 4, 5 or 6.
#[derive(Debug, Clone)]
pub struct Lock {
    version: u8,
    writer: Option<Writer>,
    roots: Vec<Root>,
    specs: Vec<Spec>,
    positions: HashMap<Hash, usize>,
}

impl Lock {
    /// Reads a lock. Edges are not followed here: see [`Self::graph`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LockError> {
        let version = version_of(&serde_json::from_slice(bytes)?)?;
        let environment: Environment<'_> = serde_json::from_slice(bytes)?;
        let mut reader = Reader::default();
        let roots =
            environment.roots.iter().map(|root| Root { spec: reader.share(&root.spec), hash: root.hash }).collect();
        let writer = environment.spack.as_ref().map(|spack| Writer {
            version: reader.share(&spack.version),
            commit: spack.commit.as_ref().map(|commit| reader.share(commit)),
        });
        reader.take_environment(environment, 0)?;
        let mut lock = Self { version, writer, roots, specs: reader.specs, positions: reader.positions };
        lock.find_compilers();
        Ok(lock)
    }

    /// Holds every node of a lock against its hash, those of included environments as well. Independent of [`Self::parse`], which believes
    /// the hashes.
    pub fn seals(bytes: &[u8]) -> Result<Seals, LockError> {
        version_of(&serde_json::from_slice(bytes)?)?;
        let mut environments: Vec<RawEnvironment<'_>> = vec![serde_json::from_slice(bytes)?];
        let mut seals = Seals::default();
        while let Some(environment) = environments.pop() {
            for (hash, node) in environment.concrete_specs.0 {
                seals.add(node.get(), hash);
            }
            environments.extend(environment.include_concrete.0.into_iter().map(|(_, included)| included));
        }
        Ok(seals.sorted())
    }

    /// The version of the file format.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// The Spack that wrote it; versions before 0.18 did not say.
    pub const fn writer(&self) -> Option<&Writer> {
        self.writer.as_ref()
    }

    /// The roots, in the order of the file. Two roots may share one hash.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The roots that are still asked for: those whose abstract spec is among `wanted`, however it is spaced and ordered there.
    pub fn roots_in(&self, wanted: &[impl AsRef<str>]) -> Vec<&Root> {
        let wanted: HashSet<_> = wanted.iter().map(|text| canonical(text.as_ref())).collect();
        self.roots.iter().filter(|root| wanted.contains(&canonical(&root.spec))).collect()
    }

    /// Every spec in the order of the file; those of included environments come last.
    pub fn specs(&self) -> impl ExactSizeIterator<Item = &Spec> {
        self.specs.iter()
    }

    /// The spec with this hash.
    pub fn get(&self, hash: &Hash) -> Option<&Spec> {
        self.positions.get(hash).and_then(|at| self.specs.get(*at))
    }

    /// What all roots reach, over every dependency type.
    pub fn graph(&self) -> Result<SpecGraph<'_>, LockError> {
        reach(self, &self.roots)
    }

    /// What these roots reach, over every dependency type.
    pub fn graph_from<'a>(&'a self, roots: impl IntoIterator<Item = &'a Root>) -> Result<SpecGraph<'a>, LockError> {
        reach(self, roots)
    }

    /// The same lock with other hashes and architectures, for practice: the same environment on another machine, without concretizing again.
    ///
    /// `hash` must give different hashes for different ones, or specs are lost.
    #[must_use]
    pub fn renamed(&self, hash: impl Fn(&Hash) -> Hash, arch: impl Fn(&Arch) -> Arch) -> Self {
        let roots = self.roots.iter().map(|root| Root { spec: root.spec.clone(), hash: hash(&root.hash) }).collect();
        let renamed = |spec: &Spec| {
            let mut spec = spec.clone();
            spec.hash = hash(&spec.hash);
            spec.arch = arch(&spec.arch);
            spec.build_spec = spec.build_spec.as_ref().map(&hash);
            for dep in &mut spec.deps {
                dep.hash = hash(&dep.hash);
            }
            spec
        };
        let positions = self.positions.iter().map(|(old, at)| (hash(old), *at)).collect();
        let (version, writer) = (self.version, self.writer.clone());
        Self { version, writer, roots, specs: self.specs.iter().map(renamed).collect(), positions }
    }

    /// Since version 6 the compiler is the build dependency that provides a language; C counts before C++ before Fortran.
    fn find_compilers(&mut self) {
        let found: Vec<Option<Compiler>> = self
            .specs
            .iter()
            .map(|spec| {
                let provider = ["c", "cxx", "fortran"].into_iter().find_map(|language| {
                    spec.deps.iter().find(|dep| {
                        dep.types.contains(DepTypes::BUILD) && dep.virtuals.iter().any(|name| &**name == language)
                    })
                })?;
                let compiler = self.get(&provider.hash)?;
                Some(Compiler { name: compiler.name.clone(), version: compiler.version.clone() })
            })
            .collect();
        for (spec, compiler) in self.specs.iter_mut().zip(found) {
            spec.compiler = spec.compiler.take().or(compiler);
        }
    }
}

fn version_of(probe: &Probe<'_>) -> Result<u8, LockError> {
    match probe.meta.as_ref().and_then(|meta| meta.lockfile_version).map(serde_json::value::RawValue::get) {
        Some("4") => Ok(4),
        Some("5") => Ok(5),
        Some("6") => Ok(6),
        Some(other) => Err(LockError::Version {
            found: format!("lockfile-version {}", other.chars().take(40).collect::<String>()),
        }),
        None => Err(LockError::Version { found: "no lockfile-version".to_owned() }),
    }
}

/// Turns wire nodes into specs. Names and versions repeat thousands of times in a lock, so equal texts share one allocation.
#[derive(Default)]
struct Reader {
    texts: HashSet<Arc<str>>,
    specs: Vec<Spec>,
    positions: HashMap<Hash, usize>,
}

impl Reader {
    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }

    fn take_environment(&mut self, environment: Environment<'_>, depth: usize) -> Result<(), LockError> {
        for (key, node) in environment.concrete_specs.0 {
            let label = || format!("{}/{}", &*node.name, key.short());
            if node.hash != key {
                return Err(LockError::Node { node: label(), what: format!("says that its hash is {}", node.hash) });
            }
            if node.concrete == Some(false) {
                return Err(LockError::Node { node: label(), what: "is not concrete".to_owned() });
            }
            // An included environment repeats what it shares with others; equal hashes are equal specs.
            if !self.positions.contains_key(&key) {
                let spec = self.spec(node)?;
                self.positions.insert(key, self.specs.len());
                self.specs.push(spec);
            }
        }
        for (path, included) in environment.include_concrete.0 {
            if depth == MAX_INCLUDES {
                return Err(LockError::IncludesTooDeep { limit: MAX_INCLUDES, path: path.to_string() });
            }
            self.take_environment(included, depth + 1)?;
        }
        Ok(())
    }

    fn spec(&mut self, node: Node<'_>) -> Result<Spec, LockError> {
        let fault = |what: String| LockError::Node { node: format!("{}/{}", &*node.name, node.hash.short()), what };
        let version = match (&node.version, &node.versions) {
            (Some(version), _) => self.share(version),
            (None, Some(list)) => self.share(&list.iter().map(|v| &**v).collect::<Vec<_>>().join(",")),
            (None, None) => return Err(fault("has no version".to_owned())),
        };
        let mut deps = Vec::with_capacity(node.dependencies.len());
        for Edge { name, hash, types, parameters } in &node.dependencies {
            let Some(types) = parameters.as_ref().map(|p| p.deptypes).or(*types) else {
                return Err(fault(format!("does not say for what it needs {}/{hash}", &**name)));
            };
            let virtuals = parameters.iter().flat_map(|p| &p.virtuals).map(|name| self.share(name)).collect();
            deps.push(Dep { name: self.share(name), hash: *hash, types, virtuals });
        }
        let Entries(parameters) = node.parameters;
        Ok(Spec {
            name: self.share(&node.name),
            version,
            hash: node.hash,
            arch: Arch {
                platform: self.share(&node.arch.platform),
                os: self.share(&node.arch.platform_os),
                target: self.share(&node.arch.target.0),
            },
            namespace: node.namespace.map(|text| self.share(&text)),
            parameters: parameters.into_iter().map(|(name, value)| (self.share(&name), self.variant(value))).collect(),
            deps,
            build_spec: node.build_spec.map(|built| built.hash),
            compiler: node.compiler.map(|c| Compiler { name: self.share(&c.name), version: self.share(&c.version) }),
            package_hash: node.package_hash.map(|text| self.share(&text)),
            external: node.external.is_some(),
        })
    }

    fn variant(&mut self, value: Parameter<'_>) -> Variant {
        match value {
            Parameter::Flag(flag) => Variant::Flag(flag),
            Parameter::Text(text) => Variant::Text(self.share(&text)),
            Parameter::List(list) => Variant::List(list.iter().map(|text| self.share(text)).collect()),
        }
    }
}

#[cfg(test)]
mod tests;
