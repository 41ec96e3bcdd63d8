//! How much an hour's budget of each dialect still holds. The hour is one of ours, not of the virtual time: a client that waits waits for real.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::gitlab::Answer;
use crate::ci::Timestamp;

const HOUR: Duration = Duration::from_secs(3_600);
/// An hour's requests of REST, and points of GraphQL.
pub const BUDGET: u64 = 5_000;

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Core,
    Graphql,
}

impl Resource {
    fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Graphql => "graphql",
        }
    }
}

/// What was used since the hour began.
#[derive(Debug)]
pub struct Limits {
    begun: Instant,
    core: u64,
    graphql: u64,
    budget: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { begun: Instant::now(), core: 0, graphql: 0, budget: BUDGET }
    }
}

impl Limits {
    /// Gives clients another budget, from now on.
    pub fn set_budget(&mut self, budget: u64) {
        *self = Self { budget, ..Self::default() };
    }

    fn used(&mut self, resource: Resource) -> &mut u64 {
        if self.begun.elapsed() >= HOUR {
            *self = Self { budget: self.budget, ..Self::default() };
        }
        match resource {
            Resource::Core => &mut self.core,
            Resource::Graphql => &mut self.graphql,
        }
    }

    /// Whether nothing is left.
    pub fn is_empty(&mut self, resource: Resource) -> bool {
        let budget = self.budget;
        *self.used(resource) >= budget
    }

    /// Counts a request. What was not modified costs nothing.
    pub fn spend(&mut self, resource: Resource, points: u64) {
        *self.used(resource) += points;
    }

    fn reset(&self, now: Timestamp) -> i64 {
        now.plus(HOUR.saturating_sub(self.begun.elapsed())).millis() / 1_000
    }

    /// Tells on an answer what is left.
    pub fn tell(&mut self, resource: Resource, now: Timestamp, answer: Answer) -> Answer {
        let used = (*self.used(resource)).min(self.budget);
        answer
            .with("x-ratelimit-limit", self.budget.to_string())
            .with("x-ratelimit-remaining", (self.budget - used).to_string())
            .with("x-ratelimit-used", used.to_string())
            .with("x-ratelimit-reset", self.reset(now).to_string())
            .with("x-ratelimit-resource", resource.word())
    }

    /// What `/rate_limit` says.
    pub fn overview(&mut self, now: Timestamp) -> Value {
        let reset = self.reset(now);
        let budget = self.budget;
        let row = |used: u64, limit: u64| {
            let used = used.min(limit);
            json!({ "limit": limit, "remaining": limit - used, "reset": reset, "used": used })
        };
        let core = row(*self.used(Resource::Core), budget);
        let graphql = row(*self.used(Resource::Graphql), budget);
        json!({ "resources": { "core": core, "graphql": graphql, "search": row(0, 30) }, "rate": core })
    }
}
