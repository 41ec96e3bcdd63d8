//! `stackhand demo`: the practice world, with the console in front of it, served to others, or run without a screen. What `--serve` and `--headless`
//! print is described in [`SHAPE`]; other programs call them exactly so.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::args::{Globals, length};
use super::assemble::{Setup, Wanted};
use super::exit::{Exit, Failure};
use super::out;
use super::session::{Replica, Session, Step, Turn, Wish};
use super::stop::Stop;
use super::{console, watch};
use crate::ci::{JobId, ReasonFamily};
use crate::console::actions::{Plan, Verb};
use crate::console::event::Intent;
use crate::console::fresh::Completeness;
use crate::console::state::JobState;
use crate::sandbox::{HookTarget, Options, Running, Sandbox, Scenario};

/// What `--serve` and `--headless` print.
pub const SHAPE: &str = "\
--serve prints one line {`gitlab`: {`url`, `token`, `project`, `git_url`}, `github`: {`url`, `token`, `repo`, `git_url`}, `s3`: {`url`, `region`, `access_key`, `secret_key`, `buckets`, `public_key`, `sparse`}, \
`kubernetes`: {`kubeconfig`, `read_kubeconfig`}, `prometheus`: {`url`}, `hooks`: {`github`: {`url`, `secret`}, `gitlab`: {`url`, `token`}}} \
and serves until SIGTERM or SIGINT; give that line to any command with --endpoints. `public_key`: by which binaries there are signed. `sparse`: \
tarballs in the buckets have a size, but reading one gives zeros. `kubeconfig`: a file, as an operator; `read_kubeconfig`: as somebody who may only \
read; both are gone at the end. `git_url`: what git clones, and at GitLab pushes to with any user and the token as password. `hooks`: only with --hooks; \
GitHub signs by `secret`, GitLab sends `token`.

--headless ends with one line {`seed`, `pipelines` (children too), `jobs` {`total`, `success`, `failed`, `warning`, `running`, `pending`, `blocked`, \
`canceled`, `skipped`, `manual`, `unknown`}, `actions` {`sent`, `skipped`}, `requests` {`gitlab`}, `rss_bytes`}. What is not known is null.";

/// Jobs that `--act` retries at most.
const RETRIED: usize = 5;

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The same seed gives the same world.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Seconds of that world in a second of ours; 0 stops its time.
    #[arg(long, default_value_t = 30.0)]
    speed: f64,
    /// What kind of night it is.
    #[arg(long, value_enum, default_value_t = Night::Busy)]
    scenario: Night,
    /// About how many jobs the night has.
    #[arg(long, default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(200..=50_000))]
    jobs: u32,
    /// How many pull requests are open on the practice GitHub; the first 24 are one for every case.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    prs: u32,
    /// Starts these loops of the controller in the console, with commas between them; `none` starts none.
    #[arg(
        long,
        value_name = "LOOPS",
        value_delimiter = ',',
        default_value = "generation,bridge,companions",
        conflicts_with_all = ["serve", "headless"]
    )]
    loops: Vec<String>,
    /// Sends the webhooks of both forges to URL/github and URL/gitlab, some twice, some late.
    #[arg(long, value_name = "URL", requires = "serve")]
    hooks: Option<String>,
    /// The port; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serves the world to other programs, without a console.
    #[arg(long, conflicts_with = "headless")]
    serve: bool,
    /// Runs the console's core without a terminal.
    #[arg(long)]
    headless: bool,
    /// How long to run without a terminal.
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = length, requires = "headless")]
    length: Duration,
    /// Retries a few jobs whose failure was not their own, by the road that every action takes.
    #[arg(long, requires = "headless")]
    act: bool,
}

/// What kind of night it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Night {
    /// Failures of many kinds.
    Busy,
    /// One machine fails everything it touches.
    Outage,
    /// Nothing fails that night; older pipelines keep their failures.
    Calm,
}

/// Starts the world and puts the face in front of it.
pub async fn run(globals: &Globals, ask: &Ask) -> Result<(), Failure> {
    if !ask.speed.is_finite() || ask.speed < 0.0 {
        return Err(Failure::usage("--speed: write a number from 0 upwards"));
    }
    if ask.hooks.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Err(Failure::usage("--hooks: write an address such as http://127.0.0.1:8080/hooks"));
    }
    let mut stop = Stop::listen()?;
    let running = start(ask).await?;
    let folder = Scratch::new()?;
    if ask.serve {
        let line = format!("{}\n", served(&running, &folder)?);
        out::raw(line.as_bytes())?;
        stop.asked().await;
        running.stop();
        return Ok(());
    }
    drop(stop);
    let setup = setup(globals, ask, &running, &folder).await?;
    if ask.headless {
        let ended = headless(&setup, ask).await;
        setup.close().await;
        ended
    } else if out::has_screen() {
        let loops: Vec<String> = ask.loops.iter().filter(|name| *name != "none").cloned().collect();
        Box::pin(console::run(setup, "demo", console::Join::Alone, &loops)).await
    } else {
        let ended = watch::run(&setup, &watch::Ask::default()).await;
        setup.close().await;
        ended
    }
}

