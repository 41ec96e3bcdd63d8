//! Sends one batch to GitLab, and reads what became of each ref.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::error::{MirrorError, one_line};
use super::open::Mirror;
use super::program::{Run, Said};
use super::settings::Side;
use crate::bridge::{PushBatch, RefUpdate};

/// What became of one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// GitLab took it, whatever happened to the others.
    Accepted,
    /// GitLab had it already.
    There,
    /// GitLab, or git in its name, said no. Not to be tried again in the same pass.
    Refused(Refusal, String),
    /// It is not known that GitLab has it; after a deadline or a broken connection it may.
    Failed(MirrorError),
}

impl Landed {
    /// GitLab has it.
    pub const fn is_there(&self) -> bool {
        matches!(self, Self::Accepted | Self::There)
    }
}

/// Who said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The ref is not where it was expected to be.
    Moved,
    /// It would overwrite, and may not.
    NotForward,
    /// A rule of GitLab.
    Server,
}

impl Mirror {
    /// Pushes a batch. One ref that GitLab refuses, or that git cannot even name, holds up no other.
    ///
    /// Never forced: a ref is overwritten only where its lease names what is overwritten. Pushing again what has arrived changes nothing.
    pub async fn push(&self, batch: &PushBatch) -> Vec<(RefUpdate, Landed)> {
        let mut landed: HashMap<String, Landed> = HashMap::new();
        let ready = self.prepare(&batch.refs, &mut landed).await;
        let first = self.push_once(&ready).await;
        let (again, done): (Vec<_>, Vec<_>) =
            ready.iter().zip(first).partition(|(_, became)| ready.len() > 1 && is_collateral(became));
        landed.extend(done.into_iter().map(|(update, became)| (update.full_name(), became)));
        for (update, _) in again {
            let became = self.push_once(&[update]).await.pop();
            landed.extend(became.map(|became| (update.full_name(), became)));
        }
        let names: Vec<String> = ready.iter().map(|update| update.full_name()).collect();
        let heads: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| name.starts_with("refs/heads/")).collect();
        if let Err(error) = self.delete(&heads).await {
            // They are in nobody's way until the mirror is opened the next time.
            tracing::warn!(%error, "local branches of a push stay");
        }
        let lost = || {
            Landed::Failed(MirrorError::Failed {
                doing: PUSH.to_owned(),
                code: None,
                said: "nothing was heard about it".to_owned(),
            })
        };
        let became = |update: &RefUpdate| landed.get(&update.full_name()).cloned().unwrap_or_else(lost);
        batch.refs.iter().map(|update| (update.clone(), became(update))).collect()
    }

    /// Gives each ref its name here; those that cannot have one are told.
    async fn prepare<'a>(&self, refs: &'a [RefUpdate], landed: &mut HashMap<String, Landed>) -> Vec<&'a RefUpdate> {
        let order = |update: &RefUpdate| format!("update {} {}\n", update.full_name(), update.commit);
        let name = async |orders: String| {
            self.git.local("name what is pushed", &["update-ref", "--stdin"], Some(orders.as_bytes())).await
        };
        if name(refs.iter().map(order).collect()).await.is_ok() {
            return refs.iter().collect();
        }
        let mut ready = Vec::new();
        for update in refs {
            match name(order(update)).await {
                Ok(_) => ready.push(update),
                Err(error) => {
                    let error = self.known([&update.commit]).await.err().unwrap_or(error);
                    landed.insert(update.full_name(), Landed::Failed(error));
                }
            }
        }
        ready
    }

    /// One command, in the order of the refs.
    async fn push_once(&self, refs: &[&RefUpdate]) -> Vec<Landed> {
        if refs.is_empty() {
            return Vec::new();
        }
        let batch = PushBatch { refs: refs.iter().map(|update| (*update).clone()).collect() };
        let (leases, refspecs) = batch.arguments();
        // While the hooks of GitLab look at a large push it says next to nothing; a deadline there is.
        let options = ["-c", "http.lowSpeedLimit=0", "push", "--porcelain", "--no-progress", "--no-verify"];
        let leases = leases.iter().map(String::as_str);
        let refspecs = refspecs.iter().map(String::as_str);
        let arguments: Vec<&str> =
            options.into_iter().chain(leases).chain([Side::GitLab.remote()]).chain(refspecs).collect();
        let deadlines = &self.git.settings.deadlines;
        let is_first = self.is_gitlab_empty.load(Ordering::Relaxed);
        let deadline = if is_first { deadlines.first_push } else { deadlines.push };
        let run =
            Run { doing: PUSH, arguments: &arguments, environment: &[], input: None, deadline, in_subjects: false };
        let judge = |said: &Said| {
            let mut told = read(said);
            let became: Vec<Option<Landed>> = refs.iter().map(|update| told.remove(&update.full_name())).collect();
            if became.iter().any(Option::is_some) || said.code == Some(0) {
                let unheard = || Landed::Failed(said.garbled(PUSH));
                return Ok(became.into_iter().map(|one| one.unwrap_or_else(unheard)).collect());
            }
            Err(MirrorError::of_remote(Side::GitLab, PUSH, said.code, &said.complaint))
        };
        match self.git.remote(Side::GitLab, run, judge).await {
            Ok(landed) => landed,
            Err(error) => vec![Landed::Failed(error); refs.len()],
        }
    }
}

