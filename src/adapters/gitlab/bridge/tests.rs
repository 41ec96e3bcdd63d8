//! The bridge's questions, against a server that answers in GitLab's words.

#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

use serde_json::{Value, json};

use super::super::testing::{NOW, Reply, client, http, server, settings};
use super::*;
use crate::adapters::gitlab::GitLab;
use crate::bridge::companions::triggers::TriggerJob;
use crate::bridge::{Main, Watermark};
use crate::ci::{JobId, Pipeline, PipelineId, Status};
use crate::forge::{BranchName, Sha};

fn sha(digit: &str) -> Sha {
    Sha::parse(&digit.repeat(40)).unwrap()
}

fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

fn ok(headers: &str, body: &Value) -> Reply {
    Reply::Now(http(200, headers, &body.to_string()))
}

/// The first line of a request, without its method and version.
fn target(request: &str) -> &str {
    request.lines().next().unwrap().split(' ').nth(1).unwrap()
}

fn pipeline(id: u64, digit: &str, status: &str, minute: u32) -> Value {
    json!({"id": id, "iid": 1, "sha": digit.repeat(40), "ref": "pr1_x", "status": status, "source": "push",
        "updated_at": format!("2026-11-30T06:{minute:02}:00.000Z"), "web_url": format!("https://gitlab.example/p/{id}")})
}

#[tokio::test]
async fn case_E37_changed_pipelines_are_read_to_the_end_with_gitlabs_own_clock() {
    let ahead = NOW.shifted(300_000);
    let server = server(move |at, _| {
        let date = format!("date: {}\r\n", ahead.http_date());
        match at {
            0 => ok(
                &format!("{date}x-next-page: 2\r\n"),
                &json!([pipeline(9, "a", "running", 20), pipeline(8, "b", "failed", 19)]),
            ),
            // The list has moved: one comes again, newer.
            1 => ok("x-next-page: 3\r\n", &json!([pipeline(8, "b", "success", 21), pipeline(7, "c", "canceled", 10)])),
            _ => ok("x-next-page: \r\n", &json!([pipeline(6, "d", "success", 1)])),
        }
    })
    .await;
    let since = Watermark(NOW).since();
    let list = client(&server.url, None).pipelines_since(since).await.unwrap();
    assert!(list.is_whole());
    let found: Vec<_> = list.items.iter().map(|one| (one.id.0, one.status.unwrap())).collect();
    let want = [(9, Status::Running), (8, Status::Success), (7, Status::Canceled), (6, Status::Success)];
    assert_eq!(found, want);
    assert_eq!(list.at, Some(ahead.shifted(-(ahead.millis() % 1_000))));
    let mark = Watermark::after(None, &list.items, list.is_whole()).unwrap();
    assert_eq!(mark.0.to_string(), "2026-11-30T06:21:00.000Z");
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    let asked = target(&seen[0]);
    assert!(
        asked.contains("updated_after=2026") && asked.contains("order_by=updated_at") && asked.contains("per_page=100")
    );
}

