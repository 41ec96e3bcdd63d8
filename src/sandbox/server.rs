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

use super::faults::{Fault, FaultKind, Faults, broken, instead, send};
use super::git::{Access, Exchange, Folder, Repository, is_git};
use super::github::{Door, Endpoint as GitHubEndpoint, GitHub, GitHubParts, Hub};
use super::gitlab::{self, PROJECT_PATH, Request, Tokens};
use super::hooks::{Deliveries, Forge, HookTarget, Postman};
use super::kube::{Endpoint as KubeEndpoint, Kube, WatchEnd};
use super::metrics;
use super::s3::{BUCKETS, Endpoint, Listed as S3Object, S3};
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
    faults: Mutex<Faults>,
    requests: AtomicU64,
    git_requests: AtomicU64,
    /// What was asked of the API that is no question, in order.
    writes: Mutex<Vec<String>>,
    tokens: Tokens,
    base: String,
    opened: Instant,
    speed: f64,
    repository: Repository,
    /// Holds both repositories.
    folder: Arc<Folder>,
    /// One push after the other.
    pushing: tokio::sync::Mutex<()>,
    postman: Arc<Postman>,
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
        world.advance_to(OPENING.shifted(passed as i64));
        world
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

/// A practice world that is being served. Dropping it stops the server.
pub struct Running {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Namespace and name of the project.
    pub project: &'static str,
    /// A token that may do everything.
    pub token: String,
    /// A token that may only read.
    pub read_token: String,
    /// Where the buckets are.
    pub s3: Endpoint,
    /// Where a Prometheus answers, `http://127.0.0.1:PORT`.
    pub prometheus: String,
    /// Where the cluster's API is.
    pub kubernetes: KubeEndpoint,
    /// Where the GitHub is.
    pub github: GitHubEndpoint,
    hub: Arc<GitHub>,
    buckets: Arc<S3>,
    kube: Arc<Kube>,
    shared: Arc<Shared>,
    stop: Vec<oneshot::Sender<()>>,
}

impl Running {
    /// What tells other programs where everything is. The cluster's API is in a kubeconfig, which whoever serves the world writes.
    pub fn endpoints(&self) -> serde_json::Value {
        let Endpoint { url, region, access_key, secret_key, public_key } = &self.s3;
        let mut told = serde_json::json!({
            "gitlab": {
                "url": self.url,
                "token": self.token,
                "project": self.project,
                "git_url": self.git_url(),
            },
            "github": {
                "url": self.github.url,
                "token": self.github.token,
                "repo": self.github.repo,
                "git_url": self.github.git_url,
            },
            "s3": {
                "url": url,
                "region": region,
                "access_key": access_key,
                "secret_key": secret_key,
                "buckets": BUCKETS,
                "public_key": public_key,
                // Tarballs have a size and no bytes.
                "sparse": true,
            },
            "prometheus": { "url": self.prometheus },
        });
        if let (Some(told), Some(target)) = (told.as_object_mut(), self.shared.postman.target()) {
            let hooks = serde_json::json!({
                "github": { "url": target.github, "secret": target.secret },
                "gitlab": { "url": target.gitlab, "token": target.secret },
            });
            told.insert("hooks".to_owned(), hooks);
        }
        told
    }

    /// What git clones from the GitLab, and pushes to with any user and the token as password.
    pub fn git_url(&self) -> String {
        format!("{}/{}.git", self.url, self.project)
    }

    /// How many requests of git have arrived at the GitLab.
    pub fn git_requests(&self) -> u64 {
        self.shared.git_requests.load(Ordering::Relaxed)
    }

    /// Requests at the GitLab's API that ask for a change, with method, path and query; the first ten thousand. GraphQL is among them.
    pub fn writes(&self) -> Vec<String> {
        lock(&self.shared.writes).clone()
    }

    /// Refuses pushes to these refs of the GitLab, each by itself.
    pub fn refuse_pushes(&self, refs: &[&str]) -> std::io::Result<()> {
        self.shared.repository.refuse(refs)
    }

    /// Looks at the GitHub, or lets somebody do something there.
    pub fn hub<R>(&self, look: impl FnOnce(&mut Hub) -> R) -> R {
        self.hub.look(look)
    }

    /// How many requests have arrived at the GitHub: at its API, and from git.
    pub fn github_requests(&self) -> (u64, u64) {
        self.hub.requests()
    }

    /// Makes the GitHub misbehave, its git included. A fault's route is looked for in path and query as they were sent.
    pub fn github_fault(&self, fault: Fault) {
        self.hub.fault(fault);
    }

    /// Gives clients of the GitHub another budget of requests an hour.
    pub fn github_budget(&self, budget: u64) {
        self.hub.set_budget(budget);
    }

    /// From now on, webhooks go there; or nowhere.
    pub fn aim_hooks(&self, target: Option<HookTarget>) {
        // From now on it is written down what happens.
        self.shared.world().take_notes();
        self.shared.postman.aim(target);
    }

    /// How webhooks have fared.
    pub fn deliveries(&self) -> Deliveries {
        self.shared.postman.deliveries()
    }

    /// How many requests have arrived at the S3.
    pub fn s3_requests(&self) -> u64 {
        self.buckets.requests()
    }

    /// Makes the S3 misbehave. A fault's route is looked for in path and query, both decoded.
    pub fn s3_fault(&self, fault: Fault) {
        self.buckets.fault(fault);
    }

    /// Every object of a bucket at this moment, by key.
    pub fn s3_objects(&self, bucket: &str) -> Result<Vec<S3Object>, SandboxError> {
        self.buckets.look(|storage| storage.everything(bucket))?
    }

    /// The armored public keys of binaries: the one that users trust, and that of build jobs.
    pub fn s3_public_keys(&self) -> Result<[String; 2], SandboxError> {
        self.buckets.look(|storage| storage.public_keys())
    }

    /// How many requests have arrived at the cluster's API.
    pub fn kube_requests(&self) -> u64 {
        self.kube.requests()
    }

    /// How many of them were to change something, tries and refused ones too; and how many did.
    pub fn kube_mutations(&self) -> (u64, u64) {
        self.kube.mutations()
    }

    /// How many watches are open there.
    pub fn kube_watchers(&self) -> usize {
        self.kube.watchers()
    }

    /// Makes the cluster's API misbehave. A fault's route is looked for in path and query, both decoded.
    pub fn kube_fault(&self, fault: Fault) {
        self.kube.fault(fault);
    }

    /// Ends every watch that is open there.
    pub fn kube_end_watches(&self, how: WatchEnd) {
        self.kube.end_watches(how);
    }

    /// How many requests have arrived at the GitLab.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Looks into the world, or changes it behind everybody's back.
    pub fn world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        look(&mut self.shared.world())
    }

    /// Makes the GitLab misbehave. A fault's route is looked for in method, path and query as they were sent: `POST /api/v4/`.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).add(fault);
    }

    /// Ends all misbehaviour.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
        self.buckets.heal();
        self.hub.heal();
        self.kube.heal();
    }

    /// Stops the server and cuts its connections.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for stop in self.stop.drain(..) {
            // The server may have ended by itself; then there is nobody to tell.
            stop.send(()).ok();
        }
        self.shared.folder.remove();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
