//! What GitHub is told.

use super::*;

/// The plan for pipelines of commits about which nothing is remembered.
fn plan(pipelines: Vec<PipelineSeen>) -> StatusPlan {
    PassInput { pipelines: Looked::Found(pipelines), ..pass(Vec::new()) }.decide().statuses
}

/// What the head of a pull request is told about a pipeline in this status.
fn told(status: Option<Status>) -> Option<(CommitState, String, Option<String>)> {
    let subject = format!("Merge {} into {}", sha("head"), sha("tested"));
    let commit = sha("merge");
    let seen = PipelineSeen {
        status,
        subject: Looked::Found(Some(subject.into())),
        ..pipeline(5, "pr1_x", &commit, Status::Created)
    };
    let plan = plan(vec![seen]);
    assert!(plan.post.iter().all(|one| one.sha == sha("head") && &*one.status.context == CONTEXT));
    let one = plan.post.into_iter().next()?.status;
    Some((one.state, one.description.to_string(), one.target_url.map(|url| url.to_string())))
}

fn tells(status: Status, state: CommitState, text: &str) {
    let url = "https://gitlab.spack.io/spack/spack-packages/-/pipelines/5";
    assert_eq!(told(Some(status)), Some((state, text.to_owned(), Some(url.to_owned()))), "{status}");
}

#[test]
fn case_T08_the_newest_pipeline_of_each_commit_counts() {
    let (a, b) = (sha("a"), sha("b"));
    let older = PipelineSeen { updated_at: Some(NOW.shifted(-HOUR)), ..pipeline(1, "pr1_x", &a, Status::Failed) };
    let list = [older, pipeline(2, "pr1_x", &a, Status::Success), pipeline(3, "pr1_x", &b, Status::Running)];
    let newest: Vec<(&Sha, u64)> = newest_per_sha(&list).into_iter().map(|seen| (&seen.sha, seen.id.0)).collect();
    assert_eq!(newest, [(&a, 2), (&b, 3)]);
}

#[test]
fn case_T09_a_pipeline_without_a_status_is_not_told() {
    assert_eq!(told(None), None);
    assert_eq!(told(Some(Status::parse("a_word_of_gitlab_21"))), None);
}

#[test]
fn case_T10_canceled_is_not_told() {
    assert_eq!((told(Some(Status::Canceled)), told(Some(Status::Canceling))), (None, None));
}

#[test]
fn case_T11_created() {
    tells(Status::Created, CommitState::Pending, "Pipeline has been created");
}

#[test]
fn case_T12_waiting_for_resource() {
    tells(Status::WaitingForResource, CommitState::Pending, "Pipeline is waiting for resources");
}

#[test]
fn case_T13_preparing() {
    tells(Status::Preparing, CommitState::Pending, "Pipeline is preparing");
}

#[test]
fn case_T14_pending() {
    tells(Status::Pending, CommitState::Pending, "Pipeline is pending");
}

#[test]
fn case_T15_running() {
    tells(Status::Running, CommitState::Pending, "Pipeline is running");
}

#[test]
fn case_T16_manual() {
    tells(Status::Manual, CommitState::Pending, "Pipeline is running manually");
}

#[test]
fn case_T17_scheduled() {
    tells(Status::Scheduled, CommitState::Pending, "Pipeline is scheduled");
}

#[test]
fn case_T18_failed() {
    tells(Status::Failed, CommitState::Error, "Pipeline failed");
}

#[test]
fn case_T19_skipped() {
    tells(Status::Skipped, CommitState::Failure, "Pipeline was skipped");
}

#[test]
fn case_T20_success() {
    tells(Status::Success, CommitState::Success, "Pipeline succeeded");
}

