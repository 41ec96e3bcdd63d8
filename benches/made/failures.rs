//! Three months of failed jobs: few classes and signatures make most of them, and nearly every signature is met in many
//! places.

use std::sync::Arc;

use stackhand::ci::{FailureReason, JobId, PipelineId, Timestamp};
use stackhand::console::failures::{LaterTry, TryEnd};
use stackhand::taxonomy::{Failure, Owner, Transient};

use super::dice::Dice;

pub const NOW: Timestamp = Timestamp::from_millis(1_795_400_000_000);
pub const DAY: i64 = 86_400_000;
const CLASSES: usize = 60;
const SIGNATURES: usize = 2_000;
const STACKS: usize = 40;
const RUNNERS: usize = 60;
const PACKAGES: usize = 1_200;

/// So many, evenly over the last days, oldest first; jobs from `first` on.
pub fn failures(count: usize, days: i64, first: u64) -> Vec<Failure> {
    let mut dice = Dice::new(first);
    (0..count)
        .map(|n| {
            let at = NOW.shifted(-days * DAY + days * DAY * n as i64 / count as i64);
            failure(first + n as u64 * 37, at, &mut dice)
        })
        .collect()
}

/// What became of two in five of them.
pub fn later_tries(failures: &[Failure]) -> Vec<LaterTry> {
    let mut dice = Dice::new(5);
    let ends = [Some(TryEnd::Succeeded), Some(TryEnd::Failed), None, None, None];
    let later = |failure: &Failure| {
        let ended = ends.get(dice.below(ends.len())).copied().flatten()?;
        Some(LaterTry { job: failure.job, ended, at: failure.at.shifted(3_600_000) })
    };
    failures.iter().filter_map(later).collect()
}

fn failure(job: u64, at: Timestamp, dice: &mut Dice) -> Failure {
    // The smallest of three throws: the first ones come up most.
    let signature = (0..3).map(|_| dice.below(SIGNATURES)).min().unwrap_or_default();
    let class: Arc<str> = format!("class_{:02}", signature % CLASSES).into();
    let package = format!("package-{:04}", dice.below(PACKAGES));
    let stack = format!("stack-{}", dice.below(STACKS));
    let hash: String = (0..32).filter_map(|_| char::from_u32(u32::from(b'a') + dice.below(26) as u32)).collect();
    let number = dice.below(RUNNERS);
    let evidence = format!(
        "/builds/spack/{package}-{hash}/src/file_{signature}.c:{}: error: undefined reference to `symbol_{signature}' \
         {}",
        dice.below(9_000),
        "x".repeat(dice.below(380)),
    );
    Failure {
        job: JobId(job),
        pipeline: PipelineId(1_000_000 + job / 3_000),
        at,
        name: format!("{package}@1.{}.{} /{hash} %gcc@13 {stack}", dice.below(9), dice.below(31)).into(),
        package: Some(package.into()),
        hash: Some(hash.into()),
        compiler: Some("gcc@13.3.0".into()),
        stack: Some(stack.into()),
        git_ref: format!("pr{}_change", 50_000 + dice.below(3_000)).into(),
        sha: Some(format!("{job:040x}").into()),
        runner: Some(format!("runner-x86-v{}-pub-gitlab-runner-6c9f-{number:05}", number % 4).into()),
        host: Some(format!("ip-10-0-{}-{}", dice.below(64), dice.below(250)).into()),
        failure_reason: Some(FailureReason::new("script_failure")),
        exit_code: Some(1),
        rule: Some(format!("{class}.main").into()),
        class,
        owner: Owner::Package,
        transient: Transient::Maybe,
        confidence: 90,
        fingerprint: Some(format!("s1-{:016x}", (signature as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).into()),
        template: Some(format!("<path>: error: undefined reference to `symbol_{signature}'").into()),
        evidence: Some(evidence.into()),
        line: Some(dice.below(90_000) as u64),
        rules: "0123456789ab".into(),
    }
}
