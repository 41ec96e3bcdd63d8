//! `stackhand status`: what is wrong now, in a few lines, in one line, or as JSON ([`SHAPE`]).

use std::fmt::Write;

use serde_json::json;

use super::args::Reach;
use super::assemble::Setup;
use super::exit::Failure;
use super::out::{self, Out};
use super::session::{Replica, Session, Wish};
use super::shape::{self, Knowledge};
use crate::ci::{PipelineId, Status, short};
use crate::console::fresh::Completeness;
use crate::console::state::JobState;
use crate::console::text::plural;

/// What `--json` prints.
pub const SHAPE: &str = "\
JSON `stackhand.status/1`: `version`, `project`, `at` (server time), `complete` (everything was read), `read_only` (why nothing may be changed, or \
null), `pipelines` {`followed`, `alive`, `failed`}, `jobs` {`total`, `complete`, one count per state} of pipelines that run or failed, `blocked` (jobs that wait for failed ones, as \
far as the graphs are known), `causes` [{`cause`, `jobs`, `blocks`, `blocks_complete`, `since`, `where`}], `requests`, `errors` [{`kind`, `what`, \
`detail`}]. What is not known is null.";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Prints JSON.
    #[arg(long, conflicts_with = "oneline")]
    json: bool,
    /// Prints one line, for prompts and status bars.
    #[arg(long)]
    oneline: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// Reads the followed pipelines and says what is wrong.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<(), Failure> {
    let mut session = Session::open(setup)?;
    let wish = Wish { followed: setup.poll.followed, reasons: !ask.oneline, ..Wish::default() };
    let known = Knowledge::gather(&mut session, wish, ask.reach.within).await?;
    let report = Report::of(&session.replica, setup.poll.followed, known.is_complete);
    if ask.json {
        report.json(&known)?;
    } else if ask.oneline {
        report.oneline(setup.out)?;
    } else {
        report.text(setup.out)?;
        known.tell(setup.out);
    }
    session.close().await;
    Ok(())
}

struct Report<'a> {
    replica: &'a Replica,
    roots: Vec<PipelineId>,
    jobs: Completeness,
    is_complete: bool,
}

impl<'a> Report<'a> {
    fn of(replica: &'a Replica, followed: usize, is_complete: bool) -> Self {
        let roots: Vec<_> = replica.world.parents().take(followed).map(|facts| facts.pipeline.id).collect();
        // What is over and good is not read; that is no gap in what is wrong.
        let read = |id: &PipelineId| replica.completeness(*id) != Completeness::Unknown;
        let jobs = if is_complete {
            Completeness::Whole
        } else {
            shape::overall(replica, roots.iter().copied().filter(read)).min(Completeness::Partial)
        };
        Self { replica, roots, jobs, is_complete }
    }

    fn with_status(&self, fits: impl Fn(Status) -> bool) -> usize {
        let world = &self.replica.world;
        self.roots.iter().filter_map(|id| world.pipeline(*id)).filter(|facts| fits(facts.pipeline.status)).count()
    }

    fn blocked(&self) -> usize {
        self.roots.iter().map(|root| self.replica.world.blocked(*root)).sum()
    }

    fn json(&self, known: &Knowledge) -> Result<(), Failure> {
        let world = &self.replica.world;
        let causes: Vec<_> = world
            .causes()
            .into_iter()
            .map(|row| {
                json!({
                    "cause": row.cause,
                    "jobs": row.jobs,
                    "blocks": row.blocks,
                    "blocks_complete": !row.graph_unknown,
                    "since": row.first,
                    "where": Some(row.place()).filter(|place| !place.is_empty()),
                })
            })
            .collect();
        out::json(&json!({
            "version": "stackhand.status/1",
            "project": world.project,
            "at": self.replica.server_now(),
            "complete": self.is_complete,
            "read_only": world.read_only(self.replica.now),
            "pipelines": {
                "followed": self.roots.len(),
                "alive": self.with_status(Status::is_alive),
                "failed": self.with_status(|status| status == Status::Failed),
            },
            "jobs": shape::counts(world.counts(), self.jobs),
            "blocked": self.blocked(),
            "causes": causes,
            "requests": world.server.requests,
            "errors": known.errors(),
        }))
    }

    fn oneline(&self, out: Out) -> Result<(), Failure> {
        let world = &self.replica.world;
        let counts = world.counts();
        let mut line = format!("{}:", world.project);
        let shown = [JobState::Fail, JobState::Warn, JobState::Run, JobState::Wait, JobState::Blocked, JobState::Ok];
        for state in shown {
            let count = match self.jobs {
                Completeness::Unknown => "?".to_owned(),
                Completeness::Partial => format!("{}{}", out.at_least(), counts.get(state)),
                Completeness::Whole => counts.get(state).to_string(),
            };
            // Writing to a string cannot fail.
            let _ = write!(line, " {} {count}", state.word());
        }
        out.line(&format!("{line}, {} alive", plural(self.with_status(Status::is_alive) as u64, "pipeline")))
    }

    fn text(&self, out: Out) -> Result<(), Failure> {
        let world = &self.replica.world;
        let mode = world.read_only(self.replica.now).unwrap_or_else(|| "may act".to_owned());
        out.line(&format!("{}  {mode}", world.project))?;
        out.line(&format!(
            "pipelines  {} followed, {} alive, {} failed",
            self.roots.len(),
            self.with_status(Status::is_alive),
            self.with_status(|status| status == Status::Failed),
        ))?;
        out.line(&format!("jobs       {}", shape::counts_words(world.counts(), self.jobs, out.at_least())))?;
        let rows: Vec<Vec<String>> = world
            .causes()
            .into_iter()
            .map(|row| {
                let blocks = match (row.graph_unknown, row.blocks) {
                    (true, 0) => "?".to_owned(),
                    (true, n) => format!("{}{n}", out.at_least()),
                    (false, n) => n.to_string(),
                };
                let since = row.first.map(|at| short(self.replica.server_now().since(at)));
                let since = since.unwrap_or_else(|| "?".to_owned());
                vec![row.jobs.to_string(), blocks, since, row.cause.to_string(), row.place()]
            })
            .collect();
        if rows.is_empty() {
            return out.line(if self.is_complete { "no failed jobs" } else { "no failed jobs known yet" });
        }
        out.line("")?;
        out.table(&["JOBS", "BLOCKS", "SINCE", "CAUSE", "WHERE"], &rows)
    }
}
