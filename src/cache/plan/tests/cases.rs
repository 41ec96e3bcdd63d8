//! Rows of the table of cases, each with its number.

use std::sync::Arc;

use super::made::{Cache, INDEXED, LISTED, at, blobs, hash, no_limits, path, pins, plan, root, size, specs, sum};
use crate::cache::keep::KeepList;
use crate::cache::plan::{
    CutoffBy, DoomedBlobReason, DoomedReason, Limits, PrunePlan, PruneRefusal, SkipReason, Skipped, SpareReason,
    Spared, Step, Target,
};
use crate::cache::{Amount, BlobRef, Contents, IndexState, Reading, Root};
use crate::spack::buildcache::{Catalogue, Part};

fn refused(outcome: Result<PrunePlan, Vec<PruneRefusal>>) -> Vec<PruneRefusal> {
    outcome.expect_err("a refusal")
}

/// The only refusal, as a sentence.
fn sentence(outcome: Result<PrunePlan, Vec<PruneRefusal>>) -> String {
    let refusals = refused(outcome);
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    refusals[0].to_string()
}

fn spared(plan: &PrunePlan, reason: SpareReason) -> Option<&Spared> {
    plan.spared.iter().find(|spared| spared.reason == reason)
}

/// Contents of three specs, changed.
fn changed(change: impl FnOnce(&mut Contents)) -> Result<PrunePlan, Vec<PruneRefusal>> {
    let mut contents = Cache::of(3).contents();
    change(&mut contents);
    plan(&contents, Some(&pins(&[0])))
}

#[test]
fn a_plan_is_the_exact_difference_with_its_reasons_and_its_order() {
    let plan = Cache::of(4).plan(&[0, 2]).unwrap();
    assert_eq!((specs(&plan), blobs(&plan)), (vec![1, 3], vec![10, 11, 30, 31]));
    assert_eq!(plan.leave_out, [hash(1), hash(3)]);
    assert!(plan.manifests.iter().all(|doomed| doomed.reason == DoomedReason::NotKept && doomed.etag.is_some()));
    assert!(plan.blobs.iter().all(|doomed| doomed.reason == DoomedBlobReason::OnlyDoomed));
    assert!(plan.blobs.iter().all(|doomed| doomed.package.as_deref() == Some("pkg")));
    assert_eq!((plan.cutoff.at, plan.cutoff.by), (at(INDEXED), CutoffBy::Index));
    let totals = plan.totals();
    assert_eq!((totals.manifests, totals.manifest_bytes, totals.blobs), (2, 20, 4));
    assert_eq!((totals.top[0].manifests, totals.top[0].bytes), (2, totals.bytes()));
    assert_eq!(spared(&plan, SpareReason::Kept).unwrap().manifests, 2);
    let (wait, recheck) = (Step::Wait { hours: 36 }, Step::Recheck);
    let manifests = Step::DeleteManifests { count: 2, bytes: 20, requests: 1 };
    let deleted = Step::DeleteBlobs { count: 4, bytes: totals.blob_bytes, requests: 1 };
    let write = Step::WriteIndex { without: 2 };
    assert_eq!(plan.steps(), [write, wait, recheck, manifests, wait, recheck, deleted, Step::Verify]);
    assert!(Cache::of(4).plan(&[0, 1, 2, 3]).unwrap().steps().is_empty());
}

#[test]
fn case_10_a_manifest_without_a_hash_in_its_name_refuses_the_root() {
    let name = "v3/manifests/spec/pkg/pkg-1.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.spec.manifest.json";
    let sentence = sentence(changed(|contents| {
        contents.manifests[1].path = name.into();
        contents.manifests[1].hash = None;
    }));
    assert!(sentence.contains(name) && sentence.starts_with("1 manifest has"), "{sentence}");
}

