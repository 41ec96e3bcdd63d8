//! What a bridge decided about a pull request, from what it wrote down.

use serde_json::{Value, json};

use crate::bridge::{Decided, PushRecord, Subject};
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;
use crate::forge::PrNumber;

/// Decisions that are told; one is written down when it is not the one before it.
const MOST: u32 = 50;

/// Which pull request.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Its number.
    number: u64,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let failed = |message: String| Failure::new(Exit::Failed, message);
    let store = setup.outside.store.as_ref().map_err(|fault| failed(fault.to_string()))?;
    let number = PrNumber(ask.number);
    let decisions = store.decisions(&Subject::Pr(number).to_string(), MOST).await;
    let decisions = decisions.map_err(|error| failed(error.to_string()))?;
    let mut pushes: Vec<(String, PushRecord)> = Vec::new();
    let mut bridges: Vec<&String> = decisions.iter().map(|(bridge, _)| bridge).collect();
    bridges.dedup();
    for bridge in bridges {
        let memory = store.bridge_memory(bridge).await.map_err(|error| failed(error.to_string()))?;
        let of_pr = memory.pushes.into_iter().rev().filter(|push| push.pr == number);
        pushes.extend(of_pr.map(|push| (bridge.clone(), push)));
    }
    if ask.json {
        out::json(&document(number, &decisions, &pushes))?;
        return Ok(Exit::Ok);
    }
    let Some((_, newest)) = decisions.first() else {
        return Err(failed(format!(
            "no bridge has decided about pull request {number} here; `stackhand bridge --once --dry-run` shows what it would decide"
        )));
    };
    setup.out.line(&format!("pr {number}: {}, {}", newest.verdict, newest.told))?;
    for (_, one) in &decisions {
        setup.out.line(&format!("  {}  {}  {}  {}", one.at, one.head.short(), one.verdict, one.told))?;
    }
    for (_, push) in &pushes {
        let (commit, head, onto) = (push.commit.short(), push.head.short(), push.onto.short());
        setup.out.line(&format!("  {}  pushed {commit}, {head} merged into {onto} of {}", push.at, push.base_ref))?;
    }
    Ok(Exit::Ok)
}

fn document(number: PrNumber, decisions: &[(String, Decided)], pushes: &[(String, PushRecord)]) -> Value {
    let with_bridge = |bridge: &str, mut value: Value| {
        if let Some(fields) = value.as_object_mut() {
            fields.insert("bridge".to_owned(), json!(bridge));
        }
        value
    };
    let decided = decisions.iter().map(|(bridge, one)| with_bridge(bridge, json!(one)));
    let pushed = pushes.iter().map(|(bridge, one)| with_bridge(bridge, json!(one)));
    json!({
        "version": "stackhand.why-pr/1",
        "pr": number,
        "decisions": decided.collect::<Vec<_>>(),
        "pushes": pushed.collect::<Vec<_>>(),
    })
}
