//! The name of a template, and when the surroundings of a line belong to it.
//!
//! A line that says why a job failed says it in every kind of job, so kind, section and exit code would only tear equal causes apart. They count
//! where the line says nothing (`Job failed: exit code 1`, an empty line): then they are all there is.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::cause::{is_telling, reduce};
use super::mask::mask;
use crate::taxonomy::Signature;

/// Name of the algorithm. Every change that gives some line another fingerprint needs a new one, or histories are torn silently.
const ALGORITHM: &str = "s1";

/// Where a line of evidence stood. Everything may be unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignatureContext<'a> {
    pub job_kind: Option<&'a str>,
    /// The innermost section of the runner's.
    pub section: Option<&'a str>,
    pub exit_code: Option<i32>,
}

/// Makes the signature of a failure from its evidence: a shown line, without stamps and escapes.
///
/// Takes time linear in the line, reads its first 4,096 bytes, and gives a template of at most 400.
pub fn signature(line: &str, context: &SignatureContext<'_>) -> Signature {
    let template = reduce(mask(line));
    let mut hasher = Sha256::new();
    hasher.update(ALGORITHM);
    hasher.update([0]);
    hasher.update(&template);
    if !is_telling(&template) {
        let exit = context.exit_code.map(|code| code.to_string());
        for part in [context.job_kind, context.section, exit.as_deref()] {
            // Unknown and empty differ, and no part can run into the next.
            hasher.update([0, u8::from(part.is_some())]);
            hasher.update(part.unwrap_or_default());
        }
    }
    let mut fingerprint = format!("{ALGORITHM}-");
    for byte in hasher.finalize().iter().take(8) {
        // Writing to a string cannot fail.
        let _ = write!(fingerprint, "{byte:02x}");
    }
    Signature { fingerprint: fingerprint.into(), template: template.into() }
}
