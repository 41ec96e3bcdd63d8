//! The screens of binary caches over invented mirrors: pictures of every level in every state, and what keys lead to.

mod made;

use made::*;

use super::night::Night;
use super::{SIZES, over};
use crate::cache::{Contents, Duplication, Gap, Signature};
use crate::console::caches::{Listing, RootId};
use crate::console::effect::{Fetch, Focus};
use crate::console::event::{Event, Intent};
use crate::console::fault::{Fault, FaultKind};
use crate::console::input::InputEvent;
use crate::console::text;
use crate::tui::app::Wish;
use crate::tui::glyphs::Glyphs;
use crate::tui::testing::snapshot;
use crate::tui::theme::{Depth, Theme};

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
    // Somebody may have signed it anew: who lists now wants to know.
    night.core.update(Event::Intended(Intent::ListCaches), night.now);
    night.tell(Event::Ticked);
    assert!(night.core.polling.is_in_flight(fetch));
    let fault = Fault::new(FaultKind::Unreachable, "verify it", "no answer in time");
    night.tell(Event::Fetched { fetch, at, result: Err(fault) });
    let told = night.text(100, 40);
    assert!(told.contains("verified 0s ago; not verified again: no") && told.contains("answer in time"), "{told}");
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
