//! A concrete spec and the edges to what it depends on.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;

use super::Hash;

/// Where a spec runs. Specs of one lock may differ, externals most of all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arch {
    pub platform: Arc<str>,
    pub os: Arc<str>,
    pub target: Arc<str>,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.platform, self.os, self.target)
    }
}

/// The compiler that a spec names, or that its edges lead to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Compiler {
    pub name: Arc<str>,
    pub version: Arc<str>,
}

/// The value of one variant or compiler flag list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variant {
    Flag(bool),
    Text(Arc<str>),
    List(Vec<Arc<str>>),
}

/// What a dependency is needed for: a set of build, link, run and test.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DepTypes(u8);

impl DepTypes {
    pub const BUILD: Self = Self(1);
    pub const LINK: Self = Self(2);
    pub const RUN: Self = Self(4);
    pub const TEST: Self = Self(8);

    const WORDS: [(Self, &'static str); 4] =
        [(Self::BUILD, "build"), (Self::LINK, "link"), (Self::RUN, "run"), (Self::TEST, "test")];

    /// The set that holds only the type with this name.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(_, known)| *known == word).map(|(types, _)| types)
    }

    /// Whether every type of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for DepTypes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for DepTypes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for DepTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = Self::WORDS.iter().filter(|(t, _)| self.contains(*t)).map(|(_, word)| *word).collect();
        f.pad(&words.join(","))
    }
}

impl fmt::Debug for DepTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// One edge of the DAG, from a spec to something it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dep {
    pub name: Arc<str>,
    pub hash: Hash,
    pub types: DepTypes,
    /// The virtual packages that the dependency provides here: `mpi`, `c`, `zlib-api`, …
    pub virtuals: Vec<Arc<str>>,
}

/// One concrete spec of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub name: Arc<str>,
    pub version: Arc<str>,
    pub hash: Hash,
    pub arch: Arch,
    /// The package repository; locks written by hand may lack it.
    pub namespace: Option<Arc<str>>,
    /// Variants and compiler flags, in the order of the file.
    pub parameters: Vec<(Arc<str>, Variant)>,
    /// The dependencies, in the order of the file. One spec may occur twice, with different types or virtuals.
    pub deps: Vec<Dep>,
    /// What was really built, when this spec is a splice of it. Not an edge: it is no part of the graph by itself.
    pub build_spec: Option<Hash>,
    /// `None` for specs that need no compiler.
    pub compiler: Option<Compiler>,
    /// The hash of the package recipe.
    pub package_hash: Option<Arc<str>>,
    pub(super) external: bool,
}

impl Spec {
    /// Installed outside of Spack: nothing to build, nothing to fetch.
    pub const fn is_external(&self) -> bool {
        self.external
    }

    /// The value of one variant or flag list.
    pub fn parameter(&self, name: &str) -> Option<&Variant> {
        self.parameters.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// `name/hash7`, the form in which errors and lists name a spec.
    pub fn label(&self) -> String {
        format!("{}/{}", self.name, self.hash.short())
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} /{}", self.name, self.version, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependency_types_are_a_set() {
        let mut types = DepTypes::from_word("run").unwrap() | DepTypes::BUILD;
        types |= DepTypes::BUILD;
        assert_eq!(types.to_string(), "build,run");
        assert!(types.contains(DepTypes::RUN) && !types.contains(DepTypes::LINK | DepTypes::RUN));
        assert_eq!(DepTypes::from_word("builds"), None);
    }
}
