//! Each alert on facts for which it holds, for which it does not, and without facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ci::{JobId, RunnerId, Timestamp};
use crate::fleet::runner::Host;
use crate::fleet::tests::small_samples as small;
use crate::fleet::{
    Alert, Fleet, HostNames, JobEvidence, Object, Quantity, Queue, Runner, RunnerClass, RunnerStatus, Standstill,
    Stuck, Takers, Thresholds, Usage,
};

fn now() -> Timestamp {
    Timestamp::parse("2026-08-20T14:30:00Z").unwrap()
}

fn queue(tags: &[&str], minutes: u64, takers: Takers) -> Queue {
    Queue {
        tags: tags.iter().map(|tag| Arc::from(*tag)).collect(),
        is_protected: Some(false),
        waiting: vec![JobId(1), JobId(2)],
        oldest: Some(Duration::from_mins(minutes)),
        median: None,
        p95: None,
        started: 0,
        takers,
    }
}

fn class(name: &str, running: u64, slots: Option<u64>) -> RunnerClass {
    RunnerClass {
        name: name.into(),
        host: Host::Cluster,
        machine: None,
        runners: Vec::new(),
        tags: None,
        at_work: Some(1),
        paused: 0,
        running: Some(running),
        slots,
    }
}

fn told(facts: &Facts<'_>, alert: Alert) -> Result<Vec<String>, &'static str> {
    match judge(facts, &Thresholds::default(), now()).remove(&alert).unwrap() {
        Verdict::Holds(held) => Ok(held.into_iter().map(|held| format!("{}: {}", held.subject, held.words)).collect()),
        Verdict::Unknown(why) => Err(why),
    }
}

#[test]
fn without_facts_nothing_is_said() {
    let (fleet, hosts) = (Fleet::default(), HostNames::default());
    let facts = Facts::of(&fleet, &hosts);
    for alert in Alert::ALL.iter().filter(|alert| **alert != Alert::SourceStale) {
        assert!(told(&facts, *alert).is_err(), "{}", alert.word());
    }
    let nan = Facts { synced: Some(f64::NAN), spot_interruptions: Some(f64::NAN), ..facts };
    assert!(told(&nan, Alert::KarpenterUnsynced).is_err() && told(&nan, Alert::SpotReclaimBurst).is_err());
}

#[test]
fn runner_class_unavailable() {
    let (fleet, hosts) = (Fleet::default(), HostNames::default());
    let classes = |name: &str| BTreeSet::from([Arc::from(name)]);
    let queues = [
        queue(&["a", "b"], 1, Takers::Nobody),
        queue(&["c"], 1, Takers::NoneAtWork(classes("uo-1"))),
        queue(&["d"], 1, Takers::Classes(classes("r"))),
    ];
    let facts = Facts { queues: Some(&queues), ..Facts::of(&fleet, &hosts) };
    let want = ["a,b: 2 waiting; no runner has these tags", "c: 2 waiting; uo-1 would and is not at work"];
    assert_eq!(told(&facts, Alert::RunnerClassUnavailable).unwrap(), want);
    let unsure = [queue(&["a"], 1, Takers::Unknown)];
    assert!(told(&Facts { queues: Some(&unsure), ..facts }, Alert::RunnerClassUnavailable).is_err());
    assert_eq!(told(&Facts { queues: Some(&[]), ..facts }, Alert::RunnerClassUnavailable), Ok(vec![]));
}

#[test]
fn runner_class_saturated() {
    let (fleet, hosts) = (Fleet::default(), HostNames::default());
    let judge = |running: u64, slots: Option<u64>, minutes: u64| {
        let classes = [class("r", running, slots)];
        let queues = [queue(&["a"], minutes, Takers::Classes(BTreeSet::from([Arc::from("r")])))];
        told(
            &Facts { classes: Some(&classes), queues: Some(&queues), ..Facts::of(&fleet, &hosts) },
            Alert::RunnerClassSaturated,
        )
    };
    assert_eq!(judge(114, Some(120), 15), Ok(vec!["r: 114 of 120 slots, oldest waits 15m00".to_owned()]));
    assert_eq!((judge(113, Some(120), 15), judge(114, Some(120), 14)), (Ok(vec![]), Ok(vec![])));
    assert!(judge(114, None, 15).is_err(), "slots are not known");
}

#[test]
fn runner_on_prem_silent() {
    let hosts = HostNames::default();
    let mut fleet = Fleet::default();
    let ago = |minutes: i64| Some(now().shifted(-minutes * 60_000));
    let runner = |id, name: &str, minutes| Runner {
        status: RunnerStatus::Online,
        is_paused: Some(false),
        contacted_at: ago(minutes),
        tags: Some(BTreeSet::from([Arc::from("cray")])),
        is_protected: Some(false),
        ..Runner::new(RunnerId(id), name)
    };
    fleet.set_runners([
        runner(1, "uo-1", 121),
        runner(2, "uo-2", 50),
        runner(3, "uo-3", 130),
        runner(4, "runner-x", 130),
    ]);
    let jobs = BTreeMap::from([(RunnerId(3), JobEvidence { is_running: false, ended: ago(119) })]);
    let queues = [queue(&["cray"], 1, Takers::Unknown)];
    let facts = Facts { queues: Some(&queues), jobs: Some(&jobs), ..Facts::of(&fleet, &hosts) };
    assert_eq!(told(&facts, Alert::RunnerOnPremSilent).unwrap(), ["uo-1: 2 waiting for it; last contact 2h01 ago"]);
    assert_eq!(told(&Facts { queues: Some(&[]), ..facts }, Alert::RunnerOnPremSilent), Ok(vec![]));
}

#[test]
fn pods_nodes_and_pools_of_the_samples() {
    let hosts = HostNames::default();
    let mut fleet = small();
    let names = |fleet: &Fleet, alert: Alert| told(&Facts::of(fleet, &hosts), alert).unwrap();
    assert_eq!(names(&fleet, Alert::PodPendingDeadline), Vec::<String>::new(), "205 has 180 s left");
    assert_eq!(
        names(&fleet, Alert::PodNeverFits),
        ["runner-t1kk5rr1-project-57-concurrent-202-a565f9e0: no machine of pool x86-64-v2-win is large enough"]
    );
    assert_eq!(names(&fleet, Alert::JobOOMKilled), ["py-torch: 1 build killed for want of memory"]);
    assert_eq!(names(&fleet, Alert::NodePoolNearLimit), Vec::<String>::new());
    let mut pool = fleet.pool("glr-graviton4").unwrap().clone();
    pool.used.cpu = Quantity::parse("3456").ok();
    fleet.upsert(Object::Pool(Arc::new(pool)));
    assert_eq!(names(&fleet, Alert::NodePoolNearLimit), ["glr-graviton4: 90 % of its cpu limit"]);
    let mut node = fleet.node("ip-192-168-30-120.ec2.internal").unwrap().clone();
    node.created = Some(now().shifted(-301_000));
    fleet.upsert(Object::Node(Arc::new(node.clone())));
    assert_eq!(
        names(&fleet, Alert::CertificatePendingTaint),
        ["ip-192-168-30-120.ec2.internal: certificate pending for 5m01"]
    );
    node.created = Some(now().shifted(-300_000));
    fleet.upsert(Object::Node(Arc::new(node)));
    assert_eq!(names(&fleet, Alert::CertificatePendingTaint), Vec::<String>::new());
    let later = now().shifted(60_000);
    let Verdict::Holds(near) =
        judge(&Facts::of(&fleet, &hosts), &Thresholds::default(), later).remove(&Alert::PodPendingDeadline).unwrap()
    else {
        panic!()
    };
    assert_eq!(near.len(), 1);
    assert!(near[0].words.starts_with("2m00 left; its image does not come"), "{}", near[0].words);
}

#[test]
fn karpenters_metrics() {
    let (fleet, hosts) = (Fleet::default(), HostNames::default());
    let failures = [
        ("us-east-1d", "UnfulfillableCapacity", 10.0),
        ("us-east-1a", "MaxSpotInstanceCountExceeded", 4.0),
        ("x", "y", f64::NAN),
    ];
    let failures =
        failures.map(|(zone, reason, count)| LaunchFailures { zone: zone.into(), reason: reason.into(), count });
    let facts = Facts {
        launch_failures: Some(&failures),
        spot_interruptions: Some(10.0),
        synced: Some(0.0),
        ..Facts::of(&fleet, &hosts)
    };
    assert_eq!(
        told(&facts, Alert::SpotCapacityMissing).unwrap(),
        ["us-east-1d UnfulfillableCapacity: 10 failed launches in 15 min (≥ 10)"]
    );
    assert_eq!(told(&facts, Alert::SpotReclaimBurst).unwrap(), ["cluster: 10 reclaims in 15 min (≥ 10)"]);
    assert_eq!(told(&facts, Alert::KarpenterUnsynced).unwrap().len(), 1);
    let well = Facts { launch_failures: Some(&[]), spot_interruptions: Some(9.0), synced: Some(1.0), ..facts };
    for alert in [Alert::SpotCapacityMissing, Alert::SpotReclaimBurst, Alert::KarpenterUnsynced] {
        assert_eq!(told(&well, alert), Ok(vec![]), "{}", alert.word());
    }
}

#[test]
fn stuck_pods_infrastructure_and_stale_sources() {
    let hosts = HostNames::default();
    let fleet = small();
    let pod = fleet.pods().find(|pod| pod.name.contains("-concurrent-209-")).unwrap();
    let last = Usage { at: now(), cpu: 1.0, memory: 1.0, received: 1.0, sent: 1.0 };
    let stuck = [(pod.uid.clone(), Stuck::Stuck(Standstill { since: now().shifted(-360_000), last }))];
    let source = |name: &str, good: Option<i64>| SourceAge {
        name: name.into(),
        asked_since: now().shifted(-91_000),
        last_good: good.map(|seconds| now().shifted(-seconds * 1_000)),
        interval: Duration::from_secs(30),
    };
    let sources = [source("gitlab", Some(89)), source("kubernetes", Some(90)), source("prometheus", None)];
    let facts = Facts {
        stuck: Some(&stuck),
        infra: Some(InfraFigures { failures: 20, ended: 200 }),
        sources: &sources,
        ..Facts::of(&fleet, &hosts)
    };
    assert_eq!(
        told(&facts, Alert::PodStuck).unwrap(),
        [format!("{}: no CPU, memory or bytes since 6m00; job 18005313", pod.name)]
    );
    assert_eq!(told(&facts, Alert::InfraFailureRate).unwrap(), ["all jobs: 20 of 200 jobs in 1 h (10 %)"]);
    let stale = ["kubernetes: no good answer for 1m30", "prometheus: no good answer since the start, 1m31 ago"];
    assert_eq!(told(&facts, Alert::SourceStale).unwrap(), stale);
    for few in [
        InfraFigures { failures: 19, ended: 19 },
        InfraFigures { failures: 20, ended: 201 },
        InfraFigures { failures: 0, ended: 0 },
    ] {
        assert_eq!(told(&Facts { infra: Some(few), ..facts }, Alert::InfraFailureRate), Ok(vec![]), "{few:?}");
    }
}

#[test]
fn a_finding_waits_fires_and_resolves_and_silence_is_no_recovery() {
    let thresholds = Thresholds::default();
    let mut findings = Findings::default();
    let holds = |subjects: &[&str]| {
        Verdict::Holds(subjects.iter().map(|s| Held { subject: (*s).into(), words: String::new() }).collect())
    };
    let mut at = |minute: i64, verdict: Verdict| {
        let changes = findings.update(
            BTreeMap::from([(Alert::RunnerClassSaturated, verdict)]),
            &thresholds,
            now().shifted(minute * 60_000),
        );
        let changes: Vec<String> = changes
            .into_iter()
            .map(|change| match change {
                Change::Fired(finding) => format!("+{}", finding.subject),
                Change::Resolved(finding) => format!("-{}", finding.subject),
            })
            .collect();
        let list: Vec<(String, bool, bool)> = findings
            .list()
            .iter()
            .map(|f| (f.subject.to_string(), f.state == FindingState::Firing, f.is_fresh))
            .collect();
        (changes, list, findings.unknown().count())
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(
        at(0, holds(&["a", "b"])),
        (none.clone(), vec![("a".into(), false, true), ("b".into(), false, true)], 0)
    );
    assert_eq!(
        at(9, holds(&["a"])),
        (none.clone(), vec![("a".into(), false, true)], 0),
        "a pending one goes without a word"
    );
    assert_eq!(at(10, holds(&["a"])), (vec!["+a".to_owned()], vec![("a".into(), true, true)], 0));
    assert_eq!(
        at(11, holds(&["a", "b"])),
        (none.clone(), vec![("a".into(), true, true), ("b".into(), false, true)], 0)
    );
    assert_eq!(
        at(30, Verdict::Unknown("slots")),
        (none.clone(), vec![("a".into(), true, false), ("b".into(), false, false)], 1)
    );
    assert_eq!(at(31, holds(&[])), (vec!["-a".to_owned()], vec![], 0));
}
