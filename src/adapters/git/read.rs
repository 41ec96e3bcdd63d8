//! The whole question: what changed for one stack.

use std::path::{Path, PathBuf};

use super::base::{Range, path_of, range};
use super::error::{GitError, harmless};
use super::history::{attribute, changed};
use super::repos::repos;
use super::run::Git;
use crate::generation::{ChangeKind, ChangeSet, StackFiles};

/// Whose changes are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A folder of the clone.
    pub repo: PathBuf,
    /// The branch that HEAD is to be merged into: `develop`. Spack's CI has it in `PR_TARGET_REF_NAME`.
    pub target: Option<String>,
    /// The `spack.yaml` of the stack; absolute, or from `repo`.
    pub manifest: PathBuf,
    /// Files and folders of configuration that the manifest includes; absolute, or from `repo`. A change in them is a change of the stack.
    pub configuration: Vec<PathBuf>,
}

/// Reads what HEAD changed, with warnings where that is uncertain.
pub async fn change_set(wanted: &Wanted) -> Result<(ChangeSet, Vec<String>), GitError> {
    change_set_of(&Git::at(&wanted.repo), wanted).await
}

pub(super) async fn change_set_of(git: &Git, wanted: &Wanted) -> Result<(ChangeSet, Vec<String>), GitError> {
    let has_tree = git.get(&["rev-parse", "--is-inside-work-tree"]).await?.starts_with(b"true");
    let top = if has_tree { Some(git.get(&["rev-parse", "--show-toplevel"]).await?) } else { None };
    let top = top.map(|said| path_of(said.strip_suffix(b"\n").unwrap_or(&said)));
    let mut range = range(git, wanted.target.as_deref()).await?;
    let mut warnings = std::mem::take(&mut range.warnings);
    let mut paths = changed(git, &range).await?;
    let stack = stack_files(git, top.as_deref(), wanted, &mut warnings).await;
    if paths.is_empty() {
        return Ok((ChangeSet::of(&range.base, &range.head, &[], &[], &stack), warnings));
    }
    let repos = repos(git, &range, &paths).await?;
    warnings.extend(attribute(git, &range, &mut paths).await?);
    for repo in &repos {
        let file = if repo.root.is_empty() { b"repo.yaml".to_vec() } else { [&repo.root, &b"/repo.yaml"[..]].concat() };
        if paths.iter().any(|changed| changed.path == file) {
            let file = harmless(&file);
            warnings.push(format!("{file} changed; it may affect every package of its repository, but counts as none"));
        }
    }
    for changed in paths.iter().filter(|changed| changed.kind == ChangeKind::Submodule) {
        warnings
            .push(format!("the submodule {} changed; what changed inside it is not known", harmless(&changed.path)));
    }
    Ok((ChangeSet::of(&range.base, &range.head, &paths, &repos, &stack), warnings))
}

/// The paths that differ between HEAD and its first parent: what GitLab's `rules:changes` with `compare_to: HEAD~1` looks at.
pub async fn touched(repo: &Path) -> Result<Vec<Vec<u8>>, GitError> {
    let git = Git::at(repo);
    let range = Range { base: "HEAD~1".to_owned(), head: "HEAD".to_owned(), is_first: false, warnings: Vec::new() };
    Ok(changed(&git, &range).await?.into_iter().map(|changed| changed.path).collect())
}

/// Where the stack's files are in the repository.
async fn stack_files(git: &Git, top: Option<&Path>, wanted: &Wanted, warnings: &mut Vec<String>) -> StackFiles {
    let mut places = places(git, top, &wanted.manifest).await.into_iter();
    let manifest = places.next();
    if manifest.is_none() && !wanted.manifest.as_os_str().is_empty() {
        let file = harmless(wanted.manifest.as_os_str().as_encoded_bytes());
        warnings.push(format!("{file} is not in this repository, so no change of it can be seen here"));
    }
    // A manifest that is a link counts by both names.
    let mut configuration: Vec<Vec<u8>> = places.collect();
    for file in &wanted.configuration {
        configuration.extend(self::places(git, top, file).await);
    }
    StackFiles { manifest, configuration }
}

/// The names of a file in the repository: where it stands, and where it leads when it is a link. None for what lies outside.
async fn places(git: &Git, top: Option<&Path>, file: &Path) -> Vec<Vec<u8>> {
    let bytes = |path: &Path| Some(path.as_os_str().as_encoded_bytes().to_vec()).filter(|path| !path.is_empty());
    let Some(top) = top else {
        // A bare clone has no files: only a name from its top can be meant.
        return if file.is_relative() { bytes(file).into_iter().collect() } else { Vec::new() };
    };
    let whole = git.folder.join(file);
    let mut standing = None;
    if let (Some(folder), Some(name)) = (whole.parent(), whole.file_name())
        && let Ok(folder) = tokio::fs::canonicalize(folder).await
    {
        standing = Some(folder.join(name));
    }
    let leading = tokio::fs::canonicalize(&whole).await.ok();
    let mut found: Vec<Vec<u8>> = Vec::new();
    for path in [standing, leading].into_iter().flatten() {
        let inside = path.strip_prefix(top).ok().and_then(bytes);
        found.extend(inside.filter(|inside| !found.contains(inside)));
    }
    found
}
