//! What pods use, and which of them hang.

use super::*;
use crate::ci::Timestamp;
use crate::fleet::Stuck;

#[tokio::test]
async fn a_pod_that_does_nothing_is_known_from_the_first_answer_on() {
    const NOW: i64 = 1_795_000_000;
    let (still, busy) =
        ("runner-t1xq7zk2-project-57-concurrent-1-60d873e5", "runner-t1xq7zk2-project-57-concurrent-2-e97f7450");
    let ranges = Arc::new(AtomicU16::new(0));
    let asked = Arc::clone(&ranges);
    let health = Health::default();
    let numbers = served(&health, move |request| {
        let body = request.rsplit("\r\n\r\n").next().unwrap_or_default();
        if !body.contains("container") {
            return vector(&[]);
        }
        if !request.contains("query_range") {
            return vector(&[series(&json!({"pod": still}), "1"), series(&json!({"pod": "of another day"}), "1")]);
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let field = |name: &str| {
            let text = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
            text.replace("%2E", ".").parse::<f64>().unwrap() as i64
        };
        let points = |value: fn(i64) -> i64| {
            (field("start")..=field("end")).step_by(60).map(|at| json!([at, value(at).to_string()])).collect::<Vec<_>>()
        };
        ok(&json!({"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": {"pod": still}, "values": points(|at| at.min(NOW - 590))},
            {"metric": {"pod": busy}, "values": points(|at| at)},
        ]}}))
    })
    .await;
    let cluster = served(&Health::default(), cluster_answer).await;
    let scratch = Scratch::new();
    let path = scratch.write("config", kubeconfig(&cluster.url));
    let prometheus = Some(prometheus_at(&numbers.url));
    let outside = FleetOutside { cluster: Some(cluster_at(path)), prometheus, ..FleetOutside::default() };
    let mut told = Told::by(outside, &nobody());
    let of = |fleet: &FleetFacts, name: &str| {
        let pod = fleet.objects.pods().find(|pod| &*pod.name == name)?;
        Some(fleet.stillness_of(pod, Timestamp::from_millis(NOW * 1_000)))
    };
    told.until("it hangs", |fleet| matches!(of(fleet, still), Some(Stuck::Stuck(_)))).await;
    assert!(matches!(of(&told.world.fleet, busy), Some(Stuck::Active)));
    assert_eq!(ranges.load(Ordering::SeqCst), 4, "time stands still there: each of four series is asked for once");
    health.store(503, Ordering::SeqCst);
    told.until("stale", is_stale(Source::Uses)).await;
    assert!(matches!(of(&told.world.fleet, still), Some(Stuck::Stuck(_))), "what was known stays");
    let later = Timestamp::from_millis((NOW + 600) * 1_000);
    let pod = told.world.fleet.objects.pods().find(|pod| &*pod.name == still).unwrap();
    assert_eq!(told.world.fleet.stillness_of(pod, later), Stuck::Unknown, "old uses say nothing");
    health.store(0, Ordering::SeqCst);
    told.until("back", is_live(Source::Uses)).await;
}