#[tokio::test]
async fn what_cannot_be_read_leaves_a_list_incomplete_and_the_watermark_where_it_was() {
    for (second, kind) in [
        (Reply::Now(http(404, "", r#"{"message":"404 Not found"}"#)), FaultKind::NotFound),
        (ok("", &json!([pipeline(7, "c", "success", 10), null])), FaultKind::Garbled),
        (ok("", &json!([{"id": 7, "sha": "HEAD", "status": "success"}])), FaultKind::Garbled),
    ] {
        let server = server(move |at, _| {
            let first = json!([pipeline(9, "a", "running", 20)]);
            if at == 0 { ok("x-next-page: 2\r\n", &first) } else { second.clone() }
        })
        .await;
        let list = client(&server.url, None).pipelines_since(NOW).await.unwrap();
        assert_eq!(list.trouble.as_ref().unwrap().kind, kind);
        assert_eq!(list.items[0].id, PipelineId(9), "what was read is good for something");
        assert_eq!(Watermark::after(Some(Watermark(NOW)), &list.items, list.is_whole()), Some(Watermark(NOW)));
        assert!(matches!(list.looked(), Looked::Failed(_)));
    }
}

#[tokio::test]
async fn case_T9_a_pipeline_without_a_status_has_none() {
    let server = server(|_, _| {
        let mut bare = pipeline(1, "a", "", 1);
        bare["status"] = Value::Null;
        ok("", &json!([bare]))
    })
    .await;
    let list = client(&server.url, None).pipelines_since(NOW).await.unwrap();
    assert_eq!((list.is_whole(), list.items[0].status), (true, None));
}

#[tokio::test]
async fn case_E22_a_server_in_trouble_is_asked_again() {
    let server = server(|at, _| match at {
        0..3 => Reply::Now(http(502, "content-type: text/html\r\n", "<html>Bad Gateway</html>")),
        _ => ok("", &json!([pipeline(1, "a", "success", 1)])),
    })
    .await;
    let mut patient = settings(&server.url, None);
    patient.tries = 4;
    let list = GitLab::new(patient).unwrap().pipelines_since(NOW).await.unwrap();
    assert_eq!((list.items.len(), server.seen().len()), (1, 4));
}

#[tokio::test]
async fn case_E23_a_refusal_in_the_place_of_a_list_is_a_typed_fault() {
    let server = server(|_, _| Reply::Now(http(401, "", r#"{"message":"401 Unauthorized"}"#))).await;
    let gitlab = client(&server.url, Some("glpat-CANARY-1234"));
    let fault = gitlab.pipelines_since(NOW).await.unwrap_err();
    assert_eq!((fault.kind.clone(), server.seen().len()), (FaultKind::Unauthorized, 1));
    assert!(reason(&fault).passes && !reason(&fault).why.contains("CANARY"));
    assert_eq!(gitlab.branches().await.unwrap_err().kind, FaultKind::Unauthorized);
    let main = Looked::<Vec<_>>::Failed(reason(&fault));
    assert!(matches!(Main::of(&main), Main::Unknown(_)));
}

#[tokio::test]
async fn main_is_read_back_to_a_commit_that_was_tested() {
    let of = |id, digit, status| pipeline(id, digit, status, 1);
    let server = server(move |at, _| match at {
        0 => {
            ok("x-next-page: 2\r\n", &json!([of(30, "3", "pending"), of(29, "2", "running"), of(28, "2", "canceled")]))
        }
        1 => ok("x-next-page: 3\r\n", &json!([of(28, "2", "canceled"), of(27, "1", "failed"), of(26, "0", "success")])),
        _ => ok("", &json!([])),
    })
    .await;
    let list = client(&server.url, None).main_pipelines(&branch("develop")).await.unwrap();
    assert_eq!(list.iter().map(|one| one.id.0).collect::<Vec<_>>(), [30, 29, 28, 27, 26]);
    let known = Main::Known { tested: Some(sha("1")), running: Some(sha("2")) };
    assert_eq!((Main::of(&Looked::Found(list)), server.seen().len()), (known, 2));
}

#[tokio::test]
async fn case_T7_projects_and_refs_are_percent_encoded() {
    let server = server(|_, _| ok("", &json!([]))).await;
    let mut there = settings(&server.url, None);
    there.project = "zack/my_test_proj".to_owned();
    let gitlab = GitLab::new(there).unwrap();
    gitlab.main_pipelines(&branch("main")).await.unwrap();
    gitlab.pipelines_of(&sha("a"), Some(&branch("pr1_a&b=c#d+e/é"))).await.unwrap();
    let seen = server.seen();
    assert!(target(&seen[0]).starts_with("/api/v4/projects/zack%2Fmy_test_proj/pipelines?ref=main"), "{}", seen[0]);
    let want = format!("?ref=pr1_a%26b%3Dc%23d%2Be%2F%C3%A9&sha={}", sha("a"));
    assert!(target(&seen[1]).contains(&want), "{}", seen[1]);
}

#[tokio::test]
async fn cases_E4_E5_E6_names_of_branches_are_one_part_of_the_path() {
    let server = server(|_, request| {
        let name = target(request).rsplit('/').next().unwrap();
        let name = percent_encoding::percent_decode_str(name).decode_utf8().unwrap().into_owned();
        if request.starts_with("DELETE") {
            return Reply::Now(http(204, "", ""));
        }
        ok("", &json!({"name": name, "commit": {"id": "a".repeat(40)}, "protected": false}))
    })
    .await;
    let gitlab = client(&server.url, Some("glpat-x"));
    let root = "/api/v4/projects/spack%2Fspack-packages/repository/branches/";
    for (name, want) in [
        ("pr12_feature/a/b", "pr12_feature%2Fa%2Fb"),
        ("pr1_föö", "pr1_f%C3%B6%C3%B6"),
        ("pr1_🚀-x", "pr1_%F0%9F%9A%80-x"),
        ("pr1_包", "pr1_%E5%8C%85"),
        ("-f", "-f"),
        ("--upload-pack=x", "--upload-pack%3Dx"),
        ("$(id)", "%24%28id%29"),
        (";rm", "%3Brm"),
        ("%2F", "%252F"),
        ("%2e%2e", "%252e%252e"),
        ("a+b", "a%2Bb"),
        ("a#b", "a%23b"),
        ("a&b", "a%26b"),
        ("a;b=c,d", "a%3Bb%3Dc%2Cd"),
    ] {
        assert_eq!(&*gitlab.branch(&branch(name)).await.unwrap().unwrap().name, name);
        assert_eq!(gitlab.delete_branch(&branch(name)).await, Ok(true));
        let seen = server.seen();
        for request in &seen[seen.len() - 2..] {
            assert_eq!(target(request), format!("{root}{want}"));
        }
    }
}

#[tokio::test]
async fn branches_come_with_what_their_commits_say() {
    let long = format!("Merge {} into {}", "a".repeat(40), "b".repeat(40));
    let message = format!("{long}\n\nmore\n");
    let title = "x".repeat(120);
    let server = server(move |at, _| match at {
        0 => ok("x-next-page: 2\r\n", &json!([
            {"name": "pr1_x", "protected": false, "commit": {"id": "a".repeat(40), "title": long, "message": message, "created_at": "2026-11-30T06:00:00.000+01:00"}},
            {"name": "pr2_y", "protected": true, "commit": {"id": "b".repeat(40), "title": "short", "committed_date": "2026-11-30T06:00:00Z"}},
        ])),
        _ => ok("", &json!([
            {"name": "pr3_z", "commit": {"id": "c".repeat(40), "title": title, "created_at": null}},
            {"name": "pr2_y", "protected": true, "commit": {"id": "d".repeat(40)}},
        ])),
    })
    .await;
    let list = client(&server.url, None).branches().await.unwrap();
    assert!(list.is_whole());
    let [one, two, three] = list.items.as_slice() else { panic!("{list:?}") };
    assert!(one.subject.as_ref().unwrap().starts_with("Merge aaaa") && one.subject.as_ref().unwrap().len() == 92);
    assert_eq!(one.committed_at, Timestamp::parse("2026-11-30T05:00:00Z"));
    assert_eq!((one.on_gitlab().commit, one.is_protected), (sha("a"), Some(false)));
    assert_eq!((&two.commit, &two.subject), (&sha("d"), &None), "what was told last counts");
    assert_eq!(
        (&three.subject, three.committed_at, three.is_protected),
        (&None, None, None),
        "a title that was cut says nothing"
    );
    let old = two.for_stale();
    assert_eq!((&*old.name, old.commit, old.is_protected), ("pr2_y", sha("d"), Some(true)));
}

#[tokio::test]
async fn a_branch_that_is_gone_is_told_from_a_project_that_is() {
    for (body, is_gone) in [
        (r#"{"message":"404 Branch Not Found"}"#, true),
        (r#"{"message":"404 Project Not Found"}"#, false),
        (r#"{"message":"404 Repository Not Found"}"#, false),
    ] {
        let server = server(move |_, _| Reply::Now(http(404, "", body))).await;
        let gitlab = client(&server.url, Some("glpat-x"));
        let (read, deleted) = (gitlab.branch(&branch("pr1_x")).await, gitlab.delete_branch(&branch("pr1_x")).await);
        assert_eq!((read == Ok(None), deleted == Ok(false)), (is_gone, is_gone), "{body}: {read:?} {deleted:?}");
    }
    let protected = r#"{"message":"403 Forbidden - Protected branch cannot be deleted"}"#;
    let server =
        server(move |at, _| Reply::Now(if at == 0 { http(403, "", protected) } else { http(502, "", "") })).await;
    let gitlab = client(&server.url, Some("glpat-x"));
    let fault = gitlab.delete_branch(&branch("develop")).await.unwrap_err();
    assert!(fault.kind == FaultKind::Forbidden && fault.detail.contains("Protected branch"), "{fault}");
    assert!(gitlab.delete_branch(&branch("pr1_x")).await.unwrap_err().is_uncertain());
    assert_eq!(server.seen().len(), 2, "a deletion is sent once");
    let nobody = client(&server.url, None);
    assert_eq!(nobody.delete_branch(&branch("pr1_x")).await.unwrap_err().kind, FaultKind::Unauthorized);
    assert_eq!(nobody.protected_branches().await.unwrap_err().kind, FaultKind::Unauthorized);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn another_answer_than_was_asked_for_is_no_answer() {
    let server = server(|_, request| {
        let commit = json!({"id": "b".repeat(40), "title": "t", "message": "whole\nmore"});
        if request.contains("/commits/") {
            ok("", &commit)
        } else {
            ok("", &json!({"name": "pr2_y", "commit": commit}))
        }
    })
    .await;
    let gitlab = client(&server.url, None);
    assert_eq!(gitlab.subject(&sha("b")).await.unwrap().as_deref(), Some("whole"));
    assert_eq!(gitlab.subject(&sha("a")).await.unwrap_err().kind, FaultKind::Garbled);
    assert_eq!(gitlab.branch(&branch("pr1_x")).await.unwrap_err().kind, FaultKind::Garbled);
}

#[tokio::test]
async fn pushes_tell_branches_except_where_gitlab_hides_them() {
    let event = |id: u64, at: &str, push: Value| json!({"id": id, "action_name": "pushed to", "created_at": at, "push_data": push});
    let rows = json!([
        event(
            4,
            "2026-11-30T06:00:00Z",
            json!({"ref_type": "branch", "ref": "pr1_x", "commit_to": "a".repeat(40), "ref_count": 1})
        ),
        event(3, "2026-11-30T05:00:00Z", json!({"ref_type": "branch", "ref": null, "commit_to": null, "ref_count": 9})),
        event(
            2,
            "2026-11-30T04:00:00Z",
            json!({"ref_type": "branch", "ref": "pr2_y", "commit_to": null, "action": "removed"})
        ),
        event(1, "2026-11-30T04:00:00Z", json!({"ref_type": "tag", "ref": "v1", "commit_to": "b".repeat(40)})),
        event(0, "2026-11-29T23:00:00Z", json!({"ref_type": "branch", "ref": "pr3_z", "commit_to": "c".repeat(40)})),
    ]);
    let server = server(move |_, _| ok("", &rows)).await;
    let since = Timestamp::parse("2026-11-30T01:00:00Z").unwrap();
    let list = client(&server.url, None).pushes_since(since).await.unwrap();
    assert!(list.is_whole());
    let found: Vec<_> = list.items.iter().map(|push| (push.branch.as_deref(), push.head.clone())).collect();
    assert_eq!(found, [(Some("pr1_x"), Some(sha("a"))), (None, None), (Some("pr2_y"), None)]);
    assert!(target(&server.seen()[0]).contains("/events?action=pushed&after=2026-11-28&"), "{:?}", server.seen());
}

#[tokio::test]
async fn dead_triggers_come_with_what_they_are_judged_by_and_the_living_cost_nothing() {
    let trigger = |id: u64, name: &str, reason: Value, child: Value| json!({"id": id, "name": name, "status": "failed", "failure_reason": reason, "pipeline": {"id": 1}, "downstream_pipeline": child});
    let job =
        |id: u64, name: &str, status: &str| json!({"id": id, "name": name, "status": status, "pipeline": {"id": 1}});
    let triggers = json!([
        trigger(30, "e4s-build", json!("unknown_failure"), json!({"id": 2, "status": "failed"})),
        trigger(31, "hep-build", json!("unknown_failure"), json!({"id": 3, "status": "failed"})),
        trigger(32, "aws-build", json!("script_failure"), json!({"id": 4, "status": "failed"})),
        trigger(33, "ml-build", Value::Null, json!({"id": 5, "status": "running"})),
        trigger(34, "new-build", Value::Null, Value::Null),
    ]);
    let jobs = json!([
        job(20, "e4s-generate", "success"),
        job(10, "e4s-generate", "failed"),
        job(11, "hep-generate", "success")
    ]);
    let server = server(move |_, request| match target(request) {
        path if path.contains("/pipelines/1/trigger_jobs") => ok("", &triggers),
        path if path.contains("/pipelines/1/jobs") && path.contains("include_retried=true") => ok("", &jobs),
        path if path.contains("/pipelines/2/jobs") => ok("", &json!([])),
        path if path.contains("/pipelines/3/jobs") => ok("", &json!([job(40, "zlib", "success")])),
        path => panic!("nobody should ask for {path}"),
    })
    .await;
    let parent = Pipeline { updated_at: Some(NOW), ..Pipeline::new(PipelineId(1), "develop", Status::Failed) };
    let gitlab = client(&server.url, None);
    let found = gitlab.dead_triggers(&parent).await.unwrap();
    let words: Vec<&str> = found.iter().map(|job| job.judge(TriggerJob::WINDOW, NOW).word()).collect();
    assert_eq!(words, ["retry", "has_jobs", "other_failure", "child_lives", "no_child"]);
    assert_eq!(found[0].generates, Looked::Found(vec![(JobId(20), Status::Success), (JobId(10), Status::Failed)]));
    assert_eq!(server.seen().len(), 4);
    let children = gitlab.children(PipelineId(1)).await.unwrap();
    assert_eq!(children.len(), 4);
    assert_eq!(children[3], (PipelineId(5), Status::Running));
}
