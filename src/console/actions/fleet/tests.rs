//! What may be done to the fleet, and what stands in the way.

use serde_json::json;

use super::*;
use crate::ci::{Job, JobId, Pipeline, PipelineId, RunnerRef, Status};
use crate::console::actions::Rules;
use crate::console::audit::AuditRow;
use crate::console::event::Event;
use crate::console::fleet::{Change, FleetFacts, FleetRules, News, Phase, SourceState, ToldAlert, ToldState};
use crate::console::polling::PollRules;
use crate::fleet::{Kind, Object as Thing, Runner, RunnerStatus, Usage};

const P: PipelineId = PipelineId(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + seconds * 1_000)
}

fn runner_of(id: u64, description: &str, tags: &[&str], is_paused: Option<bool>) -> Arc<Runner> {
    Arc::new(Runner {
        status: RunnerStatus::Online,
        is_paused,
        tags: Some(tags.iter().map(|tag| (*tag).into()).collect()),
        runs_untagged: Some(false),
        is_protected: Some(false),
        ..Runner::new(RunnerId(id), description)
    })
}

fn thing(kind: Kind, name: &str, more: serde_json::Value) -> Change {
    let mut object = json!({"metadata": {"name": name, "uid": format!("uid-{name}")}});
    for (key, value) in more.as_object().unwrap() {
        if key == "metadata" {
            object["metadata"].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        } else {
            object[key] = value.clone();
        }
    }
    Change::Put(Thing::read(kind, &object).unwrap())
}

fn job_pod(name: &str, job: u64, namespace: &str) -> Change {
    let metadata = json!({
        "namespace": namespace,
        "labels": {"spack.io/runner": "true"},
        "annotations": {"job.runner.gitlab.com/id": job.to_string()},
    });
    thing(Kind::Pod, name, json!({"metadata": metadata, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}))
}

fn in_cluster(namespace: &str, name: &str) -> InCluster {
    InCluster { namespace: namespace.into(), name: name.into(), uid: format!("uid-{name}").into() }
}

const ALL: FleetMay = FleetMay { runners: true, nodes: true, pods: true, silences: true };

/// Two runners that take avx2 jobs and one that takes avx512 ones; jobs 1 (runs on 7), 2 (waits for avx512), 3 (failed); pods of 1 and 3.
fn world(may: FleetMay) -> World {
    let mut world = World::new("lab/spack", Rules { fleet: may, ..Rules::default() }, PollRules::default());
    let rules =
        FleetRules { namespace: "pipeline".into(), manager_namespace: "gitlab".into(), ..FleetRules::default() };
    world.fleet = FleetFacts::of(rules, Source::ALL).into();
    let mut say = |event| drop(world.update(event, at(0)));
    say(Event::PipelinesFetched { rows: vec![Pipeline::new(P, "develop", Status::Running)], at: at(0), whole: true });
    let mut running = Job::new(JobId(1), P, "a@1 /abcdefg x", Status::Running);
    running.runner = Some(RunnerRef { id: RunnerId(7), description: "runner-v3-a".into() }.into());
    let mut waiting = Job::new(JobId(2), P, "b@1 /abcdefg x", Status::Pending);
    waiting.tags = vec!["avx512".into()].into();
    let failed = Job::new(JobId(3), P, "c@1 /abcdefg x", Status::Failed);
    say(Event::JobsFetched { pipeline: P, jobs: vec![running, waiting, failed], at: at(0) });
    let runners = vec![
        runner_of(7, "runner-v3-a", &["avx2"], Some(false)),
        runner_of(8, "runner-v3-b", &["avx2"], Some(false)),
        runner_of(9, "runner-v4-a", &["avx512"], Some(false)),
        runner_of(10, "runner-v4-b", &["avx512"], Some(true)),
        runner_of(11, "odd", &["avx512"], None),
    ];
    let alert = ToldAlert {
        fingerprint: "f1".into(),
        name: "PodStuck".into(),
        labels: [("pod".into(), "runner-1".into())].into(),
        words: "".into(),
        since: at(0),
        state: ToldState::Active,
        silenced_by: Vec::new(),
        inhibited_by: Vec::new(),
    };
    let state = SourceState { phase: Phase::Live, heard: Some(at(0)), ..SourceState::default() };
    let mut news = vec![
        News::Runners(runners),
        News::Alerts { alerts: vec![Arc::new(alert)], silences: Vec::new() },
        News::Changed {
            source: Source::Nodes,
            changes: vec![
                thing(Kind::Node, "n1", json!({})),
                thing(Kind::Node, "n2", json!({"spec": {"unschedulable": true}})),
            ],
        },
        News::Changed {
            source: Source::Pods,
            changes: vec![
                job_pod("p1", 1, "pipeline"),
                job_pod("p3", 3, "pipeline"),
                job_pod("elsewhere", 3, "other"),
                job_pod("p99", 99, "pipeline"),
                thing(Kind::Pod, "etcd", json!({"metadata": {"namespace": "pipeline"}})),
            ],
        },
    ];
    news.extend(Source::ALL.map(|source| News::Seen { source, state: state.clone() }));
    say(Event::FleetTold(news.into()));
    world
}

