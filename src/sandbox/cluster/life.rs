//! How machines come and go: stage by stage, idle, taken back by the cloud, short of disk.

use super::super::Scenario;
use super::super::rng::Rng;
use super::event::{About, Saying};
use super::machine::{Machine, Stage};
use super::objects::Kind;
use super::pod::{Outcome, State};
use super::scheduling::{DISK, SPOT};
use super::{Cluster, Timer, wire};
use crate::ci::{JobId, Timestamp};

/// How long before the end the cloud says so.
const NOTICE_MS: i64 = 120_000;
/// How long a kubelet waits before it says that its disk is well again.
const RELIEF_MS: i64 = 300_000;
/// How long a disk stays full that nobody cleans up.
const UNRELIEVED_MS: i64 = 50 * 60_000;
/// How many machines are taken back when they fall idle, if the night is not calm.
const IDLE_RECLAIMED: f64 = 0.08;

impl Cluster {
    fn about_node(machine: &Machine) -> About {
        let uid = machine.node_uid().into();
        About { kind: "Node", version: "v1", namespace: "", name: machine.node.clone(), uid }
    }

    fn about_claim(machine: &Machine) -> About {
        let uid = machine.claim_uid().into();
        About { kind: "NodeClaim", version: "karpenter.sh/v1", namespace: "", name: machine.claim.clone(), uid }
    }

    fn say_of_node(&mut self, id: u32, saying: Saying) {
        let Some(machine) = self.machines.get(&id).filter(|machine| machine.reached(Stage::Joined).is_some()) else {
            return;
        };
        let host = if saying.from == "kubelet" { machine.node.clone() } else { "".into() };
        self.say(Self::about_node(machine), saying, &host);
    }

    fn say_of_claim(&mut self, id: u32, saying: Saying) {
        if let Some(about) = self.machines.get(&id).map(Self::about_claim) {
            self.say(about, saying, "");
        }
    }

    /// A machine comes one stage further.
    pub(super) fn reach(&mut self, id: u32, stage: Stage) {
        let Some(machine) = self.machines.get_mut(&id).filter(|machine| !machine.is_down) else { return };
        machine.stage = machine.stage.max(Some(stage));
        self.tell_machine(id);
        match stage {
            Stage::Joined => self.say_of_node(id, Saying::usual("kubelet", "Starting", "Starting kubelet.")),
            Stage::Ready => {
                let node = self.machines.get(&id).map(|machine| machine.node.clone()).unwrap_or_default();
                let told = format!("Node {node} status is now: NodeReady");
                self.say_of_node(id, Saying::usual("kubelet", "NodeReady", told));
            }
            Stage::Initialized => {
                let promised: Vec<JobId> = self
                    .machines
                    .get(&id)
                    .map(|machine| machine.promised.iter().copied().collect())
                    .unwrap_or_default();
                for job in promised {
                    self.bind(job, id);
                }
                self.look_idle(id);
            }
            _ => {}
        }
    }

