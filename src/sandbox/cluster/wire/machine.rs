//! A machine twice: as Karpenter's claim and as the node that it became.

use serde_json::{Map, Value, json};

use super::super::machine::{Machine, Stage};
use super::super::pools::ZONES;
use super::pool::{requirements, taints};
use super::{seconds, status_condition, uid};
use crate::ci::Timestamp;

const CERTIFICATE_PENDING: &str = "node.spack.io/certificate-pending";

fn labels(machine: &Machine) -> Map<String, Value> {
    let (pool, made) = (machine.pool, machine.made);
    let (zone, zone_id) = ZONES.get(machine.zone).copied().unwrap_or(("us-east-1a", "use1-az4"));
    let mut labels = Map::new();
    let mut add = |key: &str, value: &str| labels.insert(key.to_owned(), value.into());
    for (key, value) in pool.labels {
        add(key, value);
    }
    add("karpenter.k8s.aws/ec2nodeclass", pool.node_class);
    add("karpenter.k8s.aws/instance-category", made.category());
    add("karpenter.k8s.aws/instance-cpu", &made.cores.to_string());
    add("karpenter.k8s.aws/instance-cpu-manufacturer", made.manufacturer());
    add("karpenter.k8s.aws/instance-family", made.family);
    add("karpenter.k8s.aws/instance-generation", made.generation());
    add("karpenter.k8s.aws/instance-memory", &made.mebibytes().to_string());
    add("karpenter.k8s.aws/instance-size", &made.size());
    add("karpenter.sh/capacity-type", pool.capacity_type());
    add("karpenter.sh/nodepool", pool.name);
    add("kubernetes.io/arch", pool.arch);
    add("kubernetes.io/os", pool.os);
    add("node.kubernetes.io/instance-type", &made.name());
    add("topology.ebs.csi.aws.com/zone", zone);
    add("topology.k8s.aws/zone-id", zone_id);
    add("topology.kubernetes.io/region", "us-east-1");
    add("topology.kubernetes.io/zone", zone);
    if pool.os == "windows" {
        add("node.kubernetes.io/windows-build", "10.0.26100");
    }
    labels
}

/// When it is to be gone; set while it is being taken away.
fn ending(metadata: &mut Value, machine: &Machine) {
    if let (Some(metadata), Some(at)) = (metadata.as_object_mut(), machine.leaving) {
        metadata.insert("deletionTimestamp".to_owned(), seconds(at).into());
        metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
        metadata.insert("finalizers".to_owned(), json!(["karpenter.sh/termination"]));
    }
}

fn amounts(machine: &Machine, is_capacity: bool) -> Value {
    let made = machine.made;
    if is_capacity {
        json!({
            "cpu": made.cores.to_string(),
            "memory": format!("{}Ki", made.memory_kib()),
            "pods": made.pods().to_string(),
            "ephemeral-storage": "209702892Ki",
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
        })
    } else {
        json!({
            "cpu": format!("{}m", made.allocatable_cpu()),
            "memory": format!("{}Ki", made.allocatable_kib()),
            "pods": made.pods().to_string(),
            "ephemeral-storage": "192188443124",
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
        })
    }
}

