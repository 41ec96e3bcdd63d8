//! GitHub's ways to answer: JSON with a tag, pages with `Link`, and refusals.

use serde_json::{Value, json};

use super::super::gitlab::{Answer, Request};

/// The page that a request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub number: usize,
    pub size: usize,
}

impl Page {
    pub fn of(request: &Request) -> Self {
        let number =
            |name: &str| request.parameter(name).and_then(|text| text.parse::<usize>().ok()).filter(|n| *n > 0);
        Self { number: number("page").unwrap_or(1), size: number("per_page").unwrap_or(30).min(100) }
    }

    /// The rows of this page.
    pub fn cut<T>(self, all: &[T]) -> &[T] {
        let start = (self.number - 1).saturating_mul(self.size).min(all.len());
        all.get(start..all.len().min(start.saturating_add(self.size))).unwrap_or_default()
    }

    /// Tells where the other pages of a list of that many rows are.
    pub fn link(self, answer: Answer, request: &Request, base: &str, count: usize) -> Answer {
        let last = count.div_ceil(self.size).max(1);
        let other = |page: usize, rel: &str| {
            let kept = request.query.iter().filter(|(key, _)| key != "page");
            let escape = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            let mut pairs: Vec<String> =
                kept.map(|(key, value)| format!("{}={}", escape_key(key), escape(value))).collect();
            pairs.push(format!("page={page}"));
            format!("<{base}{}?{}>; rel=\"{rel}\"", request.path, pairs.join("&"))
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.push(other(self.number - 1, "prev"));
        }
        if self.number < last {
            links.push(other(self.number + 1, "next"));
            links.push(other(last, "last"));
        }
        if self.number > 1 {
            links.push(other(1, "first"));
        }
        if links.is_empty() { answer } else { answer.with("link", links.join(", ")) }
    }
}

fn escape_key(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%5F", "_")
}

/// JSON, or 304 for a client that has it.
pub fn json(status: u16, value: &Value, request: &Request) -> Answer {
    let mut answer = Answer::json(status, value);
    if let Some((_, kind)) = answer.headers.iter_mut().find(|(name, _)| *name == "content-type") {
        "application/json; charset=utf-8".clone_into(kind);
    }
    answer.unless_known(request)
}

/// GitHub's way to say no.
pub fn refusal(status: u16, message: &str) -> Answer {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    Answer::json(status, &body)
}

/// A refusal of what was sent.
pub fn invalid(resource: &str, message: &str) -> Answer {
    let error = json!({ "resource": resource, "code": "custom", "message": message });
    let body = json!({
        "message": "Validation Failed",
        "errors": [error],
        "documentation_url": "https://docs.github.com/rest",
        "status": "422",
    });
    Answer::json(422, &body)
}

pub fn not_found() -> Answer {
    refusal(404, "Not Found")
}
