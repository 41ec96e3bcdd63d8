//! Pushes: leases, rejections, hostile names, and being killed in the middle.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::backend::Backend;
use super::world::{World, batch, branch, develop, pr, sha, until};
use crate::adapters::git::mirror::{Landed, Mirror, MirrorError, Refusal, Side};
use crate::bridge::names::pr_branch;
use crate::bridge::{Expects, PushBatch, RefUpdate};
use crate::forge::{PrNumber, Sha};

fn on_gitlab(world: &World, name: &str) -> Option<Sha> {
    world.refs("lab.git").into_iter().find(|(full, _)| full == &format!("refs/heads/{name}")).map(|(_, to)| to)
}

#[tokio::test]
async fn only_a_lease_overwrites_and_only_what_it_names() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    mirror.fetch([develop(), pr(1), pr(2)]).await;
    let push =
        async |name: &str, to: &Sha, expects: Expects| mirror.push(&batch(&[(name, to, expects)])).await.remove(0).1;
    assert_eq!(push("pr1_x", &story.clean, Expects::Absent).await, Landed::Accepted);
    assert_eq!(push("pr1_x", &story.clean, Expects::Absent).await, Landed::There);
    let moved = |landed| matches!(landed, Landed::Refused(Refusal::Moved, _));
    assert!(moved(push("pr1_x", &story.conflict, Expects::Absent).await));
    assert!(moved(push("pr1_x", &story.conflict, Expects::At(story.first.clone())).await));
    assert_eq!(on_gitlab(&world, "pr1_x"), Some(story.clean.clone()));
    assert_eq!(push("pr1_x", &story.conflict, Expects::At(story.clean.clone())).await, Landed::Accepted);
    assert_eq!(push("develop", &story.newest, Expects::Absent).await, Landed::Accepted);
    let back = push("develop", &story.tested, Expects::Ancestor).await;
    assert!(matches!(back, Landed::Refused(Refusal::NotForward, _)), "{back:?}");
    assert_eq!(on_gitlab(&world, "develop"), Some(story.newest.clone()));
    let local = world.git(&world.path("mirror/repository.git"), &["for-each-ref", "refs/heads/"], "");
    assert_eq!(local, "", "local branches live for one push");
}

#[tokio::test]
async fn the_first_push_of_all_has_more_time() {
    let (world, story) = World::with_prs();
    let mut settings = world.settings();
    settings.deadlines.push = Duration::ZERO;
    let mirror = Mirror::open(settings).await.unwrap();
    mirror.fetch([develop(), pr(1)]).await;
    let push = async |name: &str| mirror.push(&batch(&[(name, &story.clean, Expects::Absent)])).await.remove(0).1;
    let late = |landed| matches!(landed, Landed::Failed(MirrorError::Deadline { .. }));
    assert!(late(push("pr1_x").await), "nobody knows that GitLab is empty");
    assert!(mirror.list(Side::GitLab).await.unwrap().branches.is_empty());
    assert_eq!(push("pr1_x").await, Landed::Accepted);
    mirror.list(Side::GitLab).await.unwrap();
    assert!(late(push("pr1_y").await));
}

#[tokio::test]
async fn case_E24_what_gitlab_accepts_counts_whatever_it_rejects() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    mirror.fetch([develop(), pr(1), pr(2), pr(3)]).await;
    let refs = [
        ("pr1_good", &story.clean, Expects::Absent),
        ("pr2_bad", &story.conflict, Expects::Absent),
        ("pr3_good", &story.young, Expects::Absent),
        ("pr4_gone", &sha(&"4".repeat(40)), Expects::Absent),
    ];
    for (hook, script) in [
        // One by one, as git itself does.
        (
            "update",
            "case $1 in *bad*) echo 'GitLab: You are not allowed to push code to protected branches.' >&2; exit 1;; esac",
        ),
        // All or none, as GitLab does.
        (
            "pre-receive",
            "while read old new name; do case $name in *bad*) echo 'GitLab: You are not allowed to push code.' >&2; exit 1;; esac; done",
        ),
    ] {
        world.hook(hook, script);
        let before = mirror.git_runs();
        let landed = mirror.push(&batch(&refs)).await;
        let names: Vec<&str> = landed.iter().map(|(update, _)| update.name.as_str()).collect();
        assert_eq!(names, ["pr1_good", "pr2_bad", "pr3_good", "pr4_gone"]);
        assert!(landed[0].1.is_there() && landed[2].1.is_there(), "{hook}: {landed:?}");
        let Landed::Refused(Refusal::Server, why) = &landed[1].1 else { panic!("{landed:?}") };
        assert!(why.contains("hook declined") && why.contains("You are not allowed to push code"), "{why}");
        assert_eq!(landed[3].1, Landed::Failed(MirrorError::Missing(sha(&"4".repeat(40)))));
        assert!(mirror.git_runs() - before <= 12, "a rejection is not tried again and again");
        let there: Vec<String> = world.refs("lab.git").into_iter().map(|(name, _)| name).collect();
        assert_eq!(there, ["refs/heads/pr1_good", "refs/heads/pr3_good"], "{hook}");
        for name in there {
            world.git(&world.path("lab.git"), &["update-ref", "-d", &name], "");
        }
        std::fs::remove_file(world.path(&format!("lab.git/hooks/{hook}"))).unwrap();
    }
}

