//! The practice cluster's API, held to what a real API server answered, and the real adapter against it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stackhand::adapters::clock::SystemClock;
use stackhand::adapters::kube::{Access, Allowed, Change, Cluster, Kind, Phase, Run, Settings, Update};
use stackhand::ci::Status;
use stackhand::sandbox::{Fault, FaultKind, OPENING, Options, Running, Sandbox, Scenario, WatchEnd};
use tokio::sync::mpsc;
use tokio::time::timeout;

const PODS: &str = "/api/v1/namespaces/pipeline/pods";

struct Api {
    running: Running,
    client: reqwest::Client,
}

impl Api {
    async fn start(scenario: Scenario) -> Self {
        let options = Options { speed: 0.0, jobs: 800, scenario, ..Options::default() };
        Self { running: Sandbox::start(options).await.unwrap(), client: reqwest::Client::new() }
    }

    fn later(&self, seconds: i64) {
        self.running.world(|world| world.advance_to(world.now().shifted(seconds * 1_000)));
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let kube = &self.running.kubernetes;
        self.client.request(method, format!("{}{path}", kube.url)).bearer_auth(&kube.token)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, path)).await
    }

    /// The lines of a watch that ends by itself.
    async fn watch(&self, path: &str) -> Vec<Value> {
        let text = self.request(Method::GET, path).send().await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn adapter(&self, name: &str) -> Cluster {
        let path = std::env::temp_dir().join(format!("stackhand-contract-{}-{name}", std::process::id()));
        std::fs::write(&path, self.running.kubernetes.kubeconfig(true)).unwrap();
        let access = Access::File { path: path.clone(), context: None };
        let settings = Settings { backoff: Duration::from_millis(20), ..Settings::new(access) };
        let cluster = Cluster::new(settings, Arc::new(SystemClock)).await.unwrap();
        std::fs::remove_file(path).unwrap();
        cluster
    }

    /// A pod that runs, as JSON.
    async fn running_pod(&self) -> Value {
        let list = self.get(&format!("{PODS}?fieldSelector=status.phase%3DRunning")).await.1;
        list["items"][0].clone()
    }
}

