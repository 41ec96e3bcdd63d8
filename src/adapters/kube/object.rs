//! One object, and what is left of it.

use serde_json::Value;

/// Which object it is. A name may return; a uid never does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    pub uid: String,
    /// Empty where the kind has none.
    pub namespace: String,
    pub name: String,
}

/// An object as the server has it, without `managedFields` and the copy that kubectl keeps of its last request.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    pub id: Id,
    /// Another one means another state. It has no order.
    pub version: String,
    /// As text: thousands are held at once while they are listed, and as values they take five times as much.
    text: Box<str>,
}

impl Object {
    /// Takes a value for an object; what is missing is a fragment.
    pub(super) fn of(mut json: Value) -> Result<Self, String> {
        let metadata = json.get_mut("metadata").and_then(Value::as_object_mut).ok_or("an object has no metadata")?;
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = Id { uid: text("uid"), namespace: text("namespace"), name: text("name") };
        let version = text("resourceVersion");
        if id.uid.is_empty() || id.name.is_empty() || version.is_empty() {
            return Err("an object lacks its name, uid or resourceVersion".to_owned());
        }
        Ok(Self { id, version, text: json.to_string().into() })
    }

    /// What it says.
    pub fn json(&self) -> Value {
        // It was written from a value.
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}
