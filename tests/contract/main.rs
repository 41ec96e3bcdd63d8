//! What servers promise, checked against what they publish: samples, schemas, documents.
//!
//! The practice world is held to GitLab's JSON here, over real sockets, so that tests which use it in GitLab's place mean something.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod adapter;
mod bridge;
mod child_pipeline;
mod door;
mod effects;
mod faults;
mod git;
mod github;
mod graphql;
mod hooks;
mod kube;
mod metrics;
mod monitoring;
mod pipeline_schema;
mod s3;
mod samples;
mod server;
