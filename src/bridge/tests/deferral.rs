//! Pull requests into main: they wait until GitLab has tested what they branched off.

use super::*;

fn with_ancestry(merge_base: Option<Sha>, base_is_tested: bool) -> PrInput {
    let mut input = pr(1, "x");
    let (asked, fetched, onto) = (sha("x"), sha("x"), sha("tested"));
    input.ancestry = Looked::Found(Ancestry { asked, fetched, onto, merge_base, base_is_tested });
    input
}

fn too_new() -> PrInput {
    with_ancestry(Some(sha("newer than tested")), false)
}

fn conflicting(mut input: PrInput) -> PrInput {
    input.merge = Looked::Found(Merge { head: input.pr.head.clone(), onto: sha("tested"), commit: None });
    input
}

#[test]
fn a_base_that_is_newer_than_what_was_tested_waits_and_says_where_to_read_about_it() {
    let one = decided(too_new());
    let text = "This branch's merge-base with develop is newer than the latest commit tested by GitLab";
    let url = "https://github.com/spack/spack-infrastructure/blob/main/docs/deferred_pipelines.md";
    assert_eq!((one.reason.word(), one.verdict()), ("base_too_new", Verdict::Wait));
    assert_eq!(one.status, Some(status(CommitState::Pending, text, Some(url))));
}

#[test]
fn case_E09_a_conflict_is_told_once_and_concerns_nobody_else() {
    let mut pass = pass(vec![conflicting(pr(1, "x")), pr(2, "y")]);
    let (output, asked) = answer(&mut pass);
    assert_eq!(output.prs[0].reason, Reason::Conflict { with: "develop".into() });
    let expected = status(CommitState::Error, "PR could not be merged with develop", None);
    assert_eq!(output.prs[0].status, Some(expected));
    assert_eq!(output.prs[1].verdict(), Verdict::Push);
    let merges = asked.iter().filter(|(number, want)| *number == PrNumber(1) && matches!(want, Want::Merge { .. }));
    assert_eq!(merges.count(), 0, "a conflict is an answer and is not asked for again");
    remember(&mut pass, &output);
    assert_eq!(answer(&mut pass).0.statuses.post, []);
}

#[test]
fn case_E10_histories_without_a_common_commit_have_their_own_text() {
    let one = decided(with_ancestry(None, false));
    let expected = status(CommitState::Error, "PR has no history in common with develop", None);
    assert_eq!((one.reason.word(), one.status), ("unrelated", Some(expected)));
}

#[test]
fn case_E11_an_urgent_one_does_not_wait() {
    let urgent = labelled(too_new(), "pipelines:urgent");
    let one = decided(urgent);
    assert_eq!(one.update.map(|update| update.commit), Some(sha("test merge of x")));
}

#[test]
fn case_E13_into_another_branch_nothing_waits_for_main() {
    let mut input = pr(1, "x");
    input.pr.base_ref = "releases/v1.0".into();
    assert_eq!(decided(input).update.map(|update| update.commit), Some(sha("test merge of x")));
    let mut pass = PassInput { rules: Rules { main: None, ..rules() }, ..pass(vec![pr(1, "x")]) };
    let (output, asked) = answer(&mut pass);
    assert_eq!(asked, [(PrNumber(1), Want::TestMerge { commit: sha("test merge of x") })]);
    assert_eq!(output.prs[0].verdict(), Verdict::Push);
}

#[test]
fn case_E27_a_head_that_is_there_is_not_merged_again_when_main_moves_on() {
    let mut pass = pass(vec![pr(1, "x")]);
    let (output, _) = answer(&mut pass);
    remember(&mut pass, &output);
    pass.main = Looked::Found(vec![pipeline(2, "develop", &sha("newer main"), Status::Failed)]);
    let (output, asked) = answer(&mut pass);
    assert_eq!((output.prs[0].reason.word(), output.pushes.len(), asked.len()), ("already_pushed", 0, 0));

    pass.rules.refresh = true;
    let (output, _) = answer(&mut pass);
    assert_eq!(output.prs[0].reason, Reason::Refresh { onto: sha("newer main") });
    assert_eq!(output.prs[0].update.as_ref().unwrap().commit, merge_of(&sha("x"), &sha("newer main")));
    pass.main = Looked::Found(vec![pipeline(1, "develop", &sha("tested"), Status::Success)]);
    assert_eq!(pass.decide().prs[0].reason, Reason::AlreadyPushed);
}

#[test]
fn case_E30_a_label_is_heeded_at_once() {
    let mut pass = pass(vec![too_new()]);
    assert_eq!(answer(&mut pass).0.prs[0].reason.word(), "base_too_new");
    pass.prs[0].pr.labels.listed.push("pipelines:urgent".into());
    assert_eq!(answer(&mut pass).0.prs[0].verdict(), Verdict::Push);
    pass.prs[0].pr.labels = Items { listed: Vec::new(), is_whole: false };
    assert_eq!(answer(&mut pass).0.prs[0].reason, Reason::LabelsUnknown);
}

#[test]
fn case_E39_one_that_is_to_be_merged_elsewhere_is_decided_anew() {
    let mut pass = pass(vec![pr(1, "x")]);
    let (output, _) = answer(&mut pass);
    remember(&mut pass, &output);
    let old = output.prs[0].update.as_ref().unwrap().commit.clone();
    pass.prs[0].pr.base_ref = "releases/x".into();
    // The old merge says nothing about the new base, whatever became of it.
    pass.pipelines = Looked::Found(vec![pipeline(5, "pr1_x", &old, Status::Success)]);
    let (output, _) = answer(&mut pass);
    assert_eq!(output.prs[0].reason, Reason::Retargeted { from: "develop".into(), to: "releases/x".into() });
    assert_eq!(output.prs[0].update.as_ref().unwrap().commit, sha("test merge of x"));
    assert_eq!(output.statuses.post, []);
}

