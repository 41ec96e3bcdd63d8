use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::adapters::testing::{Reply, Server, http, server};
use crate::ci::Timestamp;
use crate::console::actions::LONGEST_SILENCE;
use crate::console::fault::FaultKind;

const NOW: Timestamp = Timestamp::from_millis(1_795_462_288_222);

fn settings(url: &str) -> Settings {
    Settings { backoff: Duration::from_millis(1), request: Duration::from_secs(20), ..Settings::new(url) }
}

fn json(status: u16, body: &str) -> Reply {
    Reply::Now(http(status, "content-type: application/json\r\n", body))
}

async fn always(status: u16, body: &'static str) -> (Alertmanager, Server) {
    let server = server(move |_, _| json(status, body)).await;
    (Alertmanager::new(&settings(&server.url)).unwrap(), server)
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn bounded(pairs: &[(&str, &str)], length: Option<Duration>) -> Result<NewSilence, Unsilenced> {
    NewSilence::new(labels(pairs), NOW, length, "me", "looking into it")
}

const STUCK: &[(&str, &str)] = &[("alertname", "GitlabPipelinePodStuck"), ("pod", "runner-\"a\"")];

#[tokio::test]
async fn alerts_are_read_with_what_keeps_them_quiet() {
    let (alertmanager, server) = always(200, include_str!("testdata/alerts.json")).await;
    let alerts = alertmanager.alerts().await.unwrap();
    assert_eq!(alerts.len(), 3);
    let quiet = &alerts[1];
    assert_eq!((&*quiet.fingerprint, &quiet.status.state), ("dcea40f4904d5cb4", &AlertState::Suppressed));
    assert_eq!(quiet.status.inhibited_by, [&*alerts[0].fingerprint]);
    assert_eq!(alerts[2].status.state, AlertState::Active);
    assert_eq!(alerts[2].labels["alertname"], "GitlabPipelinePodStuck");
    assert_eq!(Some(alerts[2].starts_at), Timestamp::parse("2026-11-23T19:30:06.250Z"));
    assert!(alerts[2].generator_url.starts_with("http://vm:19090/graph") && alerts[2].receivers[0].name == "none");
    assert!(server.seen()[0].starts_with("GET /api/v2/alerts HTTP/1.1"));
    let (alertmanager, _) = always(200, "[]").await;
    assert_eq!(alertmanager.alerts().await.unwrap(), []);
}

#[tokio::test]
async fn silences_are_read() {
    let (alertmanager, _) = always(200, include_str!("testdata/silences.json")).await;
    let [silence] = &alertmanager.silences().await.unwrap()[..] else { panic!() };
    assert_eq!((&silence.state, &*silence.created_by), (&SilenceState::Active, "stackhand"));
    assert_eq!(silence.ends_at.since(silence.starts_at).as_secs(), 7199);
    let matcher = &silence.matchers[0];
    assert!(matcher.name == "alertname" && matcher.is_equal && !matcher.is_regex);
    let odd = r#"[{"id":"x","status":{"state":"asleep"},"matchers":[{"name":"a","value":"b.*","isRegex":true}],
        "startsAt":"2026-11-23T19:31:28Z","endsAt":"2026-11-23T19:31:28Z","createdBy":"","comment":""}]"#;
    let (alertmanager, _) = always(200, odd).await;
    let [silence] = &alertmanager.silences().await.unwrap()[..] else { panic!() };
    assert_eq!(silence.state, SilenceState::Other("asleep".to_owned()));
    assert!(silence.matchers[0].is_regex && silence.matchers[0].is_equal);
}

#[tokio::test]
async fn a_silence_is_sent_once_and_bounded() {
    let (alertmanager, server) = always(200, include_str!("testdata/silences.post.json")).await;
    let silence = bounded(STUCK, None).unwrap();
    assert_eq!(silence.ends(), NOW.plus(Duration::from_hours(2)));
    assert_eq!(alertmanager.silence(&silence).await.unwrap(), "a8119873-e0fd-41f6-80ea-a595a8dfbd4a");
    let seen = server.seen();
    let (head, body) = seen[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /api/v2/silences HTTP/1.1") && head.contains("content-type: application/json"));
    let sent: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "matchers": [
            {"name": "alertname", "value": "GitlabPipelinePodStuck", "isRegex": false, "isEqual": true},
            {"name": "pod", "value": "runner-\"a\"", "isRegex": false, "isEqual": true},
        ],
        "startsAt": "2026-11-23T19:31:28.222Z",
        "endsAt": "2026-11-23T21:31:28.222Z",
        "createdBy": "me",
        "comment": "looking into it",
    });
    assert_eq!(sent, expected);
    // What may have happened is not sent again.
    let broken = server_that(|| http(200, "content-length: 99\r\n", "{")).await;
    let fault = Alertmanager::new(&settings(&broken.url)).unwrap().silence(&silence).await.unwrap_err();
    assert!(fault.is_uncertain() && broken.seen().len() == 1, "{fault:?}");
    let busy = server_that(|| http(503, "", "later")).await;
    let fault = Alertmanager::new(&settings(&busy.url)).unwrap().silence(&silence).await.unwrap_err();
    assert_eq!((fault.kind, busy.seen().len()), (FaultKind::Server { status: 503 }, 1));
}

