//! What broke, why, where, and whether trying again helps: the judgement over the logs of failed jobs. Pure and streaming.
//!
//! * A [`Rule`] is data: patterns over the lines of a log, and what they say about a failure. A [`RuleSet`] is loaded whole or not at all.
//! * [`load()`] reads rules files with all their checks, [`lint()`] tells what they probably do not mean, [`import()`] reads those of production.
//! * A log goes once through a classifier, in pieces of any size and bounded memory; [`Verdict`] tells class, owner, evidence and everything
//!   else that matched. What no rule knows gets a [`Signature`], so that equal failures meet again.
//! * A [`Failure`] is what is remembered of a verdict; trends, spread, flakes and impact are judged from those.
//!
//! Classes and owners are those of Spack's production taxonomy (`spack/spack-infrastructure`, analytics), so that figures can be compared.

mod classes;
#[cfg(test)]
mod data_tests;
mod decide;
mod facts;
mod failure;
mod import;
pub mod judge;
mod lint;
mod load;
mod matcher;
mod redact;
mod rule;
#[cfg(test)]
mod score_tests;
mod signature;
mod verdict;
mod words;

pub use facts::JobFacts;
pub use failure::{Failure, UNKNOWN};
pub use import::{ImportFault, Imported, import};
pub use lint::{Lint, LintKind, lint};
pub use load::{Draft, Loaded, RuleFault, Source, append, draft, load, load_shipped, load_with_lints, shipped};
pub use matcher::{Classifier, CompileError, Compiled, classify};
pub use redact::{redact, redact_lines};
pub use rule::{Origin, Pattern, Requires, Rule, RuleSet, Scope, Strength};
pub use signature::{Cluster, Clusters, SignatureContext, signature};
pub use verdict::{Also, Cause, Evidence, Signature, Verdict};
pub use words::{Owner, Severity, Transient};
