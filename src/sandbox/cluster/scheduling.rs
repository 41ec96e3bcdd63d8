//! Where pods go: onto a node with room, onto one that is coming, onto a new one, or nowhere for now.

use serde_json::json;

use super::event::Saying;
use super::jobs::roll;
use super::machine::{DAEMONS, Machine, Stage};
use super::pod::{JobPod, State};
use super::pools::{POOLS, Pool};
use super::{Cluster, Timer};
use crate::ci::{JobId, Timestamp};

/// Failures whose reason is that the node's disk is full.
pub(super) const DISK: &[&str] = &["ephemeral_storage", "no_space"];
/// Failures whose reason is that the cloud takes the machine back.
pub(super) const SPOT: &[&str] = &["spot_reclamation"];
/// The scheduler says again after that long why a pod waits.
const REPEAT_MS: i64 = 300_000;
/// What a pod needs between its node and the end of its job.
const TAIL_MS: i64 = 14_000;

impl Cluster {
    pub(super) fn look_for_room(&mut self, id: JobId) {
        if let Some(machine) = self.room_for(id, true) {
            self.bind(id, machine);
            return;
        }
        if let Some(machine) = self.room_for(id, false).or_else(|| self.order_for(id, false)) {
            self.wait_for(id, machine);
        } else {
            self.wait(id);
        }
    }

    /// The best machine for a pod among those that are there, or that are coming.
    fn room_for(&self, id: JobId, is_here: bool) -> Option<u32> {
        let pod = self.pods.get(&id)?;
        let place = |machine: &Machine| pod.rule.pools.iter().position(|pool| *pool == machine.pool.name);
        let is_sick = |machine: &Machine| {
            machine.pods.iter().filter_map(|job| self.pods.get(job)).any(|other| other.has_fate(DISK))
        };
        let fits = |machine: &&Machine| {
            !machine.is_closed()
                && machine.is_here() == is_here
                && (is_here || machine.at(Stage::Initialized).shifted(TAIL_MS) <= pod.planned_end)
                && machine.has_room(pod.cpu, pod.memory)
                && self.may_share(machine, pod)
        };
        let all = self.machines.values().filter(|machine| place(machine).is_some()).filter(fits);
        let best = all.min_by_key(|machine| {
            // What fails for one reason fails at one place.
            let is_apart = pod.has_fate(DISK) && !is_sick(machine);
            (is_apart, place(machine), std::cmp::Reverse(machine.used_cpu), machine.id)
        });
        best.map(|machine| machine.id)
    }

    /// No job may be lost with a machine whose own end is another: those that a machine takes along end with it, the others before.
    fn may_share(&self, machine: &Machine, pod: &JobPod) -> bool {
        let mut others = machine.pods.iter().chain(&machine.promised).filter_map(|job| self.pods.get(job));
        let taken = others.clone().find(|other| other.has_fate(SPOT)).map(|other| other.planned_end);
        match taken.or(machine.doom.map(|(end, _)| end)) {
            Some(end) => !pod.has_fate(SPOT) && pod.planned_end.shifted(3_000) <= end,
            None => !pod.has_fate(SPOT) || others.all(|other| other.planned_end.shifted(3_000) <= pod.planned_end),
        }
    }

