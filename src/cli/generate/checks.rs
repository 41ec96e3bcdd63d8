//! `stackhand generate checks`: what the loop `generation` of a daemon found out, for scripts and for people.

use serde_json::json;

use super::ask::Checks;
use crate::cli::args::Globals;
use crate::cli::assemble::Wanted;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::{self, Out};
use crate::controller::loops::generation;
use crate::generation::check::Checked;

/// What `--json` prints.
const VERSION: &str = "stackhand.generation-checks/1";

pub async fn run(globals: &Globals, out: Out, ask: &Checks) -> Result<Exit, Failure> {
    let setup = Wanted::new(globals)?.assemble().await?;
    let failed = |message: String| Failure::new(Exit::Failed, message);
    let store = setup.outside.store.as_ref().map_err(|fault| failed(fault.to_string()))?;
    let ledger = generation::recall(store, &setup.project).await.map_err(|fault| failed(fault.to_string()))?;
    let ledger = ledger.ok_or_else(|| {
        let what = "nothing that this version reads is written down about generations here; a daemon's loop `generation` does that";
        failed(what.to_owned())
    })?;
    let is_told = |row: &&Checked| ask.all || ask.json || row.outcome.word() != "ok";
    let rows: Vec<&Checked> = ledger.rows().filter(is_told).collect();
    if ask.json {
        out::json(&json!({ "version": VERSION, "generations": rows }))?;
        return Ok(Exit::Ok);
    }
    let cells = |row: &&Checked| {
        let job = [row.pipeline.to_string(), row.git_ref.to_string(), row.stack.to_string(), row.job.to_string()];
        job.into_iter().chain([row.outcome.word().to_owned(), row.outcome.to_string()]).collect()
    };
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    out.table(&["PIPELINE", "REF", "STACK", "JOB", "OUTCOME", "WHAT"], &cells)?;
    out.note(&format!("{} generations were looked at", ledger.rows().count()));
    Ok(Exit::Ok)
}
