//! Listing and fetching, one bad ref among good ones.

use super::world::{World, branch, develop, of, pr, sha};
use crate::adapters::git::mirror::{MirrorError, Side, Wanted, branch_inputs, tag_inputs};
use crate::bridge::{Fault, Looked, PassInput, RefReason, Rules};
use crate::ci::Timestamp;
use crate::forge::PrNumber;

#[tokio::test]
async fn one_missing_ref_spoils_no_other() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    let fetched = mirror.fetch([develop(), pr(1), pr(99), pr(2), pr(98)]).await;
    assert_eq!(of(&fetched, &pr(1)), Ok(&story.clean));
    assert_eq!(of(&fetched, &pr(2)), Ok(&story.conflict));
    assert_eq!(of(&fetched, &develop()), Ok(&story.newest));
    for number in [98, 99] {
        let name = format!("refs/pull/{number}/head");
        let error = of(&fetched, &pr(number)).unwrap_err();
        assert_eq!(error, &MirrorError::NoRef { side: Side::GitHub, name });
        assert!(!Fault::from(error).passes);
    }
    assert_eq!(mirror.heads().await.unwrap().len(), 3);
    // What is unchanged is told as well, and so is what was rewritten.
    world.set("hub.git", "refs/pull/1/head", &story.alien);
    let again = mirror.fetch([pr(1), pr(2)]).await;
    assert_eq!((of(&again, &pr(1)), of(&again, &pr(2))), (Ok(&story.alien), Ok(&story.conflict)));
}

#[tokio::test]
async fn a_head_with_objects_that_git_refuses_stands_alone() {
    let (world, story) = World::with_prs();
    // A tree that holds `.git`: whoever checks it out would run what it says.
    let at = world.path("hub.git");
    let blob = world.git(&at, &["hash-object", "-w", "--stdin"], "[core]\n");
    let bytes: Vec<u8> = (0..40).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap()).collect();
    let tree = world.scratch.write("tree", [&b"100644 .git\0"[..], &bytes].concat());
    let tree = world.git(&at, &["hash-object", "-t", "tree", "-w", "--literally", tree.to_str().unwrap()], "");
    let who = "Amy <amy@example.org> 1790000000 +0000";
    let evil = format!("tree {tree}\nparent {}\nauthor {who}\ncommitter {who}\n\nx\n", story.first);
    let evil = sha(&world.git(&at, &["hash-object", "-t", "commit", "-w", "--stdin"], &evil));
    world.set("hub.git", "refs/pull/5/head", &evil);
    let mirror = world.mirror().await;
    let fetched = mirror.fetch([develop(), pr(1), pr(2), pr(3), pr(4), pr(5)]).await;
    let error = of(&fetched, &pr(5)).unwrap_err();
    assert!(matches!(error, MirrorError::BadObjects { .. }) && !error.passes(), "{error:?}");
    for (number, head) in [(1, &story.clean), (2, &story.conflict), (3, &story.young), (4, &story.alien)] {
        assert_eq!(of(&fetched, &pr(number)), Ok(head));
    }
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_forgotten_and_gives_way() {
    let (world, story) = World::with_prs();
    world.set("hub.git", "refs/heads/releases", &story.first);
    world.set("hub.git", "refs/tags/v1/a", &story.first);
    let mirror = world.mirror().await;
    let (old, new) = (Wanted::Branch(branch("releases")), Wanted::Branch(branch("releases/v1")));
    let (old_tag, new_tag) = (Wanted::Tag(branch("v1/a")), Wanted::Tag(branch("v1")));
    mirror.fetch([old, old_tag, pr(1), pr(2)]).await;
    for name in ["refs/heads/releases", "refs/tags/v1/a"] {
        world.git(&world.path("hub.git"), &["update-ref", "-d", name], "");
    }
    world.set("hub.git", "refs/heads/releases/v1", &story.tested);
    world.set("hub.git", "refs/tags/v1", &story.tested);
    let fetched = mirror.fetch([new.clone(), new_tag.clone()]).await;
    assert_eq!((of(&fetched, &new), of(&fetched, &new_tag)), (Ok(&story.tested), Ok(&story.tested)));
    assert_eq!(mirror.prune(|one| *one == pr(1) || *one == new).await, Ok(2));
    let mut left: Vec<_> = mirror.heads().await.unwrap().into_keys().collect();
    left.sort();
    assert_eq!(left, [pr(1), new]);
}

