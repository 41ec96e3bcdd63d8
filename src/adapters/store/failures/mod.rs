//! Failed jobs and their verdicts, and what is kept beside them: later tries, acknowledgements, ends of pipelines, what
//! automatic retries have cost, and which parts of the past have been read.
//!
//! A failure is one row per job; a verdict by newer rules takes its place. Texts come from logs, branches and people:
//! they are bound, never part of a statement. Since when a signature is known outlives its failures. Everything here
//! can be read from GitLab again, but the acknowledgements.

mod acks;
mod coverage;
mod ends;
mod forget;
mod groups;
mod put;
mod read;
mod spending;
mod tally;
#[cfg(test)]
mod tests;
