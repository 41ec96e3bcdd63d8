//! Made-up failures for the tests of this room.

use crate::ci::{JobId, PipelineId, Timestamp};
use crate::taxonomy::{Failure, Owner, Transient};

/// A failed build of zlib on develop, at a minute of 2026-05-20.
pub(super) fn failed(job: u64, minute: i64, class: &str) -> Failure {
    Failure {
        job: JobId(job),
        pipeline: PipelineId(1),
        at: midnight().shifted(minute * 60_000),
        name: format!("zlib@1.3.1 /hash{job}").into(),
        package: Some("zlib".into()),
        hash: Some(format!("hash{job}").into()),
        compiler: None,
        stack: None,
        git_ref: "develop".into(),
        sha: Some("c0ffee".into()),
        runner: None,
        host: None,
        failure_reason: None,
        exit_code: Some(1),
        class: class.into(),
        rule: None,
        owner: Owner::Unknown,
        transient: Transient::No,
        confidence: 50,
        fingerprint: Some(format!("s1-{class}").into()),
        template: None,
        evidence: None,
        line: None,
        rules: "0123456789ab".into(),
    }
}

pub(super) fn midnight() -> Timestamp {
    Timestamp::from_millis(1_779_235_200_000)
}

/// All of them, borrowed.
pub(super) fn each(failures: &[Failure]) -> Vec<&Failure> {
    failures.iter().collect()
}
