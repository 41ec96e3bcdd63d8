//! `stackhand retry`, `cancel`, `play` and `retry-pipeline`: the one road of actions without a screen.
//!
//! A command makes the same plan as a key, under the same guardrails. It says what would be done (the default), prints the plan (`--plan`), sends it
//! (`--yes`), or sends one that was printed before (`--apply`), after judging it anew: what is no longer as the plan says, or forbidden by now, is
//! skipped. What `--plan` and `--json` print is described in [`SHAPE`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::{Reach, days, job_id, pipeline_id};
use super::assemble::Setup;
use super::bridge::resync;
use super::exit::{Exit, Failure};
use super::find::Finder;
use super::jobs;
use super::out::{self, Out};
use super::send;
use super::session::{Session, Wish};
use super::shape::Knowledge;
use crate::ci::{Job, JobId, JobKind, PipelineId, Status, Timestamp};
use crate::console::actions::{GuardRule, Object, PLAN_VERSION, Plan, Skip, Target, Verb};
use crate::console::filter::Filter;
use crate::console::text::plural;
use crate::console::world::World;

/// What `--plan` and `--json` print.
pub const SHAPE: &str = "\
Without --plan, --apply or --yes nothing is sent and the plan is told in words.

JSON of --plan `stackhand.plan/1`: `version`, `id`, `verb`, `project`, `made_at`, `targets` [{`object` {`kind`, `id`}, `pipeline`, `name`, `status` (as \
shown; only what still has it is touched), `tries`, `cause`}], `skips` [{`object`, `name`, `reason`}], `typed`, `refused`, `notes`, `trial` {`first`: so many go alone, the rest only when at most half of them fail again}. A plan is good for \
ten minutes.

JSON of --apply and --yes with --json `stackhand.VERB/1`: `version`, `project`, `plan`, `who`, `tally` {`done`, `skipped`, `failed`, `uncertain`}, \
`outcomes` [{`object`, `name`, `outcome` (done, skipped, failed, uncertain), `new_job`, `reason`}], `skips` as in the plan.";

/// What is done with a plan.
#[derive(Debug, clap::Args)]
pub struct Way {
    /// Prints the plan as JSON and sends nothing.
    #[arg(long, conflicts_with_all = ["apply", "yes"])]
    plan: bool,
    /// Sends a plan that was printed before; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "yes")]
    pub apply: Option<PathBuf>,
    /// Sends the plan at once, after the hold.
    #[arg(long)]
    yes: bool,
    /// The words that a plan asks to be typed, such as "retry 60".
    #[arg(long = "type", value_name = "WORDS")]
    typed: Option<String>,
    /// Prints what became of the targets as JSON.
    #[arg(long)]
    json: bool,
}

/// What `retry`, `cancel` and `play` can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Jobs by id, or by the address of their page.
    #[arg(value_parser = job_id, conflicts_with_all = ["filter", "pipeline", "apply"])]
    jobs: Vec<JobId>,
    /// Jobs that pass: `state:failed cause:runner_system_failure`.
    #[arg(long, value_name = "FILTER", conflicts_with = "apply")]
    filter: Option<String>,
    /// Failed jobs of this class, as their logs were judged; what a new try cannot help is left out, and a few go first.
    #[arg(long, value_name = "CLASS", conflicts_with_all = ["jobs", "apply"])]
    class: Option<String>,
    /// Only jobs that failed so lately: 90m, 6h, 7d.
    #[arg(long, value_name = "TIME", value_parser = days, requires = "class")]
    since: Option<Duration>,
    /// Only jobs of this pipeline and its children.
    #[arg(long, value_name = "ID", value_parser = pipeline_id, conflicts_with = "apply")]
    pipeline: Option<PipelineId>,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    pub reach: Reach,
}

impl Ask {
    /// Whether the class and the time that were asked for are those of a job.
    fn is_of_class(&self, world: &World, job: &Job, server_now: Timestamp) -> bool {
        let Some(class) = &self.class else { return true };
        let failure = world.failures.get(job.id).filter(|failure| *failure.class == **class);
        failure.is_some_and(|failure| self.since.is_none_or(|since| server_now.since(failure.at) <= since))
    }
}