#[test]
fn case_T21_a_commit_without_a_title_is_told_itself() {
    let commit = sha("tested merge");
    let unread = pipeline(1, "pr1_x", &commit, Status::Failed);
    let look = plan(vec![unread.clone()]);
    let source = StatusSource::Pipeline(PipelineId(1));
    assert_eq!(
        (look.post.len(), &look.held),
        (0, &vec![StatusHeld { sha: commit.clone(), source, why: StatusHold::Look }])
    );
    let untitled = plan(vec![PipelineSeen { subject: Looked::Found(None), ..unread.clone() }]);
    let told: Vec<_> = untitled.post.iter().map(|one| (&one.sha, one.status.state)).collect();
    assert_eq!(told, [(&commit, CommitState::Error)]);
    let failed = plan(vec![PipelineSeen { subject: Looked::Failed(down()), ..unread.clone() }]);
    assert_eq!((failed.post.len(), failed.held[0].why.word()), (0, "unknown"));
    let hostile = plan(vec![PipelineSeen { subject: Looked::Found(Some("Merge HEAD into x".into())), ..unread }]);
    assert_eq!(hostile.post[0].sha, commit, "what is no commit is not written to");
}

#[test]
fn what_was_pushed_is_remembered_and_not_asked_for() {
    let mut pass = pass(vec![pr(1, "x")]);
    let (output, _) = answer(&mut pass);
    remember(&mut pass, &output);
    let commit = output.prs[0].update.as_ref().unwrap().commit.clone();
    // Closed since, so that it is not listed any more: its last result is not lost.
    pass.prs.clear();
    pass.pipelines = Looked::Found(vec![pipeline(5, "pr1_x", &commit, Status::Success)]);
    let plan = pass.decide().statuses;
    assert_eq!((plan.held.len(), &plan.post[0].sha), (0, &sha("x")));
}

#[test]
fn protected_branches_are_told_themselves_and_others_not_at_all() {
    let mut input = pass(Vec::new());
    input.branches = vec![BranchInput {
        name: "develop".into(),
        head: sha("develop"),
        on_gitlab: Looked::Found(Some(sha("develop"))),
        is_ahead: Looked::NotYet,
        trouble: None,
    }];
    let of = |id, name| pipeline(id, name, &sha(name), Status::Running);
    input.pipelines = Looked::Found(vec![of(1, "develop"), of(2, "v1.0"), of(3, "someones-branch"), of(4, "prod_1")]);
    let plan = input.decide().statuses;
    assert_eq!(plan.post.iter().map(|one| &one.sha).collect::<Vec<_>>(), [&sha("develop")]);
    assert_eq!(plan.held, []);
}

#[test]
fn every_commit_is_told_and_not_only_the_newest() {
    let subject = |head: &str| Looked::Found(Some(Arc::from(format!("Merge {} into {}", sha(head), sha("tested")))));
    let seen = |id, head: &str| PipelineSeen {
        subject: subject(head),
        ..pipeline(id, "pr1_x", &sha(&format!("merge of {head}")), Status::Failed)
    };
    let plan = plan(vec![seen(2, "second"), seen(1, "first")]);
    assert_eq!(plan.post.iter().map(|one| &one.sha).collect::<Vec<_>>(), [&sha("second"), &sha("first")]);
}

#[test]
fn of_two_merges_of_one_head_the_newer_pipeline_counts() {
    let subject = |onto: &str| Looked::Found(Some(Arc::from(format!("Merge {} into {}", sha("head"), sha(onto)))));
    let old = PipelineSeen {
        subject: subject("old main"),
        updated_at: Some(NOW),
        ..pipeline(1, "pr1_x", &sha("old merge"), Status::Failed)
    };
    let new = PipelineSeen { subject: subject("new main"), ..pipeline(2, "pr1_x", &sha("new merge"), Status::Running) };
    for list in [vec![old.clone(), new.clone()], vec![new, old]] {
        let plan = plan(list);
        assert_eq!(plan.post.iter().map(|one| &*one.status.description).collect::<Vec<_>>(), ["Pipeline is running"]);
    }
}

#[test]
fn case_E14_of_two_at_the_same_time_the_first_listed_counts_in_every_pass() {
    let commit = sha("a");
    let list = vec![pipeline(7, "pr1_x", &commit, Status::Success), pipeline(9, "pr1_x", &commit, Status::Failed)];
    for _ in 0..3 {
        assert_eq!(newest_per_sha(&list).iter().map(|seen| seen.id.0).collect::<Vec<_>>(), [7]);
    }
}

