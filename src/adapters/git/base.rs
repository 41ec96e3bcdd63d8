//! Which commit HEAD is compared with.

use std::path::PathBuf;

use super::error::{GitError, harmless};
use super::run::Git;

/// Two commits, and what is uncertain about the choice.
pub(super) struct Range {
    /// A commit, or the empty tree when HEAD is the first commit.
    pub base: String,
    pub head: String,
    pub is_first: bool,
    pub warnings: Vec<String>,
}

/// A commit that stands for the tip of the target branch.
struct Tip {
    commit: String,
    /// Where it was found, fit for a message.
    place: String,
}

/// Finds the commit that HEAD builds on.
///
/// Spack's CI merges a pull request into its target, so the first parent of a merge is the target. A branch of several commits is compared
/// with where it left the target. Without a target only the last commit can be looked at, with a warning.
pub(super) async fn range(git: &Git, target: Option<&str>) -> Result<Range, GitError> {
    let head = git.find(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?;
    let head = head.ok_or_else(|| GitError::NoCommit(git.folder.clone())).and_then(|said| name(&said))?;
    let parents = parents(git, &head).await?;
    let tips = match target {
        Some(target) => tips(git, target).await?,
        None => Vec::new(),
    };
    let mut warnings = Vec::new();
    let Some(first) = parents.first() else {
        let base = name(&git.feed(&["hash-object", "-t", "tree", "--stdin"], b"").await?)?;
        warnings.push("HEAD is the first commit, so everything in it counts as added".to_owned());
        return Ok(Range { base, head, is_first: true, warnings });
    };
    let whole = |base: String, warnings| Ok(Range { base, head: head.clone(), is_first: false, warnings });

    if let [_, second, ..] = parents.as_slice() {
        if let Some(tip) = merged_into_branch(git, first, second, &tips).await? {
            let base = common(git, tip, &head).await?.ok_or_else(|| unrelated(tip))?;
            warnings.push(format!(
                "HEAD merges {} into a branch, so it is compared with their last common commit and not with its first parent",
                tip.place
            ));
            return whole(base, warnings);
        }
        must_have(git, first, "the first parent of HEAD").await?;
        return whole(first.clone(), warnings);
    }

    if let (Some(target), []) = (target, tips.as_slice()) {
        return Err(GitError::NoTarget { target: harmless(target.as_bytes()) });
    }
    let is_shallow = is_shallow(git).await?;
    let mut failed = None;
    for tip in &tips {
        match common(git, tip, &head).await? {
            // HEAD is a part of it already: this tip does not tell what HEAD adds.
            Some(base) if base == head => {}
            Some(base) => {
                if is_shallow {
                    warnings.push(format!(
                        "this clone is shallow, so the last common commit of HEAD and {} may be newer than the one compared with",
                        tip.place
                    ));
                }
                return whole(base, warnings);
            }
            None if is_shallow => {
                let what = format!("the last common commit of HEAD and {}", tip.place);
                failed.get_or_insert(GitError::Shallow { what, command: "git fetch --unshallow".to_owned() });
            }
            None => {
                failed.get_or_insert(unrelated(tip));
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    must_have(git, first, "the parent of HEAD").await?;
    warnings.push(match tips.first() {
        Some(tip) => format!(
            "HEAD is a part of {} already, so only its last commit is looked at; changes of earlier commits are not seen",
            tip.place
        ),
        None => "HEAD is not a merge and no target branch is given, so only its last commit is looked at; \
                 changes of earlier commits are not seen"
            .to_owned(),
    });
    whole(first.clone(), warnings)
}

fn unrelated(tip: &Tip) -> GitError {
    GitError::Unrelated { target: tip.place.clone() }
}

/// One object's name from an answer.
fn name(said: &[u8]) -> Result<String, GitError> {
    let text = std::str::from_utf8(said).unwrap_or_default().trim();
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(GitError::Garbled { command: "rev-parse".to_owned(), what: harmless(said) })
}

/// SHA-1 or SHA-256 in hexadecimal.
pub(super) fn is_name(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The parents as the commit itself names them. `HEAD^` would not find those that a shallow clone leaves out.
async fn parents(git: &Git, commit: &str) -> Result<Vec<String>, GitError> {
    let said = git.get(&["cat-file", "commit", commit]).await?;
    let header = said.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    header.filter_map(|line| line.strip_prefix(b"parent ")).map(name).collect()
}

async fn is_shallow(git: &Git) -> Result<bool, GitError> {
    Ok(git.get(&["rev-parse", "--is-shallow-repository"]).await?.starts_with(b"true"))
}

async fn has(git: &Git, commit: &str) -> Result<bool, GitError> {
    let said = git.feed(&["cat-file", "--batch-check"], format!("{commit}\n").as_bytes()).await?;
    Ok(!said.trim_ascii().ends_with(b" missing"))
}

async fn must_have(git: &Git, commit: &str, role: &str) -> Result<(), GitError> {
    if has(git, commit).await? {
        return Ok(());
    }
    let what = format!("{role}, {commit}");
    if is_shallow(git).await? {
        return Err(GitError::Shallow { what, command: "git fetch --deepen=1".to_owned() });
    }
    Err(GitError::Damaged { what })
}

/// Where the target branch may be, the likeliest place first.
async fn tips(git: &Git, target: &str) -> Result<Vec<Tip>, GitError> {
    let target = target.strip_prefix("refs/heads/").unwrap_or(target);
    let local = format!("refs/heads/{target}");
    if target.contains('\0') || git.find(&["check-ref-format", &local]).await?.is_none() {
        return Err(GitError::BadTarget(harmless(target.as_bytes())));
    }
    let origin = format!("refs/remotes/origin/{target}");
    let any = format!("refs/remotes/*/{target}");
    let said = git.get(&["for-each-ref", "--format=%(objectname) %(refname)", &origin, &local, &any]).await?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let mut found: Vec<(u8, &str, &str)> = Vec::new();
    for line in said.lines() {
        let Some((commit, place)) = line.split_once(' ').filter(|(commit, _)| is_name(commit)) else { continue };
        // A pattern also finds what lies below a folder of that name.
        let rank = match place {
            _ if place == origin => 0,
            _ if place == local => 1,
            _ if place.starts_with("refs/remotes/") && place.ends_with(&format!("/{target}")) => 2,
            _ => continue,
        };
        found.push((rank, place, commit));
    }
    found.sort_unstable();
    let tip =
        |(_, place, commit): (u8, &str, &str)| Tip { commit: commit.to_owned(), place: harmless(place.as_bytes()) };
    let mut tips: Vec<Tip> = found.into_iter().map(tip).collect();
    tips.extend(fetched(git, target).await?);
    Ok(tips)
}

/// The last fetch, if it was of the target branch: in CI it is often of the pull request instead.
async fn fetched(git: &Git, target: &str) -> Result<Option<Tip>, GitError> {
    let path = git.get(&["rev-parse", "--git-path", "FETCH_HEAD"]).await?;
    let path = path.strip_suffix(b"\n").unwrap_or(&path);
    let Ok(text) = tokio::fs::read(git.folder.join(path_of(path))).await else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    let wanted = format!("branch '{target}' of ");
    let line = text.lines().find(|line| line.split('\t').nth(2).is_some_and(|what| what.starts_with(&wanted)));
    let commit = line.and_then(|line| line.split('\t').next()).filter(|commit| is_name(commit));
    let Some(commit) = commit else { return Ok(None) };
    let tip = Tip { commit: commit.to_owned(), place: "FETCH_HEAD".to_owned() };
    Ok(has(git, commit).await?.then_some(tip))
}

/// A path that git wrote, byte for byte.
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

async fn common(git: &Git, tip: &Tip, head: &str) -> Result<Option<String>, GitError> {
    git.find(&["merge-base", &tip.commit, head]).await?.map(|said| name(&said)).transpose()
}

async fn is_ancestor(git: &Git, old: &str, new: &str) -> Result<bool, GitError> {
    Ok(has(git, old).await? && git.find(&["merge-base", "--is-ancestor", old, new]).await?.is_some())
}

/// The target, when the merge brought it into the branch instead of the branch into the target. The first parent would then be the work
/// itself, and the difference to it everything that others did.
async fn merged_into_branch<'a>(
    git: &Git,
    first: &str,
    second: &str,
    tips: &'a [Tip],
) -> Result<Option<&'a Tip>, GitError> {
    for tip in tips {
        if is_ancestor(git, first, &tip.commit).await? {
            return Ok(None);
        }
    }
    for tip in tips {
        if is_ancestor(git, second, &tip.commit).await? {
            return Ok(Some(tip));
        }
    }
    Ok(None)
}
