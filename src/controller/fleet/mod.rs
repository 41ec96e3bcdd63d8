//! Follows the fleet: the cluster by watches, runners by GitLab, prices and figures by Prometheus, alerts by Alertmanager.
//!
//! Each source is a supervised task that tells [`News`] and how it fares itself. What many watches tell at once is one event, ten times a second
//! at most. Nothing is asked that is not configured; a source that dies says so, keeps what was known, and returns by itself.

mod act;
mod alerts;
mod batch;
mod cluster;
mod figures;
mod follower;
mod runners;
#[cfg(test)]
mod tests;
mod uses;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub(super) use self::act::Actor;
use self::follower::Teller;
use crate::adapters::alertmanager::Alertmanager;
use crate::adapters::clock::Clock;
use crate::adapters::gitlab::GitLab;
use crate::adapters::kube;
use crate::adapters::prometheus::Prometheus;
use crate::console::actions::FleetMay;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::console::fleet::{News, Phase, Source, System};

/// What tells of the fleet, as far as it is configured.
#[derive(Debug, Clone, Default)]
pub struct FleetOutside {
    pub cluster: Option<ClusterOutside>,
    pub prometheus: Option<Arc<Prometheus>>,
    pub alertmanager: Option<Arc<Alertmanager>>,
    /// What of it may be changed.
    pub may: FleetMay,
    pub pace: Pace,
}

/// One cluster, and the namespaces that matter there.
#[derive(Debug, Clone)]
pub struct ClusterOutside {
    pub settings: kube::Settings,
    /// Of job pods.
    pub namespace: String,
    /// Of the pods of runner managers.
    pub manager_namespace: String,
}

/// How often things are asked.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The shortest time between two events about watches.
    pub batch: Duration,
    pub runners: Duration,
    /// Between two requests for details of a runner.
    pub detail: Duration,
    pub prices: Duration,
    pub figures: Duration,
    pub alerts: Duration,
    /// Before a cluster is set up again that could not be, or a task is begun again that broke.
    pub again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            batch: Duration::from_millis(100),
            runners: Source::Runners.period(),
            detail: Duration::from_secs(1),
            prices: Source::Prices.period(),
            figures: Source::Metrics.period(),
            alerts: Source::Alerts.period(),
            again: Duration::from_secs(30),
        }
    }
}

impl FleetOutside {
    /// The sources that can be asked. Runners are asked for with a token only, and only where anything of the fleet is configured.
    pub fn sources(&self, gitlab: &GitLab) -> BTreeSet<Source> {
        let is_configured = |system: System| match system {
            System::Kubernetes => self.cluster.is_some(),
            System::Prometheus => self.prometheus.is_some(),
            System::Alertmanager => self.alertmanager.is_some(),
            System::GitLab => {
                let has_others = self.cluster.is_some() || self.prometheus.is_some() || self.alertmanager.is_some();
                gitlab.has_token() && has_others
            }
        };
        // Prices are asked for by the machines that there are, uses mean something beside their pods.
        let has_cluster = self.cluster.is_some();
        let is_twice = self.cluster.as_ref().is_some_and(|cluster| cluster.namespace == cluster.manager_namespace);
        let is_asked = |source: &Source| {
            is_configured(source.system())
                && (!matches!(source, Source::Prices | Source::Uses) || has_cluster)
                && (*source != Source::Managers || !is_twice)
        };
        Source::ALL.into_iter().filter(is_asked).collect()
    }
}

