//! What is decided about pull requests that do not have to wait for main.

use super::*;

fn check(name: &str, conclusion: Option<Conclusion>) -> CheckRun {
    CheckRun { name: name.into(), conclusion, completed_at: None }
}

fn needs(name: &str) -> Rules {
    Rules { prerequisites: vec![name.into()], ..rules() }
}

/// Decides about one under other rules.
fn under(rules: Rules, input: PrInput) -> PrDecision {
    answer(&mut PassInput { rules, ..pass(vec![input]) }).0.prs.remove(0)
}

#[test]
fn case_T02_one_is_new_one_is_there_and_one_is_a_draft() {
    let improve = on_gitlab(pr(1, "improve_docs"), &format!("Merge {} into {}", sha("bbbbbbb"), sha("ccccccc")));
    let fix = pushed(pr(2, "fix_test"));
    let mut wip = pr(3, "wip");
    wip.pr.is_draft = true;
    let mut pass = pass(vec![wip, fix, improve]);
    let (output, asked) = answer(&mut pass);
    let branches: Vec<&str> = output.prs.iter().map(|one| one.branch.as_ref().unwrap().as_str()).collect();
    assert_eq!(branches, ["pr1_improve_docs", "pr2_fix_test", "pr3_wip"]);
    let reasons: Vec<&str> = output.prs.iter().map(|one| one.reason.word()).collect();
    assert_eq!(reasons, ["new_head", "already_pushed", "draft"]);
    assert_eq!(refspecs(&output), ["refs/heads/pr1_improve_docs:refs/heads/pr1_improve_docs"]);
    let (head, onto) = (sha("improve_docs"), sha("tested"));
    let ancestry = Want::Ancestry { head: head.clone(), onto: onto.clone() };
    assert_eq!(asked, [(PrNumber(1), ancestry), (PrNumber(1), Want::Merge { head, onto })]);
}

#[test]
fn case_T22_a_check_that_runs_is_waited_for() {
    let mut input = pr(1, "x");
    input.pr.checks = Items::whole([check("style", None)]);
    let one = under(needs("style"), input);
    assert_eq!((one.verdict(), one.reason.word()), (Verdict::Wait, "check"));
    assert_eq!(one.status, Some(status(CommitState::Pending, "waiting for style check to succeed", None)));
}

#[test]
fn case_T23_a_check_that_does_not_exist_is_waited_for() {
    let one = under(needs("style"), pr(1, "x"));
    assert_eq!(one.status, Some(status(CommitState::Pending, "waiting for style check to succeed", None)));
}

#[test]
fn only_success_of_the_newest_run_by_the_exact_name_lets_pass() {
    let with = |runs: Vec<CheckRun>, is_whole| {
        let mut input = pr(1, "x");
        input.pr.checks = Items { listed: runs, is_whole };
        under(needs("style"), input).reason.word()
    };
    let (good, bad) = (Some(Conclusion::Success), Some(Conclusion::Failure));
    assert_eq!(with(vec![check("style", good)], true), "first_push");
    assert_eq!(with(vec![check("style", good), check("style", bad)], true), "first_push");
    assert_eq!(with(vec![check("style", bad), check("style", good)], true), "check");
    assert_eq!(with(vec![check("Style", good)], true), "check");
    for conclusion in [Conclusion::Neutral, Conclusion::Skipped, Conclusion::Unknown] {
        assert_eq!(with(vec![check("style", Some(conclusion))], true), "check");
    }
    assert_eq!(with(vec![check("other", good)], false), "checks_unknown");
    assert_eq!(with(vec![check("style", good)], false), "first_push");
}

