//! What holds now, alert by alert.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::facts::Facts;
use crate::ci::{Timestamp, precise};
use crate::fleet::runner::Host;
use crate::fleet::{
    Alert, CERTIFICATE_PENDING, Kind, Knob, Pending, PendingClass, Phase, Runner, RunnerStatus, Stuck, Takers,
    Thresholds,
};

/// A failure that is older says nothing of now.
const OOM_KEPT: Duration = Duration::from_hours(1);

/// One thing that an alert holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What it is about: a class, a pod, a pool; the key under which it is remembered.
    pub subject: Arc<str>,
    /// What was measured, against what.
    pub words: String,
}

/// What one alert says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds for these; for nothing, when there are none.
    Holds(Vec<Held>),
    /// Nothing can be said, for want of this.
    Unknown(&'static str),
}

/// Judges every alert.
pub fn judge(facts: &Facts<'_>, thresholds: &Thresholds, now: Timestamp) -> BTreeMap<Alert, Verdict> {
    let look = Look { facts, thresholds, now };
    Alert::ALL.iter().map(|alert| (*alert, look.at(*alert))).collect()
}

struct Look<'a> {
    facts: &'a Facts<'a>,
    thresholds: &'a Thresholds,
    now: Timestamp,
}

fn held(subject: impl Into<Arc<str>>, words: String) -> Held {
    Held { subject: subject.into(), words }
}

fn tags_text(tags: &BTreeSet<Arc<str>>) -> String {
    tags.iter().map(|tag| &**tag).collect::<Vec<_>>().join(",")
}

