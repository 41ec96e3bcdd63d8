//! Every published sample, held against our answer for the same kind of thing: same keys, same JSON types, on every level.

use serde_json::{Value, json};

use crate::server::Server;

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/contract/gitlab/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
}

/// Keys whose type may differ, with the reason.
const ALLOWED: &[(&str, &str)] = &[
    ("$.finished_at", "the sample's pipeline still runs"),
    ("$.duration", "the sample's pipeline still runs"),
    ("$[].name", "pull requests carry their title, the sample's has none"),
    ("$.name", "pull requests carry their title, the sample's has none"),
    ("$[].duration", "trigger jobs in the sample do not count their time"),
    ("$[].queued_duration", "trigger jobs in the sample do not count their time"),
    ("$[].finished_at", "the sample's jobs still run"),
    ("$[].started_at", "a job that never started has no such time"),
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Compares shapes; the path of every difference goes into `differences`.
fn compare(path: &str, sample: &Value, ours: &Value, differences: &mut Vec<String>) {
    match (sample, ours) {
        (Value::Object(sample), Value::Object(ours)) => {
            for (key, value) in sample {
                match ours.get(key) {
                    Some(our) => compare(&format!("{path}.{key}"), value, our, differences),
                    None => differences.push(format!("{path}.{key} is missing")),
                }
            }
            for key in ours.keys().filter(|key| !sample.contains_key(*key)) {
                differences.push(format!("{path}.{key} is not GitLab's"));
            }
        }
        (Value::Array(sample), Value::Array(ours)) => {
            for (sample, ours) in sample.iter().zip(ours) {
                compare(&format!("{path}[]"), sample, ours, differences);
            }
        }
        _ if kind(sample) == kind(ours) || ALLOWED.iter().any(|(allowed, _)| *allowed == path) => {}
        _ => differences.push(format!("{path} is {} instead of {}", kind(ours), kind(sample))),
    }
}

#[track_caller]
fn same_shape(name: &str, ours: &Value) {
    let mut differences = Vec::new();
    compare("$", &sample(name), ours, &mut differences);
    assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
}

#[test]
fn a_difference_is_found_on_every_level() {
    let mut found = Vec::new();
    compare("$", &json!({"a": [{"b": 1, "c": null}]}), &json!({"a": [{"b": "1", "d": null}]}), &mut found);
    assert_eq!(found, ["$.a[].b is string instead of number", "$.a[].c is missing", "$.a[].d is not GitLab's"]);
}

#[tokio::test]
async fn pipelines_have_gitlabs_shape() {
    let server = Server::start().await;
    same_shape("pipelines_list.json", &server.get("pipelines?per_page=2").await.json());
    let running = server.nightly().await["id"].as_u64().unwrap();
    same_shape("pipeline_get.json", &server.get(&format!("pipelines/{running}")).await.json());
    same_shape("pipeline_get.json", &server.get("pipelines/latest?ref=develop").await.json());
}

#[tokio::test]
async fn jobs_have_gitlabs_shape() {
    let server = Server::start().await;
    let (child, _) = server.biggest_child().await;
    let waiting = server.jobs(child, "created").await.remove(0);
    // The sample's failed job keeps an archive; our generate jobs are those that do.
    let failed = server.jobs(child, "failed").await.remove(0);
    let parent = server.nightly().await["id"].as_u64().unwrap();
    let mut generate = server.jobs(parent, "success").await.remove(0);
    generate["failure_reason"] = failed["failure_reason"].clone();
    same_shape("pipeline_jobs_list.json", &json!([waiting, generate]));
    let mut single = server.get(&format!("jobs/{}", generate["id"])).await.json();
    single["failure_reason"] = failed["failure_reason"].clone();
    same_shape("job_get.json", &single);
    assert!(failed["failure_reason"].is_string() && waiting.get("failure_reason").is_none());
}

#[tokio::test]
async fn trigger_jobs_have_gitlabs_shape_under_both_names() {
    let server = Server::start().await;
    let (_, with_child) = server.biggest_child().await;
    let history = server.get("pipelines?status=canceled&per_page=100").await.json();
    let mut childless = Value::Null;
    for pipeline in history.as_array().unwrap() {
        let bridges = server.get(&format!("pipelines/{}/bridges", pipeline["id"])).await.json();
        let waits = |b: &&Value| b["downstream_pipeline"].is_null();
        childless = bridges.as_array().unwrap().iter().find(waits).cloned().unwrap_or_default();
        if !childless.is_null() {
            break;
        }
    }
    same_shape("pipeline_trigger_jobs_list.json", &json!([with_child, childless]));
}

#[tokio::test]
async fn runners_have_gitlabs_shape() {
    let server = Server::start().await;
    let list = server.get("/api/v4/runners/all?per_page=100").await.json();
    let id = list[0]["id"].as_u64().unwrap();
    same_shape("runner_get.json", &server.get(&format!("/api/v4/runners/{id}")).await.json());
    assert!(list[0].get("tag_list").is_none(), "lists do not tell tags");
}

#[tokio::test]
async fn errors_are_gitlabs_to_the_letter() {
    let server = Server::start().await;
    let reader = server.running.read_token.clone();
    for (name, status, reply) in [
        ("error_401.json", 401, server.anonymous("jobs").await),
        ("error_404.json", 404, server.get("/api/v4/projects/no%2Fsuch").await),
        ("error_403_scope.json", 403, server.post_json("pipelines/1/retry", Some(&reader), &json!({})).await),
        (
            "pipeline_create_400.json",
            400,
            server.post_json("pipeline", Some(&server.running.token), &json!({"ref": "gone"})).await,
        ),
    ] {
        assert_eq!((reply.status, reply.json()), (status, sample(name)), "{name}");
    }
}

#[tokio::test]
async fn graphql_answers_have_gitlabs_shape() {
    let server = Server::start().await;
    let (child, _) = server.biggest_child().await;
    let iid = server.get(&format!("pipelines/{child}")).await.json()["iid"].to_string();
    let mut ours = crate::graphql::jobs_page(&server, &iid, 20, &["CREATED"]).await;
    let nodes = ours["data"]["project"]["pipeline"]["jobs"]["nodes"].as_array_mut().unwrap();
    nodes.retain(|job| !job["needs"]["nodes"].as_array().unwrap().is_empty());
    assert!(!nodes.is_empty());
    let shape = sample("graphql_jobs_page.json");
    let mut differences = Vec::new();
    compare("$", &shape, &ours, &mut differences);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(ours["data"]["queryComplexity"]["limit"], 250);
}
