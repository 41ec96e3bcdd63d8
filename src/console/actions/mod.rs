//! The one road of actions: plan → guardrails → hold with undo → waves → outcomes → audit. Whatever changes jobs, runners, nodes, pods or alerts
//! goes this way and no other, whether a key, a command or a bot asks.

mod auto;
mod fleet;
mod group;
mod plan;
mod pulls;
mod queue;
mod rules;
#[cfg(test)]
mod tests;

pub use auto::{Asked, AutoRetry, WHO as AUTO};
pub use fleet::{AT_WORK, CORDONED, FIRING, FleetMay, LONGEST_SILENCE, PAUSED, SCHEDULABLE};
pub use group::{Trial, TrialState};
pub use plan::{InCluster, Object, PLAN_VERSION, Plan, PlanId, Silence, Skip, Target, Verb};
pub use queue::{Actions, Held, Outcome, Run};
pub use rules::{Guard, GuardRule, Rules};
