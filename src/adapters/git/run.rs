//! Runs the `git` program: one question, one bounded answer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::error::{GitError, harmless};

/// A listing of Spack's 20,000 files has two million bytes.
const LIMIT: usize = 64 << 20;
/// A partial clone may fetch while it answers.
const DEADLINE: Duration = Duration::from_secs(120);
const MAX_COMPLAINT: usize = 8 << 10;

/// A folder in which git is asked.
pub(super) struct Git {
    pub program: PathBuf,
    pub folder: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
    pub deadline: Duration,
    pub limit: usize,
}

/// What git answered.
struct Answer {
    code: Option<i32>,
    said: Vec<u8>,
    complaint: Vec<u8>,
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
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let program = || self.program.clone();
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => GitError::NoGit(program()),
            _ => GitError::NotStarted { program: program(), error },
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // A git that has seen enough closes its end; what it says then tells why.
                let _ = stdin.write_all(input).await;
            }
            Ok(())
        };
        let read = async { bounded(stdout, self.limit).await.ok_or(()) };
        let listen = async { Ok(head(stderr).await) };
        // Boxed: every question of the adapter carries this state.
        let work = Box::pin(async {
            let ((), said, complaint) = tokio::try_join!(write, read, listen)?;
            Ok::<_, ()>((said, complaint, child.wait().await))
        });
        let command = || shown(arguments);
        match tokio::time::timeout(self.deadline, work).await {
            Err(_) => Err(GitError::Deadline { command: command(), after: self.deadline }),
            Ok(Err(())) => Err(GitError::TooMuch { command: command(), limit: self.limit }),
            Ok(Ok((_, _, Err(error)))) => Err(GitError::NotStarted { program: program(), error }),
            Ok(Ok((said, complaint, Ok(status)))) => Ok(Answer { code: status.code(), said, complaint }),
        }
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

/// Everything that comes, or nothing when it is more than the limit.
async fn bounded(from: Option<impl AsyncRead + Unpin>, limit: usize) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    if let Some(from) = from {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        // A read that fails has ended: the exit code tells whether too early.
        let _ = from.take(most).read_to_end(&mut all).await;
    }
    (all.len() <= limit).then_some(all)
}

/// The beginning of what comes; the rest is read too, so that the writer does not wait for a reader.
async fn head(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    let mut chunk = vec![0; 4096];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let room = MAX_COMPLAINT.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(chunk.get(..room).unwrap_or_default());
    }
    kept
}
