//! The socket of the practice world's S3: requests are counted, faults strike, `s3s` speaks the protocol.
//!
//! It has a thread of its own, so that a cache which is looked into for the first time keeps nobody at GitLab waiting.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderValue;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

use super::super::SandboxError;
use super::super::faults::{Fault, FaultKind, Faults, broken, instead, send};
use super::super::gitlab::Answer;
use super::super::server::{Shared, lock};
use super::Storage;
use super::pgp::Keys;
use super::service::{Gate, Reads};

/// Where the S3 is, and the keys of the one who may list buckets.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `http://127.0.0.1:PORT`; buckets are paths.
    pub url: String,
    pub region: &'static str,
    pub access_key: String,
    pub secret_key: String,
    /// The armored key that users may trust.
    pub public_key: String,
}

/// The S3 of a practice world.
pub struct S3 {
    pub endpoint: Endpoint,
    shared: Arc<Shared>,
    /// Made when somebody asks.
    storage: Mutex<Option<Storage>>,
    faults: Mutex<Faults>,
    requests: AtomicU64,
}

impl S3 {
    /// Takes a free port.
    pub async fn open(shared: Arc<Shared>) -> Result<(TcpListener, Arc<Self>), SandboxError> {
        let listen = |source| SandboxError::Listen { port: 0, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let keys = Keys::of(shared.world().seed()).ok_or(SandboxError::Keys)?;
        let endpoint = Endpoint {
            url: format!("http://{address}"),
            region: "us-east-1",
            access_key: "AKIAPRACTICEWORLD".to_owned(),
            secret_key: "practice-world-secret".to_owned(),
            public_key: keys.reputational.armored(),
        };
        let (storage, faults, requests) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        Ok((listener, Arc::new(Self { endpoint, shared, storage, faults, requests })))
    }

    /// Answers until it is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut config = S3Config::default();
        // Clients may go by the world's clock.
        config.presigned_url_max_skew_time_secs = u32::MAX;
        let mut builder = S3ServiceBuilder::new(Reads(self.clone()));
        builder.set_auth(Gate(self.clone()));
        builder.set_access(Gate(self.clone()));
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        let app = Router::new().fallback(handle).with_state((self, builder.build()));
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the practice world's S3 stopped serving");
        }
    }

    /// Looks into the buckets as they are now.
    pub fn look<R>(&self, look: impl FnOnce(&mut Storage) -> R) -> Result<R, SandboxError> {
        let mut slot = lock(&self.storage);
        let world = self.shared.world();
        let storage = match &mut *slot {
            Some(storage) => {
                storage.catch_up(&world)?;
                storage
            }
            None => slot.insert(Storage::of(&world)?),
        };
        // GitLab goes on while a cache is opened.
        drop(world);
        Ok(look(storage))
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn fault(&self, fault: Fault) {
        lock(&self.faults).add(fault);
    }

    pub fn heal(&self) {
        lock(&self.faults).clear();
    }
}

async fn handle(State((s3, service)): State<(Arc<S3>, S3Service)>, request: Request) -> Response {
    s3.requests.fetch_add(1, Ordering::Relaxed);
    let target = percent_encoding::percent_decode_str(&request.uri().to_string()).decode_utf8_lossy().into_owned();
    let fault = lock(&s3.faults).strike(&target);
    if let Some(FaultKind::Hang(length)) = &fault {
        tokio::time::sleep(*length).await;
    }
    let date = s3.shared.world().now().http_date();
    if let Some(answer) = fault.as_ref().and_then(refused).or_else(|| fault.as_ref().and_then(instead)) {
        return send(answer, fault.as_ref(), &date);
    }
    let mut response = match service.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => response.map(axum::body::Body::new),
        Err(error) => {
            tracing::error!(?error, "the practice world's S3 cannot answer");
            return send(Answer::html(500, ""), None, &date);
        }
    };
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert("date", date);
    }
    match fault {
        Some(fault) => broken(response, &fault).await,
        None => response,
    }
}

/// What S3 says in place of the right answer.
fn refused(kind: &FaultKind) -> Option<Answer> {
    let (status, code, message) = match kind {
        FaultKind::Unauthorized => {
            (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
        FaultKind::Forbidden => (403, "AccessDenied", "Access Denied"),
        FaultKind::NotFound => (404, "NoSuchBucket", "The specified bucket does not exist"),
        FaultKind::SlowDown => (503, "SlowDown", "Please reduce your request rate."),
        FaultKind::ServerError => (500, "InternalError", "We encountered an internal error. Please try again."),
        _ => return None,
    };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Some(Answer::bytes("application/xml", text.into_bytes()).status(status))
}
