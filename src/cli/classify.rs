//! `stackhand classify`: why jobs failed, from their logs.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::args::{Globals, job_id};
use super::assemble::Wanted;
use super::exit::{Exit, Failure};
use super::out::{self, Out};
use super::rulebook;
use crate::ci::{FailureReason, JobId, Status};
use crate::console::fault::FaultKind;
use crate::console::text::clean;
use crate::taxonomy::{Cause, Classifier, Compiled, JobFacts, UNKNOWN, Verdict};

/// What `--json` prints, and what the facts are.
pub const SHAPE: &str = "\
With --json one object per log, in order: `file`, `status` (failed or success), `class` (null on success, unknown when no rule fits), `owner`, \
`transient`, `confidence` (0 to 1), `evidence` [{`line`, `offset`, `text`}], `also` [class], `signature`, `rules` (the rule set), `rule`, `host`, \
`missing` [what keeps the verdict from being better].

FACTS.tsv has a header and the columns file, status, failure_reason, exit_code, job_kind; others are ignored. A file is found there by its path or \
its name.

Examples:
  stackhand classify job-*.log
  kubectl logs runner-x | stackhand classify - --json
  stackhand classify --job 15201234";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Logs; `-` reads one from standard input.
    #[arg(value_name = "FILE", required_unless_present = "job")]
    files: Vec<PathBuf>,
    /// Judges the log of this job of GitLab's: an id, or the address of its page.
    #[arg(long, value_parser = job_id, value_name = "ID", conflicts_with = "files")]
    job: Option<JobId>,
    /// What GitLab says about the jobs, as a table with tabs.
    #[arg(long, value_name = "FACTS.tsv")]
    facts: Option<PathBuf>,
    /// More rules, after the shipped ones and your own.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Prints one JSON object per log.
    #[arg(long)]
    json: bool,
}

/// Judges logs.
pub async fn run(globals: &Globals, ask: &Ask) -> Result<Exit, Failure> {
    let out = Out { ascii: globals.ascii };
    let wanted = Wanted::new(globals)?;
    let rules = rulebook::compiled(wanted.config_dir(), &ask.rules)?;
    if let Some(job) = ask.job {
        let (facts, verdict) = of_job(wanted, rules, job).await?;
        tell(out, ask.json, &job.to_string(), &facts, &verdict)?;
        return Ok(Exit::Ok);
    }
    let table = ask.facts.as_deref().map(read_facts).transpose()?.unwrap_or_default();
    let mut ended = Exit::Ok;
    for file in &ask.files {
        let facts = table.of(file);
        match of_file(&rules, file, &facts) {
            Ok(verdict) => tell(out, ask.json, &file.display().to_string(), &facts, &verdict)?,
            Err(error) => {
                out.note(&format!("cannot read {}: {error}; it was left out", file.display()));
                ended = Exit::Failed;
            }
        }
    }
    Ok(ended)
}