const PUSH: &str = "push to GitLab";

/// It may have failed only because of its company: GitLab's first hook refuses all refs of a push, and git the whole command, for one.
fn is_collateral(landed: &Landed) -> bool {
    match landed {
        Landed::Refused(Refusal::Server, why) => why.contains("pre-receive hook declined"),
        Landed::Failed(error) => !error.is_about_all() && !matches!(error, MirrorError::Deadline { .. }),
        _ => false,
    }
}

/// `<flag>\t<from>:<to>\t<summary> (<reason>)` per ref, by what it is on GitLab.
fn read(said: &Said) -> HashMap<String, Landed> {
    let out = String::from_utf8_lossy(&said.out);
    let one = |line: &str| {
        let mut parts = line.splitn(3, '\t');
        let (flag, names, summary) = (parts.next()?, parts.next()?, parts.next()?);
        let (_, name) = names.rsplit_once(':')?;
        let landed = match flag {
            " " | "+" | "*" | "-" => Landed::Accepted,
            "=" => Landed::There,
            "!" => refused(summary, &said.complaint),
            _ => return None,
        };
        Some((name.to_owned(), landed))
    };
    out.lines().filter_map(one).collect()
}

fn refused(summary: &str, complaint: &str) -> Landed {
    let summary = one_line(&crate::console::text::clean(summary));
    let (kind, why) = match summary.split_once("] (") {
        Some((kind, why)) => (kind.trim_start_matches('['), why.trim_end_matches(')')),
        None => (summary.trim_matches(['[', ']']), ""),
    };
    match (kind, why) {
        ("rejected", "stale info") => {
            Landed::Refused(Refusal::Moved, "it is not where it was expected to be".to_owned())
        }
        ("rejected", why) => Landed::Refused(Refusal::NotForward, why.to_owned()),
        ("remote failure", why) => {
            Landed::Failed(MirrorError::Unreachable { side: Side::GitLab, said: why.to_owned() })
        }
        (_, why) => {
            let words = complaint.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
            let words: Vec<&str> = words.filter(|word| word.contains(char::is_alphanumeric)).take(3).collect();
            let why = if why.is_empty() { kind } else { why };
            let all = if words.is_empty() { why.to_owned() } else { format!("{why}: {}", words.join(" ")) };
            Landed::Refused(Refusal::Server, crate::console::text::cut_end(&all, 300).into_owned())
        }
    }
}
