//! Questions, their cost, and what becomes of them when the server gives less than all.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::testing::{Reply as Answer, client, http, server};
use super::*;

fn child(n: u64, after: Option<&str>) -> ChildCursor {
    ChildCursor { pipeline: PipelineId(9000 + n), iid: Iid(n), after: after.map(Into::into) }
}

/// Answers a question the way GitLab would: one page of `rows` jobs per child, and a second one where `more` says so.
fn answer(request: &str, more: bool) -> Value {
    let body: Value = serde_json::from_str(request.rsplit("\r\n\r\n").next().unwrap()).unwrap();
    let variables = body["variables"].as_object().unwrap();
    let first = variables["first"].as_u64().unwrap();
    let mut project = Map::new();
    for (key, iid) in variables.iter().filter_map(|(key, value)| Some((key.strip_prefix("iid")?, value))) {
        let second = !variables[&format!("after{key}")].is_null();
        let nodes: Vec<_> = (0..first)
            .map(|i| {
                json!({"id": format!("gid://gitlab/Ci::Build/{}{i:03}{}", iid.as_str().unwrap(), u8::from(second)),
                       "name": format!("job-{i}"), "status": "RUNNING", "kind": "BUILD", "tags": ["spack"],
                       "stage": {"name": "stage-0"}, "needs": {"nodes": [{"name": "zlib"}]}})
            })
            .collect();
        let next = more && !second;
        let page_info = json!({"hasNextPage": next, "endCursor": if next { json!("abc") } else { json!("end") }});
        let jobs = json!({"pageInfo": page_info, "nodes": nodes});
        project.insert(
            format!("child{key}"),
            json!({"status": "RUNNING", "updatedAt": "2026-05-01T10:00:09Z", "jobs": jobs}),
        );
    }
    json!({"data": {"queryComplexity": {"score": 199, "limit": 250}, "project": project}})
}

fn children_of(request: &str) -> usize {
    request.matches("pipeline(iid:").count()
}

#[test]
fn the_published_page_becomes_jobs_and_edges() {
    let text = include_str!("testdata/graphql_jobs_page.json").replace("\"pipeline\": {", "\"child0\": {");
    let reply: Reply = serde_json::from_str(&text).unwrap();
    let data = reply.data.unwrap();
    assert_eq!(data.query_complexity, Some(Complexity { score: 52, limit: 250 }));
    let wire = data.project.unwrap().remove("child0").flatten().unwrap();
    let (jobs, needs, next) = page(&child(420, None), wire.jobs.unwrap(), true, &mut Words::default()).unwrap();
    assert_eq!((jobs[0].id, jobs[0].status, &*jobs[0].stage), (JobId(770_002), Status::Created, "stage-4"));
    assert_eq!(&*needs[0].needs[0].name, "hdf5@1.14.5 /abcdefg %gcc@13 e4s");
    assert_eq!(next.as_deref(), Some("eyJpZCI6Ijc3MDAwMSJ9"));
}

#[test]
fn questions_are_small_and_use_known_fields_only() {
    let round: Vec<_> = (0..4).map(|n| child(n, Some("cursor"))).collect();
    let body = question("spack/spack-packages", &round, 100, true, &[Status::Running, Status::WaitingForCallback]);
    let query = body["query"].as_str().unwrap();
    assert!(query.len() < 3_000, "{} characters", query.len());
    assert!(!query.contains('#') && !query.contains("childN") && query.contains("child3: pipeline(iid: $iid3)"));
    assert_eq!(query.matches('{').count(), query.matches('}').count());
    assert_eq!(body["variables"]["statuses"], json!(["RUNNING", "WAITING_FOR_CALLBACK"]));
    assert!(!question("p/q", &round, 100, false, &[])["query"].as_str().unwrap().contains("statuses"));
    // Every word of the question is one of the schema or one of its own variables.
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/gitlab/ci-subset.graphql");
    let Ok(schema) = std::fs::read_to_string(schema) else {
        eprintln!("SKIPPED: no schema at {schema}");
        return;
    };
    let words = |text: &str| -> HashSet<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '$').filter(|w| !w.is_empty()).map(Into::into).collect()
    };
    let known = words(&schema);
    for word in words(query) {
        let own = word.starts_with('$') || word.starts_with("child") || matches!(&*word, "query" | "Jobs" | "false");
        assert!(own || known.contains(&word), "`{word}` is not in the schema");
    }
}

#[tokio::test]
async fn a_tree_of_5000_jobs_costs_few_requests() {
    let server = server(|_, request| Answer::Now(http(200, "", &answer(request, true).to_string()))).await;
    for (token, want) in [(Some("glpat-test"), 18), (None, 24)] {
        let gitlab = client(&server.url, token);
        let mut left: Vec<_> = (1..=35).map(|n| child(n, None)).collect();
        let mut jobs = HashSet::new();
        while !left.is_empty() {
            let batch = gitlab.jobs_graphql(&left, false, &[]).await.unwrap();
            assert!(batch.failed.is_empty());
            left = batch
                .pages
                .iter()
                .filter_map(|page| Some(child(page.pipeline.0 - 9000, Some(page.next.as_deref()?))))
                .collect();
            jobs.extend(batch.pages.into_iter().flat_map(|page| page.jobs).map(|job| (job.pipeline, job.id)));
        }
        assert_eq!((jobs.len(), gitlab.stats().requests), (7000, want));
    }
    assert_eq!(children_of(&server.seen()[0]), 4);
    assert!(server.seen()[0].starts_with("POST /api/graphql HTTP/1.1"));
}

