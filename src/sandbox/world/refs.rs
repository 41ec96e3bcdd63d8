//! Branches and tags of the GitLab, and what a push of them starts: pipelines, events, and notes for whoever wants to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::ci::{JobId, PipelineId, Timestamp};

use super::super::git::{Change, Made, Oid, Pushed, Trunk};
use super::super::people::{BOT, Commit, OPERATOR, TOUCHED};
use super::super::plan::{Access, Plan, choose_change};
use super::super::rng::{Rng, hash};
use super::births::{Opening, child, stacks_with, trigger_of};
use super::casting::{Script, cast_change};
use super::{Refusal, World};

/// GitLab starts no more pipelines for the branches of one push, and no more for its tags.
const PIPELINES_A_PUSH: usize = 4;
/// With more refs, a push is one event without names, and no webhook tells of it.
pub const EVENTS_A_PUSH: usize = 3;

/// A commit of the repository.
#[derive(Debug, Clone)]
pub struct Known {
    pub commit: Arc<Commit>,
    pub at: Timestamp,
    /// The files that it changes, if a ref was ever pushed to it.
    paths: Arc<[String]>,
}

/// What the events of a project tell of a push.
#[derive(Debug, Clone)]
pub struct PushEvent {
    pub id: u64,
    pub at: Timestamp,
    /// `created`, `pushed` or `removed`.
    pub action: &'static str,
    /// `branch` or `tag`.
    pub kind: &'static str,
    /// None when the push had too many refs.
    pub name: Option<Arc<str>>,
    pub from: Option<Arc<str>>,
    pub to: Option<Arc<str>>,
    pub title: Option<Arc<str>>,
    pub commits: usize,
    /// How many refs, when there were too many.
    pub count: Option<usize>,
}

/// What webhooks tell of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    Pipeline(PipelineId),
    Job(JobId),
    /// A branch or a tag, by its full name, was moved from here to there.
    Push {
        name: String,
        old: Oid,
        new: Oid,
    },
}

/// Branches, tags, and the commits that they ever named.
#[derive(Debug, Default)]
pub struct Refs {
    branches: BTreeMap<String, Known>,
    tags: BTreeMap<String, Known>,
    commits: BTreeMap<Arc<str>, Known>,
    events: Vec<PushEvent>,
    /// Branches that were deleted over the API, and are still in the repository.
    gone: Vec<String>,
    /// Branches that were there once.
    deleted: BTreeSet<String>,
    /// None while nobody wants to be told.
    notes: Option<Vec<Note>>,
    pushes: u64,
}