/// What `retry-pipeline` can be asked for.
#[derive(Debug, clap::Args)]
pub struct AskPipeline {
    /// The pipeline: a parent, or the child of one stack.
    #[arg(value_parser = pipeline_id, required_unless_present = "apply", conflicts_with = "apply")]
    pipeline: Option<PipelineId>,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    pub reach: Reach,
}

/// The word of a verb on the command line.
pub fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Retry => "retry",
        Verb::Cancel => "cancel",
        Verb::Play => "play",
        Verb::RetryPipeline => "retry-pipeline",
        Verb::Resync => "bridge resync",
        other => other.word(),
    }
}

/// Plans or does something with jobs.
pub async fn run(setup: &Setup, ask: &Ask, verb: Verb) -> Result<Exit, Failure> {
    if let Some(path) = &ask.way.apply {
        return apply(setup, path, &ask.way, verb).await;
    }
    if ask.jobs.is_empty() && ask.filter.is_none() && ask.pipeline.is_none() && ask.class.is_none() {
        let message = format!("nothing is named; give {} the ids of jobs, --filter, --class or --pipeline", word(verb));
        return Err(Failure::usage(message));
    }
    let filter = Filter::parse(ask.filter.as_deref().unwrap_or_default())?;
    let (mut session, wanted): (Session, Vec<JobId>) = if ask.jobs.is_empty() {
        let (mut session, wish) = jobs::open(setup, ask.pipeline).await?;
        Knowledge::gather(&mut session, wish, ask.reach.within).await?.tell(setup.out);
        let (world, server_now) = (&session.replica.world, session.replica.server_now());
        let chosen = jobs::chosen(&session.replica, ask.pipeline, &filter);
        let chosen = chosen.into_iter().filter(|job| ask.is_of_class(world, job, server_now));
        // Trigger jobs are named by id or not at all: each starts a whole pipeline.
        let builds = chosen.filter(|job| job.kind == JobKind::Build);
        // A filter says what it means; a bare pipeline means what the verb is for.
        let wanted = builds.filter(|job| ask.filter.is_some() || fits(verb, job)).map(|job| job.id).collect();
        (session, wanted)
    } else {
        let mut session = open_on_jobs(setup, &ask.jobs).await?;
        Knowledge::gather(&mut session, Wish::default(), ask.reach.within).await?.tell(setup.out);
        (session, ask.jobs.clone())
    };
    learn_tries(setup, &mut session, verb, &wanted).await?;
    let world = &session.replica.world;
    let plan = match verb {
        Verb::Retry if ask.class.is_some() => Plan::retry_group(world, wanted, setup.clock.now()),
        _ => Plan::for_jobs(world, verb, wanted, setup.clock.now()),
    };
    finish(setup, session, plan, &ask.way).await
}

/// Plans or does a retry of a whole pipeline.
pub async fn run_pipeline(setup: &Setup, ask: &AskPipeline) -> Result<Exit, Failure> {
    let id = match (&ask.way.apply, ask.pipeline) {
        (Some(path), _) => return apply(setup, path, &ask.way, Verb::RetryPipeline).await,
        (None, Some(id)) => id,
        (None, None) => return Err(Failure::usage("no pipeline is named; give its id")),
    };
    let (mut session, wish) = jobs::open(setup, Some(id)).await?;
    let wish = Wish { graphs: false, reasons: false, ..wish };
    Knowledge::gather(&mut session, wish, ask.reach.within).await?.tell(setup.out);
    let plan = Plan::for_pipeline(&session.replica.world, id, setup.clock.now());
    finish(setup, session, plan, &ask.way).await
}

fn fits(verb: Verb, job: &Job) -> bool {
    match verb {
        Verb::Retry => matches!(job.status, Status::Failed | Status::Canceled),
        Verb::Cancel => job.status.is_cancelable(),
        Verb::Play => matches!(job.status, Status::Manual),
        _ => false,
    }
}

