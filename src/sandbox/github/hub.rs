//! Everything that this GitHub holds, and how it hangs together: commits, branches, merges, statuses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use super::super::git::{Made, Object, Oid, Store, Trunk, merge};
use super::news::News;
use super::people::Event;
use super::pr::{Check, Comment, Judged, PrState, Pull, Status};
use crate::ci::Timestamp;

/// GitHub takes no more statuses of one context on one commit.
const MOST_STATUSES: usize = 1_000;

/// The GitHub at one moment.
#[derive(Debug)]
pub struct Hub {
    pub(super) seed: u64,
    pub(super) now: Timestamp,
    /// The address that clients know it by.
    pub(super) base: String,
    pub(super) store: Store,
    pub(super) graph: BTreeMap<Oid, Made>,
    pub(super) branches: BTreeMap<String, Oid>,
    pub(super) unprotected: BTreeSet<String>,
    pub(super) tags: BTreeMap<String, Oid>,
    pub(super) pulls: BTreeMap<u64, Pull>,
    pub(super) statuses: BTreeMap<Oid, Vec<Status>>,
    pub(super) checks: BTreeMap<Oid, Vec<Check>>,
    pub(super) comments: Vec<Comment>,
    pub(super) events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    pub(super) moved: Vec<(String, Option<Oid>)>,
    pub(super) news: Vec<News>,
    /// What the GitLab has got already: branches with their merges, and all objects that they need.
    pub(super) bridged: Vec<(String, Made)>,
    pub(super) ids: u64,
}

impl Hub {
    /// The GitHub of a seed with that many open pull requests; `base` is its address.
    pub fn new(seed: u64, pulls: usize, trunk: &Trunk, now: Timestamp, base: &str) -> Self {
        let mut hub = Self {
            seed,
            now,
            base: base.to_owned(),
            store: trunk.store.clone(),
            graph: trunk.commits().map(|made| (made.id, made.clone())).collect(),
            branches: BTreeMap::new(),
            unprotected: BTreeSet::new(),
            tags: trunk.tags.clone(),
            pulls: BTreeMap::new(),
            statuses: BTreeMap::new(),
            checks: BTreeMap::new(),
            comments: Vec::new(),
            events: BinaryHeap::new(),
            moved: Vec::new(),
            news: Vec::new(),
            bridged: Vec::new(),
            ids: 1_700_000,
        };
        for (name, made) in [("develop", trunk.tip()), (Trunk::RELEASE, trunk.release.last())] {
            hub.branches.extend(made.map(|made| (name.to_owned(), made.id)));
        }
        if let Some(old) = trunk.develop.get(5) {
            hub.branches.insert("docs/rewrite".to_owned(), old.id);
            hub.unprotected.insert("docs/rewrite".to_owned());
        }
        hub.populate(pulls, trunk);
        hub
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Every ref that git clients can fetch.
    pub fn refs(&self) -> BTreeMap<String, Oid> {
        let heads = self.branches.iter().map(|(name, id)| (format!("refs/heads/{name}"), *id));
        let tags = self.tags.iter().map(|(name, id)| (format!("refs/tags/{name}"), *id));
        let pulls = self.pulls.values().flat_map(|pull| {
            let merge = match pull.judged {
                Judged::Clean(merge) => Some((format!("refs/pull/{}/merge", pull.number), merge)),
                _ => None,
            };
            [(format!("refs/pull/{}/head", pull.number), pull.head.id)].into_iter().chain(merge)
        });
        heads.chain(tags).chain(pulls).collect()
    }

    /// Branches that the GitLab has got from an earlier bridge, with their commits.
    pub fn bridged(&self) -> &[(String, Made)] {
        &self.bridged
    }

    /// Open, closed and merged pull requests by number.
    pub fn pulls(&self) -> &BTreeMap<u64, Pull> {
        &self.pulls
    }

    pub fn pull(&self, number: u64) -> Option<&Pull> {
        self.pulls.get(&number)
    }

    /// The newest commit of a branch.
    pub fn tip(&self, branch: &str) -> Option<&Made> {
        self.branches.get(branch).and_then(|id| self.graph.get(id))
    }

    /// Every status of a commit, the oldest first.
    pub fn statuses_of(&self, sha: &str) -> &[Status] {
        Oid::parse(sha).and_then(|id| self.statuses.get(&id)).map_or(&[], Vec::as_slice)
    }

    /// Commits that have statuses.
    pub fn told(&self) -> impl Iterator<Item = &Oid> {
        self.statuses.keys()
    }

    /// What git does not have yet: objects, and refs that moved.
    pub fn take_changes(&mut self) -> (Vec<Object>, Vec<(String, Option<Oid>)>) {
        (self.store.take(), std::mem::take(&mut self.moved))
    }

    /// What webhooks have not been told yet.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn plan(&mut self, at: Timestamp, event: Event) {
        let id = self.next_id();
        self.events.push(Reverse((at, id, event)));
    }

    /// Makes a commit that everybody can name from now on.
    pub(super) fn make(
        &mut self,
        files: &super::super::git::Files,
        parents: &[Oid],
        author: (&str, &str),
        title: &str,
    ) -> Made {
        let made = self.store.make(files, parents, author.0, author.1, self.now, title);
        self.graph.insert(made.id, made.clone());
        made
    }

