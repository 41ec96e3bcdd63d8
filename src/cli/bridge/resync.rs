//! `bridge resync`: has the bridge take up pull requests anew, by the one road of actions.

use crate::cli::act::{Way, apply, finish};
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::session::Session;
use crate::console::actions::{Plan, Verb};
use crate::console::event::Event;
use crate::forge::PrNumber;

/// What `resync` can be asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Ask {
    /// Pull requests by number.
    #[arg(value_name = "PR", value_parser = number, required_unless_present = "apply", conflicts_with = "apply")]
    prs: Vec<PrNumber>,
    #[command(flatten)]
    way: Way,
}

fn number(text: &str) -> Result<PrNumber, String> {
    let number = text.trim_start_matches('#').parse().map_err(|_| "write the number of a pull request".to_owned());
    number.map(PrNumber)
}

pub(super) async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    if let Some(path) = &ask.way.apply {
        return apply(setup, path, &ask.way, Verb::Resync).await;
    }
    let session = open(setup).await?;
    let plan = Plan::resync(&session.replica.world, ask.prs.iter().copied(), setup.clock.now());
    finish(setup, session, plan, &ask.way).await
}

/// A session that knows what the bridge wrote down.
pub(in crate::cli) async fn open(setup: &Setup) -> Result<Session, Failure> {
    let board = super::prs::board(setup).await?;
    let mut session = Session::open(setup)?;
    let (gitlab, world, now) = (&setup.outside.gitlab, &mut session.replica.world, setup.clock.now());
    // How old the board is goes by the clock out there; where that cannot be had, by ours.
    let _ = gitlab.server_now().await;
    let stats = gitlab.stats();
    world.update(Event::ServerSeen { skew_ms: stats.skew_ms, requests: stats.requests, limited_until: None }, now);
    world.update(Event::BoardKnown(Some(board.into())), now);
    Ok(session)
}
