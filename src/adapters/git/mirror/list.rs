//! Which refs a side has: one question, one answer, however many tags there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::error::MirrorError;
use super::open::Mirror;
use super::program::{Run, Said};
use super::settings::Side;
use crate::adapters::git::error::harmless;
use crate::bridge::{BranchInput, Fault, Looked, TagInput};
use crate::forge::Sha;

/// Branches and tags by their names, as the side tells them; git need not take every name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    pub branches: BTreeMap<Arc<str>, Sha>,
    /// The tag object, or the commit of a light-weight tag.
    pub tags: BTreeMap<Arc<str>, Sha>,
    /// Lines that cannot be read, in harmless words.
    pub left_out: Vec<String>,
}

impl Mirror {
    /// Lists the branches and tags of a side.
    pub async fn list(&self, side: Side) -> Result<Listing, MirrorError> {
        let doing = format!("list the refs of {side}");
        let arguments = ["ls-remote", "--quiet", "--refs", "--heads", "--tags", side.remote()];
        let deadline = self.git.settings.deadlines.list;
        let run =
            Run { doing: &doing, arguments: &arguments, environment: &[], input: None, deadline, in_subjects: false };
        let judge = |said: &Said| match said.code {
            Some(0) => Ok(Listing::read(&said.out)),
            code => Err(MirrorError::of_remote(side, &doing, code, &said.complaint)),
        };
        let listing = self.git.remote(side, run, judge).await?;
        if side == Side::GitLab {
            self.is_gitlab_empty.store(listing.branches.is_empty(), Ordering::Relaxed);
        }
        Ok(listing)
    }
}

impl Listing {
    /// `<sha>\t<full name>` per line.
    fn read(said: &[u8]) -> Self {
        let mut listing = Self::default();
        for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let read = || {
                let (sha, name) = std::str::from_utf8(line).ok()?.split_once('\t')?;
                Some((Sha::parse(sha).ok()?, name))
            };
            let (map, name, sha) = match read() {
                Some((sha, name)) if name.starts_with("refs/heads/") => (&mut listing.branches, &name[11..], sha),
                Some((sha, name)) if name.starts_with("refs/tags/") => (&mut listing.tags, &name[10..], sha),
                _ => {
                    listing.left_out.push(harmless(line));
                    continue;
                }
            };
            map.insert(name.into(), sha);
        }
        listing
    }
}

/// Every tag of GitHub, beside where it is on GitLab.
pub fn tag_inputs(github: &Listing, gitlab: &Result<Listing, Fault>) -> Vec<TagInput> {
    let input = |(name, target): (&Arc<str>, &Sha)| TagInput {
        name: name.clone(),
        target: target.clone(),
        on_gitlab: on_gitlab(gitlab, |listing| listing.tags.get(name)),
        trouble: None,
    };
    github.tags.iter().map(input).collect()
}

/// Those branches of GitHub that it protects, beside where they are on GitLab. One that is no longer there is left out.
pub fn branch_inputs<'a>(
    protected: impl IntoIterator<Item = &'a str>,
    github: &Listing,
    gitlab: &Result<Listing, Fault>,
) -> Vec<BranchInput> {
    let found = protected.into_iter().filter_map(|name| github.branches.get_key_value(name));
    let input = |(name, head): (&Arc<str>, &Sha)| BranchInput {
        name: name.clone(),
        head: head.clone(),
        on_gitlab: on_gitlab(gitlab, |listing| listing.branches.get(name)),
        is_ahead: Looked::NotYet,
        trouble: None,
    };
    found.map(input).collect()
}

fn on_gitlab<'a>(
    gitlab: &'a Result<Listing, Fault>,
    get: impl Fn(&'a Listing) -> Option<&'a Sha>,
) -> Looked<Option<Sha>> {
    match gitlab {
        Ok(listing) => Looked::Found(get(listing).cloned()),
        Err(fault) => Looked::Failed(fault.clone()),
    }
}
