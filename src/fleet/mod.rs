//! The fleet: runners, pods, nodes, claims and pools; how they hang together, how they are, why nothing starts and what it costs. Pure.
//!
//! * Nouns: [`Pod`], [`Node`], [`Claim`], [`Pool`], [`KubeEvent`] are read from Kubernetes JSON without trust ([`Object::read`]); a
//!   [`Runner`] comes from GitLab. A [`Quantity`] is exact.
//! * [`Fleet`] holds them all and takes changes one by one; [`Place`] joins a job with everything that it stands on, and names what is missing.
//! * Of pods: [`PodState`] and [`Pending`] say how one is and why it waits, [`Fit`] what a pool can do for it, [`Uses`] whether it is stuck.
//! * Of runners: [`Liveness`] by evidence, [`classes()`] and how full they are, [`queues()`] and who takes them, [`forecast()`], [`outliers()`].
//! * Of money: a [`Ledger`] charges jobs, [`hourly()`] sums up machines, [`Interruptions`] tell what reclaims cost.
//! * [`impossibilities`] never change by waiting; [`judge()`] and [`Findings`] are our own alerts.
//! * Everything is judged by [`Thresholds`], which configuration overrides. `now` is an argument; unknown is never zero.
//!
//! Facts come from Kubernetes 1.35, Karpenter 1.14, gitlab-runner 19.2 and spack-infrastructure. No pool, tag or limit is known here: all of
//! them are found at run time.

mod alerts;
mod claim;
mod cost;
mod event;
mod events;
mod fit;
mod forecast;
mod hourly;
mod impossible;
mod index;
mod liveness;
mod load;
mod node;
mod outlier;
mod pending;
mod place;
mod pod;
mod pool;
mod predicates;
mod pressure;
mod price;
mod quantity;
mod queue;
mod resources;
mod runner;
mod says;
mod shelf;
mod spot;
mod state;
mod stuck;
#[cfg(test)]
mod tests;
mod thresholds;
mod wants;
mod wire;

pub use alerts::{
    Change as FindingChange, Facts, Finding, FindingState, Findings, Held, InfraFigures, LaunchFailures, SourceAge,
    Verdict, judge,
};
pub use claim::{Claim, ClaimState};
pub use cost::{Bill, Charge, Ledger, NoCost, Occupancy};
pub use event::{About, KubeEvent};
pub use fit::Fit;
pub use forecast::{Forecast, NoForecast, Score, Scores, forecast};
pub use hourly::{Hourly, hourly};
pub use impossible::{Impossible, impossibilities};
pub use index::{Fleet, Kind, Object};
pub use liveness::{Alive, Evidence, JobEvidence, Liveness};
pub use load::Load;
pub use node::{CERTIFICATE_PENDING, Node, NodeTrouble};
pub use outlier::{Outlier, Tally, outliers};
pub use pending::{Countdown, Pending, PendingClass};
pub use place::{BuiltSpec, Gap, Link, Place, claim_of, pool_of, price_of};
pub use pod::{BUILD, Container, Doing, Phase, Pod};
pub use pool::Pool;
pub use predicates::{Nomination, PoolRefusal, Predicate, PredicateKind, RefusalKind, nominated, predicates, refusals};
pub use pressure::{Busy, RunnerClass, classes};
pub use price::{Dollars, Offer, Prices};
pub use quantity::{Quantity, QuantityError};
pub use queue::{Queue, Start, Takers, Waiting, orphaned_by_pause, queues, takers};
pub use resources::{Condition, Resources, condition};
pub use runner::{Host, HostNames, Manager, Runner, RunnerStatus, class_of};
pub use says::{JOB_POD, RUNNER_NAME, Said, Says};
pub use spot::{Hit, Interrupted, Interruption, Interruptions};
pub use state::PodState;
pub use stuck::{Standstill, Stuck, Usage, Uses};
pub use thresholds::{Alert, AlertSeverity, Knob, ThresholdError, Thresholds, Unit};
pub use wants::{Operator, Requirement, Taint, Toleration, Wants};
pub use wire::{ReadError, Uid, number};
