//! Which commit HEAD is compared with, and what is told when a clone holds too little.

use std::path::PathBuf;
use std::time::Duration;

use super::clone::{Clone, HDF5, ZLIB};
use crate::adapters::git::error::GitError;
use crate::adapters::git::read::{change_set, change_set_of};
use crate::generation::{StackPart, StackRule, Touched};

#[tokio::test]
async fn case_19_a_merge_is_compared_with_its_first_parent() {
    let clone = Clone::merged("merge");
    let (set, warnings) = clone.changes(Some("develop")).await.unwrap();
    assert_eq!(clone.names(&set), ["hdf5", "zlib-ng"]);
    assert_eq!(&*set.base, clone.id("HEAD^1"));
    assert_eq!(&*set.head, clone.id("HEAD"));
    assert_eq!(warnings, Vec::<String>::new());
    // The commit that is named is the one of the branch, not the merge.
    assert_eq!(set.packages["hdf5"][0].commit.as_deref(), Some(&*clone.id("HEAD^2")));
    assert_eq!(set.packages["zlib-ng"][0].commit.as_deref(), Some(&*clone.id("HEAD^2^")));
    assert_eq!(clone.changes(None).await.unwrap(), (set, Vec::new()));
}

#[tokio::test]
async fn a_branch_of_three_commits_is_compared_with_where_it_left_the_target() {
    let clone = Clone::branch("branch");
    let (set, warnings) = clone.changes(Some("develop")).await.unwrap();
    assert_eq!(clone.names(&set), ["hdf5", "zlib-ng"]);
    assert_eq!(&*set.base, clone.id("develop~1"));
    assert_eq!(set.packages["zlib-ng"][0].commit.as_deref(), Some(&*clone.id("pr~2")));
    assert_eq!(warnings, Vec::<String>::new());
    // Without the target, only the last commit is seen, and that is said.
    let (set, warnings) = clone.changes(None).await.unwrap();
    assert_eq!(clone.names(&set), ["hdf5"]);
    assert!(matches!(&*warnings, [one] if one.contains("no target branch is given")), "{warnings:?}");
}

#[tokio::test]
async fn the_target_is_found_wherever_a_clone_keeps_it() {
    let clone = Clone::branch("places");
    let base = clone.id("develop~1");
    for place in ["refs/remotes/origin/develop", "refs/remotes/upstream/develop"] {
        clone.git(&["update-ref", place, "develop"]);
        clone.git(&["branch", "-D", "develop"]);
        let (set, _) = clone.changes(Some("develop")).await.unwrap();
        assert_eq!(&*set.base, base, "{place}");
        clone.git(&["branch", "develop", place]);
        clone.git(&["update-ref", "-d", place]);
    }
    let (set, _) = clone.changes(Some("refs/heads/develop")).await.unwrap();
    assert_eq!(&*set.base, base);
    // The last fetch counts only when it was of the target.
    let tip = clone.id("develop");
    clone.git(&["branch", "-D", "develop"]);
    clone.write(
        ".git/FETCH_HEAD",
        format!("{}\t\tbranch 'pr' of url\n{tip}\t\tbranch 'develop' of url\n", clone.id("HEAD")),
    );
    let (set, _) = clone.changes(Some("develop")).await.unwrap();
    assert_eq!(&*set.base, base);
    clone.write(".git/FETCH_HEAD", format!("{}\t\tbranch 'pr' of url\n", clone.id("HEAD")));
    assert!(matches!(clone.changes(Some("develop")).await, Err(GitError::NoTarget { .. })));
}