#[tokio::test]
async fn a_question_that_is_too_heavy_is_made_lighter_and_stays_so() {
    let server = server(|_, request| {
        if children_of(request) > 2 {
            return Answer::Now(http(200, "", include_str!("testdata/graphql_too_complex.json")));
        }
        Answer::Now(http(200, "", &answer(request, false).to_string()))
    })
    .await;
    let gitlab = client(&server.url, Some("glpat-test"));
    let batch: Vec<_> = (1..=5).map(|n| child(n, None)).collect();
    let found = gitlab.jobs_graphql(&batch, true, &[]).await.unwrap();
    let order: Vec<_> = found.pages.iter().map(|p| p.pipeline.0 - 9000).collect();
    assert_eq!(order, [1, 2, 3, 4, 5]);
    assert_eq!(&*found.pages[0].needs[0].needs[0].name, "zlib");
    gitlab.jobs_graphql(&batch[..2], false, &[]).await.unwrap();
    let sizes: Vec<_> = server.seen().iter().map(|r| children_of(r)).collect();
    assert_eq!(sizes, [4, 2, 2, 1, 2]);
}

#[tokio::test]
async fn what_a_timeout_left_out_is_asked_for_again_with_fewer_rows() {
    let server = server(|n, request| {
        let mut reply = answer(request, false);
        if n == 0 {
            reply["data"]["project"]["child1"] = Value::Null;
            reply["data"]["project"]["child2"]["jobs"] = Value::Null;
            reply["errors"] = json!([{"message": "Timeout on CiJob.needs", "path": ["project", "child1"]}]);
        }
        Answer::Now(http(200, "", &reply.to_string()))
    })
    .await;
    let gitlab = client(&server.url, Some("glpat-test"));
    let found = gitlab.jobs_graphql(&(1..=3).map(|n| child(n, None)).collect::<Vec<_>>(), false, &[]).await.unwrap();
    let read: Vec<_> = found.pages.iter().map(|p| (p.pipeline.0 - 9000, p.jobs.len())).collect();
    assert_eq!((read, found.failed), (vec![(1, 100), (2, 50), (3, 50)], vec![]));
}

#[tokio::test]
async fn refusals_end_and_keep_what_was_read() {
    // Never light enough.
    let heavy = server(|_, _| Answer::Now(http(200, "", include_str!("testdata/graphql_too_complex.json")))).await;
    let found = client(&heavy.url, Some("glpat-test")).jobs_graphql(&[child(1, None)], false, &[]).await.unwrap();
    assert!(found.pages.is_empty() && found.failed[0].1.detail.contains("complexity of 312"));
    assert_eq!(heavy.seen().len(), 5, "4, 2, 1 children, then 50 and 25 rows");

    // A project that is hidden, and a pipeline that is.
    let hidden = server(|_, _| Answer::Now(http(200, "", r#"{"data":{"project":null}}"#))).await;
    let fault = client(&hidden.url, None).jobs_graphql(&[child(1, None)], false, &[]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    let gone = server(|_, request| {
        let mut reply = answer(request, false);
        reply["data"]["project"]["child0"] = Value::Null;
        Answer::Now(http(200, "", &reply.to_string()))
    })
    .await;
    let found = client(&gone.url, None).jobs_graphql(&[child(1, None), child(2, None)], false, &[]).await.unwrap();
    assert_eq!((found.pages.len(), &found.failed[0].1.kind), (1, &FaultKind::NotFound));

    // The server dies after the first question.
    let calls = Arc::new(AtomicUsize::new(0));
    let dying = server(move |_, request| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::Now(http(200, "", &answer(request, false).to_string())),
        _ => Answer::Now(http(401, "", r#"{"message":"401 Unauthorized"}"#)),
    })
    .await;
    let batch: Vec<_> = (1..=6).map(|n| child(n, None)).collect();
    let found = client(&dying.url, Some("glpat-test")).jobs_graphql(&batch, false, &[]).await.unwrap();
    assert_eq!((found.pages.len(), found.failed.len()), (4, 2));
    assert!(found.failed.iter().all(|(_, fault)| fault.kind == FaultKind::Unauthorized));
}

#[test]
fn a_page_that_leads_to_itself_is_garbled() {
    for cursor in [Some("here".to_owned()), None] {
        let wire = WireJobs { page_info: PageInfo { has_next_page: true, end_cursor: cursor }, nodes: None };
        assert!(page(&child(1, Some("here")), wire, false, &mut Words::default()).is_err());
    }
}
