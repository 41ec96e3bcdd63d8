//! How the filter reads rows of the fleet.

use std::sync::Arc;

use super::FleetFacts;
use crate::ci::Timestamp;
use crate::console::filter::{Field, Subject, Value};
use crate::console::state::JobState;
use crate::fleet::{Node, NodeTrouble, Pending, Pod, PodState, Runner};

/// The state in which a pod is shown.
pub fn pod_state(pod: &Pod, now: Timestamp) -> JobState {
    match PodState::of(pod, now) {
        PodState::Running => JobState::Run,
        PodState::Succeeded => JobState::Ok,
        PodState::OutOfMemory | PodState::Ended { .. } | PodState::Failed | PodState::Lost { .. } => JobState::Fail,
        PodState::Terminating { .. } | PodState::Disrupted { .. } => JobState::Cancel,
        PodState::Waiting { reason } if matches!(&*reason, "ContainerCreating" | "PodInitializing") => JobState::Wait,
        PodState::Waiting { .. } | PodState::Unschedulable => JobState::Warn,
        PodState::Scheduled | PodState::Pending => JobState::Wait,
        PodState::Unknown => JobState::Unknown,
    }
}

/// The state in which a node is shown.
pub fn node_state(node: &Node, now: Timestamp) -> JobState {
    match node.troubles(now).first() {
        None => JobState::Ok,
        Some(NodeTrouble::Unreachable | NodeTrouble::NotReady | NodeTrouble::Pressure(_)) => JobState::Fail,
        Some(NodeTrouble::Unheard) => JobState::Unknown,
        Some(_) => JobState::Warn,
    }
}

/// A pod.
pub struct PodSubject<'a> {
    pub facts: &'a FleetFacts,
    pub pod: &'a Pod,
    pub server_now: Timestamp,
    /// Why it is pending, in words; worked out by whoever asks, so that it is asked for once.
    pub pending: Option<&'a Pending>,
}

/// A node.
pub struct NodeSubject<'a> {
    pub node: &'a Node,
    pub server_now: Timestamp,
}

/// A runner, by the name that pods give it where no list has it.
pub struct RunnerSubject<'a> {
    pub name: &'a str,
    pub runner: Option<&'a Runner>,
    tags: Vec<Arc<str>>,
}

impl<'a> RunnerSubject<'a> {
    pub fn new(name: &'a str, runner: Option<&'a Runner>) -> Self {
        let tags = runner.and_then(|runner| runner.tags.as_ref()).into_iter().flatten().cloned().collect();
        Self { name, runner, tags }
    }
}

fn text<T: AsRef<str> + ?Sized>(text: Option<&T>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Text(text.as_ref()))
}

impl Subject for PodSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        let says = &self.pod.says;
        visit(&self.pod.name);
        for word in [says.job_name.as_deref(), says.runner.as_deref(), self.pod.node.as_deref()].into_iter().flatten() {
            visit(word);
        }
        for said in [&says.package, &says.stack].into_iter().flatten() {
            visit(&said.value);
        }
        if let Some(pending) = self.pending {
            visit(&pending.words);
        }
    }

    fn field(&self, field: Field) -> Value<'_> {
        let says = &self.pod.says;
        match field {
            Field::State => Value::State(pod_state(self.pod, self.server_now)),
            Field::Stage => text(says.stage.as_ref().map(|said| &*said.value)),
            Field::Stack => text(says.stack.as_ref().map(|said| &*said.value)),
            Field::Pkg => text(says.package.as_ref().map(|said| &*said.value)),
            Field::Hash => text(says.hash.as_deref()),
            Field::Spec => text(says.job_name.as_deref()),
            Field::Compiler => text(says.compiler.as_deref()),
            Field::Ref => text(says.git_ref.as_ref().map(|said| &*said.value)),
            Field::Runner => text(says.runner.as_deref()),
            Field::Node => text(self.pod.node.as_deref()),
            Field::Cause => text(self.pending.map(|pending| pending.class.word())),
            Field::Age => self.pod.created.map_or(Value::Unknown, Value::Time),
            Field::Since => self.pod.started.or(self.pod.created).map_or(Value::Unknown, Value::Time),
            Field::Dur => self.pod.run_time(self.server_now).map_or(Value::Absent, Value::Length),
            Field::Wait if self.pending.is_some() => {
                self.pod.created.map_or(Value::Unknown, |at| Value::Length(self.server_now.since(at)))
            }
            Field::Wait | Field::Author | Field::Tag | Field::Sig | Field::Size => Value::Absent,
            Field::Class => match self.pod.node.as_ref().and_then(|node| self.facts.objects.node(node)?.pool()) {
                Some(pool) => Value::Text(pool),
                None => Value::Absent,
            },
            Field::Pr | Field::Tries | Field::Blocks => Value::Unknown,
        }
    }
}

impl Subject for NodeSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.node.name);
        let words = [self.node.pool(), self.node.instance_type(), self.node.zone(), self.node.capacity_type()];
        words.into_iter().flatten().for_each(|word| visit(word));
        for trouble in self.node.troubles(self.server_now) {
            visit(&trouble.to_string());
        }
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::State => Value::State(node_state(self.node, self.server_now)),
            Field::Node => Value::Text(&self.node.name),
            Field::Class => text(self.node.pool()),
            Field::Age | Field::Since => self.node.created.map_or(Value::Unknown, Value::Time),
            _ => Value::Absent,
        }
    }
}

impl Subject for RunnerSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        visit(self.name);
        self.tags.iter().for_each(|tag| visit(tag));
        if let Some(runner) = self.runner {
            visit(runner.status.word());
            if runner.is_paused == Some(true) {
                visit("paused");
            }
        }
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::Runner => Value::Text(self.name),
            Field::Tag if self.tags.is_empty() => Value::Unknown,
            Field::Tag => Value::Many(&self.tags),
            Field::State => match self.runner.and_then(Runner::is_at_work) {
                Some(true) => Value::State(JobState::Ok),
                Some(false) => Value::State(JobState::Warn),
                None => Value::Unknown,
            },
            _ => Value::Absent,
        }
    }
}
