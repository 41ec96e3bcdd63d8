//! The fleet, from a Kubernetes API alone: invented objects of the shape of the real ones, over a socket.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::stage::{Stage, send_signal};

/// The objects of one kind, with the versions that a server gives them.
fn list(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/fleet/testdata/{name}.json"));
    let mut list: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (nth, item) in list["items"].as_array_mut().unwrap().iter_mut().enumerate() {
        item["metadata"]["resourceVersion"] = json!(nth.to_string());
        if item["metadata"]["uid"].is_null() {
            item["metadata"]["uid"] = json!(format!("{name}-{nth}"));
        }
    }
    list["metadata"] = json!({"resourceVersion": "1000"});
    list
}

fn refused() -> (u16, Value) {
    let said = json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"});
    (403, said)
}

/// Serves a cluster for the rest of the process; `answer` gives a status and a body for a path.
fn serve(answer: impl Fn(&str) -> (u16, Value) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            for line in lines.by_ref() {
                if line.unwrap().is_empty() {
                    break;
                }
            }
            let path = first.split(' ').nth(1).unwrap_or_default();
            let (status, body) = answer(path.split('?').next().unwrap());
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close");
            // Whoever asked may be gone.
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{address}")
}

fn cluster(path: &str) -> (u16, Value) {
    match path {
        "/apis" => {
            let group =
                json!({"name": "karpenter.sh", "versions": [{"groupVersion": "karpenter.sh/v1", "version": "v1"}]});
            (200, json!({"kind": "APIGroupList", "groups": [group]}))
        }
        "/api/v1/nodes" => (200, list("nodes")),
        "/api/v1/namespaces/pipeline/pods" => (200, list("pods")),
        "/api/v1/events" => (200, list("events")),
        "/apis/karpenter.sh/v1/nodepools" => (200, list("nodepools")),
        "/apis/karpenter.sh/v1/nodeclaims" => (200, list("nodeclaims")),
        _ => (404, json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": path})),
    }
}

fn kubeconfig(stage: &Stage, url: &str) -> String {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: c, cluster: {{server: '{url}'}}}}]\n\
         contexts: [{{name: a, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: canary-token}}}}]\n"
    );
    stage.write("kubeconfig", &text).display().to_string()
}

#[test]
fn everything_is_joined_or_says_why_not() {
    let stage = Stage::bare();
    let config = kubeconfig(&stage, &serve(cluster));
    let told = stage.run(&["fleet", "--kubeconfig", &config, "--json"]).document("stackhand.fleet/1");
    assert_eq!((told["complete"].as_bool(), told["pods"].as_array().unwrap().len()), (Some(true), 12), "{told}");
    assert_eq!((told["nodes"].as_array().unwrap().len(), told["pools"].as_array().unwrap().len()), (10, 6));
    let nodes: Vec<&str> =
        told["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    for pod in told["pods"].as_array().unwrap() {
        let missing: Vec<&str> =
            pod["missing"].as_array().unwrap().iter().map(|gap| gap["link"].as_str().unwrap()).collect();
        assert!(pod["job"].is_u64() || missing.contains(&"job"), "{pod}");
        // A node is there, or its absence has a name.
        let is_there = pod["node"].as_str().is_some_and(|node| nodes.contains(&node));
        assert!(is_there || missing.contains(&"node"), "{pod}");
        // GitLab was not asked.
        assert!(missing.contains(&"runner"), "{pod}");
        if pod["state"] == "pending" || pod["state"] == "unschedulable" {
            assert!(pod["pending"]["words"].is_string(), "{pod}");
            // Nothing tells how long a runner waits for what has no age.
            assert_eq!(pod["pending"]["left_s"].is_i64(), pod["age_s"].is_u64(), "{pod}");
        }
    }
    let running: u64 = told["classes"].as_array().unwrap().iter().map(|class| class["running"].as_u64().unwrap()).sum();
    assert_eq!(running, 9, "three of the pods are over");
    let text = stage.run(&["fleet", "--kubeconfig", &config]);
    assert!(text.code == 0 && text.out.contains("RUNNER WAITS") && text.out.contains("runner-"), "{}", text.out);
    assert!(!text.out.contains("canary-token") && !text.out.contains('\u{1b}'));
}

#[test]
fn what_may_not_be_read_is_unknown_and_named() {
    let stage = Stage::bare();
    let url = serve(|path| if path == "/api/v1/nodes" { refused() } else { cluster(path) });
    let ended = stage.run(&["fleet", "--kubeconfig", &kubeconfig(&stage, &url), "--json"]);
    ended.failed(4, "nodes");
    let no_pods = serve(|path| if path.ends_with("/pods") { refused() } else { cluster(path) });
    let blind = stage.run(&["fleet", "--kubeconfig", &kubeconfig(&stage, &no_pods), "--json"]).json();
    assert!(blind["nodes"][0]["jobs"].is_null() && blind["nodes"][0]["cpu"]["requested"].is_null(), "{blind}");
    assert!(blind["nodes"][0]["cpu"]["allocatable"].is_string());
    let told = ended.json();
    assert_eq!(told["complete"], false);
    let source = |name: &str| told["sources"].as_array().unwrap().iter().find(|s| s["source"] == name).unwrap().clone();
    assert!(source("nodes")["objects"].is_null() && source("nodes")["error"].is_string(), "{told}");
    assert_eq!(source("pods")["objects"], 12);
    let placed = told["pods"].as_array().unwrap().iter().find(|pod| pod["node"].is_string()).unwrap();
    let why = placed["missing"].as_array().unwrap().iter().find(|gap| gap["link"] == "node").unwrap();
    assert_eq!(why["why"], "no nodes were listed yet", "not known is not gone");
}

