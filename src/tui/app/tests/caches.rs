//! The screens of binary caches over invented mirrors: pictures of every level in every state, and what keys lead to.

use std::sync::Arc;
use std::time::Duration;

use super::night::Night;
use super::{SIZES, over};
use crate::cache::{
    Amount, Blob, BlobRef, Contents, Duplication, Foreign, Gap, Health, HealthRules, IndexManifest, IndexState,
    Reading, Sample, Severity, Signature, Sizes, SpecManifest,
};
use crate::ci::Timestamp;
use crate::console::caches::{Inside, Listing, RootId};
use crate::console::effect::{Fetch, Focus};
use crate::console::event::{Event, Intent};
use crate::console::fault::{Fault, FaultKind};
use crate::console::input::InputEvent;
use crate::console::text;
use crate::spack::buildcache::{Catalogue, Checksum, v3};
use crate::spack::{Hash, dag_hash};
use crate::tui::app::Wish;
use crate::tui::glyphs::Glyphs;
use crate::tui::testing::snapshot;
use crate::tui::theme::{Depth, Theme};

const BINARIES: &str = "s3://spack-binaries";
const PRS: &str = "s3://spack-binaries-prs";
const E4S: &str = "s3://spack-binaries/develop/e4s";
const HOUR: i64 = 3_600_000;
const GB: u64 = 1_000_000_000;

/// A night whose mirrors are configured, and nothing more.
fn configured() -> Night {
    let mut night = Night::busy();
    let mirrors: Vec<Arc<str>> = vec![BINARIES.into(), PRS.into()];
    night.core.caches.mirrors.clone_from(&mirrors);
    night.app.world.caches.mirrors = mirrors;
    night
}

/// Samples of a root, one every eight hours, the last an hour ago.
fn samples(url: &str, now: Timestamp, gigabytes: u64, a_day: u64, index: Option<i64>) -> Vec<Sample> {
    let before = |nth: u64| {
        let at = now.shifted(-HOUR - (nth as i64) * 8 * HOUR);
        let blobs = Amount { objects: gigabytes * 31, bytes: (gigabytes * GB).saturating_sub(nth * a_day * GB / 3) };
        let sizes = Sizes {
            specs: Amount { objects: gigabytes * 15, bytes: gigabytes * 9_000 },
            blobs,
            index: index.map(|minutes| (Some(now.shifted(-minutes * 60_000)), None)),
            ..Sizes::default()
        };
        Sample::listed(url, at, None, sizes)
    };
    (0..40).rev().map(before).collect()
}

fn roots(now: Timestamp) -> Vec<Sample> {
    let mut all = [
        samples("s3://spack-binaries/develop", now, 12_100, 40, Some(22)),
        samples(E4S, now, 3_900, 41, Some(22)),
        samples("s3://spack-binaries/develop/ml-linux-x86_64-cuda", now, 2_700, 12, Some(5)),
        samples("s3://spack-binaries/develop/tutorial", now, 40, 0, None),
        samples("s3://spack-binaries/releases/v2025.11/e4s", now, 2_200, 0, Some(1_500)),
        samples("s3://spack-binaries/develop-2025-11-02", now, 800, 0, Some(50_000)),
        samples(
            "s3://spack-binaries-prs/spack-packages/pr51234_hdf5_add_1.14.4_and_fix_h5public/e4s",
            now,
            90,
            9,
            Some(1),
        ),
        samples("s3://spack-binaries-prs/spack-packages/pr51301_llvm/e4s", now, 30, 3, Some(1)),
    ];
    // A new branch: nothing a day ago.
    all[7].drain(..39);
    // Somebody looked into one of them yesterday, and it was listed since.
    let looked = &mut all[1][35];
    (looked.state, looked.holes) = (Some(Severity::Bad), Some(3));
    looked.orphans = Some(Amount { objects: 900, bytes: 200 * GB });
    all.concat()
}

/// Mirrors were listed to their end.
fn listed() -> Night {
    let mut night = configured();
    let twice = |copies: u64| Duplication {
        distinct: Amount { objects: 900_000, bytes: 18_000 * GB },
        copies: Amount { objects: 90_000, bytes: copies * GB },
        ..Duplication::default()
    };
    let (samples, at) = (roots(night.now), night.now);
    night.tell(Event::CachesRecalled(samples.clone()));
    for mirror in [BINARIES, PRS] {
        let newest = at.shifted(-HOUR);
        let below = |sample: &&Sample| sample.url.starts_with(&format!("{mirror}/")) && sample.at == newest;
        let samples = samples.iter().filter(below).cloned().collect();
        night.tell(Event::CachesListed { mirror: mirror.into(), samples, duplication: twice(1_800), at });
    }
    night.tell(Event::Fetched { fetch: Fetch::Caches, at, result: Ok(()) });
    night
}

