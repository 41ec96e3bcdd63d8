use super::*;

fn pods() -> Kind {
    Kind::Pods { namespace: "pipeline".to_owned(), labels: Some("spack.io/runner=true".to_owned()) }
}

/// A recorded page, with another `continue` in it.
fn recorded_page(next: &str) -> Value {
    let mut page: Value = serde_json::from_str(include_str!("../testdata/pods-limit2.json")).unwrap();
    page["metadata"]["continue"] = next.into();
    page
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let last = page("473", "", &[node("third", "u3", "9")]);
    let server = play(vec![ok(&recorded_page("a b+c/=")), ok(&last)], vec![]).await;
    let objects = cluster(&server).await.list(&pods()).await.unwrap();
    assert_eq!(objects.len(), 3);
    let first = &objects[0];
    assert_eq!(first.id.name, "runner-t1aa0bb1-project-57-concurrent-206-19c008b7");
    assert_eq!((&*first.id.uid, &*first.id.namespace), ("4bc813e9-f44a-4d52-947f-7b95b90b87c7", "pipeline"));
    assert_eq!(first.version, "441");
    assert_eq!(first.json()["metadata"]["labels"]["gitlab/ci_job_size"], "huge");
    assert!(objects.iter().all(|object| object.json()["metadata"].get("managedFields").is_none()));
    let seen = server.seen();
    let lines: Vec<_> = seen.iter().map(|request| request.lines().next().unwrap()).collect();
    let path = "GET /api/v1/namespaces/pipeline/pods?labelSelector=spack.io%2Frunner%3Dtrue&limit=500";
    assert_eq!(lines, [format!("{path} HTTP/1.1"), format!("{path}&continue=a%20b%2Bc%2F%3D HTTP/1.1")]);
    assert!(
        seen[0].contains("authorization: Bearer canary") && seen[0].contains("user-agent: stackhand/"),
        "{}",
        seen[0]
    );
}

