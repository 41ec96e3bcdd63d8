//! Commands: one file per verb, text and JSON, and exit codes.
//!
//! [`run`] is the only door. It assembles the program (`assemble`), chooses the face (`console`, `watch`, or a verb), and is where every failure is
//! told, once (`exit`). Verbs follow the core through a `session` and judge what its replica knows; only `out` writes to the terminal.

mod act;
mod args;
mod assemble;
mod bridge;
mod cache;
mod classify;
mod config;
mod console;
mod daemon;
mod dag;
mod demo;
mod errors;
mod exit;
mod file;
mod find;
mod fleet;
mod generate;
mod jobs;
mod journal;
mod log;
mod manual;
mod out;
mod pipelines;
mod rulebook;
mod rules;
mod send;
mod session;
mod shape;
mod status;
mod stop;
mod watch;
mod why;

use std::process::ExitCode;
use std::time::Duration;

pub use args::Args;
use args::{Globals, Verb};
use assemble::{Setup, Wanted};
use exit::{Exit, Failure};
use out::Out;
use tokio::runtime::Builder;

use crate::console::actions;

/// How long tasks that cannot be cut off may take to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Does what the command line says.
pub fn run(args: Args) -> ExitCode {
    let out = Out { ascii: args.globals.ascii };
    let ended = runtime(args.verb.as_ref())
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot start: {error}; raise the limit of threads")))
        .and_then(|runtime| {
            let ended = runtime.block_on(Box::pin(dispatch(args)));
            runtime.shutdown_timeout(FAREWELL);
            ended
        });
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if failure != Failure::Closed {
                out.note(&failure.to_string());
            }
            failure.exit().into()
        }
    }
}

/// Two threads where a core runs beside a face; what does one thing and ends needs one.
fn runtime(verb: Option<&Verb>) -> Builder {
    match verb {
        Some(
            Verb::Generate(_)
            | Verb::Fleet(_)
            | Verb::Classify(_)
            | Verb::Rules(_)
            | Verb::Config(_)
            | Verb::Completions { .. }
            | Verb::Man { .. },
        ) => Builder::new_current_thread(),
        _ => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }
    }
}

async fn dispatch(Args { globals, no_attach, verb }: Args) -> Result<Exit, Failure> {
    match verb {
        None if out::has_screen() => {
            let setup = Wanted::new(&globals)?.assemble().await?;
            let join = if no_attach { console::Join::Alone } else { console::Join::Daemon };
            Box::pin(console::run(setup, "gitlab", join, &[])).await?;
        }
        None => {
            let ask = watch::Ask::default();
            return one_shot(&globals, None, Verb::Watch(ask)).await;
        }
        Some(Verb::Generate(ask)) => return Box::pin(generate::run(&globals, *ask)).await,
        Some(Verb::Fleet(ask)) => return Box::pin(fleet::run(&globals, &ask)).await,
        Some(Verb::Bridge(ask)) => return Box::pin(bridge::run(&globals, &ask)).await,
        Some(Verb::Daemon(ask)) => return Box::pin(daemon::run(&globals, &ask)).await,
        Some(Verb::Classify(ask)) => return Box::pin(classify::run(&globals, &ask)).await,
        Some(Verb::Rules(ask)) => return rules::run(&globals, &ask),
        Some(Verb::Config(ask)) => config::run(&globals, &ask)?,
        Some(Verb::Completions { shell }) => manual::completions(shell)?,
        Some(Verb::Man { dir }) => manual::man(dir.as_deref())?,
        Some(Verb::Demo(ask)) => Box::pin(demo::run(&globals, &ask)).await?,
        Some(verb) => {
            let limit = match &verb {
                Verb::Status(ask) => ask.reach.limit,
                Verb::Pipelines(ask) => ask.reach.limit,
                Verb::Jobs(ask) => ask.reach.limit,
                Verb::Dag(ask) => ask.reach.limit,
                Verb::Retry(ask) | Verb::Cancel(ask) | Verb::Play(ask) => ask.reach.limit,
                Verb::RetryPipeline(ask) => ask.reach.limit,
                Verb::Watch(ask) => ask.limit,
                _ => None,
            };
            return one_shot(&globals, limit, verb).await;
        }
    }
    Ok(Exit::Ok)
}

/// Runs a verb that follows a core.
async fn one_shot(globals: &Globals, limit: Option<u32>, verb: Verb) -> Result<Exit, Failure> {
    let mut wanted = Wanted::new(globals)?;
    if let Some(limit) = limit {
        wanted = wanted.with("--limit", "pipelines.limit", &limit.to_string());
    }
    let setup = wanted.assemble().await?;
    for warning in &setup.loaded.warnings {
        setup.out.note(&warning.to_string());
    }
    let ended = Box::pin(run_verb(&setup, verb)).await;
    setup.close().await;
    ended
}

async fn run_verb(setup: &Setup, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Status(ask) => status::run(setup, &ask).await?,
        Verb::Pipelines(ask) => pipelines::run(setup, &ask).await?,
        Verb::Jobs(ask) => jobs::run(setup, &ask).await?,
        Verb::Dag(ask) => dag::run(setup, &ask).await?,
        Verb::Log(ask) => log::run(setup, &ask).await?,
        Verb::Errors(ask) => return errors::run(setup, &ask).await,
        Verb::Why(ask) => return why::run(setup, &ask).await,
        Verb::Cache(ask) => return cache::run(setup, &ask).await,
        Verb::Watch(ask) => watch::run(setup, &ask).await?,
        Verb::Retry(ask) => return act::run(setup, &ask, actions::Verb::Retry).await,
        Verb::Cancel(ask) => return act::run(setup, &ask, actions::Verb::Cancel).await,
        Verb::Play(ask) => return act::run(setup, &ask, actions::Verb::Play).await,
        Verb::RetryPipeline(ask) => return act::run_pipeline(setup, &ask).await,
        // Handled before anything was assembled.
        Verb::Generate(_)
        | Verb::Classify(_)
        | Verb::Daemon(_)
        | Verb::Fleet(_)
        | Verb::Bridge(_)
        | Verb::Rules(_)
        | Verb::Config(_)
        | Verb::Demo(_)
        | Verb::Completions { .. }
        | Verb::Man { .. } => {}
    }
    Ok(Exit::Ok)
}
