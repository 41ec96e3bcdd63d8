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
use super::world::{OPENING, World};
use super::{Options, SandboxError};

/// How often the world moves on when nobody asks.
const TICK: Duration = Duration::from_millis(500);

/// The practice world, before it is started.
pub struct Sandbox;

impl Sandbox {
    /// Builds the world and opens its doors at three in the virtual night.
    pub async fn start(options: Options) -> Result<Running, SandboxError> {
        let (ready, opened) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        std::thread::Builder::new()
            .name("practice-world".to_owned())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(source) => return drop(ready.send(Err(SandboxError::Thread { source }))),
                };
                // Dropping the runtime drops every connection.
                runtime.block_on(serve(options, ready, stopped));
            })
            .map_err(|source| SandboxError::Thread { source })?;
        let shared = opened.await.map_err(|_| SandboxError::Died)??;
        Ok(Running {
            url: shared.base.clone(),
            project: PROJECT_PATH,
            token: shared.tokens.operator.clone(),
            read_token: shared.tokens.reader.clone(),
            shared,
            stop: Some(stop),
        })
    }
}

async fn serve(
    options: Options,
    ready: oneshot::Sender<Result<Arc<Shared>, SandboxError>>,
    stopped: oneshot::Receiver<()>,
) {
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

struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    requests: AtomicU64,
    tokens: Tokens,
    base: String,
    opened: Instant,
    speed: f64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held the world must not take the server with it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The world, as late as it is now.
    fn world(&self) -> MutexGuard<'_, World> {
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
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
}

impl Running {
    /// The line that tells other programs where everything is.
    pub fn endpoints_json(&self) -> String {
        serde_json::json!({ "gitlab": { "url": self.url, "token": self.token, "project": self.project } }).to_string()
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Looks into the world, or changes it behind everybody's back.
    pub fn world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        look(&mut self.shared.world())
    }

    /// Makes the server misbehave.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).add(fault);
    }

    /// Ends all misbehaviour.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Stops the server and cuts its connections.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
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
