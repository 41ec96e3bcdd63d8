//! Why jobs wait or ended, by what GitLab and the cluster say together.

use serde_json::Value;
use stackhand::ci::Timestamp;
use stackhand::sandbox::{Options, Running, Sandbox, Scenario};

use crate::stage::{SHARED, Stage, failed_jobs};

/// An outage, looked at with its cluster.
fn outage() -> (Running, Stage) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = Options { speed: 0.0, scenario: Scenario::Outage, ..Options::default() };
    let running = runtime.block_on(Sandbox::start(options)).unwrap();
    let stage = facing(&running);
    (running, stage)
}

/// A stage that also knows the cluster; where it is lies in `kubeconfig`.
fn facing(running: &Running) -> Stage {
    let mut stage = Stage::facing(running);
    let config = stage.write("kubeconfig", &running.kubernetes.kubeconfig(false));
    let mut endpoints = running.endpoints();
    endpoints["kubernetes"] = serde_json::json!({ "kubeconfig": config });
    stage.endpoints = Some(stage.write("with-cluster.json", &endpoints.to_string()));
    stage
}

fn why(stage: &Stage, job: u64) -> Value {
    stage.run(&["why", &job.to_string(), "--json"]).document("stackhand.why/1")
}

#[test]
fn what_waits_in_the_cluster_is_told_as_the_cluster_tells_it() {
    let (running, stage) = outage();
    let now = running.world(|world| world.now());
    let fleet = stage.run(&["fleet", "--kubeconfig", &stage.path("kubeconfig"), "--json"]).json();
    let pods = fleet["pods"].as_array().unwrap();
    let pending: Vec<&Value> = pods.iter().filter(|pod| pod["pending"].is_object() && pod["job"].is_u64()).collect();
    assert!(!pending.is_empty(), "an outage has pods that wait");
    for pod in pending.into_iter().take(3) {
        let begun = std::time::Instant::now();
        let told = why(&stage, pod["job"].as_u64().unwrap());
        let took = begun.elapsed().as_secs() as i64;
        assert_eq!((&told["answer"], &told["status"]), (&"pod".into(), &"running".into()), "{told:#}");
        assert_eq!(told["pod"]["name"], pod["name"]);
        assert_eq!(told["pod"]["pending"]["class"], pod["pending"]["class"]);
        assert_eq!(told["pod"]["pending"]["deadline"], pod["pending"]["deadline"]);
        // The world's time stands still, and goes on for whoever asks until the next answer.
        let left = told["pod"]["pending"]["left_s"].as_i64().unwrap();
        let deadline = Timestamp::parse(pod["pending"]["deadline"].as_str().unwrap()).unwrap();
        let truly = (deadline.millis() - now.millis()).div_euclid(1_000);
        assert!((truly - took - 2..=truly + 2).contains(&left), "{left} of {truly} left, {took} s later: {told:#}");
        assert!(told["words"].as_str().unwrap().contains(pod["pending"]["words"].as_str().unwrap()), "{told:#}");
    }
    let runs = pods.iter().find(|pod| pod["state"] == "running" && pod["job"].is_u64()).unwrap();
    let told = why(&stage, runs["job"].as_u64().unwrap());
    assert_eq!((&told["answer"], &told["pod"]["node"]), (&"running".into(), &runs["node"]), "{told:#}");
}

#[test]
fn without_a_cluster_gitlab_alone_answers() {
    let stage = Stage::facing(&SHARED);
    let failed = failed_jobs(&stage, 1)[0];
    let told = why(&stage, failed);
    assert_eq!((&told["answer"], &told["pod"]), (&"failed".into(), &Value::Null));
    let facts = told["facts"].as_array().unwrap();
    assert!(facts.contains(&"no cluster is configured, so its pod is not known".into()), "{facts:?}");
    let text = stage.run(&["why", &failed.to_string()]);
    assert_eq!(text.code, 0, "{}", text.err);
    assert!(text.out.lines().nth(1).unwrap().starts_with("failed: it failed after "), "{}", text.out);
    let blocked = stage.run(&["jobs", "--filter", "state:blocked", "--json"]).json();
    let told = why(&stage, blocked["jobs"][0]["id"].as_u64().unwrap());
    assert_eq!(told["answer"], "blocked", "{told:#}");
    let root = told["advice"].as_str().unwrap().strip_prefix("stackhand why ").unwrap().to_owned();
    assert_eq!(why(&stage, root.parse().unwrap())["answer"], "failed");
    stage.run(&["why", "1"]).failed(4, "job 1");
}

#[test]
fn a_cluster_that_does_not_answer_is_said_and_the_rest_is_told() {
    let mut stage = Stage::facing(&SHARED);
    let failed = failed_jobs(&stage, 1)[0];
    let dead = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "x"}}],
    });
    let config = stage.write("dead", &dead.to_string());
    let mut endpoints = SHARED.endpoints();
    endpoints["kubernetes"] = serde_json::json!({ "kubeconfig": config });
    stage.endpoints = Some(stage.write("dead.json", &endpoints.to_string()));
    let ended = stage.run(&["why", &failed.to_string(), "--within", "20s"]);
    assert!(ended.out.contains("failed: it failed after "), "{}", ended.out);
    assert!(ended.out.contains("pods cannot be read"), "{}", ended.out);
    assert!(ended.err.contains("pods: "), "{}", ended.err);
}
