//! What jobs cost: seconds × occupancy × price of the node. Occupancy is the mean of one over the number of scripts on the node, as samples saw
//! it; the share of the requested CPU gives a second opinion.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::place::{Gap, price_of};
use super::{Dollars, Fleet, Link, Pod, Uid};
use crate::ci::{JobId, PipelineId, Timestamp};

/// Charges that are kept; the first to go are those of pods that went first.
const MOST: usize = 20_000;

/// A mean over samples of one over the number of neighbours. The first sample is dropped when there are others: a node is not yet full then.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Occupancy {
    first: Option<f64>,
    sum: f64,
    others: u32,
}

impl Occupancy {
    /// Takes in how many scripts ran on the node, this one among them.
    pub fn sample(&mut self, builds: usize) {
        if builds == 0 {
            return;
        }
        let part = 1.0 / builds as f64;
        if self.first.is_none() {
            self.first = Some(part);
        } else {
            self.sum += part;
            self.others = self.others.saturating_add(1);
        }
    }

    /// The mean; `None` before the first sample.
    pub fn mean(&self) -> Option<f64> {
        if self.others == 0 { self.first } else { Some(self.sum / f64::from(self.others)) }
    }
}

/// Why a cost is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoCost {
    /// The script did not start, or nothing says when.
    NotStarted,
    /// The job ran between two samples.
    NoSample,
    /// Something that it stands on is missing.
    Gap(Gap),
}

/// What one job costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    pub job: Option<JobId>,
    pub pipeline: Option<PipelineId>,
    pub stack: Option<Arc<str>>,
    pub package: Option<Arc<str>>,
    pub pool: Option<Arc<str>>,
    /// How long its script ran by the last sample.
    pub ran: Option<Duration>,
    /// By occupancy: the figure that others report, too.
    pub cost: Result<Dollars, NoCost>,
    /// By its share of the node's CPU, as a second opinion.
    pub by_share: Option<Dollars>,
}

/// A sum over charges. What is not known is counted, not left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bill {
    pub known: Dollars,
    pub jobs: usize,
    /// Jobs of unknown cost, by reason.
    pub unknown: BTreeMap<NoCost, usize>,
}

impl Bill {
    /// All of it is known.
    pub fn is_whole(&self) -> bool {
        self.unknown.is_empty()
    }

    fn add(&mut self, charge: &Charge) {
        self.jobs += 1;
        match &charge.cost {
            Ok(cost) => self.known = self.known.plus(*cost),
            Err(why) => *self.unknown.entry(why.clone()).or_default() += 1,
        }
    }
}

#[derive(Debug, Clone)]
struct Account {
    occupancy: Occupancy,
    /// The mean price per hour over the samples.
    prices: (f64, u32),
    charge: Charge,
}

/// All charges since the start, those of pods that are gone among them.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    accounts: HashMap<Uid, Account>,
    order: VecDeque<Uid>,
}

impl Ledger {
    /// Looks at every job's pod once. Call it at even intervals.
    pub fn sample(&mut self, fleet: &Fleet, now: Timestamp) {
        let mut builds: HashMap<&str, usize> = HashMap::new();
        for node in fleet.job_pods().filter(|pod| pod.is_building()).filter_map(|pod| pod.node.as_deref()) {
            *builds.entry(node).or_default() += 1;
        }
        for pod in fleet.job_pods() {
            let on_node = pod.node.as_deref().and_then(|node| builds.get(node)).copied().unwrap_or(0);
            self.sample_pod(fleet, pod, on_node, now);
        }
        while self.order.len() > MOST {
            let Some(oldest) = self.order.pop_front() else { break };
            self.accounts.remove(&oldest);
        }
    }

    /// What a pod's job costs.
    pub fn charge(&self, pod: &Uid) -> Option<&Charge> {
        self.accounts.get(pod).map(|account| &account.charge)
    }

    pub fn charges(&self) -> impl Iterator<Item = &Charge> {
        self.order.iter().filter_map(|uid| self.charge(uid))
    }

    /// Sums up by whatever a key is made of: pipeline, stack, package, pool. Charges without a key are left out.
    pub fn bills<K: Ord>(&self, key: impl Fn(&Charge) -> Option<K>) -> BTreeMap<K, Bill> {
        let mut bills: BTreeMap<K, Bill> = BTreeMap::new();
        for charge in self.charges() {
            if let Some(key) = key(charge) {
                bills.entry(key).or_default().add(charge);
            }
        }
        bills
    }

