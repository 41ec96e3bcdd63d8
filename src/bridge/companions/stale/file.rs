//! The reviewed file of a plan.

use std::io;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{OldBranch, StalePlan};
use crate::bridge::replay::cut;
use crate::ci::pull_request_of;

/// The form that is written and read.
const SCHEMA: &str = "stackhand.stale-branches/1";
/// What may be read: a plan for 10,000 branches has some 3 MB.
pub const MAX_PLAN: usize = 64 << 20;

/// A file that is no plan, or no longer the plan that was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StaleFileError {
    #[error("the plan has {0} bytes, and no more than {MAX_PLAN} can be read")]
    TooLarge(usize),
    #[error("the file is no plan of old branches: {0}; make a new one")]
    Json(String),
    #[error("the file says that it is `{0}`, but only `{SCHEMA}` can be read; make a new one")]
    Schema(String),
    #[error("the plan was changed after it was made: it says {said}, and is {is}; make a new one, never edit one")]
    Id { said: String, is: String },
    /// The id is no secret, so that the names are looked at as well.
    #[error("the plan would delete `{0}`, which no plan may; do not use it, and ask where it came from")]
    Outside(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<P> {
    schema: String,
    id: String,
    plan: P,
}

impl StalePlan {
    /// Writes the file, for people as well.
    pub fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, &File { schema: SCHEMA.to_owned(), id: self.id(), plan: self })?;
        out.write_all(b"\n")
    }

    /// Reads a file, and refuses one that was changed or that would delete what no plan may.
    pub fn read(bytes: &[u8]) -> Result<Self, StaleFileError> {
        #[derive(Deserialize)]
        struct Probe {
            schema: String,
        }
        if bytes.len() > MAX_PLAN {
            return Err(StaleFileError::TooLarge(bytes.len()));
        }
        let no_plan = |error: serde_json::Error| StaleFileError::Json(cut(&error.to_string()));
        let Probe { schema } = serde_json::from_slice(bytes).map_err(no_plan)?;
        if schema != SCHEMA {
            return Err(StaleFileError::Schema(cut(&schema)));
        }
        let File { id, plan, .. } = serde_json::from_slice::<File<Self>>(bytes).map_err(no_plan)?;
        if id != plan.id() {
            return Err(StaleFileError::Id { said: cut(&id), is: plan.id() });
        }
        let is_too_young = |old: &OldBranch| plan.made_at.since(old.committed_at) <= plan.rules.older_than;
        let strange = plan.old.iter().find(|old| pull_request_of(old.name.as_str()).is_none() || is_too_young(old));
        match strange {
            Some(old) => Err(StaleFileError::Outside(cut(old.name.as_str()))),
            None => Ok(plan),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::{GitLabBranch, Refusal, SpareReason, StaleRules};
    use super::*;
    use crate::bridge::Looked;
    use crate::ci::{PipelineId, Timestamp};
    use crate::forge::Sha;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const DAY: i64 = 86_400_000;

    type Open = Looked<BTreeSet<u64>>;
    type Running = Looked<Vec<(Arc<str>, PipelineId)>>;

    fn branch(name: &str, days: i64) -> GitLabBranch {
        GitLabBranch {
            name: name.into(),
            commit: Sha::parse(&"a".repeat(40)).unwrap(),
            committed_at: Some(NOW.shifted(-days * DAY)),
            is_protected: Some(false),
        }
    }

    fn branches() -> Vec<GitLabBranch> {
        vec![
            branch("pr2_b", 150),
            branch("pr1_a", 101),
            branch("pr3_fresh", 100),
            branch("pr4_open", 300),
            branch("pr5_busy", 300),
            GitLabBranch { is_protected: Some(true), ..branch("pr6_protected", 300) },
            GitLabBranch { is_protected: None, ..branch("pr7_untold", 300) },
            GitLabBranch { committed_at: None, ..branch("pr8_ageless", 300) },
            branch("develop", 300),
            branch("improve-pr9_x", 300),
            branch("releases/pr10", 300),
        ]
    }

    fn around() -> (Open, Running) {
        (Looked::Found(BTreeSet::from([4])), Looked::Found(vec![("pr5_busy".into(), PipelineId(9))]))
    }

    fn plan() -> StalePlan {
        let (open, running) = around();
        StalePlan::make("spack/spack-packages", &branches(), &open, &running, StaleRules::default(), NOW).unwrap()
    }

    #[test]
    fn only_old_branches_of_pull_requests_go() {
        let plan = plan();
        assert_eq!(plan.old.iter().map(|old| old.name.as_str()).collect::<Vec<_>>(), ["pr1_a", "pr2_b"]);
        let spared: Vec<(&str, &str)> = plan.spared.iter().map(|one| (&*one.name, one.why.word())).collect();
        let expected = [
            ("pr4_open", "open"),
            ("pr5_busy", "busy"),
            ("pr6_protected", "protected"),
            ("pr7_untold", "unknown"),
            ("pr8_ageless", "unknown"),
        ];
        assert_eq!(spared, expected);
        let rules = StaleRules { keep_open: false, ..StaleRules::default() };
        let (open, running) = around();
        let all = StalePlan::make("spack/spack", &branches(), &open, &running, rules, NOW).unwrap();
        assert_eq!(all.old.len(), 3);
    }

    #[test]
    fn nothing_goes_while_something_is_unknown() {
        let (open, running) = around();
        let make = |open: &Open, running: &Running| {
            StalePlan::make("p", &branches(), open, running, StaleRules::default(), NOW).unwrap_err()
        };
        assert!(matches!(make(&Looked::NotYet, &running), Refusal::OpenUnknown(_)));
        assert!(matches!(make(&open, &Looked::NotYet), Refusal::RunningUnknown(_)));
        assert!(plan().recheck("spack/spack-packages", &branches(), &Looked::NotYet, &running, NOW).is_err());
    }

    #[test]
    fn a_second_look_spares_what_has_changed() {
        let plan = plan();
        let (open, running) = around();
        let look = |branches: &[GitLabBranch], open: &Open| {
            let (going, spared) = plan.recheck("spack/spack-packages", branches, open, &running, NOW).unwrap();
            (going.len(), spared.into_iter().map(|one| one.why).collect::<Vec<_>>())
        };
        assert_eq!(look(&branches(), &open), (2, vec![]));
        let moved = Sha::parse(&"b".repeat(40)).unwrap();
        let changed = [GitLabBranch { commit: moved.clone(), ..branch("pr1_a", 101) }];
        assert_eq!(look(&changed, &open), (0, vec![SpareReason::Moved(moved), SpareReason::Gone]));
        let reopened = Looked::Found(BTreeSet::from([1]));
        assert_eq!(look(&branches(), &reopened), (1, vec![SpareReason::Open(1)]));
        let other = plan.recheck("spack/spack", &branches(), &open, &running, NOW).unwrap_err();
        assert_eq!(other.to_string(), "the plan is for spack/spack-packages, not for spack/spack");
    }

    #[test]
    fn an_edited_file_is_refused() {
        let mut file = Vec::new();
        plan().write(&mut file).unwrap();
        assert_eq!(StalePlan::read(&file), Ok(plan()));
        let text = String::from_utf8(file).unwrap();
        let read = |text: &str| StalePlan::read(text.as_bytes()).unwrap_err();
        assert!(matches!(read(&text.replace("pr1_a", "pr1_z")), StaleFileError::Id { .. }));
        assert!(matches!(read(&text.replace("branches/1", "branches/2")), StaleFileError::Schema(_)));
        assert!(matches!(read(&text[..text.len() / 2]), StaleFileError::Json(_)));
        assert!(matches!(read(""), StaleFileError::Json(_)));
        for (name, days) in [("develop", 300), ("pr1_a", 99)] {
            let mut forged = plan();
            forged.old[0].name = crate::forge::BranchName::parse(name).unwrap();
            forged.old[0].committed_at = NOW.shifted(-days * DAY);
            let mut file = Vec::new();
            forged.write(&mut file).unwrap();
            assert_eq!(StalePlan::read(&file), Err(StaleFileError::Outside(name.to_owned())));
        }
        let mut young = plan();
        young.rules.older_than = Duration::from_secs(1);
        assert_ne!(young.id(), plan().id());
    }
}