/// A pass in which one head waits for a check, and what it would be told.
fn waiting(check: &str) -> (PassInput, CommitStatus) {
    let input = PassInput { rules: Rules { prerequisites: vec![check.into()], ..rules() }, ..pass(vec![pr(1, "x")]) };
    let status = input.decide().statuses.post[0].status.clone();
    (input, status)
}

#[test]
fn case_E15_what_github_has_is_not_told_again() {
    let (mut input, status) = waiting("style");
    input.posted = vec![posted(&sha("x"), status.clone())];
    let plan = input.decide().statuses;
    assert_eq!((plan.post.len(), plan.unchanged), (0, 1));
    let other = |change: fn(&mut CommitStatus)| {
        let mut before = status.clone();
        change(&mut before);
        PassInput { posted: vec![posted(&sha("x"), before)], ..input.clone() }.decide().statuses.post.len()
    };
    assert_eq!(other(|status| status.state = CommitState::Error), 1);
    assert_eq!(other(|status| status.description = "another".into()), 1);
    assert_eq!(other(|status| status.target_url = Some("https://gitlab.spack.io".into())), 1);
}

#[test]
fn case_E16_no_url_and_the_empty_url_are_the_same() {
    let (mut input, status) = waiting("style");
    let stored = serde_json::json!({"context": "ci/GitLab-CI", "state": "pending", "description": status.description, "target_url": ""});
    let stored: CommitStatus = serde_json::from_value(stored).unwrap();
    input.posted = vec![Posted { context: "ci/GitLab-CI".into(), ..posted(&sha("x"), stored) }];
    let plan = input.decide().statuses;
    assert_eq!((plan.post.len(), plan.unchanged), (0, 1));
}

#[test]
fn case_E17_a_commit_that_is_full_is_not_tried_again() {
    let (mut input, _) = waiting("style");
    input.prs.push(pr(2, "y"));
    input.posted =
        vec![Posted { sha: sha("x"), context: CONTEXT.into(), status: None, refused: Some(PostRefusal::Full) }];
    for _ in 0..2 {
        let plan = input.decide().statuses;
        assert_eq!(
            plan.held,
            [StatusHeld { sha: sha("x"), source: StatusSource::Decision(PrNumber(1)), why: StatusHold::Full }]
        );
        assert_eq!(plan.post.iter().map(|one| &one.sha).collect::<Vec<_>>(), [&sha("y")]);
        input.now = input.now.shifted(HOUR);
    }
}

#[test]
fn a_status_that_github_refused_waits_and_holds_up_no_other() {
    let (mut input, _) = waiting("style");
    input.prs.push(pr(2, "y"));
    let trouble = Trouble::again(None, &sha("x"), "422 No commit found for SHA", NOW);
    let refused = Some(PostRefusal::Failed(trouble.clone()));
    input.posted = vec![Posted { sha: sha("x"), context: CONTEXT.into(), status: None, refused }];
    let plan = input.decide().statuses;
    assert_eq!(plan.post.iter().map(|one| &one.sha).collect::<Vec<_>>(), [&sha("y")]);
    assert_eq!(plan.held[0].why.word(), "back_off");
    input.now = trouble.until();
    assert_eq!(input.decide().statuses.post.len(), 2);
}

#[test]
fn case_E18_a_long_name_of_a_check_is_cut() {
    let (_, status) = waiting(&"prüfung-".repeat(40));
    assert_eq!(status.description.chars().count(), 140);
    assert!(status.description.ends_with('…') && status.description.starts_with("waiting for prüfung-"));
}

#[test]
fn case_E37_the_watermark_is_of_gitlabs_clock_and_never_skips_anything() {
    let at = |millis| PipelineSeen {
        updated_at: Some(NOW.shifted(millis)),
        ..pipeline(1, "pr1_x", &sha("a"), Status::Success)
    };
    let mark = |before, list: &[PipelineSeen], is_whole| Watermark::after(before, list, is_whole);
    // GitLab is five minutes behind us: what it tells as new is before our now.
    let first = mark(None, &[at(-7 * MINUTE), at(-5 * MINUTE)], true).unwrap();
    assert_eq!(first, Watermark(NOW.shifted(-5 * MINUTE)));
    assert!(first.since() < NOW.shifted(-5 * MINUTE), "two updates in one second are both read");
    assert_eq!(mark(Some(first), &[at(-6 * MINUTE)], true), Some(first), "it never moves back");
    assert_eq!(mark(Some(first), &[at(0)], false), Some(first), "a list that was cut off moves nothing");
    assert_eq!(mark(Some(first), &[], true), Some(first));
}

