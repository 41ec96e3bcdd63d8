//! The JSON of a fleet.

use serde_json::{Value, json};

use super::gather::{Read, Seen, Source};
use super::seen_classes;
use crate::ci::Timestamp;
use crate::fleet::{Claim, Link, Node, Pending, Place, Pod, PodState, Pool, Quantity, claim_of, pool_of};

/// Everything that was seen.
pub fn document(seen: &Seen) -> Value {
    let fleet = &seen.fleet;
    let classes = seen_classes(seen);
    json!({
        "version": "stackhand.fleet/1",
        "at": seen.at,
        "complete": seen.is_complete(),
        "karpenter": seen.has_karpenter,
        "sources": seen.sources.iter().map(source).collect::<Vec<_>>(),
        "classes": classes.iter().map(|class| json!({
            "name": &*class.name,
            "host": class.host.word(),
            "running": class.running,
            "slots": class.slots,
            "pending": seen.pending_of(class),
        })).collect::<Vec<_>>(),
        "nodes": seen.nodes().into_iter().map(|one| node(seen, one)).collect::<Vec<_>>(),
        "pools": fleet.pools().into_iter().map(pool).collect::<Vec<_>>(),
        "pods": seen.pods().into_iter().map(|one| pod(seen, one)).collect::<Vec<_>>(),
    })
}

fn source(source: &Source) -> Value {
    match &source.outcome {
        Ok(Read { objects, unreadable }) => {
            json!({"source": source.what, "objects": objects, "unreadable": unreadable, "error": null})
        }
        Err(fault) => json!({"source": source.what, "objects": null, "unreadable": null, "error": fault.to_string()}),
    }
}

fn node(seen: &Seen, node: &Node) -> Value {
    let load = seen.load(node);
    let (requested, allocatable) = (load.map(|load| load.requested), node.allocatable);
    let (claim, pool) = (claim_of(&seen.fleet, node), pool_of(&seen.fleet, node));
    let gaps = [("claim", claim.gap()), ("pool", pool.gap())];
    let missing = gaps.into_iter().filter_map(|(link, gap)| Some(json!({"link": link, "why": gap?.to_string()})));
    let troubles = node.troubles(seen.at);
    json!({
        "name": &*node.name,
        "pool": node.pool().map(|name| &**name),
        "claim": claim.found().map(|claim| &*claim.name),
        "instance_type": node.instance_type().map(|name| &**name),
        "capacity_type": node.capacity_type().map(|name| &**name),
        "zone": node.zone().map(|name| &**name),
        "age_s": age(seen.at, node.created),
        "jobs": load.map(|load| load.jobs),
        "cpu": {"requested": amount(requested.and_then(|all| all.cpu)), "allocatable": amount(allocatable.cpu)},
        "memory": {"requested": amount(requested.and_then(|all| all.memory)), "allocatable": amount(allocatable.memory)},
        "troubles": troubles.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
    })
}

fn pool(pool: &Pool) -> Value {
    json!({
        "name": &*pool.name,
        "nodes": pool.nodes,
        "cpu": {"used": amount(pool.used.cpu), "limit": amount(pool.limits.cpu)},
        "memory": {"used": amount(pool.used.memory), "limit": amount(pool.limits.memory)},
        "share": pool.share().map(|(_, share)| share),
    })
}

fn pod(seen: &Seen, pod: &Pod) -> Value {
    let (fleet, now) = (&seen.fleet, seen.at);
    let place = Place::of_pod(fleet, pod);
    let state = PodState::of(pod, now);
    let missing = place.missing().into_iter().map(|(link, gap)| json!({"link": link, "why": gap.to_string()}));
    let says = &pod.says;
    json!({
        "name": &*pod.name,
        "namespace": &*pod.namespace,
        "state": state.word(),
        "reason": state.to_string(),
        "age_s": age(now, pod.created),
        "job": place.job.found().map(|job| job.0),
        "job_name": says.job_name.as_deref(),
        "stack": says.stack.as_ref().map(|said| &*said.value),
        "package": says.package.as_ref().map(|said| &*said.value),
        "hash": says.hash.as_deref(),
        "runner": says.runner.as_deref(),
        "class": says.runner.as_deref().map(|runner| crate::fleet::class_of(runner).to_string()),
        "node": pod.node.as_deref(),
        "claim": name(&place.claim, |claim: &&Claim| &claim.name),
        "pool": name(&place.pool, |pool: &&Pool| &pool.name),
        "pending": Pending::of(fleet, pod, &seen.thresholds, now).map(|pending| json!({
            "class": pending.class.word(),
            "words": pending.words,
            "raw": pending.raw.as_deref(),
            "claim": pending.claim.as_deref(),
            "node": pending.node.as_deref(),
            "deadline": pending.countdown.map(|countdown| countdown.deadline),
            "left_s": pending.countdown.map(|countdown| countdown.left_s(now)),
        })),
        "missing": missing.collect::<Vec<_>>(),
    })
}

fn name<'a, T>(link: &'a Link<T>, of: impl Fn(&'a T) -> &'a std::sync::Arc<str>) -> Option<&'a str> {
    link.found().map(|found| &**of(found))
}

fn amount(quantity: Option<Quantity>) -> Option<String> {
    quantity.map(|quantity| quantity.to_string())
}

fn age(now: Timestamp, at: Option<Timestamp>) -> Option<u64> {
    at.map(|at| now.since(at).as_secs())
}
