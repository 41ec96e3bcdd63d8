//! The questions, in the order in which they are asked.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use super::GitError;
use crate::generation::{ChangeKind, ChangeSet, ChangedPath, PackageRepo, StackFiles};

/// How long one answer may take; a partial clone may have to fetch.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where to look.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Any folder of the repository.
    pub repo: PathBuf,
    /// The branch that a pull request is for: `develop`.
    pub target: Option<String>,
    /// The manifest of the stack.
    pub manifest: PathBuf,
}

/// Reads the change set between the right base and `HEAD`; the second part says what is uncertain about it.
///
/// Spack's CI merges a pull request into its target, so the base of a merge commit is its first parent. Otherwise it is where the branch left
/// its target, and without a known target the commit before.
pub async fn change_set(wanted: &Wanted) -> Result<(ChangeSet, Vec<String>), GitError> {
    let here = Git { folder: wanted.repo.clone() };
    let top = PathBuf::from(os(here.line(&["rev-parse", "--show-toplevel"]).await?));
    let git = Git { folder: top.clone() };
    let mut warnings = Vec::new();
    let head = text(&git.line(&["rev-parse", "HEAD"]).await?);
    let base = base(&git, wanted.target.as_deref(), &mut warnings).await?;
    let range = format!("{base}..{head}");
    let differ = git.run(&["diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", &base, &head]).await?;
    let commits = git.run(&["log", "-z", "--name-only", "--no-renames", "-m", "--format=%x01%H", &range]).await?;
    let newest = newest(&commits);
    let submodules = submodules(&git, &head).await?;
    let paths = changed(&differ, &newest, &submodules)?;
    let repos = package_repos(&git, &head).await?;
    let manifest = std::path::absolute(&wanted.manifest).ok().and_then(|path| std::fs::canonicalize(path).ok());
    let inside = manifest.and_then(|path| path.strip_prefix(std::fs::canonicalize(&top).ok()?).ok().map(Path::to_owned));
    let stack = StackFiles {
        manifest: inside.map(|path| path.into_os_string().into_encoded_bytes()),
        configuration: vec![b".ci/gitlab".to_vec()],
    };
    Ok((ChangeSet::of(&base, &head, &paths, &repos, &stack), warnings))
}

async fn base(git: &Git, target: Option<&str>, warnings: &mut Vec<String>) -> Result<String, GitError> {
    let parents = text(&git.line(&["rev-list", "--parents", "-n", "1", "HEAD"]).await?);
    let parents: Vec<&str> = parents.split(' ').skip(1).collect();
    let is_shallow = git.line(&["rev-parse", "--is-shallow-repository"]).await? == b"true";
    match parents.as_slice() {
        [first, _, ..] => return git.existing(first).await,
        // A shallow clone hides parents, and then HEAD only looks like a first commit.
        [] if is_shallow => return Err(GitError::Shallow("the commit before HEAD".to_owned())),
        _ => {}
    }
    if let Some(target) = target {
        for name in [format!("refs/remotes/origin/{target}"), format!("refs/heads/{target}"), "FETCH_HEAD".to_owned()] {
            if git.run(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).await.is_err() {
                continue;
            }
            return match git.line(&["merge-base", &name, "HEAD"]).await {
                Ok(found) => Ok(text(&found)),
                Err(GitError::Failed { .. }) if is_shallow => Err(GitError::Shallow(format!("where HEAD left {target}"))),
                Err(error) => Err(error),
            };
        }
        warnings.push(format!("the branch {target} is not known here, so only the last commit counts as the change"));
    } else {
        warnings.push("HEAD is no merge and no target branch is known, so only the last commit counts as the change".to_owned());
    }
    match parents.first() {
        Some(parent) => git.existing(parent).await,
        None => Err(GitError::NoParent),
    }
}

/// The newest commit of each path.
fn newest(log: &[u8]) -> HashMap<Vec<u8>, Arc<str>> {
    let mut found: HashMap<Vec<u8>, Arc<str>> = HashMap::new();
    let mut commit: Arc<str> = "".into();
    for field in log.split(|byte| *byte == 0) {
        let field = field.strip_prefix(b"\n").unwrap_or(field);
        match field.strip_prefix(b"\x01") {
            // Paths may hold line breaks, so the line ends only the hash.
            Some(rest) => {
                let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                commit = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into();
                if let Some(path) = rest.get(end + 1..).filter(|path| !path.is_empty()) {
                    found.entry(path.to_vec()).or_insert_with(|| commit.clone());
                }
            }
            None if field.is_empty() => {}
            None => {
                found.entry(field.to_vec()).or_insert_with(|| commit.clone());
            }
        }
    }
    found
}

