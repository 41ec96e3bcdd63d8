use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::adapters::clock::SystemClock;
use crate::adapters::testing::{Reply, Scratch, Server, http, server};
use crate::console::fault::{Fault, FaultKind};

mod access;
mod acting;
mod following;
mod known;
mod listing;

/// A recorded answer, as it may be sent again over HTTP/1.1.
fn recorded(text: &str) -> Reply {
    let (head, body) = text.split_once("\n\n").or_else(|| text.split_once("\r\n\r\n")).unwrap();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Reply::Now(http(status, "content-type: application/json\r\n", body))
}

fn ok(body: &Value) -> Reply {
    Reply::Now(http(200, "content-type: application/json\r\n", &body.to_string()))
}

fn no(status: u16, reason: &str) -> Reply {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "code": status});
    Reply::Now(http(status, "content-type: application/json\r\n", &body.to_string()))
}

/// A node as small as they come.
fn node(name: &str, uid: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "uid": uid, "resourceVersion": version}})
}

fn page(version: &str, next: &str, items: &[Value]) -> Value {
    json!({"kind": "List", "metadata": {"resourceVersion": version, "continue": next}, "items": items})
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn bookmark(version: &str) -> String {
    event("BOOKMARK", &json!({"kind": "Node", "metadata": {"resourceVersion": version, "creationTimestamp": null}}))
}

/// A watch that a test feeds. Dropping it cuts the line wherever it is.
struct Feed(mpsc::UnboundedSender<Vec<u8>>);

impl Feed {
    fn new() -> (Self, Reply) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        sender.send(head.as_bytes().to_vec()).unwrap();
        (Self(sender), Reply::Fed(Arc::new(tokio::sync::Mutex::new(receiver))))
    }

    fn say(&self, text: &str) {
        self.0.send(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()).unwrap();
    }

    /// Ends as servers end, with nothing missing.
    fn close(self) {
        self.0.send(b"0\r\n\r\n".to_vec()).unwrap();
    }
}

/// Answers lists and watches in the order in which they are given; where they run out, watches hang and lists say 500.
struct Script {
    lists: Mutex<VecDeque<Reply>>,
    watches: Mutex<VecDeque<Reply>>,
}

async fn play(lists: Vec<Reply>, watches: Vec<Reply>) -> Server {
    let script = Script { lists: Mutex::new(lists.into()), watches: Mutex::new(watches.into()) };
    server(move |_, request| {
        if request.lines().next().unwrap().contains("watch=1") {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            script.watches.lock().unwrap().pop_front().unwrap_or(Reply::Hang(head.into()))
        } else {
            script.lists.lock().unwrap().pop_front().unwrap_or(no(500, "the script is over"))
        }
    })
    .await
}

fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters:\n- name: c\n  cluster: {{server: \"{server}\"}}\n\
         users:\n- name: u\n  user: {user}\ncontexts:\n- name: here\n  context: {{cluster: c, user: u, namespace: pipeline}}\n"
    )
}

/// Quick to ask again, and patient enough for a busy machine.
fn settings(access: Access) -> Settings {
    Settings {
        request: Duration::from_secs(20),
        backoff: Duration::from_millis(4),
        backoff_most: Duration::from_millis(20),
        denied: Duration::from_millis(20),
        absent: Duration::from_millis(20),
        ..Settings::new(access)
    }
}

async fn cluster_with(url: &str, user: &str, change: impl Fn(&mut Settings)) -> Result<Cluster, Fault> {
    let scratch = Scratch::new();
    let path = scratch.write("config", kubeconfig(url, user));
    let mut settings = settings(Access::File { path, context: None });
    change(&mut settings);
    Cluster::new(settings, Arc::new(SystemClock)).await
}

async fn cluster(server: &Server) -> Cluster {
    cluster_with(&server.url, "{token: canary}", |_| {}).await.unwrap()
}

fn names(objects: &[Object]) -> Vec<&str> {
    objects.iter().map(|object| &*object.id.name).collect()
}
