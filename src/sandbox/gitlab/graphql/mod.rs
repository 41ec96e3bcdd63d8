//! GraphQL: a small real executor over a closed set of types.
//!
//! Fields, aliases, arguments, variables with defaults and nested selections work as GitLab's do; unknown fields are refused in GitLab's words and
//! the complexity of a query is counted before it runs. Fragments, directives, mutations, subscriptions and introspection are not played.

mod resolve;
mod schema;

use serde_json::{Map, Value, json};

use super::Visit;
use super::access::Caller;
use super::http::Answer;
use resolve::Resolver;
use schema::Limits;

/// The longest query text that GitLab reads.
const QUERY_LIMIT: usize = 10_000;

impl Visit<'_> {
    pub(super) fn graphql(&self) -> Answer {
        Answer::json(200, &self.graphql_reply())
    }

    fn graphql_reply(&self) -> Value {
        let Ok(body) = serde_json::from_slice::<Value>(&self.request.body) else {
            return errors(&["Unexpected end of document"]);
        };
        let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
        if query.len() > QUERY_LIMIT {
            return errors(&[&format!("Query too large: {} characters, the limit is {QUERY_LIMIT}", query.len())]);
        }
        let empty = Map::new();
        let variables = body.get("variables").and_then(Value::as_object).unwrap_or(&empty);
        let fields = match super::super::query::parse(query, variables) {
            Ok(fields) => fields,
            Err(message) => return errors(&[&message]),
        };
        let unknown = schema::check("Query", &fields);
        if !unknown.is_empty() {
            return json!({ "errors": unknown });
        }
        let score = schema::complexity("Query", &fields);
        let limits = Limits::of(self.caller > Caller::Anonymous);
        if score > limits.complexity {
            return errors(&[&format!(
                "Query has complexity of {score}, which exceeds max complexity of {}",
                limits.complexity
            )]);
        }
        let depth = schema::depth(&fields);
        if depth > limits.depth {
            return errors(&[&format!("Query has depth of {depth}, which exceeds max depth of {}", limits.depth)]);
        }
        json!({ "data": Resolver { world: self.world, score, limit: limits.complexity }.query(&fields) })
    }
}

fn errors(messages: &[&str]) -> Value {
    json!({ "errors": messages.iter().map(|message| json!({ "message": message })).collect::<Vec<_>>() })
}