/// Begins to follow these sources; ends with the set of tasks.
pub(super) fn start(
    tasks: &mut JoinSet<()>,
    outside: &FleetOutside,
    gitlab: &GitLab,
    sources: &BTreeSet<Source>,
    answers: mpsc::Sender<Event>,
    clock: &Arc<dyn Clock>,
) {
    if sources.is_empty() {
        return;
    }
    let pace = outside.pace;
    let (out, news) = mpsc::channel(batch::ROOM);
    tasks.spawn(batch::run(news, answers, pace.batch));
    let (types, known_types) = watch::channel(BTreeSet::new());
    let types = Arc::new(types);
    let teller = |source: Source| Teller::new(source, out.clone(), Arc::clone(clock));
    if let Some(cluster) = &outside.cluster {
        let watched: Vec<Source> = sources.iter().copied().filter(|source| source.kind().is_some()).collect();
        let tellers: Vec<Teller> = watched.into_iter().map(teller).collect();
        let (cluster, clock) = (cluster.clone(), Arc::clone(clock));
        supervise(tasks, tellers.clone(), pace.again, move || {
            cluster::follow(cluster.clone(), tellers.clone(), Arc::clone(&clock), Arc::clone(&types), pace)
        });
    }
    if sources.contains(&Source::Runners) {
        let (gitlab, teller) = (gitlab.clone(), teller(Source::Runners));
        supervise(tasks, vec![teller.clone()], pace.again, move || {
            runners::follow(gitlab.clone(), teller.clone(), pace)
        });
    }
    if let Some(prometheus) = &outside.prometheus {
        if sources.contains(&Source::Prices) {
            let (prometheus, teller) = (Arc::clone(prometheus), teller(Source::Prices));
            supervise(tasks, vec![teller.clone()], pace.again, move || {
                figures::follow_prices(Arc::clone(&prometheus), teller.clone(), known_types.clone(), pace)
            });
        }
        if let Some(cluster) = outside.cluster.as_ref().filter(|_| sources.contains(&Source::Uses)) {
            let (prometheus, teller) = (Arc::clone(prometheus), teller(Source::Uses));
            let namespace = cluster.namespace.clone();
            supervise(tasks, vec![teller.clone()], pace.again, move || {
                uses::follow(Arc::clone(&prometheus), teller.clone(), namespace.clone(), pace)
            });
        }
        let (prometheus, teller) = (Arc::clone(prometheus), teller(Source::Metrics));
        supervise(tasks, vec![teller.clone()], pace.again, move || {
            figures::follow(Arc::clone(&prometheus), teller.clone(), pace)
        });
    }
    if let Some(alertmanager) = &outside.alertmanager {
        let (alertmanager, teller) = (Arc::clone(alertmanager), teller(Source::Alerts));
        supervise(tasks, vec![teller.clone()], pace.again, move || {
            alerts::follow(Arc::clone(&alertmanager), teller.clone(), pace)
        });
    }
}

/// Nobody listens any more.
struct Unheard;

/// Runs a follower, and again when it breaks: what it tells of goes on being known, and is called old.
fn supervise<F>(tasks: &mut JoinSet<()>, tellers: Vec<Teller>, again: Duration, make: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = Result<(), Unheard>> + Send + 'static,
{
    tasks.spawn(async move {
        loop {
            // In a set of its own, so that it ends with this task.
            let mut one = JoinSet::new();
            one.spawn(make());
            match one.join_next().await {
                Some(Err(error)) if error.is_panic() => {
                    tracing::error!(%error, "a follower of the fleet broke");
                    for teller in &tellers {
                        let detail = "the follower broke and is begun again; report this as a bug";
                        let fault = Fault::new(FaultKind::Local, format!("follow {}", teller.source().word()), detail);
                        if teller.failed(fault).await.is_err() {
                            return;
                        }
                    }
                    sleep(again).await;
                }
                _ => return,
            }
        }
    });
}

/// Whether a fault says that a right is missing.
fn phase_of(fault: &Fault, right: &str) -> Phase {
    match fault.kind {
        FaultKind::Unauthorized | FaultKind::Forbidden => Phase::Denied { right: right.to_owned() },
        _ => Phase::Stale,
    }
}

/// The whole of what a poll brought, as one piece of news.
async fn tell_answer(teller: &Teller, answer: Result<News, Fault>, right: &str) -> Result<(), Unheard> {
    match answer {
        Ok(news) => {
            teller.say(news).await?;
            teller.good().await
        }
        Err(fault) => {
            let phase = phase_of(&fault, right);
            teller.bad(phase, fault).await
        }
    }
}
