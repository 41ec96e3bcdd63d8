//! Every source over a socket: what it tells, how it dies, that what was known stays with its age, and that it returns by itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::adapters::alertmanager;
use crate::adapters::clock::SystemClock;
use crate::adapters::gitlab;
use crate::adapters::kube::{Access, Settings};
use crate::adapters::prometheus;
use crate::adapters::testing::{Reply, Scratch, Server, http, server};
use crate::console::actions::Rules;
use crate::console::fleet::{FleetFacts, FleetRules, SourceFacts};
use crate::console::fresh::Freshness;
use crate::console::polling::PollRules;
use crate::console::world::World;
use crate::fleet::Kind;

mod acting;
mod uses;

/// 0: all is well; else every request is answered with this status.
type Health = Arc<AtomicU16>;

const QUICK: Pace = Pace {
    batch: Duration::from_millis(5),
    runners: Duration::from_millis(30),
    detail: Duration::from_millis(1),
    prices: Duration::from_millis(30),
    figures: Duration::from_millis(30),
    alerts: Duration::from_millis(30),
    again: Duration::from_millis(30),
};

fn ok(body: &Value) -> Reply {
    Reply::Now(http(200, "content-type: application/json\r\n", &body.to_string()))
}

fn refused(status: u16) -> Reply {
    let said = json!({"kind": "Status", "status": "Failure", "code": status, "message": "no", "status_text": "no"});
    Reply::Now(http(status, "content-type: application/json\r\n", &said.to_string()))
}

/// A server that is well or ill as it is told.
async fn served(health: &Health, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
    let health = Arc::clone(health);
    server(move |_, request| match health.load(Ordering::SeqCst) {
        0 => answer(request),
        status => Reply::Now(http(status, "content-type: text/plain\r\n", "no")),
    })
    .await
}

/// A list of the samples, with the versions that a server gives.
fn list(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/fleet/testdata/{name}.json"));
    let mut list: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (nth, item) in list["items"].as_array_mut().unwrap().iter_mut().enumerate() {
        item["metadata"]["resourceVersion"] = json!(nth.to_string());
        if item["metadata"]["uid"].is_null() {
            item["metadata"]["uid"] = json!(format!("{name}-{nth}"));
        }
    }
    list["metadata"] = json!({"resourceVersion": "1000"});
    list
}

/// A cluster whose watches end at once, as servers end them.
fn cluster_answer(request: &str) -> Reply {
    let path = request.split(' ').nth(1).unwrap_or_default();
    if path.contains("watch=1") {
        return Reply::Now(http(200, "content-type: application/json\r\n", ""));
    }
    match path.split('?').next().unwrap_or_default() {
        "/api/v1/nodes" => ok(&list("nodes")),
        "/api/v1/namespaces/pipeline/pods" => ok(&list("pods")),
        "/api/v1/namespaces/gitlab/pods" => {
            ok(&json!({"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": []}))
        }
        "/api/v1/events" => ok(&list("events")),
        "/apis/karpenter.sh/v1/nodepools" => ok(&list("nodepools")),
        "/apis/karpenter.sh/v1/nodeclaims" => ok(&list("nodeclaims")),
        _ => refused(404),
    }
}

/// The head of a watch, and then silence.
fn quiet_watch() -> Reply {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    Reply::Hang(head.into())
}

fn kubeconfig(url: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: c, cluster: {{server: '{url}'}}}}]\n\
         contexts: [{{name: a, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: canary}}}}]\n"
    )
}

fn cluster_at(path: std::path::PathBuf) -> ClusterOutside {
    let settings = Settings {
        request: Duration::from_secs(20),
        backoff: Duration::from_millis(4),
        backoff_most: Duration::from_millis(20),
        denied: Duration::from_millis(20),
        absent: Duration::from_millis(20),
        ..Settings::new(Access::File { path, context: None })
    };
    ClusterOutside { settings, namespace: "pipeline".to_owned(), manager_namespace: "gitlab".to_owned() }
}

fn gitlab(url: &str, token: Option<&str>) -> GitLab {
    GitLab::new(gitlab::Settings {
        token: token.map(Into::into),
        per_second: 10_000.0,
        backoff: Duration::from_millis(1),
        tries: 1,
        ..gitlab::Settings::new(url, "spack/spack-packages", Arc::new(|| SystemClock.now()))
    })
    .unwrap()
}

