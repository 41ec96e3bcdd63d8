//! The calls.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::silence::NewSilence;
use super::wire::{Alert, Silence};
use crate::adapters::web::{self, Answer, Ask, Body, Failure, Settings, Web, refusal};
use crate::console::fault::{Asked, Fault, FaultKind};

/// A handle to one Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    web: Web,
}

impl Alertmanager {
    /// Prepares for a server; sends nothing.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
        Ok(Self { web: Web::new("Alertmanager", Asked::Alertmanager, settings)? })
    }

    /// Every alert that it holds, those that are kept quiet too.
    pub async fn alerts(&self) -> Result<Vec<Alert>, Fault> {
        self.get("read alerts of Alertmanager", "alerts").await
    }

    /// Every silence, those that have expired too.
    pub async fn silences(&self) -> Result<Vec<Silence>, Fault> {
        self.get("read silences of Alertmanager", "silences").await
    }

    /// Makes a silence and gives its id. It is sent once: after a fault that is uncertain, look at [`Alertmanager::silences`].
    pub async fn silence(&self, silence: &NewSilence) -> Result<String, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Made {
            #[serde(rename = "silenceID")]
            id: String,
        }
        let body = Body::Json(Bytes::from(silence.wire().to_string()));
        let ask = Ask { body, ..self.ask("silence an alert", Method::POST, &["silences"]) };
        self.web.call(&ask, |answer| read(&ask.what, answer).map(|made: Made| made.id)).await
    }

    /// Ends a silence now. Ending one that has ended changes nothing; some servers refuse it, others do not mind.
    pub async fn expire(&self, id: &str) -> Result<(), Fault> {
        let what = "end a silence";
        let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_id {
            return Err(Fault::new(FaultKind::Local, what, "that is no id of a silence; nothing was sent"));
        }
        let ask = self.ask(what, Method::DELETE, &["silence", id]);
        let done = |answer: &Answer| if answer.status == StatusCode::OK { Ok(()) } else { Err(refused(what, answer)) };
        self.web.call(&ask, done).await
    }

    async fn get<T: DeserializeOwned>(&self, what: &str, end: &str) -> Result<T, Fault> {
        let ask = Ask { again: true, ..self.ask(what, Method::GET, &[end]) };
        self.web.call(&ask, |answer| read(what, answer)).await
    }

    fn ask(&self, what: &str, method: Method, path: &[&str]) -> Ask {
        Ask {
            what: what.to_owned(),
            method,
            url: self.web.at(&[&["api", "v2"], path].concat()),
            body: Body::None,
            accept: "application/json",
            again: false,
        }
    }
}

fn read<T: DeserializeOwned>(what: &str, answer: &Answer) -> Result<T, Failure> {
    if answer.status != StatusCode::OK {
        return Err(refused(what, answer));
    }
    web::json(what, &answer.body).map_err(|failure| web::unless_login(failure, what, answer))
}

/// Its reasons are `{code, message}`, a bare JSON string, or plain text.
fn refused(what: &str, answer: &Answer) -> Failure {
    #[derive(Deserialize)]
    struct Reason {
        message: String,
    }
    let reason = serde_json::from_slice::<Reason>(&answer.body).map(|reason| reason.message);
    let said = reason.or_else(|_| serde_json::from_slice::<String>(&answer.body));
    let said =
        said.unwrap_or_else(|_| String::from_utf8_lossy(answer.body.get(..400).unwrap_or(&answer.body)).into_owned());
    refusal(what, answer.status, &said)
}
