//! The socket of the practice cluster's API: requests are counted, faults strike, watches stay open.
//!
//! It has a thread of its own. While somebody watches, it looks after the world a few times a second.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch::{self, Receiver, Sender};

use super::super::SandboxError;
use super::super::cluster::Cluster;
use super::super::faults::{Fault, FaultKind, Faults, broken, instead, send};
use super::super::gitlab::{Answer, Request};
use super::super::server::{Shared, lock};
use super::super::world::World;
use super::status::Refusal;
use super::{Outcome, answer};

/// How often open watches are served.
const TICK: Duration = Duration::from_millis(100);

/// Where the API is, and as whom it is asked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// May read everything, delete pods of `pipeline` and cordon nodes.
    pub token: String,
    /// May read everything.
    pub read_token: String,
}

impl Endpoint {
    /// A kubeconfig for the one token or the other.
    pub fn kubeconfig(&self, may_change: bool) -> String {
        let token = if may_change { &self.token } else { &self.read_token };
        // JSON is YAML.
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "practice",
            "clusters": [{ "name": "practice", "cluster": { "server": self.url } }],
            "contexts": [{ "name": "practice", "context": { "cluster": "practice", "user": "practice", "namespace": "pipeline" } }],
            "users": [{ "name": "practice", "user": { "token": token } }],
        });
        format!("{config:#}\n")
    }
}

/// How open watches may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchEnd {
    /// As servers close them every few minutes.
    Closed,
    /// The connection breaks.
    Broken,
    /// They are too far behind, and so is everybody who goes on from what was known before.
    Expired,
}

/// The API of a practice cluster.
pub struct Kube {
    pub endpoint: Endpoint,
    shared: Arc<Shared>,
    /// Made when somebody asks.
    cluster: Mutex<Option<Cluster>>,
    faults: Mutex<Faults>,
    requests: AtomicU64,
    mutating: AtomicU64,
    changes: AtomicU64,
    watchers: AtomicUsize,
    ticks: Sender<u64>,
    ends: Sender<(u64, WatchEnd)>,
}

/// Says that somebody watches, until it is dropped.
pub struct Watching(Arc<Kube>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Kube {
    /// Takes a free port.
    pub async fn open(shared: Arc<Shared>) -> Result<(TcpListener, Arc<Self>), SandboxError> {
        let listen = |source| SandboxError::Listen { port: 0, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let tokens = shared.tokens();
        let endpoint = Endpoint {
            url: format!("http://{address}"),
            token: tokens.operator.clone(),
            read_token: tokens.reader.clone(),
        };
        let kube = Self {
            endpoint,
            shared,
            cluster: Mutex::default(),
            faults: Mutex::default(),
            requests: AtomicU64::new(0),
            mutating: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            watchers: AtomicUsize::new(0),
            ticks: watch::channel(0).0,
            ends: watch::channel((0, WatchEnd::Closed)).0,
        };
        Ok((listener, Arc::new(kube)))
    }

    /// Answers until it is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let app = Router::new().fallback(handle).with_state(self.clone());
        let ticking = async {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                if self.watchers.load(Ordering::Relaxed) > 0 {
                    let version = self.look(|cluster, _| cluster.objects().version());
                    self.tell(version);
                }
            }
        };
        tokio::select! {
            () = ticking => {}
            result = axum::serve(listener, app) => {
                if let Err(error) = result {
                    tracing::error!(%error, "the practice cluster's API stopped serving");
                }
            }
        }
    }

    /// Tells open watches that there may be something new.
    fn tell(&self, version: u64) {
        self.ticks.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    /// Looks at the cluster, or changes it, as late as the world is now.
    pub fn look<R>(&self, look: impl FnOnce(&mut Cluster, &mut World) -> R) -> R {
        let mut slot = lock(&self.cluster);
        let mut world = self.shared.world();
        let cluster = slot.get_or_insert_with(|| Cluster::of(&world, self.shared.base()));
        cluster.catch_up(&world);
        look(cluster, &mut world)
    }

    pub fn watching(self: &Arc<Self>) -> Watching {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        Watching(self.clone())
    }

    pub fn ticks(&self) -> Receiver<u64> {
        self.ticks.subscribe()
    }

    pub fn ends(&self) -> Receiver<(u64, WatchEnd)> {
        self.ends.subscribe()
    }

    /// Ends every watch that is open.
    pub fn end_watches(&self, how: WatchEnd) {
        if how == WatchEnd::Expired {
            self.look(|cluster, _| cluster.compact());
        }
        self.ends.send_modify(|(count, last)| (*count, *last) = (*count + 1, how));
    }

    /// How many watches are open.
    pub fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Relaxed)
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many of them were to change something, tries and refused ones too; and how many did.
    pub fn mutations(&self) -> (u64, u64) {
        (self.mutating.load(Ordering::Relaxed), self.changes.load(Ordering::Relaxed))
    }

    pub fn fault(&self, fault: Fault) {
        lock(&self.faults).add(fault);
    }

    pub fn heal(&self) {
        lock(&self.faults).clear();
    }

    fn reply(&self, request: &Request) -> Result<Outcome, Refusal> {
        let outcome = self.look(|cluster, world| answer(cluster, world, self.shared.tokens(), request))?;
        if matches!(outcome, Outcome::Changed(_)) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(outcome)
    }
}

