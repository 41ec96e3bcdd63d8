//! The join of the samples: every link found, or missing by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::super::{
    Dollars, Fleet, Gap, HostNames, Kind, Link, Load, NodeTrouble, Object, Place, PodState, Quantity, claim_of,
    class_of, hourly, pool_of, price_of,
};
use super::fixtures::{all, complete, now, small};
use crate::ci::{Job, JobId, PipelineId, RunnerId, RunnerRef, Status};

/// Missing links by name, over all pods.
fn missing(fleet: &Fleet) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for pod in fleet.job_pods() {
        for (link, gap) in Place::of_pod(fleet, pod).missing() {
            *found.entry(format!("{link}: {gap}")).or_default() += 1;
        }
    }
    found
}

#[test]
fn all_122_samples_are_joined_or_the_missing_link_is_named() {
    let Some(mut fleet) = all() else { return };
    let counts = [Kind::Node, Kind::Claim, Kind::Pod, Kind::Event].map(|kind| fleet.count(kind).unwrap());
    assert_eq!((counts, counts.iter().sum::<usize>()), ([30, 31, 50, 11], 122));
    complete(&mut fleet);
    // Three pods have no node yet. Windows says no hash: not in a label either, in these samples.
    let want =
        [("node: the pod has no node yet".to_owned(), 3), ("spec: the pod names a package and no hash".to_owned(), 2)];
    assert_eq!(missing(&fleet), BTreeMap::from(want));
    for node in fleet.nodes() {
        let (claim, pool, price) = (claim_of(&fleet, node), pool_of(&fleet, node), price_of(&fleet, node));
        assert!(claim.found().is_some() && pool.found().is_some() && price.found().is_some(), "{}", node.name);
        assert_eq!(claim.found().unwrap().node.as_ref(), Some(&node.name));
    }
    let nodeless: Vec<&str> = fleet.claims().filter(|claim| claim.node.is_none()).map(|claim| &*claim.name).collect();
    assert_eq!(nodeless, ["glr-graviton4-zz9k2"], "the one claim without a node is the one that never launched");
    let jobs: std::collections::BTreeSet<JobId> = fleet.job_pods().filter_map(|pod| pod.says.job).collect();
    assert_eq!(jobs.len(), 50, "every pod has a job of its own");
    // Every event is about an object that is known.
    for event in fleet.events() {
        let name = &event.about.name;
        let is_known = match &*event.about.kind {
            "Pod" => fleet.pod_named(name).is_some(),
            "Node" => fleet.node(name).is_some(),
            _ => fleet.claim(name).is_some(),
        };
        assert!(is_known, "{name}");
    }
}

#[test]
fn without_prices_and_runners_those_links_are_named() {
    let fleet = small();
    let missing = missing(&fleet);
    assert_eq!(missing["runner: no runners were listed yet"], 12);
    assert!(
        missing.keys().any(|gap| gap.starts_with("price: no price is known for spot c6a.4xlarge in us-east-1")),
        "{missing:?}"
    );
}

#[test]
fn what_was_not_listed_is_not_gone() {
    let whole = small();
    let mut fleet = Fleet::default();
    let pod = whole.pod_named("runner-t1xq7zk2-project-57-concurrent-1-60d873e5").unwrap().clone();
    fleet.upsert(Object::Pod(Arc::new(pod.clone())));
    let gap = |fleet: &Fleet| Place::of_pod(fleet, &pod).node.gap().cloned();
    assert_eq!(gap(&fleet), Some(Gap::NotListed("nodes")));
    fleet.listed(Kind::Node, &std::collections::HashSet::new());
    assert_eq!(gap(&fleet), Some(Gap::NodeGone("ip-192-168-21-37.ec2.internal".into())));
    let node = whole.node("ip-192-168-21-37.ec2.internal").unwrap().clone();
    fleet.upsert(Object::Node(Arc::new(node)));
    let place = Place::of_pod(&fleet, &pod);
    assert_eq!(
        (place.claim, place.pool),
        (Link::Missing(Gap::NotListed("node claims")), Link::Missing(Gap::NotListed("node pools")))
    );
}

#[test]
fn a_long_ref_is_exact_by_its_annotation_and_inexact_by_its_label() {
    let fleet = small();
    let pod = fleet.pod_named("runner-t1g4hs9v-project-57-concurrent-201-e5426bb2").unwrap();
    let git_ref = pod.says.git_ref.as_ref().unwrap();
    assert!(git_ref.is_exact && git_ref.value.ends_with("/and-more-than-sixty-three-characters-in-it"));
    // Windows has no annotations of its package.
    let windows = fleet.pod_named("runner-t1kk5rr1-project-57-concurrent-202-a565f9e0").unwrap();
    assert_eq!(windows.says.job, Some(JobId(18_005_189)));
    assert!(!windows.says.package.as_ref().unwrap().is_exact && windows.says.hash.is_none());
}

