//! Protected branches, tags, and what goes together in one push.

use super::*;

fn protected(name: &str, on_gitlab: Option<&str>) -> BranchInput {
    BranchInput {
        name: name.into(),
        head: sha(name),
        on_gitlab: Looked::Found(on_gitlab.map(sha)),
        is_ahead: Looked::Found(true),
        trouble: None,
    }
}

fn tag(name: &str, on_gitlab: Option<&str>) -> TagInput {
    TagInput { name: name.into(), target: sha(name), on_gitlab: Looked::Found(on_gitlab.map(sha)), trouble: None }
}

fn branches(list: Vec<BranchInput>) -> PassInput {
    PassInput { branches: list, ..pass(Vec::new()) }
}

fn tags(list: Vec<TagInput>) -> PassInput {
    PassInput { tags: list, ..pass(Vec::new()) }
}

#[test]
fn case_T03_main_is_left_alone_while_its_pipeline_runs() {
    let aaaaaaaa = sha("aaaaaaaa");
    let list = ["release", "main", "develop", "alpha"].map(|name| protected(name, Some("older")));
    let mut pass = branches(list.to_vec());
    pass.main = Looked::Found(vec![pipeline(3, "develop", &aaaaaaaa, Status::Running)]);
    let output = pass.decide();
    let (going, others): (Vec<_>, Vec<_>) = output.branches.iter().partition(|one| one.verdict() == Verdict::Push);
    assert_eq!(going.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["alpha", "main", "release"]);
    let said: Vec<String> = others.iter().map(|one| format!("{}: {}", one.name, one.reason)).collect();
    assert_eq!(said, [format!("develop: skipped while its pipeline runs at {aaaaaaaa}")]);
    pass.main = Looked::Found(vec![pipeline(3, "develop", &aaaaaaaa, Status::Pending)]);
    assert_eq!(pass.decide().branches[1].verdict(), Verdict::Push, "what waits is not interrupted");
    pass.main = Looked::Failed(down());
    assert_eq!(pass.decide().branches[1].reason.word(), "main_unknown");
}

#[test]
fn case_T04_each_pull_request_is_one_refspec_in_order() {
    let (output, _) = answer(&mut pass(vec![pr(2, "that"), pr(1, "this")]));
    let expected = ["refs/heads/pr1_this:refs/heads/pr1_this", "refs/heads/pr2_that:refs/heads/pr2_that"];
    assert_eq!(refspecs(&output), expected);
}

#[test]
fn case_T05_protected_branches_come_after_pull_requests() {
    let list = vec![protected("master", None), protected("develop", Some("older"))];
    let mut pass = PassInput { branches: list, ..pass(vec![pr(1, "this"), pr(2, "that")]) };
    let (output, _) = answer(&mut pass);
    let expected =
        ["pr1_this", "pr2_that", "develop", "master"].map(|name| format!("refs/heads/{name}:refs/heads/{name}"));
    assert_eq!(refspecs(&output), expected);
    assert_eq!(fetch_branch(&branch("develop")), "+refs/heads/develop:refs/remotes/develop");
    assert_eq!(fetch_branch(&branch("master")), "+refs/heads/master:refs/remotes/master");
    assert_eq!(fetch_tag(&branch("v1.0")), "+refs/tags/v1.0:refs/tags/v1.0");
}

#[test]
fn case_E31_a_branch_that_is_no_longer_protected_is_simply_absent() {
    let mut pass = branches(vec![protected("main", None)]);
    pass.main = Looked::Found(vec![pipeline(3, "develop", &sha("develop"), Status::Running)]);
    let output = pass.decide();
    assert_eq!(output.branches.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["main"]);
}

#[test]
fn a_rewritten_branch_is_not_overwritten_unless_the_rules_say_so() {
    let rewritten = || BranchInput { is_ahead: Looked::Found(false), ..protected("release", Some("other")) };
    let mut pass = branches(vec![rewritten()]);
    let one = &pass.decide().branches[0];
    assert_eq!((one.verdict(), one.reason.word()), (Verdict::Refuse, "diverged"));
    pass.rules.force_protected = true;
    let output = pass.decide();
    let lease = format!("--force-with-lease=refs/heads/release:{}", sha("other"));
    assert_eq!(output.branches[0].update.as_ref().unwrap().lease(), Some(lease));
    let ahead = branches(vec![protected("release", Some("older"))]).decide();
    assert_eq!(ahead.pushes[0].arguments(), (vec![], vec!["refs/heads/release:refs/heads/release".to_owned()]));
}

#[test]
fn a_branch_is_compared_only_when_it_differs() {
    let untold = |on_gitlab| BranchInput { is_ahead: Looked::NotYet, ..protected("release", on_gitlab) };
    let reason = |input| branches(vec![input]).decide().branches[0].reason.clone();
    assert_eq!(reason(untold(Some("release"))), RefReason::Unchanged);
    assert_eq!(reason(untold(None)), RefReason::New);
    let (old, new) = (sha("older"), sha("release"));
    assert_eq!(reason(untold(Some("older"))), RefReason::Look(Want::FastForward { old, new }));
    let unknown = BranchInput { on_gitlab: Looked::Failed(down()), ..protected("release", None) };
    assert_eq!(reason(unknown).word(), "gitlab_unknown");
    let failed = BranchInput { is_ahead: Looked::Failed(down()), ..protected("release", Some("older")) };
    assert_eq!(reason(failed).word(), "git_failed");
}