async fn start(ask: &Ask) -> Result<Running, Failure> {
    let options = Options {
        seed: ask.seed,
        speed: ask.speed,
        scenario: match ask.scenario {
            Night::Busy => Scenario::Busy,
            Night::Outage => Scenario::Outage,
            Night::Calm => Scenario::Calm,
        },
        jobs: ask.jobs as usize,
        prs: ask.prs as usize,
        hooks: ask.hooks.as_deref().map(HookTarget::below),
        port: ask.port,
        ..Options::default()
    };
    Sandbox::start(options).await.map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// Everything that `--serve` tells, and the files that it tells of.
fn served(running: &Running, folder: &Scratch) -> Result<Value, Failure> {
    let kubeconfig = folder.secret("kubeconfig", &running.kubernetes.kubeconfig(true))?;
    let reading = folder.secret("kubeconfig-read", &running.kubernetes.kubeconfig(false))?;
    let mut told = running.endpoints();
    if let Some(told) = told.as_object_mut() {
        let kubernetes = json!({ "kubeconfig": kubeconfig, "read_kubeconfig": reading });
        told.insert("kubernetes".to_owned(), kubernetes);
    }
    Ok(told)
}

/// A server of our own may be asked more often than one that others share.
async fn setup(globals: &Globals, ask: &Ask, running: &Running, folder: &Scratch) -> Result<Setup, Failure> {
    let name = "demo";
    let mut wanted = Wanted::new(globals)?
        .in_folder(&folder.0)
        .at_endpoints(name, &served(running, folder)?.to_string())
        .map_err(|error| {
            Failure::new(Exit::Failed, format!("the practice world told of {error}; report this as a bug"))
        })?
        .with(name, "cache.every", "1m")
        // Half a minute of ours is a quarter of an hour there.
        .with(name, "bridge.every", "5s")
        .with(name, "cache.in_flight", "4")
        .with(name, "budget.per_second", "50")
        .with(name, "poll.visible", "2s")
        .with(name, "poll.background", "5s")
        .with(name, "poll.pipelines", "5s");
    if !globals.readonly {
        // Whoever practises may do everything.
        for key in ["runners", "nodes", "pods"] {
            wanted = wanted.with(name, &format!("actions.{key}"), "true");
        }
        wanted = wanted.with(name, "actions.mode", "rw");
    }
    if ask.headless {
        wanted = wanted.with(name, "actions.hold", "1s");
    }
    wanted.assemble().await
}

async fn headless(setup: &Setup, ask: &Ask) -> Result<(), Failure> {
    let mut session = Session::open(setup)?;
    let deadline = Instant::now() + ask.length;
    let mut acts = ask.act;
    let wish = Wish { followed: setup.poll.followed, reasons: true, ..Wish::default() };
    loop {
        match session.next(Some(deadline)).await? {
            Turn::Event(stamped) => session.replica.take(*stamped),
            Turn::Stopped | Turn::Late => break,
        }
        let is_read = || matches!(wish.judge(&session.replica), Step::Done);
        if acts
            && is_read()
            && let Some(plan) = retry(&session.replica)
        {
            acts = false;
            session.tell(Intent::Confirm { plan: plan.into(), who: setup.who.clone() }).await?;
        }
    }
    out::json_line(&summary(ask.seed, &session))?;
    session.close().await;
    Ok(())
}

/// A plan for a few jobs whose failure was not their own, once there are some.
fn retry(replica: &Replica) -> Option<Plan> {
    let world = &replica.world;
    let is_foreign = |family| matches!(family, ReasonFamily::Runner | ReasonFamily::Server | ReasonFamily::Timeout);
    let failed = world.jobs().filter(|job| world.state(job) == JobState::Fail && job.downstream.is_none());
    let foreign = failed.filter(|job| job.failure_reason.as_ref().is_some_and(|reason| is_foreign(reason.family())));
    let jobs: Vec<JobId> = foreign.take(RETRIED).map(|job| job.id).collect();
    let plan = Plan::for_jobs(world, Verb::Retry, jobs, replica.now);
    (!plan.targets.is_empty()).then_some(plan)
}

fn summary(seed: u64, session: &Session) -> Value {
    let world = &session.replica.world;
    let counts = world.counts();
    let is_known = world.pipelines.completeness != Completeness::Unknown;
    let known = |n: usize| if is_known { Value::from(n) } else { Value::Null };
    let of = |state| known(counts.get(state));
    json!({
        "seed": seed,
        "pipelines": known(world.pipelines.value.len()),
        "jobs": {
            "total": known(counts.total()),
            "success": of(JobState::Ok),
            "failed": of(JobState::Fail),
            "warning": of(JobState::Warn),
            "running": of(JobState::Run),
            "pending": of(JobState::Wait),
            "blocked": of(JobState::Blocked),
            "canceled": of(JobState::Cancel),
            "skipped": of(JobState::Skip),
            "manual": of(JobState::Manual),
            "unknown": of(JobState::Unknown),
        },
        "actions": { "sent": world.actions.sent_total, "skipped": world.actions.skipped_total },
        "requests": { "gitlab": session.gitlab.stats().requests },
        "rss_bytes": resident_bytes(),
    })
}

/// Memory in use, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// A folder that is gone at the end, with all that the practice world left in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("stackhand-demo-{}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(false);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("{}: cannot be made: {error}; set TMPDIR to another folder", folder.display()),
            )
        })?;
        Ok(Self(folder))
    }

    /// Writes a file that nobody else may read.
    fn secret(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            let why = format!("{}: cannot be written: {error}; set TMPDIR to another folder", path.display());
            Failure::new(Exit::Failed, why)
        })?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is small, and lies where such things are swept away.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
