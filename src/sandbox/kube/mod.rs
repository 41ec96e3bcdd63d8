//! The Kubernetes API of the practice cluster.
//!
//! Discovery, lists with pages, watches with bookmarks, tables, single objects, and the two calls that an operator has: a pod of `pipeline` may be
//! deleted (its job then fails), a node may be cordoned. Two bearer tokens are known; the one that may only read may change nothing.
//!
//! What it does not play: other resources (no DaemonSets and none of their pods, no ReplicaSets of the managers, no events.k8s.io, no metrics.k8s.io),
//! other verbs, OpenAPI (but for what old kubectls want before a dry run), protobuf, YAML, `managedFields`, server-side apply, quotas, admission, eviction, logs, exec and port forwarding, heartbeats
//! of nodes between their changes, and TLS: addresses are `http://127.0.0.1`. Versions are kept for 3,000 changes. Rights are one list for each of the two
//! callers.
//!
//! * `resource`: what is served; `discovery`, `openapi`; `select`: selectors; `list`, `table`, `watch`: reading; `change`: the rest; `status`: refusals;
//!   `server`: the socket, with faults.

mod change;
mod discovery;
mod list;
mod openapi;
mod resource;
mod select;
mod server;
mod status;
mod table;
mod watch;

use http::Method;

use super::cluster::{Cluster, Kind};
use super::gitlab::{Answer, Request, Tokens};
use super::world::World;
use crate::ci::Timestamp;
use resource::{Place, Resource, place};
pub use server::{Endpoint, Kube, WatchEnd};
use status::{Refusal, json_answer};
use watch::Watch;

type Reply = Result<Answer, Refusal>;

/// What a request leads to.
enum Outcome {
    Answer(Answer),
    /// The answer, after something was changed.
    Changed(Answer),
    Watch(Watch, Timestamp),
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Reader,
    Operator,
}

impl Caller {
    fn of(request: &Request, tokens: &Tokens) -> Option<Self> {
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        match () {
            () if token == tokens.operator => Some(Self::Operator),
            () if token == tokens.reader => Some(Self::Reader),
            () => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reader => "stackhand-reader",
            Self::Operator => "stackhand-operator",
        }
    }

    /// Whether somebody granted this.
    fn may(self, verb: &str, resource: &Resource, namespace: Option<&str>) -> bool {
        match (verb, resource.kind) {
            ("get" | "list" | "watch", _) => true,
            ("delete", Kind::Pod) => self == Self::Operator && namespace == Some("pipeline"),
            ("patch", Kind::Node) => self == Self::Operator,
            _ => false,
        }
    }
}

/// Answers one request.
fn answer(cluster: &mut Cluster, world: &mut World, tokens: &Tokens, request: &Request) -> Result<Outcome, Refusal> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let is_get = matches!(request.method, Method::GET | Method::HEAD);
    let plain = |text: &str| Answer::bytes("text/plain; charset=utf-8", text.as_bytes().to_vec());
    // These are for everybody.
    match segments.as_slice() {
        ["version"] if is_get => return Ok(Outcome::Answer(json_answer(200, &discovery::version()))),
        ["healthz" | "livez" | "readyz"] if is_get => return Ok(Outcome::Answer(plain("ok"))),
        _ => {}
    }
    let caller = Caller::of(request, tokens).ok_or_else(Refusal::unauthorized)?;
    let nowhere = || Outcome::Answer(plain("404 page not found\n").status(404));
    let told = |value: Option<serde_json::Value>| value.map_or_else(nowhere, |v| Outcome::Answer(json_answer(200, &v)));
    let place = match segments.as_slice() {
        ["api"] if is_get => return Ok(told(Some(discovery::versions()))),
        ["apis"] if is_get => return Ok(told(Some(discovery::groups()))),
        ["openapi", "v2"] if is_get && request.header("accept").is_some_and(|accept| accept.contains("protobuf")) => {
            return Ok(Outcome::Answer(Answer::bytes(openapi::CONTENT_TYPE, openapi::document())));
        }
        ["apis", group] if is_get => return Ok(told(discovery::group(group))),
        ["api", version] if is_get => return Ok(told(discovery::resources("", version))),
        ["apis", group, version] if is_get => return Ok(told(discovery::resources(group, version))),
        ["api", "v1", rest @ ..] => place("", "v1", rest),
        ["apis", group, version, rest @ ..] if discovery::resources(group, version).is_some() => {
            match place(group, version, rest) {
                Place::Nowhere => return Err(Refusal::no_such_resource()),
                place => place,
            }
        }
        _ => return Ok(nowhere()),
    };
    let is_watch = is_get && watch::is_one(request);
    let verb = match (&request.method, &place) {
        (_, Place::All(..)) if is_watch => "watch",
        (&Method::GET | &Method::HEAD, Place::All(..)) => "list",
        (&Method::GET | &Method::HEAD, _) => "get",
        (&Method::DELETE, Place::All(..)) => "deletecollection",
        (&Method::DELETE, _) => "delete",
        (&Method::PATCH, _) => "patch",
        (&Method::PUT, _) => "update",
        (&Method::POST, _) => "create",
        _ => return Err(Refusal::not_allowed()),
    };
    match place {
        Place::Nowhere => Err(Refusal::no_such_resource()),
        Place::Closed { resource, namespace, name } => {
            Err(Refusal::forbidden(caller.name(), verb, &resource, namespace, name))
        }
        Place::All(resource, _) | Place::One(resource, ..) if !resource.verbs.contains(&verb) => {
            Err(Refusal::not_allowed())
        }
        Place::All(resource, namespace) if !caller.may(verb, resource, namespace) => {
            Err(Refusal::forbidden(caller.name(), verb, &resource.qualified(), namespace, ""))
        }
        Place::One(resource, namespace, name) => {
            let at = Some(namespace).filter(|namespace| !namespace.is_empty());
            if !caller.may(verb, resource, at) {
                return Err(Refusal::forbidden(caller.name(), verb, &resource.qualified(), at, name));
            }
            let done = match verb {
                "delete" => change::delete_pod(cluster, world, request, resource, name)?,
                "patch" => change::patch_node(cluster, request, resource, name)?,
                _ => (list::get(cluster, request, resource, namespace, name)?, false),
            };
            Ok(if done.1 { Outcome::Changed(done.0) } else { Outcome::Answer(done.0) })
        }
        Place::All(resource, namespace) if is_watch => {
            Ok(Outcome::Watch(Watch::of(cluster, request, resource, namespace)?, cluster.now()))
        }
        Place::All(resource, namespace) => list::list(cluster, request, resource, namespace).map(Outcome::Answer),
    }
}
