//! Whether a concrete spec is what a request asks for.
//!
//! Where Spack looks for a dependency: `%` among all edges of the package itself; `^` there as well, and further down
//! along link and run edges. A build tool of a dependency is therefore out of reach of `^`, as it is in Spack.

use std::collections::HashSet;
use std::fmt;

use super::super::{Dep, DepTypes, Lock, Spec, Variant};
use super::ask::{Asked, Edge, Names, Node};
use super::error::RequestError;
use super::read::{COMPILERS, Reading, read};

const LANGUAGES: [&str; 3] = ["c", "cxx", "fortran"];

/// One abstract spec.
#[derive(Debug, Clone)]
pub struct Request {
    text: Box<str>,
    asked: Asked,
}

impl Request {
    /// Reads the text of one abstract spec. What cannot be judged against a lock is refused here.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        match read(text)? {
            Reading { asked, refused: None } => Ok(Self { text: text.into(), asked }),
            Reading { refused: Some(error), .. } => Err(error),
        }
    }

    /// The package asked for, without its namespace; `None` if any will do.
    pub fn package(&self) -> Option<&str> {
        self.asked.node.name.as_deref()
    }

    /// Whether a spec of the lock satisfies the request.
    ///
    /// The root of a request is compared with the names of packages only, never with the virtual packages that they
    /// provide.
    pub fn matches(&self, spec: &Spec, lock: &Lock) -> bool {
        let Asked { node, direct, below } = &self.asked;
        if !node_fits(node, spec, lock) || !direct.iter().all(|edge| has_direct(spec, edge, lock)) {
            return false;
        }
        if below.is_empty() {
            return true;
        }
        let reachable =
            edges_from(spec, lock, |dep| dep.types.contains(DepTypes::LINK) || dep.types.contains(DepTypes::RUN));
        below.iter().all(|edge| {
            compiler_fits(spec, edge) || reachable.iter().any(|(parent, dep)| leads_to(edge, parent, dep, lock))
        })
    }

    /// Why this lock cannot decide the request, if it cannot.
    ///
    /// A lock does not say in which versions a virtual package is provided, nor who else could provide it; locks before
    /// version 5 do not say which packages are virtual. [`Self::matches`] is `false` in these cases.
    pub fn undecided_by(&self, lock: &Lock) -> Option<RequestError> {
        let packages: HashSet<&str> = lock.specs().map(|spec| &*spec.name).collect();
        let virtuals: HashSet<&str> =
            lock.specs().flat_map(|spec| &spec.deps).flat_map(|dep| &dep.virtuals).map(|name| &**name).collect();
        let is_virtual = |name: &str| virtuals.contains(name) && !packages.contains(name);
        let told = |name: &str, what: &str| {
            let at = self.text.find(name).unwrap_or(0);
            Some(RequestError::at(&self.text, at, format!("`{name}` {what}; name the packages that provide it")))
        };
        if let Some(name) = self.package()
            && is_virtual(name)
        {
            return told(name, "is a virtual package, and the lock does not say who provides it");
        }
        let Asked { direct, below, .. } = &self.asked;
        direct.iter().chain(below).chain(below.iter().flat_map(|edge| &edge.direct)).find_map(|edge| {
            let name = edge.node.name.as_deref()?;
            if is_virtual(name) && edge.node.versions.is_some() {
                told(name, "is a virtual package, and the lock does not say in which versions it is provided")
            } else if lock.version() < 5 && !packages.contains(name) {
                told(name, "may be a virtual package, and a lock of version 4 does not say who provides it")
            } else {
                None
            }
        })
    }
}

