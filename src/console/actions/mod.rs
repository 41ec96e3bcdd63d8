//! The one road of actions: plan → guardrails → hold with undo → waves → outcomes → audit. Retry, cancel, play and retry-pipeline go this way
//! and no other, whether a key, a command or a bot asks.

mod auto;
mod group;
mod plan;
mod queue;
mod rules;
#[cfg(test)]
mod tests;

pub use auto::{Asked, AutoRetry, WHO as AUTO};
pub use group::{Trial, TrialState};
pub use plan::{Object, PLAN_VERSION, Plan, PlanId, Skip, Target, Verb};
pub use queue::{Actions, Held, Outcome, Run};
pub use rules::{Guard, GuardRule, Rules};
