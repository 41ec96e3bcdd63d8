//! Why the sample pods do not start, and for how long they still may not.

use std::sync::Arc;

use serde_json::json;

use super::super::{Fit, Fleet, Kind, Object, Pending, PendingClass, Thresholds, Uid, impossibilities};
use super::fixtures::{all, now, small};

fn pending(fleet: &Fleet, n: &str) -> Option<Pending> {
    let pod = fleet.pods().find(|pod| pod.name.contains(&format!("-concurrent-{n}-"))).unwrap();
    Pending::of(fleet, pod, &Thresholds::default(), now())
}

/// Class, seconds left (negative: over), and the beginning of the words, by number of the pod.
const CASES: [(&str, PendingClass, i64, &str); 5] = [
    // Created 14:14:48, 600 s.
    (
        "201",
        PendingClass::NoCapacity,
        -312,
        "no machine is to be had for glr-graviton4-zz9k2: creating instance, insufficient capacity",
    ),
    // Created 13:50:00 for Windows, 1800 s.
    ("202", PendingClass::NeverFits, -600, "no machine of pool x86-64-v2-win is large enough"),
    ("203", PendingClass::CapacityComing, 560, "node ip-192-168-30-120.ec2.internal waits for its certificate for "),
    ("204", PendingClass::Starting, 555, "it has a node, and its containers are being made"),
    ("205", PendingClass::Image, 180, "its image does not come (ImagePullBackOff): Failed to pull image"),
];

#[test]
fn every_sample_has_its_reason_and_its_countdown() {
    for fleet in [Some(small()), all()].into_iter().flatten() {
        for (n, class, seconds, words) in CASES {
            let told = pending(&fleet, n).unwrap();
            assert_eq!(told.class, class, "{n}: {told}");
            assert!(told.words.starts_with(words), "{n}: {told}");
            let left = match told.countdown.unwrap().left(now()) {
                Ok(left) => left.as_secs() as i64,
                Err(over) => -(over.as_secs() as i64),
            };
            assert!((left - seconds).abs() <= 1, "{n}: {left}");
        }
        let pending = fleet.job_pods().filter(|pod| Pending::of(&fleet, pod, &Thresholds::default(), now()).is_some());
        assert_eq!(pending.count(), CASES.len(), "nothing else is pending");
    }
}

#[test]
fn what_the_cluster_wrote_stays_at_hand_and_the_promise_can_be_followed() {
    let fleet = small();
    let told = pending(&fleet, "203").unwrap();
    assert!(told.raw.unwrap().starts_with("0/32 nodes are available: 10 Insufficient cpu"));
    assert_eq!(
        (told.claim.as_deref(), told.node.as_deref()),
        (Some("glr-x86-64-v4-a1b2c"), Some("ip-192-168-30-120.ec2.internal"))
    );
    assert!(fleet.claim("glr-x86-64-v4-a1b2c").is_none(), "the claim that was promised is not the one that came");
    assert!(pending(&fleet, "205").unwrap().raw.unwrap().contains("toomanyrequests"));
    assert!(pending(&fleet, "206").is_none());
}

/// The samples without the words of schedulers and Karpenter, which are forgotten after minutes.
fn wordless() -> Fleet {
    let mut fleet = small();
    let events: Vec<Uid> = fleet.events().map(|event| event.uid.clone()).collect();
    for uid in &events {
        fleet.delete(Kind::Event, uid);
    }
    fleet
}

#[test]
fn a_pod_that_never_fits_is_found_without_any_event() {
    let told = pending(&wordless(), "202").unwrap();
    assert_eq!(told.class, PendingClass::NeverFits, "{told}");
    assert!(told.words.contains("the largest machine of x86-64-v2-win is m5.2xlarge (8 CPU"), "{told}");
}

#[test]
fn without_words_a_pod_that_could_fit_is_unknown() {
    let told = pending(&wordless(), "203").unwrap();
    assert_eq!(told.class, PendingClass::Unknown, "{told}");
    assert!(told.words.starts_with("no node takes it, and nobody says that one comes: 10 Insufficient cpu"), "{told}");
}

