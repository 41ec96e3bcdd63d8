//! Why signatures cannot be verified.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::adapters::process::Fault;
use crate::console::text;

/// No verdict: nothing is known about any signature. What gpg said is made harmless.
#[derive(Debug, Error)]
pub enum GpgError {
    #[error("`{}` was not found, so no signature can be verified; install gnupg, or put gpg on the PATH", .0.display())]
    NoGpg(PathBuf),
    #[error("`{}` cannot be started ({error}); check the program and its permissions", program.display())]
    NotStarted { program: PathBuf, error: io::Error },
    #[error("no key was given, so every signature would be unknown; name at least one file with a public key")]
    NoKeys,
    #[error("the key file {name} {what}")]
    Key { name: String, what: String },
    #[error("gpg needs a temporary folder in {}, which cannot be used ({error}); make room, or set TMPDIR", folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    #[error("gpg did not finish within {} seconds; verify fewer files, or check the machine", after.as_secs())]
    Deadline { after: Duration },
    #[error("gpg failed: {said}; run `gpg --version`, and report this if it is current")]
    Failed { said: String },
}

impl GpgError {
    pub(super) fn of(fault: Fault, program: PathBuf, after: Duration) -> Self {
        match fault {
            Fault::NotFound => Self::NoGpg(program),
            Fault::NotStarted(error) => Self::NotStarted { program, error },
            Fault::Deadline => Self::Deadline { after },
            Fault::TooMuch => Self::Failed { said: "it wrote without end".to_owned() },
        }
    }
}

/// Text of strangers, fit for a message.
pub(super) fn harmless(bytes: &[u8]) -> String {
    let text = text::clean_bytes(bytes.trim_ascii());
    text::cut_end(&text, 300).into_owned()
}
