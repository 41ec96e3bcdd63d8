//! The numbers themselves, by family.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::cluster::Cluster;
use super::super::fleet::{Host, Runner};
use super::super::world::World;
use crate::ci::{Status, Timestamp};

pub type Labels = BTreeMap<&'static str, String>;

/// The samples of one name.
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    kind: &'static str,
    help: &'static str,
    pub samples: Vec<(Labels, f64)>,
}

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    pairs.into_iter().map(|(key, value)| (key, value.to_owned())).collect()
}

/// What Karpenter exports.
pub fn karpenter(cluster: &Cluster) -> Vec<Family> {
    let pools = cluster.pool_amounts();
    let gauge = |name, help, samples| Family { name, kind: "gauge", help, samples };
    let amount = |pool, resource, value: f64| (labels([("nodepool", pool), ("resource_type", resource)]), value);
    let usage = pools.iter().flat_map(|pool| {
        [amount(pool.pool, "cpu", f64::from(pool.cores)), amount(pool.pool, "memory", pool.memory as f64)]
    });
    let limit = pools.iter().filter_map(|pool| Some(amount(pool.pool, "cpu", f64::from(pool.limit_cores?))));
    let cost = pools.iter().map(|pool| (labels([("nodepool", pool.pool)]), pool.cost));
    let prices = Cluster::prices().into_iter().map(|(made, capacity, zone, price)| {
        (labels([("instance_type", &made), ("capacity_type", capacity), ("zone", zone)]), price)
    });
    let told = cluster.tallies();
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, kind) in &told.interrupted {
        *counted.entry(kind).or_default() += 1;
    }
    let messages = counted.into_iter().map(|(kind, count)| (labels([("message_type", kind)]), count as f64));
    let created = told.ordered.iter().map(|(pool, count)| {
        let labels = labels([("nodepool", *pool), ("reason", "provisioned"), ("min_values_relaxed", "false")]);
        (labels, *count as f64)
    });
    vec![
        gauge(
            "karpenter_cloudprovider_instance_type_offering_price_estimate",
            "Instance type offering estimated hourly price used when making informed decisions on node cost calculation, based on instance type, capacity type, and zone.",
            prices.collect(),
        ),
        Family {
            name: "karpenter_interruption_received_messages_total",
            kind: "counter",
            help: "Count of messages received from the SQS queue. Broken down by message type and whether the message was actionable.",
            samples: messages.collect(),
        },
        Family {
            name: "karpenter_nodeclaims_created_total",
            kind: "counter",
            help: "Number of nodeclaims created in total by Karpenter. Labeled by reason the nodeclaim was created, the owning nodepool, and if min values was relaxed for this nodeclaim.",
            samples: created.collect(),
        },
        gauge(
            "karpenter_cluster_state_synced",
            "Returns 1 if cluster state is synced and 0 otherwise.",
            vec![(labels([]), 1.0)],
        ),
        gauge("karpenter_nodepools_cost_total", "Total cost of the nodepool, in USD an hour.", cost.collect()),
        gauge(
            "karpenter_nodepools_limit",
            "Limits specified on the nodepool that restrict the quantity of resources provisioned. Labeled by nodepool name and resource type.",
            limit.collect(),
        ),
        gauge(
            "karpenter_nodepools_usage",
            "The amount of resources that have been provisioned for a nodepool. Labeled by nodepool name and resource type.",
            usage.collect(),
        ),
    ]
}

fn of_manager(world: &World, index: usize, runner: &Runner, all: &mut [Family; 4]) {
    let who =
        labels([("runner", &*runner.token), ("runner_name", &*runner.description), ("system_id", &*runner.system_id)]);
    let [jobs, concurrent, limit, total] = all;
    let mine = || world.jobs().filter(move |job| job.runner == Some(index));
    let running = mine().filter(|job| job.status == Status::Running).count();
    // Absent, not zero, when it is idle.
    if running > 0 {
        let mut labels = who.clone();
        labels.extend([
            ("state", "running".to_owned()),
            ("stage", "step_script".to_owned()),
            ("executor_stage", "run".to_owned()),
        ]);
        jobs.samples.push((labels, running as f64));
    }
    // One process, one setting.
    concurrent.samples.push((who.clone(), f64::from(runner.slots)));
    limit.samples.push((who.clone(), 0.0));
    total.samples.push((who, mine().filter(|job| job.started_at.is_some()).count() as f64));
}

