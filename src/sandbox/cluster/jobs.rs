//! What becomes of pods: made when a runner takes a job, bound, run, over, removed.

use super::super::Scenario;
use super::super::fleet::Host;
use super::super::gitlab::PROJECT_ID;
use super::super::rng::Rng;
use super::super::stacks::{STACKS, Target, size};
use super::super::world::World;
use super::event::{About, Saying};
use super::objects::Kind;
use super::pod::{JobPod, Outcome, State};
use super::{Cluster, Timer, pools, wire};
use crate::ci::{JobId, Status};

/// The words of a kubelet that runs out of disk.
const EVICTED: &str = "The node was low on resource: ephemeral-storage. Threshold quantity: 9379755000, available: 9379755Ki. Container build was using 1172469Ki, request is 0, has larger consumption of ephemeral-storage. ";
/// What a helper container asks for.
const HELPER_MEMORY: u64 = 512_000_000;

/// Reads `4000m`, `12`, `16G` or `500M`: millis, or bytes.
fn amount(text: &str) -> u64 {
    let number = |digits: &str| digits.parse::<u64>().unwrap_or_default();
    match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((digits, "m")) => number(digits),
        Some((digits, "M")) => number(digits) * 1_000_000,
        Some((digits, "G")) => number(digits) * 1_000_000_000,
        _ => number(text) * 1_000,
    }
}

impl Cluster {
    /// A runner took a job: it makes a pod if it is one of the cluster.
    pub(super) fn picked(&mut self, world: &World, id: JobId, index: usize) {
        let (Some(runner), Some(job)) = (world.runners().get(index), world.job(id)) else { return };
        if !matches!(runner.host, Host::Cluster | Host::WindowsCluster) {
            return;
        }
        let rule = pools::rule(runner.class);
        let taken = |slot: &u32| self.pods.values().any(|pod| pod.runner == index && pod.slot == *slot);
        let slot = (0..=u32::MAX).find(|slot| !taken(slot)).unwrap_or_default();
        let mut rng = self.dice("pod", id);
        let short = runner.token.to_lowercase();
        let name = format!("runner-{short}-project-{PROJECT_ID}-concurrent-{slot}-{}", rng.suffix(8));
        let entry = world.entry_of(job);
        let (build_cpu, build_memory) = match &entry.work {
            _ if rule.is_signing() => ("10", "8G"),
            Some(work) if rule.is_windows() && size(&work.package).class != "small" => ("4", "8G"),
            Some(work) => (size(&work.package).cpu, size(&work.package).memory),
            None => ("750m", "2G"),
        };
        let stack = world.pipeline_of(job).plan.stack.and_then(|stack| STACKS.get(stack));
        let image =
            stack.map_or(if rule.is_windows() { Target::Windows } else { Target::X86V3 }.image(), |s| s.target.image());
        let (labels, annotations) = wire::says(world, &self.base, job, runner, &rule, slot);
        let helper = if rule.is_windows() { 1 } else { HELPER_MEMORY };
        let pod = JobPod {
            job: id,
            runner: index,
            slot,
            rule,
            uid: wire::uid("Pod", &format!("{name} {id}")),
            name: name.into(),
            labels,
            annotations,
            image,
            build_cpu,
            build_memory,
            cpu: amount(build_cpu),
            memory: amount(build_memory) + helper,
            created: self.now,
            planned_end: self.now,
            fate: None,
            state: State::Fresh,
            machine: None,
            promised: None,
            since: self.now,
            bound: None,
            started: None,
            deleted: None,
            tries: 0,
            hangs: false,
        };
        self.pods.insert(id, pod);
        self.tell_pod(id);
    }

    /// The job began, and its end is known: the pod looks for a node.
    pub(super) fn started(&mut self, world: &World, id: JobId) {
        let (Some(job), Some(pod)) = (world.job(id), self.pods.get_mut(&id)) else { return };
        pod.planned_end = job.planned_end.unwrap_or(self.now);
        pod.fate = job.mishap.map(|mishap| mishap.get().cause);
        // In a bad night some hang that will go on by themselves.
        let one_of = Rng::of(self.seed, "hangs", id.0).below(10);
        pod.hangs = pod.has_fate(&["stuck_or_timeout_failure"]) || self.scenario == Scenario::Outage && one_of == 0;
        self.look_for_room(id);
    }

    /// The job is over, or was called off.
    pub(super) fn ended(&mut self, world: &World, id: JobId) {
        let (Some(job), Some(pod)) = (world.job(id), self.pods.get(&id)) else { return };
        let has_run = pod.state == State::Running;
        if !has_run || job.status == Status::Canceled || pod.has_fate(&["pod_not_found"]) {
            self.undoom(id);
            self.remove_pod(id);
            return;
        }
        let outcome = match (job.status, job.failure()) {
            (Status::Success, _) => Outcome::Succeeded,
            (_, Some(mishap)) => match mishap.get().cause {
                "oom" => Outcome::OutOfMemory,
                "ephemeral_storage" => Outcome::Evicted(EVICTED),
                "spot_reclamation" => Outcome::Shutdown,
                _ => Outcome::Failed(mishap.get().exit_code.unwrap_or(1)),
            },
            _ => Outcome::Failed(1),
        };
        if let Outcome::Evicted(message) = outcome {
            self.say_of_pod(id, Saying::warning("kubelet", "Evicted", message));
        }
        self.over(id, outcome);
        let patience = 6_000 + self.dice("clean up", id).below(20_000) as i64;
        self.plan(self.now.shifted(patience), Timer::Remove(id));
    }