#[tokio::test]
async fn cases_E4_E5_E6_hostile_names_arrive_unharmed_and_mean_nothing() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    mirror.fetch([pr(1)]).await;
    let heads = [
        "feature/a/b",
        "föö",
        "🚀-x",
        "包管理",
        "-f",
        "--upload-pack=x",
        "--force",
        "$(touch${IFS}pwned)",
        ";touch${IFS}pwned",
        "%2F",
        "a+b",
        "a#b",
        "a&b",
        "`id`",
        "\"quoted\"",
        "a'b",
        "HEAD",
        "refs/heads/develop",
    ];
    let names: Vec<_> = heads.iter().zip(1..).map(|(head, n)| pr_branch(PrNumber(n), head).unwrap()).collect();
    // Alone they are branches as well.
    let bare: Vec<_> = ["-f", "--upload-pack=x", "+a", "$(id)"].iter().map(|name| branch(name)).collect();
    let all: Vec<_> = names.iter().chain(&bare).collect();
    let updates = all.iter().map(|name| RefUpdate::branch(name, story.clean.clone(), Expects::Absent));
    for batch in PushBatch::plan(updates, 4) {
        for (update, landed) in mirror.push(&batch).await {
            assert_eq!(landed, Landed::Accepted, "{update}");
        }
    }
    let mut there: Vec<String> = world.refs("lab.git").into_iter().map(|(name, _)| name).collect();
    let mut want: Vec<String> = all.iter().map(|name| format!("refs/heads/{name}")).collect();
    there.sort();
    want.sort();
    assert_eq!(there, want);
    let listed = mirror.list(Side::GitLab).await.unwrap();
    assert_eq!((listed.branches.len(), listed.branches.get("pr2_föö")), (all.len(), Some(&story.clean)));
    // The same names as protected branches of GitHub, on their way to us.
    world.git(&world.path("lab.git"), &["push", "-q", &world.file_url("hub.git"), "refs/heads/*:refs/heads/*"], "");
    let wanted = all.iter().map(|name| super::super::Wanted::Branch((*name).clone()));
    let fetched = mirror.fetch(wanted).await;
    assert!(fetched.iter().all(|(_, became)| became == &Ok(story.clean.clone())), "{fetched:?}");
    for folder in [".", "mirror", "mirror/repository.git", "lab.git"] {
        assert!(!world.path(folder).join("pwned").exists());
    }
}

#[tokio::test]
async fn case_E7_names_that_cannot_be_never_reach_git() {
    for bad in ["a..b", "a b", "a@{1}", "a.lock", "a\u{7}b", "a:b", "a\\b", "a~1", "*"] {
        assert!(pr_branch(PrNumber(1), bad).is_err(), "{bad:?}");
    }
    // Nor does what a server tells in their place.
    let world = World::new();
    let first = world.commit("hub.git", &[], &[("a", "1\n")], 1);
    let refs = format!("{first} refs/heads/good\n{first} refs/heads/a..b\n");
    world.scratch.write("hub.git/packed-refs", format!("# pack-refs with: peeled fully-peeled sorted \n{refs}"));
    let listed = world.mirror().await.list(Side::GitHub).await.unwrap();
    assert!(listed.branches.contains_key("good"));
    let inputs = super::super::branch_inputs(["a..b", "good"], &listed, &Ok(super::super::Listing::default()));
    let rules = crate::bridge::Rules::default();
    let main = crate::bridge::Main::Known { tested: None, running: None };
    for input in inputs {
        let now = crate::ci::Timestamp::from_millis(0);
        let decided = crate::bridge::RefDecision::of_branch(&input, &rules, &main, now);
        assert_eq!(decided.update.is_some(), &*input.name == "good", "{decided:?}");
    }
}

