//! One folder per screen. A screen is opened for a [`Place`](super::screen::Place) and knows nothing of the others.

mod alerts;
mod audit;
mod caches;
mod dag;
mod errors;
mod filtered;
mod fleet;
mod job;
mod jobs;
mod later;
mod loops;
mod messages;
mod overview;
mod pipelines;
mod pulls;
mod told;

pub use alerts::AlertsScreen;
pub use audit::AuditScreen;
pub use caches::{CacheScreen, CachesScreen, explain_spec};
pub use dag::DagScreen;
pub use errors::ErrorsScreen;
pub use fleet::{FleetScreen, ages, explain_fleet, state_of};
pub use job::JobScreen;
pub use jobs::JobsScreen;
pub use later::LaterScreen;
pub use loops::LoopsScreen;
pub use messages::MessagesScreen;
pub use overview::OverviewScreen;
pub use pipelines::PipelinesScreen;
pub use pulls::PullsScreen;
