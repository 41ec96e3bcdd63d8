//! The one road, walked against a small server that changes under it.

mod groups;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ci::{Job, JobId, Pipeline, PipelineId, Status, Timestamp};
use crate::console::effect::Effect;
use crate::console::event::{Event, Intent};
use crate::console::failures::{History, Retries};
use crate::console::fault::{Fault, FaultKind};
use crate::console::filter::Filter;
use crate::console::polling::PollRules;
use crate::console::world::World;
use crate::taxonomy::judge::{Zone, trend};
use crate::taxonomy::{Failure, Transient};

const P: PipelineId = PipelineId(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + seconds * 1_000)
}

/// A server that keeps statuses and answers retries as GitLab does.
#[derive(Default)]
struct Server {
    jobs: BTreeMap<JobId, (Arc<str>, Status)>,
    retried: BTreeSet<JobId>,
    next: u64,
    /// Every request that changed something: what was sent, and the status it met.
    sent: Vec<(Verb, JobId, Status)>,
}

impl Server {
    fn with(statuses: &[Status]) -> Self {
        let mut server = Self { next: 1_000, ..Self::default() };
        for (i, status) in statuses.iter().enumerate() {
            server.jobs.insert(JobId(i as u64 + 1), (format!("pkg{i}@1 /abcdefg x").into(), *status));
        }
        server
    }

    fn page(&self) -> Vec<Job> {
        self.jobs
            .iter()
            .filter(|(id, _)| !self.retried.contains(id))
            .map(|(id, (name, status))| Job::new(*id, P, name, *status))
            .collect()
    }

    /// What the executor does: re-read, compare, send.
    fn act(&mut self, verb: Verb, target: &Target) -> Outcome {
        let Object::Job(id) = target.object else { return Outcome::Failed { reason: "not a job".into() } };
        let (name, status) = self.jobs[&id].clone();
        if status.as_str() != &*target.status || self.retried.contains(&id) {
            return Outcome::Skipped { reason: "changed under you".into() };
        }
        self.sent.push((verb, id, status));
        match verb {
            Verb::Retry => {
                self.next += 1;
                self.retried.insert(id);
                self.jobs.insert(JobId(self.next), (name, Status::Pending));
                Outcome::Done { new_job: Some(JobId(self.next)) }
            }
            Verb::Cancel => {
                self.jobs.insert(id, (name, Status::Canceled));
                Outcome::Done { new_job: None }
            }
            _ => Outcome::Failed { reason: "not in this test".into() },
        }
    }
}

struct Rig {
    world: World,
    server: Server,
    clock: i64,
    audit: Vec<crate::console::audit::AuditRow>,
    disk_full: bool,
}

impl Rig {
    fn new(statuses: &[Status], rules: Rules) -> Self {
        let world = World::new("lab/spack", rules, PollRules::default());
        let mut rig = Self { world, server: Server::with(statuses), clock: 0, audit: Vec::new(), disk_full: false };
        let row = Pipeline::new(P, "develop", Status::Running);
        rig.event(Event::PipelinesFetched { rows: vec![row], at: at(0), whole: true });
        rig.refresh();
        rig
    }

    fn event(&mut self, event: Event) {
        let mut todo = VecDeque::from(self.world.update(event, at(self.clock)));
        while let Some(effect) = todo.pop_front() {
            let answer = match effect {
                Effect::StoreAudit(row) if self.disk_full => Event::AuditStored {
                    row,
                    result: Err(Fault::new(FaultKind::Local, "write the audit", "disk full")),
                },
                Effect::StoreAudit(row) => {
                    self.audit.push(row.clone());
                    Event::AuditStored { row, result: Ok(()) }
                }
                Effect::Act { plan, verb, target, .. } => {
                    let outcome = self.server.act(verb, &target);
                    Event::TargetFinished { plan, object: target.object, outcome }
                }
                _ => continue,
            };
            todo.extend(self.world.update(answer, at(self.clock)));
        }
    }

    fn refresh(&mut self) {
        let jobs = self.server.page();
        self.event(Event::JobsFetched { pipeline: P, jobs, at: at(self.clock) });
    }

    fn wait(&mut self, seconds: i64) {
        self.clock += seconds;
        self.event(Event::Ticked);
    }

    fn plan(&self, verb: Verb, ids: impl IntoIterator<Item = u64>) -> Arc<Plan> {
        Arc::new(Plan::for_jobs(&self.world, verb, ids.into_iter().map(JobId), at(self.clock)))
    }

