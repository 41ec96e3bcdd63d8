//! Which objects of a list or a watch are wanted: namespace, labels, fields.

use std::collections::BTreeMap;

use super::super::cluster::{Kind, Object};
use super::super::gitlab::Request;
use super::status::Refusal;

/// One demand on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Label {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            // What has no such label has not that value.
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::Exists(key) => labels.contains_key(key),
            Self::Absent(key) => !labels.contains_key(key),
        }
    }
}

/// Everything that is demanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    namespace: Option<String>,
    labels: Vec<Label>,
    /// Field, value, and whether it has to be that one.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// Reads the parameters of a request.
    pub fn of(request: &Request, kind: Kind, namespace: Option<&str>) -> Result<Self, Refusal> {
        let labels = request.parameter("labelSelector").unwrap_or_default();
        let fields = request.parameter("fieldSelector").unwrap_or_default();
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            labels: parts(labels).into_iter().map(|part| label(part, labels)).collect::<Result<_, _>>()?,
            fields: parts(fields).into_iter().map(|part| field(part, kind)).collect::<Result<_, _>>()?,
        })
    }

    /// Nothing but a namespace is demanded.
    pub fn takes_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub fn takes(&self, object: &Object) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == *object.namespace)
            && self.labels.iter().all(|label| label.holds(&object.labels))
            && self.fields.iter().all(|(field, value, is_wanted)| {
                let found = match field.as_str() {
                    "metadata.name" => Some(&*object.name),
                    "metadata.namespace" => Some(&*object.namespace),
                    other => object.fields.iter().find(|(name, _)| *name == other).map(|(_, value)| value.as_str()),
                };
                (found == Some(value.as_str())) == *is_wanted
            })
    }
}

/// Splits at commas that stand in no parentheses.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut all) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                all.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    all.extend(text.get(start..));
    all.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn label(part: &str, whole: &str) -> Result<Label, Refusal> {
    let set = |rest: &str| -> Option<Vec<String>> {
        let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
    };
    let one = |key: &str, value: &str| (key.trim().to_owned(), vec![value.trim().to_owned()]);
    let found = if let Some((key, value)) = part.split_once("!=") {
        let (key, values) = one(key, value);
        Some(Label::NotIn(key, values))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        let (key, values) = one(key, value);
        Some(Label::In(key, values))
    } else if let Some((key, rest)) = part.split_once(" notin ") {
        set(rest).map(|values| Label::NotIn(key.trim().to_owned(), values))
    } else if let Some((key, rest)) = part.split_once(" in ") {
        set(rest).map(|values| Label::In(key.trim().to_owned(), values))
    } else if let Some(key) = part.strip_prefix('!') {
        Some(Label::Absent(key.trim().to_owned()))
    } else {
        Some(Label::Exists(part.to_owned()))
    };
    let key = found.as_ref().map_or("", |label| match label {
        Label::In(key, _) | Label::NotIn(key, _) | Label::Exists(key) | Label::Absent(key) => key,
    });
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    found.filter(|_| is_key).ok_or_else(|| Refusal::bad(format!("unable to parse requirement: {part:?} of {whole:?}")))
}

fn field(part: &str, kind: Kind) -> Result<(String, String, bool), Refusal> {
    let split = part.split_once("!=").map(|(key, value)| (key, value, false));
    let split = split.or_else(|| {
        let (key, value) = part.split_once("==").or_else(|| part.split_once('='))?;
        Some((key, value, true))
    });
    let Some((key, value, is_wanted)) = split else {
        return Err(Refusal::bad(format!("invalid selector: {part:?}; can't understand {part:?}")));
    };
    let known: &[&str] = match kind {
        Kind::Pod => &["spec.nodeName", "status.phase"],
        Kind::Node => &["spec.unschedulable"],
        Kind::Event => &[
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
        ],
        _ => &[],
    };
    if !["metadata.name", "metadata.namespace"].contains(&key) && !known.contains(&key) {
        return Err(Refusal::bad(format!("field label not supported: {key}")));
    }
    Ok((key.to_owned(), value.to_owned(), is_wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_demanded_in_every_way() {
        let labels: BTreeMap<String, String> =
            [("spack.io/runner", "true"), ("size", "huge")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let holds = |text: &str| parts(text).into_iter().all(|part| label(part, text).unwrap().holds(&labels));
        for (text, want) in [
            ("spack.io/runner=true", true),
            ("spack.io/runner==true,size!=small", true),
            ("size in (huge, large),spack.io/runner", true),
            ("size notin (huge,large)", false),
            ("!size", false),
            ("other notin (a)", true),
            ("!other", true),
            ("other", false),
        ] {
            assert_eq!(holds(text), want, "{text}");
        }
        for odd in ["=", "a in b", "a b", "!"] {
            assert!(parts(odd).into_iter().any(|part| label(part, odd).is_err()), "{odd}");
        }
    }

    #[test]
    fn fields_that_are_not_indexed_are_refused() {
        assert!(field("spec.nodeName=a", Kind::Pod).is_ok() && field("metadata.name!=a", Kind::NodePool).is_ok());
        assert_eq!(field("spec.nodeName=a", Kind::Node).unwrap_err().code, 400);
        assert!(field("metadata.name", Kind::Node).is_err());
    }
}
