//! Plans for the fleet: pausing runners, closing nodes, deleting pods that outlived their jobs or are stuck, silencing alerts.
//!
//! Each kind is off until the configuration turns it on. What is worth a second look (jobs that go on, tags that nobody would serve) is said in
//! the preview, and typed. Machines are never deleted or drained, nor are runners.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Draft, InCluster, Object, Plan, Silence, Target, Verb};
use crate::ci::{RunnerId, Timestamp, short};
use crate::console::audit::AuditState;
use crate::console::fleet::{Alarm, Source};
use crate::console::fresh::Freshness;
use crate::console::text::plural;
use crate::console::world::World;
use crate::fleet::{Node, Pod, Stuck, orphaned_by_pause};

/// What of the fleet may be changed. Nothing is, unless the configuration says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetMay {
    /// Pause and resume runners.
    pub runners: bool,
    /// Cordon and uncordon nodes.
    pub nodes: bool,
    /// Delete pods of jobs that are over, or that are stuck.
    pub pods: bool,
    /// Silence alerts at Alertmanager.
    pub silences: bool,
}

/// Pods that one plan may delete, and all plans of an hour together.
const PODS_AT_ONCE: usize = 5;
const PODS_AN_HOUR: usize = 20;
const HOUR: Duration = Duration::from_hours(1);
/// The longest that a silence may last.
pub const LONGEST_SILENCE: Duration = Duration::from_hours(24);

impl FleetMay {
    /// The setting that stands in the way of a verb, if one does.
    pub(in crate::console) const fn denies(self, verb: Verb) -> Option<&'static str> {
        let (may, setting) = match verb {
            Verb::Pause | Verb::Resume => (self.runners, "actions.runners"),
            Verb::Cordon | Verb::Uncordon => (self.nodes, "actions.nodes"),
            Verb::Delete => (self.pods, "actions.pods"),
            Verb::Silence => (self.silences, "actions.silences"),
            Verb::Retry | Verb::Cancel | Verb::Play | Verb::RetryPipeline | Verb::Resync => (true, ""),
        };
        if may { None } else { Some(setting) }
    }
}

impl Plan {
    /// Makes a plan for runners, nodes, pods or alerts, as the world shows them at `now`.
    pub fn for_fleet(world: &World, verb: Verb, objects: impl IntoIterator<Item = Object>, now: Timestamp) -> Self {
        let mut draft = Draft::default();
        let asked: BTreeSet<Object> = objects.into_iter().collect();
        for object in asked {
            let considered = match (&object, world.actions.pending_for(&object)) {
                (_, Some(plan)) => Err(format!("already part of {plan}")),
                (Object::Runner(id), None) => runner(world, verb, *id),
                (Object::Node(node), None) => self::node(world, verb, node),
                (Object::Pod(pod), None) => self::pod(world, verb, pod, now),
                (Object::Silence(silence), None) => alert(world, verb, silence, now),
                (Object::Job(_) | Object::Pipeline(_) | Object::Branch(_) | Object::PullRequest(_), None) => {
                    Err(misplaced(verb))
                }
            };
            match considered {
                Ok(shown) => draft.targets.push(Target {
                    object,
                    pipeline: None,
                    name: shown.name,
                    status: shown.status.into(),
                    tries: 1,
                    cause: shown.about,
                }),
                Err(reason) => draft.skip(object.clone(), object.to_string().into(), reason),
            }
        }
        let typed = draft.guard_fleet(world, verb, now);
        let mut plan = draft.finish(world, verb, &world.rules, now);
        plan.typed = typed.or(plan.typed);
        if let Some(setting) = world.rules.fleet.denies(verb) {
            plan.refused.get_or_insert_with(|| format!("this is off; turn it on with {setting} = true"));
        }
        if let Some(old) = unknown_now(world, verb, now) {
            plan.refused.get_or_insert(old);
        }
        plan
    }
}

/// A target as it is shown.
struct Shown {
    name: Arc<str>,
    status: &'static str,
    /// What it belongs to: a class, a pool, a job.
    about: Arc<str>,
}

/// The words of a status are those that the executor finds again.
pub const PAUSED: &str = "paused";
pub const AT_WORK: &str = "at work";
pub const CORDONED: &str = "cordoned";
pub const SCHEDULABLE: &str = "schedulable";
pub const FIRING: &str = "firing";

