//! `stackhand jobs`: jobs that pass a filter, as a table or as JSON ([`SHAPE`]).

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::args::{Reach, pipeline_id};
use super::assemble::Setup;
use super::exit::Failure;
use super::find::Finder;
use super::out;
use super::session::{Replica, Session, Wish};
use super::shape::{self, Knowledge};
use crate::ci::{Job, PipelineId, precise};
use crate::console::effect::Focus;
use crate::console::filter::Filter;
use crate::console::text::plural;

/// What `--json` prints.
pub const SHAPE: &str = "\
JSON `stackhand.jobs/1`: `version`, `project`, `at`, `filter`, `complete`, `errors`, `jobs` [{`id`, `pipeline`, `stack`, `ref`, `name`, `stage`, \
`state` (fail, warn, unknown, cancel, run, wait, blocked, manual, skip, ok), `status` (as GitLab says it), `cause`, `runner`, `tags`, `tries` (as far \
as seen), `blocks`, `created_at`, `started_at`, `finished_at`, `seconds`, `wait_seconds`, `web_url`}], trouble first. What is not known is null.";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Shows only those that pass: `state:failed !cause:spot blocks>10`.
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Only jobs of this pipeline and its children.
    #[arg(long, value_name = "ID", value_parser = pipeline_id)]
    pipeline: Option<PipelineId>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// Lists jobs.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<(), Failure> {
    let filter = Filter::parse(ask.filter.as_deref().unwrap_or_default())?;
    let (mut session, wish) = open(setup, ask.pipeline).await?;
    let known = Knowledge::gather(&mut session, wish, ask.reach.within).await?;
    let replica = &session.replica;
    let mut jobs: Vec<&Job> = chosen(replica, ask.pipeline, &filter);
    jobs.sort_by_cached_key(|job| (replica.world.state(job), Reverse(blocks(replica, job)), Reverse(job.id)));
    if ask.json {
        out::json(&json!({
            "version": "stackhand.jobs/1",
            "project": setup.project,
            "at": replica.server_now(),
            "filter": filter.to_string(),
            "complete": known.is_complete,
            "errors": known.errors(),
            "jobs": jobs.into_iter().map(|job| describe(replica, job)).collect::<Vec<_>>(),
        }))?;
    } else {
        let rows: Vec<_> = jobs.iter().map(|job| cells(replica, job)).collect();
        setup.out.table(&["ID", "STATE", "STACK", "TIME", "BLOCKS", "CAUSE", "NAME"], &rows)?;
        setup.out.note(&plural(rows.len() as u64, "job"));
        known.tell(setup.out);
    }
    session.close().await;
    Ok(())
}

/// A session that reads the jobs of one pipeline's tree, or of all that are followed, with what filters ask about them.
pub async fn open(setup: &Setup, pipeline: Option<PipelineId>) -> Result<(Session, Wish), Failure> {
    let wish = Wish { root: pipeline, followed: setup.poll.followed, graphs: true, reasons: true };
    let Some(id) = pipeline else { return Ok((Session::open(setup)?, wish)) };
    let finder = Finder { gitlab: &setup.outside.gitlab, clock: &*setup.clock };
    let seeds = finder.pipeline(id).await.map_err(|fault| Failure::remote(&fault, setup.clock.now()))?;
    let session = Session::open_on(setup, &seeds)?;
    session.focus(Focus { pipeline: Some(id), ..Focus::default() }).await?;
    Ok((session, wish))
}

/// The newest tries that pass a filter, of one pipeline with its children or of all.
pub fn chosen<'a>(replica: &'a Replica, pipeline: Option<PipelineId>, filter: &Filter) -> Vec<&'a Job> {
    let world = &replica.world;
    let server_now = replica.server_now();
    // A trigger job that started its child is told by the child's jobs.
    let passes = |job: &&Job| job.downstream.is_none() && filter.matches(&world.subject(job, replica.now), server_now);
    match pipeline {
        Some(id) => world.jobs_of(id).filter(passes).collect(),
        None => world.jobs().filter(passes).collect(),
    }
}

fn blocks(replica: &Replica, job: &Job) -> Option<usize> {
    replica.world.home(job.id).and_then(|facts| facts.blocks(job))
}

fn describe(replica: &Replica, job: &Job) -> Value {
    let world = &replica.world;
    let server_now = replica.server_now();
    let home = world.home(job.id);
    json!({
        "id": job.id,
        "pipeline": job.pipeline,
        "stack": home.and_then(|facts| facts.pipeline.stack.as_deref()),
        "ref": home.map(|facts| &*facts.pipeline.git_ref),
        "name": job.name,
        "stage": job.stage,
        "state": shape::state(world.state(job)),
        "status": job.status,
        "cause": world.cause(job),
        "runner": job.runner.as_ref().map(|runner| &*runner.description),
        "tags": job.tags,
        "tries": world.tries(job),
        "blocks": blocks(replica, job),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": job.run_time(server_now).map(|length| length.as_secs()),
        "wait_seconds": job.wait_time(server_now).map(|length| length.as_secs()),
        "web_url": job.web_url,
    })
}

fn cells(replica: &Replica, job: &Job) -> Vec<String> {
    let world = &replica.world;
    let stack = world.home(job.id).and_then(|facts| facts.pipeline.stack.as_deref()).unwrap_or("-");
    vec![
        job.id.to_string(),
        world.state(job).word().to_owned(),
        stack.to_owned(),
        job.run_time(replica.server_now()).map_or_else(|| "-".to_owned(), precise),
        blocks(replica, job).map_or_else(|| "?".to_owned(), |n| n.to_string()),
        world.cause(job).unwrap_or("-").to_owned(),
        job.name.to_string(),
    ]
}
