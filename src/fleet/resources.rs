//! What pods ask for and nodes have, and the conditions under which objects say how they are.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Quantity;
use crate::ci::Timestamp;

/// Amounts by resource. `None` is unknown, never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// In cores.
    pub cpu: Option<Quantity>,
    /// In bytes.
    pub memory: Option<Quantity>,
    /// Ephemeral storage in bytes.
    pub storage: Option<Quantity>,
    pub pods: Option<Quantity>,
}

impl Resources {
    /// Nothing of anything.
    pub const NONE: Self = Self {
        cpu: Some(Quantity::ZERO),
        memory: Some(Quantity::ZERO),
        storage: Some(Quantity::ZERO),
        pods: Some(Quantity::ZERO),
    };

    /// The sum; unknown where either is.
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, Quantity::plus)
    }

    /// The larger of each; unknown where either is.
    pub fn max(&self, other: &Self) -> Self {
        self.zip(other, Ord::max)
    }

    /// Both amounts of each resource under its name.
    pub fn beside(&self, other: &Self) -> [(&'static str, Option<Quantity>, Option<Quantity>); 4] {
        [
            ("cpu", self.cpu, other.cpu),
            ("memory", self.memory, other.memory),
            ("ephemeral-storage", self.storage, other.storage),
            ("pods", self.pods, other.pods),
        ]
    }

    /// CPU and memory for people: `12 CPU, 44.7Gi`.
    pub fn text(&self) -> String {
        let cpu = self.cpu.map_or_else(|| "? CPU".to_owned(), |cpu| format!("{cpu} CPU"));
        format!("{cpu}, {}", self.memory.map_or_else(|| "? memory".to_owned(), Quantity::bytes_text))
    }

    fn zip(&self, other: &Self, with: impl Fn(Quantity, Quantity) -> Quantity) -> Self {
        let one = |a: Option<Quantity>, b: Option<Quantity>| a.zip(b).map(|(a, b)| with(a, b));
        Self {
            cpu: one(self.cpu, other.cpu),
            memory: one(self.memory, other.memory),
            storage: one(self.storage, other.storage),
            pods: one(self.pods, other.pods),
        }
    }
}

/// One statement of an object about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub kind: Arc<str>,
    /// `None` is Kubernetes' `Unknown`.
    pub status: Option<bool>,
    pub reason: Arc<str>,
    pub message: Arc<str>,
    pub since: Option<Timestamp>,
}

/// Finds a condition by its type.
pub fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| &*condition.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_with_an_unknown_is_unknown() {
        let some = Resources { cpu: Some(Quantity::of(2)), memory: None, ..Resources::NONE };
        let sum = some.plus(&Resources {
            cpu: Some(Quantity::millis(500)),
            memory: Some(Quantity::of(9)),
            ..Resources::NONE
        });
        assert_eq!((sum.cpu, sum.memory), (Some(Quantity::millis(2_500)), None));
        assert_eq!(sum.text(), "2500m CPU, ? memory");
    }
}
