//! Budgets of the fleet: 5,000 pods on 500 nodes are read and joined in less than a second, and one change to them costs what a change costs.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod fleet;
}

use std::time::Duration;

use stackhand::ci::Timestamp;
use stackhand::fleet::{
    Facts, Fleet, HostNames, Kind, Ledger, Load, Object, Offer, Pending, Place, PodState, Thresholds, judge,
};

use made::fleet::{NODES, PENDING, PODS};
use timing::{Sheet, measure, prepared};

const TEN_FRAMES: Duration = Duration::from_millis(160);

fn main() {
    let mut sheet = Sheet::open("fleet");
    let objects = made::fleet::objects();
    let what = format!("{PODS} pods, {NODES} nodes and claims: read");
    sheet.row(&what, Duration::from_millis(500), &measure(5, |_| made::fleet::read(&objects)));
    let all: Vec<Object> = made::fleet::read(&objects).into_iter().map(|(_, object)| object).collect();
    let build = || {
        let mut fleet = Fleet::default();
        for object in &all {
            fleet.upsert(object.clone());
        }
        fleet
    };
    sheet.row("taken in", Duration::from_millis(250), &measure(5, |_| build()));
    let mut fleet = build();
    for kind in [Kind::Pod, Kind::Node, Kind::Claim, Kind::Pool] {
        let seen = all.iter().map(|object| object.uid().clone()).collect();
        assert!(fleet.listed(kind, &seen).is_empty());
    }
    let zones = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"];
    for zone in zones {
        fleet
            .prices
            .set(Offer { instance_type: "c6a.4xlarge".into(), capacity_type: "spot".into(), zone: zone.into() }, 0.25);
    }
    let now = Timestamp::parse("2026-08-20T14:30:00Z").expect("a time");
    let thresholds = Thresholds::default();
    let join = || fleet.job_pods().map(|pod| Place::of_pod(&fleet, pod).missing().len()).sum::<usize>();
    sheet.row("every pod joined", TEN_FRAMES, &measure(20, |_| join()));
    let states = || fleet.job_pods().map(|pod| PodState::of(pod, now).word().len()).sum::<usize>();
    sheet.row("every pod's state", TEN_FRAMES, &measure(20, |_| states()));
    let why = || fleet.job_pods().filter_map(|pod| Pending::of(&fleet, pod, &thresholds, now)).count();
    assert_eq!(why(), PENDING);
    sheet.row("why 500 pods are pending", TEN_FRAMES, &measure(20, |_| why()));
    sheet.row(
        "every node's load",
        TEN_FRAMES,
        &measure(20, |_| fleet.nodes().map(|node| Load::of(&fleet, node).jobs).sum::<usize>()),
    );
    let hosts = HostNames::default();
    sheet.row("all alerts", 2 * TEN_FRAMES, &measure(20, |_| judge(&Facts::of(&fleet, &hosts), &thresholds, now)));
    let mut ledger = Ledger::default();
    sheet.row("every job charged", TEN_FRAMES, &measure(20, |_| ledger.sample(&fleet, now)));
    let one = all.iter().find(|object| matches!(object, Object::Pod(_))).expect("a pod").clone();
    let change = prepared(2_000, |_| one.clone(), |object| fleet.upsert(object));
    sheet.row("one pod changed", Duration::from_micros(20), &change);
    sheet.close();
}
