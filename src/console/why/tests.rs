//! One answer for each thing that can stand in a job's way.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::ci::{Pipeline, PipelineId, RunnerId, RunnerRef};
use crate::console::actions::Rules;
use crate::console::event::Event;
use crate::console::fleet::{Change, FleetFacts, FleetRules, News, Phase, SourceState};
use crate::console::polling::PollRules;
use crate::fleet::{Kind, Object, Runner, RunnerStatus};
use crate::taxonomy::Failure;

const P: PipelineId = PipelineId(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_773_453_000_000 + seconds * 1_000)
}

fn job(id: u64, status: Status, tags: &[&str]) -> Job {
    let mut job = Job::new(JobId(id), P, &format!("pkg{id}@1 /abcdefg x"), status);
    job.tags = tags.iter().map(|tag| Arc::from(*tag)).collect();
    job.queued_at = Some(at(-300));
    job
}

fn runner(id: u64, description: &str, tag: &str, status: RunnerStatus) -> Arc<Runner> {
    Arc::new(Runner {
        status,
        is_paused: Some(false),
        tags: Some([Arc::from(tag)].into()),
        runs_untagged: Some(false),
        is_protected: Some(false),
        ..Runner::new(RunnerId(id), description)
    })
}

struct Rig(World);

impl Rig {
    fn new(jobs: Vec<Job>) -> Self {
        let mut rig = Self(World::new("lab/spack", Rules::default(), PollRules::default()));
        let rules = FleetRules { namespace: "pipeline".into(), ..FleetRules::default() };
        rig.0.fleet = FleetFacts::of(rules, [Source::Pods, Source::Nodes, Source::Events, Source::Runners]).into();
        rig.say(Event::PipelinesFetched {
            rows: vec![Pipeline::new(P, "develop", Status::Running)],
            at: at(0),
            whole: true,
        });
        rig.say(Event::JobsFetched { pipeline: P, jobs, at: at(0) });
        rig
    }

    fn say(&mut self, event: Event) {
        drop(self.0.update(event, at(0)));
    }

    fn news(&mut self, news: Vec<News>) {
        let state = SourceState { phase: Phase::Live, heard: Some(at(0)), ..SourceState::default() };
        let sources: Vec<Source> = self.0.fleet.sources.keys().copied().collect();
        let seen = sources.into_iter().map(|source| News::Seen { source, state: state.clone() });
        self.say(Event::FleetTold(news.into_iter().chain(seen).collect()));
    }

    #[track_caller]
    fn answer(&self, id: u64, answer: Answer, words: &str) -> Why<'_> {
        let why = self.0.why(JobId(id), at(0)).unwrap();
        assert_eq!((why.answer, why.words.as_str()), (answer, words), "{:?}", why.facts);
        why
    }
}

fn pod(job: u64, more: serde_json::Value) -> Change {
    let mut object = json!({
        "metadata": {
            "name": format!("runner-x-{job}"), "uid": format!("u{job}"), "namespace": "pipeline",
            "creationTimestamp": "2026-03-14T01:45:00Z",
            "labels": {"spack.io/runner": "true"},
            "annotations": {"job.runner.gitlab.com/id": job.to_string()},
        },
    });
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    Change::Put(Object::read(Kind::Pod, &object).unwrap())
}

#[test]
fn what_is_over_or_waits_for_a_person_is_said() {
    let rig = Rig::new(vec![job(1, Status::Success, &[]), job(2, Status::Manual, &[]), job(3, Status::Canceled, &[])]);
    rig.answer(1, Answer::Succeeded, "it succeeded");
    let manual = rig.answer(2, Answer::Manual, "it waits for somebody to start it");
    assert_eq!(manual.advice.as_deref(), Some("stackhand play 2"));
    rig.answer(3, Answer::Canceled, "it was canceled");
    assert!(rig.0.why(JobId(99), at(0)).is_none());
}

