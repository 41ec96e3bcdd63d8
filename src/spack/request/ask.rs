//! What a request asks for, in a form in which equal requests are equal values.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Variant;
use super::version::Versions;

pub type Names = BTreeSet<Box<str>>;

/// The root of a request and what it asks of the dependencies.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    pub node: Node,
    /// `%`: edges of the root itself.
    pub direct: Vec<Edge>,
    /// `^`: edges anywhere below the root.
    pub below: Vec<Edge>,
}

impl Asked {
    /// Puts edges in one order, so that the order in which they were written does not count.
    pub fn settle(&mut self) {
        for edge in &mut self.below {
            edge.direct.sort_unstable();
            edge.direct.dedup();
        }
        for edges in [&mut self.direct, &mut self.below] {
            edges.sort_unstable();
            edges.dedup();
        }
    }
}

/// A dependency that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    pub node: Node,
    /// Virtual packages that the dependency must provide to its dependent.
    pub virtuals: Names,
    /// Dependency types that the edge must have.
    pub types: Names,
    /// The text of `when=`. Only compared, never judged.
    pub condition: Option<String>,
    /// `%` after a `^`: edges of the dependency itself. These have none of their own.
    pub direct: Vec<Edge>,
}

/// What one package must be. Everything that is absent is free.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    pub name: Option<Box<str>>,
    pub namespace: Option<Box<str>>,
    pub versions: Option<Versions>,
    pub variants: BTreeMap<Box<str>, Wanted>,
    /// Compiler flags by the name of their list, and whether dependencies are to have them as well.
    pub flags: BTreeMap<(Box<str>, bool), Names>,
    pub platform: Option<Box<str>>,
    pub os: Option<Box<str>>,
    /// Any of these targets.
    pub targets: Option<Names>,
    /// The beginning of the DAG hash.
    pub hash: Option<Box<str>>,
}

impl Node {
    /// Asks for nothing but a package and its versions: all that can be asked of a virtual package or of a compiler of
    /// an old lock.
    pub fn only_names_versions(&self) -> bool {
        let rest = Self { name: None, versions: None, ..self.clone() };
        rest == Self::default()
    }
}

/// What one variant must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    pub ask: Ask,
    /// `++x`, `x==y`: every dependency that has the variant must have it so, and the package itself only if it has it.
    pub throughout: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    Flag(bool),
    /// `x=*`: any value at all.
    Set,
    /// `x=a,b`: these values, perhaps among others.
    Has(Names),
    /// `x:=a,b`: these values and no others.
    Exactly(Names),
}

impl Ask {
    /// Whether the value of a concrete spec is what is asked for. Patches may be abbreviated.
    pub fn admits(&self, name: &str, found: &Variant) -> bool {
        let values: Vec<&str> = match found {
            Variant::Flag(flag) => return matches!(self, Self::Set) || *self == Self::Flag(*flag),
            Variant::Text(text) => match flag(text) {
                Some(flag) => return matches!(self, Self::Set) || *self == Self::Flag(flag),
                None => vec![text],
            },
            Variant::List(list) => list.iter().map(|text| &**text).collect(),
        };
        match self {
            Self::Set => true,
            Self::Flag(_) => false,
            Self::Has(asked) if name == "patches" => {
                asked.iter().all(|start| values.iter().any(|value| value.starts_with(&**start)))
            }
            Self::Has(asked) => asked.iter().all(|value| values.contains(&&**value)),
            Self::Exactly(asked) => asked.iter().map(|value| &**value).eq(values.into_iter().collect::<BTreeSet<_>>()),
        }
    }
}

/// Switches are sometimes written as text, in any case.
pub fn flag(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
