//! The pieces that several JSON documents and tables have in common. What is not known is `null` and never zero.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::exit::Failure;
use super::out::Out;
use super::session::{Replica, Session, Wish};
use crate::ci::PipelineId;
use crate::console::fault::Fault;
use crate::console::fresh::Completeness;
use crate::console::state::{Counts, JobState};

/// `{"total", "complete", "fail", "warn", …}`: all `null` while nothing was read.
pub fn counts(counts: &Counts, completeness: Completeness) -> Value {
    let number = |n: usize| if completeness == Completeness::Unknown { Value::Null } else { n.into() };
    let mut map = Map::new();
    map.insert("total".to_owned(), number(counts.total()));
    map.insert("complete".to_owned(), (completeness == Completeness::Whole).into());
    for (state, n) in counts.iter() {
        map.insert(state.name().to_owned(), number(n));
    }
    map.into()
}

/// `38 FAIL, 1204 run, 512 pend`, or `?` while nothing was read.
pub fn counts_words(counts: &Counts, completeness: Completeness, at_least: &str) -> String {
    let states: Vec<String> =
        counts.iter().filter(|(_, n)| *n > 0).map(|(state, n)| format!("{n} {}", state.word())).collect();
    match (completeness, states.is_empty()) {
        (Completeness::Unknown, _) => "?".to_owned(),
        (Completeness::Partial, true) => "?".to_owned(),
        (Completeness::Partial, false) => format!("{at_least}{}", states.join(", ")),
        (Completeness::Whole, true) => "no jobs".to_owned(),
        (Completeness::Whole, false) => states.join(", "),
    }
}

/// What was read in all, over several pipelines.
pub fn overall(replica: &Replica, roots: impl Iterator<Item = PipelineId>) -> Completeness {
    let mut parts = roots.map(|root| replica.completeness(root)).peekable();
    match parts.peek().copied() {
        None => replica.world.pipelines.completeness,
        Some(first) => parts.fold(first, |all, part| if all == part { all } else { Completeness::Partial }),
    }
}

/// A read that failed.
pub fn fault(fault: &Fault) -> Value {
    json!({ "kind": fault.word(), "what": fault.what, "detail": fault.detail })
}

/// What a command knew when it answered.
pub struct Knowledge {
    /// Everything that was wished for has been read.
    pub is_complete: bool,
    pub troubles: Vec<Fault>,
}

impl Knowledge {
    /// Waits until a wish is fulfilled, or too long.
    pub async fn gather(session: &mut Session, wish: Wish, within: Duration) -> Result<Self, Failure> {
        let in_time = session.settle(Some(within), |replica| wish.judge(replica)).await?;
        let troubles: Vec<Fault> = wish.troubles(&session.replica).into_iter().cloned().collect();
        Ok(Self { is_complete: in_time && troubles.is_empty(), troubles })
    }

    /// The failed reads as JSON.
    pub fn errors(&self) -> Vec<Value> {
        self.troubles.iter().map(fault).collect()
    }

    /// Tells a person what is missing, and why.
    pub fn tell(&self, out: Out) {
        for fault in self.troubles.iter().take(SHOWN) {
            out.note(&format!("not read: {fault}"));
        }
        if self.troubles.len() > SHOWN {
            out.note(&format!("not read: {} more", self.troubles.len() - SHOWN));
        }
        if !self.is_complete && self.troubles.is_empty() {
            out.note("not everything was read in time; give it longer with --within");
        }
    }
}

/// Failed reads that are told one by one.
const SHOWN: usize = 5;

/// `fail`, `ok`: the word of a state in JSON.
pub fn state(state: JobState) -> Value {
    state.name().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_null_and_a_question_mark() {
        let some: Counts = [JobState::Fail, JobState::Ok, JobState::Ok].into_iter().collect();
        assert_eq!(counts(&Counts::default(), Completeness::Unknown)["total"], Value::Null);
        assert_eq!(counts(&some, Completeness::Whole)["ok"], 2);
        assert_eq!(counts(&some, Completeness::Whole)["run"], 0);
        assert_eq!(counts_words(&Counts::default(), Completeness::Unknown, ">= "), "?");
        assert_eq!(counts_words(&Counts::default(), Completeness::Whole, ">= "), "no jobs");
        assert_eq!(counts_words(&some, Completeness::Partial, ">= "), ">= 1 FAIL, 2 ok");
    }
}