/// Ends the git that pushes for this mirror, as an operator's `kill -9` or the kernel would.
fn kill_push(mirror: &Path) -> bool {
    let home = std::fs::canonicalize(mirror).unwrap();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_push = line.starts_with(b"git\0") && line.windows(6).any(|part| part == b"\0push\0");
        let is_here = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == home);
        if is_push && is_here {
            let number = entry.file_name();
            return std::process::Command::new("kill").arg("-KILL").arg(number).status().unwrap().success();
        }
    }
    false
}

#[tokio::test]
async fn case_E34_a_push_that_is_killed_is_gone_on_with() {
    let (world, story) = World::with_prs();
    let backend = Backend::start(world.scratch.path(), None, Box::new(|_, _| None));
    let here = world.path("here");
    let wait = format!("touch {}; sleep 60", here.display());
    let settings = || {
        let mut settings = world.settings();
        settings.gitlab.url = format!("{}/lab.git", backend.url);
        settings.tries = 1;
        settings
    };
    // Killed before GitLab has taken it, and after.
    for (hook, number) in [("pre-receive", 1), ("post-receive", 2)] {
        world.hook(hook, &wait);
        let name = format!("pr{number}_x");
        let update = batch(&[(&name, &story.clean, Expects::Absent)]);
        let mirror = Arc::new(Mirror::open(settings()).await.unwrap());
        mirror.fetch([pr(1)]).await;
        let pushing = tokio::spawn({
            let (mirror, update) = (mirror.clone(), update.clone());
            async move { mirror.push(&update).await.remove(0).1 }
        });
        until("the hook", || here.exists()).await;
        until("the push", || kill_push(&world.path("mirror"))).await;
        let landed = pushing.await.unwrap();
        assert!(matches!(landed, Landed::Failed(MirrorError::Unreachable { .. })), "uncertain: {landed:?}");
        // The other end gives up as well.
        backend.end_all();
        assert_eq!(on_gitlab(&world, &name).is_some(), hook == "post-receive");
        for path in [&here, &world.path(&format!("lab.git/hooks/{hook}"))] {
            std::fs::remove_file(path).unwrap();
        }
        drop(mirror);
        // As after a crash: a branch of ours is left over, and so is a lock.
        world.set("mirror/repository.git", "refs/heads/pr9_left", &story.clean);
        world.scratch.write("mirror/repository.git/refs/heads/pr1_x.lock", "");
        let mirror = Mirror::open(settings()).await.unwrap();
        assert!(mirror.notes().is_empty());
        assert!(mirror.push(&update).await[0].1.is_there());
        assert_eq!(on_gitlab(&world, &name), Some(story.clean.clone()));
        assert_eq!(mirror.list(Side::GitLab).await.unwrap().branches[&*name], story.clean);
    }
}

#[tokio::test]
async fn a_push_that_is_given_up_leaves_no_process() {
    let (world, story) = World::with_prs();
    let backend = Backend::start(world.scratch.path(), None, Box::new(|_, _| None));
    let here = world.path("here");
    world.hook("pre-receive", &format!("touch {}; sleep 60", here.display()));
    let mut settings = world.settings();
    settings.gitlab.url = format!("{}/lab.git", backend.url);
    let mirror = Arc::new(Mirror::open(settings.clone()).await.unwrap());
    mirror.fetch([pr(1)]).await;
    let update = batch(&[("pr1_x", &story.clean, Expects::Absent)]);
    let pushing = tokio::spawn({
        let mirror = mirror.clone();
        async move { mirror.push(&update).await }
    });
    until("the hook", || here.exists()).await;
    pushing.abort();
    assert!(pushing.await.unwrap_err().is_cancelled());
    until("the end of the push", || !kill_push(&world.path("mirror"))).await;
    drop(mirror);
    until("the lock", || {
        let file = std::fs::File::open(world.path("mirror/lock")).unwrap();
        file.try_lock().is_ok()
    })
    .await;
    Mirror::open(settings).await.unwrap();
}
