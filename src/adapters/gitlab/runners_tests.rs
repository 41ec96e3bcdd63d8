//! What GitLab tells of runners, by both ways, and what becomes of what it leaves out.

use serde_json::{Value, json};

use super::super::testing::{Reply as Answer, client, http, server};
use super::*;

fn ok(body: &Value) -> Answer {
    Answer::Now(http(200, "content-type: application/json\r\n", &body.to_string()))
}

fn page(nodes: &[Value], next: Option<&str>) -> Value {
    let info = json!({"hasNextPage": next.is_some(), "endCursor": next});
    json!({"data": {"project": {"runners": {"pageInfo": info, "nodes": nodes}}}})
}

#[tokio::test]
async fn pages_of_graphql_tell_everything_and_what_is_odd_is_unknown() {
    let manager = json!({"systemId": "s_1", "version": "19.2.0", "contactedAt": "2026-08-20T14:00:00Z", "status": "ONLINE",
        "platformName": "darwin", "architectureName": "arm64"});
    let whole = json!({"id": "gid://gitlab/Ci::Runner/7", "description": "uo-19", "status": "ONLINE", "paused": false,
        "contactedAt": null, "tagList": ["spack", "aarch64"], "runUntagged": false, "accessLevel": "REF_PROTECTED",
        "maintenanceNote": "ask amy", "managers": {"nodes": [manager, null]}});
    let odd = json!({"id": "gid://gitlab/Ci::Runner/8", "status": "RESTING", "accessLevel": "SECRET"});
    let served = server(move |_, request| {
        if request.contains("\"after\":\"c1\"") {
            ok(&page(&[odd.clone(), json!({"id": null}), Value::Null], None))
        } else {
            ok(&page(std::slice::from_ref(&whole), Some("c1")))
        }
    })
    .await;
    let runners = client(&served.url, Some("glpat-canary")).runners_graphql().await.unwrap();
    let [whole, odd] = &runners[..] else { panic!("{runners:?}") };
    assert_eq!((whole.id, &*whole.description, whole.machine()), (RunnerId(7), "uo-19", Some("mac")));
    assert_eq!((whole.is_protected, whole.is_paused, whole.is_at_work()), (Some(true), Some(false), Some(true)));
    assert_eq!(whole.contacted_at, Timestamp::parse("2026-08-20T14:00:00Z"), "its manager was heard of");
    assert_eq!(
        (odd.status, odd.tags.clone(), odd.is_protected, odd.is_at_work()),
        (RunnerStatus::Unknown, None, None, None)
    );
    assert_eq!(served.seen().len(), 2);
}

#[tokio::test]
async fn a_list_that_never_ends_and_one_that_is_hidden_are_faults() {
    let endless = server(|_, _| ok(&page(&[], Some("again")))).await;
    let fault = client(&endless.url, Some("glpat-canary")).runners_graphql().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Garbled);
    assert!(endless.seen().len() <= 3, "the same cursor is not followed for ever");
    let hidden = server(|_, _| ok(&json!({"data": {"project": {"runners": null}}}))).await;
    assert_eq!(
        client(&hidden.url, Some("glpat-canary")).runners_graphql().await.unwrap_err().kind,
        FaultKind::Forbidden
    );
    let old = server(|_, _| ok(&json!({"errors": [{"message": "Field 'runners' doesn't exist"}]}))).await;
    let fault = client(&old.url, Some("glpat-canary")).runners_graphql().await.unwrap_err();
    assert!(fault.detail.contains("doesn't exist"), "{fault}");
    let nobody = client(&old.url, None);
    assert_eq!(nobody.runners_graphql().await.unwrap_err().kind, FaultKind::Unauthorized);
    assert_eq!(nobody.runners_rest().await.unwrap_err().kind, FaultKind::Unauthorized);
}

#[tokio::test]
async fn rest_lists_and_then_tells_of_one() {
    let served = server(|_, request| {
        let row = json!({"id": 7, "description": "uo-19", "status": "offline", "active": true});
        if request.starts_with("GET /api/v4/runners/7 ") {
            let mut whole = row;
            whole["tag_list"] = json!(["spack"]);
            whole["access_level"] = json!("not_protected");
            whole["paused"] = json!(true);
            ok(&whole)
        } else {
            assert!(request.starts_with("GET /api/v4/projects/spack%2Fspack-packages/runners?"), "{request}");
            ok(&json!([row, null]))
        }
    })
    .await;
    let gitlab = client(&served.url, Some("glpat-canary"));
    let rows = gitlab.runners_rest().await.unwrap();
    assert_eq!((rows.len(), rows[0].tags.clone(), rows[0].is_paused), (1, None, Some(false)));
    let whole = gitlab.runner(RunnerId(7)).await.unwrap();
    assert_eq!((whole.tags.unwrap().len(), whole.is_protected, whole.is_paused), (1, Some(false), Some(true)));
}
