//! `stackhand bridge`: copies pull requests, protected branches and tags from GitHub to GitLab, and statuses back.

mod companions;
mod prs;
pub(super) mod resync;
mod stale;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::args::Globals;
use super::assemble::{Setup, Wanted};
use super::daemon;
use super::exit::{Exit, Failure};
use super::file::{NewFile, read_at_most};
use super::out::{self, Out};
use super::stop::Stop;
use crate::bridge::{MAX_RECORDING, Recording};
use crate::console::fault::Fault;
use crate::controller::loops::bridge::{Bridge, PassReport};

/// How long a pass of many may post statuses: whatever happens meanwhile waits for the next, which then follows at once.
pub const TELLING: Duration = Duration::from_secs(6);

/// What `--json` prints.
pub const SHAPE: &str = "\
Needs a GitHub (`github.repository`, a token) and a GitLab with a token that may push. Everything that is pushed is looked at once more before, \
nothing is forced but branches of pull requests, and a status is posted only where GitHub does not show it. A dry run looks, decides and changes \
nothing. Whoever bridges leads: while a daemon, a console or another bridge of the project does, this ends with code 3. A dry run holds up nobody: beside another one, or for long, it works in a folder of its own.

JSON `stackhand.bridge/1`, a line per pass: `prs` (open pull requests, null when they could not be listed), `pushed` [branch, or refs/tags/NAME], \
`decisions` [{`pr`, `head`, `verdict` (push, pushed, wait, refuse, look), `reason` (a word), `told` (a sentence), `at`}], `refs` [branches and tags that \
are not alike on both sides], `statuses` {`posted`, `unchanged`, `held`, `failed`, `left` (to the next pass)}, `requests` {`github`, `gitlab`, `git` (processes)}, `seconds`, \
`dry_run`, `troubles` [line]; in a dry run also `would_push` and `statuses.would_post`.

resync writes a wish into the store, which the bridge reads wherever it runs (--plan, --apply, --yes and --json as for `stackhand retry`).

