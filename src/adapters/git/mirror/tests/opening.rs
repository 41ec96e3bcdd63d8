//! The folder: locked, made, mended.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::world::{World, develop, of, pr};
use crate::adapters::git::mirror::{Mirror, MirrorError, Side};

#[tokio::test]
async fn a_second_one_is_refused_with_who_has_it() {
    let world = World::new();
    let mirror = world.mirror().await;
    let error = Mirror::open(world.settings()).await.err().unwrap();
    let by = std::process::id().to_string();
    assert!(matches!(error, MirrorError::InUse { .. }) && error.to_string().contains(&by), "{error}");
    // A git that outlives a killed process holds the lock that it was given.
    let lock = mirror.git.lock.try_clone().unwrap();
    let mut orphan = Command::new("sleep").arg("60").stdin(Stdio::from(lock)).spawn().unwrap();
    drop(mirror);
    assert!(matches!(Mirror::open(world.settings()).await.err(), Some(MirrorError::InUse { .. })));
    orphan.kill().unwrap();
    orphan.wait().unwrap();
    assert!(world.mirror().await.notes().is_empty());
}

#[tokio::test]
async fn the_repository_is_configured_as_it_must_be() {
    let (world, _) = World::with_prs();
    let mirror = world.mirror().await;
    let at = world.path("mirror/repository.git");
    let mode = |path: &str| std::fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("mirror"), mode("mirror/keys")), (0o700, 0o700));
    for (name, value) in [
        ("core.bare", "true"),
        ("core.hookspath", "/dev/null"),
        ("transfer.fsckobjects", "true"),
        ("protocol.allow", "never"),
        ("protocol.https.allow", "always"),
        ("protocol.ssh.allow", "always"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("submodule.recurse", "false"),
        ("remote.github.url", &world.file_url("hub.git")),
    ] {
        assert_eq!(world.git(&at, &["config", "--local", name], ""), value, "{name}");
    }
    // What somebody writes into it does not stay.
    drop(mirror);
    world.git(&at, &["config", "core.fsmonitor", "touch /tmp/x"], "");
    world.git(&at, &["config", "remote.github.uploadpack", "touch /tmp/x"], "");
    world.scratch.write("mirror/repository.git/refs/pull/1/head.lock", "");
    world.scratch.write("mirror/repository.git/packed-refs.lock", "");
    world.scratch.write("mirror/keys/key-0", "left by a killed process");
    let mirror = world.mirror().await;
    let config = std::fs::read_to_string(at.join("config")).unwrap();
    assert!(!config.contains("touch") && mirror.notes().is_empty(), "{config}");
    assert!(!world.path("mirror/keys/key-0").exists());
    assert!(mirror.fetch([pr(1)]).await[0].1.is_ok(), "a lock that nobody holds is in nobody's way");
    mirror.tidy().await.unwrap();
}

#[tokio::test]
async fn other_transports_are_not_to_be_had() {
    let (world, _) = World::with_prs();
    let mut settings = world.settings();
    settings.github.url = "https://github.invalid/spack.git".to_owned();
    settings.gitlab.url = "https://gitlab.invalid/spack.git".to_owned();
    let mirror = Mirror::open(settings).await.unwrap();
    let url = world.file_url("hub.git");
    let said = mirror.git.answer("try", &["ls-remote", &url], None).await.unwrap();
    assert!(said.complaint.contains("transport 'file' not allowed"), "{}", said.complaint);
    let said = mirror.git.answer("try", &["ls-remote", "ext::touch /tmp/x"], None).await.unwrap();
    assert!(said.complaint.contains("transport 'ext' not allowed"), "{}", said.complaint);
}

#[tokio::test]
async fn what_is_damaged_is_said_and_made_again() {
    let (world, story) = World::with_prs();
    for spoil in ["HEAD", "objects", "refs/pull/1/head", "."] {
        let mirror = world.mirror().await;
        mirror.fetch([develop(), pr(1)]).await;
        drop(mirror);
        let at = world.path("mirror/repository.git");
        match spoil {
            "objects" => {
                std::fs::remove_dir_all(at.join("objects")).unwrap();
                std::fs::create_dir(at.join("objects")).unwrap();
            }
            "." => {
                std::fs::remove_dir_all(&at).unwrap();
                std::fs::write(&at, "no folder").unwrap();
            }
            // As a machine that lost its power leaves it.
            file => std::fs::write(at.join(file), "").unwrap(),
        }
        let mirror = world.mirror().await;
        assert!(mirror.notes().len() == 1 && mirror.notes()[0].contains("made again"), "{spoil}: {:?}", mirror.notes());
        assert_eq!(of(&mirror.fetch([pr(1)]).await, &pr(1)), Ok(&story.clean), "{spoil}");
    }
}

#[tokio::test]
async fn case_T1_what_may_pass_is_tried_again_and_a_conflict_is_not() {
    let (world, story) = World::with_prs();
    let failed = world.path("failed");
    let script = format!(
        "case \"$*\" in *ls-remote*|*fetch*|*push*) if ! test -e {0}; then touch {0}; exit 1; fi;; esac; exec git \"$@\"",
        failed.display()
    );
    let mut settings = world.settings();
    settings.git = world.program("flaky-git", &script);
    let mirror = Mirror::open(settings).await.unwrap();
    let before = mirror.git_runs();
    assert!(mirror.list(Side::GitHub).await.is_ok());
    assert_eq!(mirror.git_runs() - before, 2, "run twice, success returned");
    std::fs::remove_file(&failed).unwrap();
    assert!(mirror.fetch([develop(), pr(2)]).await.iter().all(|(_, became)| became.is_ok()));
    std::fs::remove_file(&failed).unwrap();
    let update = super::world::batch(&[("pr2_x", &story.conflict, crate::bridge::Expects::Absent)]);
    assert_eq!(mirror.push(&update).await[0].1, crate::adapters::git::mirror::Landed::Accepted);
    let before = mirror.git_runs();
    assert_eq!(mirror.merge(&story.conflict, &story.tested).await.unwrap().commit, None);
    assert_eq!(mirror.git_runs() - before, 2, "one to read both, one to merge");
}

#[tokio::test]
async fn an_old_git_or_none_is_told() {
    let world = World::new();
    let open = async |git: std::path::PathBuf| {
        let mut settings = world.settings();
        settings.git = git;
        Mirror::open(settings).await.err().unwrap().to_string()
    };
    assert!(open(world.program("old-git", "echo git version 2.30.2")).await.contains("2.41 or newer is needed"));
    assert!(open("/nowhere/git".into()).await.contains("install git"));
}
