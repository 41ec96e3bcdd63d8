//! A large cluster is joined as fast as a small one, object for object; the budget itself is a benchmark.

use serde_json::{Value, json};

use super::super::{Fleet, Kind, Ledger, Load, Object, Place};
use super::fixtures::{complete, items, now};

#[test]
fn five_thousand_pods_on_five_hundred_nodes_are_joined_whole() {
    let mut fleet = Fleet::default();
    let pod: Value = items(include_str!("../testdata/pods.json"))[0].clone();
    let node: Value = items(include_str!("../testdata/nodes.json"))[0].clone();
    let claim: Value = items(include_str!("../testdata/nodeclaims.json"))[0].clone();
    for n in 0..500 {
        let (mut node, mut claim) = (node.clone(), claim.clone());
        node["metadata"]["name"] = json!(format!("node-{n}"));
        node["spec"]["providerID"] = json!(format!("aws:///z/i-{n}"));
        claim["metadata"]["name"] = json!(format!("claim-{n}"));
        claim["status"]["providerID"] = json!(format!("aws:///z/i-{n}"));
        claim["status"]["nodeName"] = json!(format!("node-{n}"));
        fleet.upsert(Object::read(Kind::Node, &node).unwrap());
        fleet.upsert(Object::read(Kind::Claim, &claim).unwrap());
    }
    for n in 0..5_000 {
        let mut pod = pod.clone();
        pod["metadata"]["name"] = json!(format!("pod-{n}"));
        pod["metadata"]["annotations"]["job.runner.gitlab.com/id"] = json!(n.to_string());
        pod["metadata"]["annotations"]["gitlab/ci_job_id"] = json!(n.to_string());
        pod["metadata"]["annotations"]["gitlab/ci_job_url"] = json!(format!("https://x/-/jobs/{n}"));
        pod["metadata"]["labels"]["gitlab/ci_job_id"] = json!(n.to_string());
        pod["spec"]["nodeName"] = json!(format!("node-{}", n % 500));
        fleet.upsert(Object::read(Kind::Pod, &pod).unwrap());
    }
    complete(&mut fleet);
    let mut ledger = Ledger::default();
    ledger.sample(&fleet, now());
    let claimed = fleet.job_pods().filter(|pod| Place::of_pod(&fleet, pod).claim.found().is_some()).count();
    let jobs: usize = fleet.nodes().map(|node| Load::of(&fleet, node).jobs).sum();
    assert_eq!((claimed, jobs, ledger.charges().count()), (5_000, 5_000, 5_000));
    assert!(ledger.charges().all(|charge| charge.cost.is_ok()));
}