#[test]
fn what_was_tested_is_the_newest_that_has_ended() {
    let seen = |id, word: &str, status| pipeline(id, "develop", &sha(word), status);
    let list = vec![
        seen(6, "f", Status::Pending),
        seen(5, "e", Status::Running),
        seen(4, "d", Status::Canceled),
        seen(3, "c", Status::Failed),
        seen(2, "b", Status::Success),
        seen(1, "a", Status::Running),
    ];
    let known = |tested: Option<&str>, running: Option<&str>| Main::Known {
        tested: tested.map(sha),
        running: running.map(sha),
    };
    assert_eq!(Main::of(&Looked::Found(list.clone())), known(Some("c"), Some("e")));
    assert_eq!(Main::of(&Looked::Found(list.into_iter().rev().collect())), known(Some("c"), Some("e")));
    assert_eq!(Main::of(&Looked::Found(Vec::new())), known(None, None));
    let again =
        vec![seen(1, "a", Status::Success), PipelineSeen { updated_at: Some(NOW), ..seen(2, "a", Status::Running) }];
    assert_eq!(Main::of(&Looked::Found(again)), known(None, Some("a")), "it is being tested again");
}

#[test]
fn while_nothing_was_tested_all_wait_and_while_that_is_unknown_nothing_is_said() {
    let mut pass = pass(vec![pr(1, "x")]);
    pass.main = Looked::Found(Vec::new());
    let one = answer(&mut pass).0.prs.remove(0);
    assert_eq!((one.reason.word(), one.status.is_some()), ("nothing_tested", true));
    pass.main = Looked::Failed(down());
    let one = answer(&mut pass).0.prs.remove(0);
    assert_eq!((one.reason.word(), one.status), ("main_unknown", None));
}

#[test]
fn facts_about_an_older_commit_of_main_or_an_older_head_are_not_used() {
    for (asked, onto) in [(sha("x"), sha("tested before")), (sha("x before"), sha("tested"))] {
        let mut input = pr(1, "x");
        let merge_base = Some(sha("base"));
        input.ancestry =
            Looked::Found(Ancestry { fetched: asked.clone(), asked, onto, merge_base, base_is_tested: true });
        assert!(matches!(pass(vec![input]).decide().prs[0].reason, Reason::Look(Want::Ancestry { .. })));
    }
    let mut input = with_ancestry(Some(sha("base")), true);
    input.merge = Looked::Found(Merge { head: sha("y"), onto: sha("tested"), commit: Some(sha("merge of y")) });
    assert!(matches!(pass(vec![input]).decide().prs[0].reason, Reason::Look(Want::Merge { .. })));
}

#[test]
fn who_is_asked_for_goes_again_whatever_held_it_up() {
    let older = format!("Merge {} into {}", sha("x"), sha("older"));
    let asked = |input: PrInput| PrInput { asked: true, ..input };
    let reason = |input: PrInput| answer(&mut pass(vec![input])).0.prs.remove(0).reason;
    // Main has moved on since: it is merged again.
    let moved = asked(on_gitlab(pr(1, "x"), &older));
    assert_eq!(reason(moved), Reason::Refresh { onto: sha("tested") });
    // Nothing would be new: GitLab has that very merge.
    assert_eq!(reason(asked(pushed(pr(1, "x")))), Reason::AlreadyPushed);
    // It failed before, or nobody has touched it for long.
    let mut held = pr(1, "x");
    held.trouble = Some(Trouble::again(None, &held.pr.head, "rejected", NOW));
    assert_eq!((reason(held.clone()).word(), reason(asked(held)).word()), ("back_off", "first_push"));
    let mut old = pr(1, "x");
    old.pr.updated_at = NOW.shifted(-30 * 24 * HOUR);
    assert_eq!((reason(old.clone()).word(), reason(asked(old)).word()), ("stale", "first_push"));
    // What speaks against it still does.
    let mut draft = pr(1, "x");
    draft.pr.is_draft = true;
    assert_eq!(reason(asked(draft)).word(), "draft");
}

#[test]
fn a_wish_is_done_when_nothing_more_can_come_of_it() {
    let wish = |head: &str| Resync { pr: PrNumber(1), head: sha(head), who: "amy".into(), at: NOW };
    let decide = |input: PrInput| answer(&mut pass(vec![input])).0.prs.remove(0);
    let pushes = decide(pr(1, "x"));
    let name = vec![pushes.update.as_ref().unwrap().name.as_str().to_owned()];
    assert!(wish("x").is_done(Some(&pushes), &name));
    assert!(
        !wish("x").is_done(Some(&pushes), &[]),
        "it was stopped before its turn, or nobody knows whether it arrived"
    );
    let mut waits = pr(1, "x");
    waits.pr.checks = Items::whole([]);
    let rules = Rules { prerequisites: vec!["style".into()], ..rules() };
    let waits = answer(&mut PassInput { rules, ..pass(vec![waits]) }).0.prs.remove(0);
    assert!(!wish("x").is_done(Some(&waits), &[]));
    assert!(wish("older").is_done(Some(&waits), &[]), "another head is another wish");
    assert!(wish("x").is_done(None, &[]), "it is not open any more");
}
