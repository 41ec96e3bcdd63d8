//! The door of the daemon: whether it lives, whether it is ready, its numbers, and where webhooks come in. Answers come from memory; nothing
//! is fetched for them.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep;

use super::DaemonError;
use super::page::Pages;
use crate::adapters::prometheus::Metrics;
use crate::controller::supervisor::StopSign;
use crate::controller::webhooks::Hooks;

type Served = (Pages, Option<Arc<Hooks>>);

/// What strangers may take.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Connections at once.
    places: usize,
    /// Time for the head of a request, the first of a connection or the next.
    head: Duration,
    /// Time for it where all places are taken.
    patience: Duration,
}

const BOUNDS: Bounds = Bounds { places: 256, head: Duration::from_secs(10), patience: Duration::from_secs(1) };

/// An address that listens and does not answer yet.
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Begins to listen; with port 0 the system chooses one.
    pub async fn open(address: SocketAddr) -> Result<Self, DaemonError> {
        let wrong = |error| DaemonError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        Ok(Self { listener, address })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says that the daemon lives and is not ready until something has come to its end, however long that takes.
    pub async fn meanwhile<T>(&mut self, what: impl Future<Output = T>, stop: StopSign) -> T {
        let mut what = pin!(what);
        tokio::select! {
            done = &mut what => return done,
            () = self.answer(starting(), BOUNDS, stop) => {}
        }
        what.await
    }

    /// Answers until a stop is asked for.
    pub(super) async fn serve(mut self, pages: Pages, hooks: Option<Arc<Hooks>>, stop: StopSign) {
        self.answer(routes(pages, hooks), BOUNDS, stop).await;
    }

    async fn answer(&mut self, router: Router, bounds: Bounds, stop: StopSign) {
        let mut http = Builder::new(TokioExecutor::new()).http1_only();
        http.http1().timer(TokioTimer::new()).header_read_timeout(bounds.head);
        let (places, crowd) = (Arc::new(Semaphore::new(bounds.places)), Arc::new(Notify::new()));
        loop {
            // Whoever finds no place waits in the system's queue: a delivery that is turned away may not come again. Silent connections make
            // room, so that a probe does not wait until their time is over.
            if places.available_permits() == 0 {
                crowd.notify_waiters();
            }
            let next = async {
                // The semaphore is never closed.
                let place = Arc::clone(&places).acquire_owned().await;
                (place, Listener::accept(&mut self.listener).await.0)
            };
            let (place, stream) = tokio::select! {
                next = next => next,
                () = stop.asked() => return,
            };
            // It hears from here on, also before its task runs.
            let crowded = Arc::clone(&crowd).notified_owned();
            let (http, router, stop) = (http.clone(), router.clone(), stop.clone());
            tokio::spawn(async move {
                let service = TowerToHyperService::new(router);
                let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
                let crowded = async {
                    sleep(bounds.patience).await;
                    crowded.await;
                };
                tokio::select! {
                    // What has come in is read first.
                    biased;
                    // Whoever breaks off, or speaks no HTTP, is nobody's concern.
                    _ = connection.as_mut() => return,
                    () = stop.asked() => {}
                    () = crowded => {}
                }
                connection.as_mut().graceful_shutdown();
                // As above; a request that came in is answered.
                let _ = connection.await;
                drop(place);
            });
        }
    }
}

/// What is answered before there is anything to tell. Connections end with their answer: the next one may find a daemon.
fn starting() -> Router {
    const REASON: &str = "the daemon is starting: its store is not open yet; its log says why";
    const CLOSES: [(HeaderName, &str); 1] = [(header::CONNECTION, "close")];
    let told = json!({"ready": false, "reasons": [REASON], "loops": []});
    Router::new()
        .route("/healthz", get(async || (CLOSES, "ok\n")))
        .route("/readyz", get(async move || (StatusCode::SERVICE_UNAVAILABLE, CLOSES, Json(told))))
        .fallback(async || (StatusCode::SERVICE_UNAVAILABLE, CLOSES, REASON))
}

fn routes(pages: Pages, hooks: Option<Arc<Hooks>>) -> Router {
    let deliveries = hooks.as_ref().map(|hooks| hooks.router()).unwrap_or_default();
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .with_state((pages, hooks))
        .merge(deliveries)
}

async fn ready(State((pages, _)): State<Served>) -> (StatusCode, Json<serde_json::Value>) {
    let (is_ready, told) = pages.readiness();
    (if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(told))
}

async fn numbers(State((pages, hooks)): State<Served>) -> Response {
    let text = pages.metrics() + &hooks.map(|hooks| super::metrics::deliveries(hooks.tally())).unwrap_or_default();
    ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;
    use crate::controller::supervisor::stop_sign;

    /// A door that answers until the switch is used or dropped.
    async fn open(bounds: Bounds) -> (SocketAddr, watch::Sender<bool>) {
        let mut door = Door::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, (switch, stop)) = (door.address(), stop_sign());
        let router = Router::new().route("/healthz", get(async || "ok\n"));
        tokio::spawn(async move { door.answer(router, bounds, stop).await });
        (address, switch)
    }

    /// All that comes until the other end closes.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut rest = String::new();
        timeout(Duration::from_secs(20), stream.read_to_string(&mut rest)).await.expect("it stays open").unwrap();
        rest
    }

    #[tokio::test]
    async fn whoever_waits_for_its_store_lives_and_is_not_ready() {
        let mut door = Door::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, (_switch, stop)) = (door.address(), stop_sign());
        let asked = async {
            let mut told = Vec::new();
            for path in ["healthz", "readyz", "metrics"] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
                told.push(rest(&mut stream).await);
            }
            told
        };
        let told = door.meanwhile(asked, stop).await;
        for (told, status) in told.iter().zip(["200", "503", "503"]) {
            assert!(told.starts_with(&format!("HTTP/1.1 {status}")) && told.contains("connection: close"), "{told}");
        }
        assert!(told[1].contains("its store is not open yet"), "{told:?}");
    }

    async fn is_healthy(address: SocketAddr) -> bool {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        rest(&mut stream).await.starts_with("HTTP/1.1 200")
    }

    #[tokio::test]
    async fn a_connection_whose_request_does_not_come_is_closed() {
        let head = Duration::from_millis(300);
        let (address, _switch) = open(Bounds { head, ..BOUNDS }).await;
        for begun in ["", "GET /healthz HTTP/1.1\r\nhost:", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let opened = Instant::now();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let answered = rest(&mut stream).await.starts_with("HTTP/1.1 200");
            assert_eq!(answered, begun.ends_with("\r\n\r\n"), "{begun}");
            assert!(opened.elapsed() >= head, "{begun}");
        }
    }

    #[tokio::test]
    async fn silent_connections_make_room_for_whoever_asks() {
        // Far longer than anybody waits here.
        let head = Duration::from_hours(1);
        let (address, switch) = open(Bounds { places: 4, head, patience: Duration::from_millis(20) }).await;
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(is_healthy(address).await);
        assert_eq!(rest(&mut silent[0]).await, "");
        switch.send(true).unwrap();
        for stream in &mut silent {
            assert_eq!(rest(stream).await, "", "at the end, all are let go");
        }
    }
}