fn changed(
    differ: &[u8],
    newest: &HashMap<Vec<u8>, Arc<str>>,
    submodules: &[Vec<u8>],
) -> Result<Vec<ChangedPath>, GitError> {
    let mut fields = differ.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    let mut paths = Vec::new();
    while let Some(status) = fields.next() {
        let path = fields.next().ok_or_else(|| GitError::Garbled { command: "diff".to_owned() })?.to_vec();
        let kind = match status.first() {
            _ if submodules.contains(&path) => ChangeKind::Submodule,
            Some(b'A') => ChangeKind::Added,
            Some(b'D') => ChangeKind::Removed,
            _ => ChangeKind::Modified,
        };
        let commit = newest.get(&path).cloned();
        paths.push(ChangedPath { path, kind, commit });
    }
    Ok(paths)
}

/// Entries of mode 160000: commits of other repositories.
async fn submodules(git: &Git, head: &str) -> Result<Vec<Vec<u8>>, GitError> {
    // Only a repository with this file has any.
    if git.run(&["cat-file", "-e", &format!("{head}:.gitmodules")]).await.is_err() {
        return Ok(Vec::new());
    }
    let tree = git.run(&["ls-tree", "-r", "-z", head]).await?;
    let entries = tree.split(|byte| *byte == 0).filter(|entry| entry.starts_with(b"160000 "));
    Ok(entries.filter_map(|entry| entry.splitn(2, |byte| *byte == b'\t').nth(1)).map(<[u8]>::to_vec).collect())
}

/// Package repositories of the tree: folders with a `repo.yaml`.
async fn package_repos(git: &Git, head: &str) -> Result<Vec<PackageRepo>, GitError> {
    // Both layouts keep them a few levels below these; a whole listing of the tree has 10,000 packages.
    let mut repos = Vec::new();
    for parent in ["repos/spack_repo/", "var/spack/repos/spack_repo/", "var/spack/repos/", "spack_repo/", "./"] {
        let listed = git.run(&["ls-tree", "-z", "--name-only", head, parent]).await?;
        for folder in listed.split(|byte| *byte == 0).filter(|folder| !folder.is_empty()) {
            let mut object = OsString::from(format!("{head}:"));
            object.push(os(folder.to_vec()));
            object.push("/repo.yaml");
            let Ok(yaml) = git.run_os(&[OsStr::new("cat-file"), OsStr::new("blob"), &object]).await else { continue };
            let repo = PackageRepo::read(folder, &yaml);
            let place = String::from_utf8_lossy(folder).into_owned();
            let repo = repo.map_err(|error| GitError::Packages { place, error })?;
            if !repo.is_for_tests() {
                repos.push(repo);
            }
        }
    }
    Ok(repos)
}

/// Runs git in one folder.
struct Git {
    folder: PathBuf,
}

impl Git {
    async fn run(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
        self.run_os(&args).await
    }

    async fn run_os(&self, args: &[&OsStr]) -> Result<Vec<u8>, GitError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.folder).args(args);
        // Nobody is there to answer, and messages are compared below.
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
        command.stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(PATIENCE, command.output()).await.map_err(|_| GitError::Slow(PATIENCE))?;
        let ended = ended.map_err(GitError::Start)?;
        if ended.status.success() {
            return Ok(ended.stdout);
        }
        let message = String::from_utf8_lossy(&ended.stderr).trim().chars().take(300).collect::<String>();
        let name = args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        Err(match message {
            text if text.contains("dubious ownership") => GitError::Distrusted(self.folder.clone()),
            text if text.contains("not a git repository") => GitError::NoRepository(self.folder.clone()),
            text if text.contains("cannot change to") => GitError::NoRepository(self.folder.clone()),
            message => GitError::Failed { command: name, message, folder: self.folder.clone() },
        })
    }

    /// The answer without its line break.
    async fn line(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let mut answer = self.run(args).await?;
        while answer.last().is_some_and(|byte| *byte == b'\n' || *byte == b'\r') {
            answer.pop();
        }
        Ok(answer)
    }

    /// A commit that is really here: the parents of a shallow clone's last commit are only names.
    async fn existing(&self, commit: &str) -> Result<String, GitError> {
        match self.run(&["cat-file", "-e", &format!("{commit}^{{commit}}")]).await {
            Ok(_) => Ok(commit.to_owned()),
            Err(GitError::Failed { .. }) => Err(GitError::Shallow(format!("commit {commit}"))),
            Err(error) => Err(error),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(unix)]
fn os(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
