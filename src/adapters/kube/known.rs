//! Which objects a follower has told of: enough to tell what is new, and nothing more. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use super::object::{Id, Object};
use super::update::Change;

/// So many deleted objects are remembered, in case one of them is told of too late.
const REMEMBERED: usize = 4096;

#[derive(Default)]
pub(super) struct Known {
    /// Id and version, by uid.
    objects: HashMap<String, (Id, String)>,
    /// Uid, by namespace and name.
    names: HashMap<(String, String), String>,
    gone: HashSet<String>,
    gone_in_order: VecDeque<String>,
}

impl Known {
    /// Takes a list for everything that there is. What stands in it twice is left once.
    pub fn reset(&mut self, objects: &mut Vec<Object>) {
        *self = Self::default();
        objects.retain(|object| {
            let is_new = !self.objects.contains_key(&object.id.uid);
            if is_new {
                self.put(object);
            }
            is_new
        });
    }

    /// Takes an object that was added or changed. What is already known, or is known to be gone, changes nothing.
    pub fn apply(&mut self, object: Object) -> Vec<Change> {
        let uid = &object.id.uid;
        let is_known = self.objects.get(uid).is_some_and(|(_, version)| *version == object.version);
        if is_known || self.gone.contains(uid) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let name = (object.id.namespace.clone(), object.id.name.clone());
        if let Some(other) = self.names.get(&name).filter(|other| *other != uid).cloned() {
            // The name has returned, and the end of its former owner was missed.
            changes.extend(self.forget(&other).map(|id| Change::Deleted { id, last: None }));
        }
        self.put(&object);
        changes.push(Change::Applied(object));
        changes
    }

    /// Takes an object that was deleted.
    pub fn delete(&mut self, object: Object) -> Option<Change> {
        let id = self.forget(&object.id.uid)?;
        Some(Change::Deleted { id, last: Some(object) })
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    fn put(&mut self, object: &Object) {
        let id = object.id.clone();
        self.names.insert((id.namespace.clone(), id.name.clone()), id.uid.clone());
        self.objects.insert(id.uid.clone(), (id, object.version.clone()));
    }

    fn forget(&mut self, uid: &str) -> Option<Id> {
        if self.gone.insert(uid.to_owned()) {
            self.gone_in_order.push_back(uid.to_owned());
            if self.gone_in_order.len() > REMEMBERED
                && let Some(oldest) = self.gone_in_order.pop_front()
            {
                self.gone.remove(&oldest);
            }
        }
        let (id, _) = self.objects.remove(uid)?;
        let name = (id.namespace.clone(), id.name.clone());
        if self.names.get(&name).is_some_and(|owner| owner == uid) {
            self.names.remove(&name);
        }
        Some(id)
    }
}
