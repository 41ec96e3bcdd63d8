//! Lists and watches as a Kubernetes API sends them: pages of objects, and lines of changes.

use std::sync::Arc;

use serde_json::Value;

use super::index::{Fleet, Kind, Object};
use super::wire::{self, ReadError, Uid};

/// One page of a list. An object that cannot be used does not spoil the others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    pub objects: Vec<Object>,
    pub faults: Vec<ReadError>,
    /// From here a watch goes on. Opaque.
    pub version: Option<Arc<str>>,
    /// Asks for the next page; `None` on the last.
    pub next: Option<Arc<str>>,
}

/// One line of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    Put(Object),
    Gone(Uid),
    /// Nothing changed up to this version; `is_whole` ends the objects that were there when the watch began.
    Bookmark {
        version: Arc<str>,
        is_whole: bool,
    },
    /// The version that the watch began from is too old: list again.
    Expired,
    /// The server ends the watch.
    Failed {
        code: u64,
        message: Arc<str>,
    },
    /// It cannot be used; the watch goes on.
    Faulty(ReadError),
}

impl Page {
    /// Reads a list of one kind.
    pub fn read(kind: Kind, list: &Value) -> Self {
        let meta = wire::at(list, &["metadata"]);
        let mut page = Self {
            version: wire::text(meta, "resourceVersion"),
            next: meta.get("continue").and_then(Value::as_str).filter(|token| !token.is_empty()).map(Into::into),
            ..Self::default()
        };
        let items = list.get("items").and_then(Value::as_array);
        for read in items.into_iter().flatten().map(|item| Object::read(kind, item)) {
            match read {
                Ok(object) => page.objects.push(object),
                Err(fault) => page.faults.push(fault),
            }
        }
        page
    }
}

impl Line {
    /// Reads one line of a watch of one kind.
    pub fn read(kind: Kind, line: &Value) -> Self {
        let object = line.get("object").unwrap_or(&Value::Null);
        let put = || Object::read(kind, object).map_or_else(Self::Faulty, Self::Put);
        match line.get("type").and_then(Value::as_str) {
            Some("ADDED" | "MODIFIED") => put(),
            Some("DELETED") => match put() {
                Self::Put(object) => Self::Gone(object.uid().clone()),
                other => other,
            },
            Some("BOOKMARK") => {
                let meta = wire::at(object, &["metadata"]);
                let ends = wire::at(meta, &["annotations"]).get("k8s.io/initial-events-end").and_then(Value::as_str);
                match wire::text(meta, "resourceVersion") {
                    Some(version) => Self::Bookmark { version, is_whole: ends == Some("true") },
                    None => Self::odd("a bookmark without a version"),
                }
            }
            Some("ERROR") => {
                let code = object.get("code").and_then(Value::as_u64).unwrap_or(0);
                let message = wire::message(object, "message").unwrap_or_else(|| "no reason was given".into());
                if code == 410 { Self::Expired } else { Self::Failed { code, message } }
            }
            _ => Self::odd("a line of no known type"),
        }
    }

    fn odd(what: &str) -> Self {
        Self::Faulty(ReadError { kind: "watch", name: "?".to_owned(), what: what.to_owned() })
    }
}

impl Fleet {
    /// Takes a line of a watch in. Everything but a change leaves the fleet as it is.
    pub fn follow(&mut self, kind: Kind, line: Line) {
        match line {
            Line::Put(object) => self.upsert(object),
            Line::Gone(uid) => self.delete(kind, &uid),
            Line::Bookmark { .. } | Line::Expired | Line::Failed { .. } | Line::Faulty(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(kind: &str, object: Value) -> Line {
        Line::read(Kind::Node, &json!({"type": kind, "object": object}))
    }

    #[test]
    fn a_page_keeps_what_can_be_used() {
        let list = json!({
            "metadata": {"resourceVersion": "473", "continue": "abc"},
            "items": [{"metadata": {"name": "a"}}, {"metadata": {}}, 7, {"metadata": {"name": "b"}}],
        });
        let page = Page::read(Kind::Node, &list);
        assert_eq!((page.objects.len(), page.faults.len()), (2, 2));
        assert_eq!((page.version.as_deref(), page.next.as_deref()), (Some("473"), Some("abc")));
        assert_eq!(Page::read(Kind::Node, &json!({"metadata": {"continue": ""}, "items": {}})), Page::default());
    }

    #[test]
    fn lines_put_and_take_objects_and_a_too_old_version_is_told() {
        let mut fleet = Fleet::default();
        let node = json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": "5"}});
        fleet.follow(Kind::Node, line("ADDED", node.clone()));
        fleet.follow(Kind::Node, line("MODIFIED", node.clone()));
        assert_eq!(fleet.nodes().count(), 1);
        let expired =
            json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (485)"});
        assert_eq!(line("ERROR", expired.clone()), Line::Expired);
        fleet.follow(Kind::Node, line("ERROR", expired));
        assert_eq!(fleet.nodes().count(), 1, "nothing is cleared");
        fleet.follow(Kind::Node, line("DELETED", node));
        assert_eq!(fleet.nodes().count(), 0);
        let failed = line("ERROR", json!({"code": 500, "message": "etcd"}));
        assert_eq!(failed, Line::Failed { code: 500, message: "etcd".into() });
    }

    #[test]
    fn bookmarks_are_no_objects_and_odd_lines_are_named() {
        let mark = |annotations: Value| {
            line("BOOKMARK", json!({"metadata": {"resourceVersion": "9", "annotations": annotations}}))
        };
        assert_eq!(mark(json!({})), Line::Bookmark { version: "9".into(), is_whole: false });
        assert_eq!(
            mark(json!({"k8s.io/initial-events-end": "true"})),
            Line::Bookmark { version: "9".into(), is_whole: true }
        );
        for odd in [
            line("BOOKMARK", json!({})),
            line("SHOUTED", json!({})),
            Line::read(Kind::Pod, &json!(3)),
            line("ADDED", json!([])),
        ] {
            assert!(matches!(odd, Line::Faulty(_)), "{odd:?}");
        }
    }
}