    /// Orders a machine for a pod; `None` when its pool may make no more.
    fn order_for(&mut self, id: JobId, is_forced: bool) -> Option<u32> {
        let pod = self.pods.get(&id)?;
        let pool = pod.rule.pools.first().and_then(|name| Pool::named(name))?;
        let mut rng = self.dice("machine for", id);
        let made = pool.machine_for(pod.cpu, pod.memory, roll(&mut rng));
        let used: u32 = self.machines.values().filter(|m| m.pool == pool).map(|m| m.made.cores).sum();
        let limit = self.limit_of(pool).or(pool.limit.map(|(cores, _)| cores));
        if !is_forced && limit.is_some_and(|limit| used + made.cores > limit) {
            return None;
        }
        let usual =
            if pool.os == "windows" { rng.between(150_000, 240_000) } else { rng.between(48_000, 85_000) } as i64;
        let left = pod.planned_end.millis() - self.now.millis() - TAIL_MS;
        let (cpu, memory) = (pod.cpu, pod.memory);
        self.machine_count += 1;
        let id = self.machine_count;
        let machine = Machine::new(self.seed, id, pool, made, self.now);
        let takes_ms = usual.min(left).max(4_000);
        let machine = Machine { takes_ms, ordered_cpu: cpu, ordered_memory: memory, is_extra: is_forced, ..machine };
        for stage in Stage::ALL {
            self.plan(machine.at(stage), Timer::Reach(id, stage));
        }
        self.machines.insert(id, machine);
        *self.tallies.ordered.entry(pool.name).or_default() += 1;
        self.tell_machine(id);
        Some(id)
    }

    /// A pod waits for a machine that is coming.
    fn wait_for(&mut self, id: JobId, machine_id: u32) {
        let told = self.scheduler_says(id);
        let (Some(pod), Some(machine)) = (self.pods.get_mut(&id), self.machines.get_mut(&machine_id)) else { return };
        pod.promised = Some(machine_id);
        machine.promised.insert(id);
        machine.used_cpu += pod.cpu;
        machine.used_memory += pod.memory;
        let node = machine.reached(Stage::Joined).map(|_| format!(", node/{}", machine.node)).unwrap_or_default();
        let promise = format!("Pod should schedule on: nodeclaim/{}{node}", machine.claim);
        self.say_waiting(id, told);
        self.say_of_pod(id, Saying::usual("karpenter", "Nominated", promise));
    }

    /// A pod waits for room, in vain if nothing happens.
    fn wait(&mut self, id: JobId) {
        let told = self.scheduler_says(id);
        let Some(pod) = self.pods.get(&id) else { return };
        let left = pod.planned_end.millis() - self.now.millis();
        let patience = (left * 7 / 10).clamp(0, 560_000);
        let tries = pod.tries + 1;
        let refusal = self.karpenter_says(id);
        self.say_waiting(id, told);
        self.say_of_pod(id, Saying::warning("karpenter", "FailedScheduling", refusal));
        self.plan(self.now.shifted(patience), Timer::Force(id, tries));
    }

    fn say_waiting(&mut self, id: JobId, told: String) {
        let now = self.now;
        if let Some(pod) = self.pods.get_mut(&id) {
            pod.state = State::Waiting(told.clone());
            pod.since = now;
            pod.tries += 1;
            let tries = pod.tries;
            self.plan(now.shifted(REPEAT_MS), Timer::Repeat(id, tries));
        }
        self.say_of_pod(id, Saying::warning("default-scheduler", "FailedScheduling", told));
        self.tell_pod(id);
    }

    fn is_waiting(&self, id: JobId, tries: u32) -> bool {
        self.pods.get(&id).is_some_and(|pod| pod.tries == tries && matches!(pod.state, State::Waiting(_)))
    }

    pub(super) fn repeat(&mut self, id: JobId, tries: u32) {
        if !self.is_waiting(id, tries) {
            return;
        }
        if let Some(State::Waiting(told)) = self.pods.get(&id).map(|pod| pod.state.clone()) {
            self.say_of_pod(id, Saying::warning("default-scheduler", "FailedScheduling", told));
        }
        if self.pods.get(&id).is_some_and(|pod| pod.promised.is_none()) {
            let refusal = self.karpenter_says(id);
            self.say_of_pod(id, Saying::warning("karpenter", "FailedScheduling", refusal));
        }
        self.plan(self.now.shifted(REPEAT_MS), Timer::Repeat(id, tries));
    }

    /// Room was made, or the job would be over before its pod ran: the pool goes above its limit.
    pub(super) fn force(&mut self, id: JobId, tries: u32) {
        if self.is_waiting(id, tries)
            && let Some(machine) = self.order_for(id, true)
        {
            self.wait_for(id, machine);
        }
    }

