//! Runner classes: who is in them, how full they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::runner::{Host, HostNames, class_of};
use super::{Fleet, Kind, Runner};
use crate::ci::RunnerId;

/// One class of runners.
#[derive(Debug, Clone, PartialEq)]
pub struct RunnerClass {
    pub name: Arc<str>,
    pub host: Host,
    /// `mac`, `power`, where its runners say so.
    pub machine: Option<&'static str>,
    pub runners: Vec<RunnerId>,
    /// Of all its runners; `None` while the tags of none are known.
    pub tags: Option<BTreeSet<Arc<str>>>,
    /// Runners that are online and not paused, by GitLab's word; `None` while that is not known of all.
    pub at_work: Option<usize>,
    pub paused: usize,
    /// Jobs that run; `None` where nothing tells.
    pub running: Option<u64>,
    /// Jobs that it could run at once; `None` where neither metrics nor configuration tell.
    pub slots: Option<u64>,
}

/// What is known from elsewhere about how busy runners are.
#[derive(Debug, Clone, Default)]
pub struct Busy {
    /// Jobs that run by runner, by GitLab's word; `None` while the list of running jobs is not known.
    pub running: Option<BTreeMap<RunnerId, u64>>,
    /// Slots by runner description (the metric `gitlab_runner_concurrent` of one manager).
    pub slots_of_runner: BTreeMap<Arc<str>, u64>,
    /// Slots by class, from configuration; used where metrics do not tell of every runner.
    pub slots_of_class: BTreeMap<Arc<str>, u64>,
}

impl RunnerClass {
    /// How full it is: running jobs of slots. Unknown where either is, and where there are no slots.
    pub fn saturation(&self) -> Option<f64> {
        let slots = self.slots.filter(|slots| *slots > 0)?;
        Some(self.running? as f64 / slots as f64)
    }

    /// The slots that are free.
    pub fn free(&self) -> Option<u64> {
        Some(self.slots?.saturating_sub(self.running?))
    }
}

/// Groups all runners, and the pods of runners that no list names.
pub fn classes(fleet: &Fleet, busy: &Busy, hosts: &HostNames) -> Vec<RunnerClass> {
    let mut by_class: BTreeMap<Arc<str>, Vec<&Runner>> = BTreeMap::new();
    for runner in fleet.runners() {
        by_class.entry(runner.class()).or_default().push(runner);
    }
    for name in fleet.job_pods().filter_map(|pod| pod.says.runner.as_ref()) {
        by_class.entry(class_of(name)).or_default();
    }
    by_class.into_iter().map(|(name, runners)| class(fleet, name, &runners, busy, hosts)).collect()
}

