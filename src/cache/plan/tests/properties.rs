//! What holds for every cache: the plan is what a naive search finds, and carrying it out breaks no promise at any instant.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::made::{Cache, INDEXED, LISTED, Spec, at, blobs, hash, path, pins, plan, root, specs, sum};
use crate::cache::plan::{PrunePlan, Skipped, Target};

type Numbers = BTreeSet<usize>;

/// A cache with anything in it: blobs shared and lost, pushes half done, new and old, in and out of the indexes.
fn caches() -> impl Strategy<Value = (Cache, Vec<usize>)> {
    let spec = (0..16_usize, 0..16_usize, 0..3_i64, prop::bool::weighted(0.02));
    let specs = prop::collection::btree_map(0..12_usize, spec, 1..12);
    let some = || prop::collection::btree_set(0..12_usize, 0..8);
    let blobs = prop::collection::btree_map(0..16_usize, 0..3_i64, 8..16);
    let deps = prop::collection::btree_map(0..12_usize, prop::collection::vec(0..12_usize, 0..3), 0..8);
    let index = (prop::bool::weighted(0.9), prop::collection::btree_set(0..12_usize, 1..12));
    let keep = prop::collection::vec(0..14_usize, 1..6);
    (specs, blobs, deps, index, some(), any::<bool>(), keep).prop_map(
        |(specs, blobs, deps, (is_indexed, lists), view, has_view, keep)| {
            // Older than the index, exactly as old, younger.
            let time = |age: i64| INDEXED - 1 + age;
            let spec = |(number, (tarball, metadata, age, is_damaged))| {
                (number, Spec { blobs: [tarball, metadata], written: time(age), is_damaged, tag: 0 })
            };
            let mut cache = Cache {
                specs: specs.into_iter().map(spec).collect(),
                blobs: blobs.into_iter().map(|(blob, age)| (blob, time(age))).collect(),
                index: is_indexed.then_some((INDEXED, lists)),
                views: BTreeMap::new(),
                deps,
                gaps: Vec::new(),
            };
            if has_view {
                cache.views.insert("2025-11".to_owned(), view);
            }
            (cache, keep)
        },
    )
}

/// Everything that must stay: searched again and again until nothing is new.
fn kept(cache: &Cache, keep: &[usize]) -> Numbers {
    let mut kept: Numbers = keep.iter().copied().chain(cache.views.values().flatten().copied()).collect();
    // Only what an index reaches is known.
    let mut known: Numbers =
        cache.index.iter().flat_map(|(_, lists)| lists).chain(cache.views.values().flatten()).copied().collect();
    loop {
        let before = (kept.len(), known.len());
        for (number, deps) in &cache.deps {
            if known.contains(number) {
                known.extend(deps);
                if kept.contains(number) {
                    kept.extend(deps);
                }
            }
        }
        if before == (kept.len(), known.len()) {
            return kept;
        }
    }
}

/// Spack's two phases on sets of numbers, word for word, with our exceptions.
fn oracle(cache: &Cache, keep: Option<&[usize]>) -> (Numbers, Numbers) {
    let cutoff = if cache.index.is_some() { INDEXED } else { LISTED };
    let kept = kept(cache, keep.unwrap_or_default());
    let may_go = |number: &usize, spec: &Spec| !kept.contains(number) && spec.written <= cutoff;
    let mut specs = cache.specs.clone();
    let mut there = cache.blobs.clone();
    if keep.is_some() {
        specs.retain(|number, spec| !may_go(number, spec));
    }
    let is_withheld = cache.specs.values().any(|spec| spec.is_damaged);
    loop {
        let before = (specs.len(), there.len());
        specs.retain(|number, spec| {
            let is_broken = !spec.is_damaged && spec.blobs.iter().any(|blob| !there.contains_key(blob));
            !(is_broken && may_go(number, spec))
        });
        let named: Numbers = specs.values().flat_map(|spec| spec.blobs).collect();
        there.retain(|blob, written| is_withheld || named.contains(blob) || *written > cutoff);
        if before == (specs.len(), there.len()) {
            break;
        }
    }
    let gone = |number: &usize| !specs.contains_key(number);
    (
        cache.specs.keys().copied().filter(gone).collect(),
        cache.blobs.keys().copied().filter(|blob| !there.contains_key(blob)).collect(),
    )
}

/// Promises that are broken: what an index lists, and what is missing for it.
fn broken(cache: &Cache) -> BTreeSet<(Option<&str>, usize)> {
    let index = cache.index.iter().map(|(_, lists)| (None, lists));
    let views = cache.views.iter().map(|(view, lists)| (Some(view.as_str()), lists));
    let is_whole = |number: &usize| {
        cache.specs.get(number).is_some_and(|spec| spec.blobs.iter().all(|blob| cache.blobs.contains_key(blob)))
    };
    let of = |(view, lists): (_, &Numbers)| -> Vec<_> {
        lists.iter().filter(|number| !is_whole(number)).map(|number| (view, *number)).collect()
    };
    index.chain(views).flat_map(of).collect()
}

/// One deletion each, in the order of the plan.
fn deletions(plan: &PrunePlan) -> Vec<Target> {
    let manifests = plan.manifests.iter().map(|doomed| Target::Manifest(doomed.path.clone()));
    manifests.chain(plan.blobs.iter().map(|doomed| Target::Blob(doomed.sum))).collect()
}

