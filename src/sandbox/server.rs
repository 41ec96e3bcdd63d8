//! The server that puts the practice world on loopback.
//!
//! It runs on a thread and a runtime of its own, so a test that blocks cannot stop it and stopping it cuts every connection, as a GitLab that dies
//! would. Here, and only here in this room, the wall clock is read: it says how far the virtual time has come.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::faults::{FaultKind, Faults, broken, instead, send};
use super::git::{Access, Exchange, Folder, Repository, is_git};
use super::github::{Door, GitHub, GitHubParts, Hub};
use super::gitlab::{self, PROJECT_PATH, Request, Tokens};
use super::hooks::{Forge, Postman};
use super::kube::Kube;
use super::metrics;
use super::running::Running;
use super::s3::S3;
use super::world::{Note, OPENING, Refs, World};
use super::{Options, SandboxError};

/// How often the world moves on when nobody asks.
const TICK: Duration = Duration::from_millis(500);
/// So many requests that change something are written down.
const MOST_WRITES: usize = 10_000;
/// The largest request: a push may bring a whole history.
const LARGEST: usize = 256 << 20;

/// The practice world, before it is started.
pub struct Sandbox;

impl Sandbox {
    /// Builds the world and opens its doors at three in the virtual night.
    pub async fn start(options: Options) -> Result<Running, SandboxError> {
        let door = Door::open()?;
        let (url, token) = (door.url.clone(), options.github_token.clone());
        let ((world, parts), stop) =
            on_a_thread("practice-world", |ready, stopped| serve(options, url, ready, stopped)).await?;
        let behind = world.clone();
        let github = Arc::new(GitHub::new(parts, behind, &door.url, &token));
        let served = github.clone();
        let ((), stop_github) =
            on_a_thread("practice-github", |ready, stopped| serve_github(served, door, ready, stopped)).await?;
        let behind = world.clone();
        let (s3, stop_s3) = on_a_thread("practice-s3", |ready, stopped| serve_s3(behind, ready, stopped)).await?;
        let behind = world.clone();
        let (kube, stop_kube) =
            on_a_thread("practice-kube", |ready, stopped| serve_kube(behind, ready, stopped)).await?;
        let behind = kube.clone();
        let (metrics, stop_metrics) =
            on_a_thread("practice-metrics", |ready, stopped| serve_metrics(behind, ready, stopped)).await?;
        Ok(Running {
            prometheus: metrics,
            kubernetes: kube.endpoint.clone(),
            kube,
            url: world.base.clone(),
            project: PROJECT_PATH,
            token: world.tokens.operator.clone(),
            read_token: world.tokens.reader.clone(),
            s3: s3.endpoint.clone(),
            buckets: s3,
            shared: world,
            github: github.endpoint.clone(),
            hub: github,
            stop: [stop, stop_s3, stop_kube, stop_metrics, stop_github].into_iter().collect(),
        })
    }
}

/// What a thread says when its doors are open.
type Ready<T> = oneshot::Sender<Result<T, SandboxError>>;

/// Serves on a thread and a runtime of its own. The sender that comes back stops it when it is used or dropped.
async fn on_a_thread<T, F>(
    name: &str,
    serve: impl FnOnce(Ready<T>, oneshot::Receiver<()>) -> F + Send + 'static,
) -> Result<(T, oneshot::Sender<()>), SandboxError>
where
    T: Send + 'static,
    F: Future<Output = ()>,
{
    let (ready, opened) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(source) => return drop(ready.send(Err(SandboxError::Thread { source }))),
            };
            // Dropping the runtime drops every connection.
            runtime.block_on(serve(ready, stopped));
        })
        .map_err(|source| SandboxError::Thread { source })?;
    Ok((opened.await.map_err(|_| SandboxError::Died)??, stop))
}

async fn serve_s3(world: Arc<Shared>, ready: Ready<Arc<S3>>, stopped: oneshot::Receiver<()>) {
    let (listener, s3) = match S3::open(world).await {
        Ok(opened) => opened,
        Err(error) => return drop(ready.send(Err(error))),
    };
    ready.send(Ok(s3.clone())).ok();
    tokio::select! {
        _ = stopped => {}
        () = s3.serve(listener) => {}
    }
}