#[test]
fn case_E32_a_tag_that_moved_is_told_and_not_forced() {
    let mut pass = tags(vec![tag("v1.0", Some("older")), tag("v1.1", None)]);
    let output = pass.decide();
    assert_eq!(output.tags[0].reason, RefReason::TagMoved { github: sha("v1.0"), gitlab: sha("older") });
    assert_eq!(refspecs(&output), ["refs/tags/v1.1:refs/tags/v1.1"]);
    pass.rules.force_tags = true;
    let lease = format!("--force-with-lease=refs/tags/v1.0:{}", sha("older"));
    assert_eq!(pass.decide().tags[0].update.as_ref().unwrap().lease(), Some(lease));
}

#[test]
fn case_E33_tags_that_did_not_change_cost_nothing() {
    let list: Vec<TagInput> = (0..6_000).map(|n| format!("develop-{n}")).map(|name| tag(&name, Some(&name))).collect();
    let output = tags(list).decide();
    assert_eq!((output.tags.len(), output.tags_unchanged, output.pushes.len()), (0, 6_000, 0));
    let unknown = TagInput { on_gitlab: Looked::NotYet, ..tag("v1", None) };
    assert_eq!(tags(vec![unknown]).decide().tags[0].reason.word(), "gitlab_unknown");
    let bad = TagInput { name: "v1..0".into(), ..tag("v1", None) };
    assert_eq!(tags(vec![bad]).decide().tags[0].reason.word(), "bad_name");
}

#[test]
fn case_E24_a_ref_that_was_rejected_is_left_alone_and_holds_up_nobody() {
    let mut pass = pass(vec![pr(1, "x"), pr(2, "y")]);
    pass.branches = vec![protected("release", None)];
    pass.tags = vec![tag("v1", None)];
    let hook = "pre-receive hook declined";
    pass.prs[0].trouble = Some(Trouble::again(None, &sha("x"), hook, NOW.shifted(-10_000)));
    pass.branches[0].trouble = Some(Trouble::again(None, &sha("release"), hook, NOW.shifted(-10_000)));
    pass.tags[0].trouble = Some(Trouble::again(None, &sha("v1"), hook, NOW.shifted(-10_000)));
    let (output, asked) = answer(&mut pass);
    assert_eq!(refspecs(&output), ["refs/heads/pr2_y:refs/heads/pr2_y"]);
    assert!(asked.iter().all(|(number, _)| *number == PrNumber(2)), "nothing is merged in vain");
    let until = NOW.shifted(50_000);
    assert_eq!(output.prs[0].reason, Reason::BackOff { until, tries: 1, why: hook.into() });
    assert_eq!((output.branches[0].reason.word(), output.tags[0].reason.word()), ("back_off", "back_off"));
    assert!(output.prs[0].reason.to_string().contains("failed 1 times and is left alone until 2026-"));

    pass.now = until;
    assert_eq!(answer(&mut pass).0.pushes[0].refs.len(), 4);
    pass.now = NOW;
    pass.prs[0].pr.head = sha("another head");
    assert_eq!(answer(&mut pass).0.prs[0].verdict(), Verdict::Push, "a new head starts afresh");
}

#[test]
fn case_E40_no_push_brings_more_than_four_refs() {
    let mut input = pass((1..=9).map(|n| pr(n, &format!("b{n}"))).collect());
    let (output, _) = answer(&mut input);
    assert_eq!(output.pushes.iter().map(|batch| batch.refs.len()).collect::<Vec<_>>(), [4, 4, 1]);
    let mut all = refspecs(&output);
    assert_eq!(all.len(), 9);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9, "each head is pushed once");
    remember(&mut input, &output);
    assert_eq!(answer(&mut input).0.pushes, []);
    // Tags and branches start pipelines as well.
    input.tags = (0..3).map(|n| tag(&format!("v{n}"), None)).collect();
    input.branches = (0..3).map(|n| protected(&format!("release-{n}"), None)).collect();
    assert_eq!(input.decide().pushes.iter().map(|batch| batch.refs.len()).collect::<Vec<_>>(), [4, 2]);
}

#[test]
fn a_push_that_git_refused_as_a_whole_goes_ref_by_ref() {
    let (output, _) = answer(&mut pass(vec![pr(1, "x"), pr(2, "y")]));
    let single = output.pushes[0].clone().split();
    let leases: Vec<_> = single.iter().map(PushBatch::arguments).collect();
    let expected = ["pr1_x", "pr2_y"].map(|name| {
        (vec![format!("--force-with-lease=refs/heads/{name}:")], vec![format!("refs/heads/{name}:refs/heads/{name}")])
    });
    assert_eq!(leases, expected);
    let same = output.pushes[0].refs.clone();
    assert_eq!(PushBatch::plan([same.clone(), same].concat(), 0).len(), 2, "none twice, and at least one each");
}
