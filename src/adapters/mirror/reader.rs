//! The reader: one request with its retries, and one mirror within its deadline.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

use super::cache::Cache;
use super::fault::{Fault, Object};
use super::listed::{Ask, Listed};
use super::root::{self, Root, public};
use super::s3::S3;
use super::settings::Settings;
use super::walk::UNLISTED;
use super::web::Web;
use super::{folder, index};
use crate::adapters::clock::{Clock, SystemClock};
use crate::generation::{MirrorState, MirrorView};
use crate::spack::{Hash, Spec};

/// Reads mirrors. Cheap to make: clients are connected when an address needs one.
pub struct Reader {
    pub(super) settings: Settings,
    pub(super) cache: Option<Cache>,
    web: Web,
    s3: S3,
    slots: Semaphore,
    pub(super) clock: Arc<dyn Clock>,
}

impl Reader {
    /// A reader that has not asked anybody yet.
    pub fn new(settings: Settings) -> Self {
        Self::timed(settings, Arc::new(SystemClock))
    }

    /// The same by another clock, which that of mirrors is compared with.
    pub fn timed(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let slots = Semaphore::new(settings.in_flight.max(1));
        Self { cache: Cache::of(&settings), web: Web::default(), s3: S3::default(), slots, clock, settings }
    }

    /// What the indexes of a mirror say about the wanted specs. Whatever goes wrong is a state of the view.
    pub async fn view(&self, name: &str, url: &str, wanted: &HashSet<Hash>) -> MirrorView {
        let reading = async {
            let root = Root::parse(url)?;
            Ok(Box::pin(index::read(self, &root, wanted)).await)
        };
        let state = match self.in_time(url, reading).await {
            Ok((listings, None)) if listings.is_empty() => MirrorState::Absent,
            Ok((listings, None)) => MirrorState::Read(listings),
            Ok((listings, Some(reason))) => MirrorState::Failed { reason: reason.into(), listings },
            Err(reason) => MirrorState::failed(reason),
        };
        MirrorView { name: name.into(), url: public(url).into(), state, direct: HashMap::new() }
    }

    /// Asks for one binary without any index, and gives the layout in which it lies. What is found must be about this spec.
    ///
    /// With `only_signed`, as Spack does, what is not signed is not there; whether a signature is good is not verified here. Layout 2 is asked only
    /// for specs that name a compiler, since its names do, and for what is signed.
    pub async fn find(&self, url: &str, spec: &Spec, only_signed: bool) -> Result<Option<u8>, String> {
        let finding = async {
            let root = Root::parse(url)?;
            Box::pin(super::find::find(self, &root, spec, only_signed)).await
        };
        self.in_time(url, finding).await
    }

    /// The names directly below an address, sorted; none where nothing is there. Web servers have no lists.
    pub async fn names(&self, url: &str) -> Result<Vec<String>, String> {
        let listing = async {
            let root = Root::parse(url)?;
            let shown = root.shown("");
            let listed = self.tried(&shown, || async {
                match &root {
                    Root::Folder(path) => {
                        let path = path.clone();
                        aside(move || folder::names(&path)).await.map_err(Fault::passing)?
                    }
                    Root::Bucket { bucket, prefix } => Box::pin(self.s3.names(&self.settings, bucket, prefix)).await,
                    Root::Web(_) => Err(Fault::lasting(UNLISTED)),
                }
            });
            Box::pin(listed).await
        };
        self.in_time(url, listing).await
    }

    /// The bytes at a path of a mirror. The reason names the address.
    pub async fn file(&self, url: &str, path: &str, limit: usize) -> Result<File, String> {
        let root = Root::parse(url)?;
        match self.fetch(&root, path, limit).await {
            Ok(Some(object)) => Ok(File::Read(object.bytes)),
            Ok(None) => Ok(File::Absent),
            Err(Lack::TooLarge(reason)) => Ok(File::TooLarge(reason)),
            Err(Lack::Failed(reason)) => Err(reason),
        }
    }

