//! Every object with its version, and what has changed lately: what lists and watches are made of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

/// The kinds that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Namespace,
    Node,
    Pod,
    Event,
    NodePool,
    NodeClaim,
    NodeClass,
}

/// One state of one object.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    pub kind: Kind,
    /// Empty where the kind has none.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub uid: Arc<str>,
    pub version: u64,
    /// The whole of it as JSON, without its beginning, which has the version.
    body: Arc<str>,
    pub labels: BTreeMap<String, String>,
    /// What fields can be selected by, with its value.
    pub fields: Vec<(&'static str, String)>,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub version: u64,
    /// `None` when it is new.
    pub before: Option<Arc<Object>>,
    /// `None` when it is gone; `last` has its last state with the version of its end.
    pub after: Option<Arc<Object>>,
    pub last: Arc<Object>,
}

/// Changes that are remembered; a watch that is further behind has to list again.
const REMEMBERED: usize = 3_000;
/// Versions count from here: no client may take them for small numbers.
const FIRST: u64 = 184_200_000;

type Key = (Kind, Arc<str>, Arc<str>);

/// All objects.
#[derive(Debug)]
pub struct Objects {
    version: u64,
    /// A watch may go on from here, and from anything later.
    floor: u64,
    now: BTreeMap<Key, Arc<Object>>,
    changes: VecDeque<Change>,
}

impl Default for Objects {
    fn default() -> Self {
        Self { version: FIRST, floor: FIRST, now: BTreeMap::new(), changes: VecDeque::new() }
    }
}

fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, key| value.get(key)).and_then(Value::as_str)
}

fn fields(kind: Kind, value: &Value) -> Vec<(&'static str, String)> {
    let of = |name: &'static str, path: &[&str]| (name, text(value, path).unwrap_or_default().to_owned());
    match kind {
        Kind::Pod => vec![of("spec.nodeName", &["spec", "nodeName"]), of("status.phase", &["status", "phase"])],
        Kind::Event => vec![
            of("involvedObject.kind", &["involvedObject", "kind"]),
            of("involvedObject.name", &["involvedObject", "name"]),
            of("involvedObject.namespace", &["involvedObject", "namespace"]),
            of("involvedObject.uid", &["involvedObject", "uid"]),
            of("reason", &["reason"]),
            of("type", &["type"]),
        ],
        Kind::Node => {
            let is_off = value.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
            vec![("spec.unschedulable", is_off.to_string())]
        }
        _ => Vec::new(),
    }
}

impl Object {
    fn of(kind: Kind, mut value: Value, version: u64) -> Self {
        let labels = value.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        let (namespace, name) = (text(&value, &["metadata", "namespace"]), text(&value, &["metadata", "name"]));
        let (namespace, name) = (namespace.unwrap_or_default().into(), name.unwrap_or_default().into());
        let uid = text(&value, &["metadata", "uid"]).unwrap_or_default().into();
        let fields = fields(kind, &value);
        let metadata =
            value.as_object_mut().and_then(|object| object.remove("metadata")).unwrap_or_default().to_string();
        let rest = value.to_string();
        let inner = |text: &str| text.get(1..).unwrap_or_default().to_owned();
        let body = format!("{},{}", inner(&metadata), inner(&rest)).into();
        Self { kind, namespace, name, uid, version, body, labels, fields }
    }

    fn at(&self, version: u64) -> Self {
        Self {
            version,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            body: self.body.clone(),
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            ..*self
        }
    }

    fn key(&self) -> Key {
        (self.kind, self.namespace.clone(), self.name.clone())
    }

    /// The whole of it as JSON. Objects of the core say which kind they are only where they stand alone.
    pub fn json(&self, is_alone: bool) -> String {
        let head = match self.kind {
            Kind::Pod => "\"kind\":\"Pod\",\"apiVersion\":\"v1\",",
            Kind::Node => "\"kind\":\"Node\",\"apiVersion\":\"v1\",",
            Kind::Event => "\"kind\":\"Event\",\"apiVersion\":\"v1\",",
            Kind::Namespace => "\"kind\":\"Namespace\",\"apiVersion\":\"v1\",",
            _ => "",
        };
        let head = if is_alone { head } else { "" };
        format!("{{{head}\"metadata\":{{\"resourceVersion\":\"{}\",{}", self.version, self.body)
    }

    /// The whole of it, taken apart.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.json(false)).unwrap_or_default()
    }
}

