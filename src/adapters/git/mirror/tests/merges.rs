//! Ancestry and merges.

use super::world::{World, batch, branch, develop, of, pr};
use crate::adapters::git::mirror::{MirrorError, Wanted};
use crate::bridge::{Expects, Fault};
use crate::forge::PrNumber;

#[tokio::test]
async fn ancestry_is_told_by_where_a_head_branched_off() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    mirror.fetch([develop(), pr(1), pr(3), pr(4)]).await;
    let main = branch("develop");
    let clean = mirror.ancestry(&story.clean, &story.clean, &story.tested, &main).await.unwrap();
    assert_eq!((clean.merge_base, clean.base_is_tested), (Some(story.first.clone()), true));
    let young = mirror.ancestry(&story.young, &story.young, &story.tested, &main).await.unwrap();
    assert_eq!((young.merge_base, young.base_is_tested), (Some(story.newest.clone()), false));
    let behind = mirror.ancestry(&story.tested, &story.tested, &story.tested, &main).await.unwrap();
    assert_eq!((behind.merge_base, behind.base_is_tested), (Some(story.tested.clone()), true));
    let moved = mirror.ancestry(&story.conflict, &story.clean, &story.tested, &main).await.unwrap();
    assert_eq!((moved.asked, moved.fetched), (story.conflict.clone(), story.clean.clone()));
    for (old, new, is_ahead) in [
        (&story.first, &story.newest, true),
        (&story.newest, &story.first, false),
        (&story.clean, &story.newest, false),
        // GitLab has something that GitHub never had.
        (&story.conflict, &story.newest, false),
    ] {
        assert_eq!(mirror.is_ahead(old, new).await, Ok(is_ahead));
    }
    let unknown = mirror.is_ahead(&story.first, &story.conflict).await.unwrap_err();
    assert_eq!(unknown, MirrorError::Missing(story.conflict.clone()));
    assert!(Fault::from(&unknown).passes);
}

#[tokio::test]
async fn case_E9_a_conflict_is_an_answer_that_is_not_asked_for_again() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    mirror.fetch([develop(), pr(1), pr(2)]).await;
    let before = mirror.git_runs();
    let conflict = mirror.merge(&story.conflict, &story.tested).await.unwrap();
    assert_eq!((conflict.commit, mirror.git_runs() - before), (None, 2));
    assert!(mirror.merge(&story.clean, &story.tested).await.unwrap().commit.is_some());
}

#[tokio::test]
async fn case_E10_unrelated_histories_have_a_word_of_their_own() {
    let (world, story) = World::with_prs();
    let mirror = world.mirror().await;
    mirror.fetch([develop(), pr(4)]).await;
    let found = mirror.ancestry(&story.alien, &story.alien, &story.tested, &branch("develop")).await.unwrap();
    assert_eq!((found.merge_base, found.base_is_tested), (None, false));
    let before = mirror.git_runs();
    let error = mirror.merge(&story.alien, &story.tested).await.unwrap_err();
    assert_eq!(error, MirrorError::Unrelated { head: story.alien.clone(), onto: story.tested.clone() });
    assert_eq!((mirror.git_runs() - before, Fault::from(&error).passes), (2, false));
}

#[tokio::test]
async fn case_E34_equal_inputs_give_equal_commits_and_a_push_again_changes_nothing() {
    let (world, story) = World::with_prs();
    let (mirror, other) = (world.mirror().await, {
        let mut settings = world.settings();
        settings.folder = world.path("another mirror");
        crate::adapters::git::mirror::Mirror::open(settings).await.unwrap()
    });
    let mut commits = Vec::new();
    for one in [&mirror, &other] {
        one.fetch([develop(), pr(1)]).await;
        commits.push(one.merge(&story.clean, &story.tested).await.unwrap().commit.unwrap());
    }
    assert_eq!(commits[0], commits[1], "nothing of the time, the place or the machine is in it");
    let show =
        |format| world.git(&world.path("mirror/repository.git"), &["log", "-1", format, commits[0].as_str()], "");
    assert_eq!(show("--format=%P"), format!("{} {}", story.tested, story.clean));
    assert_eq!(show("--format=%B"), format!("Merge {} into {}", story.clean, story.tested));
    assert_eq!(
        show("--format=%an <%ae> %at|%cn <%ce> %cI"),
        "spackbot <noreply@spack.io> 1790000004|spackbot <noreply@spack.io> 2026-09-21T14:13:24Z"
    );
    let files = world.git(&world.path("mirror/repository.git"), &["show", &format!("{}:b", commits[0])], "");
    assert_eq!(files, "x");
    let push = batch(&[("pr1_x", &commits[0], Expects::Absent)]);
    assert!(mirror.push(&push).await[0].1.is_there());
    assert_eq!(other.push(&push).await[0].1, crate::adapters::git::mirror::Landed::There);
}

#[tokio::test]
async fn test_merges_are_read_by_their_parents() {
    let (world, story) = World::with_prs();
    let merge = world.commit("hub.git", &[&story.newest, &story.young], &[("a", "3\n"), ("b", "z\n")], 9);
    world.set("hub.git", "refs/pull/3/merge", &merge);
    let mirror = world.mirror().await;
    let wanted = Wanted::TestMerge(PrNumber(3));
    let fetched = mirror.fetch([wanted.clone()]).await;
    let found = mirror.test_merge(&merge, of(&fetched, &wanted).unwrap()).await.unwrap();
    assert_eq!((found.fetched, found.head, found.onto), (merge.clone(), story.young.clone(), story.newest.clone()));
    let error = mirror.test_merge(&story.young, &story.young).await.unwrap_err();
    assert_eq!(error, MirrorError::NotACommit(story.young.clone()));
}
