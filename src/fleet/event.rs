//! Events: what schedulers, kubelets and Karpenter say about objects. They are rate-limited and forgotten, so absence means nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{self, Meta, ReadError, Uid};
use crate::ci::Timestamp;

/// The object that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct About {
    /// `Pod`, `Node`, `NodeClaim`, …
    pub kind: Arc<str>,
    pub name: Arc<str>,
}

/// One event, with its repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeEvent {
    pub uid: Uid,
    pub about: About,
    /// The uid of the object, where it is told.
    pub about_uid: Option<Uid>,
    pub reason: Arc<str>,
    pub message: Arc<str>,
    /// Who says it: `karpenter`, `default-scheduler`, `kubelet`.
    pub from: Arc<str>,
    /// When it was said last.
    pub at: Timestamp,
    pub first: Timestamp,
    pub count: u64,
    pub is_warning: bool,
}

impl KubeEvent {
    /// Reads an `Event` of `v1` or `events.k8s.io/v1`.
    pub fn read(object: &Value) -> Result<Self, ReadError> {
        let meta = Meta::read(object, "Event")?;
        let about = object.get("involvedObject").or_else(|| object.get("regarding")).unwrap_or(&Value::Null);
        let refuse = |what: &str| ReadError { kind: "Event", name: meta.name.to_string(), what: what.to_owned() };
        let (Some(kind), Some(name)) = (wire::text(about, "kind"), wire::text(about, "name")) else {
            return Err(refuse("it is about nothing"));
        };
        let series = wire::at(object, &["series"]);
        let times =
            ["eventTime", "firstTimestamp", "deprecatedFirstTimestamp", "lastTimestamp", "deprecatedLastTimestamp"];
        let times: Vec<Timestamp> = times
            .into_iter()
            .filter_map(|key| wire::time(object, key))
            .chain(wire::time(series, "lastObservedTime"))
            .collect();
        let at = times.iter().max().copied().or(meta.created);
        let Some(at) = at else { return Err(refuse("it has no time")) };
        let count = [object.get("count"), series.get("count"), object.get("deprecatedCount")];
        let from = wire::text(object, "reportingComponent").or_else(|| wire::text(object, "reportingController"));
        Ok(Self {
            uid: meta.uid,
            about: About { kind, name },
            about_uid: wire::text(about, "uid").filter(|uid| !uid.is_empty()).map(Uid),
            reason: wire::text(object, "reason").unwrap_or_else(|| "".into()),
            message: wire::message(object, "message")
                .or_else(|| wire::message(object, "note"))
                .unwrap_or_else(|| "".into()),
            from: from
                .filter(|from| !from.is_empty())
                .or_else(|| wire::text(wire::at(object, &["source"]), "component"))
                .unwrap_or_else(|| "".into()),
            first: times.iter().min().copied().unwrap_or(at),
            at,
            count: count.into_iter().flatten().filter_map(Value::as_u64).max().unwrap_or(1),
            is_warning: object.get("type").and_then(Value::as_str) == Some("Warning"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_kinds_of_events_are_read() {
        let new = json!({
            "metadata": {"name": "e", "namespace": "pipeline"}, "regarding": {"kind": "Pod", "name": "p", "uid": "u"},
            "reason": "Nominated", "note": "Pod should schedule on: nodeclaim/x", "reportingController": "karpenter",
            "eventTime": "2026-08-20T14:00:00.123456Z", "series": {"count": 3, "lastObservedTime": "2026-08-20T14:05:00.000000Z"},
            "type": "Normal",
        });
        let event = KubeEvent::read(&new).unwrap();
        assert_eq!((&*event.from, event.count, event.is_warning), ("karpenter", 3, false));
        assert_eq!(event.at, Timestamp::parse("2026-08-20T14:05:00Z").unwrap());
        assert_eq!(event.first, Timestamp::parse("2026-08-20T14:00:00.123Z").unwrap());
        assert_eq!(event.about_uid, Some(Uid("u".into())));
    }

    #[test]
    fn an_event_about_nothing_or_never_is_refused() {
        let refuse = |value: Value| KubeEvent::read(&value).unwrap_err().what;
        assert_eq!(
            refuse(json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod"}})),
            "it is about nothing"
        );
        let timeless =
            json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}, "eventTime": "soon"});
        assert_eq!(refuse(timeless), "it has no time");
    }
}
