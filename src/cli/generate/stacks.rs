//! `stackhand generate stacks`: which stacks a push generates, and why the others are absent.

use std::collections::BTreeMap;

use serde_json::json;

use super::ask::Stacks;
use crate::adapters::git;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::{self, Out};
use crate::generation::occasion::{Choice, Push, Turn, turn};

/// What `--json` prints.
pub const VERSION: &str = "stackhand.stacks/1";

pub async fn run(out: Out, ask: &Stacks) -> Result<Exit, Failure> {
    let usage = |what: String| Failure::new(Exit::Usage, what);
    let variable = |name: &str| std::env::var(name).ok().map(|value| (name.to_owned(), value));
    let env: BTreeMap<String, String> =
        ["SPACK_CI_ENABLE_STACKS", "SPACK_CI_DISABLE_STACKS"].into_iter().filter_map(variable).collect();
    let choice = Choice::of(&env).map_err(|error| usage(error.to_string()))?;
    let stacks = match (&ask.repo, ask.names.as_slice()) {
        (Some(repo), []) => folders(repo)?,
        (None, []) => return Err(usage("name stacks, or the repository that holds them with --repo DIR".to_owned())),
        (_, stacks) => stacks.to_vec(),
    };
    let changed = match &ask.repo {
        Some(repo) => Some(git::touched(repo).await.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?),
        None => None,
    };
    let is_tag = ask.tag || std::env::var("CI_COMMIT_TAG").is_ok_and(|tag| tag == ask.git_ref);
    let push = Push { project: &ask.project, git_ref: &ask.git_ref, is_tag, changed: changed.as_deref() };
    let turns: Vec<(&String, Turn)> = stacks.iter().map(|stack| (stack, turn(&push, &choice, stack))).collect();
    if ask.json {
        let stacks: Vec<_> = turns.iter().map(|(stack, turn)| json!({"stack": stack, "turn": turn})).collect();
        out::json(&json!({"version": VERSION, "project": ask.project, "ref": ask.git_ref, "stacks": stacks}))?;
    } else {
        let row = |(stack, turn): &(&String, Turn)| {
            let (word, why) = turn.told();
            vec![(*stack).clone(), word.to_owned(), why.to_owned()]
        };
        out.table(&["STACK", "DECISION", "WHY"], &turns.iter().map(row).collect::<Vec<_>>())?;
        let sets = turns.iter().find_map(|(_, turn)| match turn {
            Turn::Generate { variables, .. } => Some(variables),
            _ => None,
        });
        for (name, value) in sets.into_iter().flatten() {
            out.line(&format!("{name}={value}"))?;
        }
    }
    let is_unknown = turns.iter().any(|(_, turn)| matches!(turn, Turn::Unknown { .. }));
    Ok(if is_unknown { Exit::Failed } else { Exit::Ok })
}

/// The stacks of a repository; a leading dot switches one off.
fn folders(repo: &std::path::Path) -> Result<Vec<String>, Failure> {
    let place = repo.join("stacks");
    let wrong = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("cannot list {}: {error}; name a clone of spack-packages", place.display()))
    };
    let mut stacks = Vec::new();
    for entry in std::fs::read_dir(&place).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().join("spack.yaml").is_file() {
            stacks.push(name);
        }
    }
    stacks.sort();
    Ok(stacks)
}
