//! `stackhand watch`: one line per change, words instead of glyphs, no escapes. For screen readers, pipes and plain terminals; it is also what the
//! console falls back to where there is no screen.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::args::length;
use super::assemble::Setup;
use super::exit::Failure;
use super::out::Out;
use super::session::{Replica, Session, Turn};
use super::shape::counts_words;
use crate::ci::{JobId, PipelineId, Status};
use crate::console::event::Event;
use crate::console::filter::Filter;
use crate::console::fresh::Completeness;
use crate::console::state::JobState;
use crate::console::text::plural;

/// What can be asked for.
#[derive(Debug, Default, clap::Args)]
pub struct Ask {
    /// Tells only of jobs that pass.
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Ends after this time.
    #[arg(long = "for", value_name = "TIME", value_parser = length)]
    length: Option<Duration>,
    /// How many of the newest parent pipelines are read.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: Option<u32>,
}

/// Tells of changes until a signal comes, or the time is over.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<(), Failure> {
    let filter = Filter::parse(ask.filter.as_deref().unwrap_or_default())?;
    let mut session = Session::open(setup)?;
    let mode = setup.rules.read_only.clone().unwrap_or_else(|| "may act".to_owned());
    let mut teller = Teller { out: setup.out, filter, followed: setup.poll.followed, ..Teller::default() };
    let begun = setup.out.line(&format!("{}  {mode}", setup.project));
    let ended = match begun {
        Ok(()) => follow(&mut session, &mut teller, ask.length.map(|length| Instant::now() + length)).await,
        Err(failure) => Err(failure),
    };
    session.close().await;
    ended
}

async fn follow(session: &mut Session, teller: &mut Teller, deadline: Option<Instant>) -> Result<(), Failure> {
    loop {
        match session.next(deadline).await? {
            Turn::Event(stamped) => {
                let touched = Touched::by(&stamped.event);
                session.replica.take(*stamped);
                teller.tell(&session.replica, &touched)?;
            }
            Turn::Stopped | Turn::Late => return Ok(()),
        }
    }
}

/// What an event may have changed.
#[derive(Default)]
struct Touched {
    pipelines: Vec<PipelineId>,
    jobs: Vec<JobId>,
    /// All jobs of this pipeline are known now.
    listed: Option<PipelineId>,
    messages: bool,
}

impl Touched {
    fn by(event: &Event) -> Self {
        let mut touched = Self::default();
        match event {
            Event::PipelinesFetched { rows, .. } => touched.pipelines = rows.iter().map(|row| row.id).collect(),
            Event::TriggerJobsFetched { jobs, children, .. } => {
                touched.pipelines = children.iter().map(|child| child.id).collect();
                touched.jobs = jobs.iter().map(|job| job.id).collect();
            }
            Event::JobsFetched { jobs, .. } => touched.jobs = jobs.iter().map(|job| job.id).collect(),
            Event::JobsListed { pipeline, .. } => touched.listed = Some(*pipeline),
            Event::Said { .. } | Event::Fetched { result: Err(_), .. } | Event::AuditStored { .. } => {
                touched.messages = true;
            }
            _ => {}
        }
        touched
    }
}

/// What was told already.
#[derive(Default)]
struct Teller {
    out: Out,
    filter: Filter,
    followed: usize,
    statuses: HashMap<PipelineId, Status>,
    /// Pipelines whose jobs were summed up once; from then on each change is a line.
    summed: HashSet<PipelineId>,
    states: HashMap<JobId, JobState>,
}

impl Teller {
    fn tell(&mut self, replica: &Replica, touched: &Touched) -> Result<(), Failure> {
        if !touched.pipelines.is_empty() {
            let followed: HashSet<PipelineId> = replica.world.followed(self.followed).map(|f| f.pipeline.id).collect();
            for id in touched.pipelines.iter().filter(|id| followed.contains(id)) {
                self.tell_pipeline(replica, *id)?;
            }
        }
        for id in &touched.jobs {
            self.tell_job(replica, *id)?;
        }
        if let Some(facts) = touched.listed.and_then(|id| replica.world.pipeline(id))
            && self.summed.insert(facts.pipeline.id)
        {
            let counts = facts.jobs.value.counts();
            let words = counts_words(counts, Completeness::Whole, self.out.at_least());
            let jobs = plural(counts.total() as u64, "job");
            self.say(replica, &format!("pipeline {} {}: {jobs}: {words}", facts.pipeline.id, facts.title()))?;
        }
        if touched.messages
            && let Some(message) =
                replica.world.messages.iter().next().filter(|m| m.last == replica.now && m.times == 1)
        {
            self.say(replica, &message.text)?;
        }
        Ok(())
    }

    fn tell_pipeline(&mut self, replica: &Replica, id: PipelineId) -> Result<(), Failure> {
        let Some(facts) = replica.world.pipeline(id) else { return Ok(()) };
        let status = facts.pipeline.status;
        match self.statuses.insert(id, status) {
            Some(before) if before == status => Ok(()),
            Some(before) => self.say(replica, &format!("pipeline {id} {}: {before} → {status}", facts.title())),
            None => self.say(replica, &format!("pipeline {id} {}: {status}", facts.title())),
        }
    }

    fn tell_job(&mut self, replica: &Replica, id: JobId) -> Result<(), Failure> {
        let world = &replica.world;
        let Some(job) = world.job(id).filter(|job| !job.retried) else { return Ok(()) };
        let state = world.state(job);
        let is_news = self.states.insert(id, state) != Some(state) && self.summed.contains(&job.pipeline);
        if !is_news || !self.filter.matches(&world.subject(job, replica.now), replica.server_now()) {
            return Ok(());
        }
        let place = world.home(id).map_or("", |facts| facts.title());
        let cause = world.cause(job).map(|cause| format!(" ({cause})")).unwrap_or_default();
        self.say(replica, &format!("{:<4} {place} {} job {id}{cause}", state.word(), job.name))
    }

    fn say(&self, replica: &Replica, text: &str) -> Result<(), Failure> {
        self.out.line(&format!("{} {text}", replica.server_now().clock()))
    }
}
