//! Objects that were damaged at random: nothing panics, and nothing grows beyond its bounds.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{
    Busy, Facts, Fleet, HostNames, Interruptions, Kind, Ledger, Load, Object, Pending, Place, PodState, Thresholds,
    classes, hourly, impossibilities, judge, queues,
};
use super::fixtures::{items, now};
use crate::ci::Timestamp;

/// What stands in the place of a value.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!(u64::MAX)),
        Just(json!("")),
        Just(json!("NaN")),
        Just(json!("9999999999999999999999999999999E")),
        Just(json!("\u{1b}[2J\u{202e}é")),
        Just(json!("x".repeat(10_000))),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("0001-01-01T00:00:00Z")),
        Just(json!("{{{{, ; nodes are available: 1 {")),
    ]
}

/// Puts `with` in the place of the value that is number `at`, counted through the whole tree.
fn damage(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
        *at = usize::MAX;
        return;
    }
    *at = at.saturating_sub(1);
    match value {
        Value::Array(list) => {
            for value in list {
                damage(value, at, with);
            }
        }
        Value::Object(map) => {
            for value in map.values_mut() {
                damage(value, at, with);
            }
        }
        _ => {}
    }
}

fn samples() -> Vec<(Kind, Value)> {
    let of = |kind: Kind, list: &str| items(list).into_iter().map(move |item| (kind, item)).collect::<Vec<_>>();
    [
        of(Kind::Pod, include_str!("../testdata/pods.json")),
        of(Kind::Node, include_str!("../testdata/nodes.json")),
        of(Kind::Claim, include_str!("../testdata/nodeclaims.json")),
        of(Kind::Pool, include_str!("../testdata/nodepools.json")),
        of(Kind::Event, include_str!("../testdata/events.json")),
    ]
    .concat()
}

/// Asks everything that can be asked.
fn ask(fleet: &Fleet, now: Timestamp) {
    let (thresholds, hosts) = (Thresholds::default(), HostNames::default());
    let (mut ledger, mut seen) = (Ledger::default(), Interruptions::default());
    ledger.sample(fleet, now);
    seen.note(fleet, &ledger, now);
    for pod in fleet.pods() {
        let place = Place::of_pod(fleet, pod);
        let words: String = place.missing().into_iter().map(|(_, gap)| gap.to_string()).collect();
        let pending = Pending::of(fleet, pod, &thresholds, now);
        let told = format!("{words}{}{}", PodState::of(pod, now), pending.map(|p| p.words).unwrap_or_default());
        assert!(told.len() < 40_000);
    }
    for node in fleet.nodes() {
        let _asked = (Load::of(fleet, node), node.troubles(now));
    }
    let _sums = (hourly(fleet), classes(fleet, &Busy::default(), &hosts), queues(fleet, &[], &[], now));
    let _never = impossibilities(fleet, &[], &thresholds, now);
    assert_eq!(judge(&Facts::of(fleet, &hosts), &thresholds, now).len(), 14);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_objects_are_judged_or_refused(damages in proptest::collection::vec((0_usize..80, 0_usize..160, odd()), 1..12), at in any::<i64>()) {
        let mut objects = samples();
        let count = objects.len();
        for (which, mut place, with) in damages {
            damage(&mut objects[which % count].1, &mut place, &with);
        }
        let mut fleet = Fleet::default();
        for (kind, object) in &objects {
            if let Ok(object) = Object::read(*kind, object) {
                fleet.upsert(object);
            }
        }
        for kind in [Kind::Pod, Kind::Node, Kind::Claim, Kind::Pool, Kind::Event] {
            fleet.listed(kind, &uids(&fleet, kind));
        }
        ask(&fleet, now());
        ask(&fleet, Timestamp::from_millis(at));
    }

    #[test]
    fn every_order_of_changes_ends_in_the_same_fleet(turn in 0_usize..60, again in 0_usize..60) {
        let objects: Vec<Object> = samples().iter().map(|(kind, object)| Object::read(*kind, object).unwrap()).collect();
        let told = |objects: &[Object]| {
            let mut fleet = Fleet::default();
            for object in objects {
                fleet.upsert(object.clone());
            }
            let mut told = BTreeMap::new();
            for pod in fleet.pods() {
                let place = Place::of_pod(&fleet, pod);
                let claim = place.claim.found().map(|claim| claim.name.clone());
                let pending = Pending::of(&fleet, pod, &Thresholds::default(), now()).map(|p| p.words);
                told.insert(pod.name.clone(), (claim, pending));
            }
            told
        };
        let mut turned = objects.clone();
        turned.rotate_left(turn % objects.len());
        turned.push(objects[again % objects.len()].clone());
        prop_assert_eq!(told(&turned), told(&objects));
    }
}

fn uids(fleet: &Fleet, kind: Kind) -> std::collections::HashSet<super::super::Uid> {
    match kind {
        Kind::Pod => fleet.pods().map(|pod| pod.uid.clone()).collect(),
        Kind::Node => fleet.nodes().map(|node| node.uid.clone()).collect(),
        Kind::Claim => fleet.claims().map(|claim| claim.uid.clone()).collect(),
        Kind::Pool => fleet.pools().into_iter().map(|pool| pool.uid.clone()).collect(),
        Kind::Event => fleet.events().map(|event| event.uid.clone()).collect(),
    }
}

#[test]
fn nonsense_is_a_fault_by_name() {
    let list = json!({"items": [null, [], {}, 1, "x", {"kind": "Secret", "metadata": {"name": "s"}}, {"metadata": {"name": {"a": 1}}}]});
    for kind in [Kind::Pod, Kind::Node, Kind::Claim, Kind::Pool, Kind::Event] {
        for object in list["items"].as_array().unwrap() {
            let fault = Object::read(kind, object).unwrap_err();
            assert!(fault.to_string().ends_with("the object is left out"), "{kind:?} {object}");
        }
    }
}
