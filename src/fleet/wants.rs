//! Where a pod may go: requirements on labels, taints and what tolerates them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire;

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    pub key: Arc<str>,
    pub operator: Operator,
    pub values: Vec<Arc<str>>,
}

/// A mark on a node that keeps pods away which do not tolerate it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Taint {
    pub key: Arc<str>,
    pub value: Arc<str>,
    pub effect: Arc<str>,
}

/// What a pod does not mind. An empty key stands for every key, an empty effect for every effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    pub key: Arc<str>,
    /// `None` tolerates every value.
    pub value: Option<Arc<str>>,
    pub effect: Arc<str>,
}

/// Where a pod may go: every requirement of the selector, one of the alternatives, and its tolerations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wants {
    pub selector: Vec<Requirement>,
    /// Node affinity: one of these has to hold as a whole. Empty: none is asked for.
    pub alternatives: Vec<Vec<Requirement>>,
    pub tolerations: Vec<Toleration>,
}

impl Requirement {
    /// Whether labels satisfy it.
    pub fn is_met(&self, labels: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
        self.admits(labels.get(&self.key).map(|value| &**value))
    }

    /// Whether one value satisfies it; `None` is the absence of the label.
    pub fn admits(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().any(|listed| &**listed == value);
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = || self.values.first().and_then(|bound| number(bound));
        match (self.operator, value) {
            (Operator::In, Some(value)) => is_listed(value),
            (Operator::NotIn, Some(value)) => !is_listed(value),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::NotIn, None) => true,
            (Operator::In | Operator::Gt | Operator::Lt, None) => false,
            (Operator::Gt, Some(value)) => number(value).zip(bound()).is_some_and(|(value, bound)| value > bound),
            (Operator::Lt, Some(value)) => number(value).zip(bound()).is_some_and(|(value, bound)| value < bound),
        }
    }

    pub(super) fn read(value: &Value) -> Option<Self> {
        let operator = match value.get("operator")?.as_str()? {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            "Lt" => Operator::Lt,
            _ => return None,
        };
        let values = wire::list(value, "values").filter_map(Value::as_str).map(|value| wire::cut(value, 256).into());
        Some(Self { key: wire::text(value, "key")?, operator, values: values.collect() })
    }

    pub(super) fn is(key: &Arc<str>, value: &Arc<str>) -> Self {
        Self { key: key.clone(), operator: Operator::In, values: vec![value.clone()] }
    }
}

impl Taint {
    /// Whether it keeps new pods away at all.
    pub fn is_hard(&self) -> bool {
        &*self.effect != "PreferNoSchedule"
    }

    pub(super) fn read_all(value: &Value, key: &str) -> Vec<Self> {
        let one = |value: &Value| {
            let text = |key: &str| wire::text(value, key).unwrap_or_else(|| "".into());
            Some(Self { key: wire::text(value, "key")?, value: text("value"), effect: text("effect") })
        };
        wire::list(value, key).filter_map(one).collect()
    }
}

impl Toleration {
    pub fn tolerates(&self, taint: &Taint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect)
            && ((self.key.is_empty() && self.value.is_none()) || self.key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
    }
}

impl Wants {
    /// Whether a node with these labels is one that the pod may go to.
    pub fn admits(&self, labels: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
        let all = |terms: &[Requirement]| terms.iter().all(|term| term.is_met(labels));
        all(&self.selector) && (self.alternatives.is_empty() || self.alternatives.iter().any(|terms| all(terms)))
    }

    /// The taints that it does not tolerate.
    pub fn untolerated<'a>(&'a self, taints: &'a [Taint]) -> impl Iterator<Item = &'a Taint> {
        taints.iter().filter(|taint| taint.is_hard() && !self.tolerations.iter().any(|t| t.tolerates(taint)))
    }

