//! Whole passes: outages, restarts, idleness, size.

use proptest::prelude::*;

use super::*;

#[test]
fn case_E23_a_list_of_pipelines_that_cannot_be_read_stops_statuses_only() {
    let mut input = pass(vec![pr(1, "x"), {
        let mut other = pr(2, "y");
        other.pr.base_ref = "releases/v1.0".into();
        other
    }]);
    let denied = Fault { why: "401 Unauthorized".into(), passes: false };
    input.main = Looked::Failed(denied.clone());
    input.pipelines = Looked::Failed(denied);
    let (output, _) = answer(&mut input);
    assert_eq!(output.prs[0].reason, Reason::MainUnknown("401 Unauthorized".into()));
    assert_eq!(refspecs(&output), ["refs/heads/pr2_y:refs/heads/pr2_y"]);
    assert_eq!(output.statuses, StatusPlan::default());
}

#[test]
fn case_E26_while_gitlab_is_down_pull_requests_are_judged_and_no_status_flips() {
    let mut draft = pr(3, "draft");
    draft.pr.is_draft = true;
    let mut input = pass(vec![pushed(pr(1, "x")), pr(2, "y"), draft]);
    input.rules.prerequisites = vec!["style".into()];
    let before = answer(&mut input).0;
    remember(&mut input, &before);
    let mut back = PassInput { now: NOW.shifted(3 * HOUR), ..input.clone() };
    for one in &mut input.prs {
        one.branch = Looked::Failed(down());
    }
    input.main = Looked::Failed(down());
    input.pipelines = Looked::Failed(down());
    let (output, asked) = answer(&mut input);
    let words: Vec<&str> = output.prs.iter().map(|one| one.reason.word()).collect();
    assert_eq!(words, ["gitlab_unknown", "gitlab_unknown", "draft"]);
    assert_eq!((output.statuses.post.len(), output.pushes.len(), asked.len()), (0, 0, 0));
    // What came up meanwhile goes in the first pass after it.
    back.prs.push(pr(4, "meanwhile"));
    back.rules.prerequisites.clear();
    assert_eq!(
        refspecs(&answer(&mut back).0),
        ["refs/heads/pr2_y:refs/heads/pr2_y", "refs/heads/pr4_meanwhile:refs/heads/pr4_meanwhile"]
    );
}

#[test]
fn case_E34_after_a_kill_during_a_push_gitlab_tells_what_went_through() {
    let mut input = pass(vec![pr(1, "x"), pr(2, "y")]);
    let (output, _) = answer(&mut input);
    // The first ref got through, nothing was written down, and the subject of the merge is all that tells.
    let commit = output.prs[0].update.as_ref().unwrap().commit.clone();
    let subject = format!("Merge {} into {}", sha("x"), sha("tested"));
    input.prs[0].branch = Looked::Found(Some(OnGitLab { commit: commit.clone(), subject: Some(subject.into()) }));
    let (output, _) = answer(&mut input);
    assert_eq!(output.prs[0].reason, Reason::AlreadyPushed);
    assert_eq!(refspecs(&output), ["refs/heads/pr2_y:refs/heads/pr2_y"]);
    // Even without the subject: the same merge has the same name.
    input.prs[0].branch = Looked::Found(Some(OnGitLab { commit: commit.clone(), subject: None }));
    let (output, _) = answer(&mut input);
    assert_eq!((&output.prs[0].reason, &output.prs[0].tested), (&Reason::AlreadyPushed, &TestedAs::Commit(commit)));
}

#[test]
fn case_E35_two_bridges_decide_alike_and_the_second_finds_nothing_to_do() {
    let mut first =
        PassInput { rules: Rules { prerequisites: vec!["style".into()], ..rules() }, ..pass(vec![pr(1, "x")]) };
    first.prs.push(labelled(pr(2, "y"), "other"));
    let mut second = first.clone();
    let output = answer(&mut first).0;
    assert_eq!(output, answer(&mut second).0);
    // The second sees what the first has posted.
    remember(&mut second, &output);
    let plan = second.decide().statuses;
    assert_eq!((plan.post.len(), plan.unchanged), (0, 2));
}

#[test]
fn case_E36_an_idle_pass_writes_nothing() {
    let mut list: Vec<PrInput> = (1..=600).map(|n| pushed(pr(n, &format!("branch-{n}")))).collect();
    for n in 601..=800 {
        let mut draft = pr(n, &format!("branch-{n}"));
        draft.pr.is_draft = true;
        list.push(draft);
    }
    let mut input = pass(list);
    let (first, _) = answer(&mut input);
    assert_eq!((first.pushes.len(), first.statuses.post.len()), (0, 200));
    remember(&mut input, &first);
    let (idle, asked) = answer(&mut input);
    assert_eq!((idle.pushes.len(), idle.statuses.post.len(), idle.statuses.unchanged), (0, 0, 200));
    assert_eq!(asked, [], "git is asked nothing");
}

#[test]
fn one_that_is_listed_twice_counts_once_as_told_last() {
    let mut older = pr(1, "x");
    older.pr.updated_at = NOW.shifted(-2 * HOUR);
    older.pr.head = sha("older head");
    for list in [vec![older.clone(), pr(1, "x")], vec![pr(1, "x"), older]] {
        let output = pass(list).decide();
        assert_eq!(output.prs.iter().map(|one| &one.head).collect::<Vec<_>>(), [&sha("x")]);
    }
}