    fn confirm(&mut self, plan: &Arc<Plan>) {
        self.event(Event::Intended(Intent::Confirm { plan: Arc::clone(plan), who: "me".into() }));
    }

    fn last_message(&self) -> &str {
        self.world.messages.iter().next().map_or("", |m| &m.text)
    }

    fn states(&self) -> Vec<&'static str> {
        self.audit.iter().map(|r| r.state.word()).collect()
    }
}

#[test]
fn a_retry_is_held_then_sent_then_audited() {
    let mut rig = Rig::new(&[Status::Failed, Status::Success], Rules::default());
    let plan = rig.plan(Verb::Retry, [1, 2, 77]);
    assert_eq!(plan.summary(), "retry 1 job");
    assert_eq!(
        plan.skip_reasons(),
        [("no longer known", 1), ("success cannot be retried", 1)],
        "what was asked for and will not be done has its reason"
    );
    rig.confirm(&plan);
    rig.wait(4);
    assert!(rig.server.sent.is_empty(), "the hold is 5 s");
    rig.wait(1);
    assert_eq!(rig.server.sent, [(Verb::Retry, JobId(1), Status::Failed)]);
    assert_eq!(rig.states(), ["held", "sent", "done"]);
    assert_eq!(rig.world.actions.made_by(&plan.id), [JobId(1_001)]);
}

#[test]
fn an_undone_plan_sends_nothing() {
    let mut rig = Rig::new(&[Status::Failed], Rules::default());
    let plan = rig.plan(Verb::Retry, [1]);
    rig.confirm(&plan);
    rig.event(Event::Intended(Intent::Undo { plan: plan.id.clone(), who: "amy".into() }));
    rig.wait(60);
    assert!(rig.server.sent.is_empty());
    assert_eq!(rig.states(), ["held", "undone"]);
    rig.event(Event::Intended(Intent::Undo { plan: plan.id.clone(), who: "amy".into() }));
    assert!(rig.last_message().contains("can no longer be undone"));
}

#[test]
fn what_changed_between_preview_and_sending_is_skipped_with_its_reason() {
    let mut rig = Rig::new(&[Status::Failed, Status::Failed], Rules::default());
    let plan = rig.plan(Verb::Retry, [1, 2]);
    rig.confirm(&plan);
    let (name, _) = rig.server.jobs[&JobId(1)].clone();
    rig.server.jobs.insert(JobId(1), (name, Status::Running));
    rig.wait(5);
    assert_eq!(rig.server.sent.len(), 1);
    let detail = &rig.audit.last().unwrap().detail;
    assert!(matches!(&detail.answers[0].1, Outcome::Skipped { reason } if reason == "changed under you"));
    assert_eq!(rig.world.actions.skipped_total, 1);
}

#[test]
fn nothing_is_sent_without_its_audit_row() {
    let mut rig = Rig::new(&[Status::Failed], Rules::default());
    rig.disk_full = true;
    let plan = rig.plan(Verb::Retry, [1]);
    rig.confirm(&plan);
    rig.wait(60);
    assert!(rig.server.sent.is_empty());
    assert!(rig.last_message().contains("disk full") && rig.last_message().contains("nothing was sent"));
}

#[test]
fn guardrails_skip_type_and_refuse() {
    let guard =
        |rule, when: &str, reason: &str| Guard { rule, when: Filter::parse(when).unwrap(), reason: reason.into() };
    let guards = vec![
        guard(GuardRule::Deny, "pkg=pkg0", "frozen"),
        guard(GuardRule::MaxBulk { limit: 3 }, "", "three at most"),
        guard(GuardRule::Rate { limit: 2, per: Duration::from_secs(60) }, "", "2 per 60s"),
        guard(GuardRule::Typed { over: 0 }, "pkg=pkg1", "expensive"),
    ];
    let mut rig = Rig::new(&[Status::Failed; 6], Rules { guards, ..Rules::default() });
    let plan = rig.plan(Verb::Retry, 1..=6);
    assert_eq!(plan.typed.as_deref(), Some("retry 2"));
    assert_eq!(
        plan.skip_reasons(),
        [("guardrail: three at most", 2), ("guardrail: 2 per 60s", 1), ("guardrail: frozen", 1)]
    );
    rig.confirm(&plan);
    rig.wait(5);
    assert_eq!(rig.server.sent.len(), 2);
    rig.refresh();
    assert!(rig.plan(Verb::Retry, 3..=6).targets.is_empty(), "the rate is used up");
    rig.wait(60);
    assert_eq!(rig.plan(Verb::Retry, 3..=6).targets.len(), 2);
}