async fn open_on_jobs(setup: &Setup, ids: &[JobId]) -> Result<Session, Failure> {
    let finder = Finder { gitlab: &setup.outside.gitlab, clock: &*setup.clock };
    let seeds = finder.jobs(ids).await.map_err(|fault| Failure::remote(&fault, setup.clock.now()))?;
    Session::open_on(setup, &seeds)
}

/// A guardrail that counts tries must not count only those that lists happen to show.
async fn learn_tries(setup: &Setup, session: &mut Session, verb: Verb, jobs: &[JobId]) -> Result<(), Failure> {
    let is_counted = setup.rules.guards.iter().any(|guard| matches!(guard.rule, GuardRule::Tries { .. }));
    if verb != Verb::Retry || !is_counted {
        return Ok(());
    }
    let world = &session.replica.world;
    let pipelines: BTreeSet<PipelineId> = jobs.iter().filter_map(|id| world.job(*id)).map(|job| job.pipeline).collect();
    let finder = Finder { gitlab: &setup.outside.gitlab, clock: &*setup.clock };
    let now = setup.clock.now();
    for event in finder.tries(pipelines).await.map_err(|fault| Failure::remote(&fault, now))? {
        session.replica.world.update(event, now);
    }
    Ok(())
}

/// Prints, tells or sends a plan that was just made.
pub(super) async fn finish(setup: &Setup, session: Session, plan: Plan, way: &Way) -> Result<Exit, Failure> {
    let refusal = refusal(&plan);
    if way.plan {
        session.close().await;
        out::json(&plan).and_then(|()| refusal.map_or(Ok(Exit::Ok), Err))
    } else if way.yes {
        match refusal {
            None => {
                if !way.json {
                    preview(setup.out, &plan)?;
                }
                send_typed(setup, session, plan, way).await
            }
            Some(refusal) => {
                session.close().await;
                preview(setup.out, &plan)?;
                Err(refusal)
            }
        }
    } else {
        session.close().await;
        preview(setup.out, &plan)?;
        refusal.map_or_else(
            || {
                let word = word(plan.verb);
                setup.out.note(&format!(
                    "nothing was sent; add --yes to send it, or keep it with --plan and send it with `stackhand {word} --apply FILE`"
                ));
                Ok(Exit::Ok)
            },
            Err,
        )
    }
}

/// Why a plan cannot be sent at all, if so.
fn refusal(plan: &Plan) -> Option<Failure> {
    match &plan.refused {
        Some(reason) => Some(Failure::refused(reason.clone())),
        None if plan.targets.is_empty() => {
            Some(Failure::refused(format!("nothing to {}: no target is left", plan.verb.word())))
        }
        None => None,
    }
}

async fn send_typed(setup: &Setup, session: Session, plan: Plan, way: &Way) -> Result<Exit, Failure> {
    if let Some(words) = plan.typed.as_deref()
        && way.typed.as_deref().map(str::trim) != Some(words)
    {
        session.close().await;
        return Err(Failure::refused(format!("this plan must be confirmed by its words; add --type \"{words}\"")));
    }
    send::run(setup, session, Arc::new(plan), way.json).await
}

/// A plan in words.
fn preview(out: Out, plan: &Plan) -> Result<(), Failure> {
    out.line(&format!("{} in {}", plan.summary(), plan.project))?;
    // Why something failed matters to whoever tries it again.
    let causes = if plan.verb == Verb::Retry { plan.causes() } else { Vec::new() };
    for (cause, n) in causes {
        let cause = if cause.is_empty() { "no cause known" } else { &cause };
        out.line(&format!("  {n:>5}  {cause}"))?;
    }
    if !plan.skips.is_empty() {
        out.line(&format!("skip {}", plural(plan.skips.len() as u64, "target")))?;
        for (reason, n) in plan.skip_reasons() {
            out.line(&format!("  {n:>5}  {reason}"))?;
        }
    }
    for note in &plan.notes {
        out.line(note)?;
    }
    if let Some(words) = &plan.typed {
        out.line(&format!("asks for: --type \"{words}\""))?;
    }
    Ok(())
}

