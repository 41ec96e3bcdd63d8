//! Runs `spack -e DIR concretize --force`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::ConcretizeFault;
use crate::adapters::process::Group;

/// Lines that are kept to judge an end by.
const KEPT: usize = 200;
/// The most of one line that is kept or handed on.
pub(super) const MAX_LINE: usize = 4_096;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Concretize {
    /// The `spack` to run.
    pub spack: PathBuf,
    /// The folder of the environment.
    pub environment: PathBuf,
    /// How long it may take; Spack's own generate job has an hour.
    pub patience: Duration,
}

impl Default for Concretize {
    fn default() -> Self {
        Self { spack: "spack".into(), environment: ".".into(), patience: Duration::from_secs(3_600) }
    }
}

/// Concretizes, handing on every line that Spack prints.
pub async fn concretize(ask: &Concretize, mut line: impl FnMut(&[u8])) -> Result<(), ConcretizeFault> {
    let mut command = Command::new(&ask.spack);
    command.arg("-e").arg(&ask.environment).args(["concretize", "--force"]);
    command.env("SPACK_COLOR", "never").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Group::lead(&mut command).spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ConcretizeFault::NotFound(ask.spack.clone()),
        _ => ConcretizeFault::Start(error.to_string()),
    })?;
    let _group = Group::of(&child);
    let (sender, mut lines) = mpsc::channel(64);
    let readers =
        [child.stdout.take().map(|out| spawn(out, sender.clone())), child.stderr.take().map(|err| spawn(err, sender))];
    let mut last: VecDeque<String> = VecDeque::with_capacity(KEPT);
    let reading = async {
        while let Some(text) = lines.recv().await {
            line(&text);
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(String::from_utf8_lossy(&text).into_owned());
        }
        child.wait().await
    };
    let ended = tokio::time::timeout(ask.patience, reading).await;
    readers.into_iter().flatten().for_each(|reader| reader.abort());
    let status = ended.map_err(|_| ConcretizeFault::Slow(ask.patience))?;
    let status = status.map_err(|error| ConcretizeFault::Start(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Err(ConcretizeFault::Killed(signal));
    }
    Err(ConcretizeFault::of(status.code().unwrap_or(-1), last.make_contiguous()))
}

fn spawn(pipe: impl AsyncRead + Unpin + Send + 'static, sender: mpsc::Sender<Vec<u8>>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut pipe = BufReader::new(pipe);
        loop {
            let mut text = Vec::new();
            // A line without end is handed on in pieces.
            match (&mut pipe).take(MAX_LINE as u64).read_until(b'\n', &mut text).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if text.last() == Some(&b'\n') {
                text.pop();
            }
            if sender.send(text).await.is_err() {
                return;
            }
        }
    })
}