/// A world that is told, as a dispatcher would.
struct Told {
    world: World,
    events: mpsc::Receiver<Event>,
    _tasks: JoinSet<()>,
}

impl Told {
    fn by(outside: FleetOutside, gitlab: &GitLab) -> Self {
        let sources = outside.sources(gitlab);
        let mut world = World::new("p", Rules::default(), PollRules::default());
        let rules =
            FleetRules { namespace: "pipeline".into(), manager_namespace: "gitlab".into(), ..FleetRules::default() };
        world.fleet = Box::new(FleetFacts::of(rules, sources.iter().copied()));
        let (answers, events) = mpsc::channel(256);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut tasks = JoinSet::new();
        start(&mut tasks, &FleetOutside { pace: QUICK, ..outside }, gitlab, &sources, answers, &clock);
        Self { world, events, _tasks: tasks }
    }

    /// Takes events until something holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&FleetFacts) -> bool) {
        let followed = async {
            while !holds(&self.world.fleet) {
                let event = self.events.recv().await.unwrap();
                drop(self.world.update(event, SystemClock.now()));
            }
        };
        let is_late = timeout(Duration::from_secs(20), followed).await.is_err();
        assert!(!is_late, "never: {what}; {:?}", self.world.fleet.sources);
    }

    fn source(&self, source: Source) -> &SourceFacts {
        &self.world.fleet.sources[&source]
    }
}

fn phase(fleet: &FleetFacts, source: Source) -> &Phase {
    &fleet.sources[&source].state.phase
}

fn is_live(source: Source) -> impl Fn(&FleetFacts) -> bool {
    move |fleet| matches!(phase(fleet, source), Phase::Live)
}

fn is_stale(source: Source) -> impl Fn(&FleetFacts) -> bool {
    move |fleet| matches!(phase(fleet, source), Phase::Stale) && fleet.sources[&source].state.fault.is_some()
}

fn nobody() -> GitLab {
    gitlab("http://127.0.0.1:9", None)
}

#[tokio::test]
async fn a_cluster_that_dies_keeps_what_was_known_and_returns() {
    let health = Health::default();
    let served = served(&health, cluster_answer).await;
    let scratch = Scratch::new();
    let path = scratch.write("config", kubeconfig(&served.url));
    let mut told = Told::by(FleetOutside { cluster: Some(cluster_at(path)), ..FleetOutside::default() }, &nobody());
    let all = |fleet: &FleetFacts| {
        let objects = &fleet.objects;
        objects.count(Kind::Pod) == Some(12)
            && objects.count(Kind::Node) == Some(10)
            && objects.count(Kind::Pool) == Some(6)
    };
    told.until("everything is listed", all).await;
    told.until("pods live", is_live(Source::Pods)).await;
    assert_eq!(told.world.fleet.counts.busy + told.world.fleet.counts.pending, 9, "three of the pods are over");
    assert!(!told.world.fleet.sources.contains_key(&Source::Runners), "without a token nobody asks GitLab");
    for source in [Source::Pods, Source::Nodes, Source::Events, Source::Claims, Source::Pools, Source::Managers] {
        health.store(503, Ordering::SeqCst);
        told.until("the watch is called stale", is_stale(source)).await;
        // Age is told, and nothing became zero.
        let facts = told.source(source);
        let later = facts.state.heard.unwrap().shifted(185_000);
        assert_eq!(facts.freshness(source, later), Freshness::Stale(Duration::from_secs(185)), "{source:?}");
        assert!(all(&told.world.fleet), "what was known stays");
        health.store(0, Ordering::SeqCst);
        told.until("the watch returns", is_live(source)).await;
    }
}

#[tokio::test]
async fn a_missing_right_has_a_name_and_a_cluster_without_karpenter_is_whole() {
    let served = server(|_, request| {
        if request.contains("/karpenter.sh/") {
            return refused(404);
        }
        if request.starts_with("GET /api/v1/namespaces/pipeline/pods") {
            return refused(403);
        }
        if request.contains("watch=1") { quiet_watch() } else { cluster_answer(request) }
    })
    .await;
    let scratch = Scratch::new();
    let path = scratch.write("config", kubeconfig(&served.url));
    let mut told = Told::by(FleetOutside { cluster: Some(cluster_at(path)), ..FleetOutside::default() }, &nobody());
    told.until(
        "denied",
        |fleet| matches!(phase(fleet, Source::Pods), Phase::Denied { right } if right.contains("pods")),
    )
    .await;
    told.until("absent", |fleet| fleet.sources[&Source::Pools].is_absent()).await;
    told.until("nodes live", is_live(Source::Nodes)).await;
    told.until("managers live", is_live(Source::Managers)).await;
    let fleet = &told.world.fleet;
    assert_eq!((fleet.objects.count(Kind::Pod), fleet.objects.count(Kind::Pool)), (None, None), "unknown, not none");
    assert_eq!(told.source(Source::Pods).freshness(Source::Pods, SystemClock.now()), Freshness::Failed);
}

