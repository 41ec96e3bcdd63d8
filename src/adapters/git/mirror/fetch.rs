//! Brings refs from GitHub, each on its own account.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::error::{MirrorError, one_line};
use super::open::Mirror;
use super::program::{Run, Said, garbled};
use super::settings::Side;
use crate::bridge::{fetch_branch, fetch_tag};
use crate::forge::{BranchName, PrNumber, Sha};

/// More would not fit into one command line.
const MOST: usize = 2_000;

/// A ref of GitHub that the mirror keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    PrHead(PrNumber),
    /// GitHub's own merge of the head into the base.
    TestMerge(PrNumber),
    Branch(BranchName),
    Tag(BranchName),
}

/// What became of each ref: where it is now, or why it was not brought.
pub type Fetched = Vec<(Wanted, Result<Sha, MirrorError>)>;

impl Wanted {
    /// From its full name on GitHub to its full name here.
    pub fn refspec(&self) -> String {
        match self {
            Self::PrHead(_) | Self::TestMerge(_) => format!("+{self}:{self}"),
            Self::Branch(name) => fetch_branch(name),
            Self::Tag(name) => fetch_tag(name),
        }
    }

    /// The full name here.
    pub(super) fn local(&self) -> String {
        match self {
            Self::Branch(name) => format!("refs/remotes/{name}"),
            other => other.to_string(),
        }
    }

    fn of_local(name: &str) -> Option<Self> {
        if let Some(name) = name.strip_prefix("refs/remotes/") {
            return BranchName::parse(name).ok().map(Self::Branch);
        }
        if let Some(name) = name.strip_prefix("refs/tags/") {
            return BranchName::parse(name).ok().map(Self::Tag);
        }
        let (number, kind) = name.strip_prefix("refs/pull/")?.split_once('/')?;
        let number = PrNumber(number.parse().ok()?);
        match kind {
            "head" => Some(Self::PrHead(number)),
            "merge" => Some(Self::TestMerge(number)),
            _ => None,
        }
    }
}

/// The full name on GitHub.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrHead(number) => write!(f, "refs/pull/{number}/head"),
            Self::TestMerge(number) => write!(f, "refs/pull/{number}/merge"),
            Self::Branch(name) => write!(f, "refs/heads/{name}"),
            Self::Tag(name) => write!(f, "refs/tags/{name}"),
        }
    }
}

impl Mirror {
    /// Brings refs with their whole history. Where a batch fails because of one of them, the others are brought without it.
    pub async fn fetch(&self, wanted: impl IntoIterator<Item = Wanted>) -> Fetched {
        let wanted: Vec<Wanted> = wanted.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut done: BTreeMap<Wanted, Result<Sha, MirrorError>> = BTreeMap::new();
        if let Err(error) = self.make_room(&wanted).await {
            return wanted.into_iter().map(|one| (one, Err(error.clone()))).collect();
        }
        let deadlines = &self.git.settings.deadlines;
        let is_first = !self.has_refs().await;
        let deadline = if is_first { deadlines.first_fetch } else { deadlines.fetch };
        // Looking for a culprit must not take forever either.
        let end = Instant::now() + deadline.saturating_mul(3);
        let mut groups: Vec<Vec<Wanted>> = wanted.chunks(MOST).map(<[Wanted]>::to_vec).collect();
        while let Some(mut group) = groups.pop().filter(|group| !group.is_empty()) {
            let error = match self.bring(&group, deadline).await {
                Ok(mut found) => {
                    for one in group {
                        let lost = || garbled("fetch from GitHub", b"nothing about one of the refs");
                        let became = found.remove(&one.local()).unwrap_or_else(|| Err(lost()));
                        done.insert(one, became);
                    }
                    continue;
                }
                Err(error) => error,
            };
            let named = match &error {
                MirrorError::NoRef { name, .. } => group.iter().position(|one| one.to_string() == *name),
                _ => None,
            };
            if let Some(at) = named {
                done.insert(group.swap_remove(at), Err(error));
                groups.push(group);
            } else if group.len() > 1 && !error.is_about_all() && Instant::now() < end {
                let second = group.split_off(group.len() / 2);
                groups.extend([second, group]);
            } else {
                done.extend(group.into_iter().map(|one| (one, Err(error.clone()))));
            }
        }
        done.into_iter().collect()
    }

