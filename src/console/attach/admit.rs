//! Whether a plan of another console may take the one road here. Its preview was guarded by that console's world; what is confirmed is guarded
//! again by ours, because somebody else may have acted meanwhile, and because a socket carries whatever is written to it.

use crate::ci::Timestamp;
use crate::console::actions::{Object, Plan};
use crate::console::world::World;

impl World {
    /// Why a plan may not be confirmed, in a sentence for the person.
    pub fn admit(&self, plan: &Plan, now: Timestamp) -> Result<(), String> {
        if plan.project != self.project {
            return Err(format!("the plan is for {}, this is {}", plan.project, self.project));
        }
        if let Some(reason) = self.read_only(now) {
            return Err(reason);
        }
        if let Some(setting) = self.rules.fleet.denies(plan.verb) {
            return Err(format!("{setting} of the daemon's configuration does not allow it"));
        }
        let server_now = self.server_time(now);
        for target in &plan.targets {
            let Object::Job(id) = target.object else { continue };
            let Some(job) = self.job(id) else { return Err(format!("job {id} is not known to the daemon")) };
            let denied = self.rules.denies(plan.verb, &self.subject(job, now), self.tries(job), server_now);
            if let Some(reason) = denied {
                return Err(format!("job {id}: guardrail: {reason}"));
            }
        }
        if let Some(reason) = plan.exceeds(self, now) {
            return Err(format!("guardrail: {reason}"));
        }
        self.actions.refusal(plan, &self.rules, now).map_or(Ok(()), Err)
    }
}
