//! A Prometheus server, or anything that speaks its HTTP API.

use std::time::Duration;

use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::query::{Answer, Data, WireData};
use super::rules::{Alert, RuleGroup, WireAlerts, WireGroups};
use crate::adapters::web::{self, Ask, Body, Failure, Settings, Web, cut, refusal};
use crate::ci::Timestamp;
use crate::console::fault::{Asked, Fault, FaultKind};

/// So many points per series a server gives at once.
const MOST_POINTS: u64 = 11_000;
/// So many pieces a range is cut into at most.
const MOST_PIECES: u64 = 20;
/// How long the server may think about a query.
const THINKING: &str = "10s";

/// A handle to one server.
#[derive(Debug)]
pub struct Prometheus {
    web: Web,
}

/// Which Prometheus it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BuildInfo {
    pub version: String,
    #[serde(default)]
    pub revision: String,
}

/// What every answer is wrapped in. It is read in two steps, since `data` is of another shape each time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    status: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    error_type: Option<String>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

struct Reply<T> {
    data: T,
    warnings: Vec<String>,
    infos: Vec<String>,
}

impl Prometheus {
    /// Prepares for a server; sends nothing.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
        Ok(Self { web: Web::new("Prometheus", Asked::Prometheus, settings)? })
    }

    /// Asks for one moment; the server's now without one.
    pub async fn query(&self, query: &str, at: Option<Timestamp>) -> Result<Answer, Fault> {
        let mut form = vec![("query", query.to_owned()), ("timeout", THINKING.to_owned())];
        form.extend(at.map(|at| ("time", seconds(at))));
        self.data("ask Prometheus", "query", &form).await
    }

    /// Asks for every `step` from `start` to `end`, both included. What has more points than a server gives at once is asked for in pieces, and
    /// refused where that would be more than twenty.
    pub async fn query_range(
        &self,
        query: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Answer, Fault> {
        const WHAT: &str = "ask Prometheus for a range";
        let local = |detail: String| Fault::new(FaultKind::Local, WHAT, detail);
        let step = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
        let Some(steps) = (end.since(start).as_millis() as u64).checked_div(step).filter(|_| end >= start) else {
            return Err(local(
                "a range needs a step of at least a millisecond, and must not end before it starts".to_owned(),
            ));
        };
        if steps / MOST_POINTS >= MOST_PIECES {
            let most = MOST_POINTS * MOST_PIECES;
            return Err(local(format!(
                "{} points are more than the {most} that are asked for; widen the step",
                steps + 1
            )));
        }
        let mut answer: Option<Answer> = None;
        for first in (0..=steps).step_by(MOST_POINTS as usize) {
            let last = steps.min(first + MOST_POINTS - 1);
            let moment = |n: u64| seconds(start.shifted((n * step) as i64));
            let form = [
                ("query", query.to_owned()),
                ("start", moment(first)),
                ("end", moment(last)),
                ("step", seconds(Timestamp::from_millis(step as i64))),
                ("timeout", THINKING.to_owned()),
            ];
            let piece = self.data(WHAT, "query_range", &form).await?;
            match &mut answer {
                None => answer = Some(piece),
                Some(whole) => {
                    whole.data.append(piece.data).map_err(|what| Fault::new(FaultKind::Garbled, WHAT, what))?;
                    let new = |known: &[String], said: Vec<String>| {
                        said.into_iter().filter(|text| !known.contains(text)).collect::<Vec<_>>()
                    };
                    let warnings = new(&whole.warnings, piece.warnings);
                    whole.warnings.extend(warnings);
                    let infos = new(&whole.infos, piece.infos);
                    whole.infos.extend(infos);
                }
            }
        }
        answer.ok_or_else(|| local("nothing was asked".to_owned()))
    }

    /// Alerts that are pending or firing.
    pub async fn alerts(&self) -> Result<Vec<Alert>, Fault> {
        self.get("read alerts of Prometheus", &["alerts"], WireAlerts::read).await
    }

    /// Every rule with its state and its alerts.
    pub async fn rules(&self) -> Result<Vec<RuleGroup>, Fault> {
        self.get("read rules of Prometheus", &["rules"], WireGroups::read).await
    }

    /// Which version the server is.
    pub async fn build_info(&self) -> Result<BuildInfo, Fault> {
        self.get("read the version of Prometheus", &["status", "buildinfo"], Ok).await
    }

    async fn data(&self, what: &str, end: &str, form: &[(&str, String)]) -> Result<Answer, Fault> {
        let ask = Ask { method: Method::POST, body: Body::Form(form_text(form)), ..self.ask(what, &[end]) };
        let reply = self.web.call(&ask, |answer| read(what, answer, |wire: WireData| Data::try_from(wire))).await?;
        Ok(Answer { data: reply.data, warnings: reply.warnings, infos: reply.infos })
    }

    async fn get<W: DeserializeOwned, T>(
        &self,
        what: &str,
        path: &[&str],
        made: impl Fn(W) -> Result<T, String>,
    ) -> Result<T, Fault> {
        let ask = self.ask(what, path);
        self.web.call(&ask, |answer| read(what, answer, &made)).await.map(|reply| reply.data)
    }

    fn ask(&self, what: &str, path: &[&str]) -> Ask {
        Ask {
            what: what.to_owned(),
            method: Method::GET,
            url: self.web.at(&[&["api", "v1"], path].concat()),
            body: Body::None,
            accept: "application/json",
            // Everything here only reads, posts too.
            again: true,
        }
    }
}

