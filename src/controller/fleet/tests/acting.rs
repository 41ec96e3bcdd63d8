//! What changes the fleet, over a socket: what is sent, and that nothing is sent that is not allowed.

use super::*;
use crate::ci::RunnerId;
use crate::console::actions::{FleetMay, InCluster, Object, Outcome, Silence, Target, Verb};

const ALL: FleetMay = FleetMay { runners: true, nodes: true, pods: true, silences: true };

fn target(object: Object, status: &str) -> Target {
    Target { object, pipeline: None, name: "x".into(), status: status.into(), tries: 1, cause: "".into() }
}

fn pod() -> Object {
    Object::Pod(InCluster { namespace: "pipeline".into(), name: "p1".into(), uid: "u1".into() })
}

fn node() -> Object {
    Object::Node(InCluster { namespace: "".into(), name: "n1".into(), uid: "u2".into() })
}

fn silence() -> Object {
    let until = SystemClock.now().plus(Duration::from_hours(1));
    Object::Silence(Silence { fingerprint: "f1".into(), until, why: "watching uo-19".into() })
}

async fn act(server: &Server, may: FleetMay, verb: Verb, target: &Target) -> Outcome {
    let scratch = Scratch::new();
    let path = scratch.write("kubeconfig", kubeconfig(&server.url));
    let settings = prometheus::Settings::new(&server.url);
    let alertmanager = Some(Arc::new(alertmanager::Alertmanager::new(&settings).unwrap()));
    let fleet = FleetOutside { cluster: Some(cluster_at(path)), alertmanager, may, ..FleetOutside::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let gitlab = gitlab(&server.url, Some("canary"));
    Actor { fleet: &fleet, gitlab: &gitlab, clock: &clock, who: "amy" }.act(verb, target).await
}

/// The requests that were sent, by method and path, with their bodies.
fn sent(server: &Server) -> Vec<(String, Value)> {
    let read = |request: String| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let line: Vec<&str> = head.split(' ').take(2).collect();
        (line.join(" "), serde_json::from_str(body).unwrap_or(Value::Null))
    };
    server.seen().into_iter().map(read).collect()
}

/// GitLab, the cluster and Alertmanager, all well.
fn answer(request: &str) -> Reply {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let runner = |is_paused| json!({"id": 7, "description": "r", "paused": is_paused, "status": "online"});
    let alert = json!([{
        "fingerprint": "f1", "labels": {"alertname": "PodStuck", "pod": "p1"}, "annotations": {},
        "startsAt": "2026-03-14T01:50:00Z", "endsAt": "2026-03-14T02:50:00Z", "updatedAt": "2026-03-14T01:50:00Z",
        "receivers": [], "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}, "generatorURL": "",
    }]);
    match (request.split(' ').next().unwrap_or_default(), path.split('?').next().unwrap_or_default()) {
        ("GET", "/api/v4/runners/7") => ok(&runner(false)),
        ("PUT", "/api/v4/runners/7") => ok(&runner(true)),
        ("PATCH", "/api/v1/nodes/n1") => {
            ok(&json!({"kind": "Node", "metadata": {"name": "n1", "uid": "u2", "resourceVersion": "2"}}))
        }
        ("DELETE", "/api/v1/namespaces/pipeline/pods/p1") => ok(&json!({"kind": "Status", "status": "Success"})),
        ("GET", "/api/v2/alerts") => ok(&alert),
        ("POST", "/api/v2/silences") => ok(&json!({"silenceID": "s1"})),
        _ => refused(404),
    }
}

