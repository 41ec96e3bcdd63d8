//! The numbers of the practice cluster: what runner managers and Karpenter export, and a Prometheus that has scraped them just now.
//!
//! `/karpenter/metrics` and `/runners/MANAGER/metrics` are expositions in text. `/api/v1/query` answers, at this moment, a selector of one metric with
//! any matchers of its labels, the increase of a counter (to the one, not extrapolated; only of interruptions, which have a history), and the
//! sum, least or most of either; `/api/v1/query_range` the same of what containers use, which alone has a history. Nothing else of PromQL: it is refused as an execution error (422), and what is no PromQL at all as bad data (400).
//! There is no alerting. Histograms are left out; so are families that nobody reads.
//!
//! * `series`: the numbers; `query`: what is asked; this file: the socket.

mod query;
mod series;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::SandboxError;
use super::gitlab::Request;
use super::kube::Kube;
use crate::ci::Timestamp;
use query::{Fold, Query, QueryError};
use series::Family;

/// Takes a free port, and says where it is.
pub async fn open() -> Result<(TcpListener, String), SandboxError> {
    let listen = |source| SandboxError::Listen { port: 0, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
    let url = format!("http://{}", listener.local_addr().map_err(listen)?);
    Ok((listener, url))
}

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, kube: Arc<Kube>) {
    let app = Router::new().fallback(handle).with_state(kube);
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!(%error, "the practice world's metrics stopped being served");
    }
}

async fn handle(State(kube): State<Arc<Kube>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = Request::new(method, &uri, headers, body);
    let (status, kind, text) = answer(&kube, &request);
    Response::builder().status(status).header("content-type", kind).body(text.into()).unwrap_or_default()
}

fn answer(kube: &Kube, request: &Request) -> (u16, &'static str, String) {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let success = |data: Value| (200, "application/json", json!({ "status": "success", "data": data }).to_string());
    match segments.as_slice() {
        ["-", "ready"] => (200, TEXT, "Prometheus Server is Ready.\n".to_owned()),
        ["-", "healthy"] => (200, TEXT, "Prometheus Server is Healthy.\n".to_owned()),
        ["karpenter", "metrics"] => (200, TEXT, kube.look(|cluster, _| series::text(&series::karpenter(cluster)))),
        ["runners", manager, "metrics"] => {
            match kube.look(|_, world| series::manager(world, manager).map(|all| series::text(&all))) {
                Some(text) => (200, TEXT, text),
                None => (404, TEXT, "404 page not found\n".to_owned()),
            }
        }
        ["api", "v1", "status", "buildinfo"] => success(json!({ "version": "2.42.0", "revision": "practice" })),
        ["api", "v1", end @ ("query" | "query_range")] => {
            let query = request.field("query").unwrap_or_default();
            let answer = if *end == "query" { at_once(kube, &query) } else { over_time(kube, &query, request) };
            match answer {
                Ok(data) => success(data),
                Err(error) => {
                    let (status, kind) = match error {
                        QueryError::Bad(_) => (400, "bad_data"),
                        QueryError::NotPlayed => (422, "execution"),
                    };
                    let told = json!({ "status": "error", "errorType": kind, "error": error.to_string() });
                    (status, "application/json", told.to_string())
                }
            }
        }
        _ => (404, TEXT, "404 page not found\n".to_owned()),
    }
}

/// The answer at this moment.
fn at_once(kube: &Kube, text: &str) -> Result<Value, QueryError> {
    let query = Query::parse(text)?;
    kube.look(|cluster, world| {
        let families = series::karpenter(cluster).into_iter().chain(series::scraped(world));
        let families = families.chain(series::containers(cluster, world.now()));
        let found = query.answer(families.collect(), |name, labels, length| {
            series::increase(cluster, name, labels, world.now().shifted(-length))
        })?;
        let at = seconds(world.now());
        let result =
            found.into_iter().map(|(metric, value)| json!({ "metric": metric, "value": [at, value.to_string()] }));
        Ok(json!({ "resultType": "vector", "result": result.collect::<Vec<_>>() }))
    })
}

/// The answers between two moments.
fn over_time(kube: &Kube, text: &str, request: &Request) -> Result<Value, QueryError> {
    let query = Query::parse(text)?;
    let number = |name: &str| {
        let number = request.field(name).and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
        number
            .map(|seconds| (seconds * 1_000.0) as i64)
            .ok_or_else(|| QueryError::Bad(format!("cannot parse \"{name}\"")))
    };
    let (start, end, step) = (number("start")?, number("end")?, number("step")?);
    if step <= 0 || end < start || (end - start) / step > 11_000 {
        return Err(QueryError::Bad("a range needs an end after its start, and at most 11,000 steps".to_owned()));
    }
    kube.look(|cluster, world| {
        let mut found: BTreeMap<Metric, Vec<(f64, String)>> = BTreeMap::new();
        let moments = (start..=end).step_by(step as usize).map(Timestamp::from_millis);
        for at in moments.filter(|at| *at <= world.now()) {
            let families = series::containers(cluster, at);
            if !families.iter().any(|family| family.name == query.selector.name) {
                return Err(QueryError::NotPlayed);
            }
            for (metric, value) in query.answer(families, |_, _, _| None)? {
                found.entry(metric).or_default().push((seconds(at), value.to_string()));
            }
        }
        let result = found.into_iter().map(|(metric, values)| json!({ "metric": metric, "values": values }));
        Ok(json!({ "resultType": "matrix", "result": result.collect::<Vec<_>>() }))
    })
}

fn seconds(at: Timestamp) -> f64 {
    at.millis() as f64 / 1_000.0
}

type Metric = BTreeMap<String, String>;

impl Query {
    /// What it finds in what was scraped. `grown` says how much a series grew in so many milliseconds.
    fn answer(
        &self,
        families: Vec<Family>,
        grown: impl Fn(&str, &series::Labels, i64) -> Option<f64>,
    ) -> Result<Vec<(Metric, f64)>, QueryError> {
        let mut found: Vec<(Metric, f64)> = Vec::new();
        for family in families.iter().filter(|family| family.name == self.selector.name) {
            for (labels, value) in family.samples.iter().filter(|(labels, _)| self.selector.takes(labels)) {
                let value = match self.increase_ms {
                    None => *value,
                    Some(length) => grown(family.name, labels, length).ok_or(QueryError::NotPlayed)?,
                };
                let mut metric: Metric = labels.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
                // What is worked out is no longer the metric.
                if self.increase_ms.is_none() && self.fold.is_none() {
                    metric.insert("__name__".to_owned(), family.name.to_owned());
                }
                found.push((metric, value));
            }
        }
        let Some(Fold { kind, by }) = &self.fold else { return Ok(found) };
        let mut groups: BTreeMap<Metric, f64> = BTreeMap::new();
        for (mut metric, value) in found {
            metric.retain(|label, _| by.contains(label));
            groups.entry(metric).and_modify(|sum| *sum = kind.of(*sum, value)).or_insert(value);
        }
        Ok(groups.into_iter().collect())
    }
}