fn misplaced(verb: Verb) -> String {
    format!("is nothing to {}", verb.word())
}

fn runner(world: &World, verb: Verb, id: RunnerId) -> Result<Shown, String> {
    let runner = world.fleet.objects.runner(id).ok_or("no longer known")?;
    let status = match runner.is_paused {
        None => return Err("GitLab does not say whether it is paused".to_owned()),
        Some(true) => PAUSED,
        Some(false) => AT_WORK,
    };
    match (verb, status) {
        (Verb::Pause, AT_WORK) | (Verb::Resume, PAUSED) => {
            Ok(Shown { name: runner.description.clone(), status, about: runner.class() })
        }
        (Verb::Pause | Verb::Resume, _) => Err(format!("is {status} already")),
        _ => Err(misplaced(verb)),
    }
}

fn node(world: &World, verb: Verb, wanted: &InCluster) -> Result<Shown, String> {
    let node: &Node =
        world.fleet.objects.node(&wanted.name).filter(|node| node.uid.0 == wanted.uid).ok_or("no longer there")?;
    let status = if node.is_cordoned { CORDONED } else { SCHEDULABLE };
    match (verb, status) {
        (Verb::Cordon, SCHEDULABLE) | (Verb::Uncordon, CORDONED) => {
            Ok(Shown { name: node.name.clone(), status, about: node.pool().cloned().unwrap_or_default() })
        }
        (Verb::Cordon | Verb::Uncordon, _) => Err(format!("is {status} already")),
        _ => Err(misplaced(verb)),
    }
}

fn pod(world: &World, verb: Verb, wanted: &InCluster, now: Timestamp) -> Result<Shown, String> {
    if verb != Verb::Delete {
        return Err(misplaced(verb));
    }
    let pod: &Pod = world.fleet.objects.pod(&crate::fleet::Uid(wanted.uid.clone())).ok_or("no longer there")?;
    if pod.namespace != world.fleet.rules.namespace || !pod.is_job {
        return Err("is no pod of a job; others are never deleted from here".to_owned());
    }
    if pod.deleted.is_some() {
        return Err("is being deleted already".to_owned());
    }
    let id = pod.says.job.filter(|_| !pod.says.has_two_jobs).ok_or("does not say whose pod it is")?;
    let job = world.job(id).ok_or_else(|| format!("its job {id} is not known here; open its pipeline first"))?;
    let server_now = world.server_time(now);
    let about = match world.fleet.stillness_of(pod, server_now) {
        _ if job.status.is_terminal() => format!("job {id} {}", job.status),
        Stuck::Stuck(still) => {
            let since = short(server_now.since(still.since));
            format!("job {id} {} and will fail; no CPU, memory or bytes for {since}", job.status)
        }
        Stuck::Unknown => {
            return Err(format!(
                "its job {id} is {}, and whether it hangs is not known; cancel it instead",
                job.status
            ));
        }
        Stuck::Active | Stuck::Quiet(_) => {
            return Err(format!("its job {id} is {} and does not hang; cancel or wait for it instead", job.status));
        }
    };
    Ok(Shown { name: pod.name.clone(), status: pod.phase.word(), about: about.into() })
}

fn alert(world: &World, verb: Verb, silence: &Silence, now: Timestamp) -> Result<Shown, String> {
    if verb != Verb::Silence {
        return Err(misplaced(verb));
    }
    if silence.until.since(now) > LONGEST_SILENCE {
        return Err(format!("may be silenced for {} at most", short(LONGEST_SILENCE)));
    }
    let told = world.fleet.told.iter().find(|told| told.fingerprint == silence.fingerprint).ok_or("no longer fires")?;
    if !told.silenced_by.is_empty() {
        return Err("is silenced already".to_owned());
    }
    let about = format!("until {}: {}", silence.until, silence.why).into();
    let subject = Alarm::Told(told).subject().to_owned();
    Ok(Shown { name: format!("{} {subject}", told.name).trim_end().into(), status: FIRING, about })
}

/// `3 jobs run there and go on`
fn go_on(count: u64, noun: &str) -> String {
    format!("{} {}", plural(count, noun), if count == 1 { "runs there and goes on" } else { "run there and go on" })
}

const fn runner_of(object: &Object) -> Option<RunnerId> {
    match object {
        Object::Runner(id) => Some(*id),
        _ => None,
    }
}

