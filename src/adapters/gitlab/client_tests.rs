//! The client against servers that refuse, stall, limit, redirect, flood and echo.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::testing::{NOW, Reply, client, http, server, settings};
use super::*;
use crate::ci::PipelineId;

const TOKEN: &str = "glpat-CANARY-9f3b1c";
const PIPELINE: &str = r#"{"id": 5, "status": "running", "ref": "develop"}"#;

fn ok() -> Reply {
    Reply::Now(http(200, "content-type: application/json\r\n", PIPELINE))
}

#[tokio::test]
async fn passing_trouble_is_tried_again_and_lasting_trouble_is_told() {
    for (bad, want) in [
        (Reply::Now(http(500, "", r#"{"message":"500 Internal Server Error"}"#)), FaultKind::Server { status: 500 }),
        (
            Reply::Now(http(502, "content-type: text/html\r\n", "<html>Bad Gateway</html>")),
            FaultKind::Server { status: 502 },
        ),
        (Reply::Now(http(200, "", r#"{"id": 5, "status""#)), FaultKind::Garbled),
        (Reply::Now(http(200, "content-length: 900\r\n", PIPELINE)), FaultKind::Garbled),
        (Reply::Now(Vec::new()), FaultKind::Unreachable),
        (Reply::Now(b"SSH-2.0-OpenSSH\r\n".to_vec()), FaultKind::Unreachable),
    ] {
        let once = bad.clone();
        let flaky = server(move |n, _| if n == 0 { once.clone() } else { ok() }).await;
        let gitlab = client(&flaky.url, None);
        assert_eq!(gitlab.pipeline(PipelineId(5)).await.map(|p| p.id), Ok(PipelineId(5)), "{want:?}");
        assert_eq!((gitlab.stats().requests, gitlab.stats().errors), (2, 1));

        let broken = server(move |_, _| bad.clone()).await;
        let gitlab = client(&broken.url, None);
        let fault = gitlab.pipeline(PipelineId(5)).await.unwrap_err();
        assert_eq!(fault.kind, want);
        assert!(fault.is_transient());
        assert_eq!((broken.seen().len(), gitlab.stats().in_flight), (3, 0), "{want:?}");
    }
}

#[tokio::test]
async fn final_answers_are_not_asked_for_twice() {
    for (status, headers, body, want) in [
        (401, "", r#"{"message":"401 Unauthorized"}"#, FaultKind::Unauthorized),
        (403, "", r#"{"message":"403 Forbidden"}"#, FaultKind::Forbidden),
        (404, "", r#"{"message":"404 Project Not Found"}"#, FaultKind::NotFound),
        (400, "", r#"{"error":"scope does not have a valid value"}"#, FaultKind::Refused { status: 400 }),
        (202, "x-amzn-waf-action: challenge\r\n", "", FaultKind::Firewall),
        (405, "x-amzn-waf-action: captcha\r\n", "<html>", FaultKind::Firewall),
        (200, "content-type: text/html\r\n", "<!doctype html><p>prove that you are human", FaultKind::Firewall),
        (200, "", r#"["another shape"]"#, FaultKind::Garbled),
    ] {
        let server = server(move |_, _| Reply::Now(http(status, headers, body))).await;
        let fault = client(&server.url, None).pipeline(PipelineId(5)).await.unwrap_err();
        assert_eq!((fault.kind, server.seen().len()), (want, 1), "{status} {body}");
        assert_eq!(fault.what, "read pipeline 5");
    }
}

#[tokio::test]
async fn hangs_and_drips_end_at_the_deadline() {
    for reply in [
        Reply::Hang(Vec::new()),
        Reply::Hang(http(200, "content-length: 500\r\n", "{")),
        Reply::Drip(http(200, "content-length: 500000\r\n", "{")),
    ] {
        let server = server(move |_, _| reply.clone()).await;
        let mut hasty = settings(&server.url, None);
        hasty.request = Duration::from_millis(150);
        let gitlab = GitLab::new(hasty).unwrap();
        let start = std::time::Instant::now();
        let fault = gitlab.pipeline(PipelineId(5)).await.unwrap_err();
        assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::Timeout, "no whole answer within 0.15 s"));
        assert!(start.elapsed() < Duration::from_secs(3), "the deadline covers all tries");
    }
}

#[tokio::test]
async fn a_dead_address_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let fault = client(&url, None).pipeline(PipelineId(5)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
}

#[tokio::test]
async fn a_short_limit_is_waited_for_by_the_whole_client() {
    let limited = Arc::new(AtomicUsize::new(0));
    let counter = limited.clone();
    let server = server(move |_, _| {
        if counter.fetch_add(1, Ordering::Relaxed) == 0 {
            Reply::Now(http(429, "retry-after: 1\r\n", "Retry later"))
        } else {
            ok()
        }
    })
    .await;
    let gitlab = client(&server.url, None);
    let start = std::time::Instant::now();
    gitlab.pipeline(PipelineId(5)).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(950), "came back before it was told to");
    assert_eq!(gitlab.stats().limited_until, Some(NOW.shifted(1000)));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_long_limit_is_told_at_once_and_nothing_more_is_sent() {
    let server = server(|_, _| Reply::Now(http(429, "retry-after: 90\r\n", "Retry later"))).await;
    let gitlab = client(&server.url, Some(TOKEN));
    let until = FaultKind::RateLimited { until: Some(NOW.shifted(90_000)) };
    assert!(matches!(
        gitlab.pipeline(PipelineId(5)).await.unwrap_err().kind,
        FaultKind::RateLimited { until: Some(_) }
    ));
    // Another caller, a change, and a clone: all of them share the limit.
    assert!(gitlab.clone().retry(crate::ci::JobId(1)).await.unwrap_err().detail.contains("nothing was sent"));
    assert!(gitlab.pipeline(PipelineId(6)).await.is_err());
    assert_eq!(server.seen().len(), 1);
    assert_eq!(gitlab.stats().limited_until.map(|until_| FaultKind::RateLimited { until: Some(until_) }), Some(until));
}

#[tokio::test]
async fn redirects_keep_the_token_at_home() {
    let away = server(|_, _| ok()).await;
    let there = format!("location: {}/store/file\r\n", away.url);
    let home = server(move |n, _| match n {
        0 => Reply::Now(http(302, "location: /api/v4/moved\r\n", "")),
        1 => Reply::Now(http(302, &there, "")),
        _ => ok(),
    })
    .await;
    client(&home.url, Some(TOKEN)).pipeline(PipelineId(5)).await.unwrap();
    let bearer = format!("authorization: Bearer {TOKEN}");
    assert_eq!(home.seen().len(), 2);
    assert!(home.seen().iter().all(|request| request.contains(&bearer)), "{:?}", home.seen());
    let stranger = away.seen().join("");
    assert!(stranger.starts_with("GET /store/file HTTP/1.1"));
    assert!(!stranger.contains("CANARY") && !stranger.to_ascii_lowercase().contains("authorization"), "{stranger}");
}

#[tokio::test]
async fn redirects_that_lead_nowhere_good_are_refused() {
    for (headers, want) in [
        ("location: /again\r\n", FaultKind::Garbled),
        ("location: file:///etc/passwd\r\n", FaultKind::Garbled),
        ("location: https://gitlab.example/users/sign_in\r\n", FaultKind::Unauthorized),
        ("", FaultKind::Refused { status: 302 }),
    ] {
        let server = server(move |_, _| Reply::Now(http(302, headers, ""))).await;
        let fault = client(&server.url, None).pipeline(PipelineId(5)).await.unwrap_err();
        assert_eq!(fault.kind, want, "{headers}");
    }
}

#[tokio::test]
async fn too_large_an_answer_is_not_held() {
    // 96 KB that unpack to 96 MB.
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..96 {
        packer.write_all(&spaces).unwrap();
    }
    let packed = packer.finish().unwrap();
    let head = format!("content-encoding: gzip\r\ncontent-length: {}\r\n", packed.len());
    let mut answer = http(200, &head, "");
    answer.extend(packed);
    let server = server(move |_, _| Reply::Now(answer.clone())).await;
    let fault = client(&server.url, None).pipeline(PipelineId(5)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Garbled);
    assert!(fault.detail.contains("larger than 64 MB"), "{}", fault.detail);
}

#[tokio::test]
async fn gauges_come_from_headers_and_missing_is_unknown() {
    let server = server(|n, _| {
        let date = NOW.shifted(7_000).http_date();
        let limit = if n == 0 { "ratelimit-remaining: 41\r\n" } else { "" };
        Reply::Now(http(200, &format!("date: {date}\r\n{limit}"), PIPELINE))
    })
    .await;
    let gitlab = client(&server.url, None);
    assert_eq!(gitlab.stats(), Stats::default());
    gitlab.pipeline(PipelineId(5)).await.unwrap();
    assert_eq!((gitlab.stats().remaining, gitlab.stats().skew_ms), (Some(41), Some(7_500)));
    gitlab.pipeline(PipelineId(5)).await.unwrap();
    assert_eq!(gitlab.stats().remaining, None);
}

#[tokio::test]
async fn never_more_in_flight_than_allowed() {
    let server = server(|_, _| Reply::Hang(Vec::new())).await;
    let gitlab = client(&server.url, None);
    let calls = (0..12).map(|n| {
        let gitlab = gitlab.clone();
        tokio::spawn(async move { gitlab.pipeline(PipelineId(n)).await.unwrap_err().kind })
    });
    let calls: Vec<_> = calls.collect();
    while server.seen().len() < 4 {
        tokio::task::yield_now().await;
    }
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!((server.seen().len(), gitlab.stats().in_flight), (4, 4));
    // A caller that goes away gives its place back.
    for call in calls {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    assert_eq!(gitlab.stats().in_flight, 0);
}

#[test]
fn bad_settings_say_what_to_change() {
    let set = |url: &str, project: &str, token: Option<&str>| {
        let mut settings = settings(url, token);
        settings.project = project.to_owned();
        GitLab::new(settings).err().map(|fault| (fault.kind, fault.detail))
    };
    let good = set("https://example.org/gitlab", "spack/spack", Some(TOKEN));
    assert_eq!(good, None);
    for (url, project, token, want) in [
        ("gitlab.spack.io", "a/b", None, "write https://HOST"),
        ("ftp://gitlab.spack.io", "a/b", None, "write https://HOST"),
        ("https://me:secret@gitlab.spack.io", "a/b", None, "--token-env"),
        ("https://gitlab.spack.io", " / ", None, "GROUP/NAME"),
        ("https://gitlab.spack.io", "a/b", Some(" "), "the token is empty"),
        ("https://gitlab.spack.io", "a/b", Some("glpat-\u{7}"), "characters that no token has"),
    ] {
        let (kind, detail) = set(url, project, token).unwrap();
        assert_eq!(kind, FaultKind::Local);
        assert!(detail.contains(want) && !detail.contains("secret"), "{detail}");
    }
}

#[tokio::test]
async fn the_token_is_nowhere_to_be_seen() {
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // While there is only one dispatcher, tracing lets whichever thread comes first decide that nobody listens. Two make it ask both.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let _guard = tracing::subscriber::set_default(subscriber);
    // A server that echoes what it was sent.
    let server = server(|n, request| match n {
        0 => Reply::Now(http(400, "", &format!(r#"{{"message":"bad request: {}"}}"#, request.replace("\r\n", " ")))),
        1 => Reply::Now(http(502, "content-type: text/plain\r\n", request.rsplit("Bearer").next().unwrap())),
        _ => ok(),
    })
    .await;
    let settings = settings(&server.url, Some(TOKEN));
    let mut shown = format!("{settings:?} {settings:#?}");
    let gitlab = GitLab::new(settings).unwrap();
    let fault = gitlab.pipeline(PipelineId(5)).await.unwrap_err();
    assert!(fault.detail.contains("Bearer [token]"), "the echo came through: {fault}");
    write!(shown, "{fault} {fault:?} {}", serde_json::to_string(&fault).unwrap()).unwrap();
    gitlab.pipeline(PipelineId(6)).await.unwrap();
    let trace = gitlab.trace(crate::ci::JobId(1), None).await.unwrap();
    write!(shown, "{gitlab:?} {gitlab:#?} {trace:?} {:?}", gitlab.stats()).unwrap();
    assert!(server.seen().iter().all(|request| request.contains(TOKEN)), "the test is blind");
    let traced = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(traced.contains("read pipeline 5"), "nothing was traced: the test is blind");
    for (place, text) in [("shown", &shown), ("traced", &traced)] {
        assert!(!text.contains("CANARY"), "the token was {place}: {text}");
    }
}