    /// Where each ref that was brought is now.
    pub async fn heads(&self) -> Result<HashMap<Wanted, Sha>, MirrorError> {
        let doing = "list what was fetched";
        let kinds = ["refs/pull/", "refs/remotes/", "refs/tags/"];
        let arguments = [&["for-each-ref", "--format=%(objectname) %(refname)"], &kinds[..]].concat();
        let said = self.git.local(doing, &arguments, None).await?;
        let read = |line: &str| {
            let (sha, name) = line.split_once(' ')?;
            Some((Wanted::of_local(name)?, Sha::parse(sha).ok()?))
        };
        Ok(String::from_utf8_lossy(&said).lines().filter_map(read).collect())
    }

    /// Forgets every ref that is not to be kept; tells how many. Its objects go when the mirror is packed.
    pub async fn prune(&self, keep: impl Fn(&Wanted) -> bool) -> Result<usize, MirrorError> {
        let old: Vec<String> =
            self.heads().await?.into_keys().filter(|one| !keep(one)).map(|one| one.local()).collect();
        self.delete(&old.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        Ok(old.len())
    }

    async fn has_refs(&self) -> bool {
        let said = self.git.local("look for refs", &["for-each-ref", "--count=1", "--format=x"], None).await;
        said.is_ok_and(|said| !said.is_empty())
    }

    /// Git keeps refs like files: where `a` was, `a/b` cannot be until `a` is gone.
    async fn make_room(&self, wanted: &[Wanted]) -> Result<(), MirrorError> {
        let is_named = |one: &&Wanted| matches!(one, Wanted::Branch(_) | Wanted::Tag(_));
        let new: BTreeSet<String> = wanted.iter().filter(is_named).map(Wanted::local).collect();
        if new.is_empty() {
            return Ok(());
        }
        let is_below = |name: &str, other: &str| name.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
        let is_in_the_way = |old: &str| {
            let above = old.match_indices('/').any(|(at, _)| new.contains(old.get(..at).unwrap_or_default()));
            let folder = format!("{old}/");
            above || new.range(folder..).next().is_some_and(|name| is_below(name, old))
        };
        let old: Vec<String> = self.heads().await?.into_keys().map(|one| one.local()).collect();
        let old: Vec<&str> = old.iter().map(String::as_str).filter(|old| is_in_the_way(old)).collect();
        self.delete(&old).await
    }

    /// One command; by the local names.
    async fn bring(
        &self,
        group: &[Wanted],
        deadline: Duration,
    ) -> Result<HashMap<String, Result<Sha, MirrorError>>, MirrorError> {
        let doing = "fetch from GitHub";
        let options = [
            "fetch",
            "--porcelain",
            "--verbose",
            "--no-progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            Side::GitHub.remote(),
        ];
        let refspecs: Vec<String> = group.iter().map(Wanted::refspec).collect();
        let arguments: Vec<&str> = options.into_iter().chain(refspecs.iter().map(String::as_str)).collect();
        let run = Run { doing, arguments: &arguments, environment: &[], input: None, deadline, in_subjects: false };
        let judge = |said: &Said| {
            let found = read(said);
            // Some refs may be refused on their own; a command that failed as a whole says nothing about any.
            if said.code == Some(0) || (said.code == Some(1) && !found.is_empty()) {
                return Ok(found);
            }
            Err(MirrorError::of_remote(Side::GitHub, doing, said.code, &said.complaint))
        };
        self.git.remote(Side::GitHub, run, judge).await
    }
}

/// `<flag> <old> <new> <local ref>` per line.
fn read(said: &Said) -> HashMap<String, Result<Sha, MirrorError>> {
    let out = String::from_utf8_lossy(&said.out);
    let one = |line: &str| {
        let (flag, rest) = line.split_at_checked(1)?;
        let mut parts = rest.strip_prefix(' ')?.splitn(3, ' ');
        let (_, new, name) = (parts.next()?, Sha::parse(parts.next()?).ok()?, parts.next()?);
        let became = match flag {
            "!" => Err(MirrorError::Failed {
                doing: format!("store {name}"),
                code: said.code,
                said: one_line(&said.complaint),
            }),
            "-" => return None,
            _ => Ok(new),
        };
        Some((name.to_owned(), became))
    };
    out.lines().filter_map(one).collect()
}
