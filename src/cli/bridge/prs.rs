//! `bridge prs`: what the console's screen shows, for scripts and for those who read no screens.

use serde_json::json;

use crate::bridge::{Board, BoardRow};
use crate::ci::short;
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;
use crate::controller::recall_board;

/// What `prs` can be asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Ask {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What the bridge wrote down with its last pass.
pub(super) async fn board(setup: &Setup) -> Result<Board, Failure> {
    let failed = |message: String| Failure::new(Exit::Failed, message);
    let store = setup.outside.store.as_ref().map_err(|fault| failed(fault.to_string()))?;
    let board = recall_board(store, &setup.project).await.map_err(|fault| failed(fault.to_string()))?;
    board.ok_or_else(|| {
        let what = "no bridge has written anything down here; start one by `stackhand bridge` or `stackhand daemon`";
        failed(what.to_owned())
    })
}

/// Tells what the bridge wrote down with its last pass. Sends nothing.
pub(super) async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let mut board = board(setup).await?;
    if ask.json {
        let Board { at, is_whole, quota, rows } = &board;
        let version = "stackhand.bridge-prs/1";
        out::json(&json!({ "version": version, "at": at, "whole": is_whole, "quota": quota, "prs": rows }))?;
        return Ok(Exit::Ok);
    }
    // What is stuck comes first.
    board.rows.sort_by_key(|row| std::cmp::Reverse(row.stuck(board.at)));
    let row = |row: &BoardRow| {
        let dash = || "-".to_owned();
        vec![
            format!("#{}", row.pr),
            row.head.short().to_owned(),
            row.verdict.word().to_owned(),
            row.pipeline.as_ref().map_or_else(dash, |pipeline| pipeline.id.0.to_string()),
            row.shown.map_or_else(dash, |state| state.word().to_owned()),
            short(board.at.since(row.step().1)),
            row.told.to_string(),
            row.title.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = board.rows.iter().map(row).collect();
    let part = if board.is_whole { "" } else { "; not all that are open were listed then" };
    setup.out.note(&format!("as the bridge left it at {}{part}", board.at));
    setup.out.table(&["PR", "HEAD", "VERDICT", "PIPELINE", "GITHUB", "AGE", "WHY", "TITLE"], &rows)?;
    Ok(Exit::Ok)
}
