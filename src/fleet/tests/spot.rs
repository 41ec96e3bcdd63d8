//! The reclaim among the samples, and what it cost.

use super::super::{Interruption, Interruptions, Kind, Ledger, Object, Uid};
use super::fixtures::{complete, now, small};
use crate::ci::{JobId, Timestamp};

#[test]
fn one_reclaim_is_told_once_with_the_jobs_that_it_hit() {
    let mut fleet = small();
    complete(&mut fleet);
    let (mut ledger, mut seen) = (Ledger::default(), Interruptions::default());
    ledger.sample(&fleet, now());
    seen.note(&fleet, &ledger, now());
    seen.note(&fleet, &ledger, now());
    let told: Vec<_> = seen.timeline().map(|i| (i.kind, i.node.as_deref().unwrap(), i.pool.as_deref())).collect();
    let pool = Some("glr-x86-64-v3");
    assert_eq!(
        told,
        [
            (Interruption::Reclaim, "ip-192-168-26-222.ec2.internal", pool),
            (Interruption::Rebalance, "ip-192-168-23-111.ec2.internal", None),
        ]
    );
    let reclaim = seen.timeline().next().unwrap();
    assert_eq!(reclaim.claim.as_deref(), Some("glr-x86-64-v3-4c1b3"));
    assert_eq!(reclaim.gone_at(), Timestamp::parse("2026-08-20T14:30:20Z"));
    assert_eq!(reclaim.drained_at, Timestamp::parse("2026-08-20T14:28:21Z"));
    let hits: Vec<_> =
        reclaim.hits.values().map(|hit| (hit.job.unwrap(), hit.is_running, hit.ran.unwrap().as_secs())).collect();
    // Job 18005271 was terminated 14:28:50 after its start 13:58:20; the other still runs.
    assert!(hits.contains(&(JobId(18_005_271), false, 1_830)), "{hits:?}");
    assert_eq!(hits.len(), 2);
    assert_eq!(reclaim.lost().1, 1, "the lost job was never seen running, so its cost is unknown");
    assert_eq!(seen.reclaims_since(now().shifted(-900_000)), 1);
}

#[test]
fn what_was_lost_is_known_after_everything_is_gone() {
    let mut fleet = small();
    complete(&mut fleet);
    let (mut ledger, mut seen) = (Ledger::default(), Interruptions::default());
    ledger.sample(&fleet, now());
    seen.note(&fleet, &ledger, now());
    for pod in fleet.pods().map(|pod| pod.uid.clone()).collect::<Vec<Uid>>() {
        fleet.delete(Kind::Pod, &pod);
    }
    for event in fleet.events().map(|event| event.uid.clone()).collect::<Vec<Uid>>() {
        fleet.delete(Kind::Event, &event);
    }
    seen.note(&fleet, &ledger, now());
    seen.know_retried(JobId(18_005_271), true);
    let reclaim = seen.timeline().next().unwrap();
    assert!(reclaim.hits.values().all(|hit| !hit.is_running));
    let (lost, unknown) = reclaim.lost();
    assert!(lost.amount() > 0.0 && unknown == 1);
    assert_eq!(reclaim.hits.values().filter(|hit| hit.is_retried == Some(true)).count(), 1);
}

#[test]
fn an_instance_that_ends_is_no_reclaim() {
    let mut fleet = small();
    let event = serde_json::json!({
        "metadata": {"name": "x"}, "involvedObject": {"kind": "Node", "name": "ip-192-168-22-74.ec2.internal"},
        "reason": "InstanceTerminating", "firstTimestamp": "2026-08-20T14:29:00Z",
    });
    fleet.upsert(Object::read(Kind::Event, &event).unwrap());
    let mut seen = Interruptions::default();
    seen.note(&fleet, &Ledger::default(), now());
    assert_eq!((seen.timeline().count(), seen.reclaims_since(now().shifted(-3_600_000))), (3, 1));
}
