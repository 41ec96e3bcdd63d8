//! Who asks, and what they may do.
//!
//! Three callers: nobody in particular, a token with `read_api`, and the operator's token with `api`. GitLab's roles, fine-grained tokens
//! and project permissions are not played.

use super::http::{Answer, Request};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    Anonymous,
    /// A token with scope `read_api`.
    Reader,
    /// The operator's token, scope `api`.
    Operator,
}

/// The tokens that this GitLab knows.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub operator: String,
    pub reader: String,
}

impl Tokens {
    /// Finds out who asks; a token that nobody knows is an error even where none is needed.
    pub fn caller(&self, request: &Request) -> Result<Caller, Answer> {
        let bearer = request.header("authorization").and_then(|v| v.strip_prefix("Bearer "));
        match request.header("private-token").or(bearer) {
            None => Ok(Caller::Anonymous),
            Some(token) if token == self.operator => Ok(Caller::Operator),
            Some(token) if token == self.reader => Ok(Caller::Reader),
            Some(_) => Err(unauthorized()),
        }
    }
}

impl Caller {
    /// Refuses callers without a token.
    pub fn signed_in(self) -> Result<(), Answer> {
        if self == Self::Anonymous { Err(unauthorized()) } else { Ok(()) }
    }

    /// Refuses callers who may not change anything.
    pub fn may_write(self) -> Result<(), Answer> {
        match self {
            Self::Anonymous => Err(unauthorized()),
            Self::Reader => Err(insufficient_scope()),
            Self::Operator => Ok(()),
        }
    }
}

pub fn unauthorized() -> Answer {
    Answer::error(401, "401 Unauthorized")
}

fn insufficient_scope() -> Answer {
    Answer::json(
        403,
        &serde_json::json!({
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.",
            "scope": "api",
        }),
    )
}
