//! Reads sample objects. They were never on a server, so the wished time of their creation stands in an annotation.

use std::path::Path;

use serde_json::{Value, json};

use super::super::{Fleet, Kind, Object, Offer, Runner, Uid};
use crate::ci::{RunnerId, Timestamp};

/// The moment of the samples.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-08-20T14:30:00Z").unwrap()
}

/// The objects of a list, as a server would send them.
pub fn items(list: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(list).unwrap();
    let mut items = list["items"].as_array().unwrap().clone();
    for item in &mut items {
        if let Some(created) = item["metadata"]["annotations"].get("fixture.stackhand/created").cloned() {
            item["metadata"]["creationTimestamp"] = created;
        }
    }
    items
}

/// A fleet of such lists.
pub fn fleet_of(lists: &[(Kind, String)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (kind, list) in lists {
        let objects: Vec<Object> = items(list).iter().map(|item| Object::read(*kind, item).unwrap()).collect();
        let seen = objects.iter().map(|object| object.uid().clone()).collect();
        for object in objects {
            fleet.upsert(object);
        }
        assert_eq!(fleet.listed(*kind, &seen), Vec::<Uid>::new());
    }
    fleet
}

/// The samples that lie beside this room.
pub fn small() -> Fleet {
    fleet_of(&[
        (Kind::Pod, include_str!("../testdata/pods.json").to_owned()),
        (Kind::Node, include_str!("../testdata/nodes.json").to_owned()),
        (Kind::Claim, include_str!("../testdata/nodeclaims.json").to_owned()),
        (Kind::Pool, include_str!("../testdata/nodepools.json").to_owned()),
        (Kind::Event, include_str!("../testdata/events.json").to_owned()),
    ])
}

/// All samples and all pools; `None` where they are not at hand.
pub fn all() -> Option<Fleet> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/k8s");
    if !root.is_dir() {
        println!("SKIPPED: {} not found", root.display());
        return None;
    }
    let sample = |name: &str| std::fs::read_to_string(root.join("samples").join(name)).unwrap();
    Some(fleet_of(&[
        (Kind::Pod, sample("pods.json")),
        (Kind::Node, sample("nodes.json")),
        (Kind::Claim, sample("nodeclaims.json")),
        (Kind::Event, sample("events.json")),
        (Kind::Pool, pools(&root.join("nodepools"))),
    ]))
}

/// The pools as they lie in a repository: YAML, several documents a file.
fn pools(folder: &Path) -> String {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut items = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for document in text.split("\n---").filter(|document| document.contains("kind: NodePool")) {
            items.push(serde_saphyr::from_str::<Value>(document.trim_start_matches("---")).unwrap());
        }
    }
    assert_eq!(items.len(), 10);
    json!({"items": items}).to_string()
}

/// A fleet with everything that the cluster does not tell: prices of all machines, and runners.
pub fn complete(fleet: &mut Fleet) {
    let offer = |node: &super::super::Node| Offer {
        instance_type: node.instance_type().unwrap().clone(),
        capacity_type: node.capacity_type().unwrap().clone(),
        zone: node.zone().unwrap().clone(),
    };
    let offers: Vec<Offer> = fleet.nodes().map(offer).collect();
    for offer in offers {
        fleet.prices.set(offer, 0.25);
    }
    let names: std::collections::BTreeSet<_> = fleet.job_pods().filter_map(|pod| pod.says.runner.clone()).collect();
    fleet.set_runners(
        names.iter().enumerate().map(|(n, name)| Runner::new(RunnerId(n as u64), name)).collect::<Vec<_>>(),
    );
}
