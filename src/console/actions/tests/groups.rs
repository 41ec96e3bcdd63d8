//! Groups of failures of one cause: trials, what a new try cannot help, and what is retried without being asked.

use super::*;

/// A verdict over a job of the rig.
fn judged(rig: &mut Rig, id: u64, class: &str, transient: Transient) {
    let (job, home) = (rig.world.job(JobId(id)).unwrap(), rig.world.home(JobId(id)).unwrap());
    let failure = Failure { class: class.into(), transient, ..Failure::of(job, &home.pipeline, at(rig.clock)) };
    rig.event(Event::Judged(Arc::new(failure)));
}

/// How new tries of a class ended in the last days.
fn retries_of(class: &str, succeeded: u64, failed: u64) -> Event {
    let trend = trend(&[], at(0), Zone::hours(0), &[]);
    let retries = BTreeMap::from([(Arc::from(class), Retries { succeeded, failed })]);
    let history = History {
        retries,
        first_seen: BTreeMap::new(),
        trend,
        success: Vec::new(),
        acks: Vec::new(),
        covered: Vec::new(),
        successes: Vec::new(),
    };
    Event::HistoryKnown(Arc::new(history))
}

fn group(rig: &Rig, ids: std::ops::RangeInclusive<u64>) -> Arc<Plan> {
    Arc::new(Plan::retry_group(&rig.world, ids.map(JobId), at(rig.clock)))
}

/// Twenty-four failures of one class, confirmed as a group, and the trial sent.
fn on_trial() -> (Rig, Arc<Plan>) {
    let mut rig = Rig::new(&[Status::Failed; 24], Rules::default());
    (1..=24).for_each(|id| judged(&mut rig, id, "spot_reclamation", Transient::Yes));
    let plan = group(&rig, 1..=24);
    assert_eq!((plan.targets.len(), plan.trial), (24, Some(Trial { first: 10 })));
    rig.confirm(&plan);
    rig.wait(5);
    rig.refresh();
    rig.wait(3_600);
    assert_eq!(rig.server.sent.len(), 10, "nothing follows before the trial is over");
    (rig, plan)
}

/// The new tries of the trial end: so many of them fail again.
fn end_trial(rig: &mut Rig, failing: usize) {
    let made: Vec<JobId> = rig.server.jobs.keys().copied().filter(|id| id.0 > 1_000).collect();
    for (nth, id) in made.into_iter().enumerate() {
        rig.server.jobs.get_mut(&id).unwrap().1 = if nth < failing { Status::Failed } else { Status::Success };
    }
    rig.refresh();
    rig.wait(1);
}

#[test]
fn a_trial_that_goes_well_lets_the_rest_follow() {
    let (mut rig, _) = on_trial();
    end_trial(&mut rig, 5);
    rig.wait(1);
    assert_eq!(rig.server.sent.len(), 24);
    assert_eq!(rig.states(), ["held", "sent", "done"]);
}

#[test]
fn a_trial_that_fails_stops_the_rest_and_says_so() {
    let (mut rig, plan) = on_trial();
    end_trial(&mut rig, 6);
    rig.wait(3_600);
    assert_eq!(rig.server.sent.len(), 10);
    let run = rig.world.actions.done().next().unwrap();
    assert_eq!(run.tally(), [10, 14, 0, 0]);
    let stopped = Outcome::Skipped { reason: "stopped: 6 of 10 new tries failed again".to_owned() };
    assert_eq!(run.outcomes[&plan.targets[23].object], stopped);
    assert_eq!(rig.states(), ["held", "sent", "done"]);
}

#[test]
fn a_group_leaves_out_what_a_new_try_cannot_help() {
    let mut rig = Rig::new(&[Status::Failed; 3], Rules::default());
    judged(&mut rig, 1, "build_error", Transient::No);
    judged(&mut rig, 2, "dns_error", Transient::Yes);
    let plan = group(&rig, 1..=3);
    let targets: Vec<Object> = plan.targets.iter().map(|target| target.object.clone()).collect();
    assert_eq!(targets, [Object::Job(JobId(2)), Object::Job(JobId(3))], "what nobody judged may be tried");
    assert_eq!(plan.skips.len(), 1);
    assert!(plan.skips[0].reason.contains("(build_error)"), "{}", plan.skips[0].reason);
    assert_eq!(plan.trial, None, "two jobs need no trial");
    assert_eq!(rig.plan(Verb::Retry, [1]).targets.len(), 1, "by itself it may be retried");
}