fn recorded(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters/kube/testdata").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let body = text.find("\n{").or_else(|| text.starts_with('{').then_some(0)).unwrap();
    serde_json::from_str(text[body..].trim()).unwrap()
}

/// Every path of an object with the type that lies there. What keys of maps are called does not matter.
fn shape(value: &Value, at: &str, all: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => return,
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    all.insert(at.to_owned(), kind);
    match value {
        Value::Array(items) => items.iter().for_each(|item| shape(item, &format!("{at}[]"), all)),
        Value::Object(fields) => {
            let is_map = ["labels", "annotations", "matchLabels", "nodeSelector"].iter().any(|map| at.ends_with(map));
            for (key, value) in fields.iter().filter(|(key, _)| *key != "managedFields") {
                shape(value, &if is_map { format!("{at}.*") } else { format!("{at}.{key}") }, all);
            }
        }
        _ => {}
    }
}

fn shapes<'a>(values: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, &'static str> {
    let mut all = BTreeMap::new();
    values.into_iter().for_each(|value| shape(value, "", &mut all));
    all
}

/// What is there in both has one type, and `theirs` lacks nothing of `ours` but what is named.
fn compare(ours: &BTreeMap<String, &'static str>, theirs: &BTreeMap<String, &'static str>, own: &[&str]) {
    for (path, kind) in ours {
        match theirs.get(path) {
            Some(other) => assert_eq!(kind, other, "{path}"),
            None => {
                assert!(own.iter().any(|own| path.starts_with(own)), "{path} is not in what a real server answered");
            }
        }
    }
}

#[tokio::test]
async fn pods_have_the_shape_of_those_of_a_real_server() {
    let api = Api::start(Scenario::Busy).await;
    let ours = api.get(&format!("{PODS}?labelSelector=spack.io%2Frunner%3Dtrue")).await.1;
    let theirs = recorded("pods-limit2.json");
    assert_eq!((&ours["kind"], &ours["apiVersion"]), (&theirs["kind"], &theirs["apiVersion"]));
    let items = ours["items"].as_array().unwrap();
    assert!(items.len() > 5 && items[0].get("kind").is_none(), "items of the core do not say what they are");
    // A running pod says more than the two ended ones that were recorded.
    let own = [
        ".spec.nodeSelector",
        ".status.podIP",
        ".status.hostIP",
        ".status.containerStatuses[].state.running",
        ".status.containerStatuses[].state.waiting",
        ".status.conditions[].message",
        ".status.reason",
        ".status.message",
        ".metadata.deletion",
        ".spec.tolerations[].value",
    ];
    let (ours, theirs) = (shapes(items), shapes(theirs["items"].as_array().unwrap()));
    compare(&ours, &theirs, &own);
    for needed in [".metadata.labels.*", ".metadata.annotations.*", ".spec.affinity.nodeAffinity", ".status.qosClass"] {
        assert!(ours.contains_key(needed) && theirs.contains_key(needed), "{needed}");
    }
}

/// The samples beside the repository, where they are there: all of them were accepted by a real server.
#[tokio::test]
async fn nodes_claims_and_pools_have_the_shape_of_the_samples() {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/k8s");
    if !beside.exists() {
        println!("skipped: {} not found", beside.display());
        return;
    }
    let api = Api::start(Scenario::Outage).await;
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(beside.join(name)).unwrap()).unwrap() };
    let given = [".metadata.uid", ".metadata.resourceVersion", ".metadata.creationTimestamp", ".metadata.generation"];
    let karpenters = [
        ".metadata.ownerReferences",
        ".metadata.deletion",
        ".spec.startupTaints",
        ".status.capacity",
        ".status.allocatable",
    ];
    for (path, name, own) in [
        (
            "/api/v1/nodes",
            "samples/nodes.json",
            &[
                ".status.daemonEndpoints",
                ".metadata.deletion",
                ".spec.unschedulable",
                ".spec.taints[].timeAdded",
                ".apiVersion",
                ".kind",
            ][..],
        ),
        ("/apis/karpenter.sh/v1/nodeclaims", "samples/nodeclaims.json", &karpenters[..]),
        ("/api/v1/events", "samples/events.json", &[".source.host", ".involvedObject.uid", ".eventTime"][..]),
    ] {
        let ours = api.get(path).await.1;
        let own: Vec<&str> = given.iter().chain(own).copied().collect();
        compare(&shapes(ours["items"].as_array().unwrap()), &shapes(read(name)["items"].as_array().unwrap()), &own);
    }
    let ours = api.get("/apis/karpenter.sh/v1/nodepools").await.1;
    let pool =
        ours["items"].as_array().unwrap().iter().find(|pool| pool["metadata"]["name"] == "glr-x86-64-v3").unwrap();
    compare(&shapes([pool]), &shapes([&read("api/nodepool.get.json")]), &[".status.resources.pods"]);
}

#[tokio::test]
async fn refusals_are_those_of_a_real_server() {
    let api = Api::start(Scenario::Calm).await;
    let kube = api.running.kubernetes.clone();
    let without = api.send(api.client.get(format!("{}/api/v1/nodes", kube.url))).await;
    assert_eq!(without, (401, recorded("nodes.401.http.txt")));
    let nope = |recording: &str, name: &str| recorded(recording).to_string().replace(name, "nope");
    let (status, told) = api.get(&format!("{PODS}/nope")).await;
    assert_eq!((status, told.to_string()), (404, nope("pod.404.http.txt", "nope")));
    let reader = api.client.delete(format!("{}{PODS}/x", kube.url)).bearer_auth(&kube.read_token);
    assert_eq!(api.send(reader).await, (403, recorded("delete-pod.403.http.txt")));
    assert_eq!(api.get("/apis/metrics.k8s.io/v1beta1/nodes").await, (404, json!("404 page not found\n")));
    let pod = api.running_pod().await;
    let name = pod["metadata"]["name"].as_str().unwrap();
    let wrong = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    let (status, told) = api.send(api.request(Method::DELETE, &format!("{PODS}/{name}")).json(&wrong)).await;
    let real = recorded("delete-pod.409-uid-precondition.http.txt");
    assert_eq!((status, &told["reason"], &told["details"]["kind"]), (409, &real["reason"], &real["details"]["kind"]));
    assert!(told["message"].as_str().unwrap().ends_with("The object might have been deleted and then recreated"));
    assert_eq!(shapes([&told]), shapes([&real]));
    for (method, path, status, reason) in [
        (Method::POST, PODS, 405, "MethodNotAllowed"),
        (Method::PUT, "/api/v1/nodes/a", 405, "MethodNotAllowed"),
        (Method::DELETE, "/api/v1/nodes/a", 405, "MethodNotAllowed"),
        (Method::DELETE, "/api/v1/namespaces/gitlab/pods/a", 403, "Forbidden"),
        (Method::GET, "/api/v1/namespaces/gitlab/secrets", 403, "Forbidden"),
        (Method::GET, "/api/v1/namespaces/pipeline/pods/a/log", 403, "Forbidden"),
        (Method::GET, "/apis/karpenter.sh/v1/rockets", 404, "NotFound"),
        (Method::PATCH, "/api/v1/nodes/a", 415, "UnsupportedMediaType"),
        (Method::GET, "/api/v1/nodes?fieldSelector=spec.taints%3Da", 400, "BadRequest"),
        (Method::GET, "/api/v1/nodes?continue=x", 400, "BadRequest"),
    ] {
        let (got, told) = api.send(api.request(method.clone(), path)).await;
        assert_eq!(
            (got, told["reason"].as_str(), told["kind"].as_str()),
            (status, Some(reason), Some("Status")),
            "{method} {path}: {told}"
        );
        assert_eq!(told["code"], status);
    }
    assert_eq!(api.running.kube_mutations().1, 0, "nothing was changed");
    assert!(api.running.kube_mutations().0 >= 6);
}