#[test]
fn a_job_finds_its_pod_and_one_without_says_why() {
    let mut fleet = small();
    complete(&mut fleet);
    let place = |job: &Job| {
        let place = Place::of_job(&fleet, job, &HostNames::default());
        (
            place.pod.found().map(|pod| pod.name.to_string()),
            place.missing().into_iter().map(|(link, gap)| format!("{link}: {gap}")).collect::<Vec<_>>(),
        )
    };
    let mut job = Job::new(JobId(18_004_239), PipelineId(1_190_000), "zlib", Status::Running);
    assert_eq!(place(&job).0.as_deref(), Some("runner-t1xq7zk2-project-57-concurrent-1-60d873e5"));
    job.id = JobId(7);
    assert_eq!(place(&job).1[0], "pod: no runner took the job yet");
    let on = |name: &str| Some(Arc::new(RunnerRef { id: RunnerId(99), description: name.into() }));
    job.runner = on("uo-cray-rhel-1");
    assert_eq!(
        place(&job).1,
        [
            "pod: its runner stands outside the cluster and makes no pods",
            "spec: the job builds no package",
            "runner: GitLab lists no runner uo-cray-rhel-1"
        ]
    );
    job.runner = on("runner-x86-v3-pub-gitlab-runner-1-2");
    assert_eq!(place(&job).1[0], "pod: no pod says that it is of job 7: not made yet, or removed");
}

#[test]
fn samples_have_the_states_that_were_made() {
    let fleet = small();
    let state = |n: &str| {
        let pod = fleet.pods().find(|pod| pod.name.contains(&format!("-concurrent-{n}-"))).unwrap();
        PodState::of(pod, now()).to_string()
    };
    for (n, want) in [
        ("1", "running"),
        ("201", "unschedulable"),
        ("202", "unschedulable"),
        ("203", "unschedulable"),
        ("204", "ContainerCreating"),
        ("205", "ImagePullBackOff"),
        ("206", "OOMKilled"),
        ("207", "Terminated"),
        ("208", "succeeded"),
        ("209", "running"),
    ] {
        assert_eq!(state(n), want, "{n}");
    }
}

#[test]
fn sick_nodes_say_what_they_have() {
    let fleet = small();
    let troubles = |name: &str| fleet.node(name).unwrap().troubles(now());
    assert_eq!(troubles("ip-192-168-21-37.ec2.internal"), []);
    assert_eq!(troubles("ip-192-168-26-222.ec2.internal"), [NodeTrouble::Draining]);
    assert_eq!(troubles("ip-192-168-33-231.ec2.internal"), [NodeTrouble::Cordoned]);
    let young = troubles("ip-192-168-30-120.ec2.internal");
    assert!(matches!(young[..], [NodeTrouble::CertificatePending(Some(_)), NodeTrouble::NotInitialized]), "{young:?}");
    let claim = |node: &str| fleet.claim_of(fleet.node(node).unwrap()).unwrap();
    assert_eq!(claim("ip-192-168-26-222.ec2.internal").state(now()).to_string(), "disrupted: SpotInterrupted");
    assert!(claim("ip-192-168-30-120.ec2.internal").state(now()).to_string().starts_with("initializing: StartupTaint"));
    assert!(
        claim("ip-192-168-40-240.ec2.internal").is_drifted()
            && claim("ip-192-168-32-194.ec2.internal").is_consolidatable()
    );
    assert_eq!(claim("ip-192-168-21-37.ec2.internal").state(now()).to_string(), "ready");
}

#[test]
fn a_node_carries_what_its_pods_ask_for() {
    let mut fleet = small();
    let node = fleet.node("ip-192-168-21-37.ec2.internal").unwrap().clone();
    let load = Load::of(&fleet, &node);
    // Pods 1, 2 and 204; other namespaces are not watched.
    let cpu =
        |fleet: &Fleet| fleet.pods_on(&node.name).fold(Quantity::ZERO, |sum, pod| sum.plus(pod.requests.cpu.unwrap()));
    assert_eq!((load.jobs, load.builds, load.is_whole, load.daemons, load.is_idle()), (3, 2, false, None, Some(false)));
    assert_eq!(load.requested.cpu, Some(cpu(&fleet)));
    fleet.sees_every_namespace = true;
    let daemon = json!({
        "metadata": {"name": "d", "namespace": "kube-system", "ownerReferences": [{"kind": "DaemonSet"}]},
        "spec": {"nodeName": node.name.as_ref(), "containers": [{"resources": {"requests": {"cpu": "150m", "memory": "240Mi"}}}]},
        "status": {"phase": "Running"},
    });
    fleet.upsert(Object::read(Kind::Pod, &daemon).unwrap());
    let whole = Load::of(&fleet, &node);
    assert_eq!((whole.daemons.unwrap().cpu, whole.jobs), (Some(Quantity::millis(150)), 3));
    assert_eq!(whole.requested.cpu, Some(cpu(&fleet)));
    assert!(whole.cpu_share().unwrap() > load.cpu_share().unwrap());
}

