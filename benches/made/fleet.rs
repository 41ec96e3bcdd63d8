//! A fleet of Spack's size: copies of the samples under names of their own.

#![expect(clippy::indexing_slicing, reason = "a benchmark may give up")]

use serde_json::{Value, json};
use stackhand::fleet::{Kind, Object};

pub const PODS: usize = 5_000;
pub const NODES: usize = 500;
/// Of the pods, so many are pending: every one of them is held against every pool.
pub const PENDING: usize = 500;

/// Pools, nodes, claims and pods as a server gives them.
pub fn objects() -> Vec<(Kind, Value)> {
    let first =
        |text: &str, n: usize| -> Value { serde_json::from_str::<Value>(text).expect("a list")["items"][n].clone() };
    let pods = include_str!("../../src/fleet/testdata/pods.json");
    let (running, pending) = (first(pods, 0), first(pods, 5));
    let node = first(include_str!("../../src/fleet/testdata/nodes.json"), 0);
    let claim = first(include_str!("../../src/fleet/testdata/nodeclaims.json"), 0);
    let pools: Value = serde_json::from_str(include_str!("../../src/fleet/testdata/nodepools.json")).expect("a list");
    let mut all = Vec::new();
    all.extend(pools["items"].as_array().expect("pools").iter().map(|pool| (Kind::Pool, pool.clone())));
    for n in 0..NODES {
        let (mut node, mut claim) = (node.clone(), claim.clone());
        let machine = json!(format!("aws:///z/i-{n}"));
        node["metadata"]["name"] = json!(format!("node-{n}"));
        node["spec"]["providerID"] = machine.clone();
        claim["metadata"]["name"] = json!(format!("claim-{n}"));
        claim["status"]["providerID"] = machine;
        all.extend([(Kind::Node, node), (Kind::Claim, claim)]);
    }
    for n in 0..PODS {
        let mut pod = if n < PENDING { pending.clone() } else { running.clone() };
        pod["metadata"]["name"] = json!(format!("pod-{n}"));
        pod["metadata"]["annotations"]["job.runner.gitlab.com/id"] = json!(n.to_string());
        if n >= PENDING {
            pod["spec"]["nodeName"] = json!(format!("node-{}", n % NODES));
        }
        all.push((Kind::Pod, pod));
    }
    all
}

/// The same, read.
pub fn read(objects: &[(Kind, Value)]) -> Vec<(Kind, Object)> {
    objects.iter().map(|(kind, object)| (*kind, Object::read(*kind, object).expect("an object"))).collect()
}