#[tokio::test]
async fn subjects_of_commits_on_gitlab_are_read_without_their_history() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    let theirs = world.commit("lab.git", &[], &[("big", &"x\n".repeat(100_000))], 20);
    let child = world.commit("lab.git", &[&theirs], &[("big", "y")], 21);
    world.set("lab.git", "refs/heads/pr7_x", &child);
    mirror.fetch([develop()]).await;
    let gone = sha(&"7".repeat(40));
    let found = mirror.subjects(&[child.clone(), story.tested.clone(), gone.clone()]).await;
    assert_eq!(found[&child].as_ref().unwrap().as_deref(), Some("work 21"));
    assert_eq!(found[&story.tested].as_ref().unwrap().as_deref(), Some("work 2"), "it is here already");
    assert!(matches!(found[&gone], Err(MirrorError::NoRef { .. })), "{:?}", found[&gone]);
    let objects =
        world.git(&world.path("mirror/subjects.git"), &["cat-file", "--batch-all-objects", "--batch-check"], "");
    assert_eq!(objects.lines().count(), 1, "one commit and nothing else: {objects}");
    let runs = mirror.git_runs();
    mirror.subjects(&[child]).await;
    assert_eq!(mirror.git_runs() - runs, 2, "the second time nobody is asked");
    let shallow = world.git(&world.path("mirror/repository.git"), &["rev-parse", "--is-shallow-repository"], "");
    assert_eq!(shallow, "false", "GitLab takes no push from a shallow one");
}

#[tokio::test]
async fn case_E33_six_thousand_unchanged_tags_are_one_question_and_no_push() {
    let (world, story) = World::with_prs();
    let orders: String =
        (0..6_000).map(|n| format!("create refs/tags/v{n} {}\n", story.first)).collect::<Vec<_>>().concat();
    world.git(&world.path("hub.git"), &["update-ref", "--stdin"], &orders);
    world.git(&world.path("hub.git"), &["push", "-q", "--mirror", &world.file_url("lab.git")], "");
    let mirror = world.mirror().await;
    let before = mirror.git_runs();
    let github = mirror.list(Side::GitHub).await.unwrap();
    let gitlab = mirror.list(Side::GitLab).await.map_err(|error| Fault::from(&error));
    assert_eq!(mirror.git_runs() - before, 2, "one question to each side");
    assert_eq!((github.tags.len(), github.left_out.len()), (6_000, 0));
    let input = PassInput {
        now: Timestamp::from_millis(1_790_000_000_000),
        rules: Rules::default(),
        main: Looked::Found(Vec::new()),
        gitlab_protected: Vec::new(),
        prs: Vec::new(),
        branches: branch_inputs(["develop", "gone"], &github, &gitlab),
        tags: tag_inputs(&github, &gitlab),
        pipelines: Looked::Found(Vec::new()),
        pushes: Vec::new(),
        posted: Vec::new(),
    };
    let output = input.decide();
    assert_eq!((output.tags.len(), output.tags_unchanged, output.pushes.len()), (0, 6_000, 0));
    assert_eq!(output.branches.len(), 1);
    assert_eq!(output.branches[0].reason, RefReason::Unchanged);
    let unknown = Err(Fault { why: "offline".into(), passes: true });
    assert!(matches!(tag_inputs(&github, &unknown)[0].on_gitlab, Looked::Failed(_)), "unknown is not absent");
}

#[tokio::test]
async fn annotated_tags_are_told_by_their_object() {
    let (world, story) = World::with_prs();
    let who = "Amy <amy@example.org> 1790000000 +0000";
    let text = format!("object {}\ntype commit\ntag v1\ntagger {who}\n\nv1\n", story.first);
    let tag = sha(&world.git(&world.path("hub.git"), &["mktag"], &text));
    world.set("hub.git", "refs/tags/v1", &tag);
    let mirror = world.mirror().await;
    assert_eq!(mirror.list(Side::GitHub).await.unwrap().tags["v1"], tag);
    let wanted = Wanted::Tag(branch("v1"));
    assert_eq!(of(&mirror.fetch([wanted.clone()]).await, &wanted), Ok(&tag));
    let update = crate::bridge::RefUpdate::tag(&branch("v1"), tag.clone(), crate::bridge::Expects::Absent);
    assert!(mirror.push(&crate::bridge::PushBatch { refs: vec![update] }).await[0].1.is_there());
    assert_eq!(world.refs("lab.git"), [("refs/tags/v1".to_owned(), tag)]);
}

#[tokio::test]
async fn a_repository_that_is_not_there_fails_everything_at_once() {
    let (world, _) = World::with_prs();
    let mirror = world.mirror().await;
    std::fs::rename(world.path("hub.git"), world.path("away.git")).unwrap();
    let before = mirror.git_runs();
    let fetched = mirror.fetch((1..50).map(PrNumber).map(Wanted::PrHead)).await;
    let is_told = |error: &MirrorError| matches!(error, MirrorError::NoRepository { side: Side::GitHub, .. });
    assert!(fetched.iter().all(|(_, became)| became.as_ref().is_err_and(is_told)), "{:?}", fetched[0]);
    assert_eq!(mirror.git_runs() - before, 2);
    assert!(fetched[0].1.as_ref().is_err_and(MirrorError::passes), "it is not the pull request's fault");
}