fn plan(world: &World, verb: Verb, objects: impl IntoIterator<Item = Object>) -> Plan {
    Plan::for_fleet(world, verb, objects, at(1))
}

fn runners(ids: &[u64]) -> impl Iterator<Item = Object> {
    ids.iter().map(|id| Object::Runner(RunnerId(*id)))
}

fn skips(plan: &Plan) -> Vec<&str> {
    plan.skips.iter().map(|skip| skip.reason.as_str()).collect()
}

#[test]
fn everything_is_off_until_it_is_turned_on() {
    let world = world(FleetMay::default());
    let silence = Silence { fingerprint: "f1".into(), until: at(3_600), why: "known".into() };
    for (verb, object, setting) in [
        (Verb::Pause, Object::Runner(RunnerId(7)), "actions.runners"),
        (Verb::Cordon, Object::Node(in_cluster("", "n1")), "actions.nodes"),
        (Verb::Delete, Object::Pod(in_cluster("pipeline", "p3")), "actions.pods"),
        (Verb::Silence, Object::Silence(silence), "actions.silences"),
    ] {
        let plan = plan(&world, verb, [object]);
        assert_eq!(plan.targets.len(), 1, "the preview shows what would be done");
        assert_eq!(plan.refused.as_deref(), Some(&*format!("this is off; turn it on with {setting} = true")));
    }
}

#[test]
fn a_runner_is_paused_if_it_is_at_work_and_jobs_go_on() {
    let world = world(ALL);
    let made = plan(&world, Verb::Pause, runners(&[7, 10, 11, 12]));
    assert_eq!((made.targets.len(), &*made.targets[0].status, made.summary().as_str()), (1, AT_WORK, "pause 1 runner"));
    let unsaid = "GitLab does not say whether it is paused";
    assert_eq!(skips(&made), ["is paused already", unsaid, "no longer known"]);
    assert!(made.notes.contains(&"1 job runs there and goes on".to_owned()), "{:?}", made.notes);
    assert_eq!((made.typed, made.refused), (None, None), "the other one takes such jobs");
    let back = plan(&world, Verb::Resume, runners(&[10]));
    assert_eq!(&*back.targets[0].status, PAUSED);
}

#[test]
fn who_leaves_jobs_without_a_runner_types_that() {
    let world = world(ALL);
    let made = plan(&world, Verb::Pause, runners(&[9]));
    let note = "no runner would be left for jobs with the tags avx512";
    assert!(made.notes.iter().any(|n| n == note), "{:?}", made.notes);
    assert_eq!(made.typed.as_deref(), Some("pause 1 anyway"));
}

#[test]
fn a_node_is_closed_and_opened_by_its_uid() {
    let world = world(ALL);
    let nodes = || ["n1", "n2", "n3"].map(|name| Object::Node(in_cluster("", name)));
    let made = plan(&world, Verb::Cordon, nodes());
    assert_eq!(made.targets.iter().map(|t| &*t.name).collect::<Vec<_>>(), ["n1"]);
    assert_eq!(skips(&made), ["is cordoned already", "no longer there"]);
    assert!(made.notes.iter().any(|note| note.starts_with("4 pods run there")), "{:?}", made.notes);
    assert_eq!(plan(&world, Verb::Uncordon, nodes()).targets.len(), 1);
    let other = InCluster { uid: "uid-of-another".into(), ..in_cluster("", "n1") };
    assert_eq!(skips(&plan(&world, Verb::Cordon, [Object::Node(other)])), ["no longer there"]);
}

#[test]
fn what_was_closed_from_here_is_remembered_until_it_is_opened() {
    let mut world = world(ALL);
    let done = |verb, name: &str, seconds| {
        let target = Target {
            object: Object::Node(in_cluster("", name)),
            pipeline: None,
            name: name.into(),
            status: SCHEDULABLE.into(),
            tries: 1,
            cause: "".into(),
        };
        let made = Plan { targets: vec![target], verb, ..plan(&self::world(ALL), verb, []) };
        AuditRow::of(&made, &"amy".into(), AuditState::Done, String::new(), at(seconds))
    };
    // The newest first: n1 is not closed any more, whatever was done to it; n2 was closed elsewhere after it was opened here.
    world.audit.value = [done(Verb::Cordon, "n1", 5), done(Verb::Cordon, "n2", 10)].into();
    let closed = world.our_cordons(at(130));
    assert_eq!(closed.iter().map(|(node, age)| (&*node.name, age.as_secs())).collect::<Vec<_>>(), [("n2", 120)]);
    world.audit.value.push_front(done(Verb::Uncordon, "n2", 20));
    assert!(world.our_cordons(at(130)).is_empty());
}