#[test]
fn every_reason_has_a_word_of_its_own_and_one_line() {
    let (name, commit): (Arc<str>, Sha) = ("develop".into(), sha("x"));
    let all = [
        Reason::FirstPush,
        Reason::NewHead,
        Reason::Retargeted { from: name.clone(), to: name.clone() },
        Reason::Refresh { onto: commit.clone() },
        Reason::AlreadyPushed,
        Reason::Draft,
        Reason::Stale { since: NOW },
        Reason::Check(name.clone()),
        Reason::MissingLabel(name.clone()),
        Reason::OutOfSync { fetched: commit.clone(), told: commit.clone() },
        Reason::BaseTooNew { main: name.clone(), tested: commit.clone() },
        Reason::NothingTested { main: name.clone() },
        Reason::OldTestMerge { fetched: commit.clone(), told: commit.clone() },
        Reason::MergeabilityUnknown,
        Reason::ChecksUnknown(name.clone()),
        Reason::LabelsUnknown,
        Reason::GitLabUnknown(name.clone()),
        Reason::MainUnknown(name.clone()),
        Reason::GitFailed(name.clone()),
        Reason::BackOff { until: NOW, tries: 2, why: name.clone() },
        Reason::Conflict { with: name.clone() },
        Reason::Unrelated { with: name.clone() },
        Reason::GitHubConflict,
        Reason::CheckoutFailed(name.clone()),
        Reason::BadName(crate::forge::BadName::Lock),
        Reason::ProtectedName(name),
        Reason::Closed,
        Reason::Merged,
        Reason::Look(Want::TestMerge { commit }),
    ];
    let mut words: Vec<&str> = all.iter().map(Reason::word).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), all.len());
    for reason in &all {
        let text = reason.to_string();
        assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{text}");
        let json = serde_json::to_string(reason).unwrap();
        assert_eq!(&serde_json::from_str::<Reason>(&json).unwrap(), reason);
        let status = reason.status(&rules());
        assert!(status.is_none_or(|status| !matches!(reason.verdict(), Verdict::Push | Verdict::Pushed)
            && status.state != CommitState::Success));
    }
}

/// A pull request in any state that a test can reach.
fn any_pr(number: u64) -> impl Strategy<Value = PrInput> {
    let parts = (any::<[bool; 6]>(), 0..4_u8, 0..3_u8, 0..5_u8);
    parts.prop_map(
        move |([is_draft, is_old, is_urgent, elsewhere, has_trouble, is_closed], branch, mergeable, facts)| {
            let mut input = pr(number, &format!("b{number}"));
            input.pr.is_draft = is_draft;
            if is_old {
                input.pr.updated_at = NOW.shifted(-9 * DAY);
            }
            if is_urgent {
                input = labelled(input, "pipelines:urgent");
            }
            if elsewhere {
                input.pr.base_ref = "releases/v1.0".into();
            }
            if has_trouble {
                input.trouble = Some(Trouble::again(None, &input.pr.head, "rejected", NOW));
            }
            if is_closed {
                input.pr.state = PrState::Closed;
            }
            input.pr.mergeable = [Mergeable::Yes, Mergeable::Conflicting, Mergeable::Unknown][mergeable as usize];
            input = match branch {
                0 => input,
                1 => pushed(input),
                2 => on_gitlab(input, "Merge a into b"),
                _ => PrInput { branch: Looked::Failed(down()), ..input },
            };
            let (head, onto) = (input.pr.head.clone(), sha("tested"));
            match facts {
                0 => input.ancestry = Looked::Failed(down()),
                1 => input.test_merge = Looked::Failed(Fault { why: "no such ref".into(), passes: false }),
                2 => {
                    input.ancestry = Looked::Found(Ancestry {
                        asked: head.clone(),
                        fetched: head,
                        onto,
                        merge_base: None,
                        base_is_tested: false,
                    });
                }
                3 => input.merge = Looked::Found(Merge { head, onto, commit: None }),
                _ => {}
            }
            input
        },
    )
}

fn any_prs() -> impl Strategy<Value = Vec<PrInput>> {
    (1..12_u64).prop_flat_map(|count| (1..=count).map(|n| any_pr(n).boxed()).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn each_decision_stands_by_itself(list in any_prs()) {
        let together = answer(&mut pass(list.clone())).0.prs;
        let alone: Vec<PrDecision> = list.into_iter().map(decided).collect();
        prop_assert_eq!(together, alone);
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(list in any_prs()) {
        let mut reversed = list.clone();
        reversed.reverse();
        prop_assert_eq!(answer(&mut pass(list)).0, answer(&mut pass(reversed)).0);
    }

    /// After everything went through, the next pass has nothing to do.
    #[test]
    fn passes_come_to_rest(list in any_prs()) {
        let mut input = pass(list);
        let (output, _) = answer(&mut input);
        for one in &output.prs {
            prop_assert_eq!(one.update.is_some(), one.verdict() == Verdict::Push);
            prop_assert!(one.update.is_none() || one.status.is_none());
            let refused = matches!(one.reason, Reason::GitLabUnknown(_) | Reason::MainUnknown(_));
            prop_assert!(!refused || one.status.is_none());
        }
        prop_assert!(output.pushes.iter().all(|batch| (1..=4).contains(&batch.refs.len())));
        remember(&mut input, &output);
        let (next, _) = answer(&mut input);
        prop_assert_eq!(next.pushes, []);
        prop_assert_eq!(next.statuses.post, []);
    }
}
