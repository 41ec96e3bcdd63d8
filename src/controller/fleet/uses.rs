//! Prometheus: what the scripts of job pods use, which tells those that do nothing.
//!
//! Production's rule (spack-infrastructure's `pipeline_stuck_pods_info`) looks at CPU, memory and network of the container `build` minute by
//! minute. What it needs is read from the time before as well, so that a pod that hangs is known as soon as the console opens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::figures::{RIGHT, vector};
use super::follower::Teller;
use super::{Pace, Unheard, tell_answer};
use crate::adapters::prometheus::{Data, Prometheus, quote};
use crate::ci::Timestamp;
use crate::console::fault::Fault;
use crate::console::fleet::News;
use crate::fleet::Usage;

/// How far apart samples are: the rule needs several within its three minutes.
const STEP: Duration = Duration::from_mins(1);
/// What the rule looks back at most: its window, how long it has to hold, and a little.
const BACK: Duration = Duration::from_mins(12);

/// Asks for what came since the last answer, again and again.
pub(super) async fn follow(
    prometheus: Arc<Prometheus>,
    teller: Teller,
    namespace: String,
    pace: Pace,
) -> Result<(), Unheard> {
    let queries = Queries::of(&namespace);
    let mut until: Option<Timestamp> = None;
    loop {
        let next = Instant::now() + pace.figures;
        let read = queries.ask(&prometheus, until).await;
        if let Ok((_, last)) = &read {
            until = last.or(until);
        }
        tell_answer(&teller, read.map(|(news, _)| news), RIGHT).await?;
        tokio::time::sleep_until(next).await;
    }
}

/// CPU, memory, and bytes in and out.
struct Queries([String; 4]);

impl Queries {
    fn of(namespace: &str) -> Self {
        let namespace = quote(namespace);
        let of_script = |name: &str| format!("max by (pod)({name}{{namespace={namespace},container=\"build\"}})");
        let of_pod = |name: &str| format!("sum by (pod)({name}{{namespace={namespace}}})");
        Self([
            of_script("container_cpu_usage_seconds_total"),
            of_script("container_memory_usage_bytes"),
            of_pod("container_network_receive_bytes_total"),
            of_pod("container_network_transmit_bytes_total"),
        ])
    }

    /// What was used since, and the last moment of which something is told.
    async fn ask(&self, prometheus: &Prometheus, since: Option<Timestamp>) -> Result<(News, Option<Timestamp>), Fault> {
        let [cpu, ..] = &self.0;
        // The clock is that of Prometheus.
        let running = vector(prometheus, cpu).await?;
        let Some(now) = running.iter().filter_map(|series| series.point).map(|point| point.at).max() else {
            return Ok((News::Uses(Vec::new()), None));
        };
        let step = STEP.as_millis() as i64;
        let earliest = now.shifted(-(BACK.as_millis() as i64));
        let start = since.map_or(earliest, |since| earliest.max(since.shifted(step)));
        if start > now {
            return Ok((News::Uses(Vec::new()), None));
        }
        let mut parts: BTreeMap<(Arc<str>, Timestamp), [Option<f64>; 4]> = BTreeMap::new();
        for (part, query) in self.0.iter().enumerate() {
            let Data::Matrix(ranges) = prometheus.query_range(query, start, now, STEP).await?.data else { continue };
            for range in ranges {
                let Some(pod) = range.labels.get("pod").map(|name| Arc::<str>::from(name.as_str())) else { continue };
                for point in range.points {
                    let parts = parts.entry((pod.clone(), point.at)).or_default();
                    if let Some(place) = parts.get_mut(part) {
                        *place = Some(point.value);
                    }
                }
            }
        }
        let last = parts.keys().map(|(_, at)| *at).max();
        // A moment of which a part is missing says nothing.
        let whole = |((pod, at), parts): ((Arc<str>, Timestamp), [Option<f64>; 4])| {
            let [Some(cpu), Some(memory), Some(received), Some(sent)] = parts else { return None };
            Some((pod, Usage { at, cpu, memory, received, sent }))
        };
        Ok((News::Uses(parts.into_iter().filter_map(whole).collect()), last))
    }
}
