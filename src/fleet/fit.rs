//! Whether a pool can make a node for a pod: labels, taints, the largest machine that it may make, and its limit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::wants::Operator;
use super::{Fleet, Pod, Pool, Quantity, Requirement, Resources};

const FAMILY: &str = "karpenter.k8s.aws/instance-family";
const SIZE: &str = "karpenter.k8s.aws/instance-size";
const TYPE: &str = "node.kubernetes.io/instance-type";
const CPU: &str = "karpenter.k8s.aws/instance-cpu";
/// In MiB.
const MEMORY: &str = "karpenter.k8s.aws/instance-memory";

/// Labels that machines bring themselves, so that a pool may satisfy requirements on them without naming them.
const BROUGHT: &[&str] = &[
    "kubernetes.io/",
    "node.kubernetes.io/",
    "topology.kubernetes.io/",
    "topology.k8s.aws/",
    "karpenter.sh/",
    "karpenter.k8s.aws/",
];

/// What a pool can do for a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// A machine that it may make is large enough, and its limit leaves room.
    Fits,
    /// The limit leaves too little of this resource.
    AtLimit(&'static str),
    /// Not every machine that it may make is known; none of the known ones is large enough.
    Unknown,
    /// No machine that it may make is large enough.
    TooLarge(String),
    /// Labels or taints do not go together.
    Unsuited(String),
}

impl Fit {
    /// Judges one pool for one pod.
    pub fn of(fleet: &Fleet, pool: &Pool, pod: &Pod) -> Self {
        if let Some(taint) = pod.wants.untolerated(&pool.taints).next() {
            return Self::Unsuited(format!("its taint {taint} is not tolerated"));
        }
        if let Some(wanted) = unmet(pool, pod) {
            return Self::Unsuited(format!("it makes no node with {wanted}"));
        }
        match machine_for(fleet, pool, pod) {
            Machine::Found => match pool.is_short_of(&pod.requests) {
                Some(resource) => Self::AtLimit(resource),
                None => Self::Fits,
            },
            Machine::Unknown => match pool.is_short_of(&pod.requests) {
                Some(resource) => Self::AtLimit(resource),
                None => Self::Unknown,
            },
            Machine::TooSmall(largest) => Self::TooLarge(largest),
        }
    }
}

/// The requirement of the pod that no node of this pool meets.
fn unmet<'a>(pool: &Pool, pod: &'a Pod) -> Option<&'a Requirement> {
    let first_unmet = |terms: &'a [Requirement]| terms.iter().find(|term| !is_possible(pool, term));
    if let Some(term) = first_unmet(&pod.wants.selector) {
        return Some(term);
    }
    // One whole alternative is enough.
    let alternatives: Vec<_> = pod.wants.alternatives.iter().map(|terms| first_unmet(terms)).collect();
    if alternatives.iter().any(Option::is_none) {
        return None;
    }
    alternatives.into_iter().flatten().next()
}

/// Whether a node of this pool can meet a requirement.
fn is_possible(pool: &Pool, term: &Requirement) -> bool {
    if let Some(value) = pool.labels.get(&term.key) {
        return term.admits(Some(value));
    }
    let mut own = pool.on(&term.key).peekable();
    if own.peek().is_none() {
        let is_brought = BROUGHT.iter().any(|prefix| term.key.starts_with(prefix));
        return is_brought || term.admits(None);
    }
    // Where the pool lists values, one of them has to do; else only a contradiction is one.
    own.all(|own| match own.operator {
        Operator::In => own.values.iter().any(|value| term.admits(Some(value))),
        Operator::DoesNotExist => term.admits(None),
        Operator::NotIn => term.operator != Operator::In || term.values.iter().any(|value| own.admits(Some(value))),
        Operator::Exists | Operator::Gt | Operator::Lt => term.operator != Operator::DoesNotExist,
    })
}

enum Machine {
    Found,
    Unknown,
    TooSmall(String),
}

/// Looks for a machine that the pool may make and the pod fits on.
fn machine_for(fleet: &Fleet, pool: &Pool, pod: &Pod) -> Machine {
    let requests = &pod.requests;
    let (Some(cpu), Some(memory)) = (requests.cpu, requests.memory) else { return Machine::Unknown };
    if bound(pool, CPU).is_some_and(|most| Quantity::of(most) < cpu)
        || bound(pool, MEMORY).is_some_and(|most| Quantity::of(most.saturating_mul(1 << 20)) < memory)
    {
        return Machine::TooSmall("the largest machine of its requirements".to_owned());
    }
    let Some(types) = types_of(pool) else { return Machine::Unknown };
    let mut largest: Option<(&str, &Resources)> = None;
    let mut are_all_known = !types.is_empty();
    for name in &types {
        let Some(machine) = fleet.machine_type(name) else {
            are_all_known = false;
            continue;
        };
        let (Some(has_cpu), Some(has_memory)) = (machine.cpu, machine.memory) else {
            are_all_known = false;
            continue;
        };
        if has_cpu >= cpu && has_memory >= memory {
            return Machine::Found;
        }
        if largest.is_none_or(|(_, known)| known.cpu < machine.cpu) {
            largest = Some((name, machine));
        }
    }
    match largest {
        Some((name, machine)) if are_all_known => Machine::TooSmall(format!("{name} ({})", machine.text())),
        _ => Machine::Unknown,
    }
}

/// The types that a pool may make, where it lists them or their families and sizes; `None` where they are open.
fn types_of(pool: &Pool) -> Option<BTreeSet<Arc<str>>> {
    let listed = |key: &str| -> Option<BTreeSet<Arc<str>>> {
        let listed = pool.requirements.iter().filter(|r| &*r.key == key && r.operator == Operator::In);
        listed
            .map(|r| r.values.iter().cloned().collect::<BTreeSet<_>>())
            .reduce(|a, b| a.intersection(&b).cloned().collect())
    };
    let is_admitted = |name: &Arc<str>| {
        let (family, size) = name.split_once('.').unwrap_or((name, ""));
        let values: BTreeMap<&str, &str> = [(TYPE, &**name), (FAMILY, family), (SIZE, size)].into();
        pool.requirements.iter().all(|r| values.get(&*r.key).is_none_or(|value| r.admits(Some(value))))
    };
    if let Some(types) = listed(TYPE) {
        return Some(types.into_iter().filter(|name| is_admitted(name)).collect());
    }
    let (families, sizes) = (listed(FAMILY)?, listed(SIZE)?);
    let all = families.iter().flat_map(|family| sizes.iter().map(move |size| Arc::from(format!("{family}.{size}"))));
    Some(all.filter(|name| is_admitted(name)).collect())
}

/// The largest value that the pool's requirements on a number leave.
fn bound(pool: &Pool, key: &str) -> Option<i64> {
    let number = |value: &Arc<str>| value.parse::<i64>().ok();
    let of = |r: &Requirement| match r.operator {
        Operator::Lt => r.values.first().and_then(number).map(|bound| bound.saturating_sub(1)),
        Operator::In => r.values.iter().map(number).collect::<Option<Vec<_>>>()?.into_iter().max(),
        _ => None,
    };
    pool.requirements.iter().filter(|r| &*r.key == key).filter_map(of).min()
}
