//! A pass that was written down, and what this version decides about the same facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{PassInput, PassOutput, RefDecision, RefKind, RefUpdate};

/// The form that is written and read.
const SCHEMA: &str = "stackhand.bridge-pass/1";
/// What may be read: a pass with thousands of pull requests and tags has some 10 MB.
pub const MAX_RECORDING: usize = 256 << 20;

/// A file that holds no pass.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordingError {
    #[error("the recording has {0} bytes, and no more than {MAX_RECORDING} can be read")]
    TooLarge(usize),
    #[error("the file is no recorded pass of the bridge: {0}")]
    Json(String),
    #[error("the file says that it is `{0}`, but only `{SCHEMA}` can be read")]
    Schema(String),
}

/// One pass of the bridge: what it knew, and what it decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    schema: String,
    /// The version of stackhand that decided.
    pub version: String,
    pub input: PassInput,
    pub output: PassOutput,
}

/// Something that this version decides otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about: `pr 51234`, `refs/tags/v1.0`, `status of 0123456`, `pushes`.
    pub about: String,
    /// As it was recorded; none where nothing was decided.
    pub before: Option<String>,
    pub now: Option<String>,
}

impl Recording {
    pub fn new(version: &str, input: PassInput, output: PassOutput) -> Self {
        Self { schema: SCHEMA.to_owned(), version: version.to_owned(), input, output }
    }

    pub fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        // A buffer that is dropped keeps to itself what was lost.
        out.flush()
    }

    pub fn read(bytes: &[u8]) -> Result<Self, RecordingError> {
        #[derive(Deserialize)]
        struct Probe {
            schema: String,
        }
        if bytes.len() > MAX_RECORDING {
            return Err(RecordingError::TooLarge(bytes.len()));
        }
        let no_pass = |error: serde_json::Error| RecordingError::Json(cut(&error.to_string()));
        let Probe { schema } = serde_json::from_slice(bytes).map_err(no_pass)?;
        if schema != SCHEMA {
            return Err(RecordingError::Schema(cut(&schema)));
        }
        serde_json::from_slice(bytes).map_err(no_pass)
    }

    /// Decides again, and tells what comes out otherwise.
    pub fn replay(&self) -> Vec<Difference> {
        let now = self.input.decide();
        let (before, now) = (said(&self.output), said(&now));
        let all: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let difference = |about: &String| {
            let (before, now) = (before.get(about).cloned(), now.get(about).cloned());
            (before != now).then(|| Difference { about: about.clone(), before, now })
        };
        all.into_iter().filter_map(difference).collect()
    }
}

/// Every decision of a pass as one text, by what it is about.
fn said(output: &PassOutput) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    said.insert("main".to_owned(), format!("{:?}", output.main));
    for one in &output.prs {
        let update = one.update.as_ref().map(|update| format!("; {update}, {:?}", update.expects)).unwrap_or_default();
        let text = format!("{} ({}): {}{update}", one.verdict(), one.reason.word(), one.reason);
        said.insert(format!("pr {}", one.pr), text);
    }
    for one in output.branches.iter().chain(&output.tags) {
        said.insert(ref_name(one), format!("{} ({}): {}", one.verdict(), one.reason.word(), one.reason));
    }
    said.insert("tags as they are".to_owned(), output.tags_unchanged.to_string());
    let pushes = |refs: &[RefUpdate]| refs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    for (at, batch) in output.pushes.iter().enumerate() {
        said.insert(format!("push {}", at + 1), pushes(&batch.refs));
    }
    for one in &output.statuses.post {
        let url = one.status.target_url.as_deref().unwrap_or("no URL");
        let text = format!("{}: {} ({url})", one.status.state, one.status.description);
        said.insert(format!("status of {} in {}", one.sha, one.status.context), text);
    }
    for one in &output.statuses.held {
        said.insert(format!("status held back of {}", one.sha), one.why.to_string());
    }
    said.insert("statuses as they are".to_owned(), output.statuses.unchanged.to_string());
    said
}

fn ref_name(one: &RefDecision) -> String {
    match one.kind {
        RefKind::Branch => format!("refs/heads/{}", one.name),
        RefKind::Tag => format!("refs/tags/{}", one.name),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: was {}, is {}", self.about, text(&self.before), text(&self.now))
    }
}

/// Makes a text fit for an error.
pub(in crate::bridge) fn cut(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