fn delete(cache: &mut Cache, target: &Target) {
    match target {
        Target::Manifest(gone) => cache.specs.retain(|number, _| path(*number) != **gone),
        Target::Blob(gone) => cache.blobs.retain(|blob, _| sum(*blob) != *gone),
    }
}

/// The first step: the index without what goes.
fn write_index(cache: &mut Cache, plan: &PrunePlan) {
    if let Some((_, lists)) = &mut cache.index {
        lists.retain(|number| !plan.leave_out.contains(&hash(*number)));
    }
}

fn skips(plan: &PrunePlan, cache: &Cache, keep: &[usize]) -> Option<Vec<Skipped>> {
    plan.recheck(&root(), &cache.contents(), Some(&pins(keep)), at(LISTED)).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn plans_are_what_a_naive_search_finds((cache, keep) in caches()) {
        for keep in [Some(&keep[..]), None] {
            let made = plan(&cache.contents(), keep.map(pins).as_ref()).unwrap();
            let (gone_specs, gone_blobs) = oracle(&cache, keep);
            prop_assert_eq!(specs(&made), Vec::from_iter(gone_specs.clone()));
            prop_assert_eq!(blobs(&made), Vec::from_iter(gone_blobs));
            let lists = cache.index.iter().flat_map(|(_, lists)| lists);
            let left_out: Vec<_> = lists.filter(|number| gone_specs.contains(number)).map(|number| hash(*number)).collect();
            prop_assert_eq!(&made.leave_out, &left_out);
            let mut file = Vec::new();
            made.write(&mut file).unwrap();
            prop_assert_eq!(PrunePlan::read(&file), Ok(made));
        }
    }

    #[test]
    fn invariants_hold_after_every_single_deletion((cache, keep) in caches()) {
        let made = cache.plan(&keep).unwrap();
        let (before, kept) = (broken(&cache), kept(&cache, &keep));
        let mut now = cache.clone();
        write_index(&mut now, &made);
        prop_assert!(broken(&now).is_subset(&before), "the index first");
        for target in deletions(&made) {
            let named: Numbers = now.specs.values().flat_map(|spec| spec.blobs).collect();
            if let Target::Blob(gone) = &target {
                prop_assert!(!named.iter().any(|blob| sum(*blob) == *gone), "a named blob went");
            }
            delete(&mut now, &target);
            prop_assert!(broken(&now).is_subset(&before), "{:?} was promised", target);
        }
        let cutoff = made.cutoff.at;
        for (number, spec) in cache.specs.iter().filter(|(number, _)| !now.specs.contains_key(number)) {
            prop_assert!(!kept.contains(number) && at(spec.written) <= cutoff);
        }
        for (_, written) in cache.blobs.iter().filter(|(blob, _)| !now.blobs.contains_key(blob)) {
            prop_assert!(at(*written) <= cutoff);
        }
    }

    #[test]
    fn case_37_a_crash_anywhere_is_resumed_to_the_same_end((cache, keep) in caches(), crash in any::<prop::sample::Index>()) {
        let made = cache.plan(&keep).unwrap();
        let all = deletions(&made);
        let mut whole = cache.clone();
        write_index(&mut whole, &made);
        let mut half = whole.clone();
        for target in &all {
            delete(&mut whole, target);
        }
        for target in all.iter().take(crash.index(all.len() + 1)) {
            delete(&mut half, target);
        }
        // An index that lists nothing any more, or no blob at all, stops the run; that is not what is asked here.
        if let Some(skipped) = skips(&made, &half, &keep) {
            for target in all.iter().filter(|target| !skipped.iter().any(|one| one.target == **target)) {
                delete(&mut half, target);
            }
            prop_assert_eq!(half.specs, whole.specs);
            prop_assert_eq!(half.blobs, whole.blobs);
        }
    }

    #[test]
    fn whatever_happens_meanwhile_nothing_that_is_needed_goes(
        (cache, keep) in caches(),
        pushes in prop::collection::vec((0..14_usize, 0..16_usize, 0..16_usize, any::<bool>()), 0..4),
        more in prop::collection::vec(0..14_usize, 0..3),
    ) {
        let made = cache.plan(&keep).unwrap();
        let mut now = cache.clone();
        write_index(&mut now, &made);
        for (spec, tarball, metadata, is_indexed) in pushes {
            // A push that finds a blob in place leaves it as old as it is.
            let old = now.blobs.clone();
            now.push(spec, [tarball, metadata], LISTED);
            now.blobs.extend(old);
            if let (true, Some((_, lists))) = (is_indexed, &mut now.index) {
                lists.insert(spec);
            }
        }
        let keep = [keep, more].concat();
        let held = now.clone();
        let (before, kept_now) = (broken(&held), kept(&held, &keep));
        let Some(skipped) = skips(&made, &now, &keep) else { return Ok(()) };
        for target in deletions(&made).into_iter().filter(|target| !skipped.iter().any(|one| one.target == *target)) {
            delete(&mut now, &target);
            let is_subset = broken(&now).is_subset(&before);
            prop_assert!(is_subset, "{:?} was promised", target);
        }
        for (number, spec) in &held.specs {
            let stays = now.specs.contains_key(number);
            prop_assert!(stays || !kept_now.contains(number) && spec.written < LISTED);
            let had = spec.blobs.iter().all(|blob| held.blobs.contains_key(blob));
            let has = spec.blobs.iter().all(|blob| now.blobs.contains_key(blob));
            prop_assert!(!stays || !had || has, "{} lost a blob", number);
        }
    }
}