#[test]
fn a_pool_at_its_limit_holds_the_pod_up() {
    let mut fleet = wordless();
    for name in ["glr-x86-64-v3", "glr-x86-64-v4"] {
        let mut pool = fleet.pool(name).unwrap().clone();
        pool.used.cpu = super::super::Quantity::parse("3833000m").ok();
        fleet.upsert(Object::Pool(Arc::new(pool)));
    }
    let told = pending(&fleet, "203").unwrap();
    assert_eq!(
        (told.class, told.words.contains("the cpu limit of pool glr-x86-64-v4 is reached")),
        (PendingClass::PoolLimit, true),
        "{told}"
    );
    // One of two pools with room is enough.
    let mut pool = fleet.pool("glr-x86-64-v3").unwrap().clone();
    pool.used.cpu = super::super::Quantity::parse("3832").ok();
    fleet.upsert(Object::Pool(Arc::new(pool)));
    assert_ne!(pending(&fleet, "203").unwrap().class, PendingClass::PoolLimit);
}

#[test]
fn a_pod_that_no_pool_suits_is_told() {
    let mut fleet = wordless();
    let mut pod = fleet.pods().find(|pod| pod.name.contains("-concurrent-203-")).unwrap().clone();
    pod.wants.tolerations.clear();
    fleet.upsert(Object::Pod(Arc::new(pod)));
    // The general pool carries no taint, and no label of a microarchitecture.
    let told = pending(&fleet, "203").unwrap();
    assert_eq!(told.class, PendingClass::TaintOrAffinity, "{told}");
}

#[test]
fn pools_are_judged_one_by_one() {
    let fleet = wordless();
    let fit = |pool: &str, n: &str| {
        let pod = fleet.pods().find(|pod| pod.name.contains(&format!("-concurrent-{n}-"))).unwrap();
        Fit::of(&fleet, fleet.pool(pool).unwrap(), pod)
    };
    assert_eq!(fit("glr-x86-64-v3", "203"), Fit::Fits);
    assert!(matches!(fit("glr-x86-64-v2", "203"), Fit::Unsuited(why) if why.contains("spack.io/x86_64")));
    assert!(matches!(fit("gitlab", "203"), Fit::Unsuited(_)));
    assert!(matches!(fit("x86-64-v2-win", "203"), Fit::Unsuited(why) if why.contains("windows")));
    assert!(matches!(fit("x86-64-v2-win", "202"), Fit::TooLarge(_)));
    assert_eq!(
        fit("glr-graviton4", "201"),
        Fit::Unknown,
        "larger machines may be made, and nobody said how large they are"
    );
}

#[test]
fn a_nomination_that_karpenter_took_back_is_no_promise() {
    let mut fleet = small();
    let pod = fleet.pods().find(|pod| pod.name.contains("-concurrent-203-")).unwrap().name.clone();
    let event = json!({
        "metadata": {"name": "later", "namespace": "pipeline"}, "involvedObject": {"kind": "Pod", "name": pod.as_ref()},
        "reason": "FailedScheduling", "lastTimestamp": "2026-08-20T14:29:50Z", "reportingComponent": "karpenter",
        "message": "Failed to schedule pod, all available instance types exceed limits for nodepool: \"glr-x86-64-v3\"",
    });
    fleet.upsert(Object::read(Kind::Event, &event).unwrap());
    assert_eq!(pending(&fleet, "203").unwrap().class, PendingClass::PoolLimit);
}

#[test]
fn a_configured_class_has_its_own_timeout() {
    let fleet = small();
    let mut thresholds = Thresholds::default();
    thresholds.set_poll_timeout("runner-x86-v3-pub", std::time::Duration::from_secs(900));
    let pod = fleet.pods().find(|pod| pod.name.contains("-concurrent-203-")).unwrap();
    let left = Pending::of(&fleet, pod, &thresholds, now()).unwrap().countdown.unwrap().left(now());
    assert_eq!(left.unwrap().as_secs(), 860);
}

#[test]
fn what_never_starts_is_an_impossibility() {
    let fleet = small();
    let found = impossibilities(&fleet, &[], &Thresholds::default(), now());
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["no machine of pool x86-64-v2-win is large enough"]
    );
}
