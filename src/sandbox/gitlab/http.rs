//! What a request says and what an answer is, without sockets: the transport translates, tests do not need it.

use crate::ci::Timestamp;

use super::super::rng::hash;
use super::super::world::LogBody;

/// A parsed request.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: http::Method,
    /// The path as it was sent.
    pub path: String,
    /// The path's segments, percent-decoded one by one.
    pub segments: Vec<String>,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    pub headers: http::HeaderMap,
    pub body: bytes::Bytes,
}

impl Request {
    /// Takes a request line apart.
    pub fn new(method: http::Method, uri: &http::Uri, headers: http::HeaderMap, body: bytes::Bytes) -> Self {
        let segments = uri.path().split('/').filter(|s| !s.is_empty()).map(decode).collect();
        let pairs = uri.query().unwrap_or_default().split('&').filter(|p| !p.is_empty());
        let query = pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
            })
            .collect();
        Self { method, path: uri.path().to_owned(), segments, query, headers, body }
    }

    /// The last value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a list parameter, written `name[]=a&name[]=b` or `name=a`.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let is_it = |key: &str| key == name || key.strip_suffix("[]") == Some(name);
        self.query.iter().filter(|(key, _)| is_it(key)).map(|(_, value)| value.as_str()).collect()
    }

    /// A point in time.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.parameter(name).and_then(Timestamp::parse)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The field of a JSON or form body, or of the query.
    pub fn field(&self, name: &str) -> Option<String> {
        if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&self.body) {
            return match json.get(name)? {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Null => None,
                other => Some(other.to_string()),
            };
        }
        let text = String::from_utf8_lossy(&self.body);
        let pair = text.split('&').filter_map(|p| p.split_once('=')).find(|(key, _)| *key == name);
        pair.map(|(_, value)| decode(&value.replace('+', " "))).or_else(|| self.parameter(name).map(str::to_owned))
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What goes back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: LogBody,
}

impl Answer {
    fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: LogBody::Bytes(body.into()) }
    }

    /// JSON with the weak tag that Rack computes from the body.
    pub fn json(status: u16, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => {
                let tag = hash(&String::from_utf8_lossy(&body));
                Self::new(status, "application/json", body).with("etag", format!("W/\"{tag:016x}\""))
            }
            Err(error) => Self::error(500, &format!("500 Internal Server Error: {error}")),
        }
    }

    pub fn text(status: u16, body: LogBody) -> Self {
        Self { status, headers: vec![("content-type", "text/plain".to_owned())], body }
    }

    pub fn html(status: u16, body: &str) -> Self {
        Self::new(status, "text/html; charset=utf-8", body.as_bytes().to_vec())
    }

    pub fn bytes(content_type: &str, body: Vec<u8>) -> Self {
        Self::new(200, content_type, body)
    }

    /// `{"message": …}`, GitLab's usual way to say no.
    pub fn error(status: u16, message: &str) -> Self {
        Self::new(status, "application/json", serde_json::json!({ "message": message }).to_string().into_bytes())
    }

    /// `{"error": …}`, the way of parameter checks and unknown routes.
    pub fn refusal(status: u16, error: &str) -> Self {
        Self::new(status, "application/json", serde_json::json!({ "error": error }).to_string().into_bytes())
    }

    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Leaves the body out when the client has it already.
    pub fn unless_known(mut self, request: &Request) -> Self {
        let tag = self.headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| value.as_str());
        if self.status == 200 && tag.is_some() && request.header("if-none-match") == tag {
            self.status = 304;
            self.body = LogBody::Bytes(Vec::new().into());
        }
        self
    }
}
