use std::io::Write as _;

use super::*;

const EDGES: &str = include_str!("../testdata/edge-cases.prom");

async fn scraped(settings: Settings) -> Result<Exposition, crate::console::fault::Fault> {
    Exporter::new(&settings).unwrap().scrape().await
}

#[tokio::test]
async fn an_address_is_read_packed_or_not() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(EDGES.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let server = server(move |n, _| {
        if n == 0 {
            return Reply::Now(http(200, "content-type: text/plain; version=0.0.4\r\n", EDGES));
        }
        let mut answer = http(200, &format!("content-encoding: gzip\r\ncontent-length: {}\r\n", packed.len()), "");
        answer.extend_from_slice(&packed);
        Reply::Now(answer)
    })
    .await;
    let url = format!("{}/deep/metrics?x=1", server.url);
    let plain = scraped(settings(&url)).await.unwrap();
    assert_eq!(format!("{plain:?}"), format!("{:?}", Exposition::parse(EDGES).unwrap()));
    assert_eq!(format!("{:?}", scraped(settings(&url)).await.unwrap()), format!("{plain:?}"));
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /deep/metrics?x=1 HTTP/1.1"), "{}", seen[0]);
    assert!(seen[0].contains("accept: text/plain;version=0.0.4") && seen[0].contains("accept-encoding: gzip"));
}

#[tokio::test]
async fn what_is_too_large_is_not_read_however_well_it_is_packed() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![b'#'; 4 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 8 << 10);
    let server = server(move |_, _| {
        let mut answer = http(200, &format!("content-encoding: gzip\r\ncontent-length: {}\r\n", packed.len()), "");
        answer.extend_from_slice(&packed);
        Reply::Now(answer)
    })
    .await;
    let fault = scraped(Settings { largest: 1 << 20, ..settings(&server.url) }).await.unwrap_err();
    assert_eq!(fault.to_string(), "read metrics: the answer has more than the 1048576 bytes that are read at most");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn whatever_is_no_exposition_is_a_fault() {
    let html = "content-type: text/html\r\n";
    let odd: Vec<(Vec<u8>, FaultKind, &str, usize)> = vec![
        (
            http(200, html, "<p>Sign in</p>"),
            FaultKind::Unauthorized,
            "not authenticated: the server sent a web page (HTTP 200)",
            1,
        ),
        (http(200, "", "<!DOCTYPE html>"), FaultKind::Unauthorized, "not authenticated", 1),
        (http(403, html, "Sign in"), FaultKind::Unauthorized, "not authenticated", 1),
        (
            http(302, "location: https://sso.example/start?rd=hush\r\n", ""),
            FaultKind::Unauthorized,
            "the server leads to https://sso.example/start instead",
            1,
        ),
        (http(401, "", ""), FaultKind::Unauthorized, "not authenticated: HTTP 401", 1),
        (http(403, "", "no\nnever"), FaultKind::Forbidden, "HTTP 403, no", 1),
        (http(404, "", "404 page not found\n"), FaultKind::NotFound, "HTTP 404, 404 page not found", 1),
        (http(500, "", "boom"), FaultKind::Server { status: 500 }, "HTTP 500, boom", 3),
        (http(502, html, "<html>"), FaultKind::Server { status: 502 }, "a web page instead of data", 3),
        (http(200, "", "a 1\nb"), FaultKind::Garbled, "line 2: b has no value", 1),
        (http(200, "content-length: 100\r\n", "a 1\n"), FaultKind::Garbled, "the answer broke off", 3),
        (http(200, "content-type: application/vnd.google.protobuf\r\n", "x"), FaultKind::Garbled, "protobuf", 1),
    ];
    for (answer, kind, detail, requests) in odd {
        let server = server(move |_, _| Reply::Now(answer.clone())).await;
        let fault = scraped(settings(&server.url)).await.unwrap_err();
        assert!(fault.kind == kind && fault.detail.contains(detail), "{fault:?}");
        assert!(!fault.detail.contains("hush"), "{fault}");
        assert_eq!(server.seen().len(), requests, "{fault}");
    }
    let mut bytes = http(200, "content-length: 5\r\n", "");
    bytes.extend_from_slice(b"a\xff 1\n");
    let odd = server(move |_, _| Reply::Now(bytes.clone())).await;
    assert!(scraped(settings(&odd.url)).await.unwrap_err().detail.contains("no UTF-8 from byte 1"));
    let fault = scraped(settings("http://127.0.0.1:1/metrics")).await.unwrap_err();
    assert!(fault.kind == FaultKind::Unreachable && fault.detail.contains("refused"), "{fault}");
    for silent in [|| Reply::Hang(Vec::new()), || Reply::Drip(http(200, "content-length: 99999\r\n", ""))] {
        let server = server(move |_, _| silent()).await;
        let hasty = Settings { request: Duration::from_millis(200), ..settings(&server.url) };
        let fault = scraped(hasty).await.unwrap_err();
        assert_eq!((fault.kind, &*fault.detail), (FaultKind::Timeout, "no whole answer within 0.2 s"));
    }
}

#[test]
fn addresses_that_lead_nowhere_are_told_at_once() {
    for (url, said) in [
        ("metrics", "its address is no URL"),
        ("file:///etc/passwd", "its address is no web address"),
        ("http://me:hush@host/", "its address holds a password"),
    ] {
        let fault = Exporter::new(&settings(url)).unwrap_err();
        assert!(
            fault.kind == FaultKind::Local && fault.detail.contains(said) && !fault.detail.contains("hush"),
            "{fault}"
        );
    }
    for (login, said) in [
        (Login::Bearer(" ".into()), "the token is empty"),
        (Login::Bearer("a\nb".into()), "characters that no login has"),
        (Login::Cookie("value".into()), "NAME=VALUE"),
    ] {
        let fault = Exporter::new(&Settings { login, ..settings("http://host") }).unwrap_err();
        assert!(fault.detail.contains(said), "{fault}");
    }
}
