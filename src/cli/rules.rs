//! `stackhand rules`: looks after the rules by which logs are judged.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::args::Globals;
use super::assemble::Wanted;
use super::exit::{Exit, Failure};
use super::out::{self, Out};
use super::rulebook;
use crate::console::text::clean;
use crate::taxonomy::{Cause, Compiled, JobFacts, Lint, classify, import};

/// What the verbs print.
pub const SHAPE: &str = "\
Your own rules are in `rules.toml` of the configuration folder; the console's `t` adds to them. `check` names every fault with file and line \
(exit code 6) and warns of what is probably not meant. `import` reads Spack's `error_taxonomy.yaml` and prints rules of ours.

Examples:
  stackhand rules list
  stackhand rules check my-rules.toml
  stackhand rules import error_taxonomy.yaml > imported.toml
  stackhand rules test --rules my-rules.toml job-*.log";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    #[command(subcommand)]
    what: What,
}

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Lists the rules that judge: class, owner, whether a new try helps, title.
    List {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Checks the shipped rules, your own, and more files: syntax, words, patterns, examples; warns of what is probably not meant.
    Check {
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Turns Spack's error_taxonomy.yaml into rules of ours; the rules go to standard output, what is wrong in them to standard error.
    Import {
        #[arg(value_name = "YAML")]
        file: PathBuf,
    },
    /// Tells which rules match where in logs.
    Test {
        /// More rules, after the shipped ones and your own.
        #[arg(long, value_name = "FILE")]
        rules: Vec<PathBuf>,
        #[arg(value_name = "LOG", required = true)]
        logs: Vec<PathBuf>,
    },
}

/// Does it.
pub fn run(globals: &Globals, ask: &Ask) -> Result<Exit, Failure> {
    let out = Out { ascii: globals.ascii };
    let wanted = Wanted::new(globals)?;
    match &ask.what {
        What::List { json } => list(out, &wanted, *json),
        What::Check { files } => {
            let loaded = match rulebook::load(&rulebook::texts(wanted.config_dir(), files)?) {
                Ok(loaded) => loaded,
                Err(faults) => {
                    for fault in &faults {
                        out.note(&clean(&fault.to_string()));
                    }
                    return Ok(Exit::Config);
                }
            };
            warn(out, &loaded.lints);
            out.line(&format!("{} rules are fine (rule set {})", loaded.rules.rules.len(), loaded.rules.hash))?;
            Ok(Exit::Ok)
        }
        What::Import { file } => {
            let wrong = |what: String| Failure::new(Exit::Config, format!("{}: {what}", file.display()));
            let text =
                std::fs::read_to_string(file).map_err(|error| wrong(format!("{error}; name a readable file")))?;
            let imported = import(&text).map_err(|fault| wrong(fault.to_string()))?;
            warn(out, &imported.lints);
            out::raw(imported.toml.as_bytes())?;
            Ok(Exit::Ok)
        }
        What::Test { rules, logs } => {
            let compiled = rulebook::compiled(wanted.config_dir(), rules)?;
            for log in logs {
                let bytes = std::fs::read(log)
                    .map_err(|error| Failure::new(Exit::Failed, format!("cannot read {}: {error}", log.display())))?;
                test(out, &compiled, &log.display().to_string(), &bytes)?;
            }
            Ok(Exit::Ok)
        }
    }
}

fn list(out: Out, wanted: &Wanted, as_json: bool) -> Result<Exit, Failure> {
    let loaded = rulebook::read(wanted.config_dir(), &[])?;
    let rules = &loaded.rules.rules;
    if as_json {
        let rows = rules.iter().map(|rule| {
            json!({
                "id": &*rule.id, "class": &*rule.class, "title": rule.title, "owner": rule.owner.as_str(),
                "transient": rule.transient.as_str(), "runbook": rule.runbook,
                "patterns": rule.any.iter().map(|pattern| &*pattern.regex).collect::<Vec<_>>(),
                "file": &*rule.origin.file, "line": rule.origin.line,
            })
        });
        let rows: Vec<_> = rows.collect();
        out::json(&json!({"version": "stackhand.rules/1", "hash": &*loaded.rules.hash, "rules": rows}))?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = rules
        .iter()
        .map(|rule| {
            let words = [&*rule.id, rule.owner.as_str(), rule.transient.as_str(), &rule.title];
            words.into_iter().map(|word| clean(word).into_owned()).collect()
        })
        .collect();
    out.table(&["RULE", "OWNER", "TRANSIENT", "TITLE"], &rows)?;
    Ok(Exit::Ok)
}

fn test(out: Out, rules: &Arc<Compiled>, name: &str, log: &[u8]) -> Result<(), Failure> {
    let verdict = classify(rules, log, &JobFacts::default());
    if let (Cause::Known { rule, .. }, Some(evidence)) = (&verdict.cause, verdict.evidence.first()) {
        out.line(&clean(&format!("{name}:{}: {rule}: {}", evidence.line, evidence.text.trim())))?;
    }
    for also in &verdict.also {
        let recovered = if also.recovered { " (the job went on after it)" } else { "" };
        out.line(&clean(&format!("{name}:{}: also {}{recovered}", also.line, also.rule)))?;
    }
    if verdict.cause == Cause::Unknown && verdict.also.is_empty() {
        out.line(&clean(&format!("{name}: no rule matches")))?;
    }
    Ok(())
}

fn warn(out: Out, lints: &[Lint]) {
    for lint in lints {
        out.note(&clean(&format!("warning: {lint}")));
    }
}
