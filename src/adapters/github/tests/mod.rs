//! The adapter against a server that answers in GitHub's words.

#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

mod described;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::adapters::testing::{Reply, Server, http, server};
use crate::ci::Timestamp;
use crate::console::fault::FaultKind;
use crate::forge::{CommitState, CommitStatus, Conclusion, Mergeable, PrNumber, PrState, Sha};

const CANARY: &str = "ghp_canary0123456789";

fn sha(digit: &str) -> Sha {
    Sha::parse(&digit.repeat(40)).unwrap()
}

fn settings(url: &str) -> Settings {
    let begin = std::time::Instant::now();
    let now = Arc::new(move || Timestamp::from_millis(1_790_000_000_000).plus(begin.elapsed()));
    let access = Access::Token(SecretString::from(CANARY));
    Settings {
        backoff: Duration::from_millis(2),
        between_writes: Duration::ZERO,
        patience: Duration::from_secs(2),
        ..Settings::new(url, "spack", "spack-packages", access, now)
    }
}

fn github(server: &Server) -> GitHub {
    GitHub::new(settings(&server.url), 7).unwrap()
}

fn ok(body: &Value) -> Reply {
    Reply::Now(http(200, "content-type: application/json\r\n", &body.to_string()))
}

fn refuse(status: u16, headers: &str, message: &str) -> Reply {
    Reply::Now(http(status, headers, &json!({ "message": message }).to_string()))
}

fn node(number: u64) -> Value {
    json!({
        "number": number, "state": "OPEN", "isDraft": false, "updatedAt": "2026-11-30T06:00:00Z",
        "headRefName": "föö/x", "headRefOid": "a".repeat(40), "baseRefName": "develop", "mergeable": "MERGEABLE",
        "headRepository": null, "potentialMergeCommit": {"oid": "b".repeat(40)},
        "labels": {"pageInfo": {"hasNextPage": false, "endCursor": null}, "nodes": [{"name": "pipelines:urgent"}]},
        "statusCheckRollup": {"contexts": {"pageInfo": {"hasNextPage": true, "endCursor": "c"}, "nodes": [
            {"__typename": "CheckRun", "name": "style", "conclusion": "SUCCESS", "completedAt": "2026-11-30T05:00:00Z"},
            {"__typename": "CheckRun", "name": "slow", "conclusion": null, "completedAt": null},
            {"__typename": "StatusContext", "context": "ci/gitlab-ci", "state": "PENDING", "targetUrl": "", "description": null},
            {"__typename": "SomethingNew"},
        ]}},
    })
}

fn page(nodes: Vec<Value>, next: Option<&str>) -> Value {
    json!({"data": {"repository": {"pullRequests": {
        "pageInfo": {"hasNextPage": next.is_some(), "endCursor": next}, "nodes": nodes,
    }}}})
}

/// The JSON that a request carries.
fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn open_pull_requests_are_read_to_the_end() {
    let server = server(|at, _| {
        if at == 0 { ok(&page(vec![node(2), node(1)], Some("next"))) } else { ok(&page(vec![node(3), node(1)], None)) }
    })
    .await;
    let open = github(&server).open_prs().await.unwrap();
    assert_eq!(open.prs.iter().map(|seen| seen.pr.number.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(open.left_out.is_empty());
    let SeenPr { pr, statuses } = &open.prs[0];
    assert_eq!((&*pr.head_ref, &pr.head_repo, pr.mergeable), ("föö/x", &None, Mergeable::Yes));
    assert_eq!((&pr.head, &pr.test_merge), (&sha("a"), &Some(sha("b"))));
    let runs: Vec<_> = pr.checks.listed.iter().map(|run| (&*run.name, run.conclusion)).collect();
    assert_eq!(runs, [("style", Some(Conclusion::Success)), ("slow", None)]);
    assert!(!pr.checks.is_whole && !statuses.is_whole, "there are more than the page holds");
    assert_eq!(statuses.listed, [CommitStatus::new("ci/gitlab-ci", CommitState::Pending, "", None)]);
    assert_eq!(pr.has_label("pipelines:urgent"), Some(true));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].starts_with("POST /graphql "));
    for header in
        ["x-github-api-version: 2022-11-28", "user-agent: octocrab", &format!("authorization: bearer {CANARY}")]
    {
        assert!(seen[0].to_ascii_lowercase().contains(header), "{header}: {}", seen[0]);
    }
    let variables = |request: &str| body(request)["variables"].clone();
    assert_eq!(variables(&seen[0])["after"], Value::Null);
    assert_eq!((&variables(&seen[1])["after"], &variables(&seen[1])["first"]), (&json!("next"), &json!(100)));
}