    /// The pod's containers are over; its part of the node is free.
    pub(super) fn over(&mut self, id: JobId, outcome: Outcome) {
        let Some(pod) = self.pods.get_mut(&id) else { return };
        pod.state = State::Over(outcome);
        pod.since = self.now;
        self.tell_pod(id);
        self.leave(id);
    }

    /// A pod has its node: its containers are made.
    pub(super) fn bind(&mut self, id: JobId, machine_id: u32) {
        let now = self.now;
        let creating = 2_000 + self.dice("creating", id).below(5_000) as i64;
        let (Some(pod), Some(machine)) = (self.pods.get_mut(&id), self.machines.get_mut(&machine_id)) else { return };
        if machine.promised.remove(&id) {
            machine.used_cpu = machine.used_cpu.saturating_sub(pod.cpu);
            machine.used_memory = machine.used_memory.saturating_sub(pod.memory);
        }
        machine.pods.insert(id);
        machine.used_cpu += pod.cpu;
        machine.used_memory += pod.memory;
        machine.touched = now;
        machine.idle_since = None;
        pod.machine = Some(machine_id);
        pod.promised = None;
        pod.tries += 1;
        pod.state = State::Creating;
        pod.since = now;
        pod.bound = Some(now);
        let told = format!("Successfully assigned pipeline/{} to {}", pod.name, machine.node);
        // It runs for a little, however short its job is.
        let latest = pod.planned_end.shifted(-3_000).max(now);
        let at = now.shifted(creating).min(latest);
        self.say_of_pod(id, Saying::usual("default-scheduler", "Scheduled", told));
        self.tell_pod(id);
        self.plan(at, Timer::Run(id));
        self.share_fate(id);
    }

    /// The containers are made, or their image does not come.
    pub(super) fn run(&mut self, id: JobId) {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(&id).filter(|pod| pod.state == State::Creating) else { return };
        pod.since = now;
        let image = pod.image;
        if pod.has_fate(&["image_pull"]) {
            pod.state = State::ImageMissing;
            let failed = format!(
                "Failed to pull image \"{image}\": failed to pull and unpack image: toomanyrequests: You have reached your unauthenticated pull rate limit."
            );
            self.say_of_pod(id, Saying::warning("kubelet", "Failed", failed));
            self.say_of_pod(id, Saying::usual("kubelet", "BackOff", format!("Back-off pulling image \"{image}\"")));
        } else {
            pod.state = State::Running;
            pod.started = Some(now);
            let pulled = format!("Container image \"{image}\" already present on machine");
            self.say_of_pod(id, Saying::usual("kubelet", "Pulled", pulled));
            self.say_of_pod(id, Saying::usual("kubelet", "Started", "Started container build"));
        }
        self.tell_pod(id);
    }

    /// Takes a pod away: first it is marked, then it is gone.
    pub(super) fn remove_pod(&mut self, id: JobId) {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(&id) else { return };
        pod.deleted = Some(now);
        self.tell_pod(id);
        self.leave(id);
        if let Some(pod) = self.pods.remove(&id) {
            self.objects.remove(Kind::Pod, "pipeline", &pod.name);
        }
    }

    /// A pod gives up its part of its machine, or of the one that it waited for.
    pub(super) fn leave(&mut self, id: JobId) {
        let now = self.now;
        let Some(pod) = self.pods.get(&id) else { return };
        let Some((machine_id, machine)) =
            pod.machine.or(pod.promised).and_then(|m| Some((m, self.machines.get_mut(&m)?)))
        else {
            return;
        };
        // Both: what is over stays in the list of its node no longer.
        if !(machine.pods.remove(&id) | machine.promised.remove(&id)) {
            return;
        }
        machine.used_cpu = machine.used_cpu.saturating_sub(pod.cpu);
        machine.used_memory = machine.used_memory.saturating_sub(pod.memory);
        machine.touched = now;
        let pool = machine.pool;
        self.look_idle(machine_id);
        self.serve_waiting(pool);
    }

    pub(super) fn about_pod(&self, id: JobId) -> Option<About> {
        let pod = self.pods.get(&id)?;
        let uid = pod.uid.as_str().into();
        Some(About { kind: "Pod", version: "v1", namespace: "pipeline", name: pod.name.clone(), uid })
    }

    pub(super) fn say_of_pod(&mut self, id: JobId, saying: Saying) {
        let Some(about) = self.about_pod(id) else { return };
        let node = self.pods.get(&id).and_then(|pod| pod.machine).and_then(|machine| self.machines.get(&machine));
        let host = node.filter(|_| saying.from == "kubelet").map(|machine| machine.node.clone()).unwrap_or_default();
        self.say(about, saying, &host);
    }
}

/// A number for a kind of decision about a pod.
pub(super) fn roll(rng: &mut Rng) -> u64 {
    rng.next() >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_millis_or_bytes() {
        let all = ["500m", "4000m", "12", "10", "16G", "500M"].map(amount);
        assert_eq!(all, [500, 4_000, 12_000, 10_000, 16_000_000_000, 500_000_000]);
    }
}
