use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};

use super::*;
use crate::bridge::wake::About;
use crate::forge::PrNumber;

#[tokio::test]
async fn case_B38_known_over_a_restart() {
    let scratch = Scratch::new();
    let mut house = House::open(file(&scratch).await, settings()).await;
    assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 202);
    let wake = house.wakes.next().await;
    house.wakes.handled(wake).await.unwrap();
    house.die().await;
    let mut house = House::open(file(&scratch).await, settings()).await;
    assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 202);
    assert_eq!(house.hooks.tally().count(Forge::GitHub, Outcome::Known), 1);
    assert!(house.wakes.waiting().await.is_none());
}

#[tokio::test]
async fn a_crash_before_the_mark_wakes_the_next_process() {
    let scratch = Scratch::new();
    let mut house = House::open(file(&scratch).await, settings()).await;
    assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 202);
    assert_eq!(status(house.gitlab("Pipeline Hook", "d-2", pipeline(9, "success"))).await, 202);
    let held = house.wakes.next().await;
    assert_eq!(held.deliveries, 2);
    house.die().await;
    let mut house = House::open(file(&scratch).await, settings()).await;
    let again = tokio::time::timeout(Duration::from_secs(2), house.wakes.next()).await.unwrap();
    assert_eq!(again.about, held.about);
    house.wakes.handled(again).await.unwrap();
    house.wakes.handled(held).await.unwrap();
    house.die().await;
    let mut house = House::open(file(&scratch).await, settings()).await;
    assert!(house.wakes.waiting().await.is_none());
}

#[tokio::test]
async fn a_pass_that_failed_is_not_made_again_at_once_but_forgets_nothing() {
    let mut house = House::in_memory().await;
    assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 202);
    drop(house.wakes.next().await);
    let quiet = tokio::time::timeout(Duration::from_millis(1_500), house.wakes.next()).await;
    assert!(quiet.is_err(), "nothing new came");
    assert_eq!(status(house.github("pull_request", "d-2", pull("opened", 8))).await, 202);
    let wake = house.wakes.next().await;
    let about = |pr| About::PullRequest { pr: PrNumber(pr) };
    assert_eq!(wake.about, [about(7), about(8)]);
    house.wakes.handled(wake).await.unwrap();
    assert_eq!(house.store.inbox_tally().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn what_comes_within_a_second_is_one_wake_and_being_dropped_loses_none() {
    let mut house = House::in_memory().await;
    let begun = Instant::now();
    for n in 0..20 {
        assert_eq!(status(house.github("pull_request", &format!("d-{n}"), pull("labeled", n % 5))).await, 202);
        // A loop that waits for several things drops what it did not need.
        let _ = tokio::time::timeout(Duration::from_millis(1), house.wakes.next()).await;
    }
    let wake = house.wakes.next().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((wake.deliveries, wake.about.len()), (20, 5));
    house.wakes.handled(wake).await.unwrap();
    let spaced = Instant::now();
    assert_eq!(status(house.github("pull_request", "later", pull("labeled", 1))).await, 202);
    assert_eq!(house.wakes.next().await.deliveries, 1);
    assert!(spaced.elapsed() < Duration::from_millis(1_500));
}

/// B42, five times over, with bodies as GitHub's are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_B42_a_storm_is_stored_once_and_wakes_seldom() {
    const STORM: u64 = 5_000;
    let scratch = Scratch::new();
    let House { store, mut wakes, hooks, url, client, server } = House::open(file(&scratch).await, settings()).await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let passes = tokio::spawn(async move {
        let (mut passes, mut deliveries) = (0, 0);
        loop {
            let wake = tokio::select! { wake = wakes.next() => wake, _ = &mut stopped => break };
            (passes, deliveries) = (passes + 1, deliveries + wake.deliveries);
            wakes.handled(wake).await.unwrap();
        }
        let rest = wakes.waiting().await.map_or(0, |wake| wake.deliveries);
        (passes, deliveries + rest)
    });
    let padding = "x".repeat(20_000);
    let send = |n: u64| {
        // Every tenth is delivered twice, at once.
        let body = pull("labeled", n % 300).replacen('{', &format!("{{\"padding\":\"{padding}\","), 1);
        let request = || {
            let sum = sign(SECRET, body.as_bytes());
            let request = client.post(format!("{url}/github")).header("content-type", "application/json");
            let request =
                request.header("x-github-event", "pull_request").header("x-github-delivery", format!("d-{n}"));
            request.header("x-hub-signature-256", sum).body(body.clone())
        };
        let second = n.is_multiple_of(10).then(request);
        let first = request();
        async move {
            let (first, second) = tokio::join!(status(first), async move {
                if let Some(second) = second { status(second).await } else { 202 }
            });
            (first, second)
        }
    };
    let begun = Instant::now();
    let answers: Vec<(u16, u16)> = stream::iter(0..STORM).map(send).buffer_unordered(200).collect().await;
    assert!(answers.iter().all(|answer| *answer == (202, 202)));
    assert_eq!(hooks.tally().count(Forge::GitHub, Outcome::Taken), STORM);
    assert_eq!(hooks.tally().count(Forge::GitHub, Outcome::Known), STORM / 10);
    stop.send(()).unwrap();
    let (passes, deliveries) = passes.await.unwrap();
    assert_eq!(deliveries as u64, STORM, "each wakes once");
    assert!(passes <= begun.elapsed().as_secs() + 2, "{passes} passes in {:?}", begun.elapsed());
    // Bodies stay within bounds, what was delivered stays known.
    store.prune_inbox(SystemClock.now()).await.unwrap();
    server.abort();
    store.close().await;
    let house = House::open(file(&scratch).await, settings()).await;
    assert_eq!(status(house.github("pull_request", "d-0", pull("labeled", 0))).await, 202);
    assert_eq!(house.hooks.tally().count(Forge::GitHub, Outcome::Known), 1);
    assert_eq!(house.store.delivery_body(Forge::GitHub, "d-0").await.unwrap(), None);
    assert!(house.store.delivery_body(Forge::GitHub, &format!("d-{}", STORM - 1)).await.unwrap().is_some());
}
