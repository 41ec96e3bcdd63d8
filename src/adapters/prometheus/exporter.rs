//! One address with numbers to read.

use http::{Method, StatusCode, header};

use super::exposition::Exposition;
use crate::adapters::web::{Ask, Body, Failure, Settings, Web, refusal};
use crate::console::fault::{Asked, Fault, FaultKind};

/// An exporter. It is asked for the text format; whoever answers in OpenMetrics anyway is understood.
#[derive(Debug)]
pub struct Exporter {
    web: Web,
}

impl Exporter {
    /// Prepares for the whole address in the settings; sends nothing.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
        Ok(Self { web: Web::new("the exporter", Asked::Prometheus, settings)? })
    }

    /// Reads what it says now.
    pub async fn scrape(&self) -> Result<Exposition, Fault> {
        let ask = Ask {
            what: "read metrics".to_owned(),
            method: Method::GET,
            url: self.web.base().clone(),
            body: Body::None,
            accept: "text/plain;version=0.0.4;q=1,*/*;q=0.1",
            again: true,
        };
        self.web
            .call(&ask, |answer| {
                let what = &ask.what;
                let text = std::str::from_utf8(&answer.body);
                if answer.status != StatusCode::OK {
                    let said = text.ok().and_then(|text| text.lines().next()).unwrap_or_default();
                    return Err(refusal(what, answer.status, said));
                }
                let garbled = |detail: String| Failure::last(FaultKind::Garbled, what, detail);
                let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok());
                if kind.is_some_and(|kind| kind.contains("application/vnd.google.protobuf")) {
                    return Err(garbled("the exporter speaks protobuf only; text is read".to_owned()));
                }
                let text =
                    text.map_err(|error| garbled(format!("it is no UTF-8 from byte {}", error.valid_up_to())))?;
                Exposition::parse(text).map_err(garbled)
            })
            .await
    }
}