#[test]
fn a_failure_is_told_by_its_verdict_or_sends_to_its_log() {
    let mut rig = Rig::new(vec![job(1, Status::Failed, &[])]);
    let unjudged = rig.answer(1, Answer::Failed, "it failed");
    assert_eq!(unjudged.advice.as_deref(), Some("stackhand classify --job 1"));
    let home = rig.0.home(JobId(1)).unwrap();
    let of = Failure::of(rig.0.job(JobId(1)).unwrap(), &home.pipeline, at(0));
    let evidence = Some("No space left on device".into());
    let failure = Failure { class: "no_space".into(), evidence, line: Some(7), ..of };
    let owner = failure.owner.as_str();
    rig.say(Event::Judged(Arc::new(failure)));
    let judged = rig.answer(1, Answer::Failed, &format!("it failed: no_space ({owner})"));
    assert!(judged.facts.contains(&"line 7: No space left on device".to_owned()), "{:?}", judged.facts);
}

#[test]
fn unread_needs_are_unknown_and_no_answer() {
    let rig = Rig::new(vec![job(1, Status::Created, &[])]);
    rig.answer(1, Answer::Unknown, "what it needs has not been read");
}

#[test]
fn a_job_waits_for_a_slot_or_for_a_runner_that_never_comes() {
    let jobs = vec![
        job(1, Status::Pending, &["avx2"]),
        job(2, Status::Pending, &["avx2"]),
        job(3, Status::Pending, &["power9"]),
        job(4, Status::Pending, &["cray"]),
    ];
    let mut rig = Rig::new(jobs);
    let unknown = rig.answer(2, Answer::Queue, "it waits for 5m for a runner with the tags avx2");
    assert!(unknown.facts.contains(&"which runners would take it is not known".to_owned()));
    rig.news(vec![News::Runners(vec![
        runner(1, "runner-v3-gitlab-runner-a-1", "avx2", RunnerStatus::Online),
        runner(2, "uo-cray-1", "cray", RunnerStatus::Offline),
    ])]);
    let queued = rig.answer(2, Answer::Queue, "it waits for 5m for a slot of runner-v3");
    assert!(
        queued.facts.contains(&"of the pipelines that were read, 2 jobs with the same tags wait, 1 of them before it; others may wait as well"
                .to_owned()),
        "{:?}",
        queued.facts
    );
    rig.answer(
        3,
        Answer::NoRunner,
        "no runner takes jobs with the tags power9 of this ref, and waiting will not change that",
    );
    rig.answer(4, Answer::NoRunner, "no runner at work takes jobs with the tags cray; uo-cray-1 would");
}

#[test]
fn a_job_that_runs_for_gitlab_may_wait_for_its_pod() {
    let mut running = job(1, Status::Running, &[]);
    running.runner = Some(Arc::new(RunnerRef { id: RunnerId(1), description: "runner-v3".into() }));
    running.started_at = Some(at(-300));
    let mut rig = Rig::new(vec![running]);
    rig.answer(1, Answer::Running, "it runs for 5m00 on runner-v3");
    let unschedulable = json!([{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
    }]);
    let pods = vec![pod(1, json!({"status": {"phase": "Pending", "conditions": unschedulable}}))];
    rig.news(vec![News::Changed { source: Source::Pods, changes: pods }]);
    let why = rig.0.why(JobId(1), at(0)).unwrap();
    assert_eq!(why.answer, Answer::Pod);
    assert!(why.words.ends_with("; its runner waits, 5m00 left"), "{}", why.words);
    assert!(
        why.pending.is_some() && why.facts.contains(&"node: the pod has no node yet".to_owned()),
        "{:?}",
        why.facts
    );
    let is_up = pod(1, json!({"spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}));
    rig.news(vec![News::Changed { source: Source::Pods, changes: vec![is_up] }]);
    rig.answer(1, Answer::Running, "it runs for 5m00 on runner-v3");
}

#[test]
fn old_facts_are_called_old() {
    let mut rig = Rig::new(vec![job(1, Status::Running, &[])]);
    rig.news(Vec::new());
    let late = rig.0.why(JobId(1), at(3_600)).unwrap();
    assert!(late.facts.iter().any(|fact| fact.starts_with("what is known of pods is ")), "{:?}", late.facts);
}
