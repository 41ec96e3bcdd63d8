//! Objects by their uid and, for now, by their name.

use std::collections::HashMap;
use std::sync::Arc;

use super::wire::Uid;

/// What can lie on a shelf.
pub(super) trait Named {
    fn uid(&self) -> &Uid;
    fn name(&self) -> &Arc<str>;
}

/// One kind of objects. A name leads to the object that bore it last.
#[derive(Debug, Clone)]
pub(super) struct Shelf<T> {
    items: HashMap<Uid, Arc<T>>,
    names: HashMap<Arc<str>, Uid>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { items: HashMap::new(), names: HashMap::new() }
    }
}

impl<T: Named> Shelf<T> {
    /// Puts an object in the place of what had its uid, and returns that.
    pub fn put(&mut self, item: Arc<T>) -> Option<Arc<T>> {
        self.names.insert(item.name().clone(), item.uid().clone());
        self.items.insert(item.uid().clone(), item)
    }

    pub fn take(&mut self, uid: &Uid) -> Option<Arc<T>> {
        let item = self.items.remove(uid)?;
        if self.names.get(item.name()) == Some(uid) {
            self.names.remove(item.name());
        }
        Some(item)
    }

    pub fn get(&self, uid: &Uid) -> Option<&T> {
        self.items.get(uid).map(|item| &**item)
    }

    pub fn named(&self, name: &str) -> Option<&T> {
        self.get(self.names.get(name)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.values().map(|item| &**item)
    }

    pub fn uids(&self) -> impl Iterator<Item = &Uid> {
        self.items.keys()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }
}
