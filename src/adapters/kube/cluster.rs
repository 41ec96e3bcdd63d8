//! The handle to one cluster, and how a request travels there.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::{Bytes, BytesMut};
use http::{Request, Response, header};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::time::timeout;

use super::access;
use super::answer::{Trouble, broken_off};
use super::settings::Settings;
use crate::adapters::backoff::Backoff;
use crate::adapters::clock::Clock;
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};

/// A server that asks for more patience than this is not waited for that long.
const MOST_PATIENCE: Duration = Duration::from_mins(1);

/// A handle to one cluster. Clones share connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    url: Arc<str>,
    pub(super) settings: Arc<Settings>,
    pub(super) backoff: Arc<Backoff>,
    pub(super) clock: Arc<dyn Clock>,
    /// How far the server's clock is ahead of ours, in milliseconds, by its last answer.
    skew_ms: Arc<AtomicI64>,
}

impl Cluster {
    /// Reads the credentials; sends nothing.
    pub async fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let (client, url) = access::client(&settings).await?;
        let seed = RandomState::new().build_hasher().finish();
        let backoff = Arc::new(Backoff::new(settings.backoff, settings.backoff_most, seed));
        let (settings, skew_ms) = (Arc::new(settings), Arc::default());
        Ok(Self { client, url: url.into(), settings, backoff, clock, skew_ms })
    }

    /// The time of the server, whose times all objects carry; our own while it has not answered.
    pub fn server_now(&self) -> Timestamp {
        self.clock.now().shifted(self.skew_ms.load(Ordering::Relaxed))
    }

    /// Where the cluster is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The groups of the API that the cluster serves besides the core, each with its versions.
    pub async fn groups(&self) -> Result<BTreeMap<String, Vec<String>>, Fault> {
        const WHAT: &str = "read what the cluster serves";
        #[derive(Deserialize)]
        struct List {
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            name: String,
            versions: Vec<Version>,
        }
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let asked = async { self.whole(WHAT, ask(WHAT, "/apis")?).await };
        let body = asked.await.map_err(|trouble| trouble.into_fault(WHAT))?;
        let list: List = crate::adapters::web::json(WHAT, &body).map_err(|failure| failure.fault)?;
        let group = |group: Group| (group.name, group.versions.into_iter().map(|version| version.version).collect());
        Ok(list.groups.into_iter().map(group).collect())
    }

    /// Says whether the cluster has Karpenter's objects in the version that is read.
    pub async fn has_karpenter(&self) -> Result<bool, Fault> {
        let groups = self.groups().await?;
        Ok(groups.get("karpenter.sh").is_some_and(|versions| versions.iter().any(|version| version == "v1")))
    }

    /// Sends a request and reads its whole answer, which must be a success.
    pub(super) async fn whole(&self, what: &str, request: Request<Body>) -> Result<Bytes, Trouble> {
        let limit = self.settings.request;
        let read = async {
            let response = self.send(what, request).await?;
            self.read(what, response.into_body()).await
        };
        timeout(limit, read).await.unwrap_or_else(|_| Err(Trouble::late(what, limit)))
    }

    /// Sends a request and hands over the body of its answer unread; the answer must be a success.
    pub(super) async fn open(&self, what: &str, request: Request<Body>) -> Result<Body, Trouble> {
        let limit = self.settings.request;
        let opened = timeout(limit, self.send(what, request)).await.unwrap_or_else(|_| Err(Trouble::late(what, limit)));
        opened.map(Response::into_body)
    }

    async fn send(&self, what: &str, request: Request<Body>) -> Result<Response<Body>, Trouble> {
        let response = self.client.send(request).await.map_err(|error| Trouble::transport(what, &error))?;
        let date =
            response.headers().get(header::DATE).and_then(|text| Timestamp::parse_http_date(text.to_str().ok()?));
        if let Some(date) = date {
            // It is cut to seconds: half of one is right on average.
            self.skew_ms.store(date.millis() + 500 - self.clock.now().millis(), Ordering::Relaxed);
        }
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let wait = response.headers().get(header::RETRY_AFTER).and_then(|text| text.to_str().ok()?.trim().parse().ok());
        let wait = wait.map(|seconds| Duration::from_secs(seconds).min(MOST_PATIENCE));
        // The text of a refusal is a courtesy: when it cannot be read, the status still says enough.
        let body = self.read(what, response.into_body()).await.unwrap_or_default();
        Err(Trouble::of_answer(what, status, &body, wait))
    }

    async fn read(&self, what: &str, mut body: Body) -> Result<Bytes, Trouble> {
        let mut pile = BytesMut::new();
        while let Some(piece) = piece(&mut body).await {
            let piece = piece.map_err(|error| {
                let detail = format!("the answer broke off ({})", broken_off(&error));
                Trouble::Failed { fault: Fault::new(FaultKind::Garbled, what, detail), wait: None }
            })?;
            if pile.len() + piece.len() > self.settings.largest {
                let most = self.settings.largest;
                return Err(Trouble::garbled(
                    what,
                    format!("the answer has more than the {most} bytes that are read at most"),
                ));
            }
            pile.extend_from_slice(&piece);
        }
        Ok(pile.freeze())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A request that reads.
pub(super) fn ask(what: &str, address: &str) -> Result<Request<Body>, Trouble> {
    let request = Request::get(address).header(header::ACCEPT, "application/json").body(Body::empty());
    request.map_err(|error| {
        let fault = Fault::new(FaultKind::Local, what, format!("that is no address ({error}); nothing was sent"));
        Trouble::Failed { fault, wait: None }
    })
}

/// The next piece of a body.
pub(super) async fn piece(body: &mut Body) -> Option<Result<Bytes, kube::Error>> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}