impl Look<'_> {
    fn at(&self, alert: Alert) -> Verdict {
        let found = match alert {
            Alert::RunnerClassUnavailable => self.unavailable(),
            Alert::RunnerClassSaturated => self.saturated(),
            Alert::RunnerOnPremSilent => self.silent(),
            Alert::PodPendingDeadline => self.near_deadline(),
            Alert::PodNeverFits => self.never_fits(),
            Alert::SpotCapacityMissing => self.launch_failures(),
            Alert::SpotReclaimBurst => self.reclaims(),
            Alert::NodePoolNearLimit => self.near_limit(),
            Alert::KarpenterUnsynced => self.unsynced(),
            Alert::CertificatePendingTaint => self.certificates(),
            Alert::JobOOMKilled => self.out_of_memory(),
            Alert::PodStuck => self.stuck(),
            Alert::InfraFailureRate => self.infrastructure(),
            Alert::SourceStale => Ok(self.stale()),
        };
        found.map_or_else(Verdict::Unknown, Verdict::Holds)
    }

    fn knows(&self, kind: Kind, word: &'static str) -> Result<(), &'static str> {
        if self.facts.fleet.knows(kind) { Ok(()) } else { Err(word) }
    }

    fn unavailable(&self) -> Result<Vec<Held>, &'static str> {
        let queues = self.facts.queues.ok_or("pending jobs")?;
        if !queues.is_empty() && queues.iter().all(|queue| queue.takers == Takers::Unknown) {
            return Err("runners and their tags");
        }
        let nobody = queues.iter().filter(|queue| queue.takers.is_nobody());
        Ok(nobody
            .map(|queue| {
                let subject = match queue.is_protected {
                    Some(true) => format!("{} (protected)", tags_text(&queue.tags)),
                    _ => tags_text(&queue.tags),
                };
                let jobs = queue.waiting.len();
                let whom = match &queue.takers {
                    Takers::NoneAtWork(classes) => format!("{} would and is not at work", tags_text(classes)),
                    _ => "no runner has these tags".to_owned(),
                };
                held(subject, format!("{jobs} waiting; {whom}"))
            })
            .collect())
    }

    fn saturated(&self) -> Result<Vec<Held>, &'static str> {
        let classes = self.facts.classes.ok_or("runner classes")?;
        let queues = self.facts.queues.ok_or("pending jobs")?;
        if !classes.is_empty() && classes.iter().all(|class| class.saturation().is_none()) {
            return Err("slots and running jobs");
        }
        let mut found = Vec::new();
        for class in classes {
            let oldest = queues
                .iter()
                .filter(|queue| matches!(&queue.takers, Takers::Classes(takers) if takers.contains(&class.name)))
                .filter_map(|queue| queue.oldest)
                .max();
            if let (Some(saturation), Some(oldest)) = (class.saturation(), oldest)
                && saturation >= self.thresholds.get(Knob::Saturated)
                && oldest >= self.thresholds.time(Knob::SaturatedWait)
            {
                let (running, slots) = (class.running.unwrap_or(0), class.slots.unwrap_or(0));
                found.push(held(
                    class.name.clone(),
                    format!("{running} of {slots} slots, oldest waits {}", precise(oldest)),
                ));
            }
        }
        Ok(found)
    }

    fn silent(&self) -> Result<Vec<Held>, &'static str> {
        let queues = self.facts.queues.ok_or("pending jobs")?;
        let jobs = self.facts.jobs.ok_or("the last jobs of runners")?;
        if !self.facts.fleet.knows_runners() {
            return Err("runners");
        }
        let quiet = self.thresholds.time(Knob::OnPremSilent);
        let is_silent = |runner: &Runner| {
            let evidence = jobs.get(&runner.id).copied().unwrap_or_default();
            let no_job = !evidence.is_running && evidence.ended.is_none_or(|ended| self.now.since(ended) >= quiet);
            let no_contact = match runner.contacted_at {
                Some(at) => self.now.since(at) > self.thresholds.time(Knob::ContactDead),
                None => {
                    matches!(runner.status, RunnerStatus::Offline | RunnerStatus::Stale | RunnerStatus::NeverContacted)
                }
            };
            no_job && no_contact
        };
        let on_prem = self.facts.fleet.runners().filter(|runner| {
            self.facts.hosts.host(&runner.description) != Host::Cluster
                && runner.is_paused != Some(true)
                && is_silent(runner)
        });
        Ok(on_prem
            .filter_map(|runner| {
                let waiting = queues.iter().filter(|queue| runner.takes(&queue.tags, queue.is_protected) == Some(true));
                let waiting: usize = waiting.map(|queue| queue.waiting.len()).sum();
                let contact = runner
                    .contacted_at
                    .map_or_else(|| "never".to_owned(), |at| format!("{} ago", precise(self.now.since(at))));
                (waiting > 0).then(|| {
                    held(runner.description.clone(), format!("{waiting} waiting for it; last contact {contact}"))
                })
            })
            .collect())
    }

    /// Pending pods of jobs, with what is known of each.
    fn pending(&self) -> Result<Vec<(Arc<str>, Pending)>, &'static str> {
        self.knows(Kind::Pod, "pods")?;
        let pods = self.facts.fleet.job_pods().filter(|pod| pod.phase == Phase::Pending);
        let pending = pods
            .filter_map(|pod| Some((pod.name.clone(), Pending::of(self.facts.fleet, pod, self.thresholds, self.now)?)));
        Ok(pending.collect())
    }

    fn near_deadline(&self) -> Result<Vec<Held>, &'static str> {
        let near = self.thresholds.time(Knob::NearDeadline);
        let is_near = |(name, pending): (Arc<str>, Pending)| {
            let countdown = pending.countdown?;
            // One that is just over and still there is no better.
            let (Ok(apart) | Err(apart)) = countdown.left(self.now);
            (apart <= near).then(|| held(name, format!("{}; {}", countdown.text(self.now), pending.words)))
        };
        Ok(self.pending()?.into_iter().filter_map(is_near).collect())
    }

    fn never_fits(&self) -> Result<Vec<Held>, &'static str> {
        let never = self.pending()?.into_iter().filter(|(_, pending)| pending.class == PendingClass::NeverFits);
        Ok(never.map(|(name, pending)| held(name, pending.words)).collect())
    }

    fn launch_failures(&self) -> Result<Vec<Held>, &'static str> {
        let failures = self.facts.launch_failures.ok_or("Karpenter's metrics")?;
        let most = self.thresholds.get(Knob::LaunchFailures);
        let many = failures.iter().filter(|failure| failure.count >= most);
        Ok(many
            .map(|f| {
                held(format!("{} {}", f.zone, f.reason), format!("{:.0} failed launches in 15 min (≥ {most})", f.count))
            })
            .collect())
    }

    fn reclaims(&self) -> Result<Vec<Held>, &'static str> {
        let count = self.facts.spot_interruptions.filter(|count| !count.is_nan()).ok_or("Karpenter's metrics")?;
        let most = self.thresholds.get(Knob::SpotReclaims);
        Ok((count >= most)
            .then(|| held("cluster", format!("{count:.0} reclaims in 15 min (≥ {most})")))
            .into_iter()
            .collect())
    }

    fn near_limit(&self) -> Result<Vec<Held>, &'static str> {
        self.knows(Kind::Pool, "node pools")?;
        let most = self.thresholds.get(Knob::PoolNearLimit);
        let near = |pool: &crate::fleet::Pool| {
            let (resource, share) = pool.share().filter(|(_, share)| *share >= most)?;
            Some(held(pool.name.clone(), format!("{:.0} % of its {resource} limit", share * 100.0)))
        };
        Ok(self.facts.fleet.pools().into_iter().filter_map(near).collect())
    }

    fn unsynced(&self) -> Result<Vec<Held>, &'static str> {
        let synced = self.facts.synced.filter(|synced| !synced.is_nan()).ok_or("Karpenter's metrics")?;
        Ok((synced == 0.0)
            .then(|| held("karpenter", "its view of the cluster is not synced".to_owned()))
            .into_iter()
            .collect())
    }

    fn certificates(&self) -> Result<Vec<Held>, &'static str> {
        self.knows(Kind::Node, "nodes")?;
        let limit = self.thresholds.time(Knob::CertificatePending);
        let late = |node: &crate::fleet::Node| {
            let age = self.now.since(node.created?);
            (node.has_taint(CERTIFICATE_PENDING) && age > limit)
                .then(|| held(node.name.clone(), format!("certificate pending for {}", precise(age))))
        };
        Ok(self.facts.fleet.nodes().filter_map(late).collect())
    }

    fn out_of_memory(&self) -> Result<Vec<Held>, &'static str> {
        self.knows(Kind::Pod, "pods")?;
        let mut packages: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let is_recent = |pod: &&crate::fleet::Pod| {
            let end = pod.ran().and_then(|(_, end)| end);
            pod.is_out_of_memory() && end.is_none_or(|end| self.now.since(end) <= OOM_KEPT)
        };
        for pod in self.facts.fleet.job_pods().filter(is_recent) {
            let package = pod.says.package.as_ref().map_or_else(|| "no package".into(), |said| said.value.clone());
            *packages.entry(package).or_default() += 1;
        }
        let one = |(package, builds): (Arc<str>, usize)| {
            let many = if builds == 1 { "" } else { "s" };
            held(package, format!("{builds} build{many} killed for want of memory"))
        };
        Ok(packages.into_iter().map(one).collect())
    }

    fn stuck(&self) -> Result<Vec<Held>, &'static str> {
        let judged = self.facts.stuck.ok_or("the use of pods")?;
        let one = |(uid, stuck): &(crate::fleet::Uid, Stuck)| {
            let Stuck::Stuck(standstill) = stuck else { return None };
            let pod = self.facts.fleet.pod(uid)?;
            let mut words = format!("no CPU, memory or bytes since {}", precise(self.now.since(standstill.since)));
            if let Some(job) = pod.says.job {
                let _infallible = write!(words, "; job {job}");
            }
            Some(held(pod.name.clone(), words))
        };
        Ok(judged.iter().filter_map(one).collect())
    }

    fn infrastructure(&self) -> Result<Vec<Held>, &'static str> {
        let figures = self.facts.infra.ok_or("how jobs ended")?;
        if figures.ended == 0 {
            return Ok(Vec::new());
        }
        let share = figures.failures as f64 / figures.ended as f64;
        let is_bad = share >= self.thresholds.get(Knob::InfraShare)
            && figures.failures as f64 >= self.thresholds.get(Knob::InfraFailures);
        let words = || format!("{} of {} jobs in 1 h ({:.0} %)", figures.failures, figures.ended, share * 100.0);
        Ok(is_bad.then(|| held("all jobs", words())).into_iter().collect())
    }

    fn stale(&self) -> Vec<Held> {
        let times = self.thresholds.get(Knob::StaleIntervals);
        let late = |source: &super::SourceAge| {
            let age = self.now.since(source.last_good.unwrap_or(source.asked_since));
            let is_late = age.as_secs_f64() >= source.interval.as_secs_f64() * times;
            let words = || match source.last_good {
                Some(_) => format!("no good answer for {}", precise(age)),
                None => format!("no good answer since the start, {} ago", precise(age)),
            };
            is_late.then(|| held(source.name.clone(), words()))
        };
        self.facts.sources.iter().filter_map(late).collect()
    }
}
