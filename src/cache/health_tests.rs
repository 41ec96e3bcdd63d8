//! Health by cases, and against a naive recount of random histories.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::testing::{Files, at, hash, manifest, path_of};
use super::{Contents, FindingKind, Gap, Health, HealthRules, Reading, Severity};
use crate::spack::Hash;
use crate::spack::buildcache::Checksum;

fn rules(now: i64) -> HealthRules {
    HealthRules { now: at(now), max_index_age: None, max_skew: Duration::from_secs(300) }
}

fn health(files: &Files) -> Health {
    Health::of(&files.contents(), &rules(files.now))
}

fn kinds(health: &Health) -> Vec<FindingKind> {
    health.tally().into_iter().map(|(kind, _)| kind).collect()
}

fn three() -> Files {
    let mut files = Files::default();
    for number in 1..=3 {
        files.push(number, number, 3);
    }
    files.now = 10;
    files.index(None, &[], |_| true);
    files
}

#[test]
fn a_whole_cache_has_no_findings() {
    let found = health(&three());
    assert_eq!(found.findings, []);
    assert_eq!(found.state(), Severity::Ok);
    assert_eq!((found.specs, found.blobs), (Some(3), Some(7)));
    assert_eq!(found.bytes, Some(three().recount().bytes));
    assert_eq!((found.holes.len(), found.orphans, found.unindexed), (0, Some(vec![]), Some(vec![])));
}

#[test]
fn case_08_a_blob_of_another_length_is_a_hole() {
    let mut files = three();
    files.put(&Checksum::of(b"files 2").path(), b"other");
    let found = health(&files);
    assert_eq!((kinds(&found), found.holes), (vec![FindingKind::WrongLength], vec![hash(2)]));
}

#[test]
fn case_10_odd_names_are_reported() {
    let mut files = three();
    files.put("v3/manifests/spec/pkg/pkg-1.0-short.spec.manifest.json", manifest(&[]).as_bytes());
    let found = health(&files);
    assert!(kinds(&found).contains(&FindingKind::OddName), "{found:?}");
}

#[test]
fn case_11_no_index_is_no_error_of_an_empty_cache() {
    assert_eq!(health(&Files::default()).findings, []);
    let mut files = Files::default();
    files.push(1, 1, 3);
    let found = health(&files);
    assert_eq!((kinds(&found), found.unindexed), (vec![FindingKind::NoIndex], None));
}

#[test]
fn case_12_and_23_what_could_not_be_read_is_unknown() {
    let mut contents = three().contents();
    contents.manifests[0].reading = Reading::Failed("403".into());
    contents.gaps = vec![Gap { place: contents.manifests[0].path.clone(), why: "403".into() }];
    let found = Health::of(&contents, &rules(10));
    assert_eq!((found.orphans.as_ref(), found.holes.len()), (None, 0), "its blobs are no orphans");
    assert_eq!((found.state(), found.is_whole), (Severity::Unknown, false));

    let mut contents = three().contents();
    contents.blobs.clear();
    contents.gaps = vec![Gap { place: "blobs/".into(), why: "503".into() }];
    let found = Health::of(&contents, &rules(10));
    assert_eq!((found.holes, found.blobs, found.bytes, found.orphans), (vec![], None, None, None));

    let mut contents = three().contents();
    let index = contents.indexes.clone();
    contents = Contents { indexes: index, ..Contents::default() };
    contents.gaps = vec![Gap { place: "".into(), why: "a web server cannot be listed".into() }];
    let found = Health::of(&contents, &rules(10));
    assert_eq!((found.specs, found.holes, found.unindexed), (Some(3), vec![], None), "what the index says");
}

#[test]
fn case_13_a_dangling_index_is_bad() {
    let mut files = three();
    let index = files.contents().index().unwrap().blob.unwrap().sum.path();
    files.remove(&index);
    let found = health(&files);
    assert_eq!((kinds(&found), found.state()), (vec![FindingKind::DanglingIndex], Severity::Bad));
}

#[test]
fn case_18_and_19_partial_uploads_are_orphans_and_no_specs() {
    for (steps, blobs) in [(1, 1), (2, 2)] {
        let mut files = three();
        files.push(9, 9, steps);
        let found = health(&files);
        assert_eq!(found.specs, Some(3));
        assert_eq!((kinds(&found), found.orphans.unwrap().len()), (vec![FindingKind::Orphans], blobs));
    }
}

#[test]
fn case_20_a_manifest_without_its_files_is_a_hole() {
    let mut files = three();
    files.remove(&Checksum::of(b"files 2").path());
    let found = health(&files);
    assert_eq!((kinds(&found), found.holes), (vec![FindingKind::MissingBlob], vec![hash(2)]));
}