    /// Whether it asks for this value of a label, by its selector.
    pub fn selects(&self, key: &str, value: &str) -> bool {
        self.selector.iter().any(|term| &*term.key == key && term.values.iter().any(|v| &**v == value))
    }

    pub(super) fn read(spec: &Value) -> Self {
        let selector = wire::texts(spec, "nodeSelector");
        let required = wire::at(spec, &["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
        let terms = |term: &Value| -> Vec<Requirement> {
            wire::list(term, "matchExpressions").filter_map(Requirement::read).collect()
        };
        let toleration = |value: &Value| Toleration {
            key: wire::text(value, "key").unwrap_or_else(|| "".into()),
            value: match value.get("operator").and_then(Value::as_str) {
                Some("Exists") => None,
                _ => Some(wire::text(value, "value").unwrap_or_else(|| "".into())),
            },
            effect: wire::text(value, "effect").unwrap_or_else(|| "".into()),
        };
        Self {
            selector: selector.iter().map(|(key, value)| Requirement::is(key, value)).collect(),
            alternatives: wire::list(required, "nodeSelectorTerms").map(terms).collect(),
            tolerations: wire::list(spec, "tolerations").map(toleration).collect(),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.join(",");
        match self.operator {
            Operator::In => write!(f, "{}={values}", self.key),
            Operator::NotIn => write!(f, "{}≠{values}", self.key),
            Operator::Exists => write!(f, "{} set", self.key),
            Operator::DoesNotExist => write!(f, "{} not set", self.key),
            Operator::Gt => write!(f, "{}>{values}", self.key),
            Operator::Lt => write!(f, "{}<{values}", self.key),
        }
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            return write!(f, "{}:{}", self.key, self.effect);
        }
        write!(f, "{}={}:{}", self.key, self.value, self.effect)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requirements_compare_as_kubernetes_does() {
        let check = |operator: &str, values: &[&str], value: Option<&str>| {
            Requirement::read(&json!({"key": "k", "operator": operator, "values": values})).unwrap().admits(value)
        };
        assert!(
            check("In", &["v3", "v4"], Some("v4")) && !check("In", &["v3"], Some("v4")) && !check("In", &["v3"], None)
        );
        assert!(
            check("NotIn", &["v3"], None)
                && check("NotIn", &["v3"], Some("v4"))
                && !check("NotIn", &["v3"], Some("v3"))
        );
        assert!(check("Exists", &[], Some("")) && !check("Exists", &[], None) && check("DoesNotExist", &[], None));
        assert!(check("Gt", &["7"], Some("8")) && !check("Gt", &["8"], Some("8")) && !check("Gt", &["x"], Some("8")));
        assert!(check("Lt", &["8"], Some("7")) && !check("Lt", &[], Some("7")));
        assert_eq!(Requirement::read(&json!({"key": "k", "operator": "Like"})), None);
    }

    #[test]
    fn tolerations_match_by_key_value_and_effect() {
        let wants = |tolerations: Value| Wants::read(&json!({"tolerations": tolerations}));
        let taint = Taint { key: "windows".into(), value: "true".into(), effect: "NoSchedule".into() };
        let soft = Taint { effect: "PreferNoSchedule".into(), ..taint.clone() };
        let left = |tolerations: Value| wants(tolerations).untolerated(&[taint.clone(), soft.clone()]).count();
        assert_eq!(left(json!([])), 1);
        assert_eq!(left(json!([{"key": "windows", "value": "true", "effect": "NoSchedule"}])), 0);
        assert_eq!(left(json!([{"key": "windows", "value": "false"}])), 1);
        assert_eq!(left(json!([{"key": "windows", "operator": "Exists"}])), 0);
        assert_eq!(left(json!([{"operator": "Exists"}])), 0);
        assert_eq!(left(json!([{"key": "windows", "operator": "Exists", "effect": "NoExecute"}])), 1);
        assert_eq!(taint.to_string(), "windows=true:NoSchedule");
    }
}