#[test]
fn what_is_there_and_cannot_be_used_is_not_called_gone() {
    let stage = Stage::bare();
    let url = serve(|path| match path {
        "/api/v1/nodes" => {
            let mut nodes = list("nodes");
            nodes["items"].as_array_mut().unwrap().iter_mut().for_each(|node| node["kind"] = json!("Secret"));
            (200, nodes)
        }
        _ => cluster(path),
    });
    let ended = stage.run(&["fleet", "--kubeconfig", &kubeconfig(&stage, &url), "--json"]);
    ended.failed(4, "nodes: 10 objects could not be read");
    assert!(ended.out.contains("no nodes were listed yet") && !ended.out.contains("is not in the cluster any more"));
}

#[test]
fn a_cluster_without_karpenter_is_whole() {
    let stage = Stage::bare();
    let url = serve(|path| match path {
        "/apis" => (200, json!({"kind": "APIGroupList", "groups": []})),
        _ => cluster(path),
    });
    let config = kubeconfig(&stage, &url);
    let told = stage.run(&["fleet", "--kubeconfig", &config, "--json"]).document("stackhand.fleet/1");
    assert_eq!((told["karpenter"].as_bool(), told["complete"].as_bool()), (Some(false), Some(true)), "{told}");
    assert!(stage.run(&["fleet", "--kubeconfig", &config]).err.contains("no Karpenter"));
    // Whether there is one may not be known; the rest still is.
    let url = serve(|path| if path == "/apis" { refused() } else { cluster(path) });
    let ended = stage.run(&["fleet", "--kubeconfig", &kubeconfig(&stage, &url), "--json"]);
    ended.failed(4, "API groups");
    assert!(ended.json()["karpenter"].is_null() && ended.json()["pods"].as_array().unwrap().len() == 12);
}

#[test]
fn no_program_is_run_to_log_in_unless_that_is_allowed() {
    let stage = Stage::bare();
    let mark = stage.path("ran");
    let text = std::fs::read_to_string(kubeconfig(&stage, &serve(cluster))).unwrap();
    let exec = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ['{mark}'], interactiveMode: Never}}}}"
    );
    let config = stage.write("exec", &text.replace("{token: canary-token}", &exec)).display().to_string();
    let ended = stage.run(&["fleet", "--kubeconfig", &config]);
    assert!(ended.code != 0 && ended.err.contains("running `touch`, which is not allowed"), "{}", ended.err);
    assert!(!Path::new(&mark).exists());
    // It is run now, and gives no credentials.
    let ended = stage.run(&["fleet", "--kubeconfig", &config, "--allow-login"]);
    assert!(ended.code != 0 && Path::new(&mark).exists(), "{}", ended.err);
}

#[test]
fn without_a_cluster_it_says_what_to_do() {
    let stage = Stage::bare();
    let ended = stage.run(&["fleet", "--kubeconfig", &stage.path("nowhere")]);
    assert!(ended.code != 0 && ended.err.contains("nowhere"), "{}", ended.err);
    let config = kubeconfig(&stage, "http://127.0.0.1:1");
    let ended = stage.run(&["fleet", "--kubeconfig", &config, "--json"]);
    assert!(ended.code == 4 && ended.out.is_empty(), "{} {}", ended.code, ended.err);
    assert!(!ended.err.contains("canary-token"));
    let odd = stage.write("odd", "[1, 2").display().to_string();
    assert!(stage.run(&["fleet", "--kubeconfig", &odd]).code != 0);
    assert!(stage.run(&["fleet"]).code != 0, "this is no pod");
}

#[test]
fn the_practice_cluster_is_read_as_it_is_served() {
    let stage = Stage::bare();
    let asked = ["demo", "--serve", "--jobs", "800", "--scenario", "outage", "--speed", "0"];
    let mut child = stage.command(&asked).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let mut files = Vec::new();
    for key in ["kubeconfig", "read_kubeconfig"] {
        let path = told["kubernetes"][key].as_str().unwrap().to_owned();
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
        let fleet = stage.run(&["fleet", "--kubeconfig", &path, "--json"]).document("stackhand.fleet/1");
        assert_eq!((fleet["complete"].as_bool(), fleet["karpenter"].as_bool()), (Some(true), Some(true)), "{fleet}");
        let nodes = fleet["nodes"].as_array().unwrap();
        assert_eq!(fleet["pools"].as_array().unwrap().len(), 10);
        let pods = fleet["pods"].as_array().unwrap();
        assert!(nodes.len() > 5 && pods.len() > 2, "{fleet}");
        // Every pod knows its job, and what runs has a node, a claim and a pool.
        for pod in pods {
            assert!(pod["job"].is_u64(), "{pod}");
            if pod["state"] == "running" {
                let gaps: Vec<&str> =
                    pod["missing"].as_array().unwrap().iter().map(|gap| gap["link"].as_str().unwrap()).collect();
                assert!(pod["node"].is_string() && !gaps.contains(&"claim") && !gaps.contains(&"pool"), "{pod}");
            }
        }
        files.push(path);
    }
    send_signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(files.iter().all(|path| !Path::new(path).exists()), "the files are gone");
}