prs tells where each stands, from the store: JSON `stackhand.bridge-prs/1`: `at`, `whole` (all that are open), `quota` (GitHub's requests this hour: `left`, `of`), `prs` [{`pr`, `title`, `head`, `branch`, \
`verdict`, `reason`, `told`, `since`, `pushed` {`at`, `commit`, `onto`, `base`}, `pipeline` {`id`, `sha`, `status`, `updated_at`}, `shown` (on GitHub), \
`is_untold` (GitHub does not know the newest yet)}].

companions looks after what was pushed, and stale after what became old; both change nothing without --apply. JSON `stackhand.companions/1`, a line \
per pass of a duty: `duty` (skipped, triggers, stuck, stale), `at` (GitLab's clock), `dry_run`, `verdicts` {word: how many}, `items` [{`subject`, `verdict`, \
`told`, and of what was sent `outcome` (done, skipped, failed, uncertain), `new_job`, `reason`}], `requests`, `seconds`, `troubles`. JSON of stale --plan \
`stackhand.stale-plan/1`: `id`, `file`, `made_at`, `days`, `branches` [{`name`, `commit`, `committed_at`}], `spared` [{`name`, `verdict`, `told`}]; stale --apply \
ends with code 7 when some branches were not as planned any more.

Examples:
  stackhand bridge --once --dry-run
  stackhand bridge --once --json | jq '.decisions[] | select(.verdict != \"pushed\")'
  stackhand bridge --once --record pass.json && stackhand bridge replay pass.json
  stackhand bridge prs
  stackhand bridge resync 51234 --yes
  stackhand bridge companions --once
  stackhand bridge companions --only skipped,triggers --apply
  stackhand bridge stale --plan old.json && stackhand bridge stale --apply old.json
  stackhand why pr 51234";

/// What can be asked for.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Ask {
    #[command(subcommand)]
    what: Option<What>,
    /// Makes one pass and ends.
    #[arg(long)]
    once: bool,
    /// Looks and decides, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints JSON, a line per pass.
    #[arg(long)]
    json: bool,
    /// Writes what the pass knew and decided into this new file.
    #[arg(long, value_name = "FILE", requires = "once")]
    record: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Tells where every open pull request stands, as the last pass left it.
    Prs(prs::Ask),
    /// Has the bridge push pull requests again at once, whatever held them up; without --yes says what that would do.
    Resync(resync::Ask),
    /// Decides a recorded pass again, and tells what comes out otherwise.
    Replay(Replay),
    /// Makes good what GitLab does not do by itself: pipelines that did not start, trigger jobs that died, pipelines that never end.
    Companions(companions::Ask),
    /// Plans which old branches of pull requests could go from GitLab, and deletes what a reviewed plan says.
    Stale(stale::Ask),
}

/// A recorded pass.
#[derive(Debug, clap::Args)]
struct Replay {
    /// The file that `--record` wrote.
    file: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Bridges, replays, or looks after what was bridged.
pub async fn run(globals: &Globals, ask: &Ask) -> Result<Exit, Failure> {
    if let Some(What::Replay(replay)) = &ask.what {
        return self::replay(Out { ascii: globals.ascii }, replay);
    }
    let setup = Wanted::new(globals)?.assemble().await?;
    for warning in &setup.loaded.warnings {
        setup.out.note(&warning.to_string());
    }
    let ended = match &ask.what {
        Some(What::Prs(ask)) => prs::run(&setup, ask).await,
        Some(What::Resync(ask)) => Box::pin(resync::run(&setup, ask)).await,
        Some(What::Companions(ask)) => Box::pin(companions::run(&setup, ask)).await,
        Some(What::Stale(ask)) => Box::pin(stale::run(&setup, ask)).await,
        _ => Box::pin(pass(&setup, ask)).await,
    };
    setup.close().await;
    ended
}

async fn pass(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    if let Some(why) = setup.rules.read_only.as_ref().filter(|_| !ask.dry_run) {
        return Err(Failure::new(
            Exit::Refused,
            format!("{why}; nothing can be pushed, but --dry-run shows what would be"),
        ));
    }
    // Before something is done that would then be recorded nowhere.
    let mut record = ask.record.as_deref().map(NewFile::create).transpose()?;
    // Whoever only looks keeps nobody out.
    let lead = if ask.dry_run { None } else { Some(daemon::take_lead(setup).await?) };
    let bridge = setup.bridge((!ask.once).then_some(TELLING), ask.dry_run).await?;
    let is_asked_to_stop = Arc::new(AtomicBool::new(false));
    let mut stop = Stop::listen()?;
    loop {
        if let Some(lead) = lead.as_ref().filter(|lead| !lead.holds()) {
            return Err(Failure::new(Exit::Failed, format!("{}; start again", lead.how_lost())));
        }
        let asked = Arc::clone(&is_asked_to_stop);
        let mut one = std::pin::pin!(one(setup, &bridge, ask, record.take(), &asked));
        let (exit, has_more) = tokio::select! {
            ended = &mut one => ended?,
            // What is under way is ended properly; what was not begun stays undone.
            () = stop.asked() => {
                is_asked_to_stop.store(true, Ordering::Relaxed);
                return one.await.map(|(exit, _)| exit);
            }
        };
        if ask.once {
            return Ok(exit);
        }
        if bridge.is_damaged() {
            let what = "the bridge's repository is damaged; start again, and it is made anew";
            return Err(Failure::new(Exit::Failed, what));
        }
        if has_more {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(setup.loaded.config.bridge.every) => {}
            () = stop.asked() => return Ok(exit),
        }
    }
}

/// One pass, told; and whether another one should follow at once.
async fn one(
    setup: &Setup,
    bridge: &Bridge,
    ask: &Ask,
    record: Option<NewFile>,
    is_asked_to_stop: &AtomicBool,
) -> Result<(Exit, bool), Failure> {
    let asked = || is_asked_to_stop.load(Ordering::Relaxed);
    let pass = bridge.pass(ask.dry_run, &asked).await;
    let pass = pass.map_err(|fault: Fault| Failure::remote(&fault, setup.clock.now()))?;
    if ask.json {
        out::json_line(&pass.report)?;
    } else {
        tell(setup.out, &pass.report)?;
    }
    if let Some(file) = record {
        let mut bytes = Vec::new();
        let written = pass.recording().write(&mut bytes);
        written.map_err(|error| Failure::new(Exit::Failed, format!("the pass cannot be written: {error}")))?;
        file.fill(&bytes)?;
    }
    let exit = match &pass.blind {
        Some(fault) => Failure::remote(fault, setup.clock.now()).exit(),
        None if pass.report.troubles.is_empty() => Exit::Ok,
        None => Exit::Failed,
    };
    Ok((exit, pass.report.has_more()))
}

fn tell(out: Out, report: &PassReport) -> Result<(), Failure> {
    for one in &report.decisions {
        let decided = &one.decided;
        if &*decided.verdict != "pushed" {
            out.line(&format!("pr {}  {}  {}", one.pr, decided.verdict, decided.told))?;
        }
    }
    for decided in &report.refs {
        out.line(&format!("{}  {}  {}", decided.subject, decided.verdict, decided.told))?;
    }
    for trouble in &report.troubles {
        out.note(trouble);
    }
    out.line(&report.summary())
}

fn replay(out: Out, ask: &Replay) -> Result<Exit, Failure> {
    let place = ask.file.display();
    let wrong = |what: String| Failure::new(Exit::Failed, format!("cannot replay {place}: {what}"));
    let bytes = read_at_most(&ask.file, MAX_RECORDING)
        .map_err(|error| wrong(format!("{error}; name the file that --record wrote")))?;
    let recording = Recording::read(&bytes).map_err(|error| wrong(error.to_string()))?;
    let differences = recording.replay();
    if ask.json {
        out::json(&differences)?;
    } else {
        for one in &differences {
            out.line(&one.to_string())?;
        }
        let (version, count) = (&recording.version, differences.len());
        out.line(&match count {
            0 => format!("version {version} decided the same"),
            1 => format!("1 decision is not that of version {version}"),
            _ => format!("{count} decisions are not those of version {version}"),
        })?;
    }
    Ok(if differences.is_empty() { Exit::Ok } else { Exit::Failed })
}
