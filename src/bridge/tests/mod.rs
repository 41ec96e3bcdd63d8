//! The numbered cases of the reference, and what holds for all inputs.
//!
//! Each case that facts alone can answer is a test here. The others need git, a server or the loop, and are tested where that runs:
//!
//! * git: T1 (transient failures are tried again), T6 (keys are gone afterwards), E25 (pinned host keys), E38 (redaction); the time of E9; that
//!   real git takes the refspecs of E6, rejects one ref of several (E24) and merges equal inputs to equal commits (E34).
//! * the GitHub adapter: E19–E21 (rate limits), the 422 that E17 begins with, the re-reading before a push (E3), and that a listing of every
//!   tag is one request (E33).
//! * the GitLab adapter: T7 (the URL), E4–E6 in URLs, E22 (a 502), the typed error of E23, the two requests of T21.
//! * the loop: requests, seconds and processes of E36; a kill during a push (E34); two controllers (E35); the webhooks of E29 and E30.
//! * the screen: the width of E5.

#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

mod board;
mod branches;
mod deferral;
mod hostile;
mod passes;
mod prs;
mod replays;
mod statuses;

use std::sync::Arc;

use sha1::{Digest, Sha1};

use super::*;
use crate::ci::{PipelineId, Status, Timestamp};
use crate::forge::{
    BranchName, CheckRun, CommitState, CommitStatus, Conclusion, Items, Mergeable, PrNumber, PrState, PullRequest, Sha,
};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const CONTEXT: &str = "ci/gitlab-ci";

/// A commit with a made-up name.
fn sha(word: &str) -> Sha {
    let digest: [u8; 20] = Sha1::digest(word).into();
    let number = digest.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    Sha::parse(&format!("{number:032x}0badcafe")).unwrap()
}

fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

fn down() -> Fault {
    Fault { why: "502 Bad Gateway".into(), passes: true }
}

/// Spack's rules, without a prerequisite.
fn rules() -> Rules {
    Rules { prerequisites: Vec::new(), ..Rules::default() }
}

/// A pull request into develop whose head is named like its branch; GitLab has nothing of it.
fn pr(number: u64, head_ref: &str) -> PrInput {
    let pr = PullRequest {
        number: PrNumber(number),
        title: format!("about {head_ref}").into(),
        state: PrState::Open,
        is_draft: false,
        head: sha(head_ref),
        head_ref: head_ref.into(),
        head_repo: Some("someone/spack-packages".into()),
        base_ref: "develop".into(),
        updated_at: NOW.shifted(-HOUR),
        pushed_at: None,
        labelled_at: None,
        labels: Items::whole([]),
        mergeable: Mergeable::Yes,
        test_merge: Some(sha(&format!("test merge of {head_ref}"))),
        checks: Items::whole([]),
    };
    PrInput::new(pr, Looked::Found(None))
}

fn labelled(mut input: PrInput, label: &str) -> PrInput {
    input.pr.labels.listed.push(label.into());
    input
}

/// With a commit of this subject on its branch on GitLab.
fn on_gitlab(mut input: PrInput, subject: &str) -> PrInput {
    let commit = sha(subject);
    input.branch = Looked::Found(Some(OnGitLab { commit, subject: Some(subject.into()) }));
    input
}

/// GitLab has a merge of its head.
fn pushed(input: PrInput) -> PrInput {
    let subject = format!("Merge {} into {}", input.pr.head, sha("tested"));
    on_gitlab(input, &subject)
}

/// The merge that [`answer`] makes.
fn merge_of(head: &Sha, onto: &Sha) -> Sha {
    sha(&format!("Merge {head} into {onto}"))
}

fn pipeline(id: u64, git_ref: &str, commit: &Sha, status: Status) -> PipelineSeen {
    PipelineSeen {
        id: PipelineId(id),
        git_ref: git_ref.into(),
        sha: commit.clone(),
        status: Some(status),
        updated_at: Some(NOW.shifted(-MINUTE)),
        web_url: Some(format!("https://gitlab.spack.io/spack/spack-packages/-/pipelines/{id}").into()),
        subject: Looked::NotYet,
    }
}