#[test]
fn only_pods_of_jobs_that_are_over_are_deleted_and_the_job_is_typed() {
    let world = world(ALL);
    let pods =
        [("pipeline", "p1"), ("pipeline", "p3"), ("pipeline", "p99"), ("other", "elsewhere"), ("pipeline", "etcd")];
    let made = plan(&world, Verb::Delete, pods.map(|(namespace, name)| Object::Pod(in_cluster(namespace, name))));
    assert_eq!(made.targets.iter().map(|t| &*t.name).collect::<Vec<_>>(), ["p3"]);
    assert_eq!(made.typed.as_deref(), Some("3"));
    let mut reasons = skips(&made);
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "is no pod of a job; others are never deleted from here",
            "is no pod of a job; others are never deleted from here",
            "its job 1 is running, and whether it hangs is not known; cancel it instead",
            "its job 99 is not known here; open its pipeline first",
        ]
    );
}

#[test]
fn a_pod_that_does_nothing_is_deleted_though_its_job_runs() {
    let asked = |busy: fn(i64) -> i64| {
        let mut world = world(ALL);
        let uses = (0..12).map(|minute| {
            let used = busy(minute) as f64;
            ("p1".into(), Usage { at: at(minute * 60), cpu: used, memory: used, received: used, sent: used })
        });
        drop(world.update(Event::FleetTold(vec![News::Uses(uses.collect())].into()), at(12 * 60)));
        Plan::for_fleet(&world, Verb::Delete, [Object::Pod(in_cluster("pipeline", "p1"))], at(12 * 60))
    };
    let hangs = asked(|minute| minute.min(2));
    assert_eq!(hangs.targets.len(), 1, "{:?}", hangs.skips);
    assert_eq!(&*hangs.targets[0].cause, "job 1 running and will fail; no CPU, memory or bytes for 7m");
    assert_eq!(hangs.typed.as_deref(), Some("1"));
    let works = asked(|minute| minute);
    assert_eq!(skips(&works), ["its job 1 is running and does not hang; cancel or wait for it instead"]);
}

#[test]
fn no_more_than_five_pods_go_at_once() {
    let mut world = world(ALL);
    let names: Vec<String> = (0..7).map(|n| format!("q{n}")).collect();
    let changes = names.iter().map(|name| job_pod(name, 3, "pipeline")).collect();
    drop(world.update(Event::FleetTold(vec![News::Changed { source: Source::Pods, changes }].into()), at(1)));
    let made = plan(&world, Verb::Delete, names.iter().map(|name| Object::Pod(in_cluster("pipeline", name))));
    assert_eq!((made.targets.len(), made.skips.len(), made.typed.as_deref()), (5, 2, Some("delete 5")));
}

#[test]
fn an_alert_is_silenced_once_it_fires_and_for_a_reason() {
    let world = world(ALL);
    let silence = |fingerprint: &str| {
        Object::Silence(Silence { fingerprint: fingerprint.into(), until: at(3_600), why: "watching".into() })
    };
    let made = plan(&world, Verb::Silence, [silence("f1"), silence("f2")]);
    assert_eq!(&*made.targets[0].name, "PodStuck runner-1");
    let long = Silence { fingerprint: "f1".into(), until: at(2 * 86_400), why: "watching".into() };
    assert_eq!(skips(&plan(&world, Verb::Silence, [Object::Silence(long)])), ["may be silenced for 24h at most"]);
    assert!(made.targets[0].cause.ends_with("watching"), "{}", made.targets[0].cause);
    assert_eq!(skips(&made), ["no longer fires"]);
}

#[test]
fn nothing_is_done_by_what_is_old_or_unknown() {
    let mut world = world(ALL);
    let late = Plan::for_fleet(&world, Verb::Pause, runners(&[7]), at(600));
    assert_eq!(late.refused.as_deref(), Some("what is known of runners is 10m old"));
    world.fleet = FleetFacts::of(FleetRules::default(), Source::ALL).into();
    assert_eq!(plan(&world, Verb::Pause, runners(&[7])).refused.as_deref(), Some("runners are not known yet"));
}

#[test]
fn a_plan_for_the_fleet_is_read_back_as_it_was_written() {
    let world = world(ALL);
    let silence = Silence { fingerprint: "f1".into(), until: at(3_600), why: "known".into() };
    for (verb, object) in [
        (Verb::Pause, Object::Runner(RunnerId(7))),
        (Verb::Cordon, Object::Node(in_cluster("", "n1"))),
        (Verb::Delete, Object::Pod(in_cluster("pipeline", "p3"))),
        (Verb::Silence, Object::Silence(silence)),
    ] {
        let made = plan(&world, verb, [object]);
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), made, "{text}");
    }
}
