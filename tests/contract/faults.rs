//! Misbehaviour that tests can order.

use std::time::{Duration, Instant};

use serde_json::json;
use stackhand::sandbox::{Fault, FaultKind};

use crate::server::Server;

#[tokio::test]
async fn wrong_answers_come_as_ordered_and_only_where_ordered() {
    let server = Server::start().await;
    for (kind, status) in [
        (FaultKind::Unauthorized, 401),
        (FaultKind::Forbidden, 403),
        (FaultKind::NotFound, 404),
        (FaultKind::ServerError, 500),
        (FaultKind::BadGateway, 502),
        (FaultKind::Firewall, 202),
    ] {
        server.running.fault(Fault::new(kind.clone()).on("/pipelines").times(1));
        assert_eq!(server.anonymous("/api/v4/projects/57").await.status, 200, "{kind:?} was meant for another route");
        assert_eq!(server.anonymous("pipelines").await.status, status, "{kind:?}");
        assert_eq!(server.anonymous("pipelines").await.status, 200, "{kind:?} was ordered once");
    }
}

#[tokio::test]
async fn limits_say_when_to_come_back() {
    let server = Server::start().await;
    server.running.fault(Fault::new(FaultKind::RetryLater(7)).times(1));
    let rack = server.get("pipelines").await;
    assert_eq!((rack.status, rack.header("retry-after"), rack.body.trim()), (429, Some("7"), "Retry later"));
    server.running.fault(Fault::new(FaultKind::TooManyRequests(3)).times(1));
    let application = server.get("pipelines").await;
    assert_eq!((application.status, application.header("retry-after")), (429, Some("3")));
    assert_eq!(
        application.json(),
        json!({ "message": { "error": "This endpoint has been requested too many times. Try again later." } })
    );
}

#[tokio::test]
async fn bodies_break_hang_and_trickle() {
    let server = Server::start().await;
    let whole = server.get("pipelines").await.body;
    server.running.fault(Fault::new(FaultKind::Truncated).times(1));
    assert!(whole.starts_with(&server.get("pipelines").await.body));
    server.running.fault(Fault::new(FaultKind::Drop).times(1));
    let broken = async { reqwest::get(server.at("pipelines")).await?.text().await };
    assert!(broken.await.is_err(), "the connection should have been cut");
    let pause = Duration::from_millis(20);
    server.running.fault(Fault::new(FaultKind::Slow { bytes: whole.len() / 5, pause }).times(1));
    let started = Instant::now();
    assert_eq!(server.get("pipelines").await.body, whole);
    assert!(started.elapsed() >= pause * 5);
    server.running.fault(Fault::new(FaultKind::Hang(Duration::from_mins(1))));
    let waiting = tokio::time::timeout(Duration::from_millis(100), server.get("pipelines")).await;
    assert!(waiting.is_err());
    server.running.heal();
    assert_eq!(server.get("pipelines").await.body, whole);
}

#[tokio::test]
async fn a_list_moves_between_its_pages() {
    let server = Server::start().await;
    let first = server.get("pipelines?per_page=5").await.json();
    server.running.fault(Fault::new(FaultKind::MovingList));
    let second = server.get("pipelines?per_page=5&page=2").await.json();
    assert_eq!(second[0]["id"], first[4]["id"], "the last of page one has moved to page two");
}

#[tokio::test]
async fn a_stopped_server_answers_nobody_and_its_port_is_free_again() {
    let server = Server::start().await;
    let url = server.running.url.clone();
    assert_eq!(server.running.requests(), 0);
    server.anonymous("pipelines").await;
    assert_eq!(server.running.requests(), 1);
    let Server { running, .. } = server;
    running.stop();
    let gone = async {
        while reqwest::get(format!("{url}/api/v4/version")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the server should be gone");
}
