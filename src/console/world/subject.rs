//! How the filter reads a job.

use super::{PipelineFacts, World};
use crate::ci::{Job, SpecName, Status, Timestamp};
use crate::console::filter::{Field, Subject, Value};
use crate::taxonomy::Failure;

/// A job together with what is known around it.
pub struct JobSubject<'a> {
    world: &'a World,
    job: &'a Job,
    home: Option<&'a PipelineFacts>,
    server_now: Timestamp,
}

impl World {
    /// Dresses a job for the filter.
    pub fn subject<'a>(&'a self, job: &'a Job, now: Timestamp) -> JobSubject<'a> {
        JobSubject { world: self, job, home: self.home(job.id), server_now: self.server_time(now) }
    }
}

impl JobSubject<'_> {
    /// What the verdict over a failed job tells.
    fn judged(&self, tell: impl Fn(&Failure) -> Option<&str>) -> Value<'_> {
        match self.world.failures.get(self.job.id) {
            Some(failure) => tell(failure).map_or(Value::Absent, Value::Text),
            None if self.job.status == Status::Failed => Value::Unknown,
            None => Value::Absent,
        }
    }
}

impl Subject for JobSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.job.name);
        visit(self.world.state(self.job).name());
        if let Some(home) = self.home {
            visit(home.title());
        }
        if let Some(cause) = self.world.cause(self.job) {
            visit(cause);
        }
        if let Some(runner) = &self.job.runner {
            visit(&runner.description);
        }
    }

    fn field(&self, field: Field) -> Value<'_> {
        let job = self.job;
        let spec = || SpecName::parse(&job.name);
        match field {
            Field::State => Value::State(self.world.state(job)),
            Field::Stage => Value::Text(&job.stage),
            Field::Stack => self.home.map_or(Value::Unknown, |f| match &f.pipeline.stack {
                Some(stack) => Value::Text(stack),
                None => Value::Absent,
            }),
            Field::Pkg => spec().map_or(Value::Absent, |s| Value::Text(s.package)),
            Field::Hash => spec().map_or(Value::Absent, |s| Value::Text(s.hash)),
            Field::Spec => spec().map_or(Value::Absent, |_| Value::Text(&job.name)),
            Field::Ref => self.home.map_or(Value::Unknown, |f| Value::Text(&f.pipeline.git_ref)),
            Field::Pr => self.home.map_or(Value::Unknown, |f| {
                f.pipeline.pull_request().map_or(Value::Absent, |n| Value::Number(n as f64))
            }),
            Field::Author => self.home.map_or(Value::Unknown, |f| match &f.pipeline.user {
                Some(user) => Value::Text(user),
                None => Value::Unknown,
            }),
            Field::Runner => match &job.runner {
                Some(runner) => Value::Text(&runner.description),
                None if job.started_at.is_none() => Value::Absent,
                None => Value::Unknown,
            },
            Field::Tag if job.tags.is_empty() => Value::Unknown,
            Field::Tag => Value::Many(&job.tags),
            Field::Cause if job.status == Status::Failed => self.world.cause(job).map_or(Value::Unknown, Value::Text),
            Field::Cause => Value::Absent,
            Field::Age => job.created_at.map_or(Value::Unknown, Value::Time),
            Field::Dur => job.run_time(self.server_now).map_or(Value::Absent, Value::Length),
            Field::Wait => job.wait_time(self.server_now).map_or(Value::Unknown, Value::Length),
            Field::Tries => Value::Number(f64::from(self.world.tries(job))),
            Field::Blocks => self.home.and_then(|f| f.blocks(job)).map_or(Value::Unknown, |n| Value::Number(n as f64)),
            Field::Since => {
                let since = job.finished_at.or(job.started_at).or(job.queued_at).or(job.created_at);
                since.map_or(Value::Unknown, Value::Time)
            }
            Field::Sig => self.judged(|failure| failure.fingerprint.as_deref()),
            Field::Node => self.judged(|failure| failure.host.as_deref()),
            Field::Class => self.judged(|failure| Some(failure.owner.as_str())),
            Field::Compiler => self.judged(|failure| failure.compiler.as_deref()),
            // Its room is still to come; until then nobody knows.
            Field::Size => Value::Unknown,
        }
    }
}