#[test]
fn tries_and_roles_are_guarded_and_an_unknown_role_is_no_role() {
    let guard = |rule| Guard { rule, when: Filter::parse("").unwrap(), reason: "rule".into() };
    for (rule, level, want) in [
        (GuardRule::Tries { limit: 1 }, None, "guardrail: try 1 of 1; rule"),
        (GuardRule::Role { least: 40 }, None, "guardrail: needs access level 40, yours is unknown; rule"),
        (GuardRule::Role { least: 40 }, Some(30), "guardrail: needs access level 40, yours is 30; rule"),
        (GuardRule::Role { least: 40 }, Some(40), ""),
    ] {
        let rules = Rules { guards: vec![guard(rule)], access_level: level, ..Rules::default() };
        let plan = Rig::new(&[Status::Failed], rules).plan(Verb::Retry, [1]);
        assert_eq!(plan.skips.first().map_or("", |s| &s.reason), want);
    }
}

#[test]
fn a_guardrail_about_what_nobody_has_read_yet_fails_closed() {
    let guard = Guard { rule: GuardRule::Deny, when: Filter::parse("node:uo-19").unwrap(), reason: "sick".into() };
    let plan = Rig::new(&[Status::Failed], Rules { guards: vec![guard], ..Rules::default() }).plan(Verb::Retry, [1]);
    assert_eq!(plan.skip_reasons(), [("guardrail: sick", 1)]);
}

#[test]
fn read_only_and_dry_run_open_the_same_preview_and_send_nothing() {
    for rules in [
        Rules { read_only: Some("read-only: no token".into()), ..Rules::default() },
        Rules { dry_run: true, ..Rules::default() },
    ] {
        let mut rig = Rig::new(&[Status::Failed], rules);
        let plan = rig.plan(Verb::Retry, [1]);
        assert_eq!(plan.targets.len(), 1);
        rig.confirm(&plan);
        rig.wait(60);
        assert!(rig.server.sent.is_empty() && rig.audit.is_empty());
        assert!(rig.last_message().starts_with("not sent"), "{}", rig.last_message());
    }
}

#[test]
fn an_end_gives_holds_back_and_says_of_what_was_sent_that_nobody_knows() {
    let rules = Rules { wave: 2, ..Rules::default() };
    let mut rig = Rig::new(&[Status::Failed; 4], rules);
    let sent = rig.plan(Verb::Retry, [1, 2, 3]);
    rig.confirm(&sent);
    let (now, server_now) = (at(60), at(60));
    let rules = Arc::clone(&rig.world.rules);
    rig.world.actions.advance(&rules, None, &|_| TrialState::Open, now, server_now);
    assert!(rig.world.actions.is_sending());
    let held = rig.plan(Verb::Retry, [4]);
    rig.confirm(&held);
    let rows: Vec<String> = rig.world.actions.end(server_now).iter().map(|effect| format!("{effect:?}")).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains("Undone") && rows[0].contains("not sent: stackhand ended"), "{rows:?}");
    assert!(rows[1].contains("1 skipped, 2 uncertain") && rows[1].contains("before it was answered"), "{rows:?}");
    assert!(!rig.world.actions.is_sending() && rig.world.actions.held().is_empty());
}

#[test]
fn waves_wait_for_each_other_and_for_the_queue() {
    let mut rig = Rig::new(&[Status::Failed; 45], Rules::default());
    let queue = Job { queued_at: Some(at(-7_200)), ..Job::new(JobId(900), P, "waits long", Status::Pending) };
    rig.event(Event::JobsFetched { pipeline: P, jobs: vec![queue], at: at(0) });
    let plan = rig.plan(Verb::Retry, 1..=45);
    rig.confirm(&plan);
    rig.wait(5);
    assert_eq!(rig.server.sent.len(), 20);
    rig.wait(60);
    assert_eq!(rig.server.sent.len(), 20, "the queue is long: no second wave yet");
    rig.wait(600);
    assert_eq!(rig.server.sent.len(), 40, "ten minutes are patience enough");
    let queue = Job::new(JobId(900), P, "waits long", Status::Success);
    rig.event(Event::JobsFetched { pipeline: P, jobs: vec![queue], at: at(rig.clock) });
    rig.wait(1);
    assert_eq!(rig.server.sent.len(), 45);
}

