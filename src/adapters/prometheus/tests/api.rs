use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::ci::Timestamp;

fn json(status: u16, body: &str) -> Vec<u8> {
    http(status, "content-type: application/json\r\n", body)
}

async fn asked(status: u16, body: &'static str) -> Result<Answer, crate::console::fault::Fault> {
    let server = server(move |_, _| Reply::Now(json(status, body))).await;
    Prometheus::new(&settings(&server.url)).unwrap().query("up", None).await
}

#[tokio::test]
async fn answers_have_their_types() {
    let vector = asked(200, include_str!("../testdata/query.vector.json")).await.unwrap();
    let Data::Vector(series) = vector.data else { panic!() };
    assert_eq!(series.len(), 10);
    let win = series.iter().find(|s| s.labels["nodepool"] == "x86-64-v2-win").unwrap();
    assert_eq!(win.point, Some(Point { at: Timestamp::from_millis(1_795_462_284_529), value: 0.752 }));

    let matrix = asked(200, include_str!("../testdata/query_range.matrix.json")).await.unwrap();
    let Data::Matrix(ranges) = matrix.data else { panic!() };
    assert_eq!(ranges.iter().map(|r| r.points.len()).collect::<Vec<_>>(), [5, 5, 5]);

    let scalar = asked(200, include_str!("../testdata/query.nan-scalar.json")).await.unwrap();
    let Data::Scalar(point) = scalar.data else { panic!() };
    assert!(point.value.is_nan() && point.at.millis() == 1_795_462_284_734);

    let text =
        asked(200, r#"{"status":"success","data":{"resultType":"string","result":[1.5,"a \"b\""]}}"#).await.unwrap();
    assert_eq!(text.data, Data::String { at: Timestamp::from_millis(1500), text: "a \"b\"".to_owned() });

    let infinite = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"+Inf"]},
        {"metric":{"a":"b"},"value":[1,"-Inf"]},{"metric":{"h":""},"histogram":[2,{"count":"3","sum":"1e+02","buckets":[[0,"-0.5","1","3"]]}]}]},
        "warnings":["some data may be missing"],"infos":["metric might not be a counter"]}"#;
    let answer = asked(200, infinite).await.unwrap();
    assert_eq!(answer.warnings, ["some data may be missing"]);
    assert_eq!(answer.infos, ["metric might not be a counter"]);
    let Data::Vector(series) = answer.data else { panic!() };
    let at = Timestamp::from_millis(1000);
    assert_eq!(series[0].point, Some(Point { at, value: f64::INFINITY }));
    assert_eq!(series[1].point, Some(Point { at, value: f64::NEG_INFINITY }));
    let native = NativeHistogram { count: 3.0, sum: 100.0, buckets: vec![(-0.5, 1.0, 3.0)] };
    assert_eq!(series[2].histogram, Some((Timestamp::from_millis(2000), native)));

    let none = asked(200, r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#).await.unwrap();
    assert_eq!(none.data, Data::Vector(Vec::new()), "no series is an answer");
}

#[tokio::test]
async fn a_no_is_told_by_its_kind() {
    for (status, body, kind, detail) in [
        (
            400,
            include_str!("../testdata/query.400.json"),
            FaultKind::Refused { status: 400 },
            "bad_data: invalid parameter \"query\"",
        ),
        (
            400,
            include_str!("../testdata/query_range.too-many.json"),
            FaultKind::Refused { status: 400 },
            "exceeded maximum resolution of 11,000",
        ),
        (
            422,
            include_str!("../testdata/query.422.json"),
            FaultKind::Refused { status: 422 },
            "execution: found duplicate series",
        ),
        (
            503,
            r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
            FaultKind::Timeout,
            "timeout: query timed out",
        ),
        (
            503,
            r#"{"status":"error","errorType":"unavailable","error":"not ready"}"#,
            FaultKind::Server { status: 503 },
            "unavailable: not ready",
        ),
        (
            500,
            r#"{"status":"error","errorType":"internal","error":"oh"}"#,
            FaultKind::Server { status: 500 },
            "internal: oh",
        ),
        (404, r#"{"status":"error","errorType":"not_found","error":"gone"}"#, FaultKind::NotFound, "gone"),
        (200, r#"{"status":"error","errorType":"odd","error":"no"}"#, FaultKind::Server { status: 200 }, "odd: no"),
        (200, r#"{"status":"success"}"#, FaultKind::Garbled, "status `success`, and no data"),
        (
            200,
            r#"{"status":"success","data":{"resultType":"cube","result":[]}}"#,
            FaultKind::Garbled,
            "no result type `cube`",
        ),
        (
            200,
            r#"{"status":"success","data":{"resultType":"vector","result":{}}}"#,
            FaultKind::Garbled,
            "a vector of another shape",
        ),
        (
            200,
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"many"]}}"#,
            FaultKind::Garbled,
            "`many` is no number",
        ),
        (200, r#"{"status":"succ"#, FaultKind::Garbled, "not the JSON that was expected"),
        (404, "404 page not found", FaultKind::NotFound, "404 page not found"),
        (401, "", FaultKind::Unauthorized, "not authenticated"),
    ] {
        let fault = asked(status, body).await.unwrap_err();
        assert!(fault.kind == kind && fault.detail.contains(detail), "{fault:?}");
    }
    let text = server(|_, _| Reply::Now(http(200, "content-type: text/plain\r\n", "please log in"))).await;
    let fault = Prometheus::new(&settings(&text.url)).unwrap().query("up", None).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unauthorized, "{fault}");
}

