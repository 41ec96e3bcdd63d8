//! What people can do to a pull request. The clockwork and tests come through the same door.

use std::sync::Arc;

use super::super::git::{Made, Oid, Trunk};
use super::super::people::{AUTHORS, TOUCHED};
use super::super::rng::Rng;
use super::cast::PRECHECKS;
use super::hub::Hub;
use super::news::News;
use super::people::Event;
use super::pr::{Check, Comment, Judged, PrState, Pull};

/// Who makes branches besides those of pull requests.
const RELEASER: (&str, &str) = ("Robin Aster", "robin@stackhand.example");

/// One thing that somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// One more commit; its checks start.
    Push,
    /// Another commit in place of the head.
    ForcePush,
    /// A push that the API does not tell of yet.
    PushUnseen,
    /// The API tells of the head that git has.
    CatchUp,
    /// A force push of something that conflicts with every later commit of develop.
    Conflict,
    Label(Arc<str>),
    Unlabel(Arc<str>),
    Draft,
    Ready,
    Close,
    Reopen,
    /// Merges it into its base, if that is possible.
    Merge,
    /// Points it at another base.
    Retarget(Arc<str>),
    DeleteFork,
    /// A check of the head ends, whether it had started or not.
    Check {
        name: Arc<str>,
        conclusion: &'static str,
    },
    Comment(Arc<str>),
}

/// There is no such pull request, or it is not in a state for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("pull request {0} is not there, or not in a state for that")]
pub struct NoPull(pub u64);

impl Hub {
    /// Somebody does something, now.
    pub fn act(&mut self, number: u64, act: Act) -> Result<(), NoPull> {
        let no = || NoPull(number);
        let is_reopening = act == Act::Reopen;
        let pull = self.pulls.get_mut(&number).ok_or_else(no)?;
        if pull.is_open() == is_reopening || pull.state == PrState::Merged {
            return Err(no());
        }
        let (head, now) = (pull.head.id, self.now);
        let action = match act {
            Act::Push => {
                self.add_commit(number);
                return self.synchronize(number, head);
            }
            Act::ForcePush => {
                self.replace_head(number);
                return self.synchronize(number, head);
            }
            Act::PushUnseen => {
                self.add_commit(number);
                let told = self.pulls.get_mut(&number).ok_or_else(no)?;
                told.told.get_or_insert(head);
                return Ok(());
            }
            Act::CatchUp => {
                let before = pull.told.take().ok_or_else(no)?;
                return self.synchronize(number, before);
            }
            Act::Conflict => {
                self.conflict(number).ok_or_else(no)?;
                return self.synchronize(number, head);
            }
            Act::Merge => return self.merge(number).ok_or_else(no),
            Act::Check { name, conclusion } => {
                self.end_check(head, &name, conclusion);
                return Ok(());
            }
            Act::Comment(body) => {
                self.comment(number, "oncall", &body);
                return Ok(());
            }
            Act::Label(label) => {
                if !pull.labels.contains(&label) {
                    pull.labels.push(label);
                }
                "labeled"
            }
            Act::Unlabel(label) => {
                pull.labels.retain(|one| *one != label);
                "unlabeled"
            }
            Act::Draft => {
                pull.is_draft = true;
                "converted_to_draft"
            }
            Act::Ready => {
                pull.is_draft = false;
                "ready_for_review"
            }
            Act::Close => {
                (pull.state, pull.closed_at) = (PrState::Closed, Some(now));
                "closed"
            }
            Act::Reopen => {
                (pull.state, pull.closed_at) = (PrState::Open, None);
                pull.judged = Judged::NotYet;
                "reopened"
            }
            Act::Retarget(base) => {
                pull.base_ref = base;
                pull.judged = Judged::NotYet;
                "edited"
            }
            Act::DeleteFork => {
                pull.head_repo = None;
                // Nobody is told.
                return Ok(());
            }
        };
        self.announce(number, action, None);
        Ok(())
    }

    /// Opens a pull request of one commit on develop and gives its number.
    pub fn open_pull(&mut self, head_ref: &str, package: &'static str) -> Option<u64> {
        let number = self.pulls.keys().last().map_or(5_201, |last| last + 1);
        let mut rng = Rng::of(self.seed, "opened", number);
        let (author, login) = *rng.pick(AUTHORS, &("Ada Brandt", "ada-brandt"));
        let email: Arc<str> = format!("{login}@example.invalid").into();
        let fork = self.tip("develop")?.clone();
        let title = format!("{package}: add v{}.{}", rng.between(1, 9), rng.below(20));
        let files = self.with_change(&fork.files, package, &format!("{title} (#{number})"));
        let head = self.make(&files, &[fork.id], (author, &email), &title);
        self.moved.push((format!("refs/pull/{number}/head"), Some(head.id)));
        self.pulls.insert(
            number,
            Pull {
                head_ref: head_ref.into(),
                package,
                ..Pull::opened(number, &title, (author, &email), head, self.now)
            },
        );
        self.start_checks(number);
        self.announce(number, "opened", None);
        Some(number)
    }

