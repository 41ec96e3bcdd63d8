use super::*;

/// The board after a pass in which everything was pushed and told.
fn after(before: Option<&Board>, pass: &mut PassInput) -> Board {
    let (output, _) = answer(pass);
    remember(pass, &output);
    let posted: Vec<&Posted> = pass.posted.iter().collect();
    Board::after(before, pass, &output, (&pass.pushes, &posted), true)
}

#[test]
fn a_pull_request_goes_through_its_steps() {
    let mut input = pass(vec![pr(1, "hdf5")]);
    let synced = after(None, &mut input);
    let row = &synced.rows[0];
    assert_eq!((&*row.title, row.branch.as_deref(), row.verdict), ("about hdf5", Some("pr1_hdf5"), Verdict::Push));
    assert_eq!((row.step(), row.shown), ((Step::Pipeline, NOW), None));
    let commit = row.pushed.as_ref().unwrap().commit.clone();

    input.now = NOW.shifted(MINUTE);
    input.pipelines = Looked::Found(vec![
        pipeline(8, "pr1_hdf5", &commit, Status::Canceled),
        pipeline(9, "pr1_hdf5", &commit, Status::Running),
        pipeline(10, "pr1_hdf5", &sha("older merge"), Status::Failed),
    ]);
    let running = after(Some(&synced), &mut input);
    let row = &running.rows[0];
    assert_eq!((row.verdict, row.step().0), (Verdict::Pushed, Step::Pipeline));
    assert_eq!(row.pipeline.as_ref().map(|one| (one.id.0, one.status)), Some((9, Some(Status::Running))));

    // Only what changed since is listed: the pipeline is remembered.
    input.now = NOW.shifted(2 * MINUTE);
    input.pipelines = Looked::Found(Vec::new());
    let quiet = after(Some(&running), &mut input);
    assert_eq!((&quiet.rows[0].pipeline, quiet.rows[0].since), (&row.pipeline, row.since));

    // It ended, and GitHub refused to hear of it.
    input.now = NOW.shifted(HOUR);
    input.pipelines = Looked::Found(vec![pipeline(9, "pr1_hdf5", &commit, Status::Failed)]);
    let (output, _) = answer(&mut input);
    let posted: Vec<&Posted> = input.posted.iter().collect();
    let ended = Board::after(Some(&quiet), &input, &output, (&input.pushes, &posted), true);
    assert_eq!((ended.rows[0].step().0, ended.rows[0].is_untold), (Step::Status, true));
    let told = after(Some(&ended), &mut input);
    assert_eq!((told.rows[0].step().0, told.rows[0].shown), (Step::Done, Some(CommitState::Error)));
    assert_eq!(told.rows[0].stuck(input.now), None);

    // Another head has nothing of it.
    input.prs = vec![pr(1, "hdf5-again")];
    let again = after(Some(&told), &mut input);
    assert_eq!((&again.rows[0].pipeline, again.rows[0].since), (&None, input.now));
}

#[test]
fn what_waits_longest_for_its_kind_is_stuck_most() {
    let mut conflict = pr(2, "conflict");
    let (head, onto) = (conflict.pr.head.clone(), sha("tested"));
    conflict.merge = Looked::Found(Merge { head, onto, commit: None });
    let mut waits = pr(3, "llvm");
    waits.pr.is_draft = true;
    let mut input = pass(vec![pr(1, "hdf5"), conflict, waits]);
    let board = after(None, &mut input);
    let later = NOW.shifted(30 * MINUTE);
    let stuck: Vec<_> = board.rows.iter().map(|row| row.stuck(later)).collect();
    assert_eq!(stuck[0], Some(166), "half an hour of three for a pipeline");
    assert_eq!(stuck[1], None, "it goes no further until somebody changes it");
    assert_eq!((stuck[2], board.rows[2].step().0), (None, Step::Idle), "nobody waits for a draft");
    let text = serde_json::to_string(&board).unwrap();
    assert_eq!(serde_json::from_str::<Board>(&text).unwrap(), board);
}

#[test]
fn a_title_of_any_length_is_cut() {
    let mut input = pr(1, "hdf5");
    input.pr.title = "é".repeat(100_000).into();
    assert_eq!(after(None, &mut pass(vec![input])).rows[0].title.chars().count(), 120);
}