/// A run that was made again is listed beside the new one, and either may come first.
#[tokio::test]
async fn the_newest_run_of_a_check_counts() {
    for order in [[7, 8], [8, 7]] {
        let run = |id: u64| {
            let word = if id == 8 { "FAILURE" } else { "SUCCESS" };
            json!({"__typename": "CheckRun", "databaseId": id, "name": "style", "conclusion": word, "completedAt": null})
        };
        let server = server(move |_, _| {
            let mut one = node(1);
            one["statusCheckRollup"]["contexts"]["nodes"] = order.map(run).to_vec().into();
            ok(&page(vec![one], None))
        })
        .await;
        let open = github(&server).open_prs().await.unwrap();
        let runs: Vec<_> = open.prs[0].pr.checks.listed.iter().map(|run| (&*run.name, run.conclusion)).collect();
        assert_eq!(runs, [("style", Some(Conclusion::Failure))]);
    }
}

#[tokio::test]
async fn one_bad_pull_request_spoils_no_other_and_makes_the_list_incomplete() {
    let server = server(|_, _| {
        let mut bad = node(2);
        bad["headRefOid"] = json!("HEAD");
        let mut answer = page(vec![node(1), bad, Value::Null], None);
        answer["errors"] = json!([{"message": "something\u{1b}[31m went wrong"}]);
        ok(&answer)
    })
    .await;
    let open = github(&server).open_prs().await.unwrap();
    assert_eq!(open.prs.len(), 1);
    assert_eq!(open.left_out.len(), 3);
    assert!(
        open.left_out[0] == "something [31m went wrong" && open.left_out[1].contains("pull request 2 cannot be read")
    );
}

#[tokio::test]
async fn what_is_null_beside_errors_is_unknown_and_no_state_is_made_up() {
    let server = server(|_, _| {
        let (mut bare, mut odd) = (node(1), node(2));
        bare["statusCheckRollup"] = Value::Null;
        bare["labels"] = Value::Null;
        odd["state"] = json!("LOCKED");
        let mut answer = page(vec![bare, odd], None);
        answer["errors"] = json!([{"message": "timeout"}]);
        ok(&answer)
    })
    .await;
    let open = github(&server).open_prs().await.unwrap();
    let [SeenPr { pr, statuses }] = open.prs.as_slice() else { panic!("{:?}", open.prs) };
    assert_eq!(pr.has_label("pipelines:urgent"), None);
    assert!(!pr.checks.is_whole && !statuses.is_whole, "no checks are not the same as none that could be told");
    assert_eq!(open.left_out[1], "pull request 2 cannot be read: its state `LOCKED` is not known");
}

#[tokio::test]
async fn an_app_without_the_right_is_told_apart_from_one_that_is_too_fast() {
    for (message, kind) in [
        ("Resource not accessible by integration", FaultKind::Forbidden),
        ("You have exceeded a secondary rate limit", FaultKind::RateLimited { until: None }),
    ] {
        let server = server(move |_, _| refuse(403, "content-type: application/json\r\n", message)).await;
        let fault = app(&server).open_prs().await.unwrap_err();
        assert_eq!(std::mem::discriminant(&fault.kind), std::mem::discriminant(&kind), "{fault}");
    }
}