#[test]
fn case_11_without_an_index_the_server_tells_the_time_and_nothing_else_does() {
    let mut cache = Cache::of(2);
    cache.index = None;
    cache.push(1, [10, 11], LISTED + 1);
    let made = cache.plan(&[0]).unwrap();
    assert_eq!((made.cutoff.at, made.cutoff.by), (at(LISTED), CutoffBy::Listing));
    assert!(made.is_empty() && made.index.is_none());
    assert_eq!(made.keep.as_ref().unwrap().unclosed, 1, "nobody knows what it depends on");
    let mut contents = cache.contents();
    contents.listed_at = None;
    assert_eq!(refused(plan(&contents, Some(&pins(&[0])))).len(), 1);
}

#[test]
fn cases_12_to_14_an_index_that_cannot_be_read_is_not_an_empty_one() {
    for (state, word) in [
        (IndexState::Unread, "not read"),
        (IndexState::Failed("403".into()), "403"),
        (IndexState::Dangling, "not there"),
        (IndexState::TooNew(9), "version 9"),
        (IndexState::Damaged("no version".into()), "no version"),
    ] {
        let sentence = sentence(changed(|contents| contents.indexes[0].state = state));
        assert!(sentence.contains(word) && sentence.contains("update-index"), "{sentence}");
    }
}

#[test]
fn case_15_an_index_that_lists_nothing_deletes_nothing() {
    let mut cache = Cache::of(3);
    cache.index = Some((INDEXED, [].into()));
    assert!(matches!(refused(cache.plan(&[0]))[..], [PruneRefusal::IndexEmpty { manifests: 3 }]));
}

#[test]
fn cases_18_and_19_blobs_of_a_push_that_never_ended_stay_while_they_are_new() {
    let mut cache = Cache::of(1);
    cache.blobs.extend([(500, INDEXED + 1), (501, INDEXED), (502, INDEXED)]);
    let plan = cache.plan(&[0]).unwrap();
    assert_eq!(blobs(&plan), [501, 502]);
    assert!(plan.blobs.iter().all(|doomed| doomed.reason == DoomedBlobReason::Orphan && doomed.package.is_none()));
    let newer = spared(&plan, SpareReason::Newer).unwrap();
    assert_eq!((newer.manifests, newer.blobs, &newer.first[..]), (0, 1, &[Arc::from(sum(500).path())][..]));
}

#[test]
fn case_20_a_manifest_without_its_tarball_goes_unless_it_is_kept() {
    let mut cache = Cache::of(3);
    cache.blobs.remove(&10);
    let orphans = plan(&cache.contents(), None).unwrap();
    assert_eq!((specs(&orphans), blobs(&orphans)), (vec![1], vec![11]));
    assert_eq!(orphans.manifests[0].reason, DoomedReason::MissingBlob);
    assert_eq!(orphans.leave_out, [hash(1)], "removed from the index first");
    assert!(matches!(orphans.steps()[0], Step::WriteIndex { without: 1 }));
    let kept = cache.plan(&[0, 1, 2]).unwrap();
    assert!(kept.is_empty());
    assert_eq!(spared(&kept, SpareReason::KeptBroken).unwrap().first[..], [path(1).into()]);
}

#[test]
fn case_21_a_new_manifest_without_its_blob_is_untouched() {
    let mut cache = Cache::of(2);
    cache.push(1, [10, 11], INDEXED + 1);
    cache.blobs.remove(&10);
    assert!(cache.plan(&[0]).unwrap().is_empty());
    assert!(plan(&cache.contents(), None).unwrap().is_empty());
}

#[test]
fn what_has_no_time_stays() {
    let plan = changed(|contents| {
        contents.manifests.iter_mut().for_each(|manifest| manifest.modified = None);
        contents.blobs.iter_mut().for_each(|blob| blob.modified = None);
    });
    let plan = plan.unwrap();
    assert!(plan.is_empty());
    assert_eq!(spared(&plan, SpareReason::Ageless).unwrap().manifests, 2);
}

#[test]
fn case_22_a_shared_blob_stays() {
    let mut cache = Cache::of(3);
    cache.push(1, [10, 1], 100);
    cache.push(2, [10, 21], 100);
    let plan = cache.plan(&[0]).unwrap();
    assert_eq!((specs(&plan), blobs(&plan)), (vec![1, 2], vec![10, 11, 20, 21]), "1 is named by what stays");
    assert_eq!(spared(&plan, SpareReason::Shared).unwrap().first[..], [sum(1).path().into()]);
}