/// Why what would be acted on is not known well enough now, if so. Every target is read again before anything is sent.
fn unknown_now(world: &World, verb: Verb, now: Timestamp) -> Option<String> {
    let source = match verb {
        Verb::Pause | Verb::Resume => Source::Runners,
        Verb::Cordon | Verb::Uncordon => Source::Nodes,
        Verb::Delete => Source::Pods,
        Verb::Silence => Source::Alerts,
        Verb::Retry | Verb::Cancel | Verb::Play | Verb::RetryPipeline | Verb::Resync => return None,
    };
    let word = source.word();
    match world.fleet.sources.get(&source)?.freshness(source, now) {
        Freshness::Live(_) | Freshness::Partial => None,
        Freshness::Loading | Freshness::Failed => Some(format!("{word} are not known yet")),
        Freshness::Stale(age) => Some(format!("what is known of {word} is {} old", short(age))),
    }
}

impl Draft {
    /// Holds a plan for the fleet to its limits, and says what else it does; what must be typed, if anything must.
    fn guard_fleet(&mut self, world: &World, verb: Verb, now: Timestamp) -> Option<String> {
        let count = self.targets.len();
        match verb {
            Verb::Pause => {
                let paused: BTreeSet<RunnerId> =
                    self.targets.iter().filter_map(|target| runner_of(&target.object)).collect();
                let running = world.running_by_runner();
                let jobs: u64 = paused.iter().filter_map(|id| running.get(id)).sum();
                if jobs > 0 {
                    self.notes.push(go_on(jobs, "job"));
                }
                let Some(queues) = world.queues(now) else {
                    self.notes.push("whether others take the jobs that wait is not known".to_owned());
                    return Some(format!("pause {count} anyway"));
                };
                let left = orphaned_by_pause(&world.fleet.objects, &queues, &paused);
                for queue in left.iter().filter_map(|at| queues.get(*at)) {
                    let tags: Vec<&str> = queue.tags.iter().map(|tag| &**tag).collect();
                    self.notes.push(format!("no runner would be left for jobs with the tags {}", tags.join(" ")));
                }
                (!left.is_empty()).then(|| format!("pause {count} anyway"))
            }
            Verb::Cordon => {
                let pods = |target: &Target| world.fleet.objects.pods_on(&target.name).filter(|pod| pod.is_job).count();
                let pods: usize = self.targets.iter().map(pods).sum();
                if pods > 0 {
                    self.notes.push(go_on(pods as u64, "pod"));
                }
                self.notes
                    .push("Karpenter does not remove a closed node before it is empty; open it again later".to_owned());
                None
            }
            Verb::Delete => {
                let sent = world.actions.sent();
                let lately =
                    sent.filter(|(at, object)| matches!(object, Object::Pod(_)) && now.since(*at) < HOUR).count();
                let room = PODS_AT_ONCE.min(PODS_AN_HOUR.saturating_sub(lately));
                for target in self.targets.split_off(count.min(room)) {
                    let reason = format!("no more than {PODS_AT_ONCE} pods at once, and {PODS_AN_HOUR} an hour");
                    self.skip(target.object, target.name, reason);
                }
                match self.targets.as_slice() {
                    [] => None,
                    [one] => {
                        let Object::Pod(pod) = &one.object else { return None };
                        let pod = world.fleet.objects.pod(&crate::fleet::Uid(pod.uid.clone()))?;
                        pod.says.job.map(|job| job.to_string())
                    }
                    many => Some(format!("delete {}", many.len())),
                }
            }
            _ => None,
        }
    }
}

impl World {
    /// Nodes that were closed from here and are still closed, with how long they are.
    pub fn our_cordons(&self, now: Timestamp) -> Vec<(&Node, Duration)> {
        let server_now = self.server_time(now);
        let mut seen = BTreeSet::new();
        let rows = self.audit.value.iter().filter(|row| row.state == AuditState::Done);
        let mut closed = Vec::new();
        // The newest row about a node counts.
        for row in rows {
            for target in &row.detail.targets {
                let Object::Node(wanted) = &target.object else { continue };
                if !seen.insert(&wanted.uid) || &*row.action != Verb::Cordon.action() {
                    continue;
                }
                let node = self.fleet.objects.node(&wanted.name);
                let node = node.filter(|node| node.uid.0 == wanted.uid && node.is_cordoned);
                closed.extend(node.map(|node| (node, server_now.since(row.at))));
            }
        }
        closed
    }
}