#[tokio::test]
async fn a_page_that_is_too_much_for_github_is_halved_and_grows_again_in_steps() {
    let server = server(|_, request| match body(request)["variables"]["first"].as_u64() {
        Some(..=25) => ok(&page(vec![node(1)], None)),
        Some(50) => ok(&json!({"data": null, "errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "too much"}]})),
        _ => refuse(502, "", ""),
    })
    .await;
    let github = GitHub::new(Settings { tries: 1, ..settings(&server.url) }, 7).unwrap();
    for _ in 0..3 {
        assert_eq!(github.open_prs().await.unwrap().prs.len(), 1);
    }
    let sizes: Vec<Value> = server.seen().iter().map(|one| body(one)["variables"]["first"].clone()).collect();
    assert_eq!(sizes, [100, 50, 25, 30, 15, 20]);
}

#[tokio::test]
async fn lists_that_do_not_end_or_hide_are_faults() {
    let loops = server(|_, _| ok(&page(vec![], Some("same")))).await;
    assert_eq!(github(&loops).open_prs().await.unwrap_err().kind, FaultKind::Garbled);
    assert_eq!(loops.seen().len(), 2);
    let hidden = server(|_, _| {
        ok(&json!({"data": {"repository": null}, "errors": [{"type": "NOT_FOUND", "message": "Could not resolve"}]}))
    })
    .await;
    assert_eq!(github(&hidden).open_prs().await.unwrap_err().kind, FaultKind::NotFound);
}

#[tokio::test]
async fn reads_are_tried_again_and_writes_never() {
    let server = server(|at, request| match (at, request.starts_with("GET")) {
        (0 | 1, true) => refuse(502, "", "Bad Gateway"),
        (_, true) => ok(&json!({"total_count": 1, "statuses": [
            {"context": "a", "state": "success", "description": null, "target_url": null}]})),
        _ => refuse(502, "", "Bad Gateway"),
    })
    .await;
    let github = github(&server);
    let read = github.statuses(&sha("a")).await.unwrap();
    assert_eq!((read.listed.len(), read.is_whole, server.seen().len()), (1, true, 3));
    let status = CommitStatus::new("a", CommitState::Error, "Pipeline failed", None);
    let fault = github.post_status(&sha("a"), &status).await.unwrap_err();
    assert!(fault.is_uncertain(), "{fault}");
    assert_eq!((server.seen().len(), github.requests()), (4, 4));
}

#[tokio::test]
async fn case_E17_a_full_commit_is_told_apart_from_other_refusals() {
    let server = server(|at, _| {
        let message = [
            "This SHA and context has reached the maximum number of statuses.",
            "No commit found for SHA",
            "context is too long",
        ][at];
        let body = json!({"message": "Validation Failed", "errors": [{"message": message}]});
        Reply::Now(http(422, "", &body.to_string()))
    })
    .await;
    let github = github(&server);
    let status = CommitStatus::new("a", CommitState::Success, "Pipeline succeeded", Some("https://gitlab.spack.io/1"));
    assert_eq!(github.post_status(&sha("a"), &status).await, Ok(PostAnswer::Full));
    assert_eq!(github.post_status(&sha("a"), &status).await, Ok(PostAnswer::NoCommit));
    let fault = github.post_status(&sha("a"), &status).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused { status: 422 });
    assert!(fault.detail.contains("context is too long"));
}

#[tokio::test]
async fn case_E19_a_long_silence_is_told_at_once_and_a_short_one_is_waited_for() {
    let long = server(|_, _| refuse(403, "retry-after: 60\r\n", "You have exceeded a secondary rate limit")).await;
    let client = github(&long);
    for _ in 0..3 {
        let fault = client.statuses(&sha("a")).await.unwrap_err();
        assert!(matches!(fault.kind, FaultKind::RateLimited { until: Some(_) }), "{fault}");
    }
    assert!(matches!(client.open_prs().await.unwrap_err().kind, FaultKind::RateLimited { .. }));
    assert_eq!(long.seen().len(), 1, "no request for a minute");
    let short = server(|at, _| {
        if at == 0 {
            refuse(429, "retry-after: 1\r\n", "slow down")
        } else {
            ok(&json!({"total_count": 0, "statuses": []}))
        }
    })
    .await;
    let begin = std::time::Instant::now();
    assert!(github(&short).statuses(&sha("a")).await.is_ok());
    assert!(begin.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn no_fault_holds_the_token() {
    let closed = server(|_, _| Reply::Now(Vec::new())).await;
    let garbled = server(|_, _| Reply::Now(http(200, "", "{\"total_count\": 1, \"statu"))).await;
    let denied = server(|_, _| refuse(401, "", "Bad credentials")).await;
    let slow = server(|_, _| Reply::Drip(http(200, "content-length: 99999\r\n", "{"))).await;
    let mut kinds = Vec::new();
    for one in [&closed, &garbled, &denied, &slow] {
        let settings = Settings { request: Duration::from_millis(300), tries: 1, ..settings(&one.url) };
        assert!(!format!("{settings:?}").contains(CANARY));
        let fault = GitHub::new(settings, 7).unwrap().statuses(&sha("a")).await.unwrap_err();
        assert!(!format!("{fault:?} {fault}").contains(CANARY) && !fault.detail.is_empty());
        kinds.push(fault.word());
    }
    assert_eq!(kinds, ["offline", "garbled", "login", "timeout"]);
    let key = SecretString::from("-----BEGIN PRIVATE KEY-----\ncanary");
    let access = Access::App { id: 1, installation: 2, key };
    let Err(fault) = GitHub::new(Settings { access, ..settings("http://127.0.0.1:1") }, 7) else { unreachable!() };
    assert_eq!((fault.kind, fault.detail.contains("canary")), (FaultKind::Local, false));
}

/// A client that is an App.
fn app(server: &Server) -> GitHub {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der = key.as_der().unwrap();
    let access = Access::App { id: 1, installation: 2, key: SecretString::from(pem_of(der.as_ref())) };
    GitHub::new(Settings { access, ..settings(&server.url) }, 7).unwrap()
}

#[tokio::test]
async fn an_app_makes_its_token_once_and_uses_it() {
    let server = server(|_, request| {
        if request.starts_with("POST /app/installations/2/access_tokens") {
            let body = json!({"token": "ghs_made", "expires_at": "2999-01-01T00:00:00Z", "permissions": {"statuses": "write"}});
            return Reply::Now(http(201, "", &body.to_string()));
        }
        ok(&json!({"total_count": 0, "statuses": []}))
    })
    .await;
    let github = app(&server);
    for _ in 0..2 {
        github.statuses(&sha("a")).await.unwrap();
    }
    let seen: Vec<String> = server.seen().iter().map(|request| request.to_ascii_lowercase()).collect();
    assert_eq!(seen.len(), 3, "the token is kept");
    assert!(seen[0].contains("authorization: bearer ey"), "a JWT makes the token");
    assert!(seen[1..].iter().all(|request| request.contains("authorization: bearer ghs_made")));
}

/// Writes a key as octocrab wants it.
fn pem_of(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut lines = vec!["-----BEGIN PRIVATE KEY-----".to_owned()];
    let mut line = String::new();
    for chunk in der.chunks(3) {
        let number =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at) & 63) as usize];
            line.push(if at > chunk.len() { '=' } else { char::from(digit) });
        }
        if line.len() == 64 {
            lines.push(std::mem::take(&mut line));
        }
    }
    lines.extend([line, "-----END PRIVATE KEY-----\n".to_owned()]);
    lines.join("\n")
}

