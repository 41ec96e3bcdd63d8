//! Why nothing is generated, and what is odd although something is.

use std::fmt;

use thiserror::Error;

use super::DagError;
use crate::spack::LockError;

/// Something that a person should know and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning(String);

impl Warning {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a pipeline is not made. Nothing has been written when one of these is returned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Graph(#[from] DagError),
    /// The configuration holds something that cannot be obeyed.
    #[error("{place} {what}")]
    Config { place: String, what: String },
    /// A mirror that must be there is not configured.
    #[error(
        "no binary mirror is called `{name}`; add it to the `mirrors` of the environment or give `--mirror {name}=URL`"
    )]
    NoMirror { name: &'static str },
    /// A mirror could not be read: what it holds is unknown, and taking unknown for nothing would rebuild everything.
    #[error(
        "the mirror `{name}` ({url}) could not be read: {reason}; try again, or accept that everything is rebuilt with \
         `--allow-missing-index {name}`"
    )]
    Mirror { name: String, url: String, reason: String },
    /// Jobs would fail for a binary that nobody builds and no mirror holds.
    #[error(
        "{count} {} would be missing when jobs run: neither in the pipeline nor on a mirror, for example {shown}; add what builds \
         {}, or generate without `--prune-unaffected`",
        if *count == 1 { "dependency" } else { "dependencies" },
        if *count == 1 { "it" } else { "them" }
    )]
    Gaps { count: usize, shown: String },
    /// GitLab would refuse the pipeline.
    #[error(
        "the job `{job}` has no script, so GitLab would refuse the whole pipeline; give {section} a `script` in ci:pipeline-gen"
    )]
    NoScript { job: String, section: &'static str },
    /// GitLab would refuse the pipeline.
    #[error(
        "the job `{job}` needs {needs} jobs even after reduction, but the limit is {limit}; raise `--needs-limit` with the server's \
         `ci_needs_size_limit`, or allow join jobs"
    )]
    Needs { job: String, needs: usize, limit: usize },
    /// GitLab would refuse the file.
    #[error(
        "the pipeline is {size} bytes{form}, but {limit} are allowed; most of it: {biggest}; shorten these, or raise {flag}"
    )]
    Size { size: usize, form: &'static str, limit: usize, biggest: String, flag: &'static str },
    /// More work than anybody meant to start.
    #[error("{what}, more than the {limit} that are allowed: {reason}; if that is meant, raise {flag}")]
    Storm { what: String, limit: String, reason: String, flag: &'static str },
    /// A spec that is known not to build.
    #[error("{count} {} known to be broken on develop: {shown}; repair or leave out, or build everything without pruning",
        if *count == 1 { "spec is" } else { "specs are" })]
    Broken { count: usize, shown: String },
}

impl Refusal {
    /// Whether Spack itself would go on; in parity such a refusal is only a warning.
    pub const fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Mirror { .. }
                | Self::Gaps { .. }
                | Self::NoScript { .. }
                | Self::Needs { .. }
                | Self::Size { .. }
                | Self::Storm { .. }
        )
    }
}