/// The NodeClaim.
pub fn claim(machine: &Machine, now: Timestamp) -> Value {
    let mut metadata = json!({
        "name": &*machine.claim,
        "uid": machine.claim_uid(),
        "generation": 1,
        "creationTimestamp": seconds(machine.ordered),
        "labels": labels(machine),
        "annotations": { "karpenter.k8s.aws/tagged": "true", "karpenter.sh/nodepool-hash-version": "v3" },
        "ownerReferences": [{
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePool",
            "name": machine.pool.name,
            "uid": uid("NodePool", machine.pool.name),
            "blockOwnerDeletion": true,
        }],
    });
    ending(&mut metadata, machine);
    let stages =
        [("Launched", Stage::Launched), ("Registered", Stage::Registered), ("Initialized", Stage::Initialized)];
    let reached = |stage: Stage| machine.reached(stage);
    let mut conditions: Vec<Value> = stages
        .iter()
        .map(|(kind, stage)| match reached(*stage) {
            Some(at) => status_condition(kind, Some(true), at, None),
            None => status_condition(kind, None, machine.ordered, None),
        })
        .collect();
    conditions.push(match reached(Stage::Initialized) {
        Some(at) => status_condition("Ready", Some(true), at, None),
        None => status_condition("Ready", None, machine.ordered, Some("ReconcilingDependents")),
    });
    if let Some(since) = machine.idle_since.filter(|_| machine.leaving.is_some()) {
        conditions.push(status_condition(
            "Consolidatable",
            Some(true),
            since.shifted(machine.pool.idle_seconds * 1_000),
            None,
        ));
    }
    if let Some(at) = machine.leaving {
        let is_gone = machine.is_down;
        let told = |is_done: bool| if is_done { Some(true) } else { None };
        conditions.push(status_condition("Drained", told(machine.pods.is_empty()), at, None));
        conditions.push(status_condition("VolumesDetached", told(machine.pods.is_empty()), at, None));
        conditions.push(status_condition("InstanceTerminating", told(is_gone), at, None));
    }
    let mut status = json!({ "conditions": conditions });
    if let Some(status) = status.as_object_mut().filter(|_| reached(Stage::Launched).is_some()) {
        status.insert("providerID".to_owned(), machine.provider_id().into());
        status.insert("imageID".to_owned(), "ami-0f00000000000000a".into());
        status.insert("capacity".to_owned(), amounts(machine, true));
        status.insert("allocatable".to_owned(), amounts(machine, false));
        status.insert("lastPodEventTime".to_owned(), seconds(machine.touched.min(now)).into());
    }
    if let Some(status) = status.as_object_mut().filter(|_| reached(Stage::Registered).is_some()) {
        status.insert("nodeName".to_owned(), (*machine.node).into());
    }
    let mut spec = json!({
        "nodeClassRef": { "group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": machine.pool.node_class },
        "expireAfter": "720h",
        "requirements": requirements(machine.pool),
        "resources": { "requests": {
            "cpu": format!("{}m", machine.ordered_cpu + 150),
            "memory": format!("{}Mi", (machine.ordered_memory >> 20) + 240),
            "pods": "5",
        } },
    });
    if let Some(spec) = spec.as_object_mut().filter(|_| machine.pool.is_for_jobs()) {
        spec.insert("taints".to_owned(), taints(machine.pool).into());
        let start = json!([{ "key": CERTIFICATE_PENDING, "value": "true", "effect": "NoSchedule" }]);
        spec.insert("startupTaints".to_owned(), start);
    }
    json!({ "apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": metadata, "spec": spec, "status": status })
}

fn taint(key: &str, effect: &str, since: Option<Timestamp>) -> Value {
    let mut taint = json!({ "key": key, "effect": effect });
    if let (Some(taint), Some(at)) = (taint.as_object_mut(), since) {
        taint.insert("timeAdded".to_owned(), seconds(at).into());
    }
    taint
}

fn kept_away(machine: &Machine) -> Vec<Value> {
    let mut all = taints(machine.pool);
    let joined = machine.reached(Stage::Joined);
    if machine.reached(Stage::Registered).is_none() {
        all.push(taint("karpenter.sh/unregistered", "NoExecute", None));
    }
    if machine.reached(Stage::Ready).is_none() || machine.is_down {
        all.push(taint("node.kubernetes.io/not-ready", "NoSchedule", joined));
    }
    if machine.pool.is_for_jobs() && machine.reached(Stage::Certified).is_none() {
        all.push(json!({ "key": CERTIFICATE_PENDING, "value": "true", "effect": "NoSchedule" }));
    }
    if let Some(at) = machine.pressure {
        all.push(taint("node.kubernetes.io/disk-pressure", "NoSchedule", Some(at)));
    }
    if let Some(at) = machine.cordoned {
        all.push(taint("node.kubernetes.io/unschedulable", "NoSchedule", Some(at)));
    }
    if machine.leaving.is_some() {
        all.push(taint("karpenter.sh/disrupted", "NoSchedule", None));
    }
    all
}

fn condition(kind: &str, is_true: bool, told: (&str, &str), since: Timestamp, now: Timestamp) -> Value {
    json!({
        "type": kind,
        "status": if is_true { "True" } else { "False" },
        "lastHeartbeatTime": seconds(now),
        "lastTransitionTime": seconds(since),
        "reason": told.0,
        "message": told.1,
    })
}

