//! What the scheduler and Karpenter write about a pod that they cannot place, taken apart.

use std::sync::Arc;

/// Words of one message that are read at most.
const MOST_PARTS: usize = 64;

/// So many nodes are out of the question for this reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    pub nodes: u64,
    pub reason: Arc<str>,
    pub kind: PredicateKind,
}

/// What kind of reason it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PredicateKind {
    /// Too little left of a resource, or of the number of pods.
    Room,
    /// A taint, a label, a cordon or a place that the pod does not go to.
    Unsuited,
    Other,
}

/// What Karpenter found with one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRefusal {
    /// Empty where it names none.
    pub pool: Arc<str>,
    pub kind: RefusalKind,
}

/// Why a pool makes no node for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// No machine that it may make is large enough.
    TooLarge,
    /// Its limit is reached.
    Limit,
    /// Machines that would do are not to be had now.
    NoOffer,
    /// Taints, labels or requirements do not go together.
    Unsuited,
    Other,
}

/// Takes `0/32 nodes are available: 10 Insufficient cpu, 3 … . preemption: …` apart. Commas inside braces do not count.
pub fn predicates(message: &str) -> Vec<Predicate> {
    let Some((_, counted)) = message.split_once("nodes are available:") else { return Vec::new() };
    let end = counted.find(". preemption:").or_else(|| counted.find(". no new claims")).unwrap_or(counted.len());
    let counted = counted.get(..end).unwrap_or(counted).trim().trim_end_matches('.');
    let one = |part: &str| {
        let (nodes, reason) = part.trim().split_once(' ')?;
        Some(Predicate { nodes: nodes.parse().ok()?, kind: kind_of(reason), reason: reason.into() })
    };
    outside_braces(counted, ", ").into_iter().filter_map(one).collect()
}

fn kind_of(reason: &str) -> PredicateKind {
    let has = |word: &str| reason.contains(word);
    match () {
        () if has("Insufficient") || has("Too many pods") => PredicateKind::Room,
        () if has("taint")
            || has("affinity")
            || has("selector")
            || has("unschedulable")
            || has("volume node affinity")
            || has("zone") =>
        {
            PredicateKind::Unsuited
        }
        () => PredicateKind::Other,
    }
}

/// Takes `Failed to schedule pod, incompatible with nodepool "a", …; incompatible with nodepool "b", …` apart.
pub fn refusals(message: &str) -> Vec<PoolRefusal> {
    let Some(told) = message.strip_prefix("Failed to schedule pod, ") else { return Vec::new() };
    let per_pool: Vec<&str> = outside_braces(told, "; ");
    let one = |part: &&str| {
        let named = part
            .split_once("nodepool \"")
            .or_else(|| part.split_once("nodepool=\""))
            .or_else(|| part.split_once("nodepool: \""));
        let pool = named.and_then(|(_, rest)| rest.split_once('"')).map_or("", |(pool, _)| pool);
        PoolRefusal { pool: pool.into(), kind: refusal_of(part) }
    };
    per_pool.iter().map(one).collect()
}

fn refusal_of(part: &str) -> RefusalKind {
    let has = |word: &str| part.contains(word);
    match () {
        () if has("exceed limits for nodepool") || has("exceeds limits for nodepool") || has("limits exceeded") => {
            RefusalKind::Limit
        }
        // "no instance type which met the scheduling requirements and had enough resources, had a required offering"
        () if has("offering") && !has(" or had a required offering") => RefusalKind::NoOffer,
        () if has("no instance type has enough resources") => RefusalKind::TooLarge,
        () if has("did not tolerate") || has("tolerate taint") => RefusalKind::Unsuited,
        () if has("incompatible requirements")
            || has("scheduling requirements")
            || has("does not have known values")
            || has("not in") =>
        {
            RefusalKind::Unsuited
        }
        () => RefusalKind::Other,
    }
}

/// What Karpenter promises a pod, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nomination {
    pub claim: Option<Arc<str>>,
    pub node: Option<Arc<str>>,
}

/// Reads `Pod should schedule on: nodeclaim/X, node/Y`; either may be missing, not both.
pub fn nominated(message: &str) -> Option<Nomination> {
    let (_, told) = message.split_once("should schedule on:")?;
    let named = |prefix: &str| {
        let part = told.split(',').find_map(|part| part.trim().strip_prefix(prefix))?;
        Some(part.trim()).filter(|name| !name.is_empty()).map(Into::into)
    };
    let both = Nomination { claim: named("nodeclaim/"), node: named("node/") };
    (both != Nomination::default()).then_some(both)
}

