//! What somebody does to the cluster: cordons a node, deletes a pod.

use serde_json::Value;

use super::machine::Stage;
use super::{Cluster, wire};
use crate::ci::JobId;

impl Cluster {
    fn machine_named(&self, node: &str) -> Option<u32> {
        let is_it = |m: &&super::Machine| &*m.node == node && m.reached(Stage::Joined).is_some();
        self.machines.values().find(is_it).map(|machine| machine.id)
    }

    /// Closes a node for new pods, or opens it again, and shows it; `None` when there is none of that name. A dry run shows it as it would be.
    pub fn cordon(&mut self, node: &str, is_off: bool, is_dry: bool) -> Option<Value> {
        let id = self.machine_named(node)?;
        let now = self.now;
        let machine = self.machines.get_mut(&id)?;
        let before = machine.cordoned;
        machine.cordoned = is_off.then(|| before.unwrap_or(now));
        let pool = machine.pool;
        let shown = self.node_of(id)?;
        if is_dry {
            if let Some(machine) = self.machines.get_mut(&id) {
                machine.cordoned = before;
            }
        } else {
            self.tell_machine(id);
            if !is_off {
                self.serve_waiting(pool);
            }
        }
        Some(shown)
    }

    /// The job of a pod.
    pub fn job_of(&self, pod: &str) -> Option<JobId> {
        self.pods.values().find(|known| &*known.name == pod).map(|known| known.job)
    }

    /// Deletes the pod of a job, and shows it as it was when its end began; `None` when there is none. A dry run leaves it. What becomes of the job is for the world.
    pub fn delete_pod(&mut self, job: JobId, is_dry: bool) -> Option<Value> {
        let now = self.now;
        let pod = self.pods.get_mut(&job)?;
        let before = pod.deleted.replace(now);
        let machine = pod.machine.and_then(|id| self.machines.get(&id));
        let shown = wire::pod(pod, machine);
        if is_dry {
            pod.deleted = before;
        } else {
            self.undoom(job);
            self.remove_pod(job);
        }
        Some(shown)
    }
}