async fn server_that(answer: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Server {
    server(move |_, _| Reply::Now(answer())).await
}

#[tokio::test]
async fn a_silence_is_ended_by_its_id() {
    let (alertmanager, server) = always(200, "").await;
    alertmanager.expire("a8119873-e0fd-41f6-80ea-a595a8dfbd4a").await.unwrap();
    assert!(server.seen()[0].starts_with("DELETE /api/v2/silence/a8119873-e0fd-41f6-80ea-a595a8dfbd4a HTTP/1.1"));
    for id in ["", "../status", "a/b", "a?b"] {
        assert_eq!(alertmanager.expire(id).await.unwrap_err().kind, FaultKind::Local, "{id}");
    }
    assert_eq!(server.seen().len(), 1);
    let (alertmanager, _) = always(500, "\"silence a-b already expired\"").await;
    let fault = alertmanager.expire("a-b").await.unwrap_err();
    assert_eq!(fault.to_string(), "end a silence: HTTP 500, silence a-b already expired");
}

#[tokio::test]
async fn a_no_is_told_in_the_servers_words() {
    for (status, body, kind, detail) in [
        (
            422,
            r#"{"code":602,"message":"comment in body is required"}"#,
            FaultKind::Refused { status: 422 },
            "HTTP 422, comment in body is required",
        ),
        (400, "\"bad matcher format\"", FaultKind::Refused { status: 400 }, "HTTP 400, bad matcher format"),
        (404, "", FaultKind::NotFound, "HTTP 404"),
        (401, "", FaultKind::Unauthorized, "not authenticated"),
        (403, "{}", FaultKind::Forbidden, "HTTP 403, {}"),
        (200, "{}", FaultKind::Garbled, "not the JSON that was expected"),
        (200, r#"[{"fingerprint":"x"}]"#, FaultKind::Garbled, "missing field `labels`"),
    ] {
        let (alertmanager, _) = always(status, body).await;
        let fault = alertmanager.alerts().await.unwrap_err();
        assert!(fault.kind == kind && fault.detail.contains(detail), "{fault:?}");
    }
    for answer in [
        http(200, "content-type: text/html\r\n", "<html>Sign in"),
        http(302, "location: https://sso.example/start\r\n", ""),
        http(200, "content-type: text/plain\r\n", "please log in"),
    ] {
        let server = server(move |_, _| Reply::Now(answer.clone())).await;
        let fault = Alertmanager::new(&settings(&server.url)).unwrap().alerts().await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unauthorized, "{fault}");
    }
}

#[test]
fn what_may_not_be_silenced() {
    let one = labels(STUCK);
    for (pairs, error) in [
        (&[][..], Unsilenced::NoAlertName),
        (&[("pod", "a"), ("namespace", "b")], Unsilenced::NoAlertName),
        (&[("alertname", "a")], Unsilenced::TooWide),
        (&[("alertname", "a"), ("pod", "")], Unsilenced::Empty("pod".to_owned())),
        (&[("alertname", "a"), ("p-d", "x")], Unsilenced::NoLabel("p-d".to_owned())),
        (&[("alertname", "a"), ("", "x")], Unsilenced::NoLabel(String::new())),
    ] {
        assert_eq!(bounded(pairs, None), Err(error));
    }
    assert_eq!(NewSilence::new(one.clone(), NOW, None, " ", "why"), Err(Unsilenced::NoAuthor));
    assert_eq!(NewSilence::new(one, NOW, None, "me", "\n"), Err(Unsilenced::NoComment));
    for length in [Duration::ZERO, Duration::from_secs(59), LONGEST_SILENCE + Duration::from_millis(1), Duration::MAX] {
        assert_eq!(bounded(STUCK, Some(length)), Err(Unsilenced::Length));
    }
    assert_eq!(bounded(STUCK, Some(LONGEST_SILENCE)).unwrap().ends(), NOW.plus(LONGEST_SILENCE));
}

#[test]
fn what_a_silence_hides_has_all_of_its_labels() {
    let silence = bounded(STUCK, None).unwrap();
    assert!(silence.hides(&labels(&[STUCK[0], STUCK[1], ("more", "x")])));
    assert!(!silence.hides(&labels(&[STUCK[0]])) && !silence.hides(&labels(&[STUCK[0], ("pod", "b")])));
}