#[test]
fn case_T24_a_draft_is_told_once_that_it_is_not_tested() {
    let mut draft = pr(1, "x");
    draft.pr.is_draft = true;
    draft.pr.updated_at = NOW.shifted(-900 * DAY);
    let mut pass = pass(vec![draft]);
    let (output, _) = answer(&mut pass);
    let expected = status(CommitState::Pending, "GitLab CI is disabled for draft PRs", None);
    assert_eq!(output.prs[0].status.as_ref(), Some(&expected));
    assert_eq!(
        output.statuses.post.iter().map(|one| (&one.sha, &one.status)).collect::<Vec<_>>(),
        [(&sha("x"), &expected)]
    );
    remember(&mut pass, &output);
    let again = pass.decide().statuses;
    assert_eq!((again.post.len(), again.unchanged), (0, 1));
}

#[test]
fn drafts_are_pushed_where_the_rules_say_so() {
    let mut draft = pr(1, "x");
    draft.pr.is_draft = true;
    assert_eq!(under(Rules { sync_drafts: true, ..rules() }, draft).reason.word(), "first_push");
}

#[test]
fn case_T25_a_missing_label_is_told_here_and_not_on_github() {
    let one = under(Rules { required_label: Some("ci".into()), ..rules() }, pr(1, "x"));
    assert_eq!((one.reason.word(), one.status.as_ref()), ("missing_label", None));
    assert_eq!(one.reason.to_string(), "it does not carry the label ci");
    let rules = || Rules { required_label: Some("ci".into()), ..rules() };
    assert_eq!(under(rules(), labelled(pr(1, "x"), "ci")).reason.word(), "first_push");
    let mut cut_off = pr(1, "x");
    cut_off.pr.labels.is_whole = false;
    assert_eq!(under(rules(), cut_off).reason.word(), "labels_unknown");
}

#[test]
fn case_E01_a_new_head_replaces_the_old_one_by_a_lease() {
    let mut pass = pass(vec![pr(1, "x")]);
    let (output, _) = answer(&mut pass);
    remember(&mut pass, &output);
    let old = output.prs[0].update.as_ref().unwrap().commit.clone();
    pass.prs[0].pr.head = sha("forced");
    let (output, _) = answer(&mut pass);
    let update = output.prs[0].update.as_ref().unwrap();
    assert_eq!(output.prs[0].reason, Reason::NewHead);
    assert_eq!(update.lease().unwrap(), format!("--force-with-lease=refs/heads/pr1_x:{old}"));
    assert_eq!(update.commit, merge_of(&sha("forced"), &sha("tested")));
    remember(&mut pass, &output);
    let new = update.commit.clone();
    pass.pipelines =
        Looked::Found(vec![pipeline(9, "pr1_x", &new, Status::Pending), pipeline(8, "pr1_x", &old, Status::Canceled)]);
    let post = pass.decide().statuses.post;
    let told: Vec<_> = post.iter().map(|one| (&one.sha, one.status.state, &*one.status.description)).collect();
    assert_eq!(told, [(&sha("forced"), CommitState::Pending, "Pipeline is pending")]);
}

#[test]
fn case_E02_a_head_that_moved_before_it_was_fetched_waits_for_the_next_pass() {
    let mut input = pr(1, "x");
    let onto = sha("tested");
    input.ancestry = Looked::Found(Ancestry {
        asked: sha("x"),
        fetched: sha("newer"),
        onto: onto.clone(),
        merge_base: Some(sha("merge base")),
        base_is_tested: true,
    });
    let one = decided(input.clone());
    let text = format!("GitHub HEAD shas out of sync (repo={}, API={})", sha("newer").short(), sha("x").short());
    assert_eq!(one.status, Some(status(CommitState::Pending, &text, None)));
    assert_eq!((one.verdict(), one.update), (Verdict::Wait, None));
    input.pr.head = sha("newer");
    let next = decided(input);
    assert_eq!(next.update.map(|update| update.commit), Some(merge_of(&sha("newer"), &onto)));
}

