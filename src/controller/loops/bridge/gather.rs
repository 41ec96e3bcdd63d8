//! Lists both sides, all at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::memory::Memory;
use super::{Outside, local};
use crate::adapters::git::mirror::{Listing, MirrorError, Side, branch_inputs, tag_inputs};
use crate::adapters::github::{OpenPrs, SeenPr};
use crate::adapters::gitlab::bridge::Read;
use crate::adapters::store::KnownStatus;
use crate::bridge::names::pr_branch;
use crate::bridge::{
    self, Looked, OnGitLab, PassInput, PipelineSeen, PostRefusal, Posted, PrInput, RefKind, Subject, Trouble, Watermark,
};
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};
use crate::forge::{CheckRun, CommitStatus, Items, PrNumber, Sha};

/// How far back the first pass of all looks for pipelines.
const FIRST: Duration = Duration::from_hours(24);
/// What GitLab protects is asked for so often.
const GUARDED: Duration = Duration::from_hours(1);

/// What was listed.
pub(super) struct Gathered {
    pub input: PassInput,
    pub watermark: Option<Watermark>,
    /// The pipelines were read to the end of their list.
    pub is_whole: bool,
    /// Why the pull requests are not known, if so.
    pub unlisted: Option<Fault>,
    /// Why a whole side is not known, if so.
    pub blind: Option<Fault>,
    /// Whatever is not listed is not there.
    pub is_listed: bool,
    pub troubles: Vec<String>,
}

/// Lists everything. What a dry pass finds out about earlier ones is good for itself alone.
pub(super) async fn gather(outside: &Outside, memory: &mut Memory, dry_run: bool) -> Result<Gathered, Fault> {
    let mut troubles = Vec::new();
    let (open, protected, github, gitlab, (main, pipelines)) = tokio::join!(
        outside.github.open_prs(),
        outside.github.protected_branches(),
        outside.mirror.list(Side::GitHub),
        outside.mirror.list(Side::GitLab),
        pipelines(outside, memory.watermark),
    );
    let open = match open {
        // Nothing is judged, and nothing forgotten, by another clock than GitHub's.
        Err(fault) if !outside.github.has_told_time() => return Err(fault),
        told => told,
    };
    let now = outside.now();
    let (open, unlisted) = match open {
        Ok(open) => (open, None),
        Err(fault) => {
            troubles.push(fault.to_string());
            (OpenPrs::default(), Some(fault))
        }
    };
    let OpenPrs { prs: mut open, left_out } = open;
    troubles.extend(left_out.iter().cloned());
    see_checks(outside, &mut open, &mut troubles).await;
    let protected = if outside.rules.sync_protected { told(protected, &mut troubles) } else { None };
    let github: Option<Listing> = told(github, &mut troubles);
    let knows_branches = github.is_some() && (protected.is_some() || !outside.rules.sync_protected);
    let is_listed = unlisted.is_none() && left_out.is_empty() && knows_branches;
    let mut gitlab_fault = None;
    let gitlab = gitlab.map_err(|error: MirrorError| {
        troubles.push(error.to_string());
        gitlab_fault = Some(error.fault("list the refs of GitLab"));
        bridge::Fault::from(&error)
    });
    let mut blind = unlisted.clone();
    for listing in github.iter().chain(gitlab.as_ref().ok()) {
        troubles.extend(listing.left_out.iter().map(|name| format!("a ref of this name is left out: {name}")));
    }
    let (pipelines, is_whole) = match pipelines {
        // Without pull requests and branches it is not known which pipelines somebody waits for.
        Ok(read) => {
            let is_whole = read.is_whole() && unlisted.is_none() && knows_branches;
            troubles.extend(read.trouble.map(|fault| fault.to_string()));
            (Looked::Found(read.items), is_whole)
        }
        Err(fault) => {
            let told = failed(&fault, &mut troubles);
            blind = blind.or(Some(fault));
            (told, false)
        }
    };
    blind = blind.or_else(|| gitlab_fault.take());
    let main = main.map_or_else(|fault| failed(&fault, &mut troubles), Looked::Found);
    // A slip of the finger must not turn off what main holds up.
    let gitlab = match (&outside.rules.main, &github) {
        (Some(name), Some(github)) if !github.branches.contains_key(name.as_str()) => {
            let why = format!("GitHub has no branch {name}: nothing is pushed; check bridge.main");
            troubles.push(why.clone());
            // A bridge that can push nothing is not well.
            blind = blind.or_else(|| Some(Fault::new(FaultKind::Local, "find the main branch", why.clone())));
            Err(bridge::Fault { why: why.into(), passes: true })
        }
        _ => gitlab,
    };
    settle(outside, memory, &open, now, dry_run, &mut troubles).await?;
    let guarded = guarded(outside, now, dry_run, &mut troubles).await?;
    let branches = match (&protected, &github) {
        (Some(names), Some(github)) => branch_inputs(names.iter().map(|name| &**name), github, &gitlab),
        _ => Vec::new(),
    };
    let tags = github.as_ref().filter(|_| outside.rules.sync_tags).map(|github| tag_inputs(github, &gitlab));
    // Where it is not known what may not be pushed to, nothing of a stranger is pushed.
    let (guarded, gitlab) = match guarded {
        Ok(names) => (names, gitlab),
        Err(fault) => (Vec::new(), Err(fault)),
    };
    let prs = pr_inputs(outside, memory, &open, &gitlab).await;
    let mut input = PassInput {
        now,
        rules: outside.rules.clone(),
        main,
        gitlab_protected: outside.protected.iter().cloned().chain(guarded).collect(),
        prs,
        branches,
        tags: tags.unwrap_or_default(),
        pipelines,
        pushes: memory.kept.pushes.clone(),
        posted: posted(memory, &open),
    };
    for branch in &mut input.branches {
        branch.trouble = memory.note_of(&Subject::Ref(RefKind::Branch, branch.name.clone())).trouble;
    }
    for tag in &mut input.tags {
        tag.trouble = memory.note_of(&Subject::Ref(RefKind::Tag, tag.name.clone())).trouble;
    }
    Ok(Gathered { input, watermark: memory.watermark, is_whole, unlisted, blind, is_listed, troubles })
}

