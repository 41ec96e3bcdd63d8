//! The GitLab adapter: the one place that speaks HTTP with a GitLab, in its REST and GraphQL dialects.
//!
//! The controller's sources and executor call [`GitLab`]; nobody else does. Every method makes one call of the API (or one small, bounded
//! series), answers in nouns of [`crate::ci`], and types trouble once, as a [`Fault`](crate::console::fault::Fault). It never decides what to
//! read next, never keeps what it read, and never repeats a request that changes something.
//!
//! # Arithmetic of a first load
//!
//! A tree of 5,000 jobs in 35 children, 100 rows a page. Every load starts with 4 requests: the project, the page of pipelines, the trigger
//! jobs, and the parent's own jobs (its generate jobs hold the artifacts with the edges). Jobs come in `Σ ⌈nᵢ/100⌉` pages: 70 when the
//! children are alike, 84 in the worst split.
//!
//! | way | jobs | edges | in all |
//! |---|---|---|---|
//! | no token: [`GitLab::jobs_page`] + [`GitLab::generated_needs`] | 70 (84) | 35 | 109 (123) |
//! | no token: [`GitLab::jobs_graphql`], three children a query | 24 (36) | 35 | 63 (75) |
//! | token: [`GitLab::jobs_graphql`], four children a query | 18 (28) | 35 | 57 (67) |
//! | token, artifacts gone: the same with `want_needs` | 18 (28) | 0 | 22 (32) |
//!
//! GraphQL lists carry no `failure_reason`; with a token, `active_jobs_page(&[Status::Failed], …)` brings the reasons of the newest 100
//! failures per request. A caller that asks for the jobs of what is on screen first, and pages children side by side, has a useful screen
//! after about 8 requests. At 5 requests a second the whole tree takes 12 to 24 seconds.
//!
//! Offset pages of a list that moves repeat and skip rows: merge by id, never append.

mod answer;
pub mod bridge;
mod client;
mod graphql;
mod needs;
mod pace;
mod read;
mod request;
mod route;
mod runners;
mod settings;
#[cfg(test)]
mod testing;
mod trace;
mod wire;
mod words;
mod write;

pub use client::{GitLab, Stats};
pub use graphql::{ChildCursor, ChildPage, Complexity, JobsBatch};
pub use needs::JobNeeds;
pub use read::{Cursor, CursorPage, FailedPage, Page, PipelineQuery, Project};
pub use settings::{Now, Settings};
pub use trace::Trace;
pub use wire::TriggerJob;
