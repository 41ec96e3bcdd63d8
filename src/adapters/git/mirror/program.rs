//! Runs `git` in the mirror: in an environment of its own, counted, within a deadline, and heard without secrets.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::process::Command;

use super::access::{Access, Redactor};
use super::address::Address;
use super::error::MirrorError;
use super::settings::{Settings, Side};
use crate::adapters::backoff::Backoff;
use crate::adapters::process::{self, Fault, Input};

/// Enough for the refs of the largest repository.
const LIMIT: usize = 64 << 20;

/// What of our own environment git gets to see: where programs and temporary files are, proxies, and certificates. Tokens of other services stay here.
const INHERITED: &[&str] = &[
    "PATH",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_EXEC_PATH",
];

/// The folders of one mirror.
pub(super) struct Places {
    /// Also the home of git: nobody's configuration and no `.netrc` is in it.
    pub folder: PathBuf,
    /// The repository between the two sides; never shallow.
    pub repository: PathBuf,
    /// Single commits of GitLab, without their history; nothing is ever pushed from here.
    pub subjects: PathBuf,
    pub keys: PathBuf,
}

impl Places {
    /// Here it is written down that damage was met, until everything was made again.
    pub fn damage(&self) -> PathBuf {
        self.folder.join("damaged")
    }
}

/// Everything that is needed to run git.
pub(super) struct Program {
    pub settings: Settings,
    pub places: Places,
    pub addresses: [Address; 2],
    /// Held by every git that writes, so that one that outlives us keeps others out.
    pub lock: std::fs::File,
    redactor: Redactor,
    backoff: Backoff,
    runs: AtomicU64,
}

/// One command.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// What it is to do, for messages: `fetch from GitHub`.
    pub doing: &'a str,
    pub arguments: &'a [&'a str],
    pub environment: &'a [(&'static str, OsString)],
    pub input: Option<&'a [u8]>,
    pub deadline: Duration,
    pub in_subjects: bool,
}

/// What it answered.
pub(super) struct Said {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    /// What it complained about, without secrets.
    pub complaint: String,
}

impl Program {
    pub fn new(settings: Settings, places: Places, addresses: [Address; 2], lock: std::fs::File) -> Self {
        let backoff = Backoff::new(settings.backoff, settings.backoff.saturating_mul(16), settings.seed);
        let redactor = Redactor::of([&settings.github.credentials, &settings.gitlab.credentials]);
        Self { settings, places, addresses, lock, redactor, backoff, runs: AtomicU64::new(0) }
    }

    /// How many processes of git were started.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    pub fn address(&self, side: Side) -> &Address {
        let [github, gitlab] = &self.addresses;
        match side {
            Side::GitHub => github,
            Side::GitLab => gitlab,
        }
    }

    /// Asks for something that asks nobody else and must succeed.
    pub async fn local(&self, doing: &str, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, MirrorError> {
        let said = self.answer(doing, arguments, input).await?;
        if said.code == Some(0) { Ok(said.out) } else { Err(said.failure(doing)) }
    }

    /// Asks for something whose exit code is an answer.
    pub async fn answer(&self, doing: &str, arguments: &[&str], input: Option<&[u8]>) -> Result<Said, MirrorError> {
        let deadline = self.settings.deadlines.local;
        self.run(&Run { doing, arguments, environment: &[], input, deadline, in_subjects: false }).await
    }

    /// Asks a remote, and once more while it may help. `judge` tells from an answer whether it is one.
    pub async fn remote<T>(
        &self,
        side: Side,
        run: Run<'_>,
        judge: impl Fn(&Said) -> Result<T, MirrorError>,
    ) -> Result<T, MirrorError> {
        let credentials = &self.settings.remote(side).credentials;
        let tries = self.settings.tries.max(1);
        for tried in 1.. {
            let access = Access::make(side, self.address(side), credentials, &self.settings.ssh, &self.places.keys)?;
            let answer = self.run(&Run { environment: &access.environment, ..run }).await;
            let answer = answer.and_then(|said| judge(&said));
            drop(access);
            match answer {
                Err(error) if error.is_transient() && tried < tries => {
                    tracing::warn!(%error, tried, "git is tried again");
                    tokio::time::sleep(self.backoff.after(tried)).await;
                }
                Err(error @ MirrorError::HostKey { .. }) => {
                    tracing::error!(%error);
                    return Err(error);
                }
                answer => return answer,
            }
        }
        Err(MirrorError::Failed { doing: run.doing.to_owned(), code: None, said: "no try was made".to_owned() })
    }

    /// Runs one command, once.
    pub async fn run(&self, run: &Run<'_>) -> Result<Said, MirrorError> {
        let folder = if run.in_subjects { &self.places.subjects } else { &self.places.repository };
        let mut command = Command::new(&self.settings.git);
        command.arg("--no-pager").args(run.arguments).current_dir(&self.places.folder).env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("GIT_DIR", folder).env("HOME", &self.places.folder).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_ATTR_NOSYSTEM", "1");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1");
        command.envs(run.environment.iter().map(|(name, value)| (name, value)));
        let held = || self.lock.try_clone().map_or(Input::Nothing, Input::File);
        let input = run.input.map_or_else(held, Input::Bytes);
        self.runs.fetch_add(1, Ordering::Relaxed);
        let (doing, program) = (run.doing.to_owned(), self.settings.git.clone());
        let answer = process::run(command, input, LIMIT, run.deadline).await.map_err(|fault| match fault {
            Fault::NotFound => MirrorError::NoGit(program),
            Fault::NotStarted(error) => MirrorError::NotStarted { program, why: error.to_string() },
            Fault::Deadline => MirrorError::Deadline { doing, after: run.deadline },
            Fault::TooMuch => MirrorError::TooMuch { doing, limit: LIMIT },
        })?;
        let complaint = self.redactor.clean(&answer.complaint);
        tracing::debug!(doing = run.doing, code = answer.code, "git has answered");
        if answer.code != Some(0) && MirrorError::is_damage(&complaint) {
            // What cannot be written down is met again.
            let _ = std::fs::write(self.places.damage(), &complaint);
        }
        Ok(Said { code: answer.code, out: answer.said, complaint })
    }
}

impl Said {
    /// The error of a command that asked nobody else.
    pub fn failure(&self, doing: &str) -> MirrorError {
        MirrorError::of_local(doing, self.code, &self.complaint)
    }

    /// What it wrote, for a message.
    pub fn garbled(&self, doing: &str) -> MirrorError {
        garbled(doing, &self.out)
    }
}

/// An answer that is not understood.
pub(super) fn garbled(doing: &str, what: &[u8]) -> MirrorError {
    let what = crate::adapters::git::error::harmless(what.get(..400).unwrap_or(what));
    MirrorError::Garbled { doing: doing.to_owned(), what }
}