/// Reads checks that count one by one where a head has more than were listed: a newer run of one that was may be among the rest.
async fn see_checks(outside: &Outside, open: &mut [SeenPr], troubles: &mut Vec<String>) {
    /// In one pass.
    const MOST: usize = 20;
    let cut = open.iter_mut().map(|seen| &mut seen.pr).filter(|pr| !pr.checks.is_whole && !pr.is_draft);
    let wanted = cut.flat_map(|pr| outside.rules.prerequisites.iter().map(move |name| (pr.number, name.clone())));
    let wanted: Vec<(PrNumber, Arc<str>)> = wanted.take(MOST).collect();
    for (number, name) in wanted {
        let Some(pr) = open.iter_mut().map(|seen| &mut seen.pr).find(|pr| pr.number == number) else { continue };
        match outside.github.check_run(&pr.head, &name).await {
            Ok(run) => {
                pr.checks.listed.retain(|one| one.name != name);
                pr.checks.listed.push(run.unwrap_or(CheckRun { name, conclusion: None, completed_at: None }));
            }
            Err(fault) => {
                // What a listed one says may be old.
                pr.checks.listed.retain(|one| one.name != name);
                troubles.push(fault.to_string());
            }
        }
    }
}

/// What GitLab protects, as it told within the hour: no pull request may go there. Only Maintainers are told. Whoever is not one cannot push there
/// either, unless the push goes by a key, whose owner may be anybody: then it has to be named in the settings.
async fn guarded(
    outside: &Outside,
    now: Timestamp,
    dry_run: bool,
    troubles: &mut Vec<String>,
) -> Result<Result<Vec<Arc<str>>, bridge::Fault>, Fault> {
    let key = format!("bridge.protected {}", outside.name);
    let known = outside.store.get_meta(&key).await.map_err(|error| local(&error))?;
    let known: Option<(i64, Vec<Arc<str>>)> = known.and_then(|text| serde_json::from_str(&text).ok());
    if let Some((at, names)) = &known
        && now.since(Timestamp::from_millis(*at)) < GUARDED
    {
        return Ok(Ok(names.clone()));
    }
    let names = match outside.gitlab.protected_branches().await {
        Ok(Read { items, trouble: None, .. }) => items,
        Err(fault) if fault.kind == FaultKind::Forbidden && outside.pushes_by_key && outside.protected.is_empty() => {
            let why =
                "GitLab tells only Maintainers what it protects, and pushes go by a key: name it in bridge.protected";
            troubles.push(why.to_owned());
            return Ok(Err(bridge::Fault { why: why.into(), passes: true }));
        }
        Err(fault) if fault.kind == FaultKind::Forbidden => Vec::new(),
        Ok(Read { trouble: Some(fault), .. }) | Err(fault) => {
            troubles.push(fault.to_string());
            let unknown = || bridge::Fault { why: fault.to_string().into(), passes: true };
            return Ok(known.map(|(_, names)| names).ok_or_else(unknown));
        }
    };
    if !dry_run {
        let text = serde_json::to_string(&(now.millis(), &names)).unwrap_or_default();
        outside.store.put_meta(&key, &text).await.map_err(|error| local(&error))?;
    }
    Ok(Ok(names))
}

/// An answer, or none with a line about why.
fn told<T, E: std::fmt::Display>(answer: Result<T, E>, troubles: &mut Vec<String>) -> Option<T> {
    answer.inspect_err(|error| troubles.push(error.to_string())).ok()
}

fn failed<T>(fault: &Fault, troubles: &mut Vec<String>) -> Looked<T> {
    troubles.push(fault.to_string());
    Looked::Failed(bridge::Fault { why: fault.to_string().into(), passes: fault.is_transient() })
}