#[test]
fn case_E03_one_that_was_closed_since_it_was_listed_is_not_pushed() {
    let one = decided(pr(1, "x"));
    assert_eq!(one.verdict(), Verdict::Push);
    let still = |change: fn(&mut PullRequest)| {
        let mut now = pr(1, "x").pr;
        change(&mut now);
        one.still(&now, &rules()).map_err(|reason| reason.word())
    };
    assert_eq!(still(|_| {}), Ok(()));
    assert_eq!(still(|pr| pr.state = PrState::Closed), Err("closed"));
    assert_eq!(still(|pr| pr.state = PrState::Merged), Err("merged"));
    assert_eq!(still(|pr| pr.head = sha("newer")), Err("out_of_sync"));
    assert_eq!(still(|pr| pr.is_draft = true), Err("draft"));
    assert_eq!(still(|pr| pr.base_ref = "releases/v1.0".into()), Err("retargeted"));
    let mut closed = pr(1, "x");
    closed.pr.state = PrState::Closed;
    assert_eq!((word(closed.clone()), decided(closed).status), ("closed", None));
}

#[test]
fn case_E08_a_deleted_fork_changes_nothing() {
    let mut orphan = pr(1, "x");
    orphan.pr.head_repo = None;
    assert_eq!(decided(orphan), decided(pr(1, "x")));
}

#[test]
fn case_E12_a_conflict_is_told_and_what_github_does_not_know_yet_is_not() {
    let urgent = |mergeable| {
        let mut input = labelled(pr(1, "x"), "pipelines:urgent");
        input.pr.mergeable = mergeable;
        decided(input)
    };
    let conflict = urgent(Mergeable::Conflicting);
    assert_eq!(conflict.status, Some(status(CommitState::Error, "merge conflicts with target branch", None)));
    let unknown = urgent(Mergeable::Unknown);
    assert_eq!((unknown.verdict(), unknown.status), (Verdict::Wait, None));
    let mut without = labelled(pr(1, "x"), "pipelines:urgent");
    without.pr.test_merge = None;
    assert_eq!(word(without), "mergeability_unknown");
}

#[test]
fn a_test_merge_of_another_head_or_another_one_than_told_is_not_pushed() {
    let with = |commit: &str, head: &str| {
        let mut input = labelled(pr(1, "x"), "pipelines:urgent");
        input.test_merge = Looked::Found(TestMerge {
            asked: sha("test merge of x"),
            fetched: sha(commit),
            head: sha(head),
            onto: sha("base"),
        });
        word(input)
    };
    assert_eq!(with("test merge of x", "x"), "first_push");
    assert_eq!(with("test merge of x", "y"), "out_of_sync");
    assert_eq!(with("older test merge", "x"), "old_test_merge");
    let mut newer = labelled(pr(1, "x"), "pipelines:urgent");
    let (asked, head) = (sha("asked before"), sha("before"));
    newer.test_merge = Looked::Found(TestMerge { fetched: asked.clone(), asked, head, onto: sha("base") });
    assert!(matches!(pass(vec![newer]).decide().prs[0].reason, Reason::Look(Want::TestMerge { .. })));
}

#[test]
fn a_failed_fetch_is_told_if_it_will_not_pass_by_itself() {
    let failed = |passes| {
        let mut input = labelled(pr(1, "x"), "pipelines:urgent");
        input.test_merge = Looked::Failed(Fault { why: "couldn't find remote ref".into(), passes });
        decided(input)
    };
    let expected = status(CommitState::Error, "GitLab failed to checkout this branch", None);
    assert_eq!((failed(false).reason.word(), failed(false).status), ("checkout_failed", Some(expected)));
    assert_eq!((failed(true).reason.word(), failed(true).status), ("git_failed", None));
}