impl fmt::Display for Request {
    /// The text as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The root alone, without its edges.
fn node_fits(asked: &Node, spec: &Spec, lock: &Lock) -> bool {
    let same = |asked: &Option<Box<str>>, found: &str| asked.as_deref().is_none_or(|asked| asked == found);
    same(&asked.name, &spec.name)
        && asked.namespace.as_deref().is_none_or(|asked| Some(asked) == spec.namespace.as_deref())
        && asked.hash.as_deref().is_none_or(|start| spec.hash.as_str().starts_with(start))
        && asked.versions.as_ref().is_none_or(|versions| versions.admit(&spec.version))
        && (same(&asked.platform, &spec.arch.platform) || asked.platform.as_deref() == Some("*"))
        && (same(&asked.os, &spec.arch.os) || asked.os.as_deref() == Some("*"))
        && asked.targets.as_ref().is_none_or(|targets| targets.contains(&*spec.arch.target))
        && asked.flags.iter().all(|((list, _), flags)| has_flags(spec, list, flags))
        && has_variants(asked, spec, lock)
}

fn has_flags(spec: &Spec, list: &str, flags: &Names) -> bool {
    match spec.parameter(list) {
        Some(Variant::List(found)) => flags.iter().all(|flag| found.iter().any(|known| **known == **flag)),
        _ => flags.is_empty(),
    }
}

fn has_variants(asked: &Node, spec: &Spec, lock: &Lock) -> bool {
    let own = asked.variants.iter().filter(|(_, wanted)| !wanted.throughout);
    if !own.into_iter().all(|(name, wanted)| spec.parameter(name).is_some_and(|found| wanted.ask.admits(name, found))) {
        return false;
    }
    let fits = |spec: &Spec| {
        let throughout = asked.variants.iter().filter(|(_, wanted)| wanted.throughout);
        throughout.into_iter().all(|(name, w)| spec.parameter(name).is_none_or(|found| w.ask.admits(name, found)))
    };
    fits(spec)
        && (asked.variants.values().all(|wanted| !wanted.throughout)
            || edges_from(spec, lock, |_| true).iter().filter_map(|(_, dep)| lock.get(&dep.hash)).all(fits))
}

/// All edges of the spec, and the edges of what it reaches through edges of a kind.
fn edges_from<'a>(spec: &'a Spec, lock: &'a Lock, through: impl Fn(&Dep) -> bool) -> Vec<(&'a Spec, &'a Dep)> {
    let mut seen = HashSet::from([spec.hash]);
    let mut next = vec![spec];
    let mut edges = Vec::new();
    while let Some(parent) = next.pop() {
        for dep in &parent.deps {
            let leads_on = through(dep);
            if leads_on || parent.hash == spec.hash {
                edges.push((parent, dep));
            }
            if leads_on && seen.insert(dep.hash) {
                next.extend(lock.get(&dep.hash));
            }
        }
    }
    edges
}

fn has_direct(spec: &Spec, edge: &Edge, lock: &Lock) -> bool {
    compiler_fits(spec, edge) || spec.deps.iter().any(|dep| leads_to(edge, spec, dep, lock))
}

fn leads_to(asked: &Edge, parent: &Spec, dep: &Dep, lock: &Lock) -> bool {
    let Some(child) = lock.get(&dep.hash) else { return false };
    // One dependency may be written as several edges, each with types and virtual packages of its own.
    let twins = || parent.deps.iter().filter(|twin| twin.hash == dep.hash);
    let provides = |name: &str| twins().any(|twin| twin.virtuals.iter().any(|known| &**known == name));
    let has_type =
        |word: &str| DepTypes::from_word(word).is_some_and(|wanted| twins().any(|twin| twin.types.contains(wanted)));
    let fits = match asked.node.name.as_deref() {
        Some(name) if name != &*child.name => {
            provides(name) && asked.node.only_names_versions() && asked.node.versions.is_none()
        }
        _ => node_fits(&asked.node, child, lock),
    };
    fits && asked.virtuals.iter().all(|name| provides(name))
        && asked.types.iter().all(|word| has_type(word))
        && asked.direct.iter().all(|edge| has_direct(child, edge, lock))
}

/// Specs of old locks name their compiler, which stands for a build dependency that provides all languages. Newer specs
/// have an edge instead.
fn compiler_fits(spec: &Spec, asked: &Edge) -> bool {
    let provides_language = |dep: &Dep| dep.virtuals.iter().any(|name| LANGUAGES.contains(&&**name));
    let Some(compiler) = spec.compiler.as_ref().filter(|_| !spec.deps.iter().any(provides_language)) else {
        return false;
    };
    let package = |name| COMPILERS.iter().find(|(old, _)| *old == name).map_or(name, |(_, package)| *package);
    asked.node.name.as_deref().is_none_or(|name| {
        package(name) == package(&compiler.name) || LANGUAGES.contains(&name) && asked.node.versions.is_none()
    }) && asked.node.versions.as_ref().is_none_or(|versions| versions.admit(&compiler.version))
        && asked.node.only_names_versions()
        && asked.virtuals.iter().all(|name| LANGUAGES.contains(&&**name))
        && asked.types.iter().all(|word| &**word == "build")
        && asked.direct.is_empty()
}