#[tokio::test]
async fn a_list_that_goes_too_old_is_begun_anew() {
    let expired = || recorded(include_str!("../testdata/list-continue-expired.410.http.txt"));
    let first = || ok(&page("1", "more", &[node("old", "u0", "1")]));
    let whole = ok(&page("2", "", &[node("new", "u1", "2")]));
    let server = play(vec![first(), expired(), whole], vec![]).await;
    assert_eq!(names(&cluster(&server).await.list(&Kind::Nodes).await.unwrap()), ["new"]);
    assert!(!server.seen()[2].contains("continue="), "what the server offers instead is not taken");
    let server = play((0..3).flat_map(|_| [first(), expired()]).collect(), vec![]).await;
    let fault = cluster(&server).await.list(&Kind::Nodes).await.unwrap_err();
    assert!(fault.detail.contains("too old") && server.seen().len() == 6, "{fault}");
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_lasts_is_told() {
    let server = play(vec![no(503, "busy"), no(429, "slowly"), ok(&page("2", "", &[]))], vec![]).await;
    assert_eq!(cluster(&server).await.list(&Kind::Nodes).await.unwrap(), []);
    for (reply, kind, detail, requests) in [
        (recorded(include_str!("../testdata/nodes.401.http.txt")), FaultKind::Unauthorized, "Unauthorized", 1),
        (
            recorded(include_str!("../testdata/delete-pod.403.http.txt")),
            FaultKind::Forbidden,
            "User \"stackhand-reader\" cannot delete resource",
            1,
        ),
        (
            recorded(include_str!("../testdata/metrics-api-absent.404.http.txt")),
            FaultKind::NotFound,
            "HTTP 404, 404 page not found",
            1,
        ),
        (no(500, "etcd"), FaultKind::Server { status: 500 }, "HTTP 500, etcd", 3),
        (Reply::Now(http(200, "", "<html>")), FaultKind::Garbled, "no list (6 bytes)", 1),
        (ok(&json!({"metadata": {"resourceVersion": "1"}})), FaultKind::Garbled, "missing field `items`", 1),
        (ok(&json!({"metadata": {}, "items": null})), FaultKind::Garbled, "a list without resourceVersion", 1),
        (
            ok(&page("1", "", &[json!({"metadata": {"name": "x"}})])),
            FaultKind::Garbled,
            "lacks its name, uid or resourceVersion",
            1,
        ),
        (ok(&page("1", "", &[json!("x")])), FaultKind::Garbled, "no metadata", 1),
        (ok(&page("1", "on", &[])), FaultKind::Garbled, "does not go on and does not end", 1),
        (Reply::Now(http(200, "content-length: 99\r\n", "{")), FaultKind::Garbled, "the answer broke off", 3),
    ] {
        let server = play((0..requests).map(|_| reply.clone()).collect(), vec![]).await;
        let fault = cluster(&server).await.list(&Kind::Nodes).await.unwrap_err();
        assert!(fault.kind == kind && fault.detail.contains(detail) && fault.what == "list nodes", "{fault:?}");
        assert_eq!(server.seen().len(), requests, "{fault}");
    }
    let fault = cluster_with("http://127.0.0.1:1", "{}", |_| {}).await.unwrap().list(&Kind::Nodes).await.unwrap_err();
    assert!(fault.kind == FaultKind::Unreachable && fault.detail.contains("refused"), "{fault:?}");
    let silent = crate::adapters::testing::server(|_, _| Reply::Hang(Vec::new())).await;
    let hasty =
        cluster_with(&silent.url, "{}", |settings| settings.request = Duration::from_millis(100)).await.unwrap();
    let fault = hasty.list(&Kind::Nodes).await.unwrap_err();
    assert_eq!((fault.kind, &*fault.detail), (FaultKind::Timeout, "no answer within 0.1 s"));
}

#[tokio::test]
async fn there_is_a_limit_to_everything() {
    let many: Vec<_> = (0..20).map(|n| node(&format!("n{n}"), &format!("u{n}"), "1")).collect();
    let server = server(move |_, _| ok(&page("1", "", &many))).await;
    for (change, said) in [
        (&(|settings: &mut Settings| settings.most_objects = 19) as &dyn Fn(&mut Settings), "more than the 19 objects"),
        (&|settings: &mut Settings| settings.largest = 1000, "more than the 1000 bytes"),
    ] {
        let cluster = cluster_with(&server.url, "{}", change).await.unwrap();
        let fault = cluster.list(&Kind::Nodes).await.unwrap_err();
        assert!(fault.kind == FaultKind::Garbled && fault.detail.contains(said), "{fault}");
    }
}

#[tokio::test]
async fn it_is_known_whether_there_is_karpenter() {
    let group =
        |name: &str, version: &str| json!({"name": name, "versions": [{"groupVersion": "x", "version": version}]});
    for (groups, has) in [
        (vec![group("apps", "v1"), group("karpenter.sh", "v1")], true),
        (vec![group("apps", "v1"), group("karpenter.sh", "v1beta1")], false),
        (vec![], false),
    ] {
        let server = play(vec![ok(&json!({"kind": "APIGroupList", "groups": groups}))], vec![]).await;
        assert_eq!(cluster(&server).await.has_karpenter().await.unwrap(), has);
        assert!(server.seen()[0].starts_with("GET /apis HTTP/1.1"));
    }
    let server = play(vec![], vec![]).await;
    assert!(cluster(&server).await.has_karpenter().await.is_err(), "unknown is not absent");
}

#[tokio::test]
async fn all_sample_objects_are_read() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/k8s/samples");
    let mut count = 0;
    for (name, kind) in
        [("nodes", Kind::Nodes), ("pods", pods()), ("events", Kind::Events), ("nodeclaims", Kind::NodeClaims)]
    {
        let Ok(text) = std::fs::read_to_string(folder.join(name).with_extension("json")) else {
            println!("skipped: no fixtures beside the project");
            return;
        };
        let mut list: Value = serde_json::from_str(&text).unwrap();
        list["metadata"]["resourceVersion"] = "7".into();
        for (n, item) in list["items"].as_array_mut().unwrap().iter_mut().enumerate() {
            // A server would have given them these.
            item["metadata"]["uid"] = format!("u{n}").into();
            item["metadata"]["resourceVersion"] = "7".into();
        }
        let server = play(vec![ok(&list)], vec![]).await;
        let objects = cluster(&server).await.list(&kind).await.unwrap();
        assert_eq!(objects.len(), list["items"].as_array().unwrap().len());
        count += objects.len();
    }
    assert_eq!(count, 122);
}
