//! `stackhand pipelines`: the newest parent pipelines and their trouble, as a table or as JSON ([`SHAPE`]).

use serde_json::{Value as Json, json};

use super::args::Reach;
use super::assemble::Setup;
use super::exit::Failure;
use super::out::{self, Out};
use super::session::{Replica, Session, Wish};
use super::shape::{self, Knowledge};
use crate::ci::{Timestamp, short};
use crate::console::filter::{Field, Filter, Subject, Value};
use crate::console::fresh::Completeness;
use crate::console::state::{Counts, JobState};
use crate::console::world::PipelineFacts;

/// What `--json` prints.
pub const SHAPE: &str = "\
JSON `stackhand.pipelines/1`: `version`, `project`, `at`, `complete`, `errors`, `pipelines` [{`id`, `iid`, `ref`, `pull_request`, `sha`, `status` (as \
GitLab says it), `source`, `user`, `created_at`, `age_seconds`, `seconds`, `web_url`, `stacks` (children known), `jobs` {`total`, `complete`, one \
count per state}, `blocked`}], the newest first. Jobs of pipelines that are over and good are not read. What is not known is null.";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Shows only those that pass: `state:running author:amy age<2h`.
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// Lists pipelines.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<(), Failure> {
    let filter = Filter::parse(ask.filter.as_deref().unwrap_or_default())?;
    let mut session = Session::open(setup)?;
    let wish = Wish { followed: setup.poll.followed, ..Wish::default() };
    let known = Knowledge::gather(&mut session, wish, ask.reach.within).await?;
    let replica = &session.replica;
    let server_now = replica.server_now();
    let rows: Vec<Row> = replica
        .world
        .parents()
        .take(setup.poll.followed)
        .map(|facts| Row::of(replica, facts))
        .filter(|row| filter.matches(row, server_now))
        .collect();
    if ask.json {
        out::json(&json!({
            "version": "stackhand.pipelines/1",
            "project": setup.project,
            "at": server_now,
            "complete": known.is_complete,
            "errors": known.errors(),
            "pipelines": rows.iter().map(|row| row.json(server_now)).collect::<Vec<_>>(),
        }))?;
    } else {
        let cells: Vec<_> = rows.iter().map(|row| row.cells(server_now, setup.out)).collect();
        setup.out.table(&["ID", "STATUS", "AGE", "STACKS", "REF", "AUTHOR", "JOBS"], &cells)?;
        known.tell(setup.out);
    }
    session.close().await;
    Ok(())
}

struct Row<'a> {
    facts: &'a PipelineFacts,
    counts: Counts,
    completeness: Completeness,
    blocked: Option<usize>,
}

impl<'a> Row<'a> {
    fn of(replica: &Replica, facts: &'a PipelineFacts) -> Self {
        let world = &replica.world;
        let id = facts.pipeline.id;
        let mut graphs = world.tree(id).filter(|f| f.pipeline.parent.is_some()).map(PipelineFacts::blocked);
        let blocked = graphs.try_fold(0, |sum, blocked| Some(sum + blocked?));
        Self {
            facts,
            counts: world.tree_counts(id),
            completeness: replica.completeness(id),
            // Without a child there is no graph to know.
            blocked: blocked.filter(|_| !facts.children.is_empty()),
        }
    }

    fn json(&self, server_now: Timestamp) -> Json {
        let pipeline = &self.facts.pipeline;
        json!({
            "id": pipeline.id,
            "iid": pipeline.iid,
            "ref": pipeline.git_ref,
            "pull_request": pipeline.pull_request(),
            "sha": pipeline.sha,
            "status": pipeline.status,
            "source": pipeline.source,
            "user": pipeline.user,
            "created_at": pipeline.created_at,
            "age_seconds": self.facts.age(server_now).map(|age| age.as_secs()),
            "seconds": pipeline.duration.map(|length| length.as_secs()),
            "web_url": pipeline.web_url,
            "stacks": Some(self.facts.children.len()).filter(|_| self.completeness != Completeness::Unknown),
            "jobs": shape::counts(&self.counts, self.completeness),
            "blocked": self.blocked,
        })
    }

    fn cells(&self, server_now: Timestamp, out: Out) -> Vec<String> {
        let pipeline = &self.facts.pipeline;
        let unknown = || "?".to_owned();
        vec![
            pipeline.id.to_string(),
            pipeline.status.to_string(),
            self.facts.age(server_now).map_or_else(unknown, short),
            match self.completeness {
                Completeness::Unknown => unknown(),
                _ => self.facts.children.len().to_string(),
            },
            pipeline.git_ref.to_string(),
            pipeline.user.as_deref().unwrap_or("?").to_owned(),
            shape::counts_words(&self.counts, self.completeness, out.at_least()),
        ]
    }
}

impl Subject for Row<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        let pipeline = &self.facts.pipeline;
        visit(&pipeline.git_ref);
        visit(pipeline.status.as_str());
        for text in [&pipeline.name, &pipeline.user].into_iter().flatten() {
            visit(text);
        }
    }

    fn field(&self, field: Field) -> Value<'_> {
        let pipeline = &self.facts.pipeline;
        let moment = |at: Option<Timestamp>| at.map_or(Value::Unknown, Value::Time);
        match field {
            Field::State => Value::State(JobState::of(pipeline.status, false, false)),
            Field::Ref => Value::Text(&pipeline.git_ref),
            Field::Pr => pipeline.pull_request().map_or(Value::Absent, |n| Value::Number(n as f64)),
            Field::Author => pipeline.user.as_deref().map_or(Value::Unknown, Value::Text),
            Field::Age => moment(pipeline.created_at),
            Field::Since => moment(pipeline.finished_at.or(pipeline.started_at).or(pipeline.created_at)),
            Field::Dur => pipeline.duration.map_or(Value::Unknown, Value::Length),
            Field::Blocks => self.blocked.map_or(Value::Unknown, |n| Value::Number(n as f64)),
            // A parent has no stack, no package and no runner of its own.
            _ => Value::Absent,
        }
    }
}
