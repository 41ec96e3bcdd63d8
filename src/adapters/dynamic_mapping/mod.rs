//! Asks the servers of dynamic mappings: one question per spec, many at once, each with its deadline.
//!
//! Header values may name environment variables, which hold secrets: they are put in here and nowhere else, and no message shows them.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::generation::Query;
use crate::spack::yaml::Value;

/// Questions that are under way at once.
const AT_ONCE: usize = 16;
/// The most that an answer may hold.
const MAX_ANSWER: usize = 1 << 20;

/// Asks everything. The answers come in the order of the questions; a failure is a fragment.
pub async fn ask(
    client: &Client,
    queries: Vec<Query>,
    env: &BTreeMap<String, String>,
) -> Vec<(Query, Result<Value, String>)> {
    // Certificates are checked unless the configuration says otherwise; that takes a client of its own.
    let trusting = queries.iter().any(|query| !query.verify).then(|| {
        let builder = Client::builder().redirect(reqwest::redirect::Policy::none());
        builder.tls_danger_accept_invalid_certs(true).build()
    });
    stream::iter(queries)
        .map(|query| {
            let client = match (&trusting, query.verify) {
                (Some(Ok(trusting)), false) => trusting,
                _ => client,
            };
            async move {
                let answer = one(client, &query, env).await;
                (query, answer)
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

async fn one(client: &Client, query: &Query, env: &BTreeMap<String, String>) -> Result<Value, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &query.headers {
        let wrong = || format!("the header {name} cannot be sent; correct it in the configuration");
        let name_of = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&expanded(value, env)?).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(name_of, value);
    }
    let request = client.get(&query.url).headers(headers).timeout(query.timeout);
    let mut answer = request.send().await.map_err(|error| error.without_url().to_string())?;
    if !answer.status().is_success() {
        return Err(format!("the server answered {}", answer.status()));
    }
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_ANSWER {
            return Err(format!("the answer is longer than {MAX_ANSWER} bytes"));
        }
    }
    // JSON is YAML, and is read within the same limits.
    Value::parse(&body).map_err(|error| format!("the answer cannot be read: {error}"))
}

/// Puts the values of `$NAME` and `${NAME}` in.
fn expanded(text: &str, env: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, remains) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            Some((name, remains)) => (name, remains),
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        let value =
            env.get(name).ok_or_else(|| format!("a header names the variable {name}, which is not set; export it"))?;
        out.push_str(value);
        rest = remains;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_in_headers_are_put_in() {
        let env = BTreeMap::from([("TOKEN".to_owned(), "s3cret".to_owned())]);
        assert_eq!(expanded("Bearer $TOKEN", &env).as_deref(), Ok("Bearer s3cret"));
        assert_eq!(expanded("${TOKEN}x", &env).as_deref(), Ok("s3cretx"));
        assert_eq!(expanded("plain", &env).as_deref(), Ok("plain"));
        assert!(expanded("$NOPE", &env).unwrap_err().contains("NOPE"));
    }
}