/// A newer Spack may name more than the two blobs that are known today.
#[test]
fn what_a_manifest_names_besides_stays_with_it() {
    let mut cache = Cache::of(3);
    cache.blobs.extend([(500, 1), (501, 1), (502, 1)]);
    let mut contents = cache.contents();
    let also = |blob| vec![BlobRef { sum: sum(blob), bytes: size(blob) }];
    for (manifest, blob) in contents.manifests.iter_mut().zip([500, 501]) {
        if let Reading::Read { others, .. } = &mut manifest.reading {
            *others = also(blob);
        }
    }
    contents.indexes[0].others = also(502);
    let made = plan(&contents, Some(&pins(&[0]))).unwrap();
    assert_eq!(blobs(&made), [10, 11, 20, 21, 501], "the extra blob goes with its manifest");
    let rest = plan(&contents, None).unwrap();
    assert!(rest.is_empty(), "all of them are named");
    let found = made.recheck(&root(), &contents, Some(&pins(&[0, 1])), at(LISTED)).unwrap();
    let skipped = Skipped { target: Target::Blob(sum(501)), why: SkipReason::Named(path(1).into()) };
    assert!(found.contains(&skipped), "{found:?}");
    contents.blobs.retain(|blob| blob.sum != sum(501));
    assert!(plan(&contents, None).unwrap().is_empty(), "a binary is there without it");
}

#[test]
fn case_23_no_blob_goes_while_one_manifest_cannot_be_read() {
    let mut cache = Cache::of(4);
    cache.blobs.insert(500, 100);
    cache.specs.get_mut(&0).unwrap().is_damaged = true;
    let damaged = cache.plan(&[0, 1]).unwrap();
    assert_eq!((specs(&damaged), blobs(&damaged)), (vec![2, 3], vec![]));
    assert!(damaged.withheld[0].starts_with(&path(0)), "{:?}", damaged.withheld);
    let withheld = spared(&damaged, SpareReason::Withheld).unwrap();
    assert_eq!(withheld.blobs, 7, "the two of the damaged one, the orphan, and those of what goes");
    for reading in [
        Reading::Read { tarball: None, spec: None, others: Vec::new(), is_signed: false },
        Reading::Damaged("a manifest of 500 MB".into()),
    ] {
        let plan = changed(|contents| contents.manifests[2].reading = reading).unwrap();
        assert!(plan.blobs.is_empty() && plan.withheld.len() == 1);
    }
    let keys = changed(|contents| contents.keys[0].blobs = None).unwrap();
    assert!(keys.blobs.is_empty() && keys.withheld.len() == 1);
}

#[test]
fn a_read_or_list_error_never_widens_a_deletion() {
    let mut cache = Cache::of(3);
    cache.gaps = vec!["blobs/sha256/0", "v3/manifests/spec/x/"];
    let gap = sentence(cache.plan(&[0]));
    assert!(gap.starts_with("2 parts") && gap.contains("blobs/sha256/0") && gap.contains("503"), "{gap}");
    for reading in [Reading::Failed("timeout".into()), Reading::Unread] {
        let failed = sentence(changed(|contents| contents.manifests[0].reading = reading));
        assert!(failed.contains(&path(0)), "{failed}");
    }
}

#[test]
fn case_24_no_blob_at_all_is_a_failed_listing() {
    let refusals = refused(changed(|contents| contents.blobs.clear()));
    assert!(refusals.iter().any(|refusal| matches!(refusal, PruneRefusal::NoBlobs { manifests: 3 })));
}

#[test]
fn case_26_an_empty_keep_list_is_refused() {
    let refusals = refused(plan(&Cache::of(3).contents(), Some(&KeepList::default())));
    assert_eq!(refusals, [PruneRefusal::KeepEmpty]);
}

