//! The server that puts the practice world on loopback.
//!
//! It runs on a thread and a runtime of its own, so a test that blocks cannot stop it and stopping it cuts every connection, as a GitLab that dies
//! would. Here, and only here in this room, the wall clock is read: it says how far the virtual time has come.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::faults::{Fault, FaultKind, Faults, instead, send};
use super::gitlab::{self, PROJECT_PATH, Request, Tokens};
use super::kube::{Endpoint as KubeEndpoint, Kube, WatchEnd};
use super::metrics;
use super::s3::{BUCKETS, Endpoint, Listed as S3Object, S3};
use super::world::{OPENING, World};
use super::{Options, SandboxError};

/// How often the world moves on when nobody asks.
const TICK: Duration = Duration::from_millis(500);

/// The practice world, before it is started.
pub struct Sandbox;

impl Sandbox {
    /// Builds the world and opens its doors at three in the virtual night.
    pub async fn start(options: Options) -> Result<Running, SandboxError> {
        let (shared, stop) = on_a_thread("practice-world", |ready, stopped| serve(options, ready, stopped)).await?;
        let world: Arc<Shared> = shared;
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
            stop: [stop, stop_s3, stop_kube, stop_metrics].into_iter().collect(),
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

async fn serve(options: Options, ready: Ready<Arc<Shared>>, stopped: oneshot::Receiver<()>) {
    let (listener, shared) = match open(&options).await {
        Ok(opened) => opened,
        Err(error) => return drop(ready.send(Err(error))),
    };
    // A caller that has gone away drops its end of `stopped` too, which ends the server below.
    ready.send(Ok(shared.clone())).ok();
    let app = Router::new().fallback(handle).with_state(shared.clone());
    let ticking = async {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            drop(shared.world());
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

async fn open(options: &Options) -> Result<(TcpListener, Arc<Shared>), SandboxError> {
    let mut world = World::new(options.seed, options.scenario, options.jobs)?;
    world.advance_to(OPENING);
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listen = |source| SandboxError::Listen { port: options.port, source };
    let listener = TcpListener::bind(wanted).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let shared = Shared {
        world: Mutex::new(world),
        faults: Mutex::new(Faults::default()),
        requests: AtomicU64::new(0),
        tokens: Tokens { operator: options.token.clone(), reader: format!("{}-read", options.token) },
        base: format!("http://{address}"),
        opened: Instant::now(),
        speed: options.speed,
    };
    Ok((listener, Arc::new(shared)))
}

pub(super) struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    requests: AtomicU64,
    tokens: Tokens,
    base: String,
    opened: Instant,
    speed: f64,
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
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let fault = lock(&shared.faults).strike(&uri.to_string());
    match &fault {
        Some(FaultKind::Hang(length)) => tokio::time::sleep(*length).await,
        Some(FaultKind::MovingList) => shared.world().inject_push(),
        _ => {}
    }
    let request = Request::new(method, &uri, headers, body);
    let mut world = shared.world();
    let answer = fault
        .as_ref()
        .and_then(instead)
        .unwrap_or_else(|| gitlab::answer(&mut world, &shared.tokens, &shared.base, &request));
    let date = world.now().http_date();
    drop(world);
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
    buckets: Arc<S3>,
    kube: Arc<Kube>,
    shared: Arc<Shared>,
    stop: Vec<oneshot::Sender<()>>,
}

impl Running {
    /// What tells other programs where everything is. The cluster's API is in a kubeconfig, which whoever serves the world writes.
    pub fn endpoints(&self) -> serde_json::Value {
        let Endpoint { url, region, access_key, secret_key, public_key } = &self.s3;
        serde_json::json!({
            "gitlab": { "url": self.url, "token": self.token, "project": self.project },
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
        })
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

    /// Makes the GitLab misbehave.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).add(fault);
    }

    /// Ends all misbehaviour.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
        self.buckets.heal();
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
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
