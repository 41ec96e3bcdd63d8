//! Short logs of our own, with other words than the shipped rules' examples: class, job kind, failure reason, exit code, what the job printed.
//!
//! They guard against rules that know only the logs they were made from. Each stands for a whole log: [`Case::log`] puts the runner's lines
//! around it. `success` is a job that passed; `unknown` one that no rule may claim.

mod aside;
mod build;
mod machines;
mod network;
mod runner;
mod servers;
mod spack;
mod wordings;

use std::fmt::Write as _;

use crate::ci::{FailureReason, Status};
use crate::taxonomy::JobFacts;

/// One short log and what it must be called.
pub struct Case {
    pub want: &'static str,
    kind: &'static str,
    reason: &'static str,
    exit_code: i32,
    body: &'static str,
}

/// A step of a script that failed with exit code 1.
const fn script(want: &'static str, kind: &'static str, body: &'static str) -> Case {
    Case { want, kind, reason: "script_failure", exit_code: 1, body }
}

/// A job whose runner gave up; the body ends with the runner's last word.
const fn system(want: &'static str, body: &'static str) -> Case {
    Case { want, kind: "build", reason: "runner_system_failure", exit_code: 0, body }
}

/// Every short log.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [runner::CASES, network::CASES, spack::CASES, build::CASES, servers::CASES, machines::CASES, aside::CASES]
        .into_iter()
        .flatten()
        .chain(wordings::CASES.iter())
}

impl Case {
    /// The log as GitLab would show it.
    pub fn log(&self) -> Vec<u8> {
        let body = self.body.trim_matches('\n');
        let (script, last) = match body.rfind("ERROR: Job failed") {
            Some(at) => (&body[..at], format!("\x1b[31;1m{}\x1b[0;m\n", &body[at..])),
            None if self.want == "success" => (body, "\x1b[32;1mJob succeeded\x1b[0;m\n".to_owned()),
            None if self.exit_code == 0 => (body, String::new()),
            None => (
                body,
                format!("\x1b[31;1mERROR: Job failed: command terminated with exit code {}\x1b[0;m\n", self.exit_code),
            ),
        };
        let mut log = String::from("\x1b[0KRunning with gitlab-runner 18.4.0 (139a0ac0)\x1b[0;m\n");
        // What the runner says of itself stands where it prepares the job.
        let scripted = self.reason == "script_failure" || self.reason.is_empty();
        let section = if scripted { "step_script" } else { "prepare_script" };
        writeln!(log, "section_start:1770000000:{section}\r\x1b[0K\x1b[0K\x1b[36;1mA stage of the job\x1b[0;m")
            .unwrap();
        log += script.trim_end();
        write!(log, "\nsection_end:1770000900:{section}\r\x1b[0K").unwrap();
        log += "section_start:1770000900:cleanup_file_variables\r\x1b[0K\n";
        log += "section_end:1770000901:cleanup_file_variables\r\x1b[0K\n";
        log += &last;
        log.into_bytes()
    }

    /// What GitLab would say about the job.
    pub fn facts(&self) -> JobFacts {
        let good = self.want == "success";
        JobFacts {
            status: Some(if good { Status::Success } else { Status::Failed }),
            failure_reason: (!good).then(|| FailureReason::new(self.reason)),
            exit_code: (self.exit_code != 0).then_some(self.exit_code),
            job_kind: Some(self.kind.into()),
        }
    }
}