impl Objects {
    /// The version of the whole.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Puts an object in the place of the one of its name. One that says the same changes nothing.
    pub fn put(&mut self, kind: Kind, value: Value) {
        let next = Arc::new(Object::of(kind, value, self.version + 1));
        let before = self.now.get(&next.key()).cloned();
        if before.as_ref().is_some_and(|before| before.body == next.body) {
            return;
        }
        self.version += 1;
        self.now.insert(next.key(), next.clone());
        self.remember(Change { version: self.version, before, after: Some(next.clone()), last: next });
    }

    /// Takes an object away.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        let Some(before) = self.now.remove(&(kind, namespace.into(), name.into())) else { return };
        self.version += 1;
        let last = Arc::new(before.at(self.version));
        self.remember(Change { version: self.version, before: Some(before), after: None, last });
    }

    fn remember(&mut self, change: Change) {
        self.changes.push_back(change);
        if self.changes.len() > REMEMBERED
            && let Some(forgotten) = self.changes.pop_front()
        {
            self.floor = forgotten.version;
        }
    }

    /// Forgets every change: whoever watches has to list again.
    pub fn compact(&mut self) {
        self.changes.clear();
        self.version += 1;
        self.floor = self.version;
    }

    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.now.get(&(kind, namespace.into(), name.into()))
    }

    /// All of a kind, by namespace and name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        let start: Key = (kind, "".into(), "".into());
        self.now.range(start..).take_while(move |((of, ..), _)| *of == kind).map(|(_, object)| object)
    }

    /// All of a kind as they were at a version; `None` when nobody remembers.
    pub fn all_at(&self, kind: Kind, version: u64) -> Option<Vec<Arc<Object>>> {
        if version < self.floor || version > self.version {
            return None;
        }
        let mut then: BTreeMap<Key, Arc<Object>> =
            self.all(kind).map(|object| (object.key(), object.clone())).collect();
        for change in self.changes.iter().rev().take_while(|change| change.version > version) {
            if change.last.kind == kind {
                match &change.before {
                    Some(before) => then.insert(before.key(), before.clone()),
                    None => then.remove(&change.last.key()),
                };
            }
        }
        Some(then.into_values().collect())
    }

    /// What has changed since a version; `None` when nobody remembers.
    pub fn since(&self, version: u64) -> Option<impl Iterator<Item = &Change>> {
        let at = self.changes.partition_point(|change| change.version <= version);
        (version >= self.floor).then(|| self.changes.range(at..))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, n: u64) -> Value {
        json!({"metadata": {"name": name, "uid": name}, "n": n})
    }

    fn names(objects: &[Arc<Object>]) -> Vec<(String, Value)> {
        objects.iter().map(|o| (o.name.to_string(), o.value()["n"].clone())).collect()
    }

    #[test]
    fn the_past_is_remembered_as_it_was() {
        let mut objects = Objects::default();
        objects.put(Kind::Node, node("a", 1));
        objects.put(Kind::Node, node("b", 1));
        let then = objects.version();
        objects.put(Kind::Node, node("a", 2));
        objects.remove(Kind::Node, "", "b");
        objects.put(Kind::Node, node("c", 1));
        objects.put(Kind::Pod, json!({"metadata": {"name": "p", "namespace": "x"}}));
        let was = objects.all_at(Kind::Node, then).unwrap();
        assert_eq!(names(&was), [("a".to_owned(), json!(1)), ("b".to_owned(), json!(1))]);
        let since: Vec<(bool, bool)> =
            objects.since(then).unwrap().map(|c| (c.before.is_some(), c.after.is_some())).collect();
        assert_eq!(since, [(true, true), (true, false), (false, true), (false, true)]);
    }

    #[test]
    fn an_object_that_says_the_same_changes_nothing() {
        let mut objects = Objects::default();
        objects.put(Kind::Node, node("a", 1));
        let version = objects.version();
        objects.put(Kind::Node, node("a", 1));
        assert_eq!(objects.version(), version);
    }

    #[test]
    fn what_was_forgotten_is_not_told() {
        let mut objects = Objects::default();
        let first = objects.version();
        for n in 0..=REMEMBERED as u64 {
            objects.put(Kind::Node, node("a", n));
        }
        assert!(objects.since(first).is_none() && objects.all_at(Kind::Node, first).is_none());
        assert_eq!(objects.since(first + 1).unwrap().count(), REMEMBERED);
        let before = objects.version();
        objects.compact();
        assert!(objects.since(before).is_none() && objects.since(objects.version()).is_some());
    }
}
