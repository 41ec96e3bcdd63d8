//! The objects as Kubernetes writes them.

mod machine;
mod pod;
mod pool;

use serde_json::{Value, json};

use super::super::rng::{Rng, hash};
use crate::ci::Timestamp;

pub use machine::{claim, node};
pub use pod::{manager, pod, says};
pub use pool::{Used, namespace, node_class, pool};

/// A moment as Kubernetes writes it, without fractions.
pub fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.split('.').next().unwrap_or_default())
}

/// The uid of an object that is told apart by its kind and name, and, where names return, by something more in the name.
pub fn uid(kind: &str, name: &str) -> String {
    let mut rng = Rng::of(hash(name), kind, 0);
    let mut part = |length| rng.hex(length);
    format!("{}-{}-4{}-8{}-{}", part(8), part(4), part(3), part(3), part(12))
}

/// A text as a label's value: what labels may not hold becomes `_`, the ends are trimmed, and 63 characters are left.
pub fn label(text: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let ends = |c: char| matches!(c, '-' | '_' | '.');
    let whole: String = text.chars().map(clean).collect();
    let cut: String = whole.trim_matches(ends).chars().take(63).collect();
    cut.trim_matches(ends).to_owned()
}

/// A condition of something that Karpenter made.
fn status_condition(kind: &str, is_true: Option<bool>, at: Timestamp, reason: Option<&str>) -> Value {
    let (status, usual) = match is_true {
        Some(true) => ("True", kind),
        Some(false) => ("False", "NotReady"),
        None => ("Unknown", "AwaitingReconciliation"),
    };
    json!({
        "type": kind,
        "status": status,
        "reason": reason.unwrap_or(usual),
        "message": if is_true.is_none() { "object is awaiting reconciliation" } else { "" },
        "lastTransitionTime": seconds(at),
        "observedGeneration": 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cleaned_as_the_runner_does() {
        assert_eq!(label("pr12_feature/a b"), "pr12_feature_a_b");
        assert_eq!(label("--a--"), "a");
        let long = format!("{}-/-{}", "x".repeat(61), "y".repeat(9));
        assert_eq!(label(&long), "x".repeat(61));
        assert_eq!((label("/-/"), label("")), (String::new(), String::new()));
    }

    #[test]
    fn moments_have_no_fractions() {
        assert_eq!(seconds(Timestamp::from_millis(1_773_453_000_999)), "2026-03-14T01:50:00Z");
    }
}