/// Pipelines of the main branch, and those that changed since the watermark. Moments are of GitLab's clock, never of ours.
async fn pipelines(
    outside: &Outside,
    watermark: Option<Watermark>,
) -> (Result<Vec<PipelineSeen>, Fault>, Result<Read<PipelineSeen>, Fault>) {
    let main = async {
        match &outside.rules.main {
            Some(main) => outside.gitlab.main_pipelines(main).await,
            None => Ok(Vec::new()),
        }
    };
    if let Some(mark) = watermark {
        return tokio::join!(main, outside.gitlab.pipelines_since(mark.since()));
    }
    let main = main.await;
    let skew = outside.gitlab.stats().skew_ms.unwrap_or_default();
    let now = outside.clock.now().shifted(skew);
    (main, outside.gitlab.pipelines_since(now.shifted(-(FIRST.as_millis() as i64))).await)
}

/// Pull requests with what GitLab has of each, and with what was found out about them before.
async fn pr_inputs(
    outside: &Outside,
    memory: &Memory,
    open: &[SeenPr],
    gitlab: &Result<Listing, bridge::Fault>,
) -> Vec<PrInput> {
    let branch_of = |seen: &SeenPr| pr_branch(seen.pr.number, &seen.pr.head_ref).ok();
    let at = |seen: &SeenPr| {
        let name = branch_of(seen)?;
        gitlab.as_ref().ok()?.branches.get(name.as_str()).cloned()
    };
    let pushes = memory.pushes();
    let unknown: Vec<Sha> = open.iter().filter_map(at).filter(|commit| !pushes.contains_key(commit)).collect();
    let subjects = if unknown.is_empty() { HashMap::new() } else { outside.mirror.subjects(&unknown).await };
    let input = |seen: &SeenPr| {
        let branch = match (gitlab, at(seen)) {
            (Err(fault), _) => Looked::Failed(fault.clone()),
            (Ok(_), None) => Looked::Found(None),
            (Ok(_), Some(commit)) => match subjects.get(&commit) {
                None => Looked::Found(Some(OnGitLab { commit, subject: None })),
                Some(Ok(subject)) => Looked::Found(Some(OnGitLab { commit, subject: subject.clone() })),
                Some(Err(error)) => Looked::Failed(error.into()),
            },
        };
        let mut input = PrInput::new(seen.pr.clone(), branch);
        memory.note_of(&Subject::Pr(seen.pr.number)).recall(&mut input);
        input.asked = memory.resyncs.iter().any(|one| one.pr == seen.pr.number && one.head == seen.pr.head);
        input
    };
    open.iter().map(input).collect()
}

/// Finds out about statuses that were sent and not answered.
async fn settle(
    outside: &Outside,
    memory: &mut Memory,
    open: &[SeenPr],
    now: Timestamp,
    dry_run: bool,
    troubles: &mut Vec<String>,
) -> Result<(), Fault> {
    let listed: HashMap<&Sha, &Items<CommitStatus>> =
        open.iter().filter(|seen| seen.statuses.is_whole).map(|seen| (&seen.pr.head, &seen.statuses)).collect();
    for known in memory.kept.statuses.iter_mut().filter(|known| known.is_uncertain) {
        let KnownStatus { posted, is_uncertain } = known;
        let asked;
        let shown = match listed.get(&posted.sha) {
            Some(statuses) => *statuses,
            None => match outside.github.statuses(&posted.sha).await {
                Ok(statuses) => {
                    asked = statuses;
                    &asked
                }
                Err(fault) => {
                    troubles.push(fault.to_string());
                    let trouble = Trouble::again(None, &posted.sha, &fault.to_string(), now);
                    // Until it is known what GitHub shows, nothing is sent.
                    posted.refused = Some(PostRefusal::Failed(trouble));
                    continue;
                }
            },
        };
        let same = |one: &&CommitStatus| one.context.eq_ignore_ascii_case(&posted.context);
        posted.status = shown.listed.iter().find(same).cloned();
        posted.refused = None;
        *is_uncertain = false;
        if !dry_run {
            outside.store.put_status(&outside.name, posted, false, now).await.map_err(|error| local(&error))?;
        }
    }
    Ok(())
}

/// What GitHub shows: by our own records, and of the rest by what was listed with the heads.
fn posted(memory: &Memory, open: &[SeenPr]) -> Vec<Posted> {
    let mut all: HashMap<(Sha, String), Posted> = HashMap::new();
    let key = |sha: &Sha, context: &Arc<str>| (sha.clone(), context.to_ascii_lowercase());
    for seen in open {
        for status in &seen.statuses.listed {
            let (sha, context) = (seen.pr.head.clone(), status.context.clone());
            let one = Posted { sha, context, status: Some(status.clone()), refused: None };
            all.insert(key(&one.sha, &one.context), one);
        }
    }
    for known in &memory.kept.statuses {
        all.insert(key(&known.posted.sha, &known.posted.context), known.posted.clone());
    }
    let mut all: Vec<Posted> = all.into_values().collect();
    // Recordings of equal passes are equal.
    all.sort_by(|a, b| (&a.sha, &a.context).cmp(&(&b.sha, &b.context)));
    all
}
