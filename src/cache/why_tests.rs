use std::sync::Arc;

use super::keep::{KeepList, KeepReason};
use super::plan::tests::made::{
    Cache, INDEXED, LISTED, MANIFEST_BYTES, at, hash, no_limits, path, pins, root, size, sum,
};
use super::plan::{DoomedReason, PruneRefusal};
use super::why::{Fate, Hold, Place, Why, why};
use super::{Contents, Gap, IndexState, Root};

fn ask(spec: usize, contents: &Contents, list: Option<&KeepList>) -> Why {
    let mut found = why(&hash(spec), &[Place { root: &root(), contents, list }], &no_limits(), at(LISTED));
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn pin() -> Hold {
    Hold::List(KeepReason::Pin("for a test".into()))
}

#[test]
fn what_nothing_keeps_would_go_with_its_own_blobs() {
    let mut cache = Cache::of(3);
    cache.push(1, [10, 1], 100);
    let found = ask(1, &cache.contents(), Some(&pins(&[0])));
    let bytes = MANIFEST_BYTES + size(10);
    assert_eq!(found.fate, Fate::Goes { reason: DoomedReason::NotKept, bytes });
    assert!(found.holds.is_empty() && found.doubts.is_empty() && found.listed[0].1.in_buildcache);
    let [manifest] = &found.manifests[..] else { panic!("{found:?}") };
    assert_eq!((&*manifest.path, manifest.modified), (&*path(1), Some(at(100))));
    let blobs: Vec<_> = manifest.blobs.iter().map(|one| (one.blob.sum, one.is_there, one.goes)).collect();
    assert_eq!(blobs, [(sum(10), true, true), (sum(1), true, false)]);
    assert_eq!(manifest.blobs[1].shared_with, [hash(0)]);
}

#[test]
fn everything_that_keeps_it_is_told() {
    let mut cache = Cache::of(5);
    cache.deps = [(0, vec![1]), (3, vec![1]), (4, vec![1])].into();
    cache.view("2025-11", &[1, 4]);
    cache.push(1, [10, 11], INDEXED + 5);
    let contents = cache.contents();
    let found = ask(1, &contents, Some(&pins(&[0, 1])));
    let dependant = |spec| Hold::Dependant { hash: hash(spec), name: "pkg".into() };
    let [list, view, zero, four, Hold::Newer { modified, cutoff }] = &found.holds[..] else { panic!("{found:?}") };
    assert_eq!([list, view], [&pin(), &Hold::View("2025-11".into())]);
    assert_eq!([zero, four], [&dependant(0), &dependant(4)], "3 is not kept itself");
    assert_eq!((*modified, cutoff.at), (at(INDEXED + 5), at(INDEXED)));
    assert_eq!((found.fate, found.listed.len()), (Fate::Stays, 2));
    let through = ask(1, &contents, Some(&pins(&[2])));
    assert_eq!(through.holds[..2], [Hold::View("2025-11".into()), dependant(4)]);
}

#[test]
fn broken_absent_and_untold_are_different() {
    let mut cache = Cache::of(3);
    cache.blobs.remove(&10);
    let contents = cache.contents();
    assert_eq!(ask(1, &contents, Some(&pins(&[1]))).fate, Fate::StaysBroken(sum(10)));
    let absent = ask(9, &contents, Some(&pins(&[9])));
    assert_eq!((absent.fate, absent.holds), (Fate::Absent, vec![pin()]));
    assert_eq!(ask(2, &contents, None).fate, Fate::Untold);
    let bytes = MANIFEST_BYTES + size(11);
    assert_eq!(ask(1, &contents, None).fate, Fate::Goes { reason: DoomedReason::MissingBlob, bytes });
}

#[test]
fn what_could_not_be_read_is_unknown() {
    let contents = || Cache::of(2).contents();
    let mut gap = contents();
    gap.gaps.push(Gap { place: "v3/manifests/spec/x/".into(), why: "timeout".into() });
    for spec in [1, 9] {
        let found = ask(spec, &gap, Some(&pins(&[0])));
        assert!(matches!((found.fate, &found.doubts[..]), (Fate::Unknown, [PruneRefusal::Gap { .. }])));
    }
    assert_eq!(ask(0, &gap, Some(&pins(&[0]))).fate, Fate::Stays, "what is known to keep it keeps it");
    let mut index = contents();
    index.indexes[0].state = IndexState::Failed("500".into());
    assert_eq!(ask(1, &index, Some(&pins(&[0]))).fate, Fate::Unknown);
    let mut timeless = contents();
    (timeless.indexes, timeless.listed_at) = (Vec::new(), None);
    assert_eq!(ask(1, &timeless, Some(&pins(&[0]))).fate, Fate::Unknown);
    let mut old = contents();
    old.listed_at = Some(at(INDEXED + 30 * 86_400));
    let found = ask(1, &old, Some(&pins(&[0])));
    assert!(matches!((found.fate, &found.doubts[..]), (Fate::Goes { .. }, [PruneRefusal::IndexOld { .. }])));
}

#[test]
fn every_root_is_judged_by_its_own_list() {
    let (here, there) = (Cache::of(2).contents(), Cache::of(1).contents());
    let (top, list) = (Root::of("develop"), pins(&[1]));
    let stack = root();
    let places = [
        Place { root: &top, contents: &here, list: None },
        Place { root: &stack, contents: &here, list: Some(&list) },
        Place { root: &stack, contents: &there, list: Some(&list) },
    ];
    let found = why(&hash(1), &places, &no_limits(), at(LISTED));
    let fates: Vec<(&Arc<str>, &Fate)> = found.iter().map(|one| (&one.root, &one.fate)).collect();
    let (develop, e4s): (Arc<str>, Arc<str>) = ("develop".into(), "develop/e4s".into());
    assert_eq!(fates, [(&develop, &Fate::Untold), (&e4s, &Fate::Stays), (&e4s, &Fate::Absent)]);
}