async fn handle(State(kube): State<Arc<Kube>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    kube.requests.fetch_add(1, Ordering::Relaxed);
    if !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS) {
        kube.mutating.fetch_add(1, Ordering::Relaxed);
    }
    let target = percent_encoding::percent_decode_str(&uri.to_string()).decode_utf8_lossy().into_owned();
    let fault = lock(&kube.faults).strike(&target);
    if let Some(FaultKind::Hang(length)) = &fault {
        tokio::time::sleep(*length).await;
    }
    let date = kube.shared.world().now().http_date();
    if let Some(answer) = fault.as_ref().and_then(refused).or_else(|| fault.as_ref().and_then(instead)) {
        return send(answer, fault.as_ref(), &date);
    }
    let request = Request::new(method, &uri, headers, body);
    let whole = |answer: Answer| send(answer, fault.as_ref(), &date);
    match kube.reply(&request) {
        Ok(Outcome::Answer(answer) | Outcome::Changed(answer)) => whole(answer),
        Err(refusal) => whole(refusal.answer()),
        Ok(Outcome::Watch(watch, now)) => {
            let stream = watch.stream(kube, now);
            let body = match &fault {
                // A watch has no middle: it breaks, or falls silent, at once.
                Some(FaultKind::Drop) => Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(
                    std::io::Error::from(std::io::ErrorKind::ConnectionReset),
                )])),
                Some(FaultKind::Stall) => Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>()),
                _ => Body::from_stream(stream),
            };
            let response = Response::builder().header("content-type", "application/json").header("date", &date);
            match response.body(body).unwrap_or_default() {
                response if matches!(fault, Some(FaultKind::Slow { .. } | FaultKind::Truncated)) => {
                    broken(response, &fault.unwrap_or(FaultKind::Truncated)).await
                }
                response => response,
            }
        }
    }
}

/// What this API says in place of the right answer.
fn refused(kind: &FaultKind) -> Option<Answer> {
    let refusal = match kind {
        FaultKind::Unauthorized => Refusal::unauthorized(),
        FaultKind::Forbidden => Refusal::new(403, "Forbidden", "forbidden: this right was taken away"),
        FaultKind::NotFound => Refusal::no_such_resource(),
        FaultKind::RetryLater(seconds) | FaultKind::TooManyRequests(seconds) => {
            let message = "Too many requests, please try again later.";
            let mut refusal = Refusal::new(429, "TooManyRequests", message);
            refusal.details = Some(json!({ "retryAfterSeconds": seconds }));
            return Some(refusal.answer().with("retry-after", seconds.to_string()));
        }
        FaultKind::SlowDown => {
            Refusal::new(503, "ServiceUnavailable", "the server is currently unable to handle the request")
        }
        FaultKind::ServerError => {
            Refusal::new(500, "InternalError", "Internal error occurred: etcdserver: leader changed")
        }
        FaultKind::Expired => Refusal::too_old(1, 2),
        _ => return None,
    };
    Some(refusal.answer())
}