    /// Opens one that branches off a commit which the GitLab has tested, so that nothing holds it back once its checks succeed.
    pub fn open_ready(&mut self, head_ref: &str) -> Option<u64> {
        let tip = self.tip("develop")?.clone();
        let number = self.open_pull(head_ref, "hdf5")?;
        // Seven commits back lies what was tested before the world began.
        let mut fork = tip.clone();
        for _ in 0..7 {
            let Some(parent) = fork.parents.first().and_then(|id| self.graph.get(id)) else { break };
            fork = parent.clone();
        }
        let pull = self.pulls.get(&number)?.clone();
        let path = |package: &str| super::super::git::path_of(package);
        let package = TOUCHED.iter().find(|package| tip.files.get(&path(package)) == fork.files.get(&path(package)))?;
        let files = self.with_change(&fork.files, package, &format!("ready (#{number})"));
        let head = self.make(&files, &[fork.id], (&pull.author, &pull.email), &pull.title);
        self.moved.push((format!("refs/pull/{number}/head"), Some(head.id)));
        let pull = self.pulls.get_mut(&number)?;
        (pull.head, pull.package) = (head, package);
        self.finish_checks(number);
        Some(number)
    }

    /// A commit of one file on the head of a pull request, as the web editor makes it.
    pub fn commit_file(&mut self, number: u64, path: &str, text: &str, message: &str) -> Result<Oid, NoPull> {
        let pull = self.pulls.get(&number).filter(|pull| pull.is_open()).ok_or(NoPull(number))?.clone();
        let below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
        if pull.head.files.keys().any(|file| below(file, path) || below(path, file)) {
            // A file cannot lie in a file.
            return Err(NoPull(number));
        }
        let id = self.store.file(text);
        let mut files = (*pull.head.files).clone();
        files.insert(path.into(), id);
        let head = self.make(&files, &[pull.head.id], (&pull.author, &pull.email), message);
        let new = head.id;
        self.set_head(number, head);
        if let Some(pull) = self.pulls.get_mut(&number) {
            pull.commits += 1;
        }
        self.synchronize(number, pull.head.id)?;
        Ok(new)
    }

    /// A check of the head is run again and ends, beside the run before.
    pub fn run_again(&mut self, number: u64, name: &str, conclusion: &'static str) -> Option<()> {
        let head = self.pulls.get(&number)?.head.id;
        self.checks.entry(head).or_default().retain(|check| *check.name != *name || check.ended.is_some());
        self.end_check(head, name, conclusion);
        Some(())
    }

    /// A branch is protected no more.
    pub fn unprotect(&mut self, branch: &str) {
        self.unprotected.insert(branch.to_owned());
    }

    /// A branch is made of another one and a commit of its own, protected like all of them.
    pub fn branch(&mut self, name: &str, of: &str) -> Option<()> {
        let from = self.tip(of)?.clone();
        let mut files = (*from.files).clone();
        files.insert("NEWS".into(), self.store.file(name));
        let id = self.make(&files, &[from.id], RELEASER, &format!("Begin {name}")).id;
        self.branches.insert(name.to_owned(), id);
        self.moved.push((format!("refs/heads/{name}"), Some(id)));
        Some(())
    }

    /// A tag is made, or moved to another commit.
    pub fn tag(&mut self, name: &str, branch: &str) -> Option<()> {
        let id = self.tip(branch)?.id;
        self.tags.insert(name.to_owned(), id);
        self.moved.push((format!("refs/tags/{name}"), Some(id)));
        Some(())
    }

    fn synchronize(&mut self, number: u64, before: Oid) -> Result<(), NoPull> {
        let pull = self.pulls.get_mut(&number).ok_or(NoPull(number))?;
        if pull.judged != Judged::Slow {
            pull.judged = Judged::NotYet;
        }
        pull.told = None;
        self.start_checks(number);
        self.announce(number, "synchronize", Some(before));
        Ok(())
    }

    /// What everybody sees and webhooks tell.
    fn announce(&mut self, number: u64, action: &'static str, before: Option<Oid>) {
        let now = self.now;
        if let Some(pull) = self.pulls.get_mut(&number) {
            pull.updated_at = now;
        }
        let news = self.pulls.get(&number).map(|pull| News::pull(self, pull, action, before));
        self.news.extend(news);
    }

