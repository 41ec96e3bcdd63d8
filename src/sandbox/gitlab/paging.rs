//! Lists in pages, with GitLab's headers.

use super::cursor;
use super::http::{Answer, Request};

/// GitLab counts no further than this in `x-total`.
const COUNTED: usize = 10_000;
/// Where offset paging ends for lists that have keyset paging.
const OFFSET_LIMIT: usize = 50_000;

/// The part of a list that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    number: usize,
    size: usize,
}

impl Page {
    pub fn of(request: &Request) -> Self {
        let number = |name: &str| request.parameter(name).and_then(|v| v.parse::<usize>().ok()).filter(|n| *n > 0);
        Self { number: number("page").unwrap_or(1), size: number("per_page").unwrap_or(20).min(100) }
    }

    /// The page's rows, and the answer that holds them.
    pub fn answer<T, W: serde::Serialize>(
        self,
        request: &Request,
        base: &str,
        all: &[T],
        row: impl Fn(&T) -> W,
    ) -> Answer {
        let start = (self.number - 1).saturating_mul(self.size);
        let rows: Vec<W> = all.iter().skip(start).take(self.size).map(row).collect();
        let last = all.len().div_ceil(self.size).max(1);
        let has_next = self.number < last;
        let counted = all.len() <= COUNTED;
        let link = |page: usize, rel: &str| {
            format!(
                "<{base}{}>; rel=\"{rel}\"",
                with(request, &[("page", &page.to_string()), ("per_page", &self.size.to_string())])
            )
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.push(link(self.number - 1, "prev"));
        }
        if has_next {
            links.push(link(self.number + 1, "next"));
        }
        links.push(link(1, "first"));
        if counted {
            links.push(link(last, "last"));
        }
        let number_or_empty = |n: usize, there: bool| if there { n.to_string() } else { String::new() };
        let mut answer = Answer::json(200, &rows)
            .with("link", links.join(", "))
            .with("x-page", self.number.to_string())
            .with("x-per-page", self.size.to_string())
            .with("x-next-page", number_or_empty(self.number + 1, has_next))
            .with("x-prev-page", number_or_empty(self.number.saturating_sub(1), self.number > 1));
        if counted {
            answer = answer.with("x-total", all.len().to_string()).with("x-total-pages", last.to_string());
        }
        answer.unless_known(request)
    }

    /// Refuses to skip too many rows of a list that can be read by keyset.
    pub fn within_offset_limit(self, entity: &str) -> Result<(), Answer> {
        if (self.number - 1).saturating_mul(self.size) < OFFSET_LIMIT {
            return Ok(());
        }
        Err(Answer::refusal(
            405,
            &format!(
                "Offset pagination has a maximum allowed offset of {OFFSET_LIMIT} for requests that return objects of type {entity}. \
                 Remaining records can be retrieved using keyset pagination."
            ),
        ))
    }

    /// The answer of a keyset page: `rows` has been cut to the page's size; `next` is the id after which the next one starts.
    pub fn keyset<W: serde::Serialize>(self, request: &Request, base: &str, rows: &[W], next: Option<u64>) -> Answer {
        let answer = Answer::json(200, &rows);
        match next {
            Some(id) => {
                let target = with(request, &[("cursor", &cursor::write(id)), ("per_page", &self.size.to_string())]);
                answer.with("link", format!("<{base}{target}>; rel=\"next\""))
            }
            None => answer,
        }
        .unless_known(request)
    }

    pub fn size(self) -> usize {
        self.size
    }
}

/// The request's path and query with some parameters changed.
fn with(request: &Request, changes: &[(&str, &str)]) -> String {
    let escape =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let kept = request.query.iter().filter(|(key, _)| !changes.iter().any(|(name, _)| name == key));
    let mut pairs: Vec<String> = kept.map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
    pairs.extend(changes.iter().map(|(name, value)| format!("{name}={value}")));
    format!("{}?{}", request.path, pairs.join("&"))
}
