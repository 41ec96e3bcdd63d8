//! The calls that change something: a pod is deleted, a node is cordoned.

use serde_json::Value;

use super::super::cluster::Cluster;
use super::super::gitlab::{Answer, Request};
use super::super::world::World;
use super::resource::Resource;
use super::status::{Refusal, json_answer};

/// An answer to a call, and whether it changed anything.
pub type Done = Result<(Answer, bool), Refusal>;

/// Options of a call: of its body, or of its query.
fn is_dry(request: &Request, options: &Value) -> Result<bool, Refusal> {
    let of_body = options.get("dryRun").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_body = of_body.iter().map(|value| value.as_str().unwrap_or_default().to_owned());
    let all: Vec<String> = of_body.chain(request.list("dryRun").into_iter().map(str::to_owned)).collect();
    match all.iter().find(|value| *value != "All") {
        Some(other) => Err(Refusal::bad(format!("dryRun: Unsupported value: {other:?}: supported values: \"All\""))),
        None => Ok(!all.is_empty()),
    }
}

fn alone(mut value: Value, resource: &Resource) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("kind".to_owned(), resource.kind_name.into());
        fields.insert("apiVersion".to_owned(), resource.api_version().into());
    }
    value
}

/// Deletes a pod; its job loses it.
pub fn delete_pod(
    cluster: &mut Cluster,
    world: &mut World,
    request: &Request,
    resource: &Resource,
    name: &str,
) -> Done {
    let options: Value = if request.body.is_empty() {
        Value::Null
    } else {
        let sent = request.header("content-type").unwrap_or("application/json");
        if !sent.starts_with("application/json") {
            return Err(Refusal::unsupported(sent));
        }
        serde_json::from_slice(&request.body).map_err(|error| Refusal::bad(format!("the body is no JSON: {error}")))?
    };
    let is_dry = is_dry(request, &options)?;
    let found = cluster.objects().get(resource.kind, "pipeline", name);
    let object = found.ok_or_else(|| Refusal::not_found(resource, name))?;
    let wanted = |field: &str| options.pointer(&format!("/preconditions/{field}")).and_then(Value::as_str);
    if let Some(uid) = wanted("uid").filter(|uid| **uid != *object.uid) {
        return Err(Refusal::other_uid(resource.kind_name, name, uid, &object.uid));
    }
    if wanted("resourceVersion").is_some_and(|version| version != object.version.to_string()) {
        return Err(Refusal::conflict(resource, name));
    }
    let version = object.version;
    let job = cluster.job_of(name).ok_or_else(|| Refusal::not_found(resource, name))?;
    let shown = cluster.delete_pod(job, is_dry).ok_or_else(|| Refusal::not_found(resource, name))?;
    if !is_dry {
        // A job that is over, or is being canceled, loses nothing.
        world.lose_pod(job).ok();
        cluster.catch_up(world);
    }
    Ok((json_answer(200, &versioned(alone(shown, resource), version + u64::from(!is_dry))), !is_dry))
}

fn versioned(mut value: Value, version: u64) -> Value {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".to_owned(), version.to_string().into());
    }
    value
}

/// Everything that a patch may say here: whether pods may go to the node, and which node is meant.
struct Patch {
    is_off: Option<bool>,
    uid: Option<String>,
    version: Option<String>,
}

fn read_patch(request: &Request, resource: &Resource, name: &str) -> Result<Patch, Refusal> {
    let sent = request.header("content-type").unwrap_or_default();
    let kind = sent.split(';').next().unwrap_or_default().trim();
    if !matches!(kind, "application/strategic-merge-patch+json" | "application/merge-patch+json") {
        return Err(Refusal::unsupported(sent));
    }
    let body: Value =
        serde_json::from_slice(&request.body).map_err(|error| Refusal::bad(format!("the body is no JSON: {error}")))?;
    let only = |what: &str| {
        let why =
            format!("{what}: Forbidden: the practice cluster lets spec.unschedulable be patched and nothing else");
        Refusal::invalid(resource, name, &why)
    };
    let Value::Object(fields) = &body else { return Err(Refusal::bad("a patch has to be an object")) };
    let mut patch = Patch { is_off: None, uid: None, version: None };
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("kind" | "apiVersion", _) => {}
            ("metadata", Value::Object(metadata)) => {
                for (key, value) in metadata {
                    match (key.as_str(), value.as_str()) {
                        ("uid", Some(uid)) => patch.uid = Some(uid.to_owned()),
                        ("resourceVersion", Some(version)) => patch.version = Some(version.to_owned()),
                        ("name", Some(other)) if other == name => {}
                        _ => return Err(only(&format!("metadata.{key}"))),
                    }
                }
            }
            ("spec", Value::Object(spec)) => {
                for (key, value) in spec {
                    match (key.as_str(), value) {
                        ("unschedulable", Value::Bool(is_off)) => patch.is_off = Some(*is_off),
                        ("unschedulable", Value::Null) => patch.is_off = Some(false),
                        ("unschedulable", other) => {
                            return Err(Refusal::bad(format!(
                                "spec.unschedulable has to be true or false, not {other}"
                            )));
                        }
                        _ => return Err(only(&format!("spec.{key}"))),
                    }
                }
            }
            _ => return Err(only(key)),
        }
    }
    Ok(patch)
}

/// Cordons a node, or opens it again.
pub fn patch_node(cluster: &mut Cluster, request: &Request, resource: &Resource, name: &str) -> Done {
    let is_dry = is_dry(request, &Value::Null)?;
    let patch = read_patch(request, resource, name)?;
    let found = cluster.objects().get(resource.kind, "", name);
    let object = found.ok_or_else(|| Refusal::not_found(resource, name))?;
    if let Some(uid) = patch.uid.filter(|uid| **uid != *object.uid) {
        return Err(Refusal::other_uid(resource.plural, name, &uid, &object.uid));
    }
    if patch.version.is_some_and(|version| version != object.version.to_string()) {
        return Err(Refusal::conflict(resource, name));
    }
    let was = object.value().pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
    let is_off = patch.is_off.unwrap_or(was);
    let shown = cluster.cordon(name, is_off, is_dry).ok_or_else(|| Refusal::not_found(resource, name))?;
    let version = cluster.objects().get(resource.kind, "", name).map_or(0, |object| object.version);
    Ok((json_answer(200, &versioned(alone(shown, resource), version)), !is_dry && is_off != was))
}
