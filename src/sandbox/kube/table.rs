//! Objects as rows: the server's own columns, as `kubectl get` shows them.

use serde_json::{Value, json};

use super::super::cluster::{Kind, Object};
use crate::ci::Timestamp;

/// How an object is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Whole,
    /// Only its metadata.
    Metadata,
    Table(Include),
}

/// What a row has of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Include {
    Nothing,
    Metadata,
    Object,
}

/// A column: name, type, format, whether it is shown without asking.
type Column = (&'static str, &'static str, &'static str, u8);

const NAME: Column = ("Name", "string", "name", 0);

fn columns(kind: Kind) -> Vec<Column> {
    let text = |name, priority| (name, "string", "", priority);
    match kind {
        Kind::Node => vec![
            NAME,
            text("Status", 0),
            text("Roles", 0),
            text("Age", 0),
            text("Version", 0),
            text("Internal-IP", 1),
            text("External-IP", 1),
            text("OS-Image", 1),
            text("Kernel-Version", 1),
            text("Container-Runtime", 1),
        ],
        Kind::Pod => vec![
            NAME,
            text("Ready", 0),
            text("Status", 0),
            text("Restarts", 0),
            text("Age", 0),
            text("IP", 1),
            text("Node", 1),
            text("Nominated Node", 1),
            text("Readiness Gates", 1),
        ],
        Kind::Event => vec![
            text("Last Seen", 0),
            text("Type", 0),
            text("Reason", 0),
            text("Object", 0),
            text("Subobject", 1),
            text("Source", 1),
            text("Message", 0),
            text("First Seen", 1),
            ("Count", "integer", "", 1),
            ("Name", "string", "name", 1),
        ],
        Kind::NodeClaim => vec![
            NAME,
            text("Type", 0),
            text("Capacity", 0),
            text("Zone", 0),
            text("Node", 0),
            text("Ready", 0),
            ("Age", "date", "", 0),
            text("ImageID", 1),
            text("ID", 1),
            text("NodePool", 1),
            text("NodeClass", 1),
            text("Drifted", 1),
        ],
        Kind::NodePool => vec![
            NAME,
            text("NodeClass", 0),
            text("Nodes", 0),
            text("Ready", 0),
            ("Age", "date", "", 0),
            ("Weight", "integer", "", 1),
            text("CPU", 1),
            text("Memory", 1),
        ],
        Kind::Namespace => vec![NAME, text("Status", 0), text("Age", 0)],
        Kind::NodeClass => vec![NAME, text("Ready", 0), ("Age", "date", "", 0), text("Role", 1)],
    }
}

/// How long something is, as Kubernetes writes ages.
fn age(from: &Value, now: Timestamp) -> String {
    let Some(at) = from.as_str().and_then(Timestamp::parse) else { return "<unknown>".to_owned() };
    let seconds = now.since(at).as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |a: u64, a_unit: &str, b: u64, b_unit: &str| {
        if b == 0 { format!("{a}{a_unit}") } else { format!("{a}{a_unit}{b}{b_unit}") }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

/// What lies at a path; null when there is nothing.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let all = object.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|condition| at(condition, "/type") == kind)?.get("status")?.as_str()
}

fn node_cells(object: &Value, now: Timestamp) -> Value {
    let ready = match condition(object, "Ready") {
        Some("True") => "Ready",
        Some("False") => "NotReady",
        _ => "Unknown",
    };
    let off = if at(object, "/spec/unschedulable") == true { ",SchedulingDisabled" } else { "" };
    let info = at(object, "/status/nodeInfo");
    json!([
        at(object, "/metadata/name"),
        format!("{ready}{off}"),
        "<none>",
        age(at(object, "/metadata/creationTimestamp"), now),
        at(info, "/kubeletVersion"),
        at(object, "/status/addresses/0/address"),
        "<none>",
        at(info, "/osImage"),
        at(info, "/kernelVersion"),
        at(info, "/containerRuntimeVersion"),
    ])
}

fn pod_cells(object: &Value, now: Timestamp) -> Value {
    let status = at(object, "/status");
    let all = at(object, "/spec/containers").as_array().map_or(0, Vec::len);
    let containers = at(status, "/containerStatuses").as_array().cloned().unwrap_or_default();
    let ready = containers.iter().filter(|container| at(container, "/ready") == true).count();
    let mut word = at(status, "/reason").as_str().or(at(status, "/phase").as_str()).unwrap_or("Unknown");
    // The first container's reason is shown.
    for container in containers.iter().rev() {
        let state = at(container, "/state");
        word = at(state, "/waiting/reason").as_str().or(at(state, "/terminated/reason").as_str()).unwrap_or(word);
    }
    if at(object, "/metadata/deletionTimestamp").is_string() {
        word = "Terminating";
    }
    let or_none = |value: &Value| value.as_str().unwrap_or("<none>").to_owned();
    json!([
        at(object, "/metadata/name"),
        format!("{ready}/{all}"),
        word,
        "0",
        age(at(object, "/metadata/creationTimestamp"), now),
        or_none(at(status, "/podIP")),
        or_none(at(object, "/spec/nodeName")),
        "<none>",
        "<none>",
    ])
}

fn cells(kind: Kind, object: &Value, now: Timestamp) -> Value {
    let (metadata, status) = (at(object, "/metadata"), at(object, "/status"));
    let made = age(at(metadata, "/creationTimestamp"), now);
    let label = |key: &str| at(metadata, "/labels").get(key).cloned().unwrap_or_default();
    match kind {
        Kind::Node => node_cells(object, now),
        Kind::Pod => pod_cells(object, now),
        Kind::Event => {
            let about = at(object, "/involvedObject");
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let host = word(at(object, "/source/host"));
            let from = word(at(object, "/source/component"));
            json!([
                age(at(object, "/lastTimestamp"), now),
                at(object, "/type"),
                at(object, "/reason"),
                format!("{}/{}", word(at(about, "/kind")).to_lowercase(), word(at(about, "/name"))),
                "",
                if host.is_empty() { from } else { format!("{from}, {host}") },
                at(object, "/message"),
                age(at(object, "/firstTimestamp"), now),
                at(object, "/count"),
                at(metadata, "/name"),
            ])
        }
        Kind::NodeClaim => json!([
            at(metadata, "/name"),
            label("node.kubernetes.io/instance-type"),
            label("karpenter.sh/capacity-type"),
            label("topology.kubernetes.io/zone"),
            at(status, "/nodeName"),
            condition(object, "Ready"),
            made,
            at(status, "/imageID"),
            at(status, "/providerID"),
            label("karpenter.sh/nodepool"),
            at(object, "/spec/nodeClassRef/name"),
            condition(object, "Drifted"),
        ]),
        Kind::NodePool => json!([
            at(metadata, "/name"),
            at(object, "/spec/template/spec/nodeClassRef/name"),
            at(status, "/nodes").to_string(),
            condition(object, "Ready"),
            made,
            null,
            at(status, "/resources/cpu"),
            at(status, "/resources/memory"),
        ]),
        Kind::Namespace => json!([at(metadata, "/name"), at(status, "/phase"), made]),
        Kind::NodeClass => json!([at(metadata, "/name"), condition(object, "Ready"), made, at(object, "/spec/role")]),
    }
}

/// Only the metadata of an object.
pub fn metadata(object: &Object) -> Value {
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": at(&object.value(), "/metadata") })
}

/// The table of some objects, with the metadata of the list.
pub fn table<'a>(
    kind: Kind,
    objects: impl Iterator<Item = &'a Object>,
    include: Include,
    about: Value,
    now: Timestamp,
) -> Value {
    let row = |object: &Object| {
        let value = object.value();
        let mut row = json!({ "cells": cells(kind, &value, now) });
        let shown = match include {
            Include::Nothing => Value::Null,
            Include::Metadata => metadata(object),
            Include::Object => serde_json::from_str(&object.json(true)).unwrap_or_default(),
        };
        if let Some(row) = row.as_object_mut() {
            row.insert("object".to_owned(), shown);
        }
        row
    };
    let column = |(name, kind, format, priority): Column| json!({ "name": name, "type": kind, "format": format, "description": "", "priority": priority });
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": about,
        "columnDefinitions": columns(kind).into_iter().map(column).collect::<Vec<_>>(),
        "rows": objects.map(row).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_those_of_kubernetes() {
        let now = Timestamp::parse("2026-03-14T03:00:00Z").unwrap();
        let of = |text: &str| age(&json!(text), now);
        for (from, want) in [
            ("2026-03-14T02:59:55Z", "5s"),
            ("2026-03-14T02:58:00Z", "2m"),
            ("2026-03-14T02:55:30Z", "4m30s"),
            ("2026-03-14T02:20:30Z", "39m"),
            ("2026-03-13T23:30:00Z", "3h30m"),
            ("2026-03-11T23:00:00Z", "2d4h"),
            ("2026-01-01T00:00:00Z", "72d"),
            ("never", "<unknown>"),
        ] {
            assert_eq!(of(from), want, "{from}");
        }
    }
}