#[test]
fn the_watermark_stops_before_what_github_was_not_told() {
    let seen = |id, minutes: i64| PipelineSeen {
        updated_at: Some(NOW.shifted(-minutes * MINUTE)),
        // Another bridge pushed it: which head it tests stands only in its subject.
        ..pipeline(id, "pr1_x", &sha(&format!("merge {id}")), Status::Success)
    };
    let mark = |minutes: i64| Some(Watermark(NOW.shifted(-minutes * MINUTE)));
    let (list, old) = ([seen(1, 9), seen(2, 7), seen(3, 5)], mark(30));
    let held = |id, why| StatusHeld { sha: sha("x"), source: StatusSource::Pipeline(PipelineId(id)), why };
    let back_off = || StatusHold::BackOff { until: NOW, why: "no".into() };
    let unposted = |id| [StatusSource::Pipeline(PipelineId(id))];
    assert_eq!(Watermark::past(old, &list, &[], &[], true), mark(5));
    assert_eq!(Watermark::past(old, &list, &[], &unposted(2), true), mark(7));
    assert_eq!(Watermark::past(old, &list, &[held(1, back_off())], &unposted(2), true), mark(9));
    assert_eq!(Watermark::past(old, &list, &[held(1, StatusHold::Full)], &[], true), mark(5), "it is never taken");
    assert_eq!(Watermark::past(old, &list, &[], &[StatusSource::Decision(PrNumber(1))], true), mark(5));
    assert_eq!(Watermark::past(mark(6), &list, &[], &unposted(1), true), mark(6), "it never moves back");
    assert_eq!(Watermark::past(old, &list, &[], &[], false), old, "nor when the list was cut off");
    let timeless = [PipelineSeen { updated_at: None, ..seen(4, 0) }, seen(5, 1)];
    assert_eq!(Watermark::past(old, &timeless, &[], &unposted(4), true), old, "there is no place to stop at");
}

#[test]
fn two_pull_requests_with_one_head_do_not_overwrite_each_other() {
    let draft = |number| {
        let mut input = pr(number, "x");
        input.pr.is_draft = true;
        input
    };
    let mut input = pass(vec![conflicted(), draft(2)]);
    let post = input.decide().statuses.post;
    assert_eq!(post.iter().map(|one| one.source).collect::<Vec<_>>(), [StatusSource::Decision(PrNumber(1))]);
    // One of them is tested: its result stands, also while nothing new is heard of it.
    input.prs = vec![pushed(pr(1, "x")), draft(2)];
    assert_eq!(input.decide().statuses.post, []);
}

#[test]
fn ends_come_first() {
    let mut input = pass(vec![conflicted()]);
    let of = |id: u64, status| PipelineSeen {
        subject: Looked::Found(None),
        ..pipeline(id, &format!("pr{id}_x"), &sha(&id.to_string()), status)
    };
    input.pipelines = Looked::Found(vec![of(2, Status::Running), of(3, Status::Success), of(4, Status::Created)]);
    let post = input.decide().statuses.post;
    let order: Vec<_> = post.iter().map(|one| &*one.status.description).collect();
    let expected = [
        "Pipeline succeeded",
        "merge conflicts with target branch",
        "Pipeline is running",
        "Pipeline has been created",
    ];
    assert_eq!(order, expected);
    input.rules.post_statuses = false;
    assert_eq!(input.decide().statuses, StatusPlan::default());
}

fn conflicted() -> PrInput {
    let mut input = pr(1, "x");
    input.pr.base_ref = "releases/v1.0".into();
    input.pr.mergeable = Mergeable::Conflicting;
    input
}