#[test]
fn a_class_that_retries_rarely_helped_must_be_typed() {
    let mut rig = Rig::new(&[Status::Failed; 2], Rules::default());
    judged(&mut rig, 1, "no_space", Transient::Maybe);
    judged(&mut rig, 2, "no_space", Transient::Maybe);
    for (succeeded, failed, typed) in [(1, 49, true), (1, 5, false), (5, 45, false), (0, 10, true)] {
        rig.event(retries_of("no_space", succeeded, failed));
        let plan = group(&rig, 1..=2);
        assert_eq!(plan.typed.as_deref(), typed.then_some("retry 2 anyway"), "{succeeded} of {failed}");
    }
    let plan = group(&rig, 1..=2);
    let note = plan.notes.iter().find(|note| note.contains("no_space")).unwrap();
    assert!(note.starts_with("of 10 new tries of no_space in 7 days 0 succeeded"), "{note}");
}

/// A world that may retry spot reclamations: two tries of a job, so many in an hour.
fn unasked(tries: u32) -> Rig {
    let auto =
        AutoRetry { class: "spot_reclamation".into(), tries, limit: 20, per: Duration::from_secs(3_600), budget: 100 };
    let mut rig = Rig::new(&[Status::Failed; 3], Rules { auto: vec![auto], ..Rules::default() });
    judged(&mut rig, 1, "spot_reclamation", Transient::Yes);
    judged(&mut rig, 2, "oom", Transient::Maybe);
    judged(&mut rig, 3, "spot_reclamation", Transient::No);
    rig
}

fn wishes(rig: &mut Rig) -> Vec<Effect> {
    let now = at(rig.clock);
    rig.world.wish(now)
}

#[test]
fn what_may_be_retried_unasked_goes_the_one_road_in_its_own_name() {
    let mut rig = unasked(2);
    assert_eq!(wishes(&mut rig), [], "nothing before it is known whether new tries help");
    rig.clock += 60;
    rig.event(retries_of("spot_reclamation", 0, 0));
    let asked = wishes(&mut rig);
    let [Effect::AskRetries(asked)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(
        asked.iter().map(|wish| wish.job).collect::<Vec<_>>(),
        [JobId(1)],
        "neither oom nor what cannot be helped"
    );
    assert_eq!(asked[0].allowances.map(|allowance| allowance.of_class), [20, 100]);
    rig.clock += 60;
    assert_eq!(wishes(&mut rig), [], "it waits for the answer");
    let now = at(rig.clock);
    let confirmed = rig.world.granted(&[JobId(1)], now);
    let [Effect::Confirm { plan, who }] = &confirmed[..] else { panic!("{confirmed:?}") };
    assert_eq!((&**who, plan.targets.len()), ("auto-retry", 1));
    rig.event(Event::Intended(Intent::Confirm { plan: Arc::clone(plan), who: Arc::clone(who) }));
    rig.wait(5);
    assert_eq!(rig.server.sent.len(), 1);
    assert_eq!(rig.states(), ["held", "sent", "done"], "held, sent and audited as everything else");
}

#[test]
fn nothing_is_retried_unasked_where_it_may_not_or_does_not_help() {
    let refuses = |change: &dyn Fn(&mut Rig)| {
        let mut rig = unasked(2);
        rig.event(retries_of("spot_reclamation", 0, 0));
        change(&mut rig);
        rig.clock += 60;
        wishes(&mut rig)
    };
    let rules = |rig: &mut Rig, rules: Rules| rig.event(Event::RulesChanged(Arc::new(rules)));
    assert_eq!(refuses(&|_| {}).len(), 1);
    assert_eq!(refuses(&|rig| rules(rig, Rules::default())), [], "off by default");
    let with = |rig: &Rig| (*rig.world.rules).clone();
    assert_eq!(refuses(&|rig| rules(rig, Rules { dry_run: true, ..with(rig) })), []);
    assert_eq!(refuses(&|rig| rules(rig, Rules { read_only: Some("no".to_owned()), ..with(rig) })), []);
    assert_eq!(refuses(&|rig| rig.clock += 7_200), [], "old failures are left to people");
    let mut rig = unasked(1);
    rig.event(retries_of("spot_reclamation", 0, 0));
    assert_eq!(wishes(&mut rig), [], "its tries are used up");
    // Granted, but the last ones did not help.
    let mut rig = unasked(2);
    rig.event(retries_of("spot_reclamation", 0, 40));
    let now = at(rig.clock);
    assert_eq!(rig.world.granted(&[JobId(1)], now), []);
    assert!(rig.world.messages.iter().any(|message| message.text.contains("of 40 new tries")), "it says why");
}
