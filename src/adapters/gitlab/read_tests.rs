//! Routes, paging and fallbacks of the REST reads.

use super::super::testing::{NOW, Reply, client, http, server};
use super::*;
use crate::ci::Iid;

fn lines(seen: &[String]) -> Vec<String> {
    let prefix = "GET /api/v4/projects/spack%2Fspack-packages";
    seen.iter().map(|r| r.lines().next().unwrap().replace(prefix, "").replace(" HTTP/1.1", "")).collect()
}

fn rows(n: usize) -> String {
    let rows: Vec<_> =
        (0..n).map(|i| format!(r#"{{"id":{},"status":"created","name":"j","pipeline":{{"id":9}}}}"#, i + 1)).collect();
    format!("[{}]", rows.join(","))
}

#[tokio::test]
async fn pipelines_are_filtered_and_paged() {
    let server = server(|_, _| {
        let headers = "x-next-page: 3\r\nx-total: 4711\r\n";
        Reply::Now(http(200, headers, include_str!("testdata/pipelines_list.json")))
    })
    .await;
    let query = PipelineQuery {
        updated_after: Some(NOW),
        git_ref: Some("pr1_a&b".to_owned()),
        status: Some(Status::WaitingForCallback),
        limit: Some(20),
        ..PipelineQuery::default()
    };
    let page = client(&server.url, None).pipelines(&query, 2).await.unwrap();
    assert_eq!((page.next, page.total, page.items.len()), (Some(3), Some(4711), 2));
    assert_eq!((page.items[1].iid, page.items[1].name.as_deref()), (Some(Iid(411)), Some("nightly")));
    assert_eq!(
        lines(&server.seen()),
        [format!(
            "/pipelines?updated_after={}&ref=pr1_a%26b&status=waiting_for_callback&order_by=updated_at&per_page=20&page=2",
            NOW.to_string().replace(':', "%3A")
        )]
    );
}

#[tokio::test]
async fn jobs_are_paged_to_the_end_and_scoped() {
    let server = server(|n, _| {
        let headers = if n == 0 { "x-next-page: 2\r\n" } else { "x-next-page: \r\n" };
        Reply::Now(http(200, headers, include_str!("testdata/pipeline_jobs_list.json")))
    })
    .await;
    let gitlab = client(&server.url, None);
    let scopes = [Status::Running, Status::WaitingForCallback];
    let first = gitlab.jobs_page(PipelineId(9), 1, &scopes, false).await.unwrap();
    let last = gitlab.jobs_page(PipelineId(9), 2, &[], true).await.unwrap();
    assert_eq!((first.next, first.items[0].kind, last.next), (Some(2), JobKind::Build, None));
    assert_eq!(
        lines(&server.seen()),
        [
            "/pipelines/9/jobs?scope%5B%5D=running&scope%5B%5D=waiting_for_callback&per_page=100&page=1",
            "/pipelines/9/jobs?include_retried=true&per_page=100&page=2"
        ]
    );
}

#[test]
fn the_next_page_is_found_in_whatever_header_there_is() {
    let headers = |list: &[(&'static str, &'static str)]| {
        list.iter().map(|(n, v)| (http::HeaderName::from_static(n), http::HeaderValue::from_static(v))).collect()
    };
    for (list, full, want) in [
        (&[("x-next-page", "8")][..], false, Some(8)),
        (&[("x-next-page", "")], true, None),
        (&[("x-next-page", "7")], true, None),
        (&[("link", r#"<http://g/a?page=1>; rel="first", <http://g/a?page=8>; rel="next""#)], false, Some(8)),
        (&[("link", r#"<http://g/a?page=1>; rel="first""#)], true, None),
        (&[], true, Some(8)),
        (&[], false, None),
    ] {
        let headers: HeaderMap = headers(list);
        assert_eq!(next_page(&headers, 7, full), want, "{list:?}");
    }
}

#[tokio::test]
async fn paging_stops_before_the_server_refuses() {
    let server = server(|_, _| Reply::Now(http(200, "", "[]"))).await;
    let gitlab = client(&server.url, None);
    assert!(gitlab.jobs_page(PipelineId(9), 500, &[], false).await.is_ok());
    let fault = gitlab.jobs_page(PipelineId(9), 501, &[], false).await.unwrap_err();
    assert_eq!((fault.kind, server.seen().len()), (FaultKind::Local, 1));
    assert!(fault.detail.contains("50000") && fault.detail.contains("narrow"), "{}", fault.detail);
}

#[tokio::test]
async fn trigger_jobs_fall_back_to_the_old_route_and_remember_it() {
    let server = server(|_, request| {
        if request.contains("/trigger_jobs") {
            Reply::Now(http(404, "", r#"{"error":"404 Not Found"}"#))
        } else {
            Reply::Now(http(200, "", include_str!("testdata/pipeline_trigger_jobs_list.json")))
        }
    })
    .await;
    let gitlab = client(&server.url, None);
    for _ in 0..2 {
        let jobs = gitlab.trigger_jobs(PipelineId(9001)).await.unwrap();
        assert_eq!(
            (jobs.len(), jobs[0].job.kind, jobs[0].job.downstream),
            (2, JobKind::Bridge, Some(PipelineId(9010)))
        );
    }
    let bridges = "/pipelines/9001/bridges?per_page=100&page=1";
    assert_eq!(lines(&server.seen()), ["/pipelines/9001/trigger_jobs?per_page=100&page=1", bridges, bridges]);
}

#[tokio::test]
async fn a_missing_pipeline_does_not_turn_the_route_back() {
    let server = server(|n, _| match n {
        0 | 1 => Reply::Now(http(404, "", r#"{"message":"404 Not found"}"#)),
        _ => Reply::Now(http(200, "", &rows(1))),
    })
    .await;
    let gitlab = client(&server.url, None);
    assert_eq!(gitlab.trigger_jobs(PipelineId(1)).await.unwrap_err().kind, FaultKind::NotFound);
    assert_eq!(gitlab.trigger_jobs(PipelineId(2)).await.unwrap().len(), 1);
    assert!(lines(&server.seen())[2].contains("/trigger_jobs"));
}

#[tokio::test]
async fn lists_by_key_follow_the_link_at_home_only() {
    let server = server(|n, request| {
        let host = request.lines().find_map(|l| l.strip_prefix("host: ")).unwrap().to_owned();
        let link = match n {
            0 => format!("link: <http://{host}/api/v4/projects/57/jobs?cursor=eyJpZCI&per_page=100>; rel=\"next\"\r\n"),
            1 => "link: <http://elsewhere.example/api/v4/projects/57/jobs?cursor=x>; rel=\"next\"\r\n".to_owned(),
            _ => String::new(),
        };
        Reply::Now(http(200, &link, &rows(2)))
    })
    .await;
    let gitlab = client(&server.url, Some("glpat-x"));
    let first = gitlab.active_jobs_page(&[Status::Running], None).await.unwrap();
    assert_eq!(first.items.len(), 2);
    let fault = gitlab.active_jobs_page(&[Status::Running], first.next.as_ref()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Garbled);
    let seen = server.seen();
    assert_eq!(lines(&seen)[0], "/jobs?scope%5B%5D=running&pagination=keyset&order_by=id&sort=desc&per_page=100");
    assert!(seen[1].starts_with("GET /api/v4/projects/57/jobs?cursor=eyJpZCI&per_page=100 HTTP/1.1"));
    let last = gitlab.active_jobs_page(&[Status::Running], None).await.unwrap();
    assert_eq!(last.next, None);
    let fault = client(&server.url, None).active_jobs_page(&[], None).await.unwrap_err();
    assert_eq!((fault.kind, server.seen().len()), (FaultKind::Unauthorized, 3));
}

#[tokio::test]
async fn one_job_and_the_project_are_read() {
    let server = server(|_, request| {
        let job = request.contains("/jobs/770001");
        let project = r#"{"id": 57, "path_with_namespace": "spack/spack-packages", "default_branch": "develop"}"#;
        Reply::Now(http(200, "", if job { include_str!("testdata/job_get.json") } else { project }))
    })
    .await;
    let gitlab = client(&server.url, Some("glpat-test"));
    let job = gitlab.job(JobId(770_001)).await.unwrap();
    assert_eq!((job.pipeline, job.status), (PipelineId(9010), Status::Failed));
    let project = gitlab.project().await.unwrap();
    assert_eq!((project.id, project.default_branch.as_deref()), (57, Some("develop")));
    assert_eq!(lines(&server.seen()), ["/jobs/770001", ""]);
}

#[tokio::test]
async fn edges_come_from_the_artifact_and_only_from_there() {
    let server = server(|_, _| {
        let yaml = "zlib:\n  stage: stage-0\n  tags: [spack]\n  needs: []\n  script: [x]\n";
        Reply::Now(http(200, "content-type: application/octet-stream\r\n", yaml))
    })
    .await;
    let gitlab = client(&server.url, None);
    let needs = gitlab.generated_needs(JobId(7), "e4s").await.unwrap();
    assert_eq!((&*needs[0].name, needs[0].by_stage), ("zlib", false));
    assert_eq!(lines(&server.seen()), ["/jobs/7/artifacts/jobs_scratch_dir/e4s/cloud-ci-pipeline.yml"]);
    for stack in ["", "..", "../../retry", "a/b", "a%2fb"] {
        assert_eq!(gitlab.generated_needs(JobId(7), stack).await.unwrap_err().kind, FaultKind::Local, "{stack}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_artifact_that_is_gone_or_broken_is_told_apart() {
    for (reply, want) in [
        (http(404, "", r#"{"message":"404 Not Found"}"#), FaultKind::NotFound),
        (http(200, "", "a: [b"), FaultKind::Garbled),
        (http(200, "", "<!DOCTYPE html><p>"), FaultKind::Firewall),
    ] {
        let server = server(move |_, _| Reply::Now(reply.clone())).await;
        let fault = client(&server.url, None).generated_needs(JobId(7), "e4s").await.unwrap_err();
        assert_eq!(fault.kind, want);
    }
}
