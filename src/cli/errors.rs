//! `stackhand errors`: failures of the last days, in few rows, from what was judged and kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;

use super::args::days;
use super::assemble::Setup;
use super::exit::{Exit, Failure};
use super::out::{self, Progress};
use crate::adapters::store::{Store, StoreError};
use crate::ci::{Timestamp, short};
use crate::console::backfill::{SETTLE, Wanted};
use crate::console::failures::{By, FailureFilter, Group, LIST, Memory, Past, Piece, QUIET};
use crate::console::text::plural;
use crate::controller::{FillError, fill};
use crate::taxonomy;
use crate::taxonomy::judge::Reach;

/// What `--json` prints.
pub const SHAPE: &str = "\
JSON `stackhand.errors/1`: `version`, `project`, `since`, `until`, `by`, `complete` (all of the time was read; what the console follows is kept as \
it fails, `--fill` reads the rest), `groups` [{`key`, `class`, `template`, `jobs`, `new` (in the last tenth of the time), `newest`, `oldest`, \
`first_seen`, `stacks`, `runners` [{`key`, `jobs`}], `retries` {`succeeded`, `failed`}, `past`}]. With `--by signature`, \
`past` is {`is_new` (not seen in the 21 days before `since`), `first` {`job`, `ref`, `commit`} (the failure that showed it first), `refs` (in this \
time and the 21 days before: `develop` if it is seen there, or the only branch, or how many branches), `flaky` (failures whose inputs succeeded \
later, unchanged)}; else it is null. What is not known is null.

Examples:
  stackhand errors --since 7d
  stackhand errors --since 7d --by signature --json
  stackhand errors --since 7d --fill 2000";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// How far back: 90m, 6h, 7d.
    #[arg(long, value_parser = days, default_value = "7d", value_name = "TIME")]
    since: Duration,
    /// What the rows have in common.
    #[arg(long, value_enum, default_value_t = Way::Class)]
    by: Way,
    /// First reads from GitLab what is not known yet, with at most so many requests; goes on from there the next time.
    #[arg(long, value_name = "REQUESTS", num_args = 0..=1, default_missing_value = "1000")]
    fill: Option<u32>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What rows have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Class,
    Signature,
    Rule,
    Owner,
    Stack,
    Runner,
    Host,
    Package,
    Compiler,
    Ref,
}

impl Way {
    const fn by(self) -> By {
        match self {
            Self::Class => By::Class,
            Self::Signature => By::Signature,
            Self::Rule => By::Rule,
            Self::Owner => By::Owner,
            Self::Stack => By::Stack,
            Self::Runner => By::Runner,
            Self::Host => By::Host,
            Self::Package => By::Package,
            Self::Compiler => By::Compiler,
            Self::Ref => By::GitRef,
        }
    }

    fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Prints the groups.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let store = setup.outside.store.as_ref().map_err(|fault| Failure::new(Exit::Failed, fault.to_string()))?;
    let broken = |error: StoreError| Failure::new(Exit::Failed, error.to_string());
    // What is kept has the server's times. Where it does not answer, our clock has to do.
    let gitlab = &setup.outside.gitlab;
    if let Err(fault) = gitlab.project().await {
        setup.out.note(&format!("{fault}; times are by the clock of this machine"));
    }
    let now = setup.clock.now().shifted(gitlab.stats().skew_ms.unwrap_or(0));
    let mut whole = false;
    if let Some(requests) = ask.fill {
        whole = read_more(setup, now, ask.since, requests).await?;
    }
    let since = back(now, ask.since);
    let groups =
        store.grouped(&[ask.by.by()], since..now.shifted(1), back(now, ask.since / 10)).await.map_err(broken)?;
    let groups = groups.into_iter().next().unwrap_or_default();
    let pasts = match ask.by {
        Way::Signature => Some(Pasts::read(store, &groups, since, now).await.map_err(broken)?),
        _ => None,
    };
    if ask.json {
        let rows: Vec<_> = groups.iter().map(|group| row(group, pasts.as_ref())).collect();
        out::json(&json!({
            "version": "stackhand.errors/1",
            "project": &*setup.project,
            "since": since,
            "until": now,
            "by": ask.by.word(),
            "complete": whole,
            "groups": rows,
        }))?;
        return Ok(Exit::Ok);
    }
    if groups.is_empty() {
        let remedy = "the console keeps what it judges; `--fill` reads the past from GitLab";
        setup.out.note(&format!("no failure of this time is kept here: {remedy}"));
        return Ok(Exit::Ok);
    }
    let cells = |group: &Group| {
        let share = |shares: &[crate::console::failures::Share]| {
            shares
                .first()
                .map_or("-".to_owned(), |share| format!("{} {} %", share.key, share.count * 100 / group.count.max(1)))
        };
        let name = match (&group.template, &group.key) {
            (Some(template), _) => template.to_string(),
            (None, Some(key)) => key.to_string(),
            (None, None) => "-".to_owned(),
        };
        let past = pasts.as_ref().map(|pasts| pasts.words(group)).unwrap_or_default();
        let class = group.class.as_deref().filter(|class| group.key.as_deref() != Some(class)).unwrap_or_default();
        let retries = group.retries.ok_percent().map_or("-".to_owned(), |percent| format!("{percent} %"));
        vec![
            group.count.to_string(),
            if group.new == 0 { "-".to_owned() } else { format!("+{}", group.new) },
            retries,
            short(now.since(group.newest)),
            share(&group.stacks),
            share(&group.runners),
            format!("{past}{class} {name}").trim().to_owned(),
        ]
    };
    let heads = ["JOBS", "NEW", "RETRY-OK", "LAST", "STACK", "RUNNER", &ask.by.word().to_uppercase()];
    setup.out.table(&heads, &groups.iter().map(cells).collect::<Vec<_>>())?;
    Ok(Exit::Ok)
}

