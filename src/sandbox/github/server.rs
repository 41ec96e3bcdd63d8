//! The server that puts this GitHub on loopback: its API, its git, and the webhooks that it sends.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::net::TcpListener;

use super::super::SandboxError;
use super::super::faults::{Fault, FaultKind, Faults, broken, instead};
use super::super::git::{Access, Exchange, Folder, Repository, is_git};
use super::super::gitlab::{Answer, Request};
use super::super::hooks::{Forge, Postman};
use super::super::server::{Shared, lock};
use super::super::world::LogBody;
use super::answer::refusal;
use super::hub::Hub;
use super::limits::{Limits, Resource};
use super::rest::{self, Visit};
use super::{REPOSITORY, graphql};

/// How often people get on when nobody asks.
const TICK: Duration = Duration::from_millis(500);
/// The largest request.
const LARGEST: usize = 64 << 20;

/// Where it is, and as whom it is asked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The API, `http://127.0.0.1:PORT`.
    pub url: String,
    /// A token that may post statuses, labels and comments.
    pub token: String,
    /// A token that may only read.
    pub read_token: String,
    /// Owner and name.
    pub repo: &'static str,
    /// What git clones.
    pub git_url: String,
}

/// What a GitHub is made of.
pub struct GitHubParts {
    pub hub: Hub,
    /// Holds everything that the hub has.
    pub repository: Repository,
    pub folder: Arc<Folder>,
}

/// A port that is taken before anybody answers there, as everything on GitHub tells its address.
pub struct Door {
    listener: std::net::TcpListener,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Door {
    /// Takes any free port.
    pub fn open() -> Result<Self, SandboxError> {
        let listen = |source| SandboxError::Listen { port: 0, source };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let url = format!("http://{}", listener.local_addr().map_err(listen)?);
        Ok(Self { listener, url })
    }

    /// Answers from now on, on this runtime.
    pub fn listen(self) -> Result<TcpListener, SandboxError> {
        TcpListener::from_std(self.listener).map_err(|source| SandboxError::Listen { port: 0, source })
    }
}

/// The GitHub behind its server.
pub struct GitHub {
    pub endpoint: Endpoint,
    hub: Mutex<Hub>,
    repository: Repository,
    /// Holds the repository.
    _folder: Arc<Folder>,
    world: Arc<Shared>,
    faults: Mutex<Faults>,
    limits: Mutex<Limits>,
    requests: AtomicU64,
    git_requests: AtomicU64,
    postman: Arc<Postman>,
}

impl GitHub {
    /// What stands behind the doors at `url`.
    pub fn new(parts: GitHubParts, world: Arc<Shared>, url: &str, token: &str) -> Self {
        let endpoint = Endpoint {
            url: url.to_owned(),
            token: token.to_owned(),
            read_token: format!("{token}-read"),
            repo: REPOSITORY,
            git_url: format!("{url}/{REPOSITORY}.git"),
        };
        Self {
            endpoint,
            hub: Mutex::new(parts.hub),
            repository: parts.repository,
            _folder: parts.folder,
            postman: world.postman().clone(),
            world,
            faults: Mutex::default(),
            limits: Mutex::default(),
            requests: AtomicU64::new(0),
            git_requests: AtomicU64::new(0),
        }
    }

    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let app = Router::new().fallback(handle).layer(DefaultBodyLimit::max(LARGEST)).with_state(self.clone());
        let ticking = async {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                self.look(|_| ());
            }
        };
        tokio::select! {
            () = ticking => {}
            result = axum::serve(listener, app) => {
                if let Err(error) = result {
                    tracing::error!(%error, "the practice GitHub stopped serving");
                }
            }
        }
    }

    /// Looks at what there is now, or changes it; git and the webhooks follow.
    pub fn look<R>(&self, look: impl FnOnce(&mut Hub) -> R) -> R {
        let now = self.world.world().now();
        let mut hub = lock(&self.hub);
        hub.advance_to(now);
        let found = look(&mut hub);
        let (objects, refs) = hub.take_changes();
        if let Err(error) = self.repository.add(&objects, &refs) {
            tracing::error!(%error, "the practice GitHub's repository cannot be written");
        }
        for news in hub.take_news() {
            self.postman.post(Forge::GitHub, news.event, &news.body);
        }
        found
    }

    pub fn fault(&self, fault: Fault) {
        lock(&self.faults).add(fault);
    }

    pub fn heal(&self) {
        lock(&self.faults).clear();
    }

    /// Gives clients another hourly budget.
    pub fn set_budget(&self, budget: u64) {
        lock(&self.limits).set_budget(budget);
    }

    /// How many requests have arrived: at the API, and from git.
    pub fn requests(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.git_requests.load(Ordering::Relaxed))
    }

    /// Who asks: 401 for a token that nobody knows.
    fn caller(&self, secret: Option<&str>) -> Result<Access, Answer> {
        match secret {
            None => Err(refusal(401, "Requires authentication")),
            Some(token) if token == self.endpoint.token => Ok(Access::Write),
            Some(token) if token == self.endpoint.read_token => Ok(Access::Read),
            Some(_) => Err(refusal(401, "Bad credentials")),
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let header = request.header("authorization");
        let token = header.and_then(|text| text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("token ")));
        let path = request.path.strip_prefix("/api/v3").unwrap_or(&request.path).to_owned();
        let now = self.world.world().now();
        if request.header("user-agent").is_none() {
            return refusal(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
            );
        }
        let access = match self.caller(token) {
            Ok(access) => access,
            Err(refusal) => return refusal,
        };
        if path == "/rate_limit" {
            let overview = lock(&self.limits).overview(now);
            let answer = super::answer::json(200, &overview, request);
            return lock(&self.limits).tell(Resource::Core, now, answer);
        }
        let is_graphql = path == "/graphql" || path == "/api/graphql";
        let resource = if is_graphql { Resource::Graphql } else { Resource::Core };
        if lock(&self.limits).is_empty(resource) {
            let refused = refusal(403, "API rate limit exceeded for user ID 41.");
            return lock(&self.limits).tell(resource, now, refused);
        }
        let (answer, cost) = if is_graphql {
            let (remaining, reset) = self.left(now);
            let reply = self.look(|hub| graphql::answer(hub, &request.body, remaining, &reset));
            (super::answer::json(200, &reply.body, request), reply.cost)
        } else {
            let short = Request { path, segments: without_prefix(&request.segments), ..request.clone() };
            let visit =
                |hub: &mut Hub| rest::answer(Visit { hub, request: &short, may_write: access == Access::Write });
            let answer = self.look(visit);
            let cost = u64::from(answer.status != 304);
            (answer, cost)
        };
        let mut limits = lock(&self.limits);
        limits.spend(resource, cost);
        limits.tell(resource, now, answer)
    }

    /// What GraphQL tells of its budget.
    fn left(&self, now: crate::ci::Timestamp) -> (u64, String) {
        let overview = lock(&self.limits).overview(now);
        let of =
            |name: &str| overview.pointer(&format!("/resources/graphql/{name}")).and_then(serde_json::Value::as_i64);
        let reset = crate::ci::Timestamp::from_millis(of("reset").unwrap_or(0).saturating_mul(1_000));
        (of("remaining").unwrap_or(0).try_into().unwrap_or(0), super::wire::time(reset))
    }
}