#[tokio::test]
async fn pages_show_one_state_and_old_ones_expire() {
    let api = Api::start(Scenario::Busy).await;
    let all = api.get(PODS).await.1;
    let names = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut page = api.get(&format!("{PODS}?limit=3")).await.1;
    assert_eq!(page["metadata"]["remainingItemCount"].as_u64().unwrap() as usize, names(&all).len() - 3);
    let first = page["metadata"]["continue"].as_str().unwrap().to_owned();
    let mut found = names(&page);
    // The world moves on between pages, and the list does not.
    while let Some(token) = page["metadata"]["continue"].as_str().map(str::to_owned) {
        api.later(20);
        page = api.get(&format!("{PODS}?limit=3&continue={token}")).await.1;
        assert_eq!(page["metadata"]["resourceVersion"], all["metadata"]["resourceVersion"]);
        found.extend(names(&page));
    }
    assert_eq!(found, names(&all));
    api.running.kube_end_watches(WatchEnd::Expired);
    let (status, told) = api.get(&format!("{PODS}?limit=3&continue={first}")).await;
    let real = recorded("list-continue-expired.410.http.txt");
    assert_eq!((status, &told["message"], &told["reason"]), (410, &real["message"], &real["reason"]));
    let fresh = told["metadata"]["continue"].as_str().unwrap();
    assert_eq!(api.get(&format!("{PODS}?limit=3&continue={fresh}")).await.0, 200);
    let selected = api.get(&format!("{PODS}?limit=1&labelSelector=spack.io%2Frunner%3Dtrue")).await.1;
    assert!(selected["metadata"]["remainingItemCount"].is_null() && selected["metadata"]["continue"].is_string());
}

#[tokio::test]
async fn watches_begin_go_on_and_end_as_real_ones_do() {
    let api = Api::start(Scenario::Busy).await;
    let version = api.get(PODS).await.1["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    api.later(120);
    let path = format!("{PODS}?watch=1&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=1");
    let events = api.watch(&path).await;
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"ADDED") && kinds.contains(&"MODIFIED") && kinds.contains(&"DELETED"), "{kinds:?}");
    let last = events.last().unwrap();
    assert_eq!((last["type"].as_str(), last["object"]["kind"].as_str()), (Some("BOOKMARK"), Some("Pod")));
    assert!(events.iter().all(|event| event["object"]["kind"] == "Pod" && event["object"]["apiVersion"] == "v1"));
    // A pod that goes is marked first.
    let gone = events.iter().rfind(|event| event["type"] == "DELETED").unwrap();
    let marked = events.iter().find(|event| {
        event["type"] == "MODIFIED"
            && event["object"]["metadata"]["uid"] == gone["object"]["metadata"]["uid"]
            && event["object"]["metadata"]["deletionTimestamp"].is_string()
    });
    assert!(marked.is_some());
    // What was listed and what was watched lead to the same.
    let initial =
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1";
    let events = api.watch(&format!("{PODS}?{initial}")).await;
    let added = events.iter().take_while(|event| event["type"] == "ADDED").count();
    assert_eq!(added, api.get(PODS).await.1["items"].as_array().unwrap().len());
    assert_eq!(events[added]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    // From too long ago: 200, and an error in the stream.
    api.running.kube_end_watches(WatchEnd::Expired);
    let events = api.watch(&path).await;
    let real = recorded("watch-too-old.410.http.txt");
    assert_eq!((events.len(), &events[0]["type"]), (1, &real["type"]));
    assert_eq!(shapes([&events[0]]), shapes([&real]));
    assert_eq!(events[0]["object"]["code"], 410);
    let ahead = api.get(&format!("{PODS}?watch=1&resourceVersion=999999999999")).await;
    assert_eq!((ahead.0, ahead.1["reason"].as_str()), (504, Some("Timeout")));
}

