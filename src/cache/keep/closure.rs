//! What a keep list keeps in one root.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::KeepList;
use crate::cache::{Contents, IndexState};
use crate::spack::Hash;
use crate::spack::buildcache::Catalogue;

/// The hashes that must stay in one root: those of a list, those of its views, and what all of them depend on.
///
/// Dependencies are those of every index and view of the root. A hash that none of them lists is kept without its dependencies, because
/// nobody knows them; locks name theirs anyway.
#[derive(Debug)]
pub struct Kept<'k> {
    list: Option<&'k KeepList>,
    /// The first view that has it.
    views: BTreeMap<Hash, Arc<str>>,
    /// Each with a kept hash that needs it.
    dependencies: HashMap<Hash, Hash>,
    /// Hashes of the list that no index lists, sorted.
    unlisted: Vec<Hash>,
}

/// What keeps a hash in a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptBy {
    /// The list, with its reasons.
    List,
    /// A view of this root.
    View(Arc<str>),
    /// This hash, which is kept itself.
    DependencyOf(Hash),
}

impl<'k> Kept<'k> {
    /// Works out what stays. Without a list, views and what they need.
    pub fn of(list: Option<&'k KeepList>, contents: &Contents) -> Self {
        let read = |state: &'_ IndexState| match state {
            IndexState::Read(catalogue) => Some(catalogue.clone()),
            _ => None,
        };
        let mut views = BTreeMap::new();
        for index in &contents.indexes {
            let (Some(view), Some(catalogue)) = (&index.view, read(&index.state)) else { continue };
            let present = catalogue.entries().iter().filter(|entry| entry.listed.in_buildcache);
            for entry in present {
                views.entry(entry.hash).or_insert_with(|| view.clone());
            }
        }
        let catalogues: Vec<Arc<Catalogue>> = contents.indexes.iter().filter_map(|index| read(&index.state)).collect();
        let listed = list.map(KeepList::hashes).unwrap_or_default();
        let is_known = |hash: &Hash| catalogues.iter().any(|catalogue| catalogue.get(hash).is_some());
        let unlisted = listed.iter().filter(|hash| !is_known(hash)).copied().collect();
        let mut kept = Self { list, views, dependencies: HashMap::new(), unlisted };
        let mut open: VecDeque<Hash> = listed.into_iter().chain(kept.views.keys().copied()).collect();
        while let Some(hash) = open.pop_front() {
            for entry in catalogues.iter().filter_map(|catalogue| catalogue.get(&hash)) {
                for dep in entry.deps.iter() {
                    if kept.by(dep).is_none() {
                        kept.dependencies.insert(*dep, hash);
                        open.push_back(*dep);
                    }
                }
            }
        }
        kept
    }

    /// What keeps a hash first of all; `None` when nothing does.
    pub fn by(&self, hash: &Hash) -> Option<KeptBy> {
        if self.list.is_some_and(|list| list.contains(hash)) {
            return Some(KeptBy::List);
        }
        let view = self.views.get(hash).map(|view| KeptBy::View(view.clone()));
        view.or_else(|| self.dependencies.get(hash).map(|parent| KeptBy::DependencyOf(*parent)))
    }

    /// How many hashes the views add to the list, and dependencies to both.
    pub fn added(&self) -> (usize, usize) {
        let is_new = |hash: &&Hash| !self.list.is_some_and(|list| list.contains(hash));
        (self.views.keys().filter(is_new).count(), self.dependencies.len())
    }

    /// Hashes of the list that no index lists, sorted: what they need is not known here.
    pub fn unlisted(&self) -> &[Hash] {
        &self.unlisted
    }
}
