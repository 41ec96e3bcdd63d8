//! The webhooks of both practice forges, knocking at our own door.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::store::Store;
use stackhand::bridge::wake::{About, Forge};
use stackhand::console::event::Intent;
use stackhand::controller::webhooks::{Hooks, Outcome, Settings, Wake, Wakes};
use stackhand::forge::PrNumber;
use stackhand::sandbox::{Act, HookTarget};

use crate::github::Hub;

/// A practice world whose webhooks go through a door.
struct House {
    hub: Hub,
    store: Store,
    wakes: Wakes,
    hooks: Hooks,
}

impl House {
    async fn start() -> Self {
        let hub = Hub::start(24).await;
        let store = Store::in_memory(SystemClock.now()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = HookTarget::below(&format!("http://{}/hooks", listener.local_addr().unwrap()));
        let settings = Settings {
            github_secrets: vec![target.secret.clone().into()],
            gitlab_tokens: vec![target.secret.clone().into()],
            repository: Some(Arc::from(hub.running.github.repo)),
            project: None,
        };
        let hooks = Hooks::open(store.clone(), Arc::new(SystemClock), settings).unwrap();
        let (wakes, router) = (hooks.wakes(), hooks.router());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        hub.running.aim_hooks(Some(target));
        Self { hub, store, wakes, hooks }
    }

    /// Wake-ups until one of them is enough; all but those that were acted on.
    async fn until(&mut self, mut enough: impl FnMut(&Wake) -> bool) -> Vec<Wake> {
        let mut wakes = Vec::new();
        loop {
            let wake = tokio::time::timeout(Duration::from_secs(20), self.wakes.next()).await.expect("nobody knocked");
            let is_enough = enough(&wake);
            wakes.push(wake);
            if is_enough {
                return wakes;
            }
        }
    }

    fn count(&self, outcome: Outcome) -> u64 {
        Forge::ALL.into_iter().map(|forge| self.hooks.tally().count(forge, outcome)).sum()
    }
}

#[tokio::test]
async fn a_push_wakes_with_the_new_head() {
    let mut house = House::start().await;
    let number = house.hub.number("🚀-x");
    for _ in 0..3 {
        house.hub.running.hub(|hub| hub.act(number, Act::Push)).unwrap();
        let head = house.hub.running.hub(|hub| hub.pull(number).unwrap().head.id.to_string());
        let pushed = |about: &About| matches!(about, About::Head { pr, head: new } if *pr == PrNumber(number) && new.as_str() == head);
        let mut wakes = house.until(|wake| wake.about.iter().any(pushed)).await;
        let last = wakes.pop().unwrap();
        // A figure of its own is in the benchmark; here a busy machine has room.
        assert!(SystemClock.now().since(last.since) < Duration::from_secs(3));
        house.wakes.handled(last).await.unwrap();
    }
    assert_eq!(house.store.inbox_tally().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn what_comes_twice_wakes_once() {
    let mut house = House::start().await;
    let number = house.hub.number("a+b");
    for n in 0..100 {
        house.hub.running.hub(|hub| hub.act(number, Act::Label(format!("label-{n}").into()))).unwrap();
    }
    let (mut woken, begin) = (0, Instant::now());
    while woken < 100 {
        let wake = house.until(|_| true).await.pop().unwrap();
        woken += wake.deliveries;
        assert_eq!(wake.about, [About::PullRequest { pr: PrNumber(number) }], "a hundred labels are one thing");
        house.wakes.handled(wake).await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
    // The last ones are up to eight seconds late.
    while house.count(Outcome::Taken) + house.count(Outcome::Known) < 101 || house.hub.running.deliveries().taken < 101
    {
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", house.hub.running.deliveries());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((woken, house.count(Outcome::Taken)), (100, 100));
    assert!(house.wakes.waiting().await.is_none());
    assert_eq!(house.hub.running.deliveries().failed, 0);
}

#[tokio::test]
async fn gitlabs_pipelines_wake_and_its_jobs_are_read_again() {
    let mut house = House::start().await;
    house.hub.running.world(|world| world.advance_to(world.now().shifted(600_000)));
    let wakes = house.until(|wake| wake.about.iter().any(|about| matches!(about, About::Pipeline { .. }))).await;
    for about in wakes.iter().flat_map(|wake| &wake.about) {
        assert!(
            !matches!(about, About::Job { .. } | About::Pipeline { parent: Some(_), .. } | About::Unclear),
            "{about:?}"
        );
    }
    let told = house.hooks.changes().await;
    let known: BTreeSet<u64> = house.hub.running.world(|world| world.pipelines().map(|one| one.id.0).collect());
    let is_known = |intent: &Intent| matches!(intent, Intent::Hint(id) if id.is_none_or(|id| known.contains(&id.0)));
    assert!(!told.is_empty() && told.iter().all(is_known), "{told:?}");
    for refused in [Outcome::Unproven, Outcome::BadHeader, Outcome::NotJson, Outcome::Foreign, Outcome::Away] {
        assert_eq!(house.count(refused), 0, "{}", refused.word());
    }
}