impl Refs {
    /// The branches that nobody may rewrite.
    pub const PROTECTED: [&'static str; 2] = ["develop", Trunk::RELEASE];

    pub(super) fn new(trunk: &Trunk) -> Self {
        let known = |made: &Made| Known { commit: made.about.clone(), at: made.at, paths: Arc::default() };
        let mut refs = Self::default();
        for made in trunk.commits() {
            refs.commits.insert(made.about.sha.clone(), known(made));
        }
        let tips = [("develop", trunk.tip()), (Trunk::RELEASE, trunk.release.last())];
        refs.branches = tips.into_iter().filter_map(|(name, made)| Some((name.to_owned(), known(made?)))).collect();
        refs.tags = trunk
            .tags
            .iter()
            .filter_map(|(name, id)| Some((name.clone(), refs.commits.get(id.to_string().as_str())?.clone())))
            .collect();
        refs
    }

    /// Whether a branch was there once and is not any more.
    pub(super) fn is_deleted(&self, name: &str) -> bool {
        self.deleted.contains(name)
    }

    /// Branches by name.
    pub fn branches(&self) -> &BTreeMap<String, Known> {
        &self.branches
    }

    pub fn tags(&self) -> &BTreeMap<String, Known> {
        &self.tags
    }

    /// The newest commit of a branch.
    pub fn tip(&self, branch: &str) -> Option<Arc<Commit>> {
        self.branches.get(branch).map(|known| known.commit.clone())
    }

    /// A commit, by its whole name, by at least seven digits of it, or by a branch or tag.
    pub fn commit(&self, name: &str) -> Option<&Known> {
        let is_short = (7..40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let near = || {
            self.commits
                .range::<str, _>((Bound::Included(name), Bound::Unbounded))
                .next()
                .filter(|(sha, _)| is_short && sha.starts_with(name))
        };
        self.commits
            .get(name)
            .or_else(|| self.branches.get(name))
            .or_else(|| self.tags.get(name))
            .or_else(|| near().map(|(_, known)| known))
    }

    pub fn is_protected(name: &str) -> bool {
        Self::PROTECTED.contains(&name)
    }

    /// Pushes, the oldest first.
    pub fn events(&self) -> &[PushEvent] {
        &self.events
    }

    pub(super) fn note(&mut self, note: Note) {
        if let Some(notes) = &mut self.notes {
            notes.push(note);
        }
    }

    /// A branch or a tag as the repository has it now.
    fn set(&mut self, change: &Change) -> Option<(&'static str, Arc<str>)> {
        let branch = change.name.strip_prefix("refs/heads/").map(|name| (&mut self.branches, "branch", name));
        let (all, kind, name) =
            branch.or_else(|| change.name.strip_prefix("refs/tags/").map(|name| (&mut self.tags, "tag", name)))?;
        match self.commits.get_mut(change.new.to_string().as_str()) {
            Some(known) => {
                known.paths = change.paths.clone().into();
                all.insert(name.to_owned(), known.clone());
                self.deleted.remove(name);
            }
            None => {
                all.remove(name);
                self.deleted.insert(name.to_owned());
            }
        }
        Some((kind, name.into()))
    }
}

impl World {
    /// Takes in what a push has brought, and starts what GitLab starts for it.
    pub fn receive(&mut self, pushed: &Pushed) {
        for new in &pushed.commits {
            let sha: Arc<str> = new.id.to_string().into();
            let title = title_of(&new.message);
            let commit = Commit {
                sha: sha.clone(),
                parents: new.parents.iter().map(|parent| parent.to_string().into()).collect(),
                title: title.into(),
                message: new.message.clone(),
                author: new.author.clone(),
                email: new.email.clone(),
            };
            self.refs.commits.insert(sha, Known { commit: Arc::new(commit), at: new.at, paths: Arc::default() });
        }
        let skips = pushed.options.iter().any(|option| option == "ci.skip");
        for kind in ["branch", "tag"] {
            let prefix = if kind == "tag" { "refs/tags/" } else { "refs/heads/" };
            let changes: Vec<&Change> =
                pushed.changes.iter().filter(|change| change.name.starts_with(prefix)).collect();
            let names: Vec<Arc<str>> =
                changes.iter().filter_map(|change| self.refs.set(change)).map(|(_, name)| name).collect();
            self.tell(kind, &changes, &names, pushed);
            let alive = changes.iter().zip(&names).filter(|(change, _)| change.new != Oid::ZERO && !skips);
            for (change, name) in alive.take(PIPELINES_A_PUSH) {
                self.start_for(change, name, kind == "tag");
            }
        }
        self.settle();
    }

    /// Writes the events of a push.
    fn tell(&mut self, kind: &'static str, changes: &[&Change], names: &[Arc<str>], pushed: &Pushed) {
        let is_bulk = changes.len() > EVENTS_A_PUSH;
        let sha = |id: Oid| (id != Oid::ZERO).then(|| Arc::from(id.to_string()));
        for (change, name) in changes.iter().zip(names).take(if is_bulk { 1 } else { EVENTS_A_PUSH }) {
            let action = match (change.old, change.new) {
                (Oid::ZERO, _) => "created",
                (_, Oid::ZERO) => "removed",
                _ => "pushed",
            };
            let to = sha(change.new).filter(|_| !is_bulk);
            let title =
                to.as_deref().and_then(|sha| self.refs.commits.get(sha)).map(|known| known.commit.title.clone());
            self.refs.events.push(PushEvent {
                id: 5_000_000 + self.refs.events.len() as u64,
                at: self.now,
                action,
                kind,
                name: (!is_bulk).then(|| name.clone()),
                from: sha(change.old).filter(|_| !is_bulk),
                to,
                title,
                commits: if is_bulk { 0 } else { pushed.commits.len() },
                count: is_bulk.then_some(changes.len()),
            });
            if !is_bulk {
                self.refs.note(Note::Push { name: change.name.clone(), old: change.old, new: change.new });
            }
        }
    }

    /// Starts the pipeline of one branch or tag; an older one of the same branch is canceled.
    fn start_for(&mut self, change: &Change, name: &Arc<str>, is_tag: bool) {
        let Some(known) = self.refs.commits.get(change.new.to_string().as_str()) else { return };
        let commit = known.commit.clone();
        if !is_tag {
            self.supersede(name);
        }
        self.refs.pushes += 1;
        let n = self.refs.pushes;
        if &**name == "develop" && !is_tag {
            return self.build_develop(1_000 + n, "push");
        }
        self.open_small(n, name, is_tag, commit, "push", &change.paths);
    }

    /// Runs the newest commit of a branch or tag that has had no pipeline yet.
    pub(super) fn run_ref(&mut self, name: &str) -> Option<PipelineId> {
        let is_tag = !self.refs.branches.contains_key(name);
        let known = self.refs.branches.get(name).or_else(|| self.refs.tags.get(name))?.clone();
        self.refs.pushes += 1;
        let n = self.refs.pushes;
        Some(self.open_small(n, &name.into(), is_tag, known.commit, "api", &known.paths))
    }

    /// A pipeline with one small child when packages have changed that a stack builds, and with none otherwise.
    fn open_small(
        &mut self,
        n: u64,
        name: &Arc<str>,
        is_tag: bool,
        commit: Arc<Commit>,
        source: &'static str,
        paths: &[String],
    ) -> PipelineId {
        let access = if is_tag || Refs::is_protected(name) { Access::Protected } else { Access::Public };
        let mut rng = Rng::of(self.seed, "small pipeline", n);
        let package = TOUCHED.iter().find(|package| {
            let folder = format!("/{}/package.py", package.replace('-', "_"));
            access == Access::Public && paths.iter().any(|path| path.ends_with(&folder))
        });
        let stacks: Vec<usize> =
            package.map(|package| stacks_with(package, &mut rng)).into_iter().flatten().take(1).collect();
        let plan = Arc::new(Plan::parent(&stacks, access));
        let mut children = BTreeMap::new();
        for (stack, package) in stacks.into_iter().zip(package) {
            let chosen = choose_change(stack, package, 4).unwrap_or_default();
            if let Some(mut child) = child(stack, &chosen, access) {
                cast_change(self.seed, self.scenario, hash(&commit.sha), package, &mut child);
                children.insert(trigger_of(&plan, stack), child);
            }
        }
        self.open(Opening {
            parent: None,
            git_ref: name.clone(),
            is_tag,
            commit,
            source,
            name: None,
            user: if source == "api" { &OPERATOR } else { &BOT },
            access,
            key: hash("pushed") ^ n,
            plan,
            script: Script { children, ..Script::default() },
            at: self.now,
        })
    }

    /// Takes in what an earlier bridge has pushed, whose pipelines are over; gives every ref that the repository has.
    pub fn bridged(&mut self, branches: &[(String, Made)]) -> BTreeMap<String, Oid> {
        for (name, made) in branches {
            let known = Known { commit: made.about.clone(), at: made.at, paths: Arc::default() };
            self.refs.commits.insert(made.about.sha.clone(), known.clone());
            self.refs.branches.insert(name.clone(), known);
            self.past_pipeline(name, made);
        }
        let full = |prefix: &str, (name, known): (&String, &Known)| {
            Some((format!("{prefix}{name}"), Oid::parse(&known.commit.sha)?))
        };
        let heads = self.refs.branches.iter().filter_map(|one| full("refs/heads/", one));
        heads.chain(self.refs.tags.iter().filter_map(|one| full("refs/tags/", one))).collect()
    }

    /// Deletes a branch. Whoever serves the repository asks [`Self::take_gone`] afterwards.
    pub fn delete_branch(&mut self, name: &str) -> Result<(), Refusal> {
        if Refs::is_protected(name) {
            return Err(Refusal::NotErasable);
        }
        let known = self.refs.branches.remove(name).ok_or(Refusal::NotFound)?;
        self.refs.deleted.insert(name.to_owned());
        let full = format!("refs/heads/{name}");
        let change = Change {
            name: full.clone(),
            old: Oid::parse(&known.commit.sha).unwrap_or(Oid::ZERO),
            new: Oid::ZERO,
            paths: Vec::new(),
        };
        self.tell("branch", &[&change], &[name.into()], &Pushed::default());
        self.refs.gone.push(full);
        Ok(())
    }

    /// The refs that were deleted over the API since this was last asked.
    pub fn take_gone(&mut self) -> Vec<String> {
        std::mem::take(&mut self.refs.gone)
    }

    /// What happened since this was last asked. From the first time on, it is written down.
    pub fn take_notes(&mut self) -> Vec<Note> {
        self.refs.notes.replace(Vec::new()).unwrap_or_default()
    }
}

/// GitLab's title of a commit: the first line, shortened when it is long.
fn title_of(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    if line.chars().count() < 100 {
        return line.to_owned();
    }
    line.chars().take(79).chain(['…']).collect()
}