    fn sample_pod(&mut self, fleet: &Fleet, pod: &Pod, builds: usize, now: Timestamp) {
        let account = self.accounts.entry(pod.uid.clone()).or_insert_with(|| {
            self.order.push_back(pod.uid.clone());
            let charge = Charge {
                job: None,
                pipeline: None,
                stack: None,
                package: None,
                pool: None,
                ran: None,
                cost: Err(NoCost::NotStarted),
                by_share: None,
            };
            Account { occupancy: Occupancy::default(), prices: (0.0, 0), charge }
        });
        let node = pod.node.as_ref().and_then(|name| fleet.node(name));
        let price = node.map_or_else(
            || Link::Missing(pod.node.as_ref().map_or(Gap::NotScheduled, |name| Gap::NodeGone(name.clone()))),
            |node| price_of(fleet, node),
        );
        if pod.is_building() {
            account.occupancy.sample(builds);
        }
        if let Some(price) = price.found() {
            account.prices = (account.prices.0 + price.amount(), account.prices.1.saturating_add(1));
        }
        let mean_price = (account.prices.1 > 0).then(|| account.prices.0 / f64::from(account.prices.1));
        let charge = &mut account.charge;
        charge.job = pod.says.job;
        charge.pipeline = pod.says.pipeline;
        charge.stack = pod.says.stack.as_ref().map(|said| said.value.clone());
        charge.package = pod.says.package.as_ref().map(|said| said.value.clone());
        charge.pool = node.and_then(|node| node.pool()).cloned().or_else(|| charge.pool.take());
        // A pod that is torn down may say less than before.
        charge.ran = pod.run_time(now).or(charge.ran);
        let of = |part: f64| {
            let seconds = charge.ran?.as_secs_f64();
            Dollars::new(seconds * part * mean_price? / 3_600.0)
        };
        let why = || match (charge.ran, mean_price, account.occupancy.mean()) {
            (None, ..) => NoCost::NotStarted,
            (_, None, _) => NoCost::Gap(price.gap().cloned().unwrap_or(Gap::Behind("price"))),
            _ => NoCost::NoSample,
        };
        charge.cost = account.occupancy.mean().and_then(of).ok_or_else(why);
        let share = node.and_then(|node| pod.requests.cpu?.share_of(node.allocatable.cpu?));
        charge.by_share = share.and_then(of).or(charge.by_share);
    }
}