fn class(fleet: &Fleet, name: Arc<str>, runners: &[&Runner], busy: &Busy, hosts: &HostNames) -> RunnerClass {
    let host = hosts.host(&name);
    let at_work: Option<Vec<bool>> = runners.iter().map(|runner| runner.is_at_work()).collect();
    let tags = runners.iter().filter_map(|runner| runner.tags.clone()).reduce(|mut all, tags| {
        all.extend(tags);
        all
    });
    let slots_of = |runner: &&Runner| busy.slots_of_runner.get(&runner.description).copied();
    let by_metrics = runners.iter().try_fold(0_u64, |sum, runner| Some(sum.saturating_add(slots_of(runner)?)));
    let by_metrics = by_metrics.filter(|_| !runners.is_empty());
    let slots = by_metrics.or_else(|| busy.slots_of_class.get(&name).copied());
    // In the cluster every job has a pod, and pods are known at once. A host has none.
    let by_pods = || {
        let pods = fleet.pods_of_class(&name).filter(|pod| !pod.phase.is_over()).count() as u64;
        fleet.knows(Kind::Pod).then_some(pods)
    };
    let by_jobs = || {
        let running = busy.running.as_ref()?;
        let running_on = |runner: &&Runner| running.get(&runner.id).copied().unwrap_or(0);
        Some(runners.iter().map(running_on).fold(0, u64::saturating_add))
    };
    let running = if host == Host::Cluster { by_pods().or_else(by_jobs) } else { by_jobs() };
    RunnerClass {
        host,
        machine: runners.iter().find_map(|runner| runner.machine()),
        runners: runners.iter().map(|runner| runner.id).collect(),
        tags,
        at_work: at_work.filter(|_| fleet.knows_runners()).map(|each| each.into_iter().filter(|is| *is).count()),
        paused: runners.iter().filter(|runner| runner.is_paused == Some(true)).count(),
        running,
        slots,
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::RunnerId;
    use crate::fleet::{Object, Phase, Pod, RunnerStatus, Says};

    fn runner(id: u64, description: &str, status: RunnerStatus) -> Runner {
        Runner { status, is_paused: Some(false), ..Runner::new(RunnerId(id), description) }
    }

    fn fleet() -> Fleet {
        let mut fleet = Fleet::default();
        fleet.set_runners([
            runner(1, "runner-a-gitlab-runner-1-x", RunnerStatus::Online),
            runner(2, "runner-a-gitlab-runner-1-y", RunnerStatus::Offline),
            runner(3, "uo-19", RunnerStatus::Online),
        ]);
        for (n, phase) in [Phase::Running, Phase::Pending, Phase::Succeeded].into_iter().enumerate() {
            let says = Says { runner: Some("runner-a-gitlab-runner-1-x".into()), ..Says::default() };
            let pod = Pod { is_job: true, says, ..Pod::new(&n.to_string(), &n.to_string(), phase) };
            fleet.upsert(Object::Pod(Arc::new(pod)));
        }
        fleet
    }

    /// Name, running jobs, slots, and the share of them.
    type Row = (String, Option<u64>, Option<u64>, Option<f64>);

    fn told(fleet: &Fleet, busy: &Busy) -> Vec<Row> {
        let classes = classes(fleet, busy, &HostNames::default());
        classes.into_iter().map(|c| (c.name.to_string(), c.running, c.slots, c.saturation())).collect()
    }

    #[test]
    fn slots_and_running_jobs_are_unknown_until_something_tells() {
        let mut fleet = fleet();
        let busy = Busy::default();
        assert_eq!(
            told(&fleet, &busy),
            [("runner-a".to_owned(), None, None, None), ("uo-19".to_owned(), None, None, None)]
        );
        fleet.listed(Kind::Pod, &fleet.pods().map(|pod| pod.uid.clone()).collect());
        let busy = Busy {
            running: Some(BTreeMap::from([(RunnerId(3), 7)])),
            slots_of_runner: BTreeMap::from([("runner-a-gitlab-runner-1-x".into(), 40)]),
            slots_of_class: BTreeMap::from([("runner-a".into(), 80)]),
        };
        // Metrics tell of one of two managers, so configuration counts.
        let want = [("runner-a".to_owned(), Some(2), Some(80), Some(0.025)), ("uo-19".to_owned(), Some(7), None, None)];
        assert_eq!(told(&fleet, &busy), want);
    }

    #[test]
    fn metrics_of_every_manager_add_up() {
        let mut fleet = fleet();
        fleet.listed(Kind::Pod, &fleet.pods().map(|pod| pod.uid.clone()).collect());
        let slots = ["x", "y"].map(|pod| (Arc::from(format!("runner-a-gitlab-runner-1-{pod}")), 2));
        let busy = Busy { slots_of_runner: slots.into(), ..Busy::default() };
        let classes = classes(&fleet, &busy, &HostNames::default());
        assert_eq!((classes[0].slots, classes[0].free(), classes[0].at_work), (Some(4), Some(2), Some(1)));
        assert_eq!(classes[0].tags, None, "no list told the tags");
    }

    #[test]
    fn a_class_that_only_pods_name_is_shown_too() {
        let mut fleet = Fleet::default();
        let says = Says { runner: Some("runner-b-gitlab-runner-1-z".into()), ..Says::default() };
        fleet.upsert(Object::Pod(Arc::new(Pod { is_job: true, says, ..Pod::new("u", "u", Phase::Running) })));
        fleet.listed(Kind::Pod, &fleet.pods().map(|pod| pod.uid.clone()).collect());
        let classes = classes(&fleet, &Busy::default(), &HostNames::default());
        assert_eq!((&*classes[0].name, classes[0].running, classes[0].at_work), ("runner-b", Some(1), None));
    }
}