    /// Notes since when a machine is empty, if it is.
    pub(super) fn look_idle(&mut self, id: u32) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(&id) else { return };
        let is_empty = machine.pods.is_empty() && machine.promised.is_empty();
        if machine.is_fixed || !machine.is_here() || !is_empty || machine.leaving.is_some() {
            return;
        }
        machine.idle_since = Some(now);
        let end = now.shifted(machine.pool.idle_seconds * 1_000);
        let is_spot = machine.pool.is_spot;
        self.plan(end, Timer::Idle(id, now));
        // The cloud also takes back what nobody needs at the moment.
        let mut rng = Rng::of(self.seed, "idle reclaim", u64::from(id) << 40 ^ now.millis() as u64);
        let is_kept = self.machines.get(&id).is_some_and(|machine| machine.is_kept);
        if is_spot && !is_kept && self.scenario != Scenario::Calm && rng.chance(IDLE_RECLAIMED) {
            if let Some(machine) = self.machines.get_mut(&id) {
                machine.doom = Some((now.shifted(NOTICE_MS), None));
            }
            self.notice(id);
            self.plan(now.shifted(NOTICE_MS), Timer::Doom(id));
        }
    }

    /// A machine was empty for long enough.
    pub(super) fn idle(&mut self, id: u32, since: Timestamp) {
        let Some(machine) = self.machines.get(&id) else { return };
        // Karpenter leaves what somebody cordoned alone only while pods run there.
        if machine.idle_since != Some(since) || machine.leaving.is_some() || machine.is_kept {
            return;
        }
        let told = "Disrupting NodeClaim: Empty/Delete";
        self.say_of_claim(id, Saying::usual("karpenter", "DisruptionTerminating", told));
        self.say_of_node(id, Saying::usual("karpenter", "DisruptionTerminating", "Disrupting Node: Empty/Delete"));
        self.send_away(id);
        self.plan(self.now.shifted(34_000), Timer::Gone(id));
    }

    fn send_away(&mut self, id: u32) {
        let now = self.now;
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.leaving.get_or_insert(now);
            self.tell_machine(id);
        }
    }

    pub(super) fn gone(&mut self, id: u32) {
        let Some(machine) = self.machines.remove(&id) else { return };
        if machine.reached(Stage::Joined).is_some() {
            self.objects.remove(Kind::Node, "", &machine.node);
        }
        self.objects.remove(Kind::NodeClaim, "", &machine.claim);
        self.tell_pool(machine.pool);
        // Nobody was to be left; whoever is looks for another place.
        for job in machine.promised {
            if let Some(pod) = self.pods.get_mut(&job) {
                pod.promised = None;
                self.look_for_room(job);
            }
        }
        for job in machine.pods {
            self.remove_pod(job);
        }
        self.serve_waiting(machine.pool);
    }

    /// A pod that is bound to fail with its machine: the machine's own end follows from it.
    pub(super) fn share_fate(&mut self, id: JobId) {
        let Some(pod) = self.pods.get(&id) else { return };
        let (Some(machine_id), end) = (pod.machine, pod.planned_end) else { return };
        if pod.has_fate(SPOT) {
            if let Some(machine) = self.machines.get_mut(&machine_id).filter(|m| m.doom.is_none() && m.pool.is_spot) {
                machine.doom = Some((end, Some(id)));
                self.plan(end.shifted(-NOTICE_MS), Timer::Notice(machine_id));
                self.plan(end, Timer::Doom(machine_id));
            }
        } else if pod.has_fate(DISK) {
            // Its own files fill the disk, and a shorter job fills it sooner.
            let after = (end.millis() - self.now.millis()) / 3;
            self.plan(self.now.shifted(after), Timer::Pressure(machine_id, true));
            // In an outage nobody cleans the first one up, and somebody wants to see it.
            let is_kept = self.scenario == Scenario::Outage && !self.machines.values().any(|machine| machine.is_kept);
            if let Some(machine) = self.machines.get_mut(&machine_id) {
                machine.is_kept |= is_kept;
                let relief = if machine.is_kept { UNRELIEVED_MS } else { RELIEF_MS };
                machine.pressure_until = machine.pressure_until.max(end.shifted(relief));
                let until = machine.pressure_until;
                self.plan(until, Timer::Pressure(machine_id, false));
            }
        }
    }

    /// A job that was to go with its machine ended otherwise: the cloud leaves the machine alone if it has said nothing yet.
    pub(super) fn undoom(&mut self, id: JobId) {
        let machine =
            self.pods.get(&id).and_then(|pod| pod.machine).and_then(|machine| self.machines.get_mut(&machine));
        if let Some(machine) = machine.filter(|m| m.leaving.is_none() && m.doom.is_some_and(|(_, job)| job == Some(id)))
        {
            machine.doom = None;
        }
    }

    pub(super) fn notice(&mut self, id: u32) {
        if self.machines.get(&id).is_none_or(|machine| machine.doom.is_none()) {
            return;
        }
        self.tallies.interrupted.push((self.now, "spot_interrupted"));
        let told = || Saying::warning("karpenter", "SpotInterrupted", "Spot interruption warning was triggered");
        self.say_of_node(id, told());
        self.say_of_claim(id, told());
        let drain = |what: &str| {
            let told = format!("Interruption triggered termination for the {what}");
            Saying::warning("karpenter", "TerminatingOnInterruption", told)
        };
        self.say_of_claim(id, drain("NodeClaim"));
        self.say_of_node(id, drain("Node"));
        self.send_away(id);
    }

    pub(super) fn doom(&mut self, id: u32) {
        let Some(machine) = self.machines.get_mut(&id).filter(|machine| machine.doom.is_some()) else { return };
        machine.is_down = true;
        let is_up = |job: &JobId| self.pods.get(job).is_some_and(|pod| pod.state == State::Running);
        let left: Vec<JobId> = machine.pods.iter().copied().filter(is_up).collect();
        self.tallies.interrupted.push((self.now, "instance_terminated"));
        for job in left {
            self.over(job, Outcome::Shutdown);
        }
        self.tell_machine(id);
        self.say_of_node(id, Saying::usual("kubelet", "NodeShutdown", "Shutdown manager detected shutdown event"));
        self.plan(self.now.shifted(30_000), Timer::Gone(id));
    }

    /// A disk is full, or is well again.
    pub(super) fn press(&mut self, id: u32, is_on: bool) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(&id) else { return };
        if is_on == machine.pressure.is_some() || (!is_on && machine.pressure_until > now) {
            return;
        }
        let node = machine.node.clone();
        machine.pressure = is_on.then_some(now);
        machine.relieved = (!is_on).then_some(now);
        let pool = machine.pool;
        self.tell_machine(id);
        if is_on {
            let told = format!("Node {node} status is now: NodeHasDiskPressure");
            self.say_of_node(id, Saying::usual("kubelet", "NodeHasDiskPressure", told));
            let told = "Attempting to reclaim ephemeral-storage";
            self.say_of_node(id, Saying::warning("kubelet", "EvictionThresholdMet", told));
        } else {
            let told = format!("Node {node} status is now: NodeHasNoDiskPressure");
            self.say_of_node(id, Saying::usual("kubelet", "NodeHasNoDiskPressure", told));
            self.serve_waiting(pool);
        }
    }

    /// Shows a node after somebody changed it.
    pub(super) fn node_of(&self, id: u32) -> Option<serde_json::Value> {
        wire::node(self.machines.get(&id)?, self.now)
    }
}
