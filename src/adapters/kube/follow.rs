//! Lists, then watches, then watches again, for as long as somebody listens.
//!
//! A watch ends in many ways. The server closes it every few minutes: it is opened again where it was, and nobody hears of it. It breaks, falls
//! silent, or is refused: the same after a pause, and what is known is called stale until it is open again. It is too far behind (410, as an
//! answer or as an object in the stream), or something came that cannot be read: everything is listed again. What is known is never taken
//! away before its successor is there.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::answer::{Status, Trouble, broken_off};
use super::cluster::{Cluster, ask, piece};
use super::kind::{Kind, coded};
use super::known::Known;
use super::lines::Lines;
use super::object::Object;
use super::update::{Change, Phase, Restarts, State, Update};
use crate::adapters::web::cut;
use crate::console::fault::{Fault, FaultKind};

/// How much longer than agreed a watch may go on.
const GRACE: Duration = Duration::from_secs(30);

/// Nobody listens any more.
struct Unheard;

/// Why a watch is over.
enum End {
    Closed,
    Trouble(Trouble),
    Unheard,
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Unheard> for End {
    fn from(_: Unheard) -> Self {
        Self::Unheard
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Box<Value>,
}

impl Cluster {
    /// Tells everything of one kind and every change, until the receiver is dropped.
    pub async fn follow(&self, kind: Kind, out: mpsc::Sender<Update>) {
        let state = State { kind, phase: Phase::Starting, heard: None, objects: 0, restarts: Restarts::default() };
        let mut follower = Follower {
            what: format!("watch {}", state.kind),
            cluster: self.clone(),
            out: out.clone(),
            known: Known::default(),
            version: None,
            state,
            failed: 0,
        };
        loop {
            let pause = tokio::select! {
                () = out.closed() => return,
                pause = Box::pin(follower.round()) => match pause {
                    Ok(pause) => pause,
                    Err(Unheard) => return,
                },
            };
            tokio::select! {
                () = out.closed() => return,
                () = sleep(pause) => {}
            }
        }
    }
}

struct Follower {
    what: String,
    cluster: Cluster,
    out: mpsc::Sender<Update>,
    known: Known,
    /// From where a watch may go on; none where everything has to be listed.
    version: Option<String>,
    state: State,
    /// How many rounds in a row brought nothing.
    failed: u32,
}

impl Follower {
    /// Lists if that is needed, and watches once. Says how long to wait before the next round.
    async fn round(&mut self) -> Result<Duration, Unheard> {
        let version = match self.version.clone() {
            Some(version) => version,
            None => match self.cluster.listed(&self.state.kind).await {
                Ok(listed) => {
                    let mut objects = listed.objects;
                    self.known.reset(&mut objects);
                    self.heard();
                    self.tell(Update::Change(Change::Reset(objects))).await?;
                    self.version = Some(listed.version.clone());
                    listed.version
                }
                Err(trouble) => return self.trouble(trouble, false).await,
            },
        };
        let opened = Instant::now();
        match self.watch(&version).await {
            End::Unheard => Err(Unheard),
            End::Closed => {
                self.state.restarts.closed += 1;
                // One that closes at once is no better than one that does not open.
                let is_hasty = opened.elapsed() < Duration::from_secs(1) && self.version.as_ref() == Some(&version);
                let pause = if is_hasty { self.next_pause() } else { Duration::ZERO };
                self.tell_state().await?;
                Ok(pause)
            }
            End::Trouble(trouble) => self.trouble(trouble, true).await,
        }
    }

    async fn watch(&mut self, version: &str) -> End {
        let length = self.cluster.backoff.spread(self.cluster.settings.watch);
        let address = format!(
            "{}watch=1&resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds={}",
            self.state.kind.address(),
            coded(version),
            length.as_secs().max(1)
        );
        let opened = async { self.cluster.open(&self.what, ask(&self.what, &address)?).await };
        let mut body = match opened.await {
            Ok(body) => body,
            Err(trouble) => return End::Trouble(trouble),
        };
        self.heard();
        if !matches!(self.state.phase, Phase::Live { .. }) {
            self.state.phase = Phase::Live { since: self.cluster.clock.now() };
        }
        if let Err(Unheard) = self.tell_state().await {
            return End::Unheard;
        }
        let end = Instant::now() + length + GRACE;
        let mut lines = Lines::new(self.cluster.settings.largest);
        let mut has_bookmarks = false;
        loop {
            let mut patience = end.saturating_duration_since(Instant::now());
            if has_bookmarks {
                patience = patience.min(self.cluster.settings.silence);
            }
            let piece = match timeout(patience, piece(&mut body)).await {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) if !lines.has_rest() => return End::Closed,
                Ok(None) => {
                    return self.lost(FaultKind::Garbled, "the stream ended in the middle of a line".to_owned());
                }
                Ok(Some(Err(error))) => {
                    return self.lost(FaultKind::Unreachable, format!("the stream broke off ({})", broken_off(&error)));
                }
                Err(_) => {
                    let detail = format!("the stream fell silent for {} s", patience.as_secs_f32());
                    return self.lost(FaultKind::Timeout, detail);
                }
            };
            lines.push(&piece);
            loop {
                let line = match lines.next() {
                    Ok(Some(line)) => line,
                    Ok(None) => break,
                    Err(_) => return Trouble::garbled(&self.what, "a line that is longer than is read").into(),
                };
                match self.event(&line).await {
                    Ok(is_bookmark) => has_bookmarks |= is_bookmark,
                    Err(end) => return end,
                }
            }
        }
    }

    fn lost(&self, kind: FaultKind, detail: String) -> End {
        Trouble::Failed { fault: Fault::new(kind, &self.what, detail), wait: None }.into()
    }

    /// Takes one line of a watch; says whether it is a bookmark.
    async fn event(&mut self, line: &Bytes) -> Result<bool, End> {
        let garbled = |detail: String| End::from(Trouble::garbled(&self.what, detail));
        let event: Event = serde_json::from_slice(line)
            .map_err(|error| garbled(format!("a line that is no event: {}", cut(&error.to_string()))))?;
        match event.kind.as_str() {
            "ADDED" | "MODIFIED" => {
                let object = Object::of(*event.object).map_err(garbled)?;
                let version = object.version.clone();
                let changes = self.known.apply(object);
                if self.known.len() > self.cluster.settings.most_objects {
                    let most = self.cluster.settings.most_objects;
                    let detail = format!("more than the {most} objects that are expected at most");
                    return Err(Trouble::garbled(&self.what, detail).into());
                }
                self.progress(version);
                for change in changes {
                    self.tell(Update::Change(change)).await?;
                }
                Ok(false)
            }
            "DELETED" => {
                let object = Object::of(*event.object).map_err(garbled)?;
                self.progress(object.version.clone());
                if let Some(change) = self.known.delete(object) {
                    self.tell(Update::Change(change)).await?;
                }
                Ok(false)
            }
            "BOOKMARK" => {
                let version = event.object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
                let version = version.filter(|version| !version.is_empty()).map(str::to_owned);
                self.progress(version.ok_or_else(|| garbled("a bookmark without resourceVersion".to_owned()))?);
                self.tell_state().await?;
                Ok(true)
            }
            "ERROR" => {
                let status: Status = serde_json::from_value(*event.object)
                    .map_err(|error| garbled(format!("an error that says nothing: {}", cut(&error.to_string()))))?;
                let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Err(End::Trouble(match Trouble::of(&self.what, code, status, None) {
                    // The stream is over, and nothing says where it was.
                    Trouble::Failed { fault, .. } => Trouble::Garbled(fault),
                    other => other,
                }))
            }
            other => Err(garbled(format!("an event of the type `{}`", cut(other)))),
        }
    }

    /// The server has told something up to this version.
    fn progress(&mut self, version: String) {
        self.version = Some(version);
        self.failed = 0;
        self.heard();
    }

    async fn trouble(&mut self, trouble: Trouble, was_watching: bool) -> Result<Duration, Unheard> {
        let settings = self.cluster.settings.clone();
        let now = self.cluster.clock.now();
        if was_watching {
            match trouble {
                Trouble::Expired => self.state.restarts.expired += 1,
                _ => self.state.restarts.error += 1,
            }
        }
        let stale = |phase: &Phase, fault: Fault| {
            let since = if let Phase::Stale { since, .. } = phase { *since } else { now };
            Phase::Stale { since, fault }
        };
        let pause = match trouble {
            Trouble::Expired => {
                self.version = None;
                // The first time there is nothing to wait for.
                if self.failed == 0 {
                    self.failed = 1;
                    Duration::ZERO
                } else {
                    self.next_pause()
                }
            }
            Trouble::Denied(fault) => {
                self.version = None;
                if !matches!(self.state.phase, Phase::Denied { .. }) {
                    self.state.phase = Phase::Denied { since: now, right: self.state.kind.right(), fault };
                }
                settings.denied
            }
            Trouble::Absent(_) if self.state.kind.is_of_karpenter() => {
                self.version = None;
                if !matches!(self.state.phase, Phase::Absent { .. }) {
                    self.state.phase = Phase::Absent { since: now };
                }
                settings.absent
            }
            Trouble::Failed { fault, wait } => {
                self.state.phase = stale(&self.state.phase, fault);
                let pause = self.next_pause();
                wait.unwrap_or(pause)
            }
            Trouble::Absent(fault) | Trouble::Garbled(fault) => {
                self.version = None;
                self.state.phase = stale(&self.state.phase, fault);
                self.next_pause()
            }
        };
        self.tell_state().await?;
        Ok(pause)
    }

    fn next_pause(&mut self) -> Duration {
        let pause = self.cluster.backoff.after(self.failed);
        self.failed = self.failed.saturating_add(1);
        pause
    }

    fn heard(&mut self) {
        self.state.heard = Some(self.cluster.clock.now());
    }

    async fn tell_state(&mut self) -> Result<(), Unheard> {
        self.state.objects = self.known.len();
        self.tell(Update::State(self.state.clone())).await
    }

    async fn tell(&self, update: Update) -> Result<(), Unheard> {
        self.out.send(update).await.map_err(|_| Unheard)
    }
}
