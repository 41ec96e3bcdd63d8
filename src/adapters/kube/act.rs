//! The three calls that change something. Each is sent once, whatever becomes of it, and names the very object that was seen.

use http::{HeaderValue, Method, header};
use kube::client::Body;
use serde_json::{Value, json};

use super::cluster::{Cluster, ask};
use super::kind::coded;
use super::object::{Id, Object};
use crate::adapters::web;
use crate::console::fault::{Fault, FaultKind};

/// Says that the configuration lets things be changed. There is no other way to get one.
#[derive(Debug, Clone, Copy)]
pub struct Allowed(());

impl Allowed {
    /// `None` unless actions are on.
    pub fn by_configuration(are_actions_on: bool) -> Option<Self> {
        are_actions_on.then_some(Self(()))
    }
}

/// Whether a call is only tried out; the server then answers as if it had been done, and does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Dry,
    Real,
}

impl Cluster {
    /// Keeps new pods away from a node; those that run go on.
    pub async fn cordon(&self, allowed: Allowed, node: &Id, run: Run) -> Result<Object, Fault> {
        self.schedulable(allowed, "cordon", node, true, run).await
    }

    /// Lets pods onto a node again.
    pub async fn uncordon(&self, allowed: Allowed, node: &Id, run: Run) -> Result<Object, Fault> {
        self.schedulable(allowed, "uncordon", node, false, run).await
    }

    async fn schedulable(&self, _: Allowed, verb: &str, node: &Id, is_off: bool, run: Run) -> Result<Object, Fault> {
        let what = format!("{verb} node {}", node.name);
        let dry = if run == Run::Dry { "&dryRun=All" } else { "" };
        let address = format!("/api/v1/nodes/{}?fieldManager=stackhand{dry}", part(&what, &node.name)?);
        // With its uid, another node of the same name is refused.
        let patch = json!({"metadata": {"uid": node.uid}, "spec": {"unschedulable": is_off}});
        let json =
            self.change(&what, Method::PATCH, &address, "application/strategic-merge-patch+json", &patch).await?;
        Object::of(json).map_err(|error| Fault::new(FaultKind::Garbled, what, error))
    }

    /// Deletes a pod, unless another one has its name by now.
    pub async fn delete_pod(&self, _: Allowed, pod: &Id, run: Run) -> Result<(), Fault> {
        let what = format!("delete pod {}", pod.name);
        let (namespace, name) = (part(&what, &pod.namespace)?, part(&what, &pod.name)?);
        let dry: &[&str] = if run == Run::Dry { &["All"] } else { &[] };
        let options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": pod.uid}, "dryRun": dry});
        let address = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        self.change(&what, Method::DELETE, &address, "application/json", &options).await.map(drop)
    }

    async fn change(
        &self,
        what: &str,
        method: Method,
        address: &str,
        kind: &'static str,
        body: &Value,
    ) -> Result<Value, Fault> {
        let mut request = ask(what, address).map_err(|trouble| trouble.into_fault(what))?;
        *request.method_mut() = method;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        *request.body_mut() = Body::from(body.to_string().into_bytes());
        let answer = self.whole(what, request).await.map_err(|trouble| trouble.into_fault(what))?;
        web::json(what, &answer).map_err(|failure| failure.fault)
    }
}

/// A name as a part of an address.
fn part(what: &str, name: &str) -> Result<String, Fault> {
    if matches!(name, "" | "." | "..") {
        return Err(Fault::new(FaultKind::Local, what, "that is no name; nothing was sent"));
    }
    Ok(coded(name))
}