#[tokio::test]
async fn not_one_request_is_sent_while_actions_are_off() {
    let health = Health::default();
    let server = served(&health, answer).await;
    let everything = [
        (Verb::Pause, target(Object::Runner(RunnerId(7)), "at work")),
        (Verb::Cordon, target(node(), "schedulable")),
        (Verb::Delete, target(pod(), "running")),
        (Verb::Silence, target(silence(), "firing")),
    ];
    for (verb, target) in everything {
        let Outcome::Failed { reason } = act(&server, FleetMay::default(), verb, &target).await else { panic!() };
        assert_eq!(reason, "not sent: the configuration does not allow it");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_verb_that_does_not_fit_changes_nothing() {
    let health = Health::default();
    let server = served(&health, answer).await;
    for (verb, object) in [
        (Verb::Delete, node()),
        (Verb::Retry, pod()),
        (Verb::Cordon, pod()),
        (Verb::Silence, Object::Runner(RunnerId(7))),
    ] {
        let Outcome::Failed { reason } = act(&server, ALL, verb, &target(object, "running")).await else { panic!() };
        assert_eq!(reason, format!("not sent: that is nothing to {}", verb.word()));
    }
    assert_eq!(server.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_runner_is_read_again_and_then_paused() {
    let health = Health::default();
    let server = served(&health, answer).await;
    let runner = |status| target(Object::Runner(RunnerId(7)), status);
    assert_eq!(act(&server, ALL, Verb::Pause, &runner("at work")).await, Outcome::Done { new_job: None });
    let changed = act(&server, ALL, Verb::Resume, &runner("paused")).await;
    assert_eq!(changed, Outcome::Skipped { reason: "changed under you: paused → at work".to_owned() });
    let sent = sent(&server);
    let lines: Vec<&str> = sent.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(lines, ["GET /api/v4/runners/7", "PUT /api/v4/runners/7", "GET /api/v4/runners/7"]);
    assert_eq!(sent[1].1, json!({"paused": true}));
}

#[tokio::test]
async fn nodes_and_pods_are_tried_out_first_and_named_by_their_uid() {
    let health = Health::default();
    let server = served(&health, answer).await;
    assert_eq!(act(&server, ALL, Verb::Cordon, &target(node(), "schedulable")).await, Outcome::Done { new_job: None });
    assert_eq!(act(&server, ALL, Verb::Delete, &target(pod(), "running")).await, Outcome::Done { new_job: None });
    let sent = sent(&server);
    let is_dry: Vec<bool> =
        sent.iter().map(|(line, body)| line.contains("dryRun=All") || body["dryRun"] == json!(["All"])).collect();
    assert_eq!(is_dry, [true, false, true, false], "{sent:?}");
    for (_, body) in &sent {
        let uid = body.pointer("/metadata/uid").or_else(|| body.pointer("/preconditions/uid")).unwrap();
        assert!(uid == "u1" || uid == "u2", "{body}");
    }
}

#[tokio::test]
async fn what_is_refused_when_it_is_tried_out_is_not_sent() {
    let health = Arc::new(AtomicU16::new(403));
    let server = served(&health, answer).await;
    let Outcome::Failed { reason } = act(&server, ALL, Verb::Delete, &target(pod(), "running")).await else { panic!() };
    assert!(reason.starts_with("not sent, it was refused when it was tried out: "), "{reason}");
    health.store(409, Ordering::SeqCst);
    let Outcome::Skipped { reason } = act(&server, ALL, Verb::Delete, &target(pod(), "running")).await else {
        panic!()
    };
    assert!(reason.starts_with("changed under you: "), "{reason}");
    assert!(sent(&server).iter().all(|(_, body)| body["dryRun"] == json!(["All"])), "{:?}", sent(&server));
}

#[tokio::test]
async fn an_alert_is_silenced_by_its_own_labels() {
    let health = Health::default();
    let server = served(&health, answer).await;
    assert_eq!(act(&server, ALL, Verb::Silence, &target(silence(), "firing")).await, Outcome::Done { new_job: None });
    let sent = sent(&server);
    let (line, body) = &sent[1];
    assert_eq!(
        (line.as_str(), &body["createdBy"], &body["comment"]),
        ("POST /api/v2/silences", &json!("amy"), &json!("watching uo-19"))
    );
    let mut names: Vec<&str> =
        body["matchers"].as_array().unwrap().iter().map(|matcher| matcher["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["alertname", "pod"]);
    let Object::Silence(mut other) = silence() else { panic!() };
    other.fingerprint = "gone".into();
    let gone = act(&server, ALL, Verb::Silence, &target(Object::Silence(other), "firing")).await;
    assert_eq!(gone, Outcome::Skipped { reason: "changed under you: it no longer fires".to_owned() });
}