    /// What lies at a path of a mirror, at most `limit` bytes; `None` where nothing does. The reason names the address.
    pub(super) async fn get(&self, root: &Root, path: &str, limit: usize) -> Result<Option<Object>, String> {
        self.fetch(root, path, limit).await.map_err(Lack::into_reason)
    }

    /// The same, where it matters why nothing came.
    pub(super) async fn fetch(&self, root: &Root, path: &str, limit: usize) -> Result<Option<Object>, Lack> {
        let shown = root.shown(path);
        let got = self.asked(&shown, || async {
            match root {
                Root::Folder(dir) => {
                    let path = dir.join(path);
                    aside(move || folder::get(&path, limit)).await.map_err(Fault::passing)?
                }
                Root::Web(url) => Box::pin(self.web.get(&self.settings, &root::below(url, path), limit)).await,
                Root::Bucket { bucket, prefix } => {
                    Box::pin(self.s3.get(&self.settings, bucket, &root::key(prefix, path), limit)).await
                }
            }
        });
        Box::pin(got).await
    }

    /// One page of a bucket's listing, in order.
    pub(super) async fn page(&self, shown: &str, ask: &Ask<'_>) -> Result<Listed, String> {
        let listed = self.tried(shown, || async {
            let listed = Box::pin(self.s3.page(&self.settings, ask)).await?;
            if listed.is_in_order(ask) { Ok(listed) } else { Err(Fault::passing("the listing is not in order")) }
        });
        Box::pin(listed).await
    }

    /// A place among the requests that may be open at once.
    pub(super) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed; and without a place one would only ask too much.
        self.slots.acquire().await.ok()
    }

    async fn tried<T, F>(&self, shown: &str, ask: impl FnMut() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        self.asked(shown, ask).await.map_err(Lack::into_reason)
    }

    async fn asked<T, F>(&self, shown: &str, mut ask: impl FnMut() -> F) -> Result<T, Lack>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut wait = self.settings.backoff;
        let mut tried = 1;
        loop {
            let outcome = {
                let _slot = self.slot().await;
                ask().await
            };
            let fault = match outcome {
                Ok(found) => return Ok(found),
                Err(fault) => fault,
            };
            if !fault.is_passing || tried >= self.settings.tries {
                let times = if tried > 1 { format!(", tried {tried} times") } else { String::new() };
                let reason = format!("{shown}: {}{times}", fault.what);
                return Err(if fault.is_too_large { Lack::TooLarge(reason) } else { Lack::Failed(reason) });
            }
            tracing::debug!(address = shown, fault = fault.what, tried, "asking a mirror again");
            sleep(fault.wait.unwrap_or_default().max(wait)).await;
            wait *= 2;
            tried += 1;
        }
    }

    async fn in_time<T>(&self, url: &str, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let limit = self.settings.mirror;
        let late = |_| Err(format!("{}: not read within {} s", public(url), limit.as_secs_f32()));
        timeout(limit, work).await.unwrap_or_else(late)
    }
}

/// One file of a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    Read(Vec<u8>),
    Absent,
    /// There is more of it than is read; the reason names the address.
    TooLarge(String),
}

/// Why nothing came. The reason names the address.
#[derive(Debug)]
pub(super) enum Lack {
    /// There is something, but more of it than is read.
    TooLarge(String),
    /// It says nothing about what is there.
    Failed(String),
}

impl Lack {
    pub fn into_reason(self) -> String {
        match self {
            Self::TooLarge(reason) | Self::Failed(reason) => reason,
        }
    }
}

/// Runs what takes long off the threads that wait for the network.
pub(super) async fn aside<T, F>(work: F) -> Result<T, String>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("reading stopped halfway ({error})"))
}

/// The wanted hashes, for work that is done aside.
pub(super) type Wanted = Arc<HashSet<Hash>>;