    /// Lets pods that wait for room in vain look again, the oldest first.
    pub(super) fn serve_waiting(&mut self, pool: &'static Pool) {
        let in_vain = |pod: &&JobPod| {
            matches!(pod.state, State::Waiting(_)) && pod.promised.is_none() && pod.rule.pools.contains(&pool.name)
        };
        let mut waiting: Vec<(Timestamp, JobId)> =
            self.pods.values().filter(in_vain).map(|pod| (pod.created, pod.job)).collect();
        waiting.sort_unstable();
        for (_, id) in waiting {
            if let Some(machine) = self.room_for(id, true) {
                self.bind(id, machine);
            } else if let Some(machine) = self.room_for(id, false).or_else(|| self.order_for(id, false)) {
                self.wait_for(id, machine);
            }
        }
    }

    /// How the scheduler counts why no node takes a pod.
    fn scheduler_says(&self, id: JobId) -> String {
        let Some(pod) = self.pods.get(&id) else { return String::new() };
        let (mut cpu, mut memory, mut other, mut pending, mut disk, mut closed) = (0, 0, 0, 0, 0, 0);
        let nodes: Vec<&Machine> = self.machines.values().filter(|m| m.reached(Stage::Joined).is_some()).collect();
        for machine in &nodes {
            if machine.cordoned.is_some() || machine.leaving.is_some() {
                closed += 1;
            } else if !pod.rule.pools.contains(&machine.pool.name) {
                other += 1;
            } else if machine.pressure.is_some() {
                disk += 1;
            } else if !machine.is_here() {
                pending += 1;
            } else if machine.used_cpu + pod.cpu + DAEMONS.0 > machine.made.allocatable_cpu() {
                cpu += 1;
            } else {
                memory += 1;
            }
        }
        let all = nodes.len();
        let reasons = [
            (cpu, "Insufficient cpu"),
            (memory, "Insufficient memory"),
            (pending, "node(s) had untolerated taint {node.spack.io/certificate-pending: true}"),
            (disk, "node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }"),
            (closed, "node(s) were unschedulable"),
            (other, "node(s) didn't match Pod's node affinity/selector"),
        ];
        let told: Vec<String> = reasons.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{n} {why}")).collect();
        let victims = cpu + memory;
        let mut preemption = Vec::new();
        if victims > 0 {
            preemption.push(format!("{victims} No preemption victims found for incoming pod"));
        }
        if all > victims {
            preemption.push(format!("{} Preemption is not helpful for scheduling", all - victims));
        }
        let (told, preemption) = (told.join(", "), preemption.join(", "));
        format!("0/{all} nodes are available: {told}. preemption: 0/{all} nodes are available: {preemption}.")
    }

    /// How Karpenter says why it makes no node for a pod, pool by pool.
    fn karpenter_says(&self, id: JobId) -> String {
        let Some(pod) = self.pods.get(&id) else { return String::new() };
        let overhead = json!({ "cpu": "150m", "memory": "240Mi", "pods": "4" });
        let why = |pool: &Pool| {
            if pod.rule.pools.contains(&pool.name) {
                return format!("all available instance types exceed limits for nodepool: {:?}", pool.name);
            }
            let start = format!("incompatible with nodepool {:?}, daemonset overhead={overhead}", pool.name);
            if let Some(taint) = pool.taints.iter().find(|taint| !pod.rule.tolerated().contains(taint)) {
                return format!("{start}, did not tolerate taint (taint={taint}=true:NoSchedule)");
            }
            let (key, values) = pod.rule.affinity.unwrap_or(("kubernetes.io/os", &["windows"]));
            let has = match pool.labels.iter().find(|(label, _)| *label == key) {
                Some((_, value)) => format!("In [{value}]"),
                None => "DoesNotExist".to_owned(),
            };
            format!("{start}, incompatible requirements, key {key}, {key} In [{}] not in {key} {has}", values.join(" "))
        };
        let told: Vec<String> = POOLS.iter().map(why).collect();
        format!("Failed to schedule pod, {}", told.join("; "))
    }
}
