//! Why a job does not start, or why it stopped: one answer, what it rests on, and what to do.
//!
//! GitLab knows what a job needs and whether a runner took it; the cluster knows whether its pod runs, and on what. The answer is that of the
//! first thing that stands in the way. What is not known is said, and is no answer.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::fleet::{Source, System};
use super::text::{clean, plural};
use super::world::{Needs, World};
use crate::ci::{Job, JobId, JobKind, Status, Timestamp, precise, short};
use crate::fleet::{
    Forecast, Host, Interrupted, NoForecast, Pending, Place, PodState, Queue, Takers, Thresholds, forecast,
};
use crate::taxonomy::Transient;

/// What stands in the way, or stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Succeeded,
    Failed,
    Canceled,
    Skipped,
    /// Somebody has to start it.
    Manual,
    /// Jobs that it needs are not through.
    Needs,
    /// A job that it needs failed, directly or not; GitLab may have skipped it for that.
    Blocked,
    /// It waits for a runner.
    Queue,
    /// No runner will take it as things are.
    NoRunner,
    /// A runner took it, and its pod does not run.
    Pod,
    Running,
    /// What is known tells no reason.
    Unknown,
}

impl Answer {
    /// Its word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
            Self::Needs => "needs",
            Self::Blocked => "blocked",
            Self::Queue => "queue",
            Self::NoRunner => "no_runner",
            Self::Pod => "pod",
            Self::Running => "running",
            Self::Unknown => "unknown",
        }
    }
}

/// An answer about one job.
#[derive(Debug, Clone)]
pub struct Why<'a> {
    pub job: &'a Job,
    pub answer: Answer,
    /// The answer as a sentence without its full stop.
    pub words: String,
    /// What it rests on, a line each.
    pub facts: Vec<String>,
    /// What to do about it.
    pub advice: Option<String>,
    pub place: Place<'a>,
    pub pending: Option<Pending>,
    /// Until its runner takes it, if no jobs of other pipelines than those that were read wait before it.
    pub wait: Option<Forecast>,
}

/// Needs and places of a queue that are told by name.
const NAMED: usize = 5;

impl World {
    /// Why a job is as it is; `None` where the job is not known.
    pub fn why(&self, id: JobId, now: Timestamp) -> Option<Why<'_>> {
        let job = self.job(id)?;
        let place = self.place_of(job);
        let mut why = Why {
            job,
            answer: Answer::Unknown,
            words: String::new(),
            facts: Vec::new(),
            advice: None,
            place,
            pending: None,
            wait: None,
        };
        why.ask(self, now);
        why.tell_place(self, now);
        Some(why)
    }
}