/// Failures that are asked for at once.
const PIECE: u32 = 5_000;

/// The past of signatures, and of failures what went away by itself.
struct Pasts {
    by_signature: BTreeMap<Arc<str>, Past>,
    /// By class and signature.
    flaky: BTreeMap<(Arc<str>, Option<Arc<str>>), u64>,
}

impl Pasts {
    /// From what is kept of the time that was asked for, and of the quiet time before it.
    async fn read(store: &Store, groups: &[Group], since: Timestamp, now: Timestamp) -> Result<Self, StoreError> {
        let (range, mut piece) = (back(since, QUIET)..now.shifted(1), Piece::newest(PIECE));
        let mut failures: Vec<taxonomy::Failure> = Vec::new();
        loop {
            let read = store.failures_since(range.clone(), &FailureFilter::default(), piece).await?;
            piece.after = read.last().filter(|_| read.len() >= PIECE as usize).map(|last| (last.at, last.job));
            // There may be many, and their long texts are not needed.
            failures.extend(read.into_iter().map(|read| taxonomy::Failure { evidence: None, template: None, ..read }));
            if piece.after.is_none() {
                break;
            }
        }
        let memory = Memory {
            failures: failures.iter().collect(),
            successes: store.later_successes(since, u32::MAX).await?,
            covered: store.covered(LIST).await?.into_iter().map(|read| read.from..read.to).collect(),
            first_seen: groups.iter().filter_map(|group| group.key.clone().zip(group.first_seen)).collect(),
        };
        let (flakes, mut flaky) = (memory.flakes(), BTreeMap::new());
        for failure in failures.iter().filter(|failure| failure.at >= since && flakes.contains_key(&failure.job)) {
            let key = (Arc::clone(&failure.class), failure.fingerprint.clone());
            *flaky.entry(key).or_default() += 1;
        }
        Ok(Self { by_signature: memory.pasts(since, now), flaky })
    }

    fn of(&self, group: &Group) -> Option<&Past> {
        group.key.as_ref().and_then(|key| self.by_signature.get(key))
    }

    fn flaky(&self, group: &Group) -> u64 {
        let key = group.class.clone().map(|class| (class, group.key.clone()));
        key.and_then(|key| self.flaky.get(&key).copied()).unwrap_or_default()
    }

    /// What stands before a signature in the table.
    fn words(&self, group: &Group) -> String {
        let new = match self.of(group).map(|past| past.is_new) {
            Some(Some(true)) => "new ",
            Some(None) => "new? ",
            Some(Some(false)) | None => "",
        };
        let flaky = if self.flaky(group) > 0 { "flaky " } else { "" };
        format!("{new}{flaky}")
    }

    fn json(&self, group: &Group) -> serde_json::Value {
        let past = self.of(group);
        let first = past.and_then(|past| past.first.as_ref());
        json!({
            "is_new": past.and_then(|past| past.is_new),
            "first": first.map(|first| json!({"job": first.job, "ref": &*first.git_ref, "commit": first.sha.as_deref()})),
            "refs": past.map(|past| match &past.reach {
                Reach::Trunk => json!("develop"),
                Reach::One(git_ref) => json!(&**git_ref),
                Reach::Several(refs) => json!(refs),
            }),
            "flaky": self.flaky(group),
        })
    }
}

/// Reads from GitLab what is not known yet; whether all is known then.
async fn read_more(setup: &Setup, now: Timestamp, length: Duration, requests: u32) -> Result<bool, Failure> {
    let outside = &setup.outside;
    let store = outside.store.as_ref().map_err(|fault| Failure::new(Exit::Failed, fault.to_string()))?;
    let retention = Duration::from_hours(24) * setup.loaded.config.taxonomy.keep_days;
    let wanted = Wanted { now, back: length, retention, settle: SETTLE };
    let rules = outside.rules.get().await.map_err(|fault| Failure::new(Exit::Config, fault.to_string()))?;
    let mut progress = Progress::new();
    let told = |filled: crate::controller::Filled, plan: &crate::console::backfill::Backfill| {
        let left = short(plan.left());
        progress.say(&format!("{} pages, {} logs judged, {left} of time left to read", filled.pages, filled.judged));
    };
    let filled = fill(&outside.gitlab, store, &rules, wanted, requests, told).await;
    drop(progress);
    let filled = filled.map_err(|error| match error {
        FillError::Remote(fault) => Failure::remote(&fault, now),
        other => Failure::new(Exit::Failed, other.to_string()),
    })?;
    let rest = if filled.whole { "all of the time is known" } else { "run it again to go on from here" };
    let pages = plural(u64::from(filled.pages), "page");
    setup.out.note(&format!("read {pages}, judged {}; {rest}", plural(u64::from(filled.judged), "log")));
    Ok(filled.whole)
}

fn row(group: &Group, pasts: Option<&Pasts>) -> serde_json::Value {
    let shares = |shares: &[crate::console::failures::Share]| {
        shares.iter().map(|share| json!({"key": &*share.key, "jobs": share.count})).collect::<Vec<_>>()
    };
    json!({
        "key": group.key.as_deref(),
        "class": group.class.as_deref(),
        "template": group.template.as_deref(),
        "jobs": group.count,
        "new": group.new,
        "newest": group.newest,
        "oldest": group.oldest,
        "first_seen": group.first_seen,
        "stacks": shares(&group.stacks),
        "runners": shares(&group.runners),
        "retries": {"succeeded": group.retries.succeeded, "failed": group.retries.failed},
        "past": pasts.map(|pasts| pasts.json(group)),
    })
}

fn back(now: Timestamp, length: Duration) -> Timestamp {
    now.shifted(-i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
}
