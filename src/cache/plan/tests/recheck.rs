//! What has to stay after all.

use super::made::{Cache, INDEXED, LISTED, at, hash, path, pins, root, sum};
use crate::cache::Root;
use crate::cache::keep::KeptBy;
use crate::cache::plan::{PrunePlan, PruneRefusal, SkipReason, Skipped, Target};

/// Four specs of which one is kept, its plan, and the cache after the index was written without the others.
fn planned() -> (Cache, PrunePlan) {
    let mut cache = Cache::of(4);
    let plan = cache.plan(&[0]).unwrap();
    cache.index = Some((INDEXED + 10, [0].into()));
    (cache, plan)
}

fn recheck(plan: &PrunePlan, cache: &Cache, keep: &[usize]) -> Vec<Skipped> {
    plan.recheck(&root(), &cache.contents(), Some(&pins(keep)), at(LISTED)).unwrap()
}

fn manifest(spec: usize, why: SkipReason) -> Skipped {
    Skipped { target: Target::Manifest(path(spec).into()), why }
}

fn blob(blob: usize, why: SkipReason) -> Skipped {
    Skipped { target: Target::Blob(sum(blob)), why }
}

/// The blobs of a spec that stays.
fn named(spec: usize) -> Vec<Skipped> {
    let mut blobs: Vec<usize> = vec![10 * spec, 10 * spec + 1];
    blobs.sort_by_key(|one| sum(*one));
    blobs.into_iter().map(|one| blob(one, SkipReason::Named(path(spec).into()))).collect()
}

#[test]
fn nothing_changed_nothing_is_skipped() {
    let (cache, plan) = planned();
    assert_eq!(recheck(&plan, &cache, &[0]), []);
}

#[test]
fn case_33_what_was_pushed_again_stays_with_its_blobs() {
    let (mut cache, plan) = planned();
    cache.specs.get_mut(&1).unwrap().tag += 1;
    let mut expected = vec![manifest(1, SkipReason::Changed)];
    expected.extend(named(1));
    assert_eq!(recheck(&plan, &cache, &[0]), expected);
    let (mut cache, plan) = planned();
    cache.blobs.insert(20, LISTED);
    assert_eq!(recheck(&plan, &cache, &[0]), [blob(20, SkipReason::Changed)]);
}

#[test]
fn case_34_what_is_kept_by_now_stays() {
    let (mut cache, plan) = planned();
    cache.deps = [(0, vec![2])].into();
    let mut expected =
        vec![manifest(1, SkipReason::Kept(KeptBy::List)), manifest(2, SkipReason::Kept(KeptBy::DependencyOf(hash(0))))];
    let mut blobs = [named(1), named(2)].concat();
    blobs.sort_by(|a, b| a.target.cmp(&b.target));
    expected.extend(blobs);
    assert_eq!(recheck(&plan, &cache, &[0, 1]), expected);
}

#[test]
fn what_an_index_or_a_view_lists_stays() {
    let (mut cache, plan) = planned();
    cache.index = Some((INDEXED, [0, 3].into()));
    cache.view("2025-11", &[2]);
    let found = recheck(&plan, &cache, &[0]);
    let why = |spec: usize| found.iter().find(|one| one.target == Target::Manifest(path(spec).into()));
    assert_eq!(why(3).unwrap().why, SkipReason::Listed(None));
    assert_eq!(why(2).unwrap().why, SkipReason::Kept(KeptBy::View("2025-11".into())));
    assert_eq!(why(1), None);
    let untouched = Cache::of(4);
    assert_eq!(recheck(&plan, &untouched, &[0]).len(), 9, "before the index is written nothing may go");
}

#[test]
fn a_blob_that_a_new_manifest_names_stays() {
    let (mut cache, plan) = planned();
    let old = cache.blobs[&10];
    cache.push(9, [10, 91], LISTED);
    cache.blobs.insert(10, old);
    assert_eq!(recheck(&plan, &cache, &[0]), [blob(10, SkipReason::Named(path(9).into()))]);
}

#[test]
fn a_manifest_that_cannot_be_read_holds_every_blob() {
    let (mut cache, plan) = planned();
    cache.specs.get_mut(&0).unwrap().is_damaged = true;
    let found = recheck(&plan, &cache, &[0]);
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|one| matches!((&one.target, &one.why), (Target::Blob(_), SkipReason::Unreadable(_)))));
}

#[test]
fn case_37_what_is_gone_is_told_and_the_rest_goes_on() {
    let (mut cache, plan) = planned();
    cache.specs.remove(&1);
    cache.blobs.remove(&11);
    assert_eq!(recheck(&plan, &cache, &[0]), [manifest(1, SkipReason::Gone), blob(11, SkipReason::Gone)]);
}

#[test]
fn any_doubt_stops_everything() {
    let (mut cache, plan) = planned();
    let ask = |cache: &Cache, root: &Root, keep: Option<&[usize]>| {
        plan.recheck(root, &cache.contents(), keep.map(pins).as_ref(), at(LISTED)).unwrap_err()
    };
    assert_eq!(ask(&cache, &root(), None), [PruneRefusal::KeepEmpty]);
    assert_eq!(ask(&cache, &root(), Some(&[])), [PruneRefusal::KeepEmpty]);
    let elsewhere = Root::of("develop/other");
    assert!(matches!(ask(&cache, &elsewhere, Some(&[0]))[..], [PruneRefusal::OtherRoot { .. }]));
    cache.gaps.push("v3/manifests/spec/");
    assert!(matches!(ask(&cache, &root(), Some(&[0]))[..], [PruneRefusal::Gap { .. }]));
}
