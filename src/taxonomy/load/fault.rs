//! What is wrong with rules files, all of it at once.

use std::sync::Arc;

use crate::taxonomy::Origin;

/// Most faults that are told, and most that are gathered before they are put in order.
const MOST_TOLD: usize = 100;
const MOST_KEPT: usize = 1_000;

/// Something that makes a rules file unusable: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {what}; {remedy}", at.file, at.line)]
pub struct RuleFault {
    pub at: Origin,
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Gathers faults while files are read.
#[derive(Default)]
pub(super) struct Faults {
    kept: Vec<RuleFault>,
    dropped: usize,
    hard: usize,
}

impl Faults {
    /// A fault that leaves it open what a rule matches.
    pub fn hard(&mut self, at: &Origin, what: impl Into<String>, remedy: impl Into<String>) {
        self.hard += 1;
        self.soft(at, what, remedy);
    }

    /// A fault in something that does not decide what a rule matches; examples can still be judged.
    pub fn soft(&mut self, at: &Origin, what: impl Into<String>, remedy: impl Into<String>) {
        if self.kept.len() < MOST_KEPT {
            self.kept.push(RuleFault { at: at.clone(), what: what.into(), remedy: remedy.into() });
        } else {
            self.dropped += 1;
        }
    }

    pub fn hard_count(&self) -> usize {
        self.hard
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// By file, in the order of `files`, and line.
    pub fn into_vec(self, files: &[Arc<str>]) -> Vec<RuleFault> {
        let Self { kept: mut list, mut dropped, .. } = self;
        list.sort_by_key(|fault| (files.iter().position(|file| *file == fault.at.file), fault.at.line));
        dropped += list.len().saturating_sub(MOST_TOLD);
        list.truncate(MOST_TOLD);
        if let (Some(last), 1..) = (list.last(), dropped) {
            let what = if dropped == 1 { "1 more fault".to_owned() } else { format!("{dropped} more faults") };
            list.push(RuleFault { at: last.at.clone(), what, remedy: "mend those above first".to_owned() });
        }
        list
    }
}