/// An Enterprise server's REST lies below `/api/v3`.
fn without_prefix(segments: &[String]) -> Vec<String> {
    match segments {
        [api, v3, rest @ ..] if api == "api" && v3 == "v3" => rest.to_vec(),
        all => all.to_vec(),
    }
}

async fn handle(
    State(github): State<Arc<GitHub>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = lock(&github.faults).strike(&uri.to_string());
    match &fault {
        Some(FaultKind::Hang(length)) => tokio::time::sleep(*length).await,
        Some(FaultKind::MovingList) => drop(github.look(|hub| hub.open_pull("moving", "hdf5"))),
        _ => {}
    }
    let response = match fault.as_ref().and_then(instead) {
        Some(answer) => written(answer, &github.world.world().now().http_date()),
        None if is_git(uri.path(), REPOSITORY).is_some() => {
            github.git_requests.fetch_add(1, Ordering::Relaxed);
            git(&github, Exchange { method: &method, uri: &uri, headers: &headers, body }).await
        }
        None => {
            github.requests.fetch_add(1, Ordering::Relaxed);
            let request = Request::new(method, &uri, headers, body);
            let answer = github.answer(&request);
            let date = github.world.world().now().http_date();
            written(answer, &date)
        }
    };
    match fault {
        Some(fault) => broken(response, &fault).await,
        None => response,
    }
}

/// Anybody may fetch, nobody may push: what is on GitHub comes from people.
async fn git(github: &GitHub, exchange: Exchange<'_>) -> Response {
    // What git serves is as late as what the API tells.
    github.look(|_| ());
    let access = match exchange.secret() {
        None => Access::Read,
        Some(secret) => github.caller(Some(&secret)).map_or(Access::Stranger, |_| Access::Read),
    };
    exchange.answer(&github.repository, access).await.0
}

fn written(answer: Answer, date: &str) -> Response {
    let mut response = Response::builder().status(answer.status).header("date", date);
    response = response.header("x-github-media-type", "github.v3; format=json");
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match answer.body {
        LogBody::Bytes(bytes) => Bytes::from_owner(bytes),
        // Logs are the GitLab's.
        LogBody::Endless(_) => Bytes::new(),
    };
    response.body(Body::from(body)).unwrap_or_default()
}