    fn set_head(&mut self, number: u64, head: Made) {
        self.moved.push((format!("refs/pull/{number}/head"), Some(head.id)));
        if let Some(pull) = self.pulls.get_mut(&number) {
            pull.head = head;
        }
    }

    fn replace_head(&mut self, number: u64) {
        let Some(pull) = self.pulls.get(&number).cloned() else { return };
        let id = self.next_id();
        let title = format!("{} (amended {id})", pull.title);
        let files = self.with_change(&pull.head.files, pull.package, &title);
        let head = self.make(&files, &pull.head.parents, (&pull.author, &pull.email), &title);
        self.set_head(number, head);
    }

    fn conflict(&mut self, number: u64) -> Option<()> {
        let pull = self.pulls.get(&number)?.clone();
        let tip = self.tip("develop")?.clone();
        let mut fork = tip.clone();
        // The oldest commit: nearly everything has changed since.
        while let Some(parent) = fork.parents.first().and_then(|id| self.graph.get(id)) {
            fork = parent.clone();
        }
        let path = |package: &str| super::super::git::path_of(package);
        // What was changed early conflicts with every later commit.
        let mut later = tip;
        let mut history = Vec::new();
        while let Some(parent) = later.parents.first().and_then(|id| self.graph.get(id)) {
            history.push(later.clone());
            later = parent.clone();
        }
        let early = history.last()?;
        let package =
            TOUCHED.iter().find(|package| early.files.get(&path(package)) != fork.files.get(&path(package)))?;
        let id = self.next_id();
        let title = format!("{package}: another way ({id})");
        let files = self.with_change(&fork.files, package, &title);
        let head = self.make(&files, &[fork.id], (&pull.author, &pull.email), &title);
        self.set_head(number, head);
        Some(())
    }

    fn merge(&mut self, number: u64) -> Option<()> {
        let pull = self.pulls.get(&number)?.clone();
        let base = *self.branches.get(&*pull.base_ref)?;
        let files = self.merged_files(&pull.head, base)?;
        let title = format!("{} (#{number})", pull.title);
        // Spack squashes.
        let made = self.make(&files, &[base], (&pull.author, &pull.email), &title);
        let now = self.now;
        let merged = self.pulls.get_mut(&number)?;
        merged.state = PrState::Merged;
        (merged.closed_at, merged.merged_at, merged.merge_commit) = (Some(now), Some(now), Some(made.id));
        self.announce(number, "closed", None);
        self.move_branch(&pull.base_ref, &made);
        Some(())
    }

    /// Checks of a new head start, and will end.
    fn start_checks(&mut self, number: u64) {
        let Some(head) = self.pulls.get(&number).map(Pull::told_head) else { return };
        let mut rng = Rng::of(self.seed, "checks", number ^ self.ids);
        for (name, soonest) in [("style", 60_000), (PRECHECKS, 180_000)] {
            let id = self.next_id();
            let check = Check { id, name: name.into(), started_at: self.now, ended: None };
            self.news.push(News::check(self, head, &check, "created"));
            self.checks.entry(head).or_default().push(check);
            let conclusion = if rng.chance(0.15) { "failure" } else { "success" };
            let end = self.now.shifted(soonest + rng.below(4 * 60_000) as i64);
            self.plan(end, Event::CheckEnds(head, name, conclusion));
        }
    }

    /// The newest run of a check ends; one that had not started has then run at once.
    pub(super) fn end_check(&mut self, head: Oid, name: &str, conclusion: &'static str) {
        let (now, id) = (self.now, self.next_id());
        let all = self.checks.entry(head).or_default();
        let running = all.iter_mut().rev().find(|check| *check.name == *name && check.ended.is_none());
        let ended = match running {
            Some(check) => {
                check.ended = Some((conclusion, now));
                check.clone()
            }
            None => {
                let check = Check { id, name: name.into(), started_at: now, ended: Some((conclusion, now)) };
                all.push(check.clone());
                check
            }
        };
        self.news.push(News::check(self, head, &ended, "completed"));
    }

    pub(super) fn comment(&mut self, number: u64, author: &str, body: &str) -> Comment {
        let comment =
            Comment { id: self.next_id(), pull: number, author: author.into(), body: body.into(), at: self.now };
        self.comments.push(comment.clone());
        let news = self.pulls.get(&number).map(|pull| News::comment(self, pull, &comment));
        self.news.extend(news);
        let now = self.now;
        if let Some(pull) = self.pulls.get_mut(&number) {
            pull.updated_at = now;
        }
        comment
    }

    /// The branch that releases are made from.
    pub(super) fn release() -> Arc<str> {
        Trunk::RELEASE.into()
    }
}