async fn serve_kube(world: Arc<Shared>, ready: Ready<Arc<Kube>>, stopped: oneshot::Receiver<()>) {
    let (listener, kube) = match Kube::open(world).await {
        Ok(opened) => opened,
        Err(error) => return drop(ready.send(Err(error))),
    };
    ready.send(Ok(kube.clone())).ok();
    tokio::select! {
        _ = stopped => {}
        () = kube.serve(listener) => {}
    }
}

async fn serve_metrics(kube: Arc<Kube>, ready: Ready<String>, stopped: oneshot::Receiver<()>) {
    let (listener, url) = match metrics::open().await {
        Ok(opened) => opened,
        Err(error) => return drop(ready.send(Err(error))),
    };
    ready.send(Ok(url)).ok();
    tokio::select! {
        _ = stopped => {}
        () = metrics::serve(listener, kube) => {}
    }
}

async fn serve_github(github: Arc<GitHub>, door: Door, ready: Ready<()>, stopped: oneshot::Receiver<()>) {
    let listener = match door.listen() {
        Ok(listener) => listener,
        Err(error) => return drop(ready.send(Err(error))),
    };
    ready.send(Ok(())).ok();
    tokio::select! {
        _ = stopped => {}
        () = github.serve(listener) => {}
    }
}

async fn serve(
    options: Options,
    github: String,
    ready: Ready<(Arc<Shared>, GitHubParts)>,
    stopped: oneshot::Receiver<()>,
) {
    let (listener, shared, parts) = match open(&options, &github).await {
        Ok(opened) => opened,
        Err(error) => return drop(ready.send(Err(error))),
    };
    // A caller that has gone away drops its end of `stopped` too, which ends the server below.
    ready.send(Ok((shared.clone(), parts))).ok();
    let app = Router::new().fallback(handle).layer(DefaultBodyLimit::max(LARGEST)).with_state(shared.clone());
    let ticking = async {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            shared.tell();
        }
    };
    tokio::select! {
        _ = stopped => {}
        () = ticking => {}
        result = axum::serve(listener, app) => {
            if let Err(error) = result {
                tracing::error!(%error, "the practice world stopped serving");
            }
        }
    }
}

async fn open(options: &Options, github: &str) -> Result<(TcpListener, Arc<Shared>, GitHubParts), SandboxError> {
    let mut world = World::new(options.seed, options.scenario, options.jobs)?;
    world.advance_to(OPENING);
    if options.hooks.is_some() {
        world.take_notes();
    }
    let hub = Hub::new(options.seed, options.prs, world.trunk(), OPENING, github);
    let git = |source| SandboxError::Git { source };
    let folder = Arc::new(Folder::new().map_err(git)?);
    let (parts, repository) = repositories(hub, &mut world, &folder).map_err(git)?;
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listen = |source| SandboxError::Listen { port: options.port, source };
    let listener = TcpListener::bind(wanted).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let postman = Postman::new(options.seed, options.hooks.clone(), Handle::current());
    let shared = Shared {
        world: Mutex::new(world),
        faults: Mutex::new(Faults::default()),
        requests: AtomicU64::new(0),
        git_requests: AtomicU64::new(0),
        writes: Mutex::default(),
        tokens: Tokens { operator: options.token.clone(), reader: format!("{}-read", options.token) },
        base: format!("http://{address}"),
        opened: Instant::now(),
        speed: options.speed,
        leapt: AtomicU64::new(0),
        repository,
        folder,
        pushing: tokio::sync::Mutex::new(()),
        postman: Arc::new(postman),
    };
    Ok((listener, Arc::new(shared), parts))
}

/// Makes both repositories. The GitLab's has what an earlier bridge has pushed there.
fn repositories(mut hub: Hub, world: &mut World, folder: &Arc<Folder>) -> std::io::Result<(GitHubParts, Repository)> {
    let (objects, _) = hub.take_changes();
    let place = |forge: &str| folder.path().join(forge).join("spack-packages.git");
    let ours = Repository::create(&place("github"), "develop", &objects, &hub.refs())?;
    let theirs = Repository::create_like(&ours, &place("gitlab"), "develop", &world.bridged(hub.bridged()))?;
    theirs.guard(&Refs::PROTECTED)?;
    Ok((GitHubParts { hub, repository: ours, folder: folder.clone() }, theirs))
}

