//! Watches: what changes, as it changes, until the time is up.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::super::cluster::{Change, Cluster, Object};
use super::super::gitlab::Request;
use super::list::{alone, form};
use super::resource::Resource;
use super::select::Selector;
use super::server::{Kube, WatchEnd};
use super::status::Refusal;
use super::table::{Form, table};

/// How often a watch that wants it is told how far it is.
const BOOKMARK: Duration = Duration::from_secs(60);
/// How long a watch lasts that does not say.
const USUAL: Duration = Duration::from_secs(1_800);

/// What a watch asks for.
pub struct Watch {
    resource: &'static Resource,
    selector: Selector,
    form: Form,
    /// Goes on after this version.
    version: u64,
    wants_bookmarks: bool,
    /// A bookmark that tells where the beginning ends is still owed.
    owes_end: bool,
    length: Duration,
    beginning: Vec<Arc<Object>>,
    is_too_old: bool,
}

fn flag(request: &Request, name: &str) -> bool {
    matches!(request.parameter(name), Some("1" | "true" | "t" | "T" | "True" | "TRUE"))
}

/// Whether a request is a watch.
pub fn is_one(request: &Request) -> bool {
    flag(request, "watch")
}

impl Watch {
    pub fn of(
        cluster: &Cluster,
        request: &Request,
        resource: &'static Resource,
        namespace: Option<&str>,
    ) -> Result<Self, Refusal> {
        let objects = cluster.objects();
        let selector = Selector::of(request, resource.kind, namespace)?;
        let initial = flag(request, "sendInitialEvents");
        if initial && request.parameter("resourceVersionMatch") != Some("NotOlderThan") {
            let why = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(Refusal::new(422, "Invalid", format!("ListOptions.meta.k8s.io \"\" is invalid: {why}")));
        }
        let text = request.parameter("resourceVersion").unwrap_or_default();
        let asked: u64 = match text {
            "" => 0,
            text => text.parse().map_err(|_| Refusal::bad(format!("Invalid value: {text:?}: resourceVersion")))?,
        };
        if asked > objects.version() {
            return Err(Refusal::too_large(asked, objects.version()));
        }
        // Without a version, everything that is there comes first.
        let from_start = asked == 0 || initial;
        let beginning: Vec<Arc<Object>> = if from_start {
            objects.all(resource.kind).filter(|object| selector.takes(object)).cloned().collect()
        } else {
            Vec::new()
        };
        let seconds = request.parameter("timeoutSeconds").and_then(|text| text.parse().ok());
        Ok(Self {
            resource,
            selector,
            form: form(request)?,
            version: if from_start { objects.version() } else { asked },
            wants_bookmarks: flag(request, "allowWatchBookmarks"),
            owes_end: initial,
            length: seconds.filter(|seconds| *seconds > 0).map_or(USUAL, Duration::from_secs),
            beginning,
            is_too_old: !from_start && objects.since(asked).is_none(),
        })
    }

    /// The stream of its events, one a line.
    pub fn stream(mut self, kube: Arc<Kube>, now: crate::ci::Timestamp) -> impl Stream<Item = io::Result<Bytes>> {
        let mut lines: VecDeque<String> = VecDeque::new();
        for object in std::mem::take(&mut self.beginning) {
            lines.push_back(self.line("ADDED", &object, now));
        }
        if self.owes_end && self.wants_bookmarks {
            lines.push_back(self.bookmark(true));
        }
        let mut is_over = false;
        if self.is_too_old {
            lines.push_back(expired(self.version));
            is_over = true;
        }
        let guard = kube.watching();
        let begun = Instant::now();
        let open = Open {
            until: begun + self.length,
            next_bookmark: begun + BOOKMARK,
            ticks: kube.ticks(),
            ends: kube.ends(),
            watch: self,
            kube,
            lines,
            is_over,
            is_broken: false,
            _guard: guard,
        };
        stream::unfold(open, |mut open| async move {
            let next = open.next().await?;
            Some((next, open))
        })
    }

    fn line(&self, what: &str, object: &Object, now: crate::ci::Timestamp) -> String {
        format!("{{\"type\":\"{what}\",\"object\":{}}}\n", alone(object, self.form, now))
    }