impl Why<'_> {
    /// Whether runners, pods or nodes are what stands in the way, or what it runs on.
    pub const fn is_about_the_fleet(&self) -> bool {
        matches!(self.answer, Answer::Queue | Answer::NoRunner | Answer::Pod | Answer::Running)
    }

    fn is(&mut self, answer: Answer, words: impl Into<String>) {
        (self.answer, self.words) = (answer, words.into());
    }

    fn ask(&mut self, world: &World, now: Timestamp) {
        let server_now = world.server_time(now);
        let job = self.job;
        let took = job.run_time(server_now).map(precise);
        match job.status {
            Status::Success => {
                self.is(Answer::Succeeded, took.map_or("it succeeded".into(), |t| format!("it succeeded after {t}")));
            }
            Status::Failed => self.ask_failure(world, took),
            Status::Canceled => self.is(Answer::Canceled, "it was canceled"),
            Status::Canceling => self.is(Answer::Canceled, "it is being canceled, and still runs its clean-up"),
            Status::Skipped => {
                self.ask_needs(world);
                if self.answer != Answer::Blocked {
                    self.is(Answer::Skipped, "GitLab skipped it; none of what it needs is known to have failed");
                }
            }
            Status::Manual => {
                self.is(Answer::Manual, "it waits for somebody to start it");
                self.advice = Some(format!("stackhand play {}", job.id));
            }
            Status::Created => self.ask_needs(world),
            Status::Pending => self.ask_queue(world, now),
            Status::Running => self.ask_pod(world, server_now),
            Status::WaitingForResource => {
                self.is(Answer::Queue, "it waits for its resource group: another job holds it");
            }
            Status::Preparing => self.is(Answer::Queue, "GitLab prepares what it needs beside its runner"),
            Status::Scheduled => self.is(Answer::Queue, "it starts at its time"),
            other => self.is(Answer::Unknown, format!("GitLab calls it {other}, which says no reason")),
        }
    }

    fn ask_failure(&mut self, world: &World, took: Option<String>) {
        let after = took.map(|took| format!(" after {took}")).unwrap_or_default();
        let Some(failure) = world.failures.get(self.job.id) else {
            let reason = self.job.failure_reason.as_ref().map(|reason| format!(", GitLab says {}", reason.as_str()));
            self.is(Answer::Failed, format!("it failed{after}{}", reason.unwrap_or_default()));
            self.facts.push("its log was not judged yet".to_owned());
            self.advice = Some(format!("stackhand classify --job {}", self.job.id));
            return;
        };
        self.is(Answer::Failed, format!("it failed{after}: {} ({})", failure.class, failure.owner.as_str()));
        if let (Some(evidence), Some(line)) = (&failure.evidence, failure.line) {
            self.facts.push(format!("line {line}: {}", clean(evidence.trim())));
        }
        let rule = failure.rule.as_ref().and_then(|id| world.taxonomy.rules.iter().find(|rule| rule.id == *id));
        let retry = match failure.transient {
            Transient::Yes => Some(format!("stackhand retry {}", self.job.id)),
            Transient::Maybe | Transient::No | Transient::Unknown => None,
        };
        self.advice = rule.map(|rule| rule.runbook.clone()).or(retry);
    }

    fn ask_needs(&mut self, world: &World) {
        let home = world.home(self.job.id);
        let found =
            home.and_then(|home| home.needs.graph().and_then(|graph| Some((graph, graph.find(&self.job.name)?))));
        let Some((graph, ix)) = found else {
            let are_unread = home.is_none_or(|home| matches!(home.needs, Needs::Unknown));
            let words = if are_unread { "what it needs has not been read" } else { "its pipeline tells no needs" };
            return self.is(Answer::Unknown, words);
        };
        let open: Vec<_> = graph.needs(ix).filter(|need| !graph.state(*need).is_done()).collect();
        let roots = graph.failed_roots(ix);
        let list = |of: &[_]| -> String {
            let names: Vec<&str> = of.iter().take(NAMED).map(|at| &**graph.name(*at)).collect();
            let more = of.len().saturating_sub(NAMED);
            names.join(", ") + &(if more > 0 { format!(", and {more} more") } else { String::new() })
        };
        if !roots.is_empty() {
            self.is(
                Answer::Blocked,
                format!("{} that it needs failed: {}", plural(roots.len() as u64, "job"), list(&roots)),
            );
            let id = roots.first().and_then(|at| home?.jobs.value.iter().find(|job| job.name == *graph.name(*at)));
            self.advice = id.map(|root| format!("stackhand why {}", root.id));
        } else if open.is_empty() {
            self.is(Answer::Unknown, "all that it needs is done; GitLab has not queued it yet");
        } else {
            self.is(Answer::Needs, format!("it waits for {}: {}", plural(open.len() as u64, "job"), list(&open)));
        }
    }

    fn ask_queue(&mut self, world: &World, now: Timestamp) {
        let job = self.job;
        let server_now = world.server_time(now);
        let waited = job.wait_time(server_now).map(|wait| format!(" for {}", short(wait))).unwrap_or_default();
        let tags: Vec<&str> = job.tags.iter().map(|tag| &**tag).collect();
        let tags =
            if tags.is_empty() { "without tags".to_owned() } else { format!("with the tags {}", tags.join(" ")) };
        let queues = world.queues(now).unwrap_or_default();
        let Some(queue) = queues.iter().find(|queue| queue.waiting.contains(&job.id)) else {
            return self.is(Answer::Queue, format!("it waits{waited} for a runner {tags}"));
        };
        let names = |classes: &BTreeSet<_>| {
            classes.iter().map(|class: &std::sync::Arc<str>| &**class).collect::<Vec<_>>().join(", ")
        };
        match &queue.takers {
            Takers::Nobody => {
                self.is(
                    Answer::NoRunner,
                    format!("no runner takes jobs {tags} of this ref, and waiting will not change that"),
                );
                self.advice = Some(
                    "register a runner with these tags, or mend the tags in the stack's ci configuration".to_owned(),
                );
            }
            Takers::NoneAtWork(away) => {
                self.is(Answer::NoRunner, format!("no runner at work takes jobs {tags}; {} would", names(away)));
                self.advice = Some("resume it if it is paused, or ask whoever keeps it".to_owned());
            }
            Takers::Classes(classes) => {
                self.is(Answer::Queue, format!("it waits{waited} for a slot of {}", names(classes)));
                self.tell_queue(world, queue, classes, now);
            }
            Takers::Unknown => {
                self.is(Answer::Queue, format!("it waits{waited} for a runner {tags}"));
                self.facts.push("which runners would take it is not known".to_owned());
            }
        }
    }

    fn tell_queue(&mut self, world: &World, queue: &Queue, classes: &BTreeSet<std::sync::Arc<str>>, now: Timestamp) {
        let server_now = world.server_time(now);
        for class in world.runner_classes().iter().filter(|class| classes.contains(&class.name)) {
            let known = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
            // Outside of the cluster only jobs of pipelines that were read tell.
            let part = if class.host == Host::Cluster || class.running.is_none() { "" } else { "at least " };
            let (running, slots) = (known(class.running), known(class.slots));
            self.facts.push(format!("{}: {part}{running} of {slots} slots busy", class.name));
        }
        // Where GitLab orders them by id, those before it are served first.
        let ahead = queue.waiting.iter().filter(|other| **other < self.job.id).count() as u64;
        self.facts.push(format!(
            "of the pipelines that were read, {} with the same tags wait, {ahead} of them before it; others may wait as well",
            plural(queue.waiting.len() as u64, "job")
        ));
        if let (Some(median), Some(p95)) = (queue.median, queue.p95) {
            self.facts.push(format!(
                "in the last hour such jobs waited {}, at worst about {}",
                short(median),
                short(p95)
            ));
        }
        let starts = world.jobs().filter_map(|job| world.start_of(job));
        let starts: Vec<Timestamp> = starts
            .filter(|start| start.class.as_ref().is_some_and(|class| classes.contains(class)))
            .map(|start| start.at)
            .collect();
        let Some(since) = starts.iter().min().copied() else { return };
        match forecast(ahead + 1, &starts, since, &world.fleet.rules.thresholds, server_now) {
            Ok(wait) => {
                self.facts.push(format!(
                    "if no others wait: about {} more, between {} and {}, as fast as jobs started lately",
                    short(wait.likely),
                    short(wait.low),
                    short(wait.high)
                ));
                self.wait = Some(wait);
            }
            Err(NoForecast::TooFewStarts(starts)) => {
                self.facts.push(format!("how long still cannot be told: {} in 15m", plural(starts as u64, "start")));
            }
            Err(NoForecast::WatchedTooShort) => {
                self.facts.push("how long still cannot be told: starts are known for less than 15m".to_owned());
            }
        }
    }

    fn ask_pod(&mut self, world: &World, server_now: Timestamp) {
        let runs = self.job.run_time(server_now).map(precise).map(|t| format!(" for {t}")).unwrap_or_default();
        let runner = self.job.runner.as_ref().map(|runner| format!(" on {}", runner.description)).unwrap_or_default();
        let Some(pod) = self.place.pod.found().copied() else {
            return self.is(Answer::Running, format!("it runs{runs}{runner}"));
        };
        let thresholds: &Thresholds = &world.fleet.rules.thresholds;
        match Pending::of(&world.fleet.objects, pod, thresholds, server_now) {
            Some(pending) => {
                let left =
                    pending.countdown.map(|countdown| format!("; its runner waits, {}", countdown.text(server_now)));
                self.is(
                    Answer::Pod,
                    format!(
                        "a runner took it, and its pod does not run: {}{}",
                        pending.words,
                        left.unwrap_or_default()
                    ),
                );
                self.pending = Some(pending);
            }
            None => {
                let state = PodState::of(pod, server_now);
                if state == PodState::Running {
                    self.is(Answer::Running, format!("it runs{runs}{runner}"));
                } else {
                    self.is(Answer::Pod, format!("GitLab calls it running{runs}; its pod is {state}"));
                }
            }
        }
    }

    /// Where it stands, what is the matter there, and what is not known about that.
    fn tell_place(&mut self, world: &World, now: Timestamp) {
        let server_now = world.server_time(now);
        if self.job.kind == JobKind::Bridge
            || matches!(self.answer, Answer::Needs | Answer::Blocked | Answer::Manual | Answer::Skipped)
        {
            return;
        }
        if let Some(pod) = self.place.pod.found() {
            self.facts.push(format!("pod {} ({})", pod.name, PodState::of(pod, server_now)));
        }
        if let Some(node) = self.place.node.found() {
            let kind = [node.instance_type(), node.capacity_type(), node.zone()].into_iter().flatten();
            let kind: Vec<&str> = kind.map(|word| &**word).collect();
            self.facts.push(format!("node {} ({})", node.name, kind.join(", ")));
            for trouble in node.troubles(server_now) {
                self.facts.push(format!("the node is {trouble}"));
            }
        }
        if let Some(hit) = world.fleet.interruptions.timeline().find(|seen| hits(seen, self.job.id)) {
            let node = hit.node.as_deref().unwrap_or("its node");
            self.facts.push(format!("{} ago {node} was {}", short(server_now.since(hit.at)), hit.kind.words()));
        }
        if !world.fleet.is_configured(System::Kubernetes) {
            self.facts.push("no cluster is configured, so its pod is not known".to_owned());
            return;
        }
        let missing = self.place.missing().into_iter().filter(|(link, _)| !matches!(*link, "price" | "spec"));
        self.facts.extend(missing.map(|(link, gap)| format!("{link}: {gap}")));
        if let Some(age) = old(world, now) {
            self.facts.push(age);
        }
    }
}

fn hits(seen: &Interrupted, job: JobId) -> bool {
    seen.hits.values().any(|hit| hit.job == Some(job))
}

/// How old the cluster's facts are, if they are.
fn old(world: &World, now: Timestamp) -> Option<String> {
    use super::fresh::Freshness;
    let pods = world.fleet.sources.get(&Source::Pods)?;
    match pods.freshness(Source::Pods, now) {
        Freshness::Stale(age) => Some(format!("what is known of pods is {} old", short(age))),
        Freshness::Failed => Some("pods cannot be read".to_owned()),
        Freshness::Loading => Some("pods have not been read yet".to_owned()),
        Freshness::Live(_) | Freshness::Partial => None,
    }
}
