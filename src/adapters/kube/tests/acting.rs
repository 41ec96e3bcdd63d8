use super::*;

fn id() -> Id {
    Id { uid: "4bc813e9".to_owned(), namespace: "pipeline".to_owned(), name: "runner-a".to_owned() }
}

fn allowed() -> Allowed {
    Allowed::by_configuration(true).unwrap()
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_node_is_cordoned_by_a_patch_that_names_its_uid() {
    let server = server(|_, _| ok(&node("runner-a", "4bc813e9", "9"))).await;
    let cluster = cluster(&server).await;
    assert_eq!(cluster.cordon(allowed(), &id(), Run::Real).await.unwrap().version, "9");
    cluster.uncordon(allowed(), &id(), Run::Dry).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].starts_with("PATCH /api/v1/nodes/runner-a?fieldManager=stackhand HTTP/1.1"), "{}", seen[0]);
    assert!(seen[0].contains("content-type: application/strategic-merge-patch+json"));
    assert_eq!(body(&seen[0]), json!({"metadata": {"uid": "4bc813e9"}, "spec": {"unschedulable": true}}));
    assert!(seen[1].starts_with("PATCH /api/v1/nodes/runner-a?fieldManager=stackhand&dryRun=All HTTP/1.1"));
    assert_eq!(body(&seen[1])["spec"], json!({"unschedulable": false}));
}

#[tokio::test]
async fn a_pod_is_deleted_only_while_it_is_the_one_that_was_seen() {
    let server = server(|n, _| match n {
        0 | 1 => ok(&node("runner-a", "4bc813e9", "9")),
        2 => recorded(include_str!("../testdata/delete-pod.409-uid-precondition.http.txt")),
        3 => recorded(include_str!("../testdata/delete-pod.403.http.txt")),
        4 => recorded(include_str!("../testdata/pod.404.http.txt")),
        _ => no(503, "busy"),
    })
    .await;
    let cluster = cluster(&server).await;
    let pod = id();
    let delete = |run| cluster.delete_pod(allowed(), &pod, run);
    delete(Run::Dry).await.unwrap();
    delete(Run::Real).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].starts_with("DELETE /api/v1/namespaces/pipeline/pods/runner-a HTTP/1.1"), "{}", seen[0]);
    let options = |dry: &[&str]| json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "4bc813e9"}, "dryRun": dry});
    assert_eq!((body(&seen[0]), body(&seen[1])), (options(&["All"]), options(&[])));
    for (kind, said) in [
        (FaultKind::Refused { status: 409 }, "does not match the UID in record"),
        (FaultKind::Forbidden, "cannot delete resource \"pods\""),
        (FaultKind::NotFound, "pods \"nope\" not found"),
        (FaultKind::Server { status: 503 }, "busy"),
    ] {
        let fault = delete(Run::Real).await.unwrap_err();
        assert!(fault.kind == kind && fault.detail.contains(said) && fault.what == "delete pod runner-a", "{fault:?}");
    }
    assert_eq!(server.seen().len(), 6, "each is sent once");
}

#[tokio::test]
async fn names_stay_in_their_place() {
    let server = server(|_, _| no(404, "not found")).await;
    let cluster = cluster(&server).await;
    for name in ["", ".", ".."] {
        let odd = Id { name: name.to_owned(), ..id() };
        assert_eq!(cluster.delete_pod(allowed(), &odd, Run::Real).await.unwrap_err().kind, FaultKind::Local);
        assert_eq!(cluster.cordon(allowed(), &odd, Run::Real).await.unwrap_err().kind, FaultKind::Local);
    }
    assert!(server.seen().is_empty());
    let odd = Id { name: "a/../../secrets?x#y".to_owned(), ..id() };
    cluster.delete_pod(allowed(), &odd, Run::Real).await.unwrap_err();
    let path = "DELETE /api/v1/namespaces/pipeline/pods/a%2F..%2F..%2Fsecrets%3Fx%23y HTTP/1.1";
    assert!(server.seen()[0].starts_with(path), "{}", server.seen()[0]);
}

#[test]
fn nothing_is_allowed_where_actions_are_off() {
    assert!(Allowed::by_configuration(false).is_none());
}