#[tokio::test]
async fn a_kubeconfig_that_comes_later_is_found() {
    let served =
        server(|_, request| if request.contains("watch=1") { quiet_watch() } else { cluster_answer(request) }).await;
    let scratch = Scratch::new();
    let path = scratch.path().join("config");
    let mut told = Told::by(FleetOutside { cluster: Some(cluster_at(path)), ..FleetOutside::default() }, &nobody());
    told.until("it is missed", is_stale(Source::Nodes)).await;
    assert_eq!(told.source(Source::Nodes).freshness(Source::Nodes, SystemClock.now()), Freshness::Failed);
    scratch.write("config", kubeconfig(&served.url));
    told.until("it is read", is_live(Source::Nodes)).await;
}

#[tokio::test]
async fn an_object_that_cannot_be_used_makes_nothing_absent() {
    let served = server(|_, request| {
        if request.starts_with("GET /api/v1/nodes") && !request.contains("watch=1") {
            let mut nodes = list("nodes");
            nodes["items"][0]["kind"] = json!("Secret");
            return ok(&nodes);
        }
        if request.contains("watch=1") { quiet_watch() } else { cluster_answer(request) }
    })
    .await;
    let scratch = Scratch::new();
    let path = scratch.write("config", kubeconfig(&served.url));
    let mut told = Told::by(FleetOutside { cluster: Some(cluster_at(path)), ..FleetOutside::default() }, &nobody());
    told.until("nodes live", is_live(Source::Nodes)).await;
    assert_eq!(told.world.fleet.objects.nodes().count(), 9);
    assert_eq!((told.world.fleet.objects.count(Kind::Node), told.source(Source::Nodes).state.unreadable), (None, 1));
}

fn with_gitlab() -> FleetOutside {
    // Runners are asked for where anything of the fleet is configured.
    let alertmanager = alertmanager::Alertmanager::new(&alertmanager::Settings::new("http://127.0.0.1:9")).unwrap();
    FleetOutside { alertmanager: Some(Arc::new(alertmanager)), ..FleetOutside::default() }
}

#[tokio::test]
async fn runners_are_listed_by_graphql_else_by_rest_with_their_details() {
    let health = Health::default();
    let served = served(&health, |request| {
        let row = json!({"id": 7, "description": "uo-19", "status": "online", "paused": false});
        if request.starts_with("POST /api/graphql") {
            return ok(&json!({"errors": [{"message": "Field 'runners' doesn't exist on type 'Project'"}]}));
        }
        if request.starts_with("GET /api/v4/runners/7") {
            let mut whole = row;
            whole["tag_list"] = json!(["spack", "uo"]);
            return ok(&whole);
        }
        ok(&json!([row]))
    })
    .await;
    let mut told = Told::by(with_gitlab(), &gitlab(&served.url, Some("glpat-canary")));
    let knows_tags = |fleet: &FleetFacts| {
        fleet
            .objects
            .runner_named("uo-19")
            .is_some_and(|runner| runner.tags.as_ref().is_some_and(|tags| tags.len() == 2))
    };
    told.until("tags are known", knows_tags).await;
    health.store(502, Ordering::SeqCst);
    told.until("stale", is_stale(Source::Runners)).await;
    assert!(knows_tags(&told.world.fleet), "what was known stays");
    health.store(0, Ordering::SeqCst);
    told.until("back", is_live(Source::Runners)).await;
    assert!(knows_tags(&told.world.fleet));
    health.store(401, Ordering::SeqCst);
    told.until(
        "denied",
        |fleet| matches!(phase(fleet, Source::Runners), Phase::Denied { right } if right.contains("Maintainer")),
    )
    .await;
    let details = served.seen().iter().filter(|request| request.starts_with("GET /api/v4/runners/7")).count();
    assert_eq!(details, 1, "details are kept while nothing changes");
    assert!(told.world.fleet.objects.knows_runners());
}

