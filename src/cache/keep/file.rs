//! Keep lists as files: one hash on each line.

use std::sync::Arc;

use thiserror::Error;

use super::{KeepList, KeepReason};
use crate::spack::Hash;

/// A file that is no keep list. Nothing of it may be used: what was meant by the odd line may have been a hash to keep.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeepFileError {
    #[error("the keep list {0} names no hash; write one on each line, or every binary would go")]
    Empty(Arc<str>),
    #[error(
        "line {line} of the keep list {file} is no hash: {what}; write all 32 characters, each of them a–z or 2–7, and nothing else"
    )]
    Line { file: Arc<str>, line: usize, what: String },
}

impl KeepList {
    /// Reads a file. As for Spack, blanks around a hash and `/` before it do not matter, nor do repetitions; there are no comments and no
    /// empty lines.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, KeepFileError> {
        let file: Arc<str> = file.into();
        let wrong = |line: usize, what: String| KeepFileError::Line { file: file.clone(), line: line + 1, what };
        let mut hashes = Vec::new();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Err(KeepFileError::Empty(file));
        }
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let Ok(text) = std::str::from_utf8(line) else { return Err(wrong(at, "it is not UTF-8".to_owned())) };
            let text = text.trim().trim_start_matches('/');
            let hash = Hash::parse(text).map_err(|_| wrong(at, fault(text)))?;
            hashes.push(hash);
        }
        let mut list = Self::default();
        list.add(KeepReason::File(file), hashes);
        Ok(list)
    }
}

/// What is wrong with a line.
fn fault(text: &str) -> String {
    match text.chars().count() {
        0 => "it is empty".to_owned(),
        32 => match text.chars().find(|c| !matches!(c, 'a'..='z' | '2'..='7')) {
            Some(odd) => format!("it has the character {odd:?}"),
            None => "it cannot be read".to_owned(),
        },
        length => format!("it has {length} characters"),
    }
}