#[test]
fn case_27_hashes_that_are_not_there_are_counted() {
    let plan = Cache::of(2).plan(&[0, 1, 700, 701]).unwrap();
    let keep = plan.keep.as_ref().unwrap();
    assert_eq!((keep.hashes, keep.absent, keep.unclosed), (4, 2, 0));
    assert!(plan.is_empty());
}

#[test]
fn case_28_what_a_kept_spec_depends_on_is_kept() {
    let mut cache = Cache::of(5);
    cache.deps = [(0, vec![1]), (1, vec![2]), (3, vec![4])].into();
    let plan = cache.plan(&[0]).unwrap();
    assert_eq!(specs(&plan), [3, 4]);
    assert_eq!(plan.keep.as_ref().unwrap().by_closure, 2);
    assert_eq!(spared(&plan, SpareReason::Dependency).unwrap().manifests, 2);
    cache.deps.insert(2, vec![0]);
    assert_eq!(specs(&cache.plan(&[0]).unwrap()), [3, 4], "circles end");
}

#[test]
fn case_31_more_than_the_share_is_refused_with_numbers() {
    let contents = Cache::of(20).contents();
    let keep = pins(&(0..9).collect::<Vec<_>>());
    let outcome = |most_percent| {
        let limits = Limits { most_percent, ..Limits::default() };
        PrunePlan::make(&root(), &contents, Some(&keep), &limits, at(LISTED))
    };
    let refusals = refused(outcome(30));
    let [PruneRefusal::TooMuch(share)] = &refusals[..] else { panic!("{refusals:?}") };
    assert_eq!((share.manifests, share.all_manifests, share.most_percent), (11, 20, 30));
    assert!(share.bytes > 0 && share.top[0].package.as_ref() == "pkg");
    assert!(refusals[0].to_string().starts_with("11 of 20 manifests and "), "{}", refusals[0]);
    assert!(outcome(60).is_ok());
    let mut heavy = Cache::of(20);
    heavy.blobs.extend((0..100).map(|orphan| (1_000 + orphan, 1)));
    let all: Vec<usize> = (0..20).collect();
    let limits = Limits::default();
    let bytes = PrunePlan::make(&root(), &heavy.contents(), Some(&pins(&all)), &limits, at(LISTED));
    assert!(matches!(refused(bytes)[..], [PruneRefusal::TooMuch(_)]), "bytes alone are enough");
}

#[test]
fn case_32_the_servers_clock_counts_and_ours_must_not_differ() {
    let skewed = sentence(changed(|contents| contents.skew_ms = Some(-7_200_000)));
    assert!(skewed.contains("2h00") && skewed.contains("5m"), "{skewed}");
    assert!(changed(|contents| contents.skew_ms = Some(300_000)).is_ok());
    let ahead = sentence(changed(|contents| contents.indexes[0].modified = Some(at(LISTED + 4_000))));
    assert!(ahead.contains("1h06"), "{ahead}");
    let plan = changed(|contents| contents.indexes[0].modified = Some(at(LISTED + 200))).unwrap();
    assert_eq!((plan.cutoff.at, plan.cutoff.by), (at(LISTED), CutoffBy::Listing), "never later than the listing");
}

#[test]
fn an_old_index_is_refused() {
    let week = 7 * 86_400;
    let old = sentence(changed(|contents| contents.listed_at = Some(at(INDEXED + week + 1))));
    assert!(old.contains("7d old"), "{old}");
    assert!(changed(|contents| contents.listed_at = Some(at(INDEXED + week))).is_ok());
}

#[test]
fn case_38_nothing_below_a_stack_is_in_the_plan_of_its_parent() {
    let below = format!("e4s/{}", path(1));
    let stranger = sentence(changed(|contents| contents.manifests[1].path = below.clone().into()));
    assert!(stranger.contains(&below), "{stranger}");
    for odd in [path(1).replace("/pkg/", "/../"), path(1).replace("/pkg/", "/p\u{7}/"), path(2)] {
        let refusals = refused(changed(|contents| contents.manifests[1].path = odd.clone().into()));
        assert!(matches!(&refusals[..], [PruneRefusal::Stranger { path }] if **path == *odd), "{odd}");
    }
    let plan = Cache::of(9).plan(&[0]).unwrap();
    assert!(plan.manifests.iter().all(|doomed| matches!(Part::of(&doomed.path), Part::Spec { .. })));
}

