//! The cluster of whole nights.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::fleet::SHORT_CLASSES;
use super::super::world::OPENING;
use super::*;
use crate::ci::Status;

fn at_opening(scenario: Scenario, jobs: usize) -> (World, Cluster) {
    let mut world = World::new(42, scenario, jobs).unwrap();
    world.advance_to(OPENING);
    let cluster = Cluster::of(&world, "http://gitlab");
    (world, cluster)
}

fn values(cluster: &Cluster, kind: Kind) -> Vec<Value> {
    cluster.objects().all(kind).map(|object| object.value()).collect()
}

fn job_pods(cluster: &Cluster) -> Vec<Value> {
    values(cluster, Kind::Pod).into_iter().filter(|pod| pod["metadata"]["namespace"] == "pipeline").collect()
}

fn reasons(cluster: &Cluster) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for event in values(cluster, Kind::Event) {
        *all.entry(event["reason"].as_str().unwrap().to_owned()).or_default() += event["count"].as_u64().unwrap();
    }
    all
}

fn summary(cluster: &Cluster) -> String {
    cluster.objects().all(Kind::Node).chain(cluster.objects().all(Kind::Pod)).map(|object| object.json(true)).collect()
}

#[test]
fn what_is_there_follows_from_the_seed_however_time_is_cut() {
    let end = EPOCH.shifted(100 * 60_000);
    let whole = {
        let mut world = World::new(42, Scenario::Outage, 600).unwrap();
        world.advance_to(end);
        Cluster::of(&world, "http://gitlab")
    };
    let mut world = World::new(42, Scenario::Outage, 600).unwrap();
    let mut cut = Cluster::of(&world, "http://gitlab");
    for step in 1..=3_000 {
        world.advance_to(EPOCH.shifted(100 * 60_000 * step / 3_000));
        cut.catch_up(&world);
    }
    assert_eq!(cut.objects().version(), whole.objects().version());
    assert_eq!(summary(&cut), summary(&whole));
}

