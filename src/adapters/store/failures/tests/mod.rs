//! What all tests of this folder start from.

mod groups;
mod keeping;
mod rows;
mod together;

use std::sync::Arc;

use super::super::sql::query;
use super::super::tests::{DAY, Ground, NOW, on_both};
use crate::adapters::store::Store;
use crate::ci::{FailureReason, JobId, PipelineId, Timestamp};
use crate::console::failures::{FailureFilter, LaterTry, Piece, TryEnd};
use crate::taxonomy::{Failure, Owner, Transient};

const EVER: std::ops::Range<Timestamp> = Timestamp::from_millis(i64::MIN)..Timestamp::from_millis(i64::MAX);

/// A failure with every field, at so many days before now.
fn failure(job: u64, days_ago: i64) -> Failure {
    Failure {
        job: JobId(job),
        pipeline: PipelineId(900 + job / 10),
        at: NOW.shifted(-days_ago * DAY),
        name: "hdf5@1.14.5 /k3x2fabcdefghijklmnopqrstuvwxyz2 %gcc@13 arch=linux-ubuntu22.04-x86_64_v3 E4S".into(),
        package: Some("hdf5".into()),
        hash: Some("k3x2fabcdefghijklmnopqrstuvwxyz2".into()),
        compiler: Some("gcc@13.3.0".into()),
        stack: Some("e4s".into()),
        git_ref: "pr51234_hdf5".into(),
        sha: Some("0b7c4f1e2d3a".into()),
        runner: Some("runner-x86-v3-pub".into()),
        host: Some("ip-10-0-13-7".into()),
        failure_reason: Some(FailureReason::new("script_failure")),
        exit_code: Some(1),
        class: "no_space".into(),
        rule: Some("no_space.enospc".into()),
        owner: Owner::Infrastructure,
        transient: Transient::Maybe,
        confidence: 97,
        fingerprint: Some("s1-00000000000000aa".into()),
        template: Some("OSError: [Errno 28] No space left on device: <path>".into()),
        evidence: Some("OSError: [Errno 28] No space left on device: '/builds/x'".into()),
        line: Some(4_711),
        rules: "0123456789ab".into(),
    }
}

/// The same job, of which hardly anything is known.
fn bare(job: u64, days_ago: i64) -> Failure {
    Failure {
        package: None,
        hash: None,
        compiler: None,
        stack: None,
        sha: None,
        runner: None,
        host: None,
        failure_reason: None,
        exit_code: None,
        class: "unknown".into(),
        rule: None,
        owner: Owner::Unknown,
        transient: Transient::Unknown,
        confidence: 0,
        fingerprint: None,
        template: None,
        evidence: None,
        line: None,
        ..failure(job, days_ago)
    }
}

fn of_class(class: &str, fingerprint: &str, failure: Failure) -> Failure {
    let template = Some(format!("template of {fingerprint}").into());
    Failure { class: class.into(), fingerprint: Some(fingerprint.into()), template, ..failure }
}

fn later(job: u64, ended: TryEnd) -> LaterTry {
    LaterTry { job: JobId(job), ended, at: NOW }
}

#[expect(clippy::unnecessary_wraps, reason = "most fields may be unknown")]
fn text(text: &str) -> Option<Arc<str>> {
    Some(text.into())
}

async fn all(store: &Store) -> Vec<Failure> {
    store.failures_since(EVER, &FailureFilter::default(), Piece::newest(100_000)).await.unwrap()
}

async fn jobs(store: &Store, filter: FailureFilter) -> Vec<u64> {
    let found = store.failures_since(EVER, &filter, Piece::newest(100)).await.unwrap();
    found.into_iter().map(|failure| failure.job.0).collect()
}