#[test]
fn case_22_a_shared_blob_is_no_orphan() {
    let mut files = three();
    files.push(4, 3, 3);
    files.remove(&path_of(3));
    files.index(None, &[], |_| true);
    let orphans = health(&files).orphans.unwrap();
    assert!(!orphans.contains(&Checksum::of(b"files 3")), "4 still needs it");
    assert!(orphans.contains(&Checksum::of(b"spec 3")));
}

#[test]
fn a_listed_binary_without_manifest_and_one_never_pushed_are_holes() {
    let mut files = three();
    files.index(None, &[7], |_| true);
    files.remove(&path_of(1));
    let found = health(&files);
    let holes = BTreeSet::from([hash(1), hash(7)]);
    assert_eq!(found.holes.iter().copied().collect::<BTreeSet<_>>(), holes);
    assert!(kinds(&found).starts_with(&[FindingKind::MissingManifest, FindingKind::NeverPushed]), "{found:?}");
}

#[test]
fn an_old_index_and_clocks_that_differ_are_told() {
    let mut contents = three().contents();
    contents.listed_at = Some(at(10 + 7_200));
    contents.skew_ms = Some(-301_000);
    let hour = HealthRules { max_index_age: Some(Duration::from_hours(1)), ..rules(0) };
    assert_eq!(kinds(&Health::of(&contents, &hour)), [FindingKind::OldIndex, FindingKind::ClockSkew]);
}

/// What may happen to a cache.
#[derive(Debug, Clone)]
enum Step {
    /// The second number: whose files these are. The third: how far the push comes.
    Push(usize, usize, usize),
    Index,
    Vanish(proptest::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let push = (0..6usize, 0..6usize, 1..4usize).prop_map(|(number, files, steps)| Step::Push(number, files, steps));
    let step =
        prop_oneof![6 => push, 2 => Just(Step::Index), 1 => any::<proptest::sample::Index>().prop_map(Step::Vanish)];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The truth: after any history, sums, holes, orphans and unindexed are what counting the files one by one gives.
    #[test]
    fn inventory_and_health_are_a_naive_recount(history in steps()) {
        let mut files = Files::default();
        for step in history {
            files.now += 1;
            match step {
                Step::Push(number, of, steps) => files.push(number, of, steps),
                Step::Index => files.index(None, &[], |_| true),
                Step::Vanish(which) => {
                    // Manifests of the index go last in life; a dangling one is another test.
                    let gone: Vec<String> = files.paths().filter(|path| !path.contains("index")).map(str::to_owned).collect();
                    if !gone.is_empty() {
                        files.remove(&gone[which.index(gone.len())]);
                    }
                }
            }
        }
        let (contents, inventory) = (files.contents(), files.inventory("develop/e4s"));
        prop_assert_eq!(inventory.total(), files.recount());
        let found = Health::of(&contents, &rules(files.now));
        prop_assume!(!kinds(&found).contains(&FindingKind::DanglingIndex));
        prop_assert_eq!(found.bytes, Some(files.recount().bytes));

        // By hand, from the files alone.
        let there: BTreeSet<&str> = files.paths().collect();
        let named: BTreeSet<String> = contents.manifests.iter().flat_map(|manifest| match &manifest.reading {
            Reading::Read { tarball, spec, .. } => [tarball, spec].into_iter().flatten().map(|blob| blob.sum.path()).collect::<Vec<_>>(),
            _ => Vec::new(),
        }).chain(contents.indexes.iter().filter_map(|index| Some(index.blob?.sum.path()))).collect();
        let orphans: BTreeSet<String> = there.iter().filter(|path| path.starts_with("blobs/") && !named.contains(**path)).map(|path| (*path).to_owned()).collect();
        prop_assert_eq!(found.orphans.unwrap().into_iter().map(Checksum::path).collect::<BTreeSet<_>>(), orphans);
        let whole = |hash: &Hash| contents.manifests.iter().filter(|manifest| manifest.hash.as_ref() == Some(hash)).any(|manifest| match &manifest.reading {
            Reading::Read { tarball, spec, .. } => [tarball, spec].into_iter().flatten().all(|blob| there.contains(&*blob.sum.path())),
            _ => false,
        });
        let listed: BTreeSet<Hash> = contents.catalogue().map(|index| index.entries().iter().map(|entry| entry.hash).collect()).unwrap_or_default();
        let holes: BTreeSet<Hash> = listed.iter().filter(|hash| !whole(hash)).copied().collect();
        prop_assert_eq!(found.holes.into_iter().collect::<BTreeSet<_>>(), holes);
        if let Some(unindexed) = found.unindexed {
            let new: BTreeSet<Hash> = contents.manifests.iter().filter_map(|manifest| manifest.hash).filter(|hash| !listed.contains(hash)).collect();
            prop_assert_eq!(unindexed.into_iter().collect::<BTreeSet<_>>(), new);
        }
    }
}