#[tokio::test]
async fn case_E03_a_pull_request_is_read_again_as_it_is_now() {
    let server = server(|at, request| {
        assert!(request.starts_with("GET /repos/spack/spack-packages/pulls/7 "), "{request}");
        let merged = if at == 2 { json!("2026-11-30T06:00:00Z") } else { Value::Null };
        ok(&json!({
            "number": 7, "state": if at == 0 { "open" } else { "closed" }, "draft": true, "merged_at": merged,
            "head": {"sha": "a".repeat(40), "ref": "x", "repo": null}, "base": {"ref": "develop"},
            "updated_at": "2026-11-30T06:00:00Z", "labels": [{"name": "l"}], "mergeable": null,
            "merge_commit_sha": "b".repeat(40),
        }))
    })
    .await;
    let github = github(&server);
    for state in [PrState::Open, PrState::Closed, PrState::Merged] {
        let pr = github.pr(PrNumber(7)).await.unwrap();
        assert_eq!((pr.state, pr.is_draft, pr.head, pr.head_repo), (state, true, sha("a"), None));
        assert_eq!((pr.mergeable, pr.checks.is_whole), (Mergeable::Unknown, false));
    }
}

#[tokio::test]
async fn protected_branches_are_listed_to_the_end_by_those_that_say_so() {
    let server = server(|at, _| {
        let branch = |n: usize| json!({"name": format!("b{n}"), "protected": n != 3});
        ok(&json!((if at == 0 { 0..100 } else { 100..101 }).map(branch).collect::<Vec<_>>()))
    })
    .await;
    let names = github(&server).protected_branches().await.unwrap();
    assert_eq!((names.len(), names.iter().any(|name| &**name == "b3")), (100, false));
    assert_eq!(server.seen().len(), 2);
}