#[tokio::test]
async fn a_target_that_is_not_there_is_no_reason_to_see_less() {
    let clone = Clone::branch("no-target");
    let error = clone.changes(Some("main")).await.unwrap_err();
    assert!(error.to_string().ends_with("run `git fetch origin main:refs/remotes/origin/main`"), "{error}");
    for target in ["", "--all", "a..b", "HEAD^{/x}", "a b", "x\u{1b}[31m", "*", "a\0b"] {
        let error = clone.changes(Some(target)).await.unwrap_err();
        assert!(matches!(error, GitError::BadTarget(_) | GitError::NoTarget { .. }), "{target:?}: {error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

#[tokio::test]
async fn a_target_merged_into_a_branch_does_not_count_as_its_work() {
    let clone = Clone::branch("update");
    clone.git(&["merge", "-q", "--no-ff", "develop", "-m", "catch up"]);
    let (set, warnings) = clone.changes(Some("develop")).await.unwrap();
    assert_eq!(clone.names(&set), ["hdf5", "zlib-ng"]);
    assert_eq!(&*set.base, clone.id("develop"));
    assert!(warnings[0].starts_with("HEAD merges refs/heads/develop into a branch"), "{warnings:?}");
}

#[tokio::test]
async fn a_commit_of_the_target_itself_is_compared_with_its_parent() {
    let clone = Clone::branch("self");
    clone.git(&["checkout", "-q", "develop"]);
    let (set, warnings) = clone.changes(Some("develop")).await.unwrap();
    assert_eq!(&*set.base, clone.id("develop^"));
    assert!(warnings[0].contains("a part of refs/heads/develop already"), "{warnings:?}");
}

#[tokio::test]
async fn unrelated_histories_have_no_answer() {
    let clone = Clone::branch("unrelated");
    clone.git(&["checkout", "-q", "--orphan", "other"]);
    clone.commit(&[(ZLIB, "other")]);
    clone.commit(&[(ZLIB, "more")]);
    let error = clone.changes(Some("develop")).await.unwrap_err();
    assert!(matches!(error, GitError::Unrelated { .. }), "{error}");
}

#[tokio::test]
async fn in_the_first_commit_everything_is_added() {
    let clone = Clone::first("root");
    let (set, warnings) = clone.changes(None).await.unwrap();
    assert_eq!(clone.names(&set), ["hdf5", "zlib-ng"]);
    assert_eq!(set.packages["hdf5"][0].commit.as_deref(), Some(&*clone.id("HEAD")));
    assert!(warnings.iter().any(|warning| warning.contains("first commit")), "{warnings:?}");
}

#[tokio::test]
async fn a_detached_head_is_as_good_as_a_branch() {
    let clone = Clone::merged("detached");
    clone.git(&["checkout", "-q", "--detach"]);
    assert_eq!(clone.names(&clone.changes(None).await.unwrap().0), ["hdf5", "zlib-ng"]);
    let mut wanted = clone.wanted(None);
    wanted.repo = clone.folder.join("stacks/e4s");
    wanted.manifest = "spack.yaml".into();
    assert_eq!(clone.names(&clone.ask(&wanted).await.unwrap().0), ["hdf5", "zlib-ng"], "from a folder inside");
}

#[tokio::test]
async fn a_shallow_clone_says_what_to_fetch() {
    let whole = Clone::merged("deep");
    let shallow = Clone::of(&whole, "shallow", 1);
    let error = shallow.changes(Some("develop")).await.unwrap_err();
    assert!(matches!(error, GitError::Shallow { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&whole.id("HEAD^1")) && text.contains("run `git fetch --deepen=1`"), "{text}");
    // What is advised helps.
    shallow.git(&["fetch", "-q", "--deepen=1"]);
    let (set, _) = shallow.changes(Some("develop")).await.unwrap();
    assert_eq!(whole.names(&set), ["hdf5", "zlib-ng"]);
    assert_eq!(&*set.base, whole.id("HEAD^1"));
}

#[tokio::test]
async fn a_shallow_branch_without_a_common_commit_says_what_to_fetch() {
    let whole = Clone::branch("deep-branch");
    let shallow = Clone::of(&whole, "shallow-branch", 2);
    let error = shallow.changes(Some("develop")).await.unwrap_err();
    assert!(matches!(error, GitError::NoTarget { .. }), "{error}");
    shallow.git(&["fetch", "-q", "--depth=1", "origin", "develop:refs/remotes/origin/develop"]);
    let error = shallow.changes(Some("develop")).await.unwrap_err();
    assert!(error.to_string().contains("run `git fetch --unshallow`"), "{error}");
    shallow.git(&["fetch", "-q", "--unshallow"]);
    assert_eq!(whole.names(&shallow.changes(Some("develop")).await.unwrap().0), ["hdf5", "zlib-ng"]);
}

#[tokio::test]
async fn what_is_no_clone_is_refused_by_name() {
    let clone = Clone::empty("none");
    let error = clone.changes(None).await.unwrap_err();
    assert!(matches!(error, GitError::NoCommit(_)), "{error}");
    std::fs::remove_dir_all(clone.folder.join(".git")).unwrap();
    let error = clone.changes(None).await.unwrap_err();
    assert!(matches!(error, GitError::NoRepository(_)), "{error}");
    let mut wanted = clone.wanted(None);
    wanted.repo = clone.folder.join("gone");
    let error = change_set(&wanted).await.unwrap_err();
    assert!(matches!(error, GitError::NoFolder { .. }), "{error}");
}

#[tokio::test]
async fn another_owners_clone_is_not_trusted() {
    let clone = Clone::merged("owner");
    for place in [clone.folder.clone(), clone.folder.join(".git")] {
        if std::os::unix::fs::chown(place, Some(12_345), Some(12_345)).is_err() {
            println!("skipped: only root can give a folder away");
            return;
        }
    }
    let text = clone.changes(None).await.unwrap_err().to_string();
    let folder = clone.folder.display();
    assert!(text.contains(&format!("`git config --global --add safe.directory {folder}`")), "{text}");
}

#[tokio::test]
async fn a_missing_or_endless_git_ends() {
    let clone = Clone::merged("program");
    let mut git = clone.asker();
    git.program = PathBuf::from("/nowhere/bin/git");
    let error = change_set_of(&git, &clone.wanted(None)).await.unwrap_err();
    assert!(error.to_string().starts_with("`/nowhere/bin/git` was not found"), "{error}");

    git.program = clone.script("git-sleeps", "#!/bin/sh\nexec sleep 1000\n");
    git.deadline = Duration::from_millis(200);
    let error = change_set_of(&git, &clone.wanted(None)).await.unwrap_err();
    assert!(matches!(error, GitError::Deadline { .. }), "{error}");

    git.program = clone.script("git-floods", "#!/bin/sh\nexec cat /dev/zero\n");
    (git.deadline, git.limit) = (Duration::from_secs(60), 1 << 20);
    let error = change_set_of(&git, &clone.wanted(None)).await.unwrap_err();
    assert!(matches!(error, GitError::TooMuch { .. }), "{error}");

    git.program = clone.script("git-babbles", "#!/bin/sh\nprintf '\\377\\033[31mtrue\\n'\n");
    let error = change_set_of(&git, &clone.wanted(None)).await.unwrap_err();
    assert!(matches!(error, GitError::Garbled { .. }) && !error.to_string().contains('\u{1b}'), "{error}");
}

#[tokio::test]
async fn case_21_only_this_stacks_manifest_is_a_change_of_the_stack() {
    let clone = Clone::branch("manifests");
    clone.commit(&[("stacks/hep/spack.yaml", "spack: {specs: [root]}")]);
    let (set, _) = clone.changes(Some("develop")).await.unwrap();
    assert!(matches!(set.touched(StackRule::Intended), Touched::Packages(_)));

    clone.commit(&[("stacks/e4s/spack.yaml", "spack: {specs: [hdf5]}")]);
    let (set, _) = clone.changes(Some("develop")).await.unwrap();
    let stack = set.stack.as_ref().unwrap();
    assert_eq!((stack.part, stack.seen_by_spack), (StackPart::Manifest, false));
    assert_eq!(stack.change.commit.as_deref(), Some(&*clone.id("HEAD")));
    assert!(matches!(set.touched(StackRule::AsSpack), Touched::Packages(_)));

    clone.commit(&[(".ci/gitlab/.gitlab-ci.yml", "a: b")]);
    let (set, _) = clone.changes(Some("develop")).await.unwrap();
    assert!(matches!(set.touched(StackRule::AsSpack), Touched::Stack(stack) if stack.part == StackPart::Pipeline));
}

#[tokio::test]
async fn case_20_a_change_of_no_package_turns_the_filter_off() {
    let clone = Clone::merged("plain");
    clone.commit(&[("README.md", "new")]);
    let (set, _) = clone.changes(None).await.unwrap();
    assert_eq!((set.touched(StackRule::Intended), set.packages.is_empty()), (Touched::NoPackage, true));
    clone.git(&["commit", "-q", "--allow-empty", "-m", "nothing"]);
    let (set, _) = clone.changes(None).await.unwrap();
    assert_eq!(set.touched(StackRule::AsSpack), Touched::NoPackage);
    assert!(clone.folder.join(HDF5).exists());
}
