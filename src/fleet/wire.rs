//! Reading Kubernetes JSON without trust: a field of a wrong type counts as missing, texts and lists have bounds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Condition, Quantity, Resources};
use crate::ci::Timestamp;

/// Names, reasons, keys and values are cut here.
const MOST_TEXT: usize = 512;
/// Messages of conditions and events.
const MOST_MESSAGE: usize = 4_096;
/// Entries of a list or a map.
const MOST_ENTRIES: usize = 256;

/// An object that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} `{name}`: {what}; the object is left out")]
pub struct ReadError {
    pub kind: &'static str,
    pub name: String,
    pub what: String,
}

/// What identifies an object: its uid. A name may return after a delete, a uid does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uid(pub Arc<str>);

/// Reads a number that may be none: JSON has no other word for those than `null`.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The metadata that every object has.
pub(super) struct Meta {
    pub uid: Uid,
    pub name: Arc<str>,
    pub namespace: Arc<str>,
    pub created: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
}

impl Meta {
    /// Reads the metadata; an object without a name is refused. One without a uid (it never was on a server) goes by its name.
    pub fn read(object: &Value, kind: &'static str) -> Result<Self, ReadError> {
        let told = object.get("kind").and_then(Value::as_str);
        let meta = object.get("metadata").unwrap_or(&Value::Null);
        let name = text(meta, "name").filter(|name| !name.is_empty());
        let refuse = |what: String| ReadError { kind, name: name.as_deref().unwrap_or("?").to_owned(), what };
        if let Some(told) = told.filter(|told| *told != kind) {
            return Err(refuse(format!("it is a `{}`", cut(told, 60))));
        }
        let Some(name) = name.clone() else { return Err(refuse("metadata.name is missing".to_owned())) };
        let namespace = text(meta, "namespace").unwrap_or_else(|| "".into());
        let uid = text(meta, "uid").filter(|uid| !uid.is_empty());
        Ok(Self {
            uid: Uid(uid.unwrap_or_else(|| format!("{kind}/{namespace}/{name}").into())),
            namespace,
            created: time(meta, "creationTimestamp"),
            deleted: time(meta, "deletionTimestamp"),
            labels: texts(meta, "labels"),
            annotations: texts(meta, "annotations"),
            name,
        })
    }
}

pub(super) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

pub(super) fn text(value: &Value, key: &str) -> Option<Arc<str>> {
    value.get(key)?.as_str().map(|text| cut(text, MOST_TEXT).into())
}

pub(super) fn message(value: &Value, key: &str) -> Option<Arc<str>> {
    value.get(key)?.as_str().filter(|text| !text.is_empty()).map(|text| cut(text, MOST_MESSAGE).into())
}

pub(super) fn time(value: &Value, key: &str) -> Option<Timestamp> {
    Timestamp::parse(value.get(key)?.as_str()?)
}

/// Walks down objects; [`Value::Null`] where something is missing.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, key| value.get(key).unwrap_or(&Value::Null))
}

pub(super) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().take(MOST_ENTRIES)
}

pub(super) fn texts(value: &Value, key: &str) -> BTreeMap<Arc<str>, Arc<str>> {
    let entries = value.get(key).and_then(Value::as_object).into_iter().flatten().take(MOST_ENTRIES);
    let text =
        |(key, value): (&String, &Value)| Some((cut(key, MOST_TEXT).into(), cut(value.as_str()?, MOST_TEXT).into()));
    entries.filter_map(text).collect()
}

/// Reads a map of quantities. A key that is not there has the value `absent`; one that cannot be read is unknown.
pub(super) fn resources(value: &Value, absent: Option<Quantity>) -> Resources {
    let one = |key: &str| match value.get(key) {
        None => absent,
        Some(Value::String(text)) => Quantity::parse(text).ok(),
        Some(Value::Number(number)) => Quantity::parse(&number.to_string()).ok(),
        Some(_) => None,
    };
    Resources { cpu: one("cpu"), memory: one("memory"), storage: one("ephemeral-storage"), pods: one("pods") }
}

pub(super) fn conditions(status: &Value) -> Vec<Condition> {
    let one = |value: &Value| {
        Some(Condition {
            kind: text(value, "type")?,
            status: match value.get("status").and_then(Value::as_str) {
                Some("True") => Some(true),
                Some("False") => Some(false),
                _ => None,
            },
            reason: text(value, "reason").unwrap_or_else(|| "".into()),
            message: message(value, "message").unwrap_or_else(|| "".into()),
            since: time(value, "lastTransitionTime"),
        })
    };
    list(status, "conditions").filter_map(one).collect()
}

/// Reads a Go duration: `1h0m0s`, `720h`, `1.5h`; `None` for `Never` and whatever else is none.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut whole) = (cut(text, 64), 0.0_f64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, unit_on) = rest.split_at(number);
        let end = unit_on.find(|c: char| c.is_ascii_digit()).unwrap_or(unit_on.len());
        let (unit, more) = unit_on.split_at(end);
        let size = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            _ => return None,
        };
        whole += digits.parse::<f64>().ok()? * size;
        rest = more;
    }
    Duration::try_from_secs_f64(whole).ok().filter(|length| u32::try_from(length.as_secs()).is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (text, seconds) in
            [("1h0m0s", 3_600), ("720h", 2_592_000), ("4h", 14_400), ("1.5h", 5_400), ("90m", 5_400), ("2m30s", 150)]
        {
            assert_eq!(go_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(go_duration("500ms"), Some(Duration::from_millis(500)));
        for wrong in ["", "Never", "12", "h", "1d", "1h-2m", "99999999999999999999h", "1..2h"] {
            assert_eq!(go_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_object_of_another_kind_or_without_a_name_is_refused_by_name() {
        let read = |value: Value| Meta::read(&value, "Pod").map(|meta| meta.uid).map_err(|e| e.to_string());
        assert_eq!(read(json!({"metadata": {"name": "a", "uid": "u"}})), Ok(Uid("u".into())));
        assert_eq!(read(json!({"metadata": {"name": "a", "namespace": "n"}})), Ok(Uid("Pod/n/a".into())));
        assert_eq!(
            read(json!({"metadata": {"uid": "u"}})).unwrap_err(),
            "Pod `?`: metadata.name is missing; the object is left out"
        );
        assert_eq!(
            read(json!({"kind": "Node", "metadata": {"name": "x"}})).unwrap_err(),
            "Pod `x`: it is a `Node`; the object is left out"
        );
        for odd in [json!(null), json!([]), json!({"metadata": 3}), json!({"metadata": {"name": {}}})] {
            assert!(read(odd).is_err());
        }
    }

    #[test]
    fn garbled_amounts_are_unknown_and_absent_ones_are_not() {
        let read = resources(&json!({"cpu": "lots", "memory": 512, "pods": {}}), Some(Quantity::ZERO));
        assert_eq!((read.cpu, read.pods), (None, None));
        assert_eq!((read.memory, read.storage), (Some(Quantity::of(512)), Some(Quantity::ZERO)));
    }

    #[test]
    fn texts_have_bounds() {
        let huge = "é".repeat(10_000);
        let labels: serde_json::Map<String, Value> = (0..9_999).map(|n| (format!("k{n}"), json!(huge))).collect();
        let meta = Meta::read(&json!({"metadata": {"name": huge, "labels": labels}}), "Pod").unwrap();
        assert!(meta.name.len() <= MOST_TEXT && meta.labels.len() == MOST_ENTRIES);
        assert!(meta.labels.values().all(|value| value.len() <= MOST_TEXT));
    }
}
