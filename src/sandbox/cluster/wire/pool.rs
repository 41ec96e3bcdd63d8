//! Pools, their class of nodes, and namespaces.

use serde_json::{Map, Value, json};

use super::super::pools::{Pool, ZONES};
use super::{seconds, status_condition, uid};
use crate::ci::Timestamp;

/// What the machines of a pool amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub nodes: u32,
    pub cores: u32,
    pub memory_kib: u64,
    pub pods: u32,
}

fn requirement(key: &str, values: &[&str]) -> Value {
    json!({ "key": key, "operator": "In", "values": values })
}

/// What a pool demands of its machines.
pub fn requirements(pool: &Pool) -> Vec<Value> {
    let mut all = vec![requirement("kubernetes.io/arch", &[pool.arch])];
    if !pool.families.is_empty() {
        all.push(requirement("karpenter.k8s.aws/instance-family", pool.families));
    }
    all.push(requirement("karpenter.k8s.aws/instance-size", pool.sizes));
    all.push(requirement("topology.kubernetes.io/zone", &ZONES.map(|(zone, _)| zone)));
    all.push(requirement("kubernetes.io/os", &[pool.os]));
    all.push(requirement("karpenter.sh/capacity-type", &[pool.capacity_type()]));
    all
}

pub fn taints(pool: &Pool) -> Vec<Value> {
    pool.taints.iter().map(|key| json!({ "key": key, "value": "true", "effect": "NoSchedule" })).collect()
}

/// A NodePool. `cores` is its limit where that is not the usual one.
pub fn pool(pool: &Pool, made: Timestamp, used: Used, cores: Option<u32>) -> Value {
    let labels: Map<String, Value> = pool.labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
    let mut template = json!({
        "expireAfter": "720h",
        "nodeClassRef": { "group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": pool.node_class },
        "requirements": requirements(pool),
    });
    if let Some(template) = template.as_object_mut().filter(|_| pool.is_for_jobs()) {
        template.insert("taints".to_owned(), taints(pool).into());
        let start = json!([{ "key": "node.spack.io/certificate-pending", "value": "true", "effect": "NoSchedule" }]);
        template.insert("startupTaints".to_owned(), start);
    }
    let after = if pool.idle_seconds == 300 { "5m".to_owned() } else { format!("{}s", pool.idle_seconds) };
    let mut spec = json!({
        "disruption": { "budgets": [{ "nodes": "10%" }], "consolidateAfter": after, "consolidationPolicy": "WhenEmpty" },
        "template": { "metadata": { "labels": labels }, "spec": template },
    });
    if let (Some(spec), Some((usual, memory))) = (spec.as_object_mut(), pool.limit) {
        let mut limits = json!({ "cpu": cores.unwrap_or(usual) });
        if let Some(limits) = limits.as_object_mut().filter(|_| !memory.is_empty()) {
            limits.insert("memory".to_owned(), memory.into());
        }
        spec.insert("limits".to_owned(), limits);
    }
    let told = ["ValidationSucceeded", "NodeClassReady", "NodeRegistrationHealthy", "Ready"];
    json!({
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {
            "name": pool.name,
            "uid": uid("NodePool", pool.name),
            "generation": 1,
            "creationTimestamp": seconds(made),
            "annotations": { "karpenter.sh/nodepool-hash": "11784020164285402386", "karpenter.sh/nodepool-hash-version": "v3" },
        },
        "spec": spec,
        "status": {
            "conditions": told.map(|kind| status_condition(kind, Some(true), made, None)),
            "nodes": used.nodes,
            "resources": {
                "cpu": used.cores.to_string(),
                "memory": format!("{}Ki", used.memory_kib),
                "nodes": used.nodes.to_string(),
                "pods": used.pods.to_string(),
            },
        },
    })
}

/// An EC2NodeClass, as far as it matters that there is one.
pub fn node_class(name: &str, made: Timestamp) -> Value {
    let family = if name == "windows" { "Windows2022" } else { "AL2023" };
    json!({
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {
            "name": name,
            "uid": uid("EC2NodeClass", name),
            "generation": 1,
            "creationTimestamp": seconds(made),
        },
        "spec": { "amiFamily": family, "role": "KarpenterNodeRole-practice" },
        "status": { "conditions": [status_condition("Ready", Some(true), made, None)] },
    })
}

pub fn namespace(name: &str, made: Timestamp) -> Value {
    json!({
        "metadata": {
            "name": name,
            "uid": uid("Namespace", name),
            "creationTimestamp": seconds(made),
            "labels": { "kubernetes.io/metadata.name": name },
        },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}