/// Sends a plan that was printed before, as far as it would be made again.
pub(super) async fn apply(setup: &Setup, path: &Path, way: &Way, verb: Verb) -> Result<Exit, Failure> {
    let plan = read_plan(path)?;
    if plan.verb != verb {
        let message =
            format!("this plan is for `stackhand {0}`; apply it with `stackhand {0} --apply`", word(plan.verb));
        return Err(Failure::usage(message));
    }
    if plan.project != setup.project {
        let message =
            format!("the plan is for {}, this is {}; point --gitlab and --project there", plan.project, setup.project);
        return Err(Failure::refused(message));
    }
    if let Some(refusal) = setup.rules.read_only.clone().map(Failure::refused).or_else(|| refusal(&plan)) {
        return Err(refusal);
    }
    let now = setup.clock.now();
    let (session, fresh) = if verb == Verb::RetryPipeline {
        let id = plan.targets.first().and_then(|target| target.pipeline).unwrap_or(PipelineId(0));
        let (mut session, wish) = jobs::open(setup, Some(id)).await?;
        let wish = Wish { graphs: false, reasons: false, ..wish };
        Knowledge::gather(&mut session, wish, LOOK).await?.tell(setup.out);
        let fresh = Plan::for_pipeline(&session.replica.world, id, now);
        (session, fresh)
    } else if verb == Verb::Resync {
        let session = resync::open(setup).await?;
        let numbers = plan.targets.iter().filter_map(|target| match target.object {
            Object::PullRequest(number) => Some(number),
            _ => None,
        });
        let fresh = Plan::resync(&session.replica.world, numbers, now);
        (session, fresh)
    } else {
        let ids: Vec<JobId> = plan.targets.iter().filter_map(|target| target.object.job()).collect();
        let mut session = open_on_jobs(setup, &ids).await?;
        Knowledge::gather(&mut session, Wish::default(), LOOK).await?.tell(setup.out);
        learn_tries(setup, &mut session, verb, &ids).await?;
        let fresh = Plan::for_jobs(&session.replica.world, verb, ids, now);
        (session, fresh)
    };
    let plan = reconcile(plan, fresh);
    if !way.json {
        preview(setup.out, &plan)?;
    }
    if plan.targets.is_empty() {
        session.close().await;
        let changed = plan.skips.iter().any(|skip| skip.reason.starts_with(CHANGED));
        let exit = if changed { Exit::Changed } else { Exit::Refused };
        let reason = plan.skips.last().map_or("", |skip| skip.reason.as_str());
        return Err(Failure::new(exit, format!("nothing was sent, no target is left: {reason}; make a new plan")));
    }
    send_typed(setup, session, plan, way).await
}

/// How long an old plan is compared with the server.
const LOOK: std::time::Duration = std::time::Duration::from_secs(60);
const CHANGED: &str = "changed since the plan";

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let wrong =
        |what: String| Failure::usage(format!("--apply {}: {what}; give it what --plan printed", path.display()));
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| wrong(error.to_string()))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| wrong(format!("not a plan: {error}")))?;
    if &*plan.version != PLAN_VERSION {
        return Err(wrong(format!("it has version {}, this stackhand reads {PLAN_VERSION}", plan.version)));
    }
    Ok(plan)
}

/// The old plan with the judgement of now: a target stays only if a plan made now would have it, in the state that was shown then.
fn reconcile(mut old: Plan, fresh: Plan) -> Plan {
    let now: BTreeMap<&Object, &Target> = fresh.targets.iter().map(|target| (&target.object, target)).collect();
    let reasons: BTreeMap<&Object, &str> =
        fresh.skips.iter().map(|skip| (&skip.object, skip.reason.as_str())).collect();
    let (mut kept, mut skips) = (Vec::new(), Vec::new());
    for target in std::mem::take(&mut old.targets) {
        let reason = match (now.get(&target.object), reasons.get(&target.object)) {
            (Some(seen), _) if seen.status == target.status => {
                kept.push(target);
                continue;
            }
            (Some(seen), _) => format!("{CHANGED}: {} → {}", target.status, seen.status),
            (None, Some(reason)) if reason.starts_with("guardrail") => (*reason).to_owned(),
            (None, Some(reason)) => format!("{CHANGED}: {reason}"),
            (None, None) => format!("{CHANGED}: no longer there"),
        };
        skips.push(Skip { object: target.object, name: target.name, reason });
    }
    old.targets = kept;
    old.skips.extend(skips);
    old.typed = fresh.typed.or_else(|| old.typed.take().filter(|_| !old.targets.is_empty()).map(|_| typed(&old)));
    old.refused = old.refused.take().or(fresh.refused);
    old
}

