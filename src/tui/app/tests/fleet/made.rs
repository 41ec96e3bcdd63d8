//! An invented cluster beside the invented night: runners, nodes of two pools, pods that run, wait and died.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::night::Night;
use crate::ci::{RunnerId, Timestamp};
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::console::fleet::{
    Change, FleetFacts, FleetRules, Metrics, News, Phase, Silence, Source, SourceState, ToldAlert, ToldState,
};
use crate::fleet::{Kind, Object, Offer, Runner, RunnerStatus};

pub(super) const KOKKOS: u64 = 19_620_416;
pub(super) const NUMPY: u64 = 19_620_417;
const V3: &str = "runner-x86-v3-pub-gitlab-runner-6c9d7b8f5-7x2lp";
const V3_TWO: &str = "runner-x86-v3-pub-gitlab-runner-6c9d7b8f5-q8q8q";
const GRAVITON: &str = "runner-graviton4-pub-gitlab-runner-5f7c9-abcde";

fn ago(now: Timestamp, seconds: i64) -> String {
    now.shifted(-seconds * 1_000).to_string()
}

/// A night in which these sources are configured, and nothing was told yet.
pub(super) fn configured(sources: &[Source]) -> Night {
    let mut night = Night::busy();
    let rules = || FleetRules {
        slots: [("runner-x86-v3-pub", 4), ("runner-graviton4-pub", 2), ("uo-runner-17", 2), ("uo-runner-18", 2)]
            .map(|(class, slots)| (class.into(), slots))
            .into(),
        namespace: "pipeline".into(),
        manager_namespace: "gitlab".into(),
        ..FleetRules::default()
    };
    night.core.fleet = Box::new(FleetFacts::of(rules(), sources.iter().copied()));
    night.app.world.fleet = Box::new(FleetFacts::of(rules(), sources.iter().copied()));
    night
}

pub(super) fn tell(night: &mut Night, news: Vec<News>) {
    night.tell(Event::FleetTold(news.into()));
}

/// One kind, listed to its end.
pub(super) fn listed(night: &mut Night, source: Source, objects: &[Value]) {
    let kind = source.kind().unwrap();
    let objects: Vec<Object> = objects.iter().map(|object| Object::read(kind, object).unwrap()).collect();
    let seen: HashSet<_> = objects.iter().map(|object| object.uid().clone()).collect();
    let mut changes: Vec<Change> = objects.into_iter().map(Change::Put).collect();
    changes.push(Change::Listed { seen: Arc::new(seen) });
    let state = live(night);
    tell(night, vec![News::Changed { source, changes }, News::Seen { source, state }]);
}

pub(super) fn live(night: &Night) -> SourceState {
    SourceState { phase: Phase::Live, heard: Some(night.now), ..SourceState::default() }
}

/// How a source fares from now on.
pub(super) fn fares(night: &mut Night, source: Source, phase: Phase, heard: Option<Timestamp>) {
    let fault = Fault::new(FaultKind::Unreachable, format!("watch {}", source.word()), "no connection (refused)");
    let state = SourceState { phase, heard, fault: Some(fault), unreadable: 0 };
    tell(night, vec![News::Seen { source, state }]);
}

fn node(now: Timestamp, name: &str, pool: &str, machine: &str, ready: bool, age: i64) -> Value {
    let status = if ready { "True" } else { "False" };
    json!({
        "metadata": {"name": name, "uid": format!("node-{name}"), "creationTimestamp": ago(now, age), "labels": {
            "karpenter.sh/nodepool": pool, "karpenter.sh/capacity-type": "spot", "karpenter.sh/initialized": "true",
            "node.kubernetes.io/instance-type": machine, "topology.kubernetes.io/zone": "us-east-1a", "spack.io/pipeline": "true",
        }},
        "spec": {"providerID": format!("aws:///us-east-1a/{name}")},
        "status": {"allocatable": {"cpu": "16", "memory": "64Gi"}, "conditions": [{"type": "Ready", "status": status}]},
    })
}

fn pool(name: &str, used: u64) -> Value {
    json!({"metadata": {"name": name, "uid": format!("pool-{name}")},
        "spec": {"limits": {"cpu": 3840, "memory": "15Ti"}, "template": {"spec": {"requirements": [], "taints": []}}},
        "status": {"resources": {"cpu": used.to_string(), "memory": "1Ti"}}})
}

/// A pod of a job; without a node it is pending.
pub(super) struct Made<'a> {
    pub job: u64,
    pub runner: &'a str,
    pub node: Option<&'a str>,
    pub package: &'a str,
    pub state: Value,
    pub phase: &'a str,
    pub age: i64,
}