/// Splits where no brace is open.
fn outside_braces<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let (mut parts, mut start, mut depth, mut skip) = (Vec::new(), 0, 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && at >= skip && text.get(at..).is_some_and(|rest| rest.starts_with(separator)) {
            parts.extend(text.get(start..at));
            start = at + separator.len();
            skip = start;
            if parts.len() >= MOST_PARTS {
                return parts;
            }
        }
    }
    parts.extend(text.get(start..).filter(|rest| !rest.trim().is_empty()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> Vec<(u64, String, PredicateKind)> {
        predicates(message).into_iter().map(|p| (p.nodes, p.reason.to_string(), p.kind)).collect()
    }

    #[test]
    fn counts_and_reasons_come_apart_up_to_the_preemption() {
        let message = "0/32 nodes are available: 10 Insufficient cpu, 11 node(s) had untolerated taint {CriticalAddonsOnly: }, 3 Insufficient memory, 8 node(s) didn't match Pod's node affinity/selector. preemption: 0/32 nodes are available: 10 No preemption victims found for incoming pod, 22 Preemption is not helpful for scheduling.";
        let want = [
            (10, "Insufficient cpu", PredicateKind::Room),
            (11, "node(s) had untolerated taint {CriticalAddonsOnly: }", PredicateKind::Unsuited),
            (3, "Insufficient memory", PredicateKind::Room),
            (8, "node(s) didn't match Pod's node affinity/selector", PredicateKind::Unsuited),
        ];
        assert_eq!(read(message), want.map(|(n, reason, kind)| (n, reason.to_owned(), kind)));
    }

    #[test]
    fn braces_hide_commas_and_odd_texts_give_nothing() {
        let told = read("0/2 nodes are available: 1 node(s) had untolerated taint {a: 1, 2 x}, 1 Too many pods.");
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].1, "node(s) had untolerated taint {a: 1, 2 x}");
        for odd in [
            "",
            "0/0 nodes are available: ",
            "no nodes available",
            "0/1 nodes are available: many Insufficient cpu",
            "nodes are available:{{{{",
        ] {
            assert_eq!(read(odd), [], "{odd}");
        }
        assert!(read(&format!("0/1 nodes are available: {}", "1 a, ".repeat(9_999))).len() <= MOST_PARTS);
    }

    #[test]
    fn karpenter_says_per_pool_why_not() {
        let kinds =
            |message: &str| refusals(message).into_iter().map(|r| (r.pool.to_string(), r.kind)).collect::<Vec<_>>();
        let win = r#"Failed to schedule pod, incompatible with nodepool "x86-64-v2-win", daemonset overhead={"cpu":"150m","memory":"240Mi","pods":"4"}, no instance type has enough resources, requirements=karpenter.sh/capacity-type In [on-demand], kubernetes.io/os In [windows], resources={"cpu":"12150m","memory":"48240Mi","pods":"5"}"#;
        assert_eq!(kinds(win), [("x86-64-v2-win".to_owned(), RefusalKind::TooLarge)]);
        let two = r#"Failed to schedule pod, incompatible with nodepool "a", did not tolerate taint (taint=windows=true:NoSchedule); all available instance types exceed limits for nodepool: "b""#;
        assert_eq!(kinds(two), [("a".to_owned(), RefusalKind::Unsuited), ("b".to_owned(), RefusalKind::Limit)]);
        let offer = r#"Failed to schedule pod, incompatible with nodepool "a", no instance type which met the scheduling requirements and had enough resources, had a required offering"#;
        assert_eq!(kinds(offer), [("a".to_owned(), RefusalKind::NoOffer)]);
        assert_eq!(kinds("0/3 nodes are available: 3 Insufficient cpu."), []);
    }

    #[test]
    fn nominations_name_a_claim_or_a_node_or_both() {
        let told = |message: &str| {
            nominated(message).map(|n| (n.claim.as_deref().map(str::to_owned), n.node.as_deref().map(str::to_owned)))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told("Pod should schedule on: nodeclaim/x"), Some((some("x"), None)));
        assert_eq!(told("Pod should schedule on: nodeclaim/x, node/y.z"), Some((some("x"), some("y.z"))));
        assert_eq!(told("Pod should schedule on: node/y"), Some((None, some("y"))));
        assert_eq!((told("Pod should schedule on: "), told("")), (None, None));
    }
}
