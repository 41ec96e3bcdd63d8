//! The door of the daemon: whether it lives, whether it is ready, and its numbers. Answers come from memory; nothing is fetched for them.

use std::net::SocketAddr;

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
    pub(super) async fn serve(self, pages: Pages, stop: StopSign) {
        let served =
            axum::serve(self.listener, routes(pages)).with_graceful_shutdown(async move { stop.asked().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "health and metrics stopped being served");
        }
    }
}

fn routes(pages: Pages) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .with_state(pages)
}

async fn ready(State(pages): State<Pages>) -> (StatusCode, Json<serde_json::Value>) {
    let (is_ready, told) = pages.readiness();
    (if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(told))
}

async fn numbers(State(pages): State<Pages>) -> Response {
    ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], pages.metrics()).into_response()
}