#[test]
fn an_object_that_changes_or_goes_leaves_no_trace() {
    let mut fleet = small();
    let pod = fleet.pod_named("runner-t1xq7zk2-project-57-concurrent-1-60d873e5").unwrap().clone();
    let mut moved = pod.clone();
    moved.node = Some("elsewhere".into());
    moved.says.job = Some(JobId(1));
    fleet.upsert(Object::Pod(Arc::new(moved)));
    assert!(fleet.pods_of_job(JobId(18_004_239)).is_empty() && fleet.pods_on("elsewhere").count() == 1);
    let class = class_of(pod.says.runner.as_ref().unwrap());
    let before = fleet.pods_of_class(&class).count();
    fleet.delete(Kind::Pod, &pod.uid);
    fleet.delete(Kind::Pod, &pod.uid);
    assert_eq!((fleet.pods_on("elsewhere").count(), fleet.pods_of_class(&class).count()), (0, before - 1));
    assert!(fleet.pod_named(&pod.name).is_none() && fleet.pod(&pod.uid).is_none());
}

#[test]
fn a_pod_without_a_node_is_joined_with_what_it_was_promised() {
    let fleet = small();
    let promised = |n: &str| {
        let pod = fleet.pods().find(|pod| pod.name.contains(&format!("-concurrent-{n}-"))).unwrap();
        match Place::of_pod(&fleet, pod) {
            Place { claim: Link::Inexact(claim), pool: Link::Inexact(pool), .. } => Some((&*claim.name, &*pool.name)),
            _ => None,
        }
    };
    assert_eq!(promised("201"), Some(("glr-graviton4-zz9k2", "glr-graviton4")));
    assert_eq!(
        promised("203"),
        Some(("glr-x86-64-v4-a1339", "glr-x86-64-v4")),
        "by the node, since the claim that was named never came"
    );
    assert_eq!(promised("202"), None);
}

#[test]
fn a_build_that_outlives_its_jobs_timeout_is_told() {
    let fleet = small();
    let over =
        |n: &str| fleet.pods().find(|pod| pod.name.contains(&format!("-concurrent-{n}-"))).unwrap().overrun(now());
    // Began 01:28:00, may run an hour.
    assert_eq!((over("209").map(|over| over.as_secs()), over("1"), over("206")), (Some(12 * 3_600 + 120), None, None));
}

#[test]
fn machines_cost_by_the_hour_and_idle_ones_are_told() {
    let mut fleet = small();
    let of = |fleet: &Fleet, pool: &str| hourly(fleet).remove(&Some(pool.into())).unwrap();
    assert_eq!((of(&fleet, "glr-x86-64-v2").unpriced, of(&fleet, "glr-x86-64-v2").known), (3, Dollars::ZERO));
    complete(&mut fleet);
    let v2 = of(&fleet, "glr-x86-64-v2");
    // Three nodes at $0.25; one has only a finished pod here, and one none.
    assert_eq!((v2.nodes, v2.known.amount(), v2.unpriced, v2.idle.map(Dollars::amount)), (3, 0.75, 0, Some(0.5)));
    assert_eq!(of(&fleet, "gitlab").idle, Some(Dollars::ZERO), "service nodes are not idle");
}

#[test]
fn a_watch_of_a_real_server_is_followed() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/k8s/api/pods.watch.jsonl");
    let Ok(lines) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: {} not found", path.display());
        return;
    };
    let mut fleet = Fleet::default();
    let mut seen = Vec::new();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["type"] == "BOOKMARK" {
            continue;
        }
        let Object::Pod(pod) = Object::read(Kind::Pod, &line["object"]).unwrap() else { panic!("{line}") };
        seen.push(PodState::of(&pod, now()).word());
        match line["type"].as_str() {
            Some("DELETED") => fleet.delete(Kind::Pod, &pod.uid),
            _ => fleet.upsert(Object::Pod(pod)),
        }
    }
    assert_eq!((seen, fleet.pods().count()), (vec!["terminating"; 2], 0));
}