/// A pass in which `tested` is the newest commit of develop that GitLab tested.
fn pass(prs: Vec<PrInput>) -> PassInput {
    PassInput {
        now: NOW,
        rules: rules(),
        main: Looked::Found(vec![pipeline(1, "develop", &sha("tested"), Status::Success)]),
        gitlab_protected: Vec::new(),
        prs,
        branches: Vec::new(),
        tags: Vec::new(),
        pipelines: Looked::Found(Vec::new()),
        pushes: Vec::new(),
        posted: Vec::new(),
    }
}

/// Answers every want as a repository does in which nothing conflicts, until none is left. Tells what was asked, in order.
fn answer(pass: &mut PassInput) -> (PassOutput, Vec<(PrNumber, Want)>) {
    let mut asked = Vec::new();
    loop {
        let output = pass.decide();
        let wants: Vec<(PrNumber, Want)> = output
            .prs
            .iter()
            .filter_map(|one| if let Reason::Look(want) = &one.reason { Some((one.pr, want.clone())) } else { None })
            .collect();
        if wants.is_empty() {
            return (output, asked);
        }
        for (number, want) in &wants {
            let input = pass.prs.iter_mut().find(|input| input.pr.number == *number).unwrap();
            match want.clone() {
                Want::Ancestry { head, onto } => {
                    let merge_base = Some(sha("merge base"));
                    input.ancestry = Looked::Found(Ancestry {
                        asked: head.clone(),
                        fetched: head,
                        onto,
                        merge_base,
                        base_is_tested: true,
                    });
                }
                Want::Merge { head, onto } => {
                    let commit = Some(merge_of(&head, &onto));
                    input.merge = Looked::Found(Merge { head, onto, commit });
                }
                Want::TestMerge { commit } => {
                    let (head, onto) = (input.pr.head.clone(), sha("base"));
                    input.test_merge = Looked::Found(TestMerge { asked: commit.clone(), fetched: commit, head, onto });
                }
                Want::FastForward { .. } => unreachable!("no pull request asks for it"),
            }
        }
        asked.extend(wants);
    }
}

/// The decision about the only pull request.
fn decided(input: PrInput) -> PrDecision {
    answer(&mut pass(vec![input])).0.prs.remove(0)
}

fn word(input: PrInput) -> &'static str {
    decided(input).reason.word()
}

fn refspecs(output: &PassOutput) -> Vec<String> {
    output.pushes.iter().flat_map(|batch| &batch.refs).map(RefUpdate::refspec).collect()
}

fn status(state: CommitState, text: &str, url: Option<&str>) -> CommitStatus {
    CommitStatus::new(CONTEXT, state, text, url)
}

fn posted(sha: &Sha, status: CommitStatus) -> Posted {
    Posted { sha: sha.clone(), context: CONTEXT.into(), status: Some(status), refused: None }
}

/// What is remembered of a pass: its pushes and its statuses went through.
fn remember(pass: &mut PassInput, output: &PassOutput) {
    for one in &output.prs {
        let Some(update) = &one.update else { continue };
        let record = PushRecord {
            pr: one.pr,
            head: one.head.clone(),
            base_ref: one.base_ref.clone(),
            onto: sha("tested"),
            commit: update.commit.clone(),
            at: pass.now,
        };
        let input = pass.prs.iter_mut().find(|input| input.pr.number == one.pr).unwrap();
        let subject = format!("Merge {} into {}", record.head, record.onto);
        input.branch = Looked::Found(Some(OnGitLab { commit: record.commit.clone(), subject: Some(subject.into()) }));
        pass.pushes.push(record);
    }
    for one in &output.statuses.post {
        pass.posted.retain(|before| before.sha != one.sha);
        pass.posted.push(posted(&one.sha, one.status.clone()));
    }
}