pub(super) fn pod(now: Timestamp, made: &Made<'_>) -> Value {
    let name = format!("runner-t3x9-project-2-concurrent-{}-x1y2z3", made.job % 100);
    let unscheduled = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/4 nodes are available: 3 Insufficient cpu, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."}]);
    json!({
        "metadata": {"name": name, "namespace": "pipeline", "uid": format!("pod-{}", made.job), "creationTimestamp": ago(now, made.age),
            "labels": {"spack.io/runner": "true", "gitlab/ci_job_id": made.job.to_string(), "metrics/spack_ci_stack_name": "e4s",
                "manager.runner.gitlab.com/name": made.runner},
            "annotations": {"job.runner.gitlab.com/id": made.job.to_string(), "metrics/spack_job_spec_pkg_name": made.package,
                "metrics/spack_job_spec_pkg_version": "4.4.01", "metrics/spack_job_spec_hash": "k3x2fzvbnwqxkqz5jzd3cnwvcf2f3u5a",
                "job.runner.gitlab.com/timeout": "4h0m0s"}},
        "spec": {"nodeName": made.node, "containers": [{"name": "build", "resources": {"requests": {"cpu": "4", "memory": "8Gi"}}}]},
        "status": {"phase": made.phase, "conditions": if made.node.is_none() { unscheduled } else { json!([]) },
            "containerStatuses": [{"name": "build", "state": made.state}]},
    })
}

fn runner(now: Timestamp, id: u64, description: &str, tags: &[&str], status: RunnerStatus) -> Arc<Runner> {
    Arc::new(Runner {
        status,
        is_paused: Some(false),
        contacted_at: Some(now.shifted(-1_800_000)),
        tags: Some(tags.iter().map(|tag| (*tag).into()).collect()),
        runs_untagged: Some(false),
        is_protected: Some(false),
        version: Some("19.2.0".into()),
        ..Runner::new(RunnerId(id), description)
    })
}

pub(super) fn runners(now: Timestamp) -> Vec<Arc<Runner>> {
    let x86 = ["spack", "public", "x86_64_v3", "large"];
    vec![
        runner(now, 1, V3, &x86, RunnerStatus::Online),
        runner(now, 2, V3_TWO, &x86, RunnerStatus::Offline),
        runner(now, 3, GRAVITON, &["spack", "public", "aarch64"], RunnerStatus::Online),
        runner(now, 17, "uo-runner-17-gitlab-runner-6c9-x2x", &["spack", "uo"], RunnerStatus::Online),
        runner(now, 18, "uo-runner-18-gitlab-runner-6c9-x2x", &["spack", "uo"], RunnerStatus::Online),
    ]
}

pub(super) fn pods(now: Timestamp) -> Vec<Value> {
    let running = |seconds: i64| json!({"running": {"startedAt": ago(now, seconds)}});
    let made = |job, runner, node, package, state, phase, age| {
        pod(now, &Made { job, runner, node, package, state, phase, age })
    };
    vec![
        made(KOKKOS, V3, Some("ip-10-0-1-7"), "kokkos", running(700), "Running", 760),
        made(NUMPY, V3, Some("ip-10-0-1-7"), "py-numpy", running(300), "Running", 390),
        made(19_620_901, GRAVITON, Some("ip-10-0-2-9"), "gcc", running(5_000), "Running", 5_100),
        made(
            19_620_902,
            GRAVITON,
            Some("ip-10-0-2-9"),
            "llvm",
            json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": ago(now, 900), "finishedAt": ago(now, 100)}}),
            "Failed",
            990,
        ),
        made(19_620_903, GRAVITON, None, "rust", json!({"waiting": {"reason": ""}}), "Pending", 510),
    ]
}

pub(super) fn nodes(now: Timestamp) -> Vec<Value> {
    vec![
        node(now, "ip-10-0-1-7", "glr-x86-64-v3", "m6i.4xlarge", true, 7_000),
        node(now, "ip-10-0-2-9", "glr-graviton4", "m8g.4xlarge", false, 9_000),
        node(now, "ip-10-0-1-8", "glr-x86-64-v3", "m6i.4xlarge", true, 400),
    ]
}

/// A source that answers on being asked.
fn answered(night: &mut Night, source: Source, news: News) {
    let state = live(night);
    tell(night, vec![news, News::Seen { source, state }]);
}

