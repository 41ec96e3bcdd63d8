//! Prometheus: what machines cost, and what Karpenter and runners say of themselves. Every series is optional.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::follower::Teller;
use super::{Pace, Unheard, tell_answer};
use crate::adapters::prometheus::{Data, Prometheus, Series, quote};
use crate::console::fault::Fault;
use crate::console::fleet::{Metrics, News, PoolUse};
use crate::fleet::{LaunchFailures, Offer};

pub(super) const RIGHT: &str = "ask Prometheus: a login that its proxy takes (prometheus.token_env)";
/// Machine types in one query: there are some ten thousand series in all.
const TYPES: usize = 100;
/// How long new types wait for others, before their prices are asked for.
const GATHERED: Duration = Duration::from_secs(5);

const FAILURES: &str = "sum by (zone,reason)(increase(karpenter_cloudprovider_instance_launch_failures_total[15m]))";
const RECLAIMS: &str =
    r#"sum(increase(karpenter_interruption_received_messages_total{message_type="spot_interrupted"}[15m]))"#;
const SYNCED: &str = "min(karpenter_cluster_state_synced)";
const USED: &str = r#"max by (nodepool)(karpenter_nodepools_usage{resource_type="cpu"})"#;
const LIMIT: &str = r#"max by (nodepool)(karpenter_nodepools_limit{resource_type="cpu"})"#;
const SLOTS: &str = "max by (pod)(gitlab_runner_concurrent)";

/// Asks for prices of the types that are there, now and then and when a new one comes.
pub(super) async fn follow_prices(
    prometheus: Arc<Prometheus>,
    teller: Teller,
    mut types: watch::Receiver<BTreeSet<Arc<str>>>,
    pace: Pace,
) -> Result<(), Unheard> {
    loop {
        let known: Vec<Arc<str>> = types.borrow_and_update().iter().cloned().collect();
        if known.is_empty() {
            // Without machines there is nothing to ask.
            if types.changed().await.is_err() {
                return Ok(());
            }
            sleep(GATHERED.min(pace.prices)).await;
            continue;
        }
        let next = Instant::now() + pace.prices;
        tell_answer(&teller, prices(&prometheus, &known).await, RIGHT).await?;
        // The next round comes early when there is a type whose price nobody asked for.
        if let Ok(Err(_)) = timeout_at(next, types.changed()).await {
            sleep(pace.prices).await;
        } else if Instant::now() < next {
            sleep(GATHERED.min(pace.prices)).await;
        }
    }
}

async fn prices(prometheus: &Prometheus, types: &[Arc<str>]) -> Result<News, Fault> {
    let mut prices = Vec::new();
    for some in types.chunks(TYPES) {
        let names: Vec<String> = some.iter().map(|name| literal(name)).collect();
        let query = format!(
            "karpenter_cloudprovider_instance_type_offering_price_estimate{{instance_type=~{},capacity_type!=\"reserved\"}}",
            quote(&names.join("|"))
        );
        for series in vector(prometheus, &query).await? {
            let label = |name: &str| series.labels.get(name).map(|value| Arc::<str>::from(value.as_str()));
            if let (Some(instance_type), Some(capacity_type), Some(zone), Some(point)) =
                (label("instance_type"), label("capacity_type"), label("zone"), series.point)
            {
                prices.push((Offer { instance_type, capacity_type, zone }, point.value));
            }
        }
    }
    Ok(News::Prices(prices))
}

/// A name as a regular expression that matches nothing else.
fn literal(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() && c != '_' && c != '-' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Asks for everything else, again and again.
pub(super) async fn follow(prometheus: Arc<Prometheus>, teller: Teller, pace: Pace) -> Result<(), Unheard> {
    loop {
        let next = Instant::now() + pace.figures;
        let read = metrics(&prometheus).await.map(News::Metrics);
        tell_answer(&teller, read, RIGHT).await?;
        tokio::time::sleep_until(next).await;
    }
}

async fn metrics(prometheus: &Prometheus) -> Result<Metrics, Fault> {
    let synced = number(vector(prometheus, SYNCED).await?);
    // Counters that never counted do not exist; where Karpenter is scraped, that is none.
    let is_scraped = synced.is_some();
    let failures = vector(prometheus, FAILURES).await?;
    let reclaims = number(vector(prometheus, RECLAIMS).await?);
    let (used, limit) =
        (by(vector(prometheus, USED).await?, "nodepool"), by(vector(prometheus, LIMIT).await?, "nodepool"));
    let slots = by(vector(prometheus, SLOTS).await?, "pod");
    let label = |series: &Series, name: &str| series.labels.get(name).map_or("?", String::as_str).into();
    let failure = |series: &Series| {
        Some(LaunchFailures {
            zone: label(series, "zone"),
            reason: label(series, "reason"),
            count: series.point.map(|point| point.value).filter(|count| count.is_finite())?,
        })
    };
    let mut pools: BTreeMap<Arc<str>, PoolUse> = BTreeMap::new();
    for (pool, used) in used {
        pools.entry(pool).or_default().used = Some(used);
    }
    for (pool, limit) in limit {
        pools.entry(pool).or_default().limit = Some(limit);
    }
    Ok(Metrics {
        launch_failures: is_scraped.then(|| failures.iter().filter_map(failure).collect()),
        reclaims: reclaims.or(is_scraped.then_some(0.0)),
        synced,
        pools: (!pools.is_empty()).then_some(pools),
        slots: slots.into_iter().filter_map(|(pod, slots)| Some((pod, whole(slots)?))).collect(),
    })
}

pub(super) async fn vector(prometheus: &Prometheus, query: &str) -> Result<Vec<Series>, Fault> {
    let answer = prometheus.query(query, None).await?;
    Ok(match answer.data {
        Data::Vector(series) => series,
        Data::Matrix(_) | Data::Scalar(_) | Data::String { .. } => Vec::new(),
    })
}

/// The only number of a vector; NaN is none.
fn number(series: Vec<Series>) -> Option<f64> {
    series.into_iter().next()?.point.map(|point| point.value).filter(|value| !value.is_nan())
}

fn by(series: Vec<Series>, label: &str) -> BTreeMap<Arc<str>, f64> {
    let one = |series: Series| {
        let name = series.labels.get(label).filter(|name| !name.is_empty())?;
        Some((name.as_str().into(), series.point?.value)).filter(|(_, value): &(Arc<str>, f64)| value.is_finite())
    };
    series.into_iter().filter_map(one).collect()
}

/// A count of slots; what is none is unknown.
fn whole(value: f64) -> Option<u64> {
    (0.0..=1e6).contains(&value).then_some(value as u64)
}