#[test]
fn every_running_job_of_the_cluster_has_one_pod_and_no_other_has() {
    let mut world = World::new(7, Scenario::Busy, 800).unwrap();
    let mut cluster = Cluster::of(&world, "http://gitlab");
    for minute in 1..100 {
        world.advance_to(EPOCH.shifted(minute * 60_000));
        cluster.catch_up(&world);
        let on_cluster = |index: usize| matches!(world.runners()[index].host, Host::Cluster | Host::WindowsCluster);
        let running: BTreeSet<String> = world
            .jobs()
            .filter(|job| job.status == Status::Running && job.runner.is_some_and(on_cluster))
            .map(|job| job.id.to_string())
            .collect();
        let pods = job_pods(&cluster);
        let of_pods: Vec<String> = pods
            .iter()
            .filter(|pod| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
            .map(|pod| pod["metadata"]["annotations"]["job.runner.gitlab.com/id"].as_str().unwrap().to_owned())
            .collect();
        let unique: BTreeSet<String> = of_pods.iter().cloned().collect();
        assert_eq!(unique.len(), of_pods.len());
        assert!(running.is_subset(&unique), "{minute}: {:?}", running.difference(&unique));
        let nodes: BTreeSet<String> = cluster.objects().all(Kind::Node).map(|node| node.name.to_string()).collect();
        for pod in &pods {
            if let Some(node) = pod["spec"]["nodeName"].as_str() {
                assert!(nodes.contains(node), "{pod}");
            }
        }
    }
}

#[test]
fn no_job_succeeds_whose_pod_never_ran() {
    for (seed, scenario) in [(42, Scenario::Busy), (3, Scenario::Outage), (5, Scenario::Calm)] {
        let mut world = World::new(seed, scenario, 500).unwrap();
        let mut cluster = Cluster::of(&world, "http://gitlab");
        let mut ran = BTreeSet::new();
        for second in 1..2_000 {
            world.advance_to(EPOCH.shifted(second * 2_500));
            cluster.catch_up(&world);
            ran.extend(cluster.pods.values().filter(|pod| pod.started.is_some()).map(|pod| pod.job));
        }
        let missed: Vec<_> = world
            .jobs()
            .filter(|job| job.status == Status::Success && job.started_at.is_some_and(|at| at >= EPOCH))
            .filter(|job| {
                job.runner.is_some_and(|r| world.runners()[r].host == Host::Cluster) && !ran.contains(&job.id)
            })
            .map(|job| (job.id, job.started_at, job.finished_at))
            .collect();
        assert!(missed.is_empty(), "{missed:?}");
        assert!(ran.len() > 100, "{}", ran.len());
    }
}

#[test]
fn no_node_is_overbooked() {
    let mut world = World::new(42, Scenario::Outage, 1_200).unwrap();
    let mut cluster = Cluster::of(&world, "http://gitlab");
    for minute in 1..200 {
        world.advance_to(EPOCH.shifted(minute * 60_000));
        cluster.catch_up(&world);
        for machine in cluster.machines.values() {
            let pods = machine.pods.iter().chain(&machine.promised).map(|job| &cluster.pods[job]);
            assert_eq!(machine.used_cpu, pods.clone().map(|pod| pod.cpu).sum::<u64>());
            assert!(machine.used_cpu <= machine.made.allocatable_cpu() && machine.has_room(0, 0), "{machine:?}");
        }
    }
}

#[test]
fn an_outage_shows_all_of_it_at_once() {
    let (mut world, mut cluster) = at_opening(Scenario::Outage, 1_200);
    let wanted = [
        "SpotInterrupted",
        "TerminatingOnInterruption",
        "FailedScheduling",
        "Nominated",
        "Evicted",
        "NodeHasDiskPressure",
    ];
    let is_all = |cluster: &Cluster| {
        let told = reasons(cluster);
        let is_limited = |pod: &Value| {
            let class = pod["metadata"]["labels"]["manager.runner.gitlab.com/name"].as_str().unwrap();
            pod["status"]["phase"] == "Pending" && class.contains(SHORT_CLASSES)
        };
        wanted.iter().all(|reason| told.contains_key(*reason))
            && cluster.machines.values().any(|machine| machine.pressure.is_some())
            && job_pods(cluster).iter().any(is_limited)
    };
    let mut seen = Vec::new();
    for minute in 0..10 {
        world.advance_to(OPENING.shifted(minute * 60_000));
        cluster.catch_up(&world);
        seen.push(is_all(&cluster));
    }
    assert!(seen.iter().filter(|is_all| **is_all).count() >= 5, "{seen:?} {:?}", reasons(&cluster));
    let limit =
        |event: &Value| event["message"].as_str().unwrap().contains("exceed limits for nodepool: \"glr-graviton4\"");
    assert!(values(&cluster, Kind::Event).iter().any(limit));
    assert!(world.runners().iter().any(|runner| runner.silent_since.is_some()));
}

#[test]
fn a_calm_night_is_calm() {
    let (world, cluster) = at_opening(Scenario::Calm, 1_200);
    let told = reasons(&cluster);
    for reason in ["SpotInterrupted", "Evicted", "NodeHasDiskPressure", "Failed"] {
        assert!(!told.contains_key(reason), "{told:?}");
    }
    let limit = |event: &Value| event["message"].as_str().unwrap().contains("exceed limits");
    assert!(!values(&cluster, Kind::Event).iter().any(limit));
    assert!(world.runners().iter().all(|runner| runner.silent_since.is_none()));
}

#[test]
fn who_is_taken_back_ends_with_the_machine_and_nobody_else() {
    let mut world = World::new(42, Scenario::Outage, 800).unwrap();
    let mut cluster = Cluster::of(&world, "http://gitlab");
    let mut reclaimed = 0;
    for step in 1..1_200 {
        world.advance_to(EPOCH.shifted(step * 5_000));
        cluster.catch_up(&world);
        for pod in cluster.pods.values().filter(|pod| pod.state == pod::State::Over(pod::Outcome::Shutdown)) {
            let job = world.job(pod.job).unwrap();
            assert_eq!(job.failure().map(|mishap| mishap.get().cause), Some("spot_reclamation"), "{}", pod.name);
            reclaimed += 1;
        }
    }
    assert!(reclaimed > 0);
    assert!(cluster.tallies().interrupted.iter().any(|(_, kind)| *kind == "spot_interrupted"));
}

#[test]
fn machines_come_stage_by_stage_and_empty_ones_go() {
    let mut world = World::new(42, Scenario::Calm, 600).unwrap();
    let mut cluster = Cluster::of(&world, "http://gitlab");
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut gone = 0;
    for second in 1..2_000 {
        world.advance_to(EPOCH.shifted(second * 3_000));
        cluster.catch_up(&world);
        let here: BTreeSet<String> = cluster.objects().all(Kind::Node).map(|node| node.name.to_string()).collect();
        gone += seen.keys().filter(|name| !here.contains(*name)).count();
        for node in values(&cluster, Kind::Node) {
            let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
            let keys: Vec<&str> = taints.iter().map(|taint| taint["key"].as_str().unwrap()).collect();
            let all = seen.entry(node["metadata"]["name"].as_str().unwrap().to_owned()).or_default();
            if all.last() != Some(&keys.join(" ")) {
                all.push(keys.join(" "));
            }
        }
    }
    let way = seen.values().find(|taints| taints.len() >= 4).unwrap();
    assert!(way[0].contains("karpenter.sh/unregistered") && way[0].contains("certificate-pending"), "{way:?}");
    assert!(seen.values().any(|way| way.last().unwrap().contains("karpenter.sh/disrupted")) && gone > 0);
}

#[test]
fn a_deleted_pod_fails_its_job_and_a_cordoned_node_takes_none() {
    let (mut world, mut cluster) = at_opening(Scenario::Calm, 1_200);
    let pod = cluster.pods.values().find(|pod| pod.state == pod::State::Running).unwrap();
    let (job, name) = (pod.job, pod.name.to_string());
    assert_eq!(cluster.job_of(&name), Some(job));
    let version = cluster.objects().version();
    cluster.delete_pod(job, true).unwrap();
    assert_eq!(cluster.objects().version(), version, "a dry run changes nothing");
    cluster.delete_pod(job, false).unwrap();
    world.lose_pod(job).unwrap();
    cluster.catch_up(&world);
    assert_eq!(world.job(job).unwrap().failure().unwrap().get().cause, "pod_not_found");
    assert!(cluster.job_of(&name).is_none() && cluster.delete_pod(job, false).is_none());
    let node = cluster.machines.values().find(|machine| !machine.pods.is_empty()).unwrap();
    let (id, name, had) = (node.id, node.node.to_string(), node.pods.clone());
    assert_eq!(cluster.cordon(&name, true, true).unwrap()["spec"]["unschedulable"], true);
    assert!(cluster.machines[&id].cordoned.is_none());
    cluster.cordon(&name, true, false).unwrap();
    for minute in 1..5 {
        let later = OPENING.shifted(minute * 60_000);
        world.advance_to(later);
        cluster.catch_up(&world);
        assert!(cluster.machines.get(&id).is_none_or(|machine| machine.pods.is_subset(&had)));
    }
}

#[test]
fn in_an_outage_some_pods_hang_and_their_use_stands_still() {
    let (mut world, mut cluster) = at_opening(Scenario::Outage, 1_200);
    let (mut stuck, mut working) = (0, 0);
    for minute in (0..60).step_by(5) {
        let now = OPENING.shifted(minute * 60_000);
        world.advance_to(now);
        cluster.catch_up(&world);
        let before: BTreeMap<&str, Used> = cluster.used_at(now.shifted(-9 * 60_000)).collect();
        for (pod, used) in cluster.used_at(now) {
            match before.get(pod) {
                Some(was) if *was == used => stuck += 1,
                Some(_) => working += 1,
                None => {}
            }
        }
    }
    assert!(stuck > 0 && working > stuck, "{stuck} stand still by production's rule, {working} work");
}