#[tokio::test]
async fn requests_are_posts_and_carry_the_login_and_nothing_else_of_it() {
    let server = server(|_, _| {
        Reply::Now(json(400, r#"{"status":"error","errorType":"bad_data","error":"Bearer canary-1 and a=canary-2"}"#))
    })
    .await;
    for (login, header) in [
        (Login::Bearer("canary-1".into()), "authorization: Bearer canary-1"),
        (Login::Cookie("a=canary-2".into()), "cookie: a=canary-2"),
    ] {
        let settings = Settings { login, ..settings(&format!("{}/prom/", server.url)) };
        assert!(!format!("{settings:?}").contains("canary"));
        let prometheus = Prometheus::new(&settings).unwrap();
        let fault = prometheus.query("up{a=\"b&c\"}", Some(Timestamp::from_millis(1_500))).await.unwrap_err();
        assert!(fault.detail.contains("[secret]"), "{fault}");
        assert!(!format!("{prometheus:?}").contains("canary"));
        let seen = server.seen().pop().unwrap();
        assert!(seen.starts_with("POST /prom/api/v1/query HTTP/1.1\r\n") && seen.contains(header), "{seen}");
        assert!(seen.ends_with("query=up%7Ba%3D%22b%26c%22%7D&timeout=10s&time=1%2E500"), "{seen}");
    }
}

#[tokio::test]
async fn a_long_range_is_asked_for_in_pieces() {
    let server = server(|n, request| {
        let body = request.rsplit("\r\n\r\n").next().unwrap().to_owned();
        let field = |name: &str| -> f64 {
            let part = body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
            part.replace("%2E", ".").parse().unwrap()
        };
        let points = (field("end") - field("start")) / field("step") + 1.0;
        assert!(points <= 11_000.0, "{points}");
        let value = format!("[{},\"{n}\"],[{},\"1\"]", field("start"), field("end"));
        Reply::Now(json(200, &format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"a":"b"}},"values":[{value}]}}]}},"warnings":["w"]}}"#)))
    })
    .await;
    let prometheus = Prometheus::new(&settings(&server.url)).unwrap();
    let end = |seconds: i64| Timestamp::from_millis(seconds * 1000);
    let second = Duration::from_secs(1);
    let whole = prometheus.query_range("up", end(0), end(24_999), second).await.unwrap();
    let Data::Matrix(ranges) = whole.data else { panic!() };
    let times: Vec<_> = ranges[0].points.iter().map(|point| point.at.millis() / 1000).collect();
    assert_eq!(
        times,
        [0, 10_999, 11_000, 21_999, 22_000, 24_999],
        "no moment is missing between pieces, none is there twice"
    );
    assert_eq!((ranges.len(), whole.warnings.len(), server.seen().len()), (1, 1, 3));
    for (start, last, step, said) in [
        (0, 220_000, second, "220001 points are more than the 220000"),
        (0, 1, Duration::ZERO, "a step of at least a millisecond"),
        (1, 0, second, "must not end before it starts"),
    ] {
        let fault = prometheus.query_range("up", end(start), end(last), step).await.unwrap_err();
        assert!(fault.kind == FaultKind::Local && fault.detail.contains(said), "{fault}");
    }
    assert_eq!(server.seen().len(), 3, "what is refused is not sent");
}

#[tokio::test]
async fn alerts_rules_and_version_are_read() {
    let server = server(|_, request| {
        let body = match request.split(' ').nth(1).unwrap() {
            "/api/v1/alerts" => include_str!("../testdata/alerts.json"),
            "/api/v1/rules" => include_str!("../testdata/rules.json"),
            "/api/v1/status/buildinfo" => include_str!("../testdata/buildinfo.json"),
            other => panic!("{other}"),
        };
        Reply::Now(json(200, body))
    })
    .await;
    let prometheus = Prometheus::new(&settings(&server.url)).unwrap();
    let alerts = prometheus.alerts().await.unwrap();
    assert_eq!((alerts.len(), &alerts[0].state, alerts[0].value), (1, &AlertState::Firing, 1.0));
    assert_eq!(alerts[0].active_at, Timestamp::parse("2026-11-23T19:25:06.250Z"));
    let groups = prometheus.rules().await.unwrap();
    let rules: Vec<_> = groups.iter().flat_map(|group| &group.rules).collect();
    assert_eq!((groups.len(), rules.len()), (2, 6));
    let stuck = rules.iter().find(|rule| rule.name == "GitlabPipelinePodStuck").unwrap();
    let RuleKind::Alerting { state, duration, alerts, .. } = &stuck.kind else { panic!() };
    assert_eq!((state, *duration, alerts.len()), (&AlertState::Firing, Duration::from_secs(300), 1));
    assert_eq!(stuck.is_healthy, Some(true));
    assert_eq!(rules.iter().filter(|rule| rule.kind == RuleKind::Recording).count(), 2);
    assert_eq!(prometheus.build_info().await.unwrap().version, "2.42.0+ds");
}

#[tokio::test]
async fn at_most_four_requests_are_open() {
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counted = (open.clone(), most.clone());
    let answer = move || {
        let (open, most) = counted.clone();
        async move {
            let now = open.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            open.fetch_sub(1, Ordering::SeqCst);
            ([("content-type", "application/json")], include_str!("../testdata/query.vector.json"))
        }
    };
    let router = axum::Router::new().route("/api/v1/query", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let prometheus = Arc::new(Prometheus::new(&settings(&url)).unwrap());
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let prometheus = prometheus.clone();
            tokio::spawn(async move { prometheus.query("up", None).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[test]
fn values_are_quoted() {
    for (value, quoted) in
        [("plain", r#""plain""#), (r#"C:\x "y""#, r#""C:\\x \"y\"""#), ("a\nb\r", r#""a\nb\r""#), ("ü'{}", r#""ü'{}""#)]
    {
        assert_eq!(quote(value), quoted);
    }
}