    /// The newest commit that both have; `None` for unrelated histories.
    pub(super) fn merge_base(&self, one: Oid, other: Oid) -> Option<&Made> {
        let history = |from: Oid| {
            let (mut seen, mut queue) = (BTreeSet::from([from]), vec![from]);
            while let Some(id) = queue.pop() {
                let parents = self.graph.get(&id).into_iter().flat_map(|made| &made.parents);
                queue.extend(parents.filter(|parent| seen.insert(**parent)));
            }
            seen
        };
        let (one, other) = (history(one), history(other));
        one.intersection(&other).filter_map(|id| self.graph.get(id)).max_by_key(|made| made.at)
    }

    /// Merges a head into a commit, as GitHub tests it. Nothing is kept when it conflicts.
    pub(super) fn merged(&mut self, head: &Made, into: Oid, who: (&str, &str), title: &str) -> Option<Made> {
        let files = self.merged_files(head, into)?;
        Some(self.make(&files, &[into, head.id], who, title))
    }

    pub(super) fn merged_files(&self, head: &Made, into: Oid) -> Option<super::super::git::Files> {
        let base = self.merge_base(head.id, into)?;
        merge(&base.files, &self.graph.get(&into)?.files, &head.files)
    }

    /// Looks whether a pull request can be merged, and keeps the merge.
    pub(super) fn judge(&mut self, number: u64) {
        let Some(pull) = self.pulls.get(&number).filter(|pull| pull.is_open()) else { return };
        let Some(base) = self.branches.get(&*pull.base_ref).copied() else { return };
        let head = pull.head.clone();
        let title = format!("Merge {} into {base}", head.id);
        let judged = match self.merged(&head, base, ("GitHub", "noreply@github.com"), &title) {
            Some(made) => {
                self.moved.push((format!("refs/pull/{number}/merge"), Some(made.id)));
                Judged::Clean(made.id)
            }
            // The ref stays where it was.
            None => Judged::Conflict,
        };
        if let Some(pull) = self.pulls.get_mut(&number) {
            pull.judged = judged;
        }
    }

    /// Whoever asks for a pull request makes GitHub look at it, and is told the next time.
    pub(super) fn look(&mut self, number: u64) {
        if self.pulls.get(&number).is_some_and(|pull| pull.judged == Judged::NotYet) {
            self.judge(number);
        }
    }

    /// A branch moves; what conflicts with it now has to be looked at again.
    pub(super) fn move_branch(&mut self, name: &str, to: &Made) {
        let old = self.branches.insert(name.to_owned(), to.id).unwrap_or(Oid::ZERO);
        self.moved.push((format!("refs/heads/{name}"), Some(to.id)));
        self.news.push(News::push(self, name, old, to));
        let open: Vec<(u64, Made)> = self
            .pulls
            .values()
            .filter(|pull| pull.is_open() && *pull.base_ref == *name && matches!(pull.judged, Judged::Clean(_)))
            .map(|pull| (pull.number, pull.head.clone()))
            .collect();
        for (number, head) in open {
            if self.merged_files(&head, to.id).is_none()
                && let Some(pull) = self.pulls.get_mut(&number)
            {
                pull.judged = Judged::NotYet;
            }
        }
    }

    /// Keeps a status; the refusal is GitHub's.
    pub(super) fn post_status(
        &mut self,
        sha: Oid,
        context: &str,
        state: &str,
        description: Option<&str>,
        target_url: Option<&str>,
    ) -> Result<Status, &'static str> {
        let id = self.next_id();
        let all = self.statuses.entry(sha).or_default();
        let same = all.iter().filter(|status| status.context.eq_ignore_ascii_case(context)).count();
        if same >= MOST_STATUSES {
            return Err("This SHA and context has reached the maximum number of statuses.");
        }
        let status = Status {
            id,
            context: context.into(),
            state: state.into(),
            description: description.map(Into::into),
            target_url: target_url.map(Into::into),
            at: self.now,
        };
        all.push(status.clone());
        self.news.push(News::status(self, sha, &status));
        Ok(status)
    }

    /// The newest status of each context, the newest first.
    pub(super) fn latest_statuses(&self, sha: Oid) -> Vec<&Status> {
        let mut seen = BTreeSet::new();
        let all = self.statuses.get(&sha).into_iter().flatten().rev();
        all.filter(|status| seen.insert(status.context.to_ascii_lowercase())).collect()
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.pulls.values().filter(|pull| pull.state == PrState::Open).count()
    }

    /// A commit by its name, a branch, a tag, or a full ref.
    pub(super) fn find(&self, name: &str) -> Option<&Made> {
        let by_sha = || Oid::parse(name).and_then(|id| self.graph.get(&id));
        let short = name.strip_prefix("refs/").unwrap_or(name);
        let in_heads = self.branches.get(short.strip_prefix("heads/").unwrap_or(short));
        let id = in_heads.or_else(|| self.tags.get(short.strip_prefix("tags/").unwrap_or(short)));
        by_sha().or_else(|| id.and_then(|id| self.graph.get(id)))
    }

    pub(super) fn is_protected(&self, branch: &str) -> bool {
        !self.unprotected.contains(branch)
    }
}

/// The account of a person.
pub(super) fn login_of(name: &str) -> Arc<str> {
    let known = super::super::people::AUTHORS.iter().find(|(full, _)| *full == name);
    known.map_or(name, |(_, login)| login).into()
}