    fn bookmark(&self, ends_beginning: bool) -> String {
        let mut metadata = json!({ "resourceVersion": self.version.to_string(), "creationTimestamp": null });
        if let Some(metadata) = metadata.as_object_mut().filter(|_| ends_beginning) {
            metadata.insert("annotations".to_owned(), json!({ "k8s.io/initial-events-end": "true" }));
        }
        let object = match self.form {
            Form::Whole => json!({
                "kind": self.resource.kind_name, "apiVersion": self.resource.api_version(), "metadata": metadata,
            }),
            Form::Metadata => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
            }
            Form::Table(include) => {
                let about = json!({ "resourceVersion": self.version.to_string() });
                table(self.resource.kind, std::iter::empty(), include, about, crate::ci::Timestamp::default())
            }
        };
        format!("{}\n", json!({ "type": "BOOKMARK", "object": object }))
    }

    /// What a change is to somebody who sees only what the selector takes.
    fn event(&self, change: &Change, now: crate::ci::Timestamp) -> Option<String> {
        if change.last.kind != self.resource.kind {
            return None;
        }
        let was = change.before.as_ref().is_some_and(|object| self.selector.takes(object));
        match (was, change.after.as_ref().filter(|object| self.selector.takes(object))) {
            (false, Some(object)) => Some(self.line("ADDED", object, now)),
            (true, Some(object)) => Some(self.line("MODIFIED", object, now)),
            (true, None) => Some(self.line("DELETED", &change.last, now)),
            (false, None) => None,
        }
    }
}

fn error(refusal: &Refusal) -> String {
    let object: Value = refusal.value();
    format!("{}\n", json!({ "type": "ERROR", "object": object }))
}

fn expired(version: u64) -> String {
    error(&Refusal::too_old(version, version + 1))
}

/// A watch that is open.
struct Open {
    watch: Watch,
    kube: Arc<Kube>,
    lines: VecDeque<String>,
    until: Instant,
    next_bookmark: Instant,
    ticks: Receiver<u64>,
    ends: Receiver<(u64, WatchEnd)>,
    is_over: bool,
    is_broken: bool,
    _guard: super::server::Watching,
}

impl Open {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if !self.lines.is_empty() {
                let text: String = self.lines.drain(..).collect();
                return Some(Ok(Bytes::from(text)));
            }
            if self.is_broken {
                self.is_broken = false;
                return Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
            }
            if self.is_over {
                return None;
            }
            self.catch_up();
            if !self.lines.is_empty() {
                continue;
            }
            let at = Instant::now();
            let is_late = at >= self.until;
            if is_late || at >= self.next_bookmark {
                if self.watch.wants_bookmarks {
                    self.lines.push_back(self.watch.bookmark(false));
                }
                self.next_bookmark = at + BOOKMARK;
                self.is_over = is_late;
                continue;
            }
            tokio::select! {
                // The server is gone when its end of these is.
                changed = self.ticks.changed() => self.is_over |= changed.is_err(),
                changed = self.ends.changed() => match changed {
                    Ok(()) => self.end(),
                    Err(_) => self.is_over = true,
                },
                () = sleep_until(self.until.min(self.next_bookmark)) => {}
            }
        }
    }

    fn end(&mut self) {
        let (_, how) = *self.ends.borrow_and_update();
        self.is_over = true;
        match how {
            WatchEnd::Closed => {}
            WatchEnd::Broken => self.is_broken = true,
            WatchEnd::Expired => self.lines.push_back(expired(self.watch.version)),
        }
    }

    fn catch_up(&mut self) {
        let watch = &mut self.watch;
        let lines = &mut self.lines;
        let is_over = &mut self.is_over;
        self.kube.look(|cluster, _| match cluster.objects().since(watch.version) {
            Some(changes) => {
                lines.extend(changes.filter_map(|change| watch.event(change, cluster.now())));
                watch.version = cluster.objects().version();
            }
            None => {
                lines.push_back(expired(watch.version));
                *is_over = true;
            }
        });
    }
}