pub(super) struct Shared {
    world: Mutex<World>,
    pub(super) faults: Mutex<Faults>,
    pub(super) requests: AtomicU64,
    pub(super) git_requests: AtomicU64,
    /// What was asked of the API that is no question, in order.
    pub(super) writes: Mutex<Vec<String>>,
    tokens: Tokens,
    base: String,
    opened: Instant,
    speed: f64,
    /// Milliseconds that went by at once.
    leapt: AtomicU64,
    pub(super) repository: Repository,
    /// Holds both repositories.
    pub(super) folder: Arc<Folder>,
    /// One push after the other.
    pushing: tokio::sync::Mutex<()>,
    pub(super) postman: Arc<Postman>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held the world must not take the server with it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The GitLab's address.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The world, as late as it is now.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        let passed = self.opened.elapsed().as_secs_f64() * self.speed * 1_000.0;
        let mut world = lock(&self.world);
        world.advance_to(OPENING.shifted(passed as i64 + self.leapt.load(Ordering::Relaxed) as i64));
        world
    }

    pub(super) fn let_pass(&self, time: Duration) {
        self.leapt.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) fn postman(&self) -> &Arc<Postman> {
        &self.postman
    }

    /// Lets the world move on, and tells webhooks and git what happened.
    fn tell(&self) {
        let mut world = self.world();
        let gone: Vec<_> = world.take_gone().into_iter().map(|name| (name, None)).collect();
        let is_told = self.postman.target().is_some();
        let notes = if is_told { world.take_notes() } else { Vec::new() };
        // Of several changes since the last look, the newest is told, once.
        let mut seen = BTreeSet::new();
        let mut last: Vec<&Note> = notes.iter().rev().filter(|note| seen.insert(*note)).collect();
        last.reverse();
        let news: Vec<_> = last.into_iter().filter_map(|note| gitlab::news(&world, &self.base, note)).collect();
        drop(world);
        if let Err(error) = self.repository.add(&[], &gone) {
            tracing::error!(%error, "a branch that was deleted stays in the practice GitLab's repository");
        }
        for (event, body) in news {
            self.postman.post(Forge::GitLab, event, &body);
        }
    }
}

/// Answers a git client; a push starts pipelines before it is answered, as nobody could tell which came first.
async fn git(shared: &Shared, exchange: Exchange<'_>) -> Response {
    let access = match exchange.secret() {
        None => Access::Read,
        Some(token) if token == shared.tokens.operator => Access::Write,
        Some(token) if token == shared.tokens.reader => Access::Read,
        Some(_) => Access::Stranger,
    };
    let _turn = shared.pushing.lock().await;
    let (response, pushed) = exchange.answer(&shared.repository, access).await;
    if !pushed.changes.is_empty() {
        shared.world().receive(&pushed);
        shared.tell();
    }
    response
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_git = is_git(uri.path(), PROJECT_PATH).is_some();
    let count = if is_git { &shared.git_requests } else { &shared.requests };
    count.fetch_add(1, Ordering::Relaxed);
    if !is_git && method != Method::GET {
        let mut writes = lock(&shared.writes);
        if writes.len() < MOST_WRITES {
            writes.push(format!("{method} {uri}"));
        }
    }
    let fault = lock(&shared.faults).strike(&format!("{method} {uri}"));
    match &fault {
        Some(FaultKind::Hang(length)) => tokio::time::sleep(*length).await,
        Some(FaultKind::MovingList) => shared.world().inject_push(),
        _ => {}
    }
    if is_git && fault.as_ref().and_then(instead).is_none() {
        let response = git(&shared, Exchange { method: &method, uri: &uri, headers: &headers, body }).await;
        return match fault {
            Some(fault) => broken(response, &fault).await,
            None => response,
        };
    }
    let is_change = method != Method::GET;
    let request = Request::new(method, &uri, headers, body);
    let mut world = shared.world();
    let answer = fault
        .as_ref()
        .and_then(instead)
        .unwrap_or_else(|| gitlab::answer(&mut world, &shared.tokens, &shared.base, &request));
    let date = world.now().http_date();
    drop(world);
    if is_change {
        shared.tell();
    }
    send(answer, fault.as_ref(), &date)
}