fn prometheus_at(url: &str) -> Arc<Prometheus> {
    let settings = prometheus::Settings { tries: 1, ..prometheus::Settings::new(url) };
    Arc::new(Prometheus::new(&settings).unwrap())
}

fn series(labels: &Value, value: &str) -> Value {
    json!({"metric": labels, "value": [1_795_000_000.0, value]})
}

fn vector(all: &[Value]) -> Reply {
    ok(&json!({"status": "success", "data": {"resultType": "vector", "result": all}}))
}

#[tokio::test]
async fn figures_that_are_not_there_are_unknown_and_a_login_page_is_a_missing_right() {
    let health = Health::default();
    let served = served(&health, |request| {
        let body = request.rsplit("\r\n\r\n").next().unwrap_or_default();
        match body {
            body if body.contains("synced") => vector(&[series(&json!({}), "1")]),
            body if body.contains("nodepools%5Fusage") => vector(&[series(&json!({"nodepool": "p"}), "12")]),
            body if body.contains("runner%5Fconcurrent") => {
                vector(&[series(&json!({"pod": "r-1"}), "40"), series(&json!({"pod": "r-2"}), "NaN")])
            }
            _ => vector(&[]),
        }
    })
    .await;
    let outside = FleetOutside { prometheus: Some(prometheus_at(&served.url)), ..FleetOutside::default() };
    let mut told = Told::by(outside, &nobody());
    told.until("live", is_live(Source::Metrics)).await;
    let metrics = told.world.fleet.metrics.clone();
    assert_eq!((metrics.synced, metrics.reclaims), (Some(1.0), Some(0.0)), "Karpenter is scraped, and counted none");
    assert_eq!(metrics.slots.iter().map(|(pod, slots)| (&**pod, *slots)).collect::<Vec<_>>(), [("r-1", 40)]);
    let pool = metrics.pools.as_ref().unwrap()["p"];
    assert_eq!((pool.used, pool.limit), (Some(12.0), None));
    assert!(!told.world.fleet.sources.contains_key(&Source::Prices), "without a cluster nothing has a price");
    health.store(503, Ordering::SeqCst);
    told.until("stale", is_stale(Source::Metrics)).await;
    assert_eq!(told.world.fleet.metrics, metrics, "nothing became zero");
    health.store(401, Ordering::SeqCst);
    told.until("denied", |fleet| matches!(phase(fleet, Source::Metrics), Phase::Denied { .. })).await;
    health.store(0, Ordering::SeqCst);
    told.until("back", is_live(Source::Metrics)).await;
}

#[tokio::test]
async fn a_prometheus_without_karpenter_knows_nothing_of_it() {
    let served = server(|_, _| vector(&[])).await;
    let outside = FleetOutside { prometheus: Some(prometheus_at(&served.url)), ..FleetOutside::default() };
    let mut told = Told::by(outside, &nobody());
    told.until("live", is_live(Source::Metrics)).await;
    let metrics = &told.world.fleet.metrics;
    assert_eq!(
        (metrics.synced, metrics.reclaims, metrics.launch_failures.clone(), metrics.pools.clone()),
        (None, None, None, None)
    );
}

#[tokio::test]
async fn prices_are_asked_for_the_machines_that_are_there() {
    let health = Health::default();
    let prices = served(&health, |request| {
        if !request.contains("price%5Festimate") {
            return vector(&[]);
        }
        let offer = json!({"instance_type": "m5.2xlarge", "capacity_type": "spot", "zone": "us-east-1a"});
        vector(&[series(&offer, "0.25"), series(&json!({"zone": "odd"}), "1")])
    })
    .await;
    let served =
        server(|_, request| if request.contains("watch=1") { quiet_watch() } else { cluster_answer(request) }).await;
    let scratch = Scratch::new();
    let path = scratch.write("config", kubeconfig(&served.url));
    let outside = FleetOutside {
        cluster: Some(cluster_at(path)),
        prometheus: Some(prometheus_at(&prices.url)),
        ..FleetOutside::default()
    };
    let mut told = Told::by(outside, &nobody());
    told.until("prices", is_live(Source::Prices)).await;
    let offer = crate::fleet::Offer {
        instance_type: "m5.2xlarge".into(),
        capacity_type: "spot".into(),
        zone: "us-east-1a".into(),
    };
    assert_eq!(told.world.fleet.objects.prices.get(&offer), crate::fleet::Dollars::new(0.25));
    let asked =
        prices.seen().iter().any(|request| request.contains("instance%5Ftype%3D%7E") && request.contains("reserved"));
    assert!(asked, "only the types in use, and no reserved capacity");
    health.store(500, Ordering::SeqCst);
    told.until("stale", is_stale(Source::Prices)).await;
    assert!(told.world.fleet.objects.prices.get(&offer).is_some(), "the last price stays");
    health.store(0, Ordering::SeqCst);
    told.until("back", is_live(Source::Prices)).await;
}

