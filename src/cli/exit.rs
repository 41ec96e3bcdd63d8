//! How a command ends: the one list of exit codes, and the failures that lead to them.
//!
//! Every failure says what went wrong and what to do next; `cli::run` prints it once and maps it to its code. Nothing else in the program ends
//! the process.

use std::fmt::Write;
use std::process::ExitCode;

use thiserror::Error;

use crate::adapters::store::StoreError;
use crate::ci::Timestamp;
use crate::config::ConfigError;
use crate::console::fault::{Asked, Fault, FaultKind};
use crate::console::filter::FilterError;
use crate::console::text::clean;

/// How a command ended. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    Refused = 3,
    Unreachable = 4,
    Denied = 5,
    Config = 6,
    Changed = 7,
    Interrupted = 130,
}

impl Exit {
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Refused,
        Self::Unreachable,
        Self::Denied,
        Self::Config,
        Self::Changed,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What it means, for help and man page.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failed => "something failed: an action, a file, or a bug",
            Self::Usage => "the command line makes no sense",
            Self::Refused => "refused: read-only, a guardrail, or nothing to do",
            Self::Unreachable => "the server or the network failed, or has no such thing",
            Self::Denied => "authentication is missing or lacks the right",
            Self::Config => "the configuration cannot be used",
            Self::Changed => "some targets were skipped because they changed",
            Self::Interrupted => "interrupted before the end",
        }
    }

    /// All codes as a paragraph of the help.
    pub fn table() -> String {
        let mut text = String::from("Exit codes:");
        for exit in Self::ALL {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {:<3}  {}", exit.number(), exit.meaning());
        }
        text
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a command could not go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    #[error("{message}")]
    Told { exit: Exit, message: String },
    /// Whoever read our output went away: there is nobody to tell, and nothing wrong.
    #[error("the reader of the output went away")]
    Closed,
}

impl Failure {
    /// A failure with its message, which should end with what to do next.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Told { exit, message: message.into() }
    }

    /// A command line that parsed and still makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// What went wrong with the server, in words for somebody who runs one command and is back at the prompt.
    pub fn remote(fault: &Fault, now: Timestamp) -> Self {
        let exit = match fault.kind {
            FaultKind::Unauthorized | FaultKind::Forbidden => Exit::Denied,
            FaultKind::NotFound
            | FaultKind::RateLimited { .. }
            | FaultKind::Timeout
            | FaultKind::Unreachable
            | FaultKind::Server { .. }
            | FaultKind::Garbled
            | FaultKind::Firewall => Exit::Unreachable,
            FaultKind::Refused { .. } | FaultKind::Local => Exit::Failed,
        };
        let remedy = match fault.kind {
            FaultKind::Timeout | FaultKind::Unreachable if fault.asked == Asked::GitLab => {
                "check the network and --gitlab, then run it again".to_owned()
            }
            FaultKind::Timeout | FaultKind::Unreachable => {
                "check the network and its address, then run it again".to_owned()
            }
            FaultKind::Server { .. } | FaultKind::Garbled => "the server has trouble; run it again later".to_owned(),
            FaultKind::NotFound if fault.asked == Asked::GitLab => {
                "check the id and --project; what this token may not see is absent as well".to_owned()
            }
            _ => fault.remedy(now),
        };
        Self::new(exit, format!("{fault}; {remedy}"))
    }

    /// The code that the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Told { exit, .. } => *exit,
            Self::Closed => Exit::Ok,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Config, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

impl From<FilterError> for Failure {
    fn from(error: FilterError) -> Self {
        Self::usage(clean(&error.to_string()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let numbers: Vec<u8> = Exit::ALL.map(Exit::number).to_vec();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 130]);
        assert_eq!(Exit::ALL.map(Exit::meaning).iter().collect::<BTreeSet<_>>().len(), Exit::ALL.len());
        assert!(Exit::table().contains("\n  3    refused"), "{}", Exit::table());
    }

    #[test]
    fn faults_have_the_code_of_their_kind_and_say_what_to_do() {
        let now = Timestamp::from_millis(0);
        for (kind, exit, remedy) in [
            (FaultKind::Unauthorized, Exit::Denied, "--token-env"),
            (FaultKind::Forbidden, Exit::Denied, "scope `api`"),
            (FaultKind::NotFound, Exit::Unreachable, "--project"),
            (FaultKind::Timeout, Exit::Unreachable, "--gitlab"),
            (FaultKind::Server { status: 502 }, Exit::Unreachable, "again later"),
            (FaultKind::RateLimited { until: Some(now.shifted(9_000)) }, Exit::Unreachable, "next try in 9s"),
            (FaultKind::Refused { status: 409 }, Exit::Failed, "server's reason"),
        ] {
            let failure = Failure::remote(&Fault::new(kind.clone(), "read job 7", "no"), now);
            assert_eq!(failure.exit(), exit, "{kind:?}");
            let text = failure.to_string();
            assert!(text.starts_with("read job 7: no; ") && text.contains(remedy), "{text}");
        }
        let elsewhere = Fault::new(FaultKind::Unauthorized, "list open pull requests", "no").of(Asked::GitHub);
        assert!(
            Failure::remote(&elsewhere, now)
                .to_string()
                .ends_with("; set `github.token_env` or `github.token_file`, or `github.app` with its key")
        );
        assert_eq!(Failure::Closed.exit(), Exit::Ok);
    }
}
