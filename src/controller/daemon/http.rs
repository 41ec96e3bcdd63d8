//! The door of the daemon: whether it lives, whether it is ready, its numbers, and where webhooks come in. Answers come from memory; nothing
//! is fetched for them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use super::DaemonError;
use super::page::Pages;
use crate::adapters::prometheus::Metrics;
use crate::controller::supervisor::StopSign;
use crate::controller::webhooks::Hooks;

type Served = (Pages, Option<Arc<Hooks>>);

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

    /// Answers until a stop is asked for.
    pub(super) async fn serve(self, pages: Pages, hooks: Option<Arc<Hooks>>, stop: StopSign) {
        let served =
            axum::serve(self.listener, routes(pages, hooks)).with_graceful_shutdown(async move { stop.asked().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "health and metrics stopped being served");
        }
    }
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
