//! What differs: hostile names, renames, links, submodules, repositories of packages, places of the stack's files.

use super::clone::{Clone, HDF5, ZLIB};
use crate::adapters::git::error::GitError;
use crate::generation::{ChangeKind, StackPart};

#[tokio::test]
async fn hostile_names_survive() {
    let clone = Clone::first("hostile");
    let folder = b"repos/spack_repo/builtin/packages/hdf5/";
    let names: [&[u8]; 8] =
        [b"a b.patch", b"new\nline", b"'\"$(x)`", b"\xff\xfe", b":colon", b"tab\there", b"-n", "größe".as_bytes()];
    let files: Vec<(Vec<u8>, &str)> = names.iter().map(|name| ([folder, *name].concat(), "x")).collect();
    clone.commit(&files);
    // A file named like a commit, in the place where the reader of the log meets commits.
    clone.commit(&[([&folder[..], clone.id("HEAD").as_bytes()].concat(), "x")]);
    clone.git(&["branch", "start", "HEAD~2"]);
    let (set, _) = clone.changes(Some("start")).await.unwrap();
    assert_eq!(clone.names(&set), ["hdf5"]);
    let files = &set.packages["hdf5"];
    assert_eq!(files.len(), 9);
    for name in names {
        let path = [folder, name].concat();
        let file = files.iter().find(|file| file.path == path).unwrap();
        assert_eq!((file.kind, file.commit.as_deref()), (ChangeKind::Added, Some(&*clone.id("HEAD^"))), "{name:?}");
    }
    let newest = files.iter().filter(|file| file.commit.as_deref() == Some(&*clone.id("HEAD"))).count();
    assert_eq!(newest, 1);
}

#[tokio::test]
async fn a_rename_changes_both_sides_whatever_the_configuration_says() {
    let clone = Clone::first("rename");
    let text = "a recipe long enough to be recognized\n".repeat(20);
    clone.commit(&[(HDF5, text.as_str())]);
    clone.git(&["config", "diff.renames", "copies"]);
    clone.git(&["config", "diff.relative", "true"]);
    clone.git(&["config", "log.showSignature", "true"]);
    clone.git(&["config", "color.ui", "always"]);
    clone.git(&["config", "core.quotePath", "true"]);
    clone.git(&["mv", "repos/spack_repo/builtin/packages/hdf5", "repos/spack_repo/builtin/packages/_7zip"]);
    clone.git(&["commit", "-q", "-m", "rename"]);
    let (set, _) = clone.changes(None).await.unwrap();
    assert_eq!(clone.names(&set), ["7zip", "hdf5"]);
    assert_eq!(set.packages["7zip"][0].kind, ChangeKind::Added);
    assert_eq!(set.packages["hdf5"][0].kind, ChangeKind::Removed);
    assert_eq!(set.packages["hdf5"][0].commit.as_deref(), Some(&*clone.id("HEAD")));
}

#[tokio::test]
async fn a_conflict_that_was_solved_by_hand_belongs_to_the_merge() {
    let clone = Clone::first("conflict");
    clone.git(&["checkout", "-q", "-b", "pr"]);
    clone.commit(&[(HDF5, "theirs"), (ZLIB, "theirs")]);
    clone.git(&["checkout", "-q", "develop"]);
    clone.commit(&[(HDF5, "ours")]);
    clone.git(&["merge", "-q", "-s", "ours", "--no-commit", "pr"]);
    clone.write(HDF5, "both");
    clone.write(ZLIB, "theirs");
    clone.git(&["add", "-A"]);
    clone.git(&["commit", "-q", "-m", "merge"]);
    let (set, _) = clone.changes(None).await.unwrap();
    assert_eq!(set.packages["hdf5"][0].commit.as_deref(), Some(&*clone.id("HEAD")));
    assert_eq!(set.packages["zlib-ng"][0].commit.as_deref(), Some(&*clone.id("pr")));
}

#[tokio::test]
async fn old_and_several_package_repositories_are_found() {
    let clone = Clone::first("repos");
    clone.commit(&[
        ("var/spack/repos/builtin/repo.yaml", "repo:\n  namespace: builtin\n"),
        ("var/spack/repos/builtin/packages/py-x/package.py", "1"),
        ("var/spack/repos/builtin/packages/py-x.bak/package.py", "1"),
        ("var/spack/test_repos/spack_repo/builtin_mock/repo.yaml", "repo: {api: v2.0}"),
        ("var/spack/test_repos/spack_repo/builtin_mock/packages/mpich/package.py", "1"),
        (ZLIB, "2"),
    ]);
    let (set, warnings) = clone.changes(None).await.unwrap();
    assert_eq!(clone.names(&set), ["py-x", "zlib-ng"]);
    assert!(warnings.iter().any(|text| text.starts_with("var/spack/repos/builtin/repo.yaml changed")), "{warnings:?}");
}