#[test]
fn a_plan_survives_its_json_and_a_foreign_or_old_one_is_refused() {
    let mut rig = Rig::new(&[Status::Failed], Rules::default());
    let plan = rig.plan(Verb::Retry, [1]);
    let json = serde_json::to_string(&*plan).unwrap();
    let back: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(back, *plan);
    let foreign = Arc::new(Plan { project: "other/spack".into(), ..back.clone() });
    rig.confirm(&foreign);
    assert!(rig.last_message().contains("the plan is for other/spack"));
    rig.clock += 3_600;
    rig.confirm(&Arc::new(back));
    assert!(rig.last_message().contains("too old"));
    assert!(rig.server.sent.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Refresh,
    Change(usize, usize),
    Mark(u64),
    Preview,
    Confirm,
    Undo,
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Refresh),
        (0usize..8, 0usize..13).prop_map(|(i, s)| Step::Change(i, s)),
        (1u64..9).prop_map(Step::Mark),
        Just(Step::Preview),
        Just(Step::Confirm),
        Just(Step::Undo),
        (0i64..7).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    // Each case is a story of up to 40 steps in a random order; 5,000 of them are the fast share, see `a_hundred_thousand_interleavings`.
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_ever_sent_that_was_not_shown(steps in steps()) {
        walk(&steps)?;
    }
}

/// Walks one story and checks, after each step, that every request was for an id in a confirmed preview, in the state that the preview showed.
fn walk(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut rig = Rig::new(&[Status::Failed, Status::Running, Status::Failed, Status::Canceled], Rules::default());
    let mut marked: BTreeSet<u64> = BTreeSet::new();
    let mut preview: Option<Arc<Plan>> = None;
    let mut shown: BTreeSet<(Object, Arc<str>)> = BTreeSet::new();
    let mut undone = 0;
    for step in steps {
        match step {
            Step::Refresh => rig.refresh(),
            Step::Change(i, s) => {
                let id = rig.server.jobs.keys().nth(i % rig.server.jobs.len()).copied().unwrap();
                if let Some(entry) = rig.server.jobs.get_mut(&id) {
                    entry.1 = Status::KNOWN[*s];
                }
            }
            Step::Mark(id) => {
                marked.insert(*id);
            }
            Step::Preview => preview = Some(rig.plan(Verb::Retry, marked.iter().copied())),
            Step::Confirm => {
                if let Some(plan) = preview.take() {
                    shown.extend(plan.targets.iter().map(|t| (t.object.clone(), t.status.clone())));
                    rig.confirm(&plan);
                }
            }
            Step::Undo => {
                let held = rig.world.actions.held().first().map(|h| h.plan.id.clone());
                if let Some(id) = held {
                    rig.event(Event::Intended(Intent::Undo { plan: id, who: "amy".into() }));
                    undone += 1;
                }
            }
            Step::Wait(s) => rig.wait(*s),
        }
        for (_, id, met) in &rig.server.sent {
            prop_assert!(
                shown.contains(&(Object::Job(*id), met.as_str().into())),
                "sent {id} in {met}, which was never shown"
            );
        }
    }
    let mut ids: Vec<_> = rig.server.sent.iter().map(|(_, id, _)| *id).collect();
    let sent = ids.len();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), sent, "no job was retried twice");
    prop_assert_eq!(rig.states().iter().filter(|s| **s == "undone").count(), undone);
    prop_assert_eq!(rig.world.counts(), &rig.world.recount());
    Ok(())
}

/// The same walk, 10⁵ times with a plain generator: proptest's shrinking bookkeeping would cost minutes.
#[test]
fn a_hundred_thousand_interleavings() {
    let mut x: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |n: u64| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x % n
    };
    for _ in 0..100_000 {
        let story: Vec<Step> = (0..12)
            .map(|_| match next(9) {
                0 => Step::Refresh,
                1 | 2 => Step::Change(next(8) as usize, next(13) as usize),
                3 | 4 => Step::Mark(next(8) + 1),
                5 => Step::Preview,
                6 => Step::Confirm,
                7 => Step::Undo,
                _ => Step::Wait(next(7) as i64),
            })
            .collect();
        walk(&story).unwrap_or_else(|e| panic!("{e} in {story:?}"));
    }
}