#[tokio::test]
async fn tables_have_the_columns_that_kubectl_shows() {
    let api = Api::start(Scenario::Busy).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
    for (path, wanted) in [
        ("/api/v1/nodes", "Name Status Roles Age Version"),
        ("/api/v1/pods", "Name Ready Status Restarts Age"),
        ("/apis/karpenter.sh/v1/nodeclaims", "Name Type Capacity Zone Node Ready Age"),
        ("/apis/karpenter.sh/v1/nodepools", "Name NodeClass Nodes Ready Age"),
        ("/api/v1/events", "Last Seen Type Reason Object Message"),
        ("/api/v1/namespaces", "Name Status Age"),
        ("/apis/karpenter.k8s.aws/v1/ec2nodeclasses", "Name Ready Age"),
    ] {
        let table = api.send(api.request(Method::GET, path).header("accept", accept)).await.1;
        assert_eq!((table["kind"].as_str(), table["apiVersion"].as_str()), (Some("Table"), Some("meta.k8s.io/v1")));
        let columns = table["columnDefinitions"].as_array().unwrap();
        let shown: Vec<&str> = columns
            .iter()
            .filter(|column| column["priority"] == 0)
            .map(|column| column["name"].as_str().unwrap())
            .collect();
        assert_eq!(shown.join(" "), wanted);
        let rows = table["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{path}");
        for row in rows {
            assert_eq!(row["cells"].as_array().unwrap().len(), columns.len());
            assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
        }
    }
}

async fn next(updates: &mut mpsc::Receiver<Update>) -> Update {
    timeout(Duration::from_secs(20), updates.recv()).await.unwrap().unwrap()
}

/// Waits until an update is what is looked for.
async fn until<R>(updates: &mut mpsc::Receiver<Update>, found: impl Fn(Update) -> Option<R>) -> R {
    loop {
        if let Some(result) = found(next(updates).await) {
            return result;
        }
    }
}

#[tokio::test]
async fn the_adapter_lists_and_follows_through_every_end_of_a_watch() {
    let api = Api::start(Scenario::Busy).await;
    let cluster = api.adapter("follow").await;
    assert!(cluster.has_karpenter().await.unwrap());
    for kind in [Kind::Nodes, Kind::Events, Kind::NodePools, Kind::NodeClaims] {
        assert!(!cluster.list(&kind).await.unwrap().is_empty(), "{kind}");
    }
    let pods = Kind::Pods { namespace: "pipeline".to_owned(), labels: Some("spack.io/runner=true".to_owned()) };
    let (out, mut updates) = mpsc::channel(4_096);
    let follower = tokio::spawn({
        let (cluster, pods) = (cluster.clone(), pods.clone());
        async move { cluster.follow(pods, out).await }
    });
    let is_live = |update| match update {
        Update::State(state) => matches!(state.phase, Phase::Live { .. }).then_some(state.restarts),
        Update::Change(_) => None,
    };
    until(&mut updates, is_live).await;
    api.later(60);
    until(&mut updates, |update| matches!(update, Update::Change(Change::Applied(_))).then_some(())).await;
    api.running.kube_end_watches(WatchEnd::Closed);
    // Once when it ended, once when it is open again.
    for _ in 0..2 {
        until(&mut updates, |update| is_live(update).filter(|restarts| restarts.closed == 1)).await;
    }
    api.running.kube_end_watches(WatchEnd::Broken);
    until(&mut updates, |update| is_live(update).filter(|restarts| restarts.error == 1)).await;
    api.running.kube_end_watches(WatchEnd::Expired);
    until(&mut updates, |update| is_live(update).filter(|restarts| restarts.expired == 1)).await;
    until(&mut updates, |update| matches!(update, Update::Change(Change::Reset(_))).then_some(())).await;
    until(&mut updates, is_live).await;
    // Faults at the door are waited out.
    api.running.kube_fault(Fault::new(FaultKind::ServerError).on("watch=1").times(2));
    api.running.kube_end_watches(WatchEnd::Closed);
    until(&mut updates, |update| is_live(update).filter(|restarts| restarts.closed == 2)).await;
    until(&mut updates, |update| is_live(update).filter(|restarts| restarts.error == 3)).await;
    follower.abort();
}