/// The words for what is left of a plan.
fn typed(plan: &Plan) -> String {
    format!("{} {}", plan.verb.word(), plan.targets.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::{Pipeline, Timestamp};
    use crate::console::actions::{Guard, Rules};
    use crate::console::event::Event;
    use crate::console::polling::PollRules;
    use crate::console::world::World;

    fn world(rules: Rules, statuses: &[Status]) -> World {
        let mut world = World::new("g.example/a/b", rules, PollRules::default());
        let at = Timestamp::from_millis(0);
        let pipeline = Pipeline::new(PipelineId(1), "develop", Status::Running);
        world.update(Event::PipelinesFetched { rows: vec![pipeline], at, whole: true }, at);
        let job =
            |(n, status): (usize, &Status)| Job::new(JobId(n as u64 + 1), PipelineId(1), &format!("job-{n}"), *status);
        let jobs = statuses.iter().enumerate().map(job).collect();
        world.update(Event::JobsFetched { pipeline: PipelineId(1), jobs, at }, at);
        world
    }

    fn plan(world: &World) -> Plan {
        Plan::for_jobs(world, Verb::Retry, (1..=3).map(JobId), Timestamp::from_millis(5))
    }

    #[test]
    fn an_old_plan_keeps_only_what_is_still_as_it_says() {
        let old = plan(&world(Rules::default(), &[Status::Failed, Status::Failed, Status::Canceled]));
        assert_eq!(old.targets.len(), 3);
        let fresh = plan(&world(Rules::default(), &[Status::Failed, Status::Running, Status::Failed]));
        let left = reconcile(old, fresh);
        assert_eq!(left.targets.iter().map(|t| t.object.clone()).collect::<Vec<_>>(), [Object::Job(JobId(1))]);
        let reasons: Vec<_> = left.skips.iter().map(|skip| skip.reason.as_str()).collect();
        assert_eq!(
            reasons,
            ["changed since the plan: running cannot be retried", "changed since the plan: canceled → failed"]
        );
    }

    #[test]
    fn a_plan_cannot_carry_a_target_around_a_guardrail() {
        let old = plan(&world(Rules::default(), &[Status::Failed; 3]));
        let guard = Guard {
            rule: GuardRule::Deny,
            when: Filter::parse("job-1").unwrap(),
            reason: "signing keys are there".to_owned(),
        };
        let guarded = Rules { guards: vec![guard], typed_above: 1, ..Rules::default() };
        let left = reconcile(old, plan(&world(guarded, &[Status::Failed; 3])));
        assert_eq!(left.targets.len(), 2);
        assert_eq!(left.skips[0].reason, "guardrail: signing keys are there");
        assert_eq!(left.typed.as_deref(), Some("retry 2"), "a plan that dropped its own words is asked for them again");
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        let none = plan(&world(Rules::default(), &[Status::Success; 3]));
        assert_eq!(refusal(&none).unwrap().to_string(), "nothing to retry: no target is left");
        let rules = Rules { read_only: Some("read-only: --readonly".to_owned()), ..Rules::default() };
        let refused = refusal(&plan(&world(rules, &[Status::Failed; 3]))).unwrap();
        assert_eq!((refused.exit(), refused.to_string()), (Exit::Refused, "read-only: --readonly".to_owned()));
        assert!(refusal(&plan(&world(Rules::default(), &[Status::Failed; 3]))).is_none());
    }
}