#[tokio::test]
async fn alerts_and_silences_are_told_and_kept() {
    let health = Health::default();
    let served = served(&health, |request| {
        if request.starts_with("GET /api/v2/silences") {
            let silence = |id: &str, state: &str| {
                json!({"id": id, "status": {"state": state}, "matchers": [{"name": "alertname", "value": "A", "isRegex": false, "isEqual": true}],
                    "startsAt": "2026-08-20T14:00:00Z", "endsAt": "2026-08-20T16:00:00Z", "createdBy": "amy", "comment": "watching"})
            };
            return ok(&json!([silence("s1", "active"), silence("s2", "expired")]));
        }
        ok(&json!([{"fingerprint": "f1", "labels": {"alertname": "A", "severity": "critical", "pod": "p"}, "annotations": {"summary": "it is bad"},
            "status": {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": []},
            "startsAt": "2026-08-20T14:00:00Z", "endsAt": "2026-08-20T16:00:00Z", "generatorURL": "", "receivers": []}]))
    })
    .await;
    let manager = alertmanager::Alertmanager::new(&alertmanager::Settings {
        tries: 1,
        ..alertmanager::Settings::new(&served.url)
    });
    let outside = FleetOutside { alertmanager: Some(Arc::new(manager.unwrap())), ..FleetOutside::default() };
    let mut told = Told::by(outside, &nobody());
    told.until("live", is_live(Source::Alerts)).await;
    let fleet = &told.world.fleet;
    assert_eq!((fleet.told.len(), fleet.silences.len(), fleet.firing().0), (1, 1, 0), "a silenced alert does not fire");
    assert_eq!(&*fleet.silence("s1").unwrap().matches, "alertname=\"A\"");
    health.store(503, Ordering::SeqCst);
    told.until("stale", is_stale(Source::Alerts)).await;
    assert_eq!(told.world.fleet.told.len(), 1, "what was known stays");
    health.store(0, Ordering::SeqCst);
    told.until("back", is_live(Source::Alerts)).await;
}

#[tokio::test]
async fn nothing_configured_is_nothing_asked() {
    let served = server(|_, _| refused(500)).await;
    let gitlab = gitlab(&served.url, Some("glpat-canary"));
    let sources = FleetOutside::default().sources(&gitlab);
    assert!(sources.is_empty());
    let mut tasks = JoinSet::new();
    let (answers, mut events) = mpsc::channel(1);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    start(&mut tasks, &FleetOutside { pace: QUICK, ..FleetOutside::default() }, &gitlab, &sources, answers, &clock);
    assert!(tasks.is_empty() && events.recv().await.is_none() && served.seen().is_empty());
}

#[tokio::test]
async fn a_follower_that_breaks_says_so_and_is_begun_again() {
    let (out, mut news) = mpsc::channel(8);
    let teller = Teller::new(Source::Runners, out, Arc::new(SystemClock));
    let mut tasks = JoinSet::new();
    let begun = Arc::new(AtomicU16::new(0));
    let (speaker, count) = (teller.clone(), Arc::clone(&begun));
    supervise(&mut tasks, vec![teller], Duration::from_millis(1), move || {
        let (teller, nth) = (speaker.clone(), count.fetch_add(1, Ordering::SeqCst));
        async move {
            assert!(nth > 0, "the first one breaks");
            teller.good().await
        }
    });
    let mut phases = Vec::new();
    while let Some(News::Seen { state, .. }) = news.recv().await {
        phases.push(state.phase);
    }
    assert_eq!((phases, begun.load(Ordering::SeqCst)), (vec![Phase::Stale, Phase::Live], 2));
}
