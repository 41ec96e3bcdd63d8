//! What the server says about itself: its version, groups and resources.

use serde_json::{Value, json};

use super::resource::{RESOURCES, Resource};

const GROUPS: [&str; 2] = ["karpenter.sh", "karpenter.k8s.aws"];

pub fn version() -> Value {
    json!({
        "major": "1",
        "minor": "35",
        "gitVersion": "v1.35.2-eks-b3126f4",
        "gitCommit": "b3126f4000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-02-12T05:40:57Z",
        "goVersion": "go1.25.6",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

pub fn versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

fn group_of(name: &str) -> Value {
    let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
    json!({ "name": name, "versions": [version], "preferredVersion": version })
}

pub fn groups() -> Value {
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": GROUPS.map(group_of) })
}

/// One group; `None` when there is no such group.
pub fn group(name: &str) -> Option<Value> {
    GROUPS.contains(&name).then(|| {
        let mut group = group_of(name);
        if let Some(fields) = group.as_object_mut() {
            fields.insert("kind".to_owned(), "APIGroup".into());
            fields.insert("apiVersion".to_owned(), "v1".into());
        }
        group
    })
}

/// The resources of a group and version; `None` when there are none.
pub fn resources(group: &str, version: &str) -> Option<Value> {
    let of = |resource: &&Resource| resource.group == group && resource.version == version;
    let one = |resource: &Resource| {
        let mut one = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.is_namespaced,
            "kind": resource.kind_name,
            "verbs": resource.verbs,
        });
        if let Some(one) = one.as_object_mut().filter(|_| !resource.short.is_empty()) {
            one.insert("shortNames".to_owned(), json!(resource.short));
        }
        one
    };
    let all: Vec<Value> = RESOURCES.iter().filter(of).map(one).collect();
    let named = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!all.is_empty())
        .then(|| json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": named, "resources": all }))
}