/// Opens the wrapping; what says no is a fault by its `errorType`.
fn read<W: DeserializeOwned, T>(
    what: &str,
    answer: &web::Answer,
    made: impl Fn(W) -> Result<T, String>,
) -> Result<Reply<T>, Failure> {
    let garbled = |detail: String| Failure::last(FaultKind::Garbled, what, detail);
    let envelope: Envelope<'_> = match web::json(what, &answer.body) {
        Ok(envelope) => envelope,
        Err(_) if answer.status != StatusCode::OK => {
            let said = String::from_utf8_lossy(answer.body.get(..300).unwrap_or(&answer.body)).into_owned();
            return Err(refusal(what, answer.status, &said));
        }
        Err(failure) => return Err(web::unless_login(failure, what, answer)),
    };
    match (envelope.status.as_str(), envelope.data) {
        ("success", Some(data)) if answer.status.is_success() => {
            let wire = serde_json::from_str(data.get())
                .map_err(|error| garbled(format!("an answer of another shape ({})", cut(&error.to_string()))))?;
            let data = made(wire).map_err(garbled)?;
            Ok(Reply { data, warnings: envelope.warnings, infos: envelope.infos })
        }
        ("error", _) => {
            let kind = envelope.error_type.unwrap_or_default();
            let said = format!("{}: {}", cut(&kind), envelope.error.unwrap_or_default());
            let refused = refusal(what, answer.status, &said);
            Err(match kind.as_str() {
                // It thought for as long as it was allowed to: asking again would bring the same.
                "timeout" | "canceled" => Failure::last(FaultKind::Timeout, what, refused.fault.detail),
                "bad_data" => Failure::last(FaultKind::Refused { status: 400 }, what, refused.fault.detail),
                "execution" => Failure::last(FaultKind::Refused { status: 422 }, what, refused.fault.detail),
                "not_found" => Failure::last(FaultKind::NotFound, what, refused.fault.detail),
                "unauthorized" => Failure::last(FaultKind::Unauthorized, what, refused.fault.detail),
                // A success that says no is still a no.
                _ if answer.status.is_success() => Failure::last(FaultKind::Server { status: 200 }, what, said),
                _ => refused,
            })
        }
        (status, _) => Err(garbled(format!("HTTP {}, status `{}`, and no data", answer.status.as_u16(), cut(status)))),
    }
}

fn form_text(form: &[(&str, String)]) -> String {
    let pairs = form.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    pairs.collect::<Vec<_>>().join("&")
}

/// `1795462284.734`
fn seconds(at: Timestamp) -> String {
    let millis = at.millis();
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000)
}