fn empty() -> [Family; 4] {
    let family = |name, kind, help| Family { name, kind, help, samples: Vec::new() };
    [
        family("gitlab_runner_jobs", "gauge", "The current number of running builds"),
        family("gitlab_runner_concurrent", "gauge", "The current value of concurrent setting"),
        family("gitlab_runner_limit", "gauge", "The current value of limit setting"),
        family("gitlab_runner_jobs_total", "counter", "Total number of handled jobs"),
    ]
}

fn gathered(world: &World, wanted: impl Fn(&Runner) -> bool) -> [Family; 4] {
    let mut all = empty();
    let is_on_cluster = |runner: &Runner| matches!(runner.host, Host::Cluster | Host::WindowsCluster);
    for (index, runner) in world.runners().iter().enumerate().filter(|(_, r)| is_on_cluster(r) && wanted(r)) {
        of_manager(world, index, runner, &mut all);
    }
    all
}

/// What all runner managers of the cluster export.
pub fn managers(world: &World) -> [Family; 4] {
    gathered(world, |_| true)
}

/// The same, with the label that Prometheus gives a target: the pod.
pub fn scraped(world: &World) -> [Family; 4] {
    let mut all = managers(world);
    for (labels, _) in all.iter_mut().flat_map(|family| &mut family.samples) {
        let pod = labels.get("runner_name").cloned().unwrap_or_default();
        labels.insert("pod", pod);
    }
    all
}

/// What the kubelets' cAdvisor exports of the scripts of jobs, by a moment; it alone has a history.
pub fn containers(cluster: &Cluster, at: Timestamp) -> Vec<Family> {
    let mut families = [
        ("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds."),
        (
            "container_memory_usage_bytes",
            "gauge",
            "Current memory usage in bytes, including all memory regardless of when it was accessed",
        ),
        ("container_network_receive_bytes_total", "counter", "Cumulative count of bytes received"),
        ("container_network_transmit_bytes_total", "counter", "Cumulative count of bytes transmitted"),
    ]
    .map(|(name, kind, help)| Family { name, kind, help, samples: Vec::new() });
    for (pod, used) in cluster.used_at(at) {
        let script = labels([("namespace", "pipeline"), ("pod", pod), ("container", "build")]);
        // All containers of a pod share its network, which is told with the one that holds it.
        let network = labels([("namespace", "pipeline"), ("pod", pod), ("interface", "eth0")]);
        let [cpu, memory, received, sent] = &mut families;
        cpu.samples.push((script.clone(), used.cpu));
        memory.samples.push((script, used.memory as f64));
        received.samples.push((network.clone(), used.received as f64));
        sent.samples.push((network, used.sent as f64));
    }
    families.into()
}

/// How much a series grew since a moment; `None` of what has no history.
pub fn increase(cluster: &Cluster, name: &str, labels: &Labels, since: Timestamp) -> Option<f64> {
    let kind = labels.get("message_type").filter(|_| name == "karpenter_interruption_received_messages_total")?;
    let told = cluster.tallies().interrupted.iter().rev().take_while(|(at, _)| *at >= since);
    Some(told.filter(|(_, told)| told == kind).count() as f64)
}

/// What one of them exports; `None` when there is none of that name.
pub fn manager(world: &World, name: &str) -> Option<[Family; 4]> {
    let all = gathered(world, |runner| &*runner.description == name);
    all.iter().any(|family| !family.samples.is_empty()).then_some(all)
}

/// The families as an exposition.
pub fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let Family { name, kind, help, samples } = family;
        // Writing into a text cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
        for (labels, value) in samples {
            let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let pairs: Vec<String> =
                labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
            writeln!(text, "{name}{{{}}} {value}", pairs.join(",")).ok();
        }
    }
    text
}
