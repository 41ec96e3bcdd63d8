//! `stackhand why`: why a job does not start, or why it stopped; with `pr`, what the bridge decided about a pull request.

mod pr;

use std::time::Duration;

use serde_json::{Value, json};

use super::args::job_id;
use super::assemble::Setup;
use super::exit::{Exit, Failure};
use super::find::Finder;
use super::out;
use super::session::{Replica, Session, Step, Wish};
use super::shape::Knowledge;
use crate::ci::JobId;
use crate::console::effect::Focus;
use crate::console::fleet::{Phase, SourceFacts};
use crate::console::why::Why;

/// What `--json` prints.
pub const SHAPE: &str = "\
Asks GitLab for the job and what it needs, and, where `[kubernetes]` is configured, the cluster for its pod.

JSON `stackhand.why/1`: `version`, `project`, `job`, `name`, `pipeline`, `status` (GitLab's word), `answer` (succeeded, failed, canceled, skipped, \
manual, needs, blocked, queue, no_runner, pod, running, unknown), `words` (the answer as a sentence), `facts` [what it rests on], `advice`, `pod` \
{`name`, `state`, `node`, `pending` {`class`, `words`, `deadline`, `left_s`}}, `wait` {`likely_s`, `low_s`, `high_s`}, `missing` [{`link`, `why`}], \
`complete`, `errors`. What is not known is null. `wait` counts the jobs of the pipelines that were read: others may stand before it. `left_s` is negative when the runner has given up.

With `pr`, JSON `stackhand.why-pr/1`: `pr`, `decisions` [{`bridge`, `at`, `head`, `verdict`, `reason`, `told`}, the newest first], `pushes` [{`bridge`, \
`head`, `base_ref`, `onto`, `commit`, `at`}].

Examples:
  stackhand why 15201234
  stackhand why pr 51234
  stackhand why https://gitlab.spack.io/spack/spack-packages/-/jobs/15201234 --json";

/// What can be asked for.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Ask {
    #[command(subcommand)]
    other: Option<Other>,
    /// The job: an id, or the address of its page.
    #[arg(value_parser = job_id, required = true)]
    job: Option<JobId>,
    /// How long to wait for what is asked.
    #[arg(long, value_parser = super::args::length, default_value = "30s", value_name = "TIME")]
    within: Duration,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Other {
    /// Tells what the bridge decided about a pull request, and when.
    Pr(pr::Ask),
}

/// Answers.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    match (&ask.other, ask.job) {
        (Some(Other::Pr(ask)), _) => pr::run(setup, ask).await,
        (None, Some(id)) => job(setup, ask, id).await,
        // The command line wants one of them.
        (None, None) => Ok(Exit::Usage),
    }
}

async fn job(setup: &Setup, ask: &Ask, id: JobId) -> Result<Exit, Failure> {
    let finder = Finder { gitlab: &setup.outside.gitlab, clock: &*setup.clock };
    let seeds = finder.jobs(&[id]).await.map_err(|fault| Failure::remote(&fault, setup.clock.now()))?;
    let mut session = Session::open_on_with_fleet(setup, &seeds)?;
    let pipeline = session.replica.world.job(id).map(|job| job.pipeline);
    session.focus(Focus { pipeline, ..Focus::default() }).await?;
    let wish = Wish { root: pipeline, graphs: true, reasons: true, ..Wish::default() };
    let knowledge = Knowledge::gather(&mut session, wish, ask.within).await?;
    // The cluster may be away: that is said, and the rest is told.
    let fleet =
        session.settle(Some(ask.within), |replica| if is_heard(replica) { Step::Done } else { Step::Wait }).await?;
    let (world, now) = (&session.replica.world, session.replica.now);
    let why = world.why(id, now);
    let told = match why {
        None => Err(Failure::new(Exit::Failed, format!("job {id} is not known; check its id and --project"))),
        Some(why) if ask.json => out::json(&document(setup, &session.replica, &why, &knowledge, fleet)),
        Some(why) => tell(setup, &session.replica, &why, &knowledge),
    };
    session.close().await;
    told.map(|()| if knowledge.is_complete && fleet { Exit::Ok } else { Exit::Unreachable })
}

/// Whether every source of the fleet has said something, or that it cannot.
fn is_heard(replica: &Replica) -> bool {
    let says = |facts: &SourceFacts| facts.state.phase != Phase::Starting || facts.state.fault.is_some();
    replica.world.fleet.sources.values().all(says)
}

fn tell(setup: &Setup, replica: &Replica, why: &Why<'_>, knowledge: &Knowledge) -> Result<(), Failure> {
    let out = setup.out;
    out.line(&format!("job {} {}", why.job.id, why.job.name))?;
    out.line(&format!("{}: {}", why.answer.word().replace('_', " "), why.words))?;
    for fact in &why.facts {
        out.line(&format!("  {fact}"))?;
    }
    if let Some(advice) = &why.advice {
        out.line(&format!("next: {advice}"))?;
    }
    knowledge.tell(out);
    for (source, facts) in &replica.world.fleet.sources {
        if let Some(fault) = &facts.state.fault {
            out.note(&format!("{}: {fault}", source.word()));
        }
    }
    Ok(())
}

fn document(setup: &Setup, replica: &Replica, why: &Why<'_>, knowledge: &Knowledge, fleet: bool) -> Value {
    let now = replica.server_now();
    let pod = why.place.pod.found().map(|pod| {
        json!({
            "name": &*pod.name,
            "state": crate::fleet::PodState::of(pod, now).to_string(),
            "node": pod.node.as_deref(),
            "pending": why.pending.as_ref().map(|pending| json!({
                "class": pending.class.word(),
                "words": pending.words,
                "deadline": pending.countdown.map(|countdown| countdown.deadline),
                "left_s": pending.countdown.map(|countdown| countdown.left_s(now)),
            })),
        })
    });
    let seconds = |length: Duration| length.as_secs();
    let missing = why.place.missing().into_iter().map(|(link, gap)| json!({"link": link, "why": gap.to_string()}));
    json!({
        "version": "stackhand.why/1",
        "project": &*setup.project,
        "job": why.job.id,
        "name": &*why.job.name,
        "pipeline": why.job.pipeline,
        "status": why.job.status,
        "answer": why.answer.word(),
        "words": why.words,
        "facts": why.facts,
        "advice": why.advice,
        "pod": pod,
        "wait": why.wait.map(|wait| json!({
            "likely_s": seconds(wait.likely), "low_s": seconds(wait.low), "high_s": seconds(wait.high),
        })),
        "missing": missing.collect::<Vec<_>>(),
        "complete": knowledge.is_complete && fleet,
        "errors": knowledge.errors(),
    })
}