fn of_file(rules: &Arc<Compiled>, file: &Path, facts: &JobFacts) -> std::io::Result<Verdict> {
    let mut classifier = Classifier::new(Arc::clone(rules));
    let mut input: Box<dyn Read> =
        if file == Path::new("-") { Box::new(std::io::stdin().lock()) } else { Box::new(std::fs::File::open(file)?) };
    let mut piece = vec![0; 256 << 10];
    loop {
        match input.read(&mut piece) {
            Ok(0) => return Ok(classifier.finish(facts)),
            Ok(length) => classifier.feed(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

async fn of_job(wanted: Wanted, rules: Arc<Compiled>, id: JobId) -> Result<(JobFacts, Verdict), Failure> {
    let setup = wanted.assemble().await?;
    let gitlab = &setup.outside.gitlab;
    let remote = |fault| Failure::remote(&fault, setup.clock.now());
    // Without a token nobody tells the status; the log has to do.
    let facts =
        if gitlab.has_token() { JobFacts::of(&gitlab.job(id).await.map_err(remote)?) } else { JobFacts::default() };
    let mut classifier = Classifier::new(rules);
    match gitlab.trace(id, None).await {
        Ok(Some(mut trace)) => {
            while let Some(piece) = trace.next().await.map_err(remote)? {
                classifier.feed(&piece);
            }
        }
        Ok(None) => {}
        Err(fault) if fault.kind == FaultKind::NotFound && facts.status.is_some() => {}
        Err(fault) => return Err(remote(fault)),
    }
    let verdict = classifier.finish(&facts);
    setup.close().await;
    Ok((facts, verdict))
}

fn tell(out: Out, as_json: bool, file: &str, facts: &JobFacts, verdict: &Verdict) -> Result<(), Failure> {
    if as_json {
        return out::json_line(&document(file, facts, verdict));
    }
    for line in lines(file, verdict) {
        out.line(&clean(&line))?;
    }
    Ok(())
}

fn document(file: &str, facts: &JobFacts, verdict: &Verdict) -> Value {
    let failed = verdict.cause != Cause::None;
    let status =
        facts.status.map_or_else(|| if failed { "failed" } else { "success" }.to_owned(), |s| s.as_str().to_owned());
    let (class, rule) = match &verdict.cause {
        Cause::None => (None, None),
        Cause::Known { class, rule } => (Some(&**class), Some(&**rule)),
        Cause::Unknown => (Some(UNKNOWN), None),
    };
    let evidence = verdict
        .evidence
        .iter()
        .map(|e| json!({"line": e.line, "offset": e.offset, "text": e.text, "section": e.section, "found": e.found}));
    let mut also: Vec<&str> = verdict.also.iter().map(|also| &*also.class).collect();
    also.dedup();
    json!({
        "file": file,
        "status": status,
        "class": class,
        "owner": failed.then(|| verdict.owner.as_str()),
        "transient": failed.then(|| verdict.transient.as_str()),
        "confidence": f64::from(verdict.confidence) / 100.0,
        "evidence": evidence.collect::<Vec<_>>(),
        "also": also,
        "signature": verdict.signature.as_ref().map(|signature| &*signature.fingerprint),
        "template": verdict.signature.as_ref().map(|signature| &*signature.template),
        "rules": &*verdict.rules,
        "rule": rule,
        "host": verdict.host,
        "missing": verdict.missing,
    })
}

fn lines(file: &str, verdict: &Verdict) -> Vec<String> {
    let mut lines = vec![match &verdict.cause {
        Cause::None => format!("{file}: did not fail"),
        Cause::Known { class, rule } => format!(
            "{file}: {class} ({}, transient: {}, rule {rule}, {} % sure)",
            verdict.owner.as_str(),
            verdict.transient.as_str(),
            verdict.confidence
        ),
        Cause::Unknown => {
            let signature = verdict.signature.as_ref().map_or("no evidence line", |signature| &signature.fingerprint);
            format!("{file}: unknown to every rule ({signature})")
        }
    }];
    lines.extend(verdict.evidence.iter().map(|evidence| format!("  line {}: {}", evidence.line, evidence.text.trim())));
    if !verdict.also.is_empty() && verdict.cause != Cause::None {
        let also = verdict.also.iter().map(|also| {
            format!("{} (line {}{})", also.class, also.line, if also.recovered { ", recovered" } else { "" })
        });
        lines.push(format!("  also: {}", also.collect::<Vec<_>>().join(", ")));
    }
    lines.extend(verdict.missing.iter().map(|what| format!("  note: {what}")));
    lines
}

/// What a table says about files, by path and by name.
#[derive(Default)]
struct Table(HashMap<String, JobFacts>);

impl Table {
    fn of(&self, file: &Path) -> JobFacts {
        let path = file.display().to_string();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        self.0.get(&path).or_else(|| self.0.get(&name?)).cloned().unwrap_or_default()
    }
}

fn read_facts(path: &Path) -> Result<Table, Failure> {
    let wrong = |what: String| Failure::new(Exit::Usage, format!("--facts {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{error}; name a readable file")))?;
    let mut rows = text.lines().enumerate();
    let heads: Vec<&str> = rows.next().map(|(_, line)| line.split('\t').collect()).unwrap_or_default();
    let place = |name: &str| heads.iter().position(|head| *head == name);
    let file =
        place("file").ok_or_else(|| wrong("line 1: there is no column `file`; begin with a header".to_owned()))?;
    let [status, reason, code, kind] = ["status", "failure_reason", "exit_code", "job_kind"].map(place);
    let mut table = Table::default();
    for (at, line) in rows.filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |column: Option<usize>| column.and_then(|column| cells.get(column)).filter(|text| !text.is_empty());
        let name = cell(Some(file)).ok_or_else(|| wrong(format!("line {}: the file is not named", at + 1)))?;
        let exit_code = cell(code).map(|text| {
            text.parse().map_err(|_| wrong(format!("line {}: `{text}` is no exit code; write a whole number", at + 1)))
        });
        let facts = JobFacts {
            status: cell(status).map(|text| Status::parse(text)),
            failure_reason: cell(reason).map(|text| FailureReason::new(text)),
            exit_code: exit_code.transpose()?,
            job_kind: cell(kind).map(|text| Arc::from(*text)),
        };
        table.0.insert((*name).to_owned(), facts);
    }
    Ok(table)
}
