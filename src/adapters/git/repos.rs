//! The package repositories in a commit, as far as something changed in them.

use std::collections::BTreeSet;
use std::collections::HashMap;

use super::base::Range;
use super::error::{GitError, harmless};
use super::run::Git;
use crate::generation::{ChangedPath, PackageRepo};

/// One entry of a commit's tree.
struct Entry<'a> {
    object: &'a str,
    path: &'a [u8],
}

/// Reads every `repo.yaml` above a changed path. Those of Spack's unit tests are left out.
pub(super) async fn repos(git: &Git, range: &Range, changed: &[ChangedPath]) -> Result<Vec<PackageRepo>, GitError> {
    let tree = git.get(&["ls-tree", "-r", "-z", "--full-tree", &range.head]).await?;
    let (mut files, mut links) = (Vec::new(), HashMap::new());
    let paths: BTreeSet<&[u8]> = changed.iter().map(|changed| changed.path.as_slice()).collect();
    for entry in tree.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        match parse(entry) {
            Some((b"120000", entry)) => drop(links.insert(entry.path, entry.object)),
            Some((b"100644" | b"100755", entry)) => {
                let root = entry.path.strip_suffix(b"repo.yaml").filter(|root| root.is_empty() || root.ends_with(b"/"));
                // Sorted paths: the first one that is not before the folder is in it, or none is.
                let is_touched = |root: &[u8]| paths.range(root..).next().is_some_and(|path| path.starts_with(root));
                files.extend(root.filter(|root| is_touched(root)).map(|root| (root, entry)));
            }
            Some(_) => {}
            None => return Err(GitError::Garbled { command: "ls-tree".to_owned(), what: harmless(entry) }),
        }
    }
    let texts = blobs(git, files.iter().map(|(_, entry)| entry.object)).await?;
    let mut repos = Vec::new();
    for ((root, entry), text) in files.iter().zip(&texts) {
        let root = root.strip_suffix(b"/").unwrap_or(root);
        let refused = |fault| GitError::PackageRepo { path: harmless(entry.path), fault };
        let repo = PackageRepo::read(root, text).map_err(refused)?;
        if !repo.is_for_tests() {
            repos.push(repo);
        }
    }
    for repo in &mut repos {
        if let Some(object) = links.get(repo.packages.as_slice()) {
            let target = blobs(git, [*object]).await?.pop().unwrap_or_default();
            repo.packages = linked(&repo.packages, &target).ok_or_else(|| outside(repo))?;
        }
    }
    Ok(repos)
}

fn outside(repo: &PackageRepo) -> GitError {
    use crate::generation::PackageRepoError::Subdirectory;
    let fault = Subdirectory(harmless(&repo.packages));
    GitError::PackageRepo { path: harmless(&[&repo.root, &b"/repo.yaml"[..]].concat()), fault }
}

/// `100644 blob <object>\t<path>`
fn parse(entry: &[u8]) -> Option<(&[u8], Entry<'_>)> {
    let tab = memchr::memchr(b'\t', entry)?;
    let (meta, path) = (entry.get(..tab)?, entry.get(tab + 1..)?);
    let mut fields = meta.split(|byte| *byte == b' ');
    let mode = fields.next()?;
    let object = std::str::from_utf8(fields.nth(1)?).ok()?;
    Some((mode, Entry { object, path }))
}

/// Where a link in the tree leads; none when it leaves the repository.
fn linked(link: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    if target.starts_with(b"/") {
        return None;
    }
    let mut parts: Vec<&[u8]> = link.split(|byte| *byte == b'/').collect();
    parts.pop();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// The contents of some objects, in order, by one process.
async fn blobs<'a>(git: &Git, objects: impl IntoIterator<Item = &'a str>) -> Result<Vec<Vec<u8>>, GitError> {
    let objects: Vec<&str> = objects.into_iter().collect();
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let said = git.feed(&["cat-file", "--batch"], (objects.join("\n") + "\n").as_bytes()).await?;
    let mut rest = said.as_slice();
    let mut blobs = Vec::new();
    for name in objects {
        let (blob, after) =
            object(rest, "blob").ok_or_else(|| GitError::Damaged { what: format!("the object {name}") })?;
        blobs.push(blob.to_vec());
        rest = after;
    }
    Ok(blobs)
}

/// The first object of what `cat-file --batch` wrote, and what follows it: `<object> <kind> <size>\n<content>\n`
pub(super) fn object<'a>(said: &'a [u8], kind: &str) -> Option<(&'a [u8], &'a [u8])> {
    let end = memchr::memchr(b'\n', said)?;
    let header = std::str::from_utf8(said.get(..end)?).ok()?;
    let size: usize = header.split_once(' ')?.1.strip_prefix(kind)?.strip_prefix(' ')?.parse().ok()?;
    let content = said.get(end + 1..)?;
    Some((content.get(..size)?, content.get(size..)?.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_inside_the_repository_only() {
        let of = |link: &str, target: &str| linked(link.as_bytes(), target.as_bytes());
        assert_eq!(of("repos/site/packages", "."), Some(b"repos/site".to_vec()));
        assert_eq!(of("repos/site/packages", "../other/pkgs/"), Some(b"repos/other/pkgs".to_vec()));
        assert_eq!(of("packages", "x"), Some(b"x".to_vec()));
        assert_eq!(of("packages", "../x"), None);
        assert_eq!(of("packages", "/etc"), None);
    }

    #[test]
    fn truncated_contents_are_noticed() {
        assert_eq!(object(b"x blob 3\nabc\nrest", "blob"), Some((&b"abc"[..], &b"rest"[..])));
        for bad in [&b"x missing\n"[..], b"x blob 9\nabc\n", b"x blob 3\nabc", b"x blob -1\n\n", b"", b"x tree 0\n\n"] {
            assert_eq!(object(bad, "blob"), None);
        }
    }
}
