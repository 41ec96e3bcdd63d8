//! How the job ended: by the runner's last word in the log, and by what GitLab says. Where the two disagree it is told.

use crate::ci::{ReasonFamily, Status};
use crate::taxonomy::JobFacts;
use crate::taxonomy::matcher::{Findings, Hit, Phase};

/// The runner's last word stands within so many lines of the log's end, when a section is still open there.
const NEAR: u64 = 20;
/// One byte in so many that no text has makes a log that is none.
const ODD: u64 = 12;

/// The runner's last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastWord<'a> {
    Succeeded,
    /// The script ended with an exit code, which says nothing about the cause.
    ExitCode(i32),
    /// The runner says itself what is wrong. The script is not to blame.
    Says(&'a Hit),
    /// `ERROR: Job failed` and no more.
    Nothing,
    /// The log ends without it.
    Missing,
}

/// How a job ended.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    pub failed: bool,
    pub last_word: LastWord<'a>,
    /// The line of the runner's last word.
    pub line: Option<&'a Hit>,
    pub exit_code: Option<i32>,
    /// GitLab, or the runner's last word, says that the script is not to blame.
    pub blames_runner: bool,
    /// What keeps a verdict from being better.
    pub missing: Vec<String>,
    /// The log and GitLab do not tell the same story.
    pub contradicts: bool,
    /// There is nothing in the log, or no text.
    pub unreadable: bool,
}

impl<'a> Ending<'a> {
    /// Tells how a job ended.
    pub fn of(findings: &Findings<'a>, facts: &JobFacts) -> Self {
        let is_last = |hit: &&Hit| hit.place.phase == Phase::Outside || hit.line + NEAR >= findings.last_shown;
        let failed = findings.failed.filter(is_last);
        let succeeded = findings.succeeded.filter(is_last).filter(|hit| failed.is_none_or(|f| f.number < hit.number));
        let last_word = match (succeeded, failed) {
            (Some(_), _) => LastWord::Succeeded,
            (None, Some(hit)) => said(hit),
            (None, None) => LastWord::Missing,
        };
        let logged = if let LastWord::ExitCode(code) = last_word { Some(code) } else { None };
        let mut ending = Self {
            failed: match facts.status {
                Some(Status::Failed) => true,
                Some(Status::Unknown(_)) | None => {
                    last_word != LastWord::Succeeded
                        || facts.failure_reason.is_some()
                        || facts.exit_code.is_some_and(|c| c != 0)
                }
                Some(_) => false,
            },
            last_word,
            line: succeeded.or(failed),
            exit_code: facts.exit_code.or(logged),
            blames_runner: matches!(last_word, LastWord::Says(_))
                || (last_word == LastWord::Missing
                    && facts.failure_reason.as_ref().is_some_and(|reason| {
                        matches!(reason.family(), ReasonFamily::Runner | ReasonFamily::Timeout | ReasonFamily::Server)
                    })),
            missing: Vec::new(),
            contradicts: false,
            unreadable: false,
        };
        ending.look_at_the_log(findings);
        ending.compare(logged, facts);
        ending.doubt_the_log(findings, facts);
        ending
    }

    fn look_at_the_log(&mut self, findings: &Findings<'_>) {
        if findings.total == 0 {
            self.unreadable = true;
            self.missing.push("the log is empty".to_owned());
        } else if findings.odd * ODD > findings.odd + findings.text {
            self.unreadable = true;
            self.missing.push("the log is not text".to_owned());
        } else if findings.last_shown == 0 {
            self.unreadable = true;
            self.missing.push("the log shows nothing".to_owned());
        } else if self.failed && self.last_word == LastWord::Missing {
            let cut = if findings.is_inside {
                "the log ends in the middle of a line"
            } else {
                "the runner's last line is missing"
            };
            self.missing.push(cut.to_owned());
        }
    }

    /// Whether the log is the job's at all.
    fn doubt_the_log(&mut self, findings: &Findings<'_>, facts: &JobFacts) {
        if findings.greetings > 1 {
            self.missing.push("the log holds more than one job".to_owned());
        }
        let asked = findings.command.and_then(|hit| hit.found.get("kind")).map(String::as_str);
        let logged = match asked {
            Some("rebuild") => "build",
            Some("generate") => "generate",
            _ => return,
        };
        if let Some(kind) =
            facts.job_kind.as_deref().filter(|kind| matches!(*kind, "build" | "generate") && *kind != logged)
        {
            self.missing.push(format!("the log is one of a {logged} job, this is a {kind} job"));
        }
    }

    fn compare(&mut self, logged: Option<i32>, facts: &JobFacts) {
        let mut tell = |text: String| {
            self.contradicts = true;
            self.missing.push(text);
        };
        if let (Some(logged), Some(told)) = (logged, facts.exit_code)
            && logged != told
        {
            tell(format!("the log says exit code {logged}, GitLab says {told}"));
        }
        match (self.last_word, self.failed) {
            (LastWord::Succeeded, true) => {
                tell("the log says that the job succeeded, GitLab says that it failed".to_owned());
            }
            (LastWord::ExitCode(_) | LastWord::Says(_) | LastWord::Nothing, false)
                if facts.status == Some(Status::Success) =>
            {
                tell("the log says that the job failed, GitLab says that it succeeded".to_owned());
            }
            _ => {}
        }
    }
}

fn said(hit: &Hit) -> LastWord<'_> {
    let text = hit.text.trim().trim_start_matches("ERROR: Job failed").trim_start_matches(':').trim();
    if text.is_empty() {
        return LastWord::Nothing;
    }
    let code = text.strip_prefix("command terminated with ").unwrap_or(text);
    let code = code.strip_prefix("exit code ").or_else(|| code.strip_prefix("exit status "));
    code.and_then(|code| code.trim().parse().ok()).map_or(LastWord::Says(hit), LastWord::ExitCode)
}
