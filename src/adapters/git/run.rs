//! Runs the `git` program: one question, one bounded answer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::error::{GitError, harmless};
use crate::adapters::process::{self, Answer, Fault};

/// A listing of Spack's 20,000 files has two million bytes.
const LIMIT: usize = 64 << 20;
/// A partial clone may fetch while it answers.
const DEADLINE: Duration = Duration::from_secs(120);

/// A folder in which git is asked.
pub(super) struct Git {
    pub program: PathBuf,
    pub folder: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
    pub deadline: Duration,
    pub limit: usize,
}

impl Git {
    pub fn at(folder: &Path) -> Self {
        Self {
            program: "git".into(),
            folder: folder.to_owned(),
            environment: Vec::new(),
            deadline: DEADLINE,
            limit: LIMIT,
        }
    }

    /// Asks for something that must be there.
    pub async fn get(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let answer = self.exec(arguments, None).await?;
        if answer.code == Some(0) { Ok(answer.said) } else { Err(self.failure(arguments, &answer)) }
    }

    /// [`Git::get`] with something to read.
    pub async fn feed(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let answer = self.exec(arguments, Some(input)).await?;
        if answer.code == Some(0) { Ok(answer.said) } else { Err(self.failure(arguments, &answer)) }
    }

    /// Asks for something that need not be there: exit code 1 is git's way to say no.
    pub async fn find(&self, arguments: &[&str]) -> Result<Option<Vec<u8>>, GitError> {
        let answer = self.exec(arguments, None).await?;
        match answer.code {
            Some(0) => Ok(Some(answer.said)),
            Some(1) => Ok(None),
            _ => Err(self.failure(arguments, &answer)),
        }
    }

    async fn exec(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Answer, GitError> {
        // A missing folder and a missing program give the same error at the start of a process.
        if let Err(error) = tokio::fs::read_dir(&self.folder).await {
            return Err(GitError::NoFolder { folder: self.folder.clone(), error });
        }
        let mut command = Command::new(&self.program);
        command.args([
            "--no-pager",
            "-c",
            "diff.relative=false",
            "-c",
            "log.showSignature=false",
            "-c",
            "color.ui=false",
        ]);
        command.args(arguments).current_dir(&self.folder);
        // A hook of git that starts this program points these at another repository.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE"] {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        process::run(command, input, self.limit, self.deadline).await.map_err(|fault| {
            let (program, command) = (self.program.clone(), shown(arguments));
            match fault {
                Fault::NotFound => GitError::NoGit(program),
                Fault::NotStarted(error) => GitError::NotStarted { program, error },
                Fault::Deadline => GitError::Deadline { command, after: self.deadline },
                Fault::TooMuch => GitError::TooMuch { command, limit: self.limit },
            }
        })
    }

    fn failure(&self, arguments: &[&str], answer: &Answer) -> GitError {
        let complaint = String::from_utf8_lossy(&answer.complaint);
        if complaint.contains("dubious ownership") || complaint.contains("unsafe repository") {
            let named =
                complaint.split_once('\'').and_then(|(_, rest)| rest.split_once('\'')).map(|(folder, _)| folder);
            let folder = named.map_or_else(|| self.folder.display().to_string(), ToOwned::to_owned);
            return GitError::Untrusted { folder: harmless(folder.as_bytes()) };
        }
        if complaint.contains("not a git repository") {
            return GitError::NoRepository(self.folder.clone());
        }
        GitError::Failed { command: shown(arguments), code: answer.code, said: harmless(&answer.complaint) }
    }
}

/// The name of a subcommand and what it was asked, short enough for a message.
pub(super) fn shown(arguments: &[&str]) -> String {
    harmless(arguments.join(" ").as_bytes())
}
