//! Runs another program: one question, one bounded answer. What the answer means is for whoever asks.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

const MAX_COMPLAINT: usize = 8 << 10;

/// What a program answered.
pub(super) struct Answer {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub said: Vec<u8>,
    /// The beginning of what it wrote to standard error.
    pub complaint: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum Fault {
    NotFound,
    NotStarted(io::Error),
    /// It did not end in time, and was ended.
    Deadline,
    /// It wrote more than was wanted.
    TooMuch,
}

/// What a program finds on its standard input.
pub(super) enum Input<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// An open file, which the program holds as long as it lives, even when it outlives us.
    File(std::fs::File),
}

impl<'a> From<Option<&'a [u8]>> for Input<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        bytes.map_or(Self::Nothing, Self::Bytes)
    }
}

/// A child that leads a group of processes; unless it has ended by itself, the whole group ends with this.
pub(super) struct Group(Option<u32>);

impl Group {
    /// Makes a command the leader of a group, and ends it with us.
    pub fn lead(command: &mut Command) -> &mut Command {
        #[cfg(unix)]
        command.process_group(0);
        command.kill_on_drop(true)
    }

    /// The group of a child that was started after [`Group::lead`].
    pub fn of(child: &Child) -> Self {
        Self(child.id())
    }

    /// The child has ended by itself and was waited for: its number may soon be somebody else's.
    pub fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0 {
            // There is no safe call for this in the standard library. Nothing left to end is no error.
            let _ = std::process::Command::new("kill")
                .args(["-KILL", "--", &format!("-{group}")])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Runs a command to its end, with something to read or nothing at all. It ends with us, and so does whatever it started.
pub(super) async fn run(
    mut command: Command,
    input: impl Into<Input<'_>>,
    limit: usize,
    deadline: Duration,
) -> Result<Answer, Fault> {
    let (stdin, input) = match input.into() {
        Input::Nothing => (Stdio::null(), None),
        Input::Bytes(bytes) => (Stdio::piped(), Some(bytes)),
        Input::File(file) => (Stdio::from(file), None),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Group::lead(&mut command).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Fault::NotFound,
        _ => Fault::NotStarted(error),
    })?;
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A program that has seen enough closes its end; what it says then tells why.
            let _ = stdin.write_all(input).await;
        }
        Ok(())
    };
    let read = async { bounded(stdout, limit).await.ok_or(Fault::TooMuch) };
    let listen = async { Ok(head(stderr).await) };
    let end = async {
        let status = child.wait().await.map_err(Fault::NotStarted)?;
        if status.code().is_some() {
            group.ended();
        }
        // Of one that was killed, what it started goes too: it would hold the pipes open.
        drop(group);
        Ok(status)
    };
    // Boxed: every question of an adapter carries this state.
    let work = Box::pin(async {
        let ((), said, complaint, status) = tokio::try_join!(write, read, listen, end)?;
        Ok(Answer { code: status.code(), said, complaint })
    });
    tokio::time::timeout(deadline, work).await.unwrap_or(Err(Fault::Deadline))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: Option<&[u8]>, limit: usize, deadline: Duration) -> Result<Answer, Fault> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(command, input, limit, deadline))
    }

    #[test]
    fn answers_are_bounded_in_size_and_time() {
        const LONG: Duration = Duration::from_secs(60);
        let Ok(answer) = sh("cat; echo no >&2; exit 3", Some(b"hello"), 5, LONG) else { panic!("it answers") };
        assert_eq!((answer.code, &*answer.said, &*answer.complaint), (Some(3), &b"hello"[..], &b"no\n"[..]));
        let Ok(answer) = sh("cat; kill -9 $$", None, 5, LONG) else { panic!("it answers") };
        assert_eq!((answer.code, answer.said.len()), (None, 0));
        assert!(matches!(sh("echo hello", None, 5, LONG), Err(Fault::TooMuch)));
        assert!(matches!(sh("yes", None, 1 << 20, LONG), Err(Fault::TooMuch)));
        assert!(matches!(sh("exec sleep 600", None, 5, Duration::from_millis(200)), Err(Fault::Deadline)));
        // What it does not read does not hold anybody up.
        assert!(matches!(sh("exit 0", Some(&vec![0; 1 << 20]), 5, LONG), Ok(Answer { code: Some(0), .. })));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_program_started_ends_with_it() {
        let name = std::env::temp_dir().join(format!("stackhand-group-{}", std::process::id()));
        for (then, deadline) in [("sleep 60", 1_000), ("kill -9 $$", 60_000)] {
            let script = format!("sleep 60 & echo $! > {}; {then}", name.display());
            let answer = sh(&script, None, 5, Duration::from_millis(deadline));
            assert!(matches!(answer, Err(Fault::Deadline) | Ok(Answer { code: None, .. })));
            let line = format!("/proc/{}/cmdline", std::fs::read_to_string(&name).unwrap().trim());
            let is_gone = || std::fs::read(&line).map_or(true, |line| line.is_empty());
            for _ in 0..500 {
                if !is_gone() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            assert!(is_gone(), "{then}: a grandchild lives on");
        }
        let _ = std::fs::remove_file(name);
    }
}
