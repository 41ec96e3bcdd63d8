//! Reads a report back. Whoever wrote the file, the answer is a report or one error that says what to do.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::error::Category;
use thiserror::Error;

use super::{Report, VERSION, cut};

/// The longest report that is read: ten times that of a stack of 4,000 specs.
pub const MAX_BYTES: usize = 64 << 20;
/// Far more than any configuration has.
const MAX_MIRRORS: usize = 1_000;
const MAX_TEXT: usize = 8 << 10;
/// Bytes of all elements of the configuration, each counted as often as a key names it.
const MAX_ORIGINS: usize = 512 << 20;

/// Why a file is no report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportError {
    #[error("the report is empty; generate again, or fetch the file again")]
    Empty,
    #[error(
        "the report has {size} bytes, but at most {MAX_BYTES} are read; give the file that was written beside the pipeline"
    )]
    TooLong { size: usize },
    #[error("the report breaks off at line {line}, column {column}; fetch the file again, or generate again")]
    CutOff { line: usize, column: usize },
    #[error(
        "the report has version {found}, but this stackhand reads version {VERSION}; use the stackhand that wrote it, or generate again"
    )]
    Version { found: String },
    #[error("the report has no version; give the file that was written beside the pipeline")]
    NoVersion,
    #[error("this is no report: {what}; give the file that was written beside the pipeline")]
    Garbled { what: String },
}

/// What every version of a report has.
#[derive(Deserialize)]
struct Head {
    version: Option<serde_json::Value>,
}

impl Report {
    /// Reads what was written beside a pipeline. Keys that nobody knows are left alone; the texts in it are not made harmless.
    pub fn read(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() > MAX_BYTES {
            return Err(ReportError::TooLong { size: bytes.len() });
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ReportError::Empty);
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| ReportError::of(&error, bytes))?;
        let found = head.version.ok_or(ReportError::NoVersion)?;
        if found.as_str() != Some(VERSION) {
            return Err(ReportError::Version { found: cut(&found.to_string(), 40) });
        }
        let report: Self = serde_json::from_slice(bytes).map_err(|error| ReportError::of(&error, bytes))?;
        report.check()?;
        Ok(report)
    }

    /// Refuses what is short as a file and endless when it is told.
    fn check(&self) -> Result<(), ReportError> {
        let refuse = |what: String| Err(ReportError::Garbled { what });
        if self.mirrors.len() > MAX_MIRRORS {
            return refuse(format!("it names {} mirrors, and {MAX_MIRRORS} is the most", self.mirrors.len()));
        }
        for mirror in &self.mirrors {
            let own = [&mirror.name, &mirror.url, &mirror.state].into_iter().chain(&mirror.reason);
            let texts = own.chain(mirror.indexes.iter().flat_map(|index| [&index.source, &index.sha256]));
            if let Some(text) = texts.into_iter().find(|text| text.len() > MAX_TEXT) {
                return refuse(format!("the mirror `{}` has a text of {} bytes", cut(&mirror.name, 40), text.len()));
            }
        }
        let sets = self.classes.iter().flat_map(BTreeMap::values).flat_map(|set| &set.set_by);
        let told = sets.filter_map(|place| self.origins.get(*place)).map(String::len).fold(0, usize::saturating_add);
        if told > MAX_ORIGINS {
            return refuse(format!(
                "the elements that set keys are {told} bytes of text, and {MAX_ORIGINS} is the most"
            ));
        }
        Ok(())
    }
}

impl ReportError {
    fn of(error: &serde_json::Error, bytes: &[u8]) -> Self {
        let (line, column) = (error.line(), error.column());
        // A file may also be cut off in the middle of a number, which then is none.
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let is_end =
            lines.nth(line.saturating_sub(1)).is_some_and(|last| last.len() == column) && lines.next().is_none();
        match error.classify() {
            Category::Eof => Self::CutOff { line, column },
            Category::Syntax if is_end => Self::CutOff { line, column },
            Category::Io | Category::Syntax | Category::Data => Self::Garbled { what: cut(&error.to_string(), 200) },
        }
    }
}
