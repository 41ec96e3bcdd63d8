//! How a Kubernetes API says no: a Status object.

use serde_json::{Value, json};

use super::super::gitlab::Answer;
use super::resource::Resource;

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Value>,
    /// A fresh token for a list that went too old.
    pub token: Option<String>,
}

impl Refusal {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, token: None }
    }

    fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// Nobody granted this. `resource` is with its group behind a dot where it has one.
    pub fn forbidden(user: &str, verb: &str, resource: &str, namespace: Option<&str>, name: &str) -> Self {
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        let wher = namespace.map_or("at the cluster scope".to_owned(), |name| format!("in the namespace {name:?}"));
        let named = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        let message = format!(
            "{resource}{named} is forbidden: User {user:?} cannot {verb} resource {plural:?} in API group {group:?} {wher}"
        );
        let mut details = json!({ "kind": plural });
        if let Some(details) = details.as_object_mut() {
            if !name.is_empty() {
                details.insert("name".to_owned(), name.into());
            }
            if !group.is_empty() {
                details.insert("group".to_owned(), group.into());
            }
        }
        Self::new(403, "Forbidden", message).with(details)
    }

    pub fn not_found(resource: &Resource, name: &str) -> Self {
        let mut details = json!({ "name": name, "kind": resource.plural });
        if let Some(details) = details.as_object_mut().filter(|_| !resource.group.is_empty()) {
            details.insert("group".to_owned(), resource.group.into());
        }
        Self::new(404, "NotFound", format!("{} {name:?} not found", resource.qualified())).with(details)
    }

    pub fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with(json!({}))
    }

    pub fn not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with(json!({}))
    }

    pub fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json, application/json;stream=watch";
        Self::new(406, "NotAcceptable", message)
    }

    /// The object that was meant is not the one that is there.
    pub fn other_uid(kind: &str, name: &str, meant: &str, found: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {kind} {name:?}: the UID in the precondition ({meant}) does not match the UID in record ({found}). The object might have been deleted and then recreated"
        );
        Self::new(409, "Conflict", message).with(json!({ "name": name, "kind": kind }))
    }

    pub fn conflict(resource: &Resource, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: the object has been modified; please apply your changes to the latest version and try again",
            resource.qualified()
        );
        Self::new(409, "Conflict", message).with(json!({ "name": name, "kind": resource.plural }))
    }

    /// A list that went too old while it was read.
    pub fn list_expired(token: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
        Self { token: Some(token), ..Self::new(410, "Expired", message) }
    }

    /// A watch from too long ago.
    pub fn too_old(version: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {version} ({oldest})"))
    }

    /// A version that lies ahead.
    pub fn too_large(version: u64, current: u64) -> Self {
        let cause = json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
        let message = format!("Timeout: Too large resource version: {version}, current: {current}");
        Self::new(504, "Timeout", message).with(json!({ "causes": [cause], "retryAfterSeconds": 1 }))
    }

    pub fn unsupported(sent: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: application/merge-patch+json, application/strategic-merge-patch+json (got {sent:?})"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub fn invalid(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is invalid: {why}", resource.kind_name);
        Self::new(422, "Invalid", message).with(json!({ "name": name, "kind": resource.kind_name }))
    }

    /// The object on the wire.
    pub fn value(&self) -> Value {
        let metadata = match &self.token {
            Some(token) => json!({ "continue": token }),
            None => json!({}),
        };
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let (Some(status), Some(details)) = (status.as_object_mut(), &self.details) {
            status.insert("details".to_owned(), details.clone());
        }
        status
    }

    pub fn answer(&self) -> Answer {
        json_answer(self.code, &self.value())
    }
}

/// An answer as JSON.
pub fn json_answer(status: u16, value: &Value) -> Answer {
    text_answer(status, value.to_string())
}

pub fn text_answer(status: u16, text: String) -> Answer {
    Answer::bytes("application/json", text.into_bytes()).status(status).with("cache-control", "no-cache, private")
}