fn conditions(machine: &Machine, now: Timestamp) -> Vec<Value> {
    let joined = machine.reached(Stage::Joined).unwrap_or(machine.ordered);
    let ready = machine.reached(Stage::Ready);
    let disk = match machine.pressure {
        Some(since) => {
            condition("DiskPressure", true, ("KubeletHasDiskPressure", "kubelet has disk pressure"), since, now)
        }
        None => condition(
            "DiskPressure",
            false,
            ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            machine.relieved.unwrap_or(joined),
            now,
        ),
    };
    let is_ready = if machine.is_down {
        condition("Ready", false, ("KubeletNotReady", "node is shutting down"), machine.leaving.unwrap_or(now), now)
    } else {
        match ready {
            Some(at) => condition("Ready", true, ("KubeletReady", "kubelet is posting ready status"), at, now),
            None => {
                let told = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";
                condition("Ready", false, ("KubeletNotReady", told), joined, now)
            }
        }
    };
    let memory = ("KubeletHasSufficientMemory", "kubelet has sufficient memory available");
    let processes = ("KubeletHasSufficientPID", "kubelet has sufficient PID available");
    vec![
        condition("MemoryPressure", false, memory, joined, now),
        disk,
        condition("PIDPressure", false, processes, joined, now),
        is_ready,
    ]
}

/// The Node; `None` before it has joined.
pub fn node(machine: &Machine, now: Timestamp) -> Option<Value> {
    let joined = machine.reached(Stage::Joined)?;
    let mut labels = labels(machine);
    let mut add = |key: &str, value: &str| labels.insert(key.to_owned(), value.into());
    add("beta.kubernetes.io/arch", machine.pool.arch);
    add("beta.kubernetes.io/instance-type", &machine.made.name());
    add("beta.kubernetes.io/os", machine.pool.os);
    add("kubernetes.io/hostname", &machine.node);
    if machine.reached(Stage::Registered).is_some() {
        add("karpenter.sh/registered", "true");
    }
    if machine.reached(Stage::Initialized).is_some() {
        add("karpenter.sh/initialized", "true");
    }
    let mut metadata = json!({
        "name": &*machine.node,
        "uid": machine.node_uid(),
        "creationTimestamp": seconds(joined),
        "labels": labels,
        "annotations": {
            "karpenter.k8s.aws/ec2nodeclass-hash-version": "v4",
            "karpenter.sh/nodepool-hash-version": "v3",
        },
    });
    if let Some(notes) = metadata.pointer_mut("/annotations").and_then(Value::as_object_mut).filter(|_| machine.is_kept)
    {
        notes.insert("karpenter.sh/do-not-disrupt".to_owned(), "true".into());
    }
    ending(&mut metadata, machine);
    let mut spec = json!({ "providerID": machine.provider_id() });
    if let Some(spec) = spec.as_object_mut() {
        let taints = kept_away(machine);
        if !taints.is_empty() {
            spec.insert("taints".to_owned(), taints.into());
        }
        if machine.cordoned.is_some() {
            spec.insert("unschedulable".to_owned(), true.into());
        }
    }
    let instance = machine.instance.trim_start_matches("i-");
    let windows = machine.pool.os == "windows";
    Some(json!({
        "metadata": metadata,
        "spec": spec,
        "status": {
            "capacity": amounts(machine, true),
            "allocatable": amounts(machine, false),
            "conditions": conditions(machine, now),
            "addresses": [
                { "type": "InternalIP", "address": machine.address() },
                { "type": "Hostname", "address": &*machine.node },
            ],
            "daemonEndpoints": { "kubeletEndpoint": { "Port": 10_250 } },
            "nodeInfo": {
                "architecture": machine.pool.arch,
                "bootID": uid("boot", instance),
                "containerRuntimeVersion": "containerd://2.1.5",
                "kernelVersion": if windows { "10.0.26100.4652" } else { "6.12.58-82.121.amzn2023.x86_64" },
                "kubeProxyVersion": "v1.35.2-eks-b3126f4",
                "kubeletVersion": "v1.35.2-eks-b3126f4",
                "machineID": format!("ec2{instance}"),
                "operatingSystem": machine.pool.os,
                "osImage": if windows { "Windows Server 2025 Datacenter" } else { "Amazon Linux 2023.9.20251208" },
                "systemUUID": uid("system", instance),
            },
        },
    }))
}