/// Everything is known.
pub(super) fn whole() -> Night {
    let mut night = configured(&Source::ALL);
    let now = night.now;
    answered(&mut night, Source::Runners, News::Runners(runners(now)));
    listed(&mut night, Source::Nodes, &nodes(now));
    listed(&mut night, Source::Pods, &pods(now));
    listed(&mut night, Source::Managers, &[]);
    listed(&mut night, Source::Claims, &[]);
    listed(&mut night, Source::Pools, &[pool("glr-x86-64-v3", 3_600), pool("glr-graviton4", 100)]);
    let event = json!({
        "metadata": {"name": "e1", "namespace": "pipeline", "uid": "e1"}, "reason": "FailedScheduling", "type": "Warning",
        "involvedObject": {"kind": "Pod", "name": "runner-t3x9-project-2-concurrent-3-x1y2z3", "uid": "pod-19620903"},
        "message": "0/4 nodes are available: 3 Insufficient cpu.", "source": {"component": "default-scheduler"},
        "firstTimestamp": ago(now, 500), "lastTimestamp": ago(now, 60),
    });
    listed(&mut night, Source::Events, &[event]);
    let offer = |machine: &str| Offer {
        instance_type: machine.into(),
        capacity_type: "spot".into(),
        zone: "us-east-1a".into(),
    };
    answered(&mut night, Source::Prices, News::Prices(vec![(offer("m6i.4xlarge"), 0.31)]));
    let metrics =
        Metrics { synced: Some(1.0), reclaims: Some(12.0), launch_failures: Some(Vec::new()), ..Metrics::default() };
    answered(&mut night, Source::Metrics, News::Metrics(metrics));
    answered(&mut night, Source::Uses, News::Uses(Vec::new()));
    let silence = Silence {
        id: "s1".into(),
        matches: "alertname=\"GitlabPipelinePodStuck\"".into(),
        is_active: true,
        starts: now.shifted(-600_000),
        ends: now.shifted(3_000_000),
        author: "amy".into(),
        comment: "watching uo-19".into(),
    };
    let told = |name: &str, severity: &str, silenced: &[&str]| {
        let labels =
            [("alertname", name), ("severity", severity), ("pod", "runner-t3x9-project-2-concurrent-16-x1y2z3")];
        Arc::new(ToldAlert {
            fingerprint: name.into(),
            name: name.into(),
            labels: labels.map(|(name, value)| (name.into(), value.into())).into(),
            words: "the pod \u{1b}[2J did nothing for five minutes".into(),
            since: now.shifted(-900_000),
            state: if silenced.is_empty() { ToldState::Active } else { ToldState::Suppressed },
            silenced_by: silenced.iter().map(|id| (*id).into()).collect(),
            inhibited_by: Vec::new(),
        })
    };
    let alerts = vec![told("ContainerOOMKilled", "critical", &[]), told("GitlabPipelinePodStuck", "info", &["s1"])];
    answered(&mut night, Source::Alerts, News::Alerts { alerts, silences: vec![Arc::new(silence)] });
    later(&mut night, 20);
    night
}

/// Time goes by, and sources go on.
pub(super) fn later(night: &mut Night, seconds: i64) {
    night.now = night.now.shifted(seconds * 1_000);
    night.tell(Event::Ticked);
}

/// A cluster of many pods.
pub(super) fn huge() -> Night {
    let mut night = configured(&Source::ALL);
    let now = night.now;
    tell(&mut night, vec![News::Runners(runners(now))]);
    let nodes: Vec<Value> = (0..200)
        .map(|n| {
            node(
                now,
                &format!("ip-10-1-{}-{}", n / 100, n % 100),
                "glr-x86-64-v3",
                "m6i.4xlarge",
                n % 50 != 7,
                3_000 + n,
            )
        })
        .collect();
    listed(&mut night, Source::Nodes, &nodes);
    let pods: Vec<Value> = (0..2_000_u64)
        .map(|n| {
            let name = format!("ip-10-1-{}-{}", (n % 200) / 100, n % 100);
            let is_pending = n % 10 == 3;
            let state = if is_pending {
                json!({"waiting": {"reason": ""}})
            } else {
                json!({"running": {"startedAt": ago(now, 60 + (n % 90) as i64)}})
            };
            let runner = [V3, V3_TWO, GRAVITON][(n % 3) as usize];
            let node = (!is_pending).then_some(name.as_str());
            let phase = if is_pending { "Pending" } else { "Running" };
            let mut made = pod(
                now,
                &Made {
                    job: 30_000_000 + n,
                    runner,
                    node,
                    package: "py-a-package-with-a-long-name",
                    state,
                    phase,
                    age: 200 + (n % 300) as i64,
                },
            );
            made["metadata"]["name"] = json!(format!("runner-t3x9-project-2-concurrent-{n}-x1y2z3"));
            made
        })
        .collect();
    listed(&mut night, Source::Pods, &pods);
    later(&mut night, 20);
    night
}

/// What every source of the cluster says of itself.
pub(super) fn cluster_fares(night: &mut Night, phase: &Phase, heard: Option<Timestamp>) {
    for source in Source::ALL.into_iter().filter(|source| source.kind().is_some()) {
        fares(night, source, phase.clone(), heard);
    }
}

pub(super) const MINUTE: Duration = Duration::from_mins(1);

pub(super) fn kinds_known(night: &Night) -> Vec<Kind> {
    [Kind::Pod, Kind::Node, Kind::Claim, Kind::Pool, Kind::Event]
        .into_iter()
        .filter(|kind| night.app.world.fleet.objects.knows(*kind))
        .collect()
}
