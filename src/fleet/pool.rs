//! Node pools: which machines Karpenter may make, and how many.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{self, Meta, ReadError, Uid};
use super::{Condition, Quantity, Requirement, Resources, Taint, condition};

/// One node pool as the cluster last described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    pub uid: Uid,
    pub name: Arc<str>,
    /// What its nodes are labelled with.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    pub requirements: Vec<Requirement>,
    /// What stays on its nodes; the taints with which they start are not among them.
    pub taints: Vec<Taint>,
    /// `None` where there is no limit.
    pub limits: Resources,
    /// A limit is set that could not be read.
    pub has_garbled_limit: bool,
    /// What its machines have together.
    pub used: Resources,
    pub nodes: Option<u64>,
    pub conditions: Vec<Condition>,
}

impl Pool {
    /// Reads a Karpenter `NodePool`.
    pub fn read(object: &Value) -> Result<Self, ReadError> {
        let meta = Meta::read(object, "NodePool")?;
        let (spec, status) = (wire::at(object, &["spec"]), wire::at(object, &["status"]));
        let template = wire::at(spec, &["template"]);
        let limits = wire::at(spec, &["limits"]);
        let read = wire::resources(limits, None);
        let is_garbled = |key: &str, amount: Option<Quantity>| amount.is_none() && limits.get(key).is_some();
        Ok(Self {
            uid: meta.uid,
            name: meta.name,
            labels: wire::texts(wire::at(template, &["metadata"]), "labels"),
            requirements: wire::list(wire::at(template, &["spec"]), "requirements")
                .filter_map(Requirement::read)
                .collect(),
            taints: Taint::read_all(wire::at(template, &["spec"]), "taints"),
            has_garbled_limit: is_garbled("cpu", read.cpu) || is_garbled("memory", read.memory),
            limits: read,
            used: wire::resources(wire::at(status, &["resources"]), None),
            nodes: status.get("nodes").and_then(Value::as_u64),
            conditions: wire::conditions(status),
        })
    }

    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.conditions, kind)
    }

    /// How much of its limit is used, by the resource nearest to it; `None` where there is no limit or nothing says what is used.
    pub fn share(&self) -> Option<(&'static str, f64)> {
        let shares = self
            .used
            .beside(&self.limits)
            .into_iter()
            .filter_map(|(name, used, limit)| Some((name, used?.share_of(limit?)?)));
        shares.max_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// The resource of which its limit leaves too little for these requests.
    pub fn is_short_of(&self, requests: &Resources) -> Option<&'static str> {
        let over = |((name, used, limit), (_, asked, _)): (Amounts, Amounts)| {
            let (used, limit, asked) = (used?, limit?, asked?);
            (used.plus(asked) > limit).then_some(name)
        };
        // The number of pods is no resource of a pool.
        let both = self.used.beside(&self.limits).into_iter().zip(requests.beside(requests));
        both.filter(|((name, ..), _)| *name != "pods").find_map(over)
    }

    /// What keeps it from making nodes, by its own word.
    pub fn fault(&self) -> Option<&Condition> {
        let kinds = ["ValidationSucceeded", "NodeClassReady", "NodeRegistrationHealthy", "Ready"];
        kinds.iter().filter_map(|kind| self.condition(kind)).find(|condition| condition.status == Some(false))
    }

    /// The requirements on one label.
    pub fn on<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Requirement> {
        self.requirements.iter().filter(move |requirement| &*requirement.key == key)
    }
}

type Amounts = (&'static str, Option<Quantity>, Option<Quantity>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pool(limits: Value, used: Value) -> Pool {
        Pool::read(&json!({"metadata": {"name": "p"}, "spec": {"limits": limits}, "status": {"resources": used}}))
            .unwrap()
    }

    #[test]
    fn a_limit_is_a_number_or_a_text_and_usage_may_be_in_thousandths() {
        let near = pool(json!({"cpu": 3840, "memory": "15Ti"}), json!({"cpu": "3648000m", "memory": "1Ti"}));
        assert_eq!(near.share(), Some(("cpu", 0.95)));
        let ask = |cpu: i64| Resources { cpu: Some(Quantity::of(cpu)), ..Resources::NONE };
        assert_eq!((near.is_short_of(&ask(192)), near.is_short_of(&ask(193))), (None, Some("cpu")));
    }

    #[test]
    fn no_limit_no_usage_no_share() {
        assert_eq!(pool(json!({}), json!({"cpu": "9"})).share(), None);
        assert_eq!(pool(json!({"cpu": 5}), json!({})).share(), None);
        let garbled = pool(json!({"cpu": "much"}), json!({"cpu": "9"}));
        assert!(garbled.has_garbled_limit && garbled.share().is_none());
        assert_eq!(pool(json!({"cpu": 0}), json!({"cpu": "9"})).share(), None, "no whole");
    }
}
