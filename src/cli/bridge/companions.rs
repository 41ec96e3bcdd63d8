//! `bridge companions`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;

use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::{self, Out};
use crate::cli::stop::Stop;
use crate::controller::loops::companions::{Duty, Outside, Report};

/// What `companions` can be asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Ask {
    /// Only these duties.
    #[arg(long, value_name = "DUTY", value_enum, value_delimiter = ',')]
    only: Vec<Wanted>,
    /// Makes one pass of each and ends.
    #[arg(long)]
    once: bool,
    /// Looks and judges, and changes nothing. This is what happens without --apply.
    #[arg(long)]
    dry_run: bool,
    /// Starts, retries and cancels.
    #[arg(long, conflicts_with = "dry_run")]
    apply: bool,
    /// Prints JSON, a line per pass of a duty.
    #[arg(long)]
    json: bool,
}

/// A duty by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// Starts the pipelines of pushed branches that GitLab did not start.
    Skipped,
    /// Retries trigger jobs that died before their generate job was through.
    Triggers,
    /// Cancels pipelines that never end, and starts them anew.
    Stuck,
}

impl From<Wanted> for Duty {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Skipped => Self::Skipped,
            Wanted::Triggers => Self::Triggers,
            Wanted::Stuck => Self::Stuck,
        }
    }
}

/// Looks after what the bridge has pushed.
pub(super) async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    if let Some(why) = setup.rules.read_only.as_ref().filter(|_| ask.apply) {
        return Err(Failure::refused(format!("{why}; without --apply it is told what would be done")));
    }
    let outside = Arc::new(setup.companions()?);
    let duties: BTreeSet<Duty> = match ask.only.as_slice() {
        [] => Duty::ALL.into_iter().collect(),
        only => only.iter().map(|wanted| (*wanted).into()).collect(),
    };
    let is_asked_to_stop = AtomicBool::new(false);
    let mut stop = Stop::listen()?;
    loop {
        let mut round = std::pin::pin!(round(setup, &outside, &duties, ask, &is_asked_to_stop));
        let exit = tokio::select! {
            ended = &mut round => ended?,
            // What is under way is ended properly; what was not begun stays undone.
            () = stop.asked() => {
                is_asked_to_stop.store(true, Ordering::Relaxed);
                return round.await;
            }
        };
        if ask.once {
            return Ok(exit);
        }
        tokio::select! {
            () = tokio::time::sleep(setup.loaded.config.bridge.companions_every) => {}
            () = stop.asked() => return Ok(exit),
        }
    }
}

/// One pass of each duty. One that fails keeps no other from its work.
async fn round(
    setup: &Setup,
    outside: &Arc<Outside>,
    duties: &BTreeSet<Duty>,
    ask: &Ask,
    is_asked_to_stop: &AtomicBool,
) -> Result<Exit, Failure> {
    let asked = || is_asked_to_stop.load(Ordering::Relaxed);
    let mut exit = Exit::Ok;
    for duty in duties {
        if asked() {
            break;
        }
        match duty.pass(outside, !ask.apply, &asked).await {
            Ok(report) => {
                tell(setup.out, &report, ask.json)?;
                if !report.is_clean() && exit == Exit::Ok {
                    exit = Exit::Failed;
                }
            }
            Err(fault) => {
                let failure = Failure::remote(&fault, setup.clock.now());
                setup.out.note(&format!("{duty}: {failure}"));
                exit = failure.exit();
            }
        }
    }
    Ok(exit)
}

/// Tells what a pass came to.
pub(super) fn tell(out: Out, report: &Report, json: bool) -> Result<(), Failure> {
    if json {
        return out::json_line(report);
    }
    for item in &report.items {
        let end = item.outcome.as_ref().map(|outcome| format!("  → {}", outcome.told())).unwrap_or_default();
        out.line(&format!("{}  {}  {}{end}", item.subject, item.verdict, item.told))?;
    }
    for trouble in &report.troubles {
        out.note(trouble);
    }
    let dry = if report.dry_run { "; nothing was changed" } else { "" };
    out.line(&format!("{}{dry}", report.summary()))
}
