//! Real repositories, made by the real git.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::generation::{ChangeSet, StackRule, Touched};

/// A repository that is gone at the end.
struct Repo(PathBuf);

impl Repo {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stackhand-git-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let repo = Self(folder);
        repo.git(&["init", "-q", "-b", "develop"]);
        repo.write("repos/spack_repo/builtin/repo.yaml", "repo: {namespace: builtin, api: v2.0}\n");
        repo.write("repos/spack_repo/builtin/packages/zlib_ng/package.py", "1\n");
        repo.write("stacks/e4s/spack.yaml", "spack: {specs: []}\n");
        repo.commit("first");
        repo
    }

    fn git(&self, args: &[&str]) {
        let ended = Command::new("git")
            .args(["-c", "user.name=CI", "-c", "user.email=ci@example.invalid", "-c", "commit.gpgsign=false"])
            .arg("-C")
            .arg(&self.0)
            .args(args)
            .output()
            .unwrap();
        assert!(ended.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    fn ask(&self, target: Option<&str>) -> Result<(ChangeSet, Vec<String>), GitError> {
        let manifest = self.0.join("stacks/e4s/spack.yaml");
        ask(&self.0, target, &manifest)
    }
}

impl Drop for Repo {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ask(repo: &Path, target: Option<&str>, manifest: &Path) -> Result<(ChangeSet, Vec<String>), GitError> {
    let wanted =
        Wanted { repo: repo.to_owned(), target: target.map(str::to_owned), manifest: manifest.to_owned() };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(change_set(&wanted))
}

fn names(changes: &ChangeSet) -> Vec<&str> {
    changes.packages.keys().map(|name| &**name).collect()
}

#[test]
fn a_merge_is_compared_with_its_first_parent() {
    let repo = Repo::new("merge");
    repo.git(&["checkout", "-q", "-b", "pr"]);
    repo.write("repos/spack_repo/builtin/packages/hdf5/package.py", "1\n");
    repo.commit("hdf5: new");
    repo.write("repos/spack_repo/builtin/packages/zlib_ng/package.py", "2\n");
    repo.commit("zlib-ng: 2");
    repo.git(&["checkout", "-q", "develop"]);
    repo.write("repos/spack_repo/builtin/packages/other/package.py", "1\n");
    repo.commit("other: not of the pull request");
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "pr"]);
    let (changes, warnings) = repo.ask(None).unwrap();
    assert_eq!((names(&changes), warnings), (vec!["hdf5", "zlib-ng"], vec![]));
    let touched = &changes.packages["zlib-ng"][0];
    assert_eq!(touched.commit.as_ref().map(|commit| commit.len()), Some(40));
}

#[test]
fn a_branch_is_compared_with_where_it_left_its_target() {
    let repo = Repo::new("branch");
    repo.git(&["checkout", "-q", "-b", "pr"]);
    for name in ["one", "two", "three"] {
        repo.write(&format!("repos/spack_repo/builtin/packages/{name}/package.py"), "1\n");
        repo.commit(name);
    }
    let (changes, warnings) = repo.ask(Some("develop")).unwrap();
    assert_eq!((names(&changes), warnings.len()), (vec!["one", "three", "two"], 0));
    // Without a target only the last commit is sure to belong to the change, and that is said.
    let (changes, warnings) = repo.ask(None).unwrap();
    assert_eq!((names(&changes), warnings.len()), (vec!["three"], 1));
    let (_, warnings) = repo.ask(Some("gone")).unwrap();
    assert!(warnings[0].contains("gone"), "{warnings:?}");
}

#[test]
fn case_21_the_stacks_own_manifest_is_seen() {
    let repo = Repo::new("stack");
    repo.write("stacks/e4s/spack.yaml", "spack: {specs: [zlib]}\n");
    repo.commit("e4s: zlib");
    let (changes, _) = repo.ask(None).unwrap();
    assert!(matches!(changes.touched(StackRule::Intended), Touched::Stack(_)));
    assert!(matches!(changes.touched(StackRule::AsSpack), Touched::NoPackage));
    repo.write("stacks/hep/spack.yaml", "spack: {}\n");
    repo.commit("hep: new");
    assert_eq!(repo.ask(None).unwrap().0.stack, None);
}

#[test]
fn odd_paths_survive() {
    let repo = Repo::new("odd");
    repo.write("repos/spack_repo/builtin/packages/zlib_ng/a \"b\"\nc.patch", "1\n");
    repo.write("repos/spack_repo/builtin/packages/zlib_ng/\u{e9}.patch", "1\n");
    repo.commit("odd names");
    let (changes, _) = repo.ask(None).unwrap();
    let paths: Vec<_> = changes.packages["zlib-ng"].iter().map(|path| path.text().into_owned()).collect();
    assert!(paths[0].ends_with("a \"b\"\nc.patch") && paths[1].ends_with("\u{e9}.patch"), "{paths:?}");
    assert!(changes.packages["zlib-ng"].iter().all(|path| path.commit.is_some()));
}

#[test]
fn what_cannot_be_known_is_an_error_that_says_what_to_do() {
    let repo = Repo::new("first");
    assert!(repo.ask(None).unwrap_err().to_string().contains("--changed-package"));
    repo.write("x", "1\n");
    repo.commit("second");
    let shallow = std::env::temp_dir().join(format!("stackhand-git-shallow-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&shallow);
    let url = format!("file://{}", repo.0.display());
    repo.git(&["clone", "-q", "--depth", "1", &url, shallow.to_str().unwrap()]);
    let error = ask(&shallow, None, &shallow).unwrap_err().to_string();
    std::fs::remove_dir_all(&shallow).unwrap();
    assert!(error.contains("--deepen"), "{error}");
    let nowhere = std::env::temp_dir().join(format!("stackhand-git-none-{}", std::process::id()));
    std::fs::create_dir_all(&nowhere).unwrap();
    let error = ask(&nowhere, None, &nowhere).unwrap_err().to_string();
    std::fs::remove_dir_all(&nowhere).unwrap();
    assert!(error.contains("--git DIR"), "{error}");
    assert!(matches!(ask(Path::new("/nonexistent-folder"), None, Path::new("x")), Err(GitError::NoRepository(_))));
}