/// One binary as a test has it.
#[derive(Clone)]
struct Made {
    name: String,
    version: &'static str,
    /// What its tarball is that of: equal ones are shared.
    tarball: usize,
    bytes: u64,
    needs: Vec<usize>,
    is_signed: bool,
    signature: Option<Signature>,
}

fn made(name: &str, version: &'static str, nth: usize, needs: &[usize]) -> Made {
    let bytes = 1_000_000 + (nth as u64 * 7_919_000) % 900_000_000;
    Made {
        name: name.to_owned(),
        version,
        tarball: nth,
        bytes,
        needs: needs.to_vec(),
        is_signed: true,
        signature: None,
    }
}

fn sum(what: &str, nth: usize) -> Checksum {
    Checksum::of(format!("{what} {nth}").as_bytes())
}

/// A root in which everything is as it should be. The index is 22 minutes old.
fn whole(specs: &[Made], now: Timestamp) -> Contents {
    let mut contents = Contents { listed_at: Some(now), ..Contents::default() };
    let written = |nth: usize| Some(now.shifted(-(nth as i64 % 40) * 3 * HOUR - 2 * HOUR));
    let hashes = hashes(specs);
    for (nth, (spec, hash)) in specs.iter().zip(&hashes).enumerate() {
        let (tarball, metadata) = (sum("files", spec.tarball), sum("spec", nth));
        contents.manifests.push(SpecManifest {
            path: v3::spec_manifest(&spec.name, spec.version, hash).into(),
            hash: Some(*hash),
            bytes: 812,
            modified: written(nth),
            tag: None,
            reading: Reading::Read {
                tarball: Some(BlobRef { sum: tarball, bytes: spec.bytes }),
                spec: Some(BlobRef { sum: metadata, bytes: 4_310 }),
                others: Vec::new(),
                is_signed: spec.is_signed,
            },
            signature: spec.signature.clone(),
        });
        for (sum, bytes) in [(tarball, spec.bytes), (metadata, 4_310)] {
            contents.blobs.push(Blob { sum, bytes, modified: written(nth) });
        }
    }
    let records: Vec<String> = (0..specs.len()).map(|nth| record(specs, &hashes, nth, true)).collect();
    let index =
        Catalogue::read(format!(r#"{{"database":{{"version":"8","installs":{{{}}}}}}}"#, records.join(",")).as_bytes());
    let index_blob = Blob { sum: sum("index", 0), bytes: 9_000_000, modified: Some(now.shifted(-22 * 60_000)) };
    contents.blobs.push(index_blob);
    contents.indexes.push(IndexManifest {
        path: v3::index_manifest(None).into(),
        view: None,
        modified: index_blob.modified,
        tag: None,
        bytes: 300,
        blob: Some(BlobRef { sum: index_blob.sum, bytes: index_blob.bytes }),
        others: Vec::new(),
        state: IndexState::Read(Arc::new(index.unwrap())),
    });
    contents.manifests.sort_by(|a, b| a.path.cmp(&b.path));
    contents.blobs.sort_by_key(|blob| blob.sum);
    contents.blobs.dedup_by_key(|blob| blob.sum);
    contents
}

/// The node of a spec, but for its end; what it needs comes before it.
fn node(specs: &[Made], hashes: &[Hash], nth: usize) -> String {
    let Made { name, version, needs, .. } = &specs[nth];
    let needs: Vec<String> = needs
        .iter()
        .map(|need| {
            let (name, hash) = (&specs[*need].name, hashes[*need]);
            format!(r#"{{"name":"{name}","hash":"{hash}","parameters":{{"deptypes":["link"],"virtuals":[]}}}}"#)
        })
        .collect();
    let needs = if needs.is_empty() { String::new() } else { format!(r#","dependencies":[{}]"#, needs.join(",")) };
    format!(r#"{{"name":"{name}","version":"{version}"{needs}"#)
}

/// The hashes that their nodes give.
fn hashes(specs: &[Made]) -> Vec<Hash> {
    let mut hashes = Vec::new();
    for nth in 0..specs.len() {
        hashes.push(dag_hash(&format!("{}}}", node(specs, &hashes, nth))).unwrap());
    }
    hashes
}

fn record(specs: &[Made], hashes: &[Hash], nth: usize, is_there: bool) -> String {
    let (hash, node) = (hashes[nth], node(specs, hashes, nth));
    format!(r#""{hash}":{{"spec":{node},"hash":"{hash}"}},"in_buildcache":{is_there}}}"#)
}

/// What a stack is made of.
fn stack() -> Vec<Made> {
    let mut specs = vec![
        made("gmake", "4.4.1", 0, &[]),
        made("cmake", "3.31.2", 1, &[0]),
        made("zlib-ng", "2.2.3", 2, &[0]),
        made("openmpi", "5.0.5", 3, &[0]),
        made("hdf5", "1.14.5", 4, &[1, 2, 3]),
        made("kokkos", "4.4.01", 5, &[1]),
        made("trilinos", "16.0.0", 6, &[4, 5]),
        made("netcdf-c", "4.9.2", 7, &[4]),
        made("py-numpy", "2.1.2", 8, &[]),
        made("petsc", "3.22.2", 9, &[4]),
        made("bzip2", "1.0.8", 10, &[]),
        made("libiconv", "1.17", 11, &[]),
        made("stack-env-view", "1", 12, &[]),
        made("stack-doc-view", "1", 13, &[]),
    ];
    let key: Arc<str> = "2C8DD3224EF3573A42BD221FA8E0CA3C1C2ADA2F".into();
    specs[1].signature = Some(Signature::Good(key));
    specs[2].signature = Some(Signature::UnknownKey("0ACDCFDA91DB974A".into()));
    specs[9].signature = Some(Signature::Bad("the text was changed after it was signed".into()));
    specs[10].is_signed = false;
    specs[13].tarball = 12;
    specs[13].bytes = specs[12].bytes;
    specs
}

/// A stack in which a lot went wrong.
fn e4s(now: Timestamp) -> Contents {
    let specs = stack();
    let hashes = hashes(&specs);
    let mut contents = whole(&specs, now);
    let gone = [sum("files", 4), sum("spec", 11)];
    contents.blobs.retain(|blob| !gone.contains(&blob.sum));
    let short = sum("files", 5);
    contents.blobs.iter_mut().filter(|blob| blob.sum == short).for_each(|blob| blob.bytes /= 2);
    contents.manifests.retain(|manifest| manifest.hash != Some(hashes[6]) && manifest.hash != Some(hashes[11]));
    let named = |manifest: &&mut SpecManifest| manifest.hash == Some(hashes[8]);
    contents.manifests.iter_mut().filter(named).for_each(|manifest| manifest.modified = Some(now.shifted(-300_000)));
    let listed = (0..specs.len()).filter(|nth| *nth != 8);
    let records: Vec<String> = listed.map(|nth| record(&specs, &hashes, nth, nth != 11)).collect();
    let text = format!(r#"{{"database":{{"version":"8","installs":{{{}}}}}}}"#, records.join(","));
    contents.indexes[0].state = IndexState::Read(Arc::new(Catalogue::read(text.as_bytes()).unwrap()));
    contents.foreign =
        Foreign { amount: Amount { objects: 2, bytes: 31_000 }, paths: vec!["v3/tmp/\u{1b}[2Jevil".into()] };
    contents
}

fn inside(contents: Contents, now: Timestamp) -> Arc<Inside> {
    let rules = HealthRules { now, max_index_age: Some(Duration::from_hours(24)), max_skew: Duration::from_secs(300) };
    let health = Health::of(&contents, &rules);
    Arc::new(Inside::new(contents, health))
}

/// Somebody looked into a root.
fn read(night: &mut Night, url: &str, contents: Contents) {
    let (now, root) = (night.now, RootId::of(url));
    let inside = inside(contents, now);
    let sample = Sample::of(url, &inside.contents, &inside.health, now);
    // The invented root is as large as its samples say.
    let sizes = night.core.caches.root(root).and_then(|facts| facts.newest()).map(|newest| newest.sizes.clone());
    let sample = Sample { sizes: sizes.unwrap_or(sample.sizes), ..sample };
    night.tell(Event::CacheRead { root, inside, sample, at: now });
    night.tell(Event::Fetched { fetch: Fetch::Cache(root), at: now, result: Ok(()) });
}

fn looked() -> Night {
    let mut night = listed();
    let now = night.now;
    read(&mut night, E4S, e4s(now));
    let top = e4s(now);
    read(&mut night, "s3://spack-binaries/develop", top);
    night
}

/// The keys from the list of mirrors into the stack; its mirror is open already.
const INTO: &str = "7 / e 4 s ⏎ j ⏎";

/// A root of many specs, of which some thousands are not indexed.
fn many(count: usize, now: Timestamp) -> Contents {
    let name = |nth: usize| format!("py-package-{nth:05}-with-a-long-name");
    let specs: Vec<Made> =
        (0..count).map(|nth| made(&name(nth), "2.0.1", nth % 700, if nth == 0 { &[] } else { &[0] })).collect();
    let mut contents = whole(&specs, now);
    contents.blobs.retain(|blob| blob.sum != sum("files", 3));
    contents
}

fn huge() -> Night {
    let mut night = configured();
    let now = night.now;
    let stacks = (0..30).flat_map(|nth| {
        let url = format!("{BINARIES}/develop/stack-{nth:02}-x86_64_v3-linux-with-a-rather-long-name");
        samples(&url, now, 1_000 + nth * 77, nth, Some(5 + nth as i64))
    });
    let branches = (0..1_000).flat_map(|nth| {
        let url = format!("{PRS}/spack-packages/pr{}_a_rather_long_branch_name/e4s", 50_000 + nth);
        samples(&url, now, 3 + nth % 7, 0, Some(90)).split_off(39)
    });
    let snapshots =
        (1..29).flat_map(|day| samples(&format!("{BINARIES}/develop-2025-11-{day:02}"), now, 400, 0, Some(9)));
    let own = samples(E4S, now, 80_000, 900, Some(22));
    night.tell(Event::CachesRecalled(stacks.chain(branches).chain(snapshots).chain(own).collect()));
    night.tell(Event::Fetched { fetch: Fetch::Caches, at: now, result: Ok(()) });
    read(&mut night, E4S, many(1_000, now));
    night
}

fn failed(mut night: Night, fetch: Fetch, what: &str) -> Night {
    let detail = "403 Forbidden: AccessDenied (3 places could not be listed)";
    let fault = Fault::new(FaultKind::Unreachable, what, detail);
    let at = night.now;
    night.tell(Event::Fetched { fetch, at, result: Err(fault) });
    night
}

fn later(mut night: Night, hours: i64) -> Night {
    night.now = night.now.shifted(hours * HOUR);
    night.tell(Event::Ticked);
    night
}

/// One level in every state: small and odd terminals only while nothing is wrong.
fn pictures(name: &str, keys: &str, cases: Vec<(&str, Night)>) {
    for (case, mut night) in cases {
        night.press(keys);
        snapshot(&format!("{name}-{case}-100x30"), &night.draw(100, 30));
        if case == "normal" {
            for (width, height) in SIZES.into_iter().skip(1) {
                snapshot(&format!("{name}-{case}-{width}x{height}"), &night.draw(width, height));
            }
            night.app.set_theme(Theme::distinct(Depth::Mono));
            snapshot(&format!("{name}-{case}-100x30-mono"), &night.draw(100, 30));
            night.app.setup.glyphs = Glyphs::ASCII;
            // Somebody resized the terminal: what depends on the glyphs is worked out anew.
            night.draw(90, 30);
            snapshot(&format!("{name}-{case}-100x30-mono-ascii"), &night.draw(100, 30));
        }
    }
}

#[test]
fn the_mirrors_in_every_state() {
    let mut empty = configured();
    empty.tell(Event::Fetched { fetch: Fetch::Caches, at: empty.now, result: Ok(()) });
    let mut loading = configured();
    let listing = Listing { objects: 512_344, bytes: 12_400 * GB, done: 61, known: 100 };
    loading.press("7 R");
    loading.tell(Event::CachesListing(listing));
    let cases = vec![
        ("normal", looked()),
        ("empty", empty),
        ("loading", loading),
        ("stale", later(looked(), 30)),
        ("error", failed(looked(), Fetch::Caches, "list binary caches")),
        ("huge", huge()),
    ];
    pictures("caches", "7", cases);
    let opened = |mut night: Night| {
        night.press("7");
        night
    };
    over("caches-never-listed", opened(configured()), &[(80, 24)]);
    over("caches-no-mirror", opened(Night::busy()), &[(80, 24)]);
    // One mirror is listed, the other is under way; nothing of it was known before.
    let mut partial = configured();
    let (samples, at) = (roots(partial.now), partial.now);
    partial.press("7 R");
    partial.tell(Event::CachesListed { mirror: BINARIES.into(), samples, duplication: Duplication::default(), at });
    partial.tell(Event::CachesListing(listing));
    over("caches-partial", opened(partial), &[(100, 30)]);
    let mut practice = looked();
    practice.app.world.caches.is_sparse = true;
    over("caches-practice", opened(practice), &[(80, 24)]);
    let mut filtered = looked();
    filtered.press("7 s s / e 4 s ⏎");
    over("caches-filtered", filtered, &[(100, 30)]);
}

#[test]
fn a_root_in_every_state() {
    let mut empty = listed();
    let now = empty.now;
    read(&mut empty, E4S, Contents { listed_at: Some(now), ..Contents::default() });
    let mut gaps = listed();
    let mut hidden = whole(&[made("cmake", "3.31.2", 0, &[])], now);
    hidden.blobs.clear();
    hidden.gaps.push(Gap { place: "blobs/".into(), why: "403 Forbidden".into() });
    read(&mut gaps, E4S, hidden);
    let cases = vec![
        ("normal", looked()),
        ("empty", empty),
        ("loading", listed()),
        ("stale", later(looked(), 3)),
        ("error", failed(listed(), Fetch::Cache(RootId::of(E4S)), "look into s3://spack-binaries/develop/e4s")),
        ("huge", huge()),
        ("gaps", gaps),
    ];
    pictures("cache", INTO, cases);
    let cases = vec![("normal", looked()), ("huge", huge())];
    pictures("cache-specs", &format!("{INTO} Tab"), cases);
    let mut unfolded = looked();
    unfolded.press(&format!("{INTO} ⏎ j j"));
    over("cache-unfolded", unfolded, &[(100, 30)]);
    let mut filtered = looked();
    filtered.press(&format!("{INTO} Tab /"));
    filtered.write("state:hole,damaged size>1M");
    over("cache-filtered", filtered, &[(100, 30)]);
}

#[test]
fn a_spec_in_every_state() {
    let into = format!("{INTO} Tab / h d f 5 ⏎ ⏎");
    let cases = vec![("normal", looked()), ("stale", later(looked(), 3))];
    pictures("cache-spec", &into, cases);
    let opened = |mut night: Night, spec: &str| {
        night.press(INTO);
        night.press("Tab /");
        night.write(spec);
        night.press("⏎ ⏎");
        night
    };
    over("cache-spec-empty", opened(looked(), "trilinos"), &[(100, 30)]);
    over("cache-spec-shared", opened(looked(), "env-view"), &[(100, 30)]);
    over("cache-spec-huge", opened(huge(), "00000"), &[(100, 30)]);
    let mut error = opened(looked(), "hdf5");
    error = failed(error, Fetch::Cache(RootId::of(E4S)), "look into s3://spack-binaries/develop/e4s");
    over("cache-spec-error", error, &[(100, 30)]);
    // A bookmark leads into a root that nobody has read.
    let mut loading = listed();
    let place = opened(looked(), "hdf5").app.screen.place();
    loading.app.bookmarks.insert('a', place);
    loading.press("' a");
    over("cache-spec-loading", loading, &[(100, 30)]);
}

#[test]
fn whatever_is_explained() {
    for (name, keys) in [
        ("mirror", "7 e".to_owned()),
        ("root", "7 j e".to_owned()),
        ("finding", format!("{INTO} ⏎ j e")),
        ("spec", format!("{INTO} Tab / h d f 5 ⏎ e")),
    ] {
        let mut night = looked();
        night.press(&keys);
        over(&format!("cache-explain-{name}"), night, &[(100, 30)]);
    }
}

#[test]
fn who_signed_a_binary_is_asked_when_somebody_looks_at_it() {
    let hash = hashes(&stack())[4];
    let (root, fetch) = (RootId::of(E4S), Fetch::Signature(RootId::of(E4S), hash));
    let mut night = looked();
    night.press(&format!("{INTO} Tab / h d f 5 ⏎"));
    night.tell(Event::Ticked);
    assert!(!night.core.polling.is_in_flight(fetch), "nobody looks at it yet");
    night.press("e");
    night.tell(Event::Ticked);
    assert!(night.core.polling.is_in_flight(fetch));
    let fault = Fault::new(FaultKind::Unreachable, "verify it", "`gpg` was not found\u{1b}[2J");
    let at = night.now;
    night.tell(Event::Fetched { fetch, at, result: Err(fault) });
    let told = night.text(100, 40);
    assert!(told.contains("signature not verified: `gpg` was not found"), "{told}");
    let signature = Signature::Bad("the text is not what was signed".into());
    night.tell(Event::BinaryVerified { root, hash, signature, at });
    night.tell(Event::Fetched { fetch, at, result: Ok(()) });
    let told = night.text(100, 40);
    assert!(told.contains("bad signature: the text is not what was signed, verified 0s ago"), "{told}");
    night.tell(Event::Ticked);
    assert!(!night.core.polling.is_in_flight(fetch), "it was told");
    night.press("Esc ⏎");
    let told = night.text(100, 40);
    assert!(told.contains("bad signature: the text") && told.contains("built by"), "{told}");
}

#[test]
fn keys_lead_where_they_should() {
    let intents = |wishes: Vec<Wish>| {
        let intents = wishes.into_iter().filter_map(|wish| match wish {
            Wish::Intend(Intent::Focus(focus)) => Some(format!("focus {} {}", focus.caches, focus.cache.is_some())),
            Wish::Intend(Intent::ListCaches) => Some("list".to_owned()),
            Wish::Copy { text, .. } => Some(text),
            _ => None,
        });
        intents.collect::<Vec<_>>().join("; ")
    };
    let hdf5 = hashes(&stack())[4];
    for (keys, effect, seen) in [
        ("7", "focus true false", "Caches  4 mirrors, 8 roots"),
        ("7 R", "list", "listing 2 mirrors"),
        (": l i s t - c a c h e s ⏎", "list", "listing 2 mirrors"),
        ("7 ⏎", "", "▸ develop"),
        ("7 h", "", "▸ develop"),
        ("7 j y l", "s3://spack-binaries/develop", "tutorial"),
        ("7 j y i", "develop", "tutorial"),
        ("7 j j ⏎", "focus true true", "Caches ▸ develop/e4s"),
        ("7 j j l Esc", "focus true false", "▌     e4s"),
        ("7 j j l 7", "focus true false", "Caches  4 mirrors"),
        ("7 j j l Tab", "", "[specs 14]"),
        ("7 j j l Tab Tab", "", "[findings 8]"),
        ("7 j j l Tab s", "", "sort:name"),
        ("7 j j l Tab S", "", "sort:state reversed"),
        ("7 j j l R", "list", "listing 2 mirrors"),
        ("7 j j l ⏎ j ⏎", "", "▸ trilinos@16.0.0"),
        ("7 j j l ⏎ j ⏎ y l", "", "nothing of it lies here"),
        ("7 j j l ⏎ j ⏎ Esc", "", "[findings 8]"),
        ("7 j j l Tab / h d f 5 ⏎ ⏎ y i", "HASH", "kept alive by"),
        ("7 j j l Tab / h d f 5 ⏎ ⏎ y s", "hdf5@1.14.5 /HASH", "kept alive by"),
        (
            "7 j j l Tab / h d f 5 ⏎ ⏎ y l",
            "s3://spack-binaries/develop/e4s/v3/manifests/spec/hdf5/hdf5-1.14.5-HASH.spec.manifest.json",
            "kept alive by",
        ),
        ("7 j j l ⏎ j e", "", "do: build the spec again, or write"),
        ("7 r", "", "nothing here to retry"),
        ("1 G k k ⏎", "focus true false", "Caches  4 mirrors"),
    ] {
        let mut night = looked();
        let mut last = String::new();
        for key in keys.split(' ') {
            let told = intents(night.press(key));
            if !told.is_empty() {
                last = told;
            }
        }
        let text = night.text(100, 30);
        assert!(text.contains(seen), "`{keys}` shows no `{seen}`: {text}");
        if !effect.is_empty() {
            assert_eq!(last, effect.replace("HASH", hdf5.as_str()), "`{keys}`");
        }
    }
}

#[test]
fn the_core_reads_a_root_that_somebody_opens_and_lists_when_asked() {
    let mut night = listed();
    night.press("7 j j l");
    night.tell(Event::Ticked);
    let root = night.core.polling.focus.cache.expect("a root is open");
    assert!(night.core.polling.is_in_flight(Fetch::Cache(root)), "opening it looks into it");
    assert!(!night.core.polling.is_in_flight(Fetch::Caches), "a listing is asked for");
    night.press("R");
    night.tell(Event::Ticked);
    assert!(night.core.polling.is_in_flight(Fetch::Caches));
    assert_eq!(night.core.polling.focus, Focus { caches: true, cache: Some(root), ..Focus::default() });
}

#[test]
fn the_cursor_stays_on_its_spec_when_the_root_is_read_again() {
    let mut night = looked();
    night.press(INTO);
    night.press("Tab j");
    let row = |night: &mut Night| {
        let text = night.text(100, 30);
        text.lines().find(|line| line.contains('▌')).unwrap_or_default().to_owned()
    };
    assert!(row(&mut night).contains("petsc@3.22.2"));
    let now = night.now;
    read(&mut night, E4S, many(900, now));
    assert!(!row(&mut night).contains("petsc"), "it is gone, and its neighbour has the cursor");
    read(&mut night, E4S, e4s(now));
    assert!(row(&mut night).contains('@'));
}

#[test]
fn the_line_of_the_overview_says_what_is_known() {
    let line = |mut night: Night| {
        night.press("1");
        let text = night.text(120, 30);
        let line = text.lines().find_map(|line| line.split_once("CACHE ")).map(|(_, rest)| rest.trim_end_matches('│'));
        line.unwrap_or_default().trim().to_owned()
    };
    let mut loading = configured();
    loading.tell(Event::CachesListing(Listing { done: 61, known: 100, ..Listing::default() }));
    let mut relisting = looked();
    relisting.tell(Event::CachesListing(Listing { done: 61, known: 100, ..Listing::default() }));
    let cases = vec![
        (Night::busy(), "no mirror is configured (cache.mirrors)"),
        (configured(), "? never listed"),
        (loading, "listing 61 % ≥"),
        (failed(configured(), Fetch::Caches, "list"), "? the mirrors could not be listed"),
        (listed(), "develop 18 TB  +93 GB/d  index 22m ago !"),
        (looked(), "develop 18 TB  +89 GB/d  index 22m ago !"),
        (relisting, "develop 18 TB  +89 GB/d  index 22m ago !   listing 61 % ≥"),
        (later(looked(), 30), "develop 18 TB  +89 GB/d  index 30h ago !   sizes of 31h ago"),
    ];
    for (night, want) in cases {
        assert_eq!(line(night), want);
    }
}

#[test]
fn every_size_is_drawn_and_nothing_hostile_reaches_a_cell() {
    let evil = "\u{1b}]0;evil\u{7}\u{1b}[2J\u{202e}rtl\u{0}\r\n\u{9b}31m";
    let mut night = looked();
    let now = night.now;
    let mut contents = e4s(now);
    contents.manifests[0].path = format!("v3/manifests/spec/{evil}/{evil}.spec.manifest.json").into();
    contents.manifests[0].hash = None;
    contents.manifests[1].signature = Some(Signature::Bad(evil.into()));
    contents.gaps.push(Gap { place: format!("blobs/{evil}/").into(), why: evil.into() });
    read(&mut night, E4S, contents);
    let odd = samples(&format!("{BINARIES}/develop/{evil}"), now, 7, 1, None);
    night.tell(Event::CachesRecalled(odd));
    for keys in
        ["7", "7 e", "7 / e 4 s ⏎ j ⏎", "7 / e 4 s ⏎ j ⏎ ⏎ j e", "7 / e 4 s ⏎ j ⏎ Tab", "7 / e 4 s ⏎ j ⏎ Tab ⏎", "f"]
    {
        night.press("Esc Esc Esc Esc 1");
        night.press(keys);
        night.app.input(InputEvent::Paste(evil.to_owned()), night.now);
        for width in [1, 3, 39, 40, 60, 100, 200] {
            for height in [1, 5, 6, 10, 12, 16, 20, 30, 60] {
                let buf = night.draw(width, height);
                let bad = buf.content.iter().find(|cell| !text::is_harmless_symbol(cell.symbol()));
                assert!(bad.is_none(), "`{keys}` at {width}x{height}: {bad:?}");
            }
        }
        night.press("Esc");
    }
}