impl fmt::Display for NoCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("the script did not start"),
            Self::NoSample => f.write_str("the job ran between two samples"),
            Self::Gap(gap) => gap.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Kind, Object, Offer};
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::parse("2026-08-20T14:00:00Z").unwrap().shifted(seconds * 1_000)
    }

    fn node(fleet: &mut Fleet) {
        let labels = json!({"node.kubernetes.io/instance-type": "m", "karpenter.sh/capacity-type": "spot", "topology.kubernetes.io/zone": "z", "karpenter.sh/nodepool": "p"});
        let object = json!({"metadata": {"name": "n", "labels": labels}, "status": {"allocatable": {"cpu": "8"}}});
        fleet.upsert(Object::read(Kind::Node, &object).unwrap());
    }

    fn pod(fleet: &mut Fleet, name: &str, state: serde_json::Value, phase: &str) {
        let object = json!({
            "metadata": {"name": name, "uid": name, "labels": {"spack.io/runner": "true", "metrics/spack_ci_stack_name": "e4s", "metrics/gitlab_ci_pipeline_id": "9"}},
            "spec": {"nodeName": "n", "containers": [{"resources": {"requests": {"cpu": "2"}}}]},
            "status": {"phase": phase, "containerStatuses": [{"name": "build", "state": state}]},
        });
        fleet.upsert(Object::read(Kind::Pod, &object).unwrap());
    }

    fn price(fleet: &mut Fleet) {
        fleet.prices.set(Offer { instance_type: "m".into(), capacity_type: "spot".into(), zone: "z".into() }, 3.6);
    }

    #[test]
    fn occupancy_drops_the_first_sample_of_several() {
        let mut occupancy = Occupancy::default();
        assert_eq!(occupancy.mean(), None);
        occupancy.sample(4);
        assert_eq!(occupancy.mean(), Some(0.25), "a single sample counts");
        occupancy.sample(2);
        occupancy.sample(1);
        occupancy.sample(0);
        assert_eq!(occupancy.mean(), Some(0.75));
    }

    #[test]
    fn a_job_costs_seconds_times_occupancy_times_price() {
        let mut fleet = Fleet::default();
        let mut ledger = Ledger::default();
        node(&mut fleet);
        price(&mut fleet);
        let runs = json!({"running": {"startedAt": "2026-08-20T14:00:00Z"}});
        pod(&mut fleet, "a", runs.clone(), "Running");
        pod(&mut fleet, "b", runs, "Running");
        ledger.sample(&fleet, at(60));
        ledger.sample(&fleet, at(120));
        let ended = json!({"terminated": {"exitCode": 0, "startedAt": "2026-08-20T14:00:00Z", "finishedAt": "2026-08-20T14:03:20Z"}});
        pod(&mut fleet, "b", ended, "Succeeded");
        ledger.sample(&fleet, at(240));
        let cost = |name: &str| ledger.charge(&Uid(name.into())).unwrap();
        // 240 s × (1/2 + 1) / 2 × 3.6 / 3600, and 200 s × 1/2 × 3.6 / 3600.
        assert!((cost("a").cost.clone().unwrap().amount() - 0.18).abs() < 1e-9);
        assert!((cost("b").cost.clone().unwrap().amount() - 0.1).abs() < 1e-9);
        assert!((cost("a").by_share.unwrap().amount() - 0.06).abs() < 1e-9, "a quarter of the CPU");
        let bills = ledger.bills(|charge| charge.pipeline);
        let bill = &bills[&PipelineId(9)];
        assert!((bill.known.amount() - 0.28).abs() < 1e-9 && bill.is_whole() && bill.jobs == 2);
        assert_eq!(ledger.bills(|charge| charge.package.clone()), BTreeMap::new());
    }

    #[test]
    fn what_is_missing_is_named_and_never_free() {
        let mut fleet = Fleet::default();
        let mut ledger = Ledger::default();
        pod(&mut fleet, "a", json!({"running": {"startedAt": "2026-08-20T14:00:00Z"}}), "Running");
        pod(&mut fleet, "b", json!({"waiting": {"reason": "ContainerCreating"}}), "Pending");
        pod(
            &mut fleet,
            "c",
            json!({"terminated": {"exitCode": 1, "startedAt": "2026-08-20T14:00:00Z", "finishedAt": "2026-08-20T14:00:05Z"}}),
            "Failed",
        );
        ledger.sample(&fleet, at(60));
        let why = |ledger: &Ledger, name: &str| ledger.charge(&Uid(name.into())).unwrap().cost.clone().unwrap_err();
        assert_eq!(why(&ledger, "a"), NoCost::Gap(Gap::NodeGone("n".into())));
        assert_eq!(why(&ledger, "b"), NoCost::NotStarted);
        node(&mut fleet);
        ledger.sample(&fleet, at(90));
        assert!(matches!(why(&ledger, "a"), NoCost::Gap(Gap::NoPrice(_))));
        price(&mut fleet);
        ledger.sample(&fleet, at(120));
        assert_eq!(why(&ledger, "c"), NoCost::NoSample);
        let bill = &ledger.bills(|charge| charge.stack.clone())["e4s"];
        assert_eq!((bill.jobs, bill.unknown.values().sum::<usize>(), bill.is_whole()), (3, 2, false));
    }

    #[test]
    fn a_charge_outlives_its_pod() {
        let (mut fleet, mut ledger) = (Fleet::default(), Ledger::default());
        node(&mut fleet);
        price(&mut fleet);
        pod(&mut fleet, "a", json!({"running": {"startedAt": "2026-08-20T14:00:00Z"}}), "Running");
        ledger.sample(&fleet, at(100));
        fleet.delete(Kind::Pod, &Uid("a".into()));
        ledger.sample(&fleet, at(900));
        assert!((ledger.charge(&Uid("a".into())).unwrap().cost.clone().unwrap().amount() - 0.1).abs() < 1e-9);
    }
}
