//! Lists in pages, and single objects.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::cluster::{Cluster, Object};
use super::super::gitlab::{Answer, Request};
use super::resource::Resource;
use super::select::Selector;
use super::status::{Refusal, text_answer};
use super::table::{Form, Include, metadata, table};
use super::{Reply, json_answer};

/// Finds out how a client wants objects written: the first way that it names and that there is.
pub fn form(request: &Request) -> Result<Form, Refusal> {
    let accepted = request.header("accept").unwrap_or("*/*");
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        if !matches!(kind, "application/json" | "application/*" | "*/*" | "") {
            continue;
        }
        let named: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let value = |name: &str| named.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        match (value("as"), value("g"), value("v")) {
            (None, ..) => return Ok(Form::Whole),
            (Some("Table"), Some("meta.k8s.io"), Some("v1")) => {
                return Ok(Form::Table(match request.parameter("includeObject") {
                    Some("None") => Include::Nothing,
                    Some("Object") => Include::Object,
                    _ => Include::Metadata,
                }));
            }
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => {
                return Ok(Form::Metadata);
            }
            _ => {}
        }
    }
    Err(Refusal::not_acceptable())
}

/// Where a list goes on: in the state of a version, after a name.
struct Token {
    /// `None`: whatever the state is by then.
    version: Option<u64>,
    after: String,
}

impl Token {
    fn write(&self) -> String {
        let version = self.version.map_or("now".to_owned(), |version| version.to_string());
        let mut text = format!("{version}.");
        for byte in self.after.bytes() {
            // Writing into a text cannot fail.
            write!(text, "{byte:02x}").ok();
        }
        text
    }

    fn read(text: &str) -> Option<Self> {
        let (version, after) = text.split_once('.')?;
        let version = if version == "now" { None } else { Some(version.parse().ok()?) };
        let byte = |at: usize| u8::from_str_radix(after.get(at..at + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..after.len()).step_by(2).map(byte).collect::<Option<_>>()?;
        Some(Self { version, after: String::from_utf8(bytes).ok()? })
    }
}

fn place(object: &Object) -> String {
    format!("{}/{}", object.namespace, object.name)
}

/// One page of a list.
pub fn list(cluster: &Cluster, request: &Request, resource: &Resource, namespace: Option<&str>) -> Reply {
    let form = form(request)?;
    let selector = Selector::of(request, resource.kind, namespace)?;
    let number = |name: &str| match request.parameter(name).filter(|text| !text.is_empty()) {
        Some(text) => text.parse::<usize>().map_err(|_| Refusal::bad(format!("invalid value {text:?} of {name}"))),
        None => Ok(0),
    };
    let limit = number("limit")?;
    let objects = cluster.objects();
    let token = match request.parameter("continue").filter(|text| !text.is_empty()) {
        Some(text) => {
            Some(Token::read(text).ok_or_else(|| Refusal::bad("continue key is not valid: it was not made here"))?)
        }
        None => None,
    };
    let version = token.as_ref().and_then(|token| token.version).unwrap_or(objects.version());
    let after = token.as_ref().map_or("", |token| token.after.as_str());
    let Some(all) = objects.all_at(resource.kind, version) else {
        let token = Token { version: None, after: after.to_owned() };
        return Err(Refusal::list_expired(token.write()));
    };
    let is_wanted =
        |object: &&Arc<Object>| (token.is_none() || place(object).as_str() > after) && selector.takes(object);
    let mut rest = all.iter().filter(is_wanted);
    let most = if limit == 0 { usize::MAX } else { limit };
    let page: Vec<&Arc<Object>> = rest.by_ref().take(most).collect();
    let left = rest.count();
    let mut about = json!({ "resourceVersion": version.to_string() });
    if let (Some(about), Some(last), true) = (about.as_object_mut(), page.last(), left > 0) {
        let token = Token { version: Some(version), after: place(last) };
        about.insert("continue".to_owned(), token.write().into());
        if selector.takes_all() {
            about.insert("remainingItemCount".to_owned(), left.into());
        }
    }
    Ok(written(cluster, resource, &page, form, about))
}

fn written(cluster: &Cluster, resource: &Resource, page: &[&Arc<Object>], form: Form, about: Value) -> Answer {
    match form {
        Form::Whole => {
            let items: Vec<String> = page.iter().map(|object| object.json(false)).collect();
            let (kind, version) = (resource.kind_name, resource.api_version());
            let head = format!("\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":{about}");
            text_answer(200, format!("{{{head},\"items\":[{}]}}\n", items.join(",")))
        }
        Form::Metadata => {
            let items: Vec<Value> = page.iter().map(|object| metadata(object)).collect();
            json_answer(
                200,
                &json!({
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": about,
                    "items": items,
                }),
            )
        }
        Form::Table(include) => {
            let objects = page.iter().map(|object| &***object);
            json_answer(200, &table(resource.kind, objects, include, about, cluster.now()))
        }
    }
}

/// One object, in the form that is wanted.
pub fn alone(object: &Object, form: Form, now: crate::ci::Timestamp) -> String {
    match form {
        Form::Whole => object.json(true),
        Form::Metadata => metadata(object).to_string(),
        Form::Table(include) => {
            let about = json!({ "resourceVersion": object.version.to_string() });
            table(object.kind, std::iter::once(object), include, about, now).to_string()
        }
    }
}

/// One object by its name.
pub fn get(cluster: &Cluster, request: &Request, resource: &Resource, namespace: &str, name: &str) -> Reply {
    let form = form(request)?;
    let found = cluster.objects().get(resource.kind, namespace, name);
    let object = found.ok_or_else(|| Refusal::not_found(resource, name))?;
    Ok(text_answer(200, alone(object, form, cluster.now())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written() {
        let token = Token { version: Some(7), after: "pipeline/runner-ä".to_owned() };
        let read = Token::read(&token.write()).unwrap();
        assert_eq!((read.version, read.after.as_str()), (Some(7), "pipeline/runner-ä"));
        for odd in ["", "7", "x.00", "7.0", "7.zz", "now.ff"] {
            assert!(Token::read(odd).is_none(), "{odd}");
        }
    }
}