#[test]
fn case_E28_a_check_that_turns_green_after_five_days_lets_it_through() {
    let mut input = pr(1, "x");
    input.pr.updated_at = NOW.shifted(-5 * DAY);
    input.pr.checks = Items::whole([check("style", None)]);
    assert_eq!(under(needs("style"), input.clone()).reason.word(), "stale");
    input.pr.checks.listed[0] =
        CheckRun { completed_at: Some(NOW.shifted(-MINUTE)), ..check("style", Some(Conclusion::Success)) };
    assert_eq!(under(needs("style"), input.clone()).verdict(), Verdict::Push);
    input.pr.checks = Items { listed: Vec::new(), is_whole: false };
    assert_eq!(under(needs("style"), input).reason.word(), "checks_unknown", "it may have turned green unseen");
}

#[test]
fn what_happened_last_decides_what_is_stale() {
    let aged = |change: fn(&mut PullRequest)| {
        let mut input = pr(1, "x");
        input.pr.updated_at = NOW.shifted(-3 * DAY);
        change(&mut input.pr);
        word(input)
    };
    assert_eq!(aged(|_| {}), "stale");
    assert_eq!(aged(|pr| pr.updated_at = NOW.shifted(-2 * DAY)), "first_push");
    assert_eq!(aged(|pr| pr.updated_at = NOW.shifted(-2 * DAY - 1)), "stale");
    assert_eq!(aged(|pr| pr.pushed_at = Some(NOW)), "first_push");
    assert_eq!(aged(|pr| pr.labelled_at = Some(NOW)), "first_push");
    assert_eq!(aged(|pr| pr.updated_at = NOW.shifted(5 * MINUTE)), "first_push", "GitHub's clock is ahead");
}

#[test]
fn case_E29_a_draft_that_is_ready_is_pushed_and_its_status_replaced() {
    let mut draft = pr(1, "x");
    draft.pr.is_draft = true;
    let mut pass = pass(vec![draft]);
    let (output, _) = answer(&mut pass);
    remember(&mut pass, &output);
    pass.prs[0].pr.is_draft = false;
    let (output, _) = answer(&mut pass);
    assert_eq!((output.prs[0].verdict(), output.statuses.post.len()), (Verdict::Push, 0));
    remember(&mut pass, &output);
    let commit = output.prs[0].update.as_ref().unwrap().commit.clone();
    pass.pipelines = Looked::Found(vec![pipeline(7, "pr1_x", &commit, Status::Created)]);
    let post = pass.decide().statuses.post;
    assert_eq!((&post[0].sha, &*post[0].status.description), (&sha("x"), "Pipeline has been created"));
}

#[test]
fn a_draft_that_is_tested_already_keeps_its_result() {
    let mut input = pushed(pr(1, "x"));
    input.pr.is_draft = true;
    let one = decided(input);
    assert_eq!((one.reason.word(), one.status.clone()), ("draft", None));
    assert!(matches!(one.tested, TestedAs::Commit(_)));
}

#[test]
fn a_branch_that_somebody_else_wrote_is_replaced() {
    let mut foreign = pr(1, "x");
    foreign.branch = Looked::Found(Some(OnGitLab { commit: sha("foreign"), subject: None }));
    let one = decided(foreign);
    let lease = format!("--force-with-lease=refs/heads/pr1_x:{}", sha("foreign"));
    assert_eq!((one.reason.word(), one.update.unwrap().lease()), ("new_head", Some(lease)));
    assert_eq!(word(on_gitlab(pr(1, "x"), "Fix a typo")), "new_head");
    let swapped = format!("Merge {} into {}", sha("y"), sha("x"));
    assert_eq!(word(on_gitlab(pr(1, "x"), &swapped)), "already_pushed", "either of the two names counts");
}

#[test]
fn no_pull_request_is_pushed_to_a_protected_name() {
    let input = PassInput { gitlab_protected: vec!["pr*_keep".into()], ..pass(vec![pr(1, "keep"), pr(2, "x")]) };
    let (output, _) = answer(&mut { input });
    assert_eq!(output.prs[0].reason, Reason::ProtectedName("pr*_keep".into()));
    assert_eq!(refspecs(&output), ["refs/heads/pr2_x:refs/heads/pr2_x"]);
}