#[test]
fn case_44_views_keep_what_they_name_or_stop_the_plan() {
    let mut cache = Cache::of(5);
    cache.view("2025-11", &[1]);
    cache.deps = [(1, vec![2])].into();
    let made = cache.plan(&[0]).unwrap();
    assert_eq!(specs(&made), [3, 4]);
    let keep = made.keep.as_ref().unwrap();
    assert_eq!((keep.by_views, keep.by_closure), (1, 1));
    let mut contents = cache.contents();
    contents.indexes[1].state = IndexState::Failed("500".into());
    let sentence = sentence(plan(&contents, Some(&pins(&[0]))));
    assert!(sentence.contains("the view 2025-11") && sentence.contains("500"), "{sentence}");
}

#[test]
fn case_55_layout_2_is_reported_and_never_planned() {
    let plan = changed(|contents| {
        contents.v2 = Amount { objects: 44, bytes: 9_000 };
        contents.foreign.amount = Amount { objects: 1, bytes: 2 };
    });
    let plan = plan.unwrap();
    assert_eq!((plan.untouched.v2_objects, plan.untouched.v2_bytes, plan.untouched.foreign_objects), (44, 9_000, 1));
    assert_eq!(specs(&plan), [1, 2]);
}

#[test]
fn an_index_with_a_forged_record_plans_nothing() {
    use crate::cache::testing::{Files, hash};
    let mut files = Files::default();
    (0..3).for_each(|number| files.push(number, number, 3));
    files.index(None, &[], |_| true);
    let mut contents = Contents { skew_ms: Some(0), ..files.contents() };
    let plan = |contents: &Contents| PrunePlan::make(&root(), contents, Some(&pins(&[0])), &no_limits(), at(100));
    assert!(plan(&contents).is_ok());
    let forged = r#"{"database":{"version":"8","installs":{"HASH":{"spec":{"name":"other","version":"1.0","hash":"HASH"},"in_buildcache":true}}}}"#;
    let forged = forged.replace("HASH", hash(1).as_str());
    contents.indexes[0].state = IndexState::Read(Arc::new(Catalogue::read(forged.as_bytes()).unwrap()));
    let refusals = refused(plan(&contents));
    assert_eq!(refusals, [PruneRefusal::Forged { path: contents.indexes[0].path.clone(), count: 1, hash: hash(1) }]);
    assert!(refusals[0].is_blind() && refusals[0].to_string().contains("1 forged record, for example /"));
}

#[test]
fn every_doubt_is_told_at_once() {
    let mut contents = Cache::of(20).contents();
    contents.skew_ms = Some(900_000);
    contents.indexes[0].modified = Some(at(-9_000_000));
    contents.gaps.push(crate::cache::Gap { place: "blobs/sha256/0".into(), why: "timeout".into() });
    let top = Root::of("develop");
    let refusals = refused(PrunePlan::make(&top, &contents, Some(&pins(&[0])), &no_limits(), at(LISTED)));
    let kinds = |wanted: fn(&PruneRefusal) -> bool| refusals.iter().filter(|refusal| wanted(refusal)).count();
    assert_eq!(refusals.len(), 4, "{refusals:?}");
    assert_eq!(kinds(|refusal| matches!(refusal, PruneRefusal::CoverageUnknown { .. })), 1);
    assert_eq!(kinds(|refusal| matches!(refusal, PruneRefusal::Gap { .. })), 1);
    assert_eq!(kinds(|refusal| matches!(refusal, PruneRefusal::IndexOld { .. })), 1);
    assert_eq!(kinds(|refusal| matches!(refusal, PruneRefusal::Skew { .. })), 1);
}