#[tokio::test]
async fn a_repository_at_the_top_and_one_behind_a_link_are_found() {
    let clone = Clone::empty("top");
    clone.commit(&[("repo.yaml", "repo: {namespace: site, api: v2.0}"), ("zlib/package.py", "1")]);
    std::os::unix::fs::symlink(".", clone.folder.join("packages")).unwrap();
    clone.commit(&[("spack.yaml", "spack: {}")]);
    clone.commit(&[("zlib/package.py", "2")]);
    let mut wanted = clone.wanted(None);
    wanted.manifest = "spack.yaml".into();
    let (set, _) = clone.ask(&wanted).await.unwrap();
    assert_eq!(clone.names(&set), ["zlib"]);
}

#[tokio::test]
async fn a_package_repository_that_cannot_be_read_matters_only_where_something_changed() {
    let clone = Clone::first("broken");
    clone.commit(&[("site/repo.yaml", "repo: ["), ("site/packages/x/package.py", "1")]);
    let error = clone.changes(None).await.unwrap_err();
    assert!(matches!(error, GitError::PackageRepo { .. }), "{error}");
    assert!(error.to_string().starts_with("site/repo.yaml is not YAML"), "{error}");
    clone.commit(&[(ZLIB, "2"), ("site.txt", "beside"), ("site-b/x", "beside")]);
    assert_eq!(clone.names(&clone.changes(None).await.unwrap().0), ["zlib-ng"]);
}

#[tokio::test]
async fn a_submodule_is_a_change_whose_extent_is_unknown() {
    let inner = Clone::first("inner");
    let clone = Clone::first("outer");
    clone.git(&["submodule", "--quiet", "add", inner.folder.to_str().unwrap(), "extern/recipes"]);
    clone.git(&["commit", "-q", "-m", "submodule"]);
    clone.git(&["config", "diff.ignoreSubmodules", "all"]);
    let (set, warnings) = clone.changes(None).await.unwrap();
    assert_eq!(set.stack.as_ref().map(|stack| stack.part), Some(StackPart::Submodule));
    assert!(warnings.iter().any(|text| text.starts_with("the submodule extern/recipes changed")), "{warnings:?}");
}

#[tokio::test]
async fn the_stacks_files_are_found_by_any_name() {
    let clone = Clone::first("names");
    clone.write(".ci/gitlab/configs/linux/ci.yaml", "ci: {}");
    std::os::unix::fs::symlink("e4s", clone.folder.join("stacks/linked")).unwrap();
    clone.commit(&[("stacks/e4s/spack.yaml", "spack: {a: b}")]);
    let part = async |manifest: &str, configuration: &[&str]| {
        let mut wanted = clone.wanted(None);
        wanted.manifest = manifest.into();
        wanted.configuration = configuration.iter().map(Into::into).collect();
        let (set, warnings) = clone.ask(&wanted).await.unwrap();
        (set.stack.map(|stack| stack.part), warnings.iter().any(|text| text.contains("is not in this repository")))
    };
    let absolute = clone.folder.join("stacks/e4s/spack.yaml");
    assert_eq!(part(absolute.to_str().unwrap(), &[]).await, (Some(StackPart::Manifest), false));
    assert_eq!(part("./stacks/hep/../e4s/spack.yaml", &[]).await, (Some(StackPart::Manifest), false));
    assert_eq!(part("stacks/linked/spack.yaml", &[]).await, (Some(StackPart::Manifest), false));
    assert_eq!(part("stacks/hep/spack.yaml", &[]).await, (None, false));
    assert_eq!(part("stacks/hep/spack.yaml", &[".ci/gitlab/"]).await, (Some(StackPart::Configuration), false));
    assert_eq!(part("stacks/hep/spack.yaml", &["..", "/etc", "gone"]).await, (None, false));
    assert_eq!(part("/etc/spack.yaml", &[]).await, (None, true));
    assert_eq!(part("../spack.yaml", &[]).await, (None, true));
}

#[tokio::test]
async fn a_bare_clone_answers_too() {
    let origin = Clone::merged("origin");
    let bare = Clone::empty("bare");
    bare.git(&["clone", "-q", "--bare", origin.folder.to_str().unwrap(), "x.git"]);
    let mut wanted = bare.wanted(None);
    wanted.repo = bare.folder.join("x.git");
    let (set, warnings) = bare.ask(&wanted).await.unwrap();
    assert_eq!((bare.names(&set), warnings), (vec!["hdf5", "zlib-ng"], Vec::new()));
}