#[tokio::test]
async fn the_adapter_cordons_a_node_and_deletes_a_pod_whose_job_then_fails() {
    let api = Api::start(Scenario::Calm).await;
    let cluster = api.adapter("act").await;
    let allowed = Allowed::by_configuration(true).unwrap();
    let pod = api.running_pod().await;
    let (node, name) = (pod["spec"]["nodeName"].as_str().unwrap(), pod["metadata"]["name"].as_str().unwrap());
    let job: u64 = pod["metadata"]["annotations"]["job.runner.gitlab.com/id"].as_str().unwrap().parse().unwrap();
    let nodes = cluster.list(&Kind::Nodes).await.unwrap();
    let node = nodes.into_iter().find(|object| object.id.name == node).unwrap();
    assert_eq!(cluster.cordon(allowed, &node.id, Run::Dry).await.unwrap().json()["spec"]["unschedulable"], true);
    assert_eq!(api.running.kube_mutations(), (1, 0), "a dry run changes nothing");
    cluster.cordon(allowed, &node.id, Run::Real).await.unwrap();
    let now = api.get(&format!("/api/v1/nodes/{}", node.id.name)).await.1;
    assert_eq!(now["spec"]["unschedulable"], true);
    let keys: Vec<&str> =
        now["spec"]["taints"].as_array().unwrap().iter().map(|taint| taint["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"node.kubernetes.io/unschedulable"));
    cluster.uncordon(allowed, &node.id, Run::Real).await.unwrap();
    assert!(api.get(&format!("/api/v1/nodes/{}", node.id.name)).await.1["spec"]["unschedulable"].is_null());
    let pods = Kind::Pods { namespace: "pipeline".to_owned(), labels: None };
    let id = cluster.list(&pods).await.unwrap().into_iter().find(|object| object.id.name == name).unwrap().id;
    let other = stackhand::adapters::kube::Id { uid: "another".to_owned(), ..id.clone() };
    assert!(cluster.delete_pod(allowed, &other, Run::Real).await.is_err());
    cluster.delete_pod(allowed, &id, Run::Dry).await.unwrap();
    assert_eq!(api.get(&format!("{PODS}/{name}")).await.0, 200);
    cluster.delete_pod(allowed, &id, Run::Real).await.unwrap();
    assert_eq!(api.get(&format!("{PODS}/{name}")).await.0, 404);
    let job = stackhand::ci::JobId(job);
    let status = api.running.world(|world| world.job(job).unwrap().status);
    assert_eq!(status, Status::Failed);
    assert!(cluster.delete_pod(allowed, &id, Run::Real).await.is_err());
    assert_eq!(api.running.kube_mutations().1, 3);
}

#[tokio::test]
async fn misbehaviour_is_that_of_an_api_server() {
    let api = Api::start(Scenario::Calm).await;
    for (kind, status, reason) in [
        (FaultKind::ServerError, 500, "InternalError"),
        (FaultKind::SlowDown, 503, "ServiceUnavailable"),
        (FaultKind::Forbidden, 403, "Forbidden"),
        (FaultKind::Expired, 410, "Expired"),
        (FaultKind::TooManyRequests(1), 429, "TooManyRequests"),
    ] {
        api.running.kube_fault(Fault::new(kind).on("/nodes").times(1));
        let (got, told) = api.get("/api/v1/nodes").await;
        assert_eq!((got, told["reason"].as_str()), (status, Some(reason)));
    }
    api.running.kube_fault(Fault::new(FaultKind::Drop).on("/nodes").times(1));
    // It may break before anybody saw its beginning.
    if let Ok(response) = api.request(Method::GET, "/api/v1/nodes").send().await {
        assert!(response.bytes().await.is_err());
    }
    api.running.kube_fault(Fault::new(FaultKind::Stall).on("watch=1").times(1));
    let stalled = api.request(Method::GET, "/api/v1/nodes?watch=1").send().await.unwrap();
    assert!(timeout(Duration::from_millis(300), stalled.bytes()).await.is_err());
    assert_eq!(api.get("/api/v1/nodes").await.0, 200);
    assert_eq!(api.running.world(|world| world.now()), OPENING);
}
