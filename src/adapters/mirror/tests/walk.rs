//! Walks through buckets that behave and through such that do not, and through folders.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::adapters::clock::{Clock, ManualClock, SystemClock};
use crate::cache::Gap;

/// What was delivered, as often as it was.
type Seen = BTreeMap<String, usize>;

async fn walked(reader: &Reader, walk: &mut Walk) -> (Seen, Vec<Gap>) {
    let mut seen = Seen::new();
    let mut sink = |page: &Page<'_>, _: &Walk| {
        for entry in page.entries() {
            *seen.entry(entry.key.to_owned()).or_default() += 1;
        }
        ControlFlow::Continue(())
    };
    let gaps = reader.walk(walk, &mut sink).await.unwrap();
    (seen, gaps)
}

/// Stops after every page, and goes on from what was saved.
async fn walked_in_steps(reader: &Reader, mut walk: Walk) -> (Seen, Walk) {
    let mut seen = Seen::new();
    for _ in 0..10_000 {
        let mut saved = None;
        let mut sink = |page: &Page<'_>, walk: &Walk| {
            for entry in page.entries() {
                *seen.entry(entry.key.to_owned()).or_default() += 1;
            }
            saved = Some(serde_json::to_string(walk).unwrap());
            ControlFlow::Break(())
        };
        assert_eq!(reader.walk(&mut walk, &mut sink).await.unwrap(), Vec::new());
        match saved {
            Some(saved) => walk = serde_json::from_str(&saved).unwrap(),
            None => return (seen, walk),
        }
    }
    panic!("it never ends: {walk:?}");
}

fn once<'a>(keys: impl IntoIterator<Item = &'a str>) -> Seen {
    keys.into_iter().map(|key| (key.to_owned(), 1)).collect()
}

fn mirror(keys: &[&str]) -> Mirror {
    keys.iter().fold(Mirror::default(), |mirror, key| mirror.with(key, *key))
}

/// Folders of blobs, as big caches have them, and manifests.
fn big(blobs: usize) -> Mirror {
    let mut mirror = Mirror::default();
    for n in 0..blobs {
        let sum = sha256(&n.to_le_bytes());
        mirror = mirror.with(&format!("develop/e4s/blobs/sha256/{}/{sum}", &sum[..2]), "");
        mirror = mirror.with(&format!("develop/e4s/v3/manifests/spec/p{}/{sum}", n % 40), "x");
    }
    mirror.with("develop/v3/layout.json", "{}").with("develop/e4s/readme", "").with("developer/x", "")
}

fn keys() -> impl Strategy<Value = std::collections::BTreeSet<String>> {
    let part =
        prop::sample::select(vec!["a", "b", "v3", "blobs", "0f", "..", "", "%41", "+", " ", "é", "\u{1}", "a-b", "~"]);
    let key = prop::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"));
    prop::collection::btree_set(key.prop_filter("no key is empty", |key| !key.is_empty()), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_key_is_lost_or_doubled(keys in keys(), size in 1..5_usize, in_flight in 1..9_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let server = serve_pages(mirror(&keys), &[], size).await;
            let reader = bucket_reader(&server, Settings { in_flight, ..settings() });
            let mut walk = Walk::below("s3://m");
            let (seen, gaps) = walked(&reader, &mut walk).await;
            assert_eq!((seen, gaps), (once(keys.iter().copied()), Vec::new()));
            let progress = walk.progress();
            assert_eq!((progress.keys, progress.finished), (keys.len() as u64, progress.known));
            assert_eq!(progress.bytes, keys.iter().map(|key| key.len() as u64).sum::<u64>());
            let (seen, stepped) = walked_in_steps(&reader, Walk::below("s3://m")).await;
            assert_eq!(seen, once(keys.iter().copied()));
            assert!(stepped.is_complete() && stepped.progress().keys == progress.keys);
            let below = keys.iter().filter_map(|key| key.strip_prefix("a/"));
            let (seen, _) = walked(&reader, &mut Walk::below("s3://m/a/")).await;
            assert_eq!(seen, once(below));
        });
    }
}

#[tokio::test]
async fn the_address_itself_can_be_a_key() {
    let server = serve_pages(mirror(&["x/", "x/a", "x/b"]), &[], 1).await;
    let reader = bucket_reader(&server, settings());
    let (seen, _) = walked(&reader, &mut Walk::below("s3://m/x")).await;
    assert_eq!(seen, once(["", "a", "b"]));
}

#[tokio::test]
async fn what_is_big_is_split_and_what_is_small_is_not() {
    let server = serve_pages(big(600), &[], 20).await;
    let reader = bucket_reader(&server, settings());
    let mut walk = Walk::root("s3://m/develop/e4s");
    let (seen, gaps) = walked(&reader, &mut walk).await;
    assert_eq!((seen.len(), gaps.len()), (1_200, 0));
    let (listed, folders) = (server.asked("?list="), server.asked("?folders="));
    // One range after the other would be 61 pages.
    assert!(walk.progress().known > 8, "{:?}", walk.progress());
    assert!(listed < 61 * 2 && folders < 61, "{listed} {folders}");
    let server = serve_pages(big(600), &[], 1_000).await;
    let reader = bucket_reader(&server, settings());
    let mut walk = Walk::root("s3://m/develop/e4s");
    assert_eq!(walked(&reader, &mut walk).await.0.len(), 1_200);
    assert_eq!((server.asked("?list="), server.asked("?folders="), walk.progress().known), (3, 0, 3));
}

#[tokio::test]
async fn case_38_a_root_ends_where_another_begins() {
    let server = serve(big(3), &[]).await;
    let reader = bucket_reader(&server, settings());
    let (seen, _) = walked(&reader, &mut Walk::root("s3://m/develop")).await;
    assert_eq!(seen, once(["v3/layout.json"]));
    let (seen, _) = walked(&reader, &mut Walk::below("s3://m/develop")).await;
    assert!(seen.len() == 8 && !seen.keys().any(|key| key.contains("develope")), "{seen:?}");
}

#[tokio::test]
async fn entries_are_borrowed_with_all_that_is_known_of_them() {
    let server = serve(mirror(&["x/a b"]), &[]).await;
    let reader = bucket_reader(&server, settings());
    let mut found = Vec::new();
    let mut sink = |page: &Page<'_>, _: &Walk| {
        found.extend(page.entries().map(|e| (e.key.to_owned(), e.bytes, e.modified, e.tag.map(str::to_owned))));
        ControlFlow::Continue(())
    };
    reader.walk(&mut Walk::below("s3://m/x"), &mut sink).await.unwrap();
    let written = crate::ci::Timestamp::parse("2026-11-23T03:12:07Z");
    assert_eq!(found, [("a b".to_owned(), 5, written, Some(tag(b"x/a b")))]);
}

#[tokio::test]
async fn pages_that_lie_are_asked_for_again_or_are_gaps() {
    type Lie = (&'static str, fn(String) -> String, &'static str);
    let lies: [Lie; 5] = [
        (
            "cut off",
            |page| page[..page.rfind("<Contents>").unwrap()].to_owned() + "</ListBucketResult>",
            "it is cut off",
        ),
        ("broken", |page| page[..page.len() / 2].to_owned(), "garbled"),
        ("no order", |page| page.replace("<Key>v3/a</Key>", "<Key>v3/zz</Key>"), "not in order"),
        ("foreign", |page| page.replace("<Key>v3/a</Key>", "<Key>other/a</Key>"), "not asked for"),
        ("no size", |page| page.replace("<Size>4</Size>", ""), "no size"),
    ];
    for (what, lie, reason) in lies {
        let all = mirror(&["v3/a", "v3/b", "v3/c", "v3/d", "blobs/a"]);
        let server = serve_pages(all.clone(), &[("list=v3/", Odd::Page(true, lie))], 2).await;
        let mut walk = Walk::root("s3://m");
        let (seen, gaps) = walked(&bucket_reader(&server, settings()), &mut walk).await;
        assert_eq!((seen, gaps), (once(all.0.keys().map(String::as_str)), Vec::new()), "{what}");
        let server = serve_pages(all, &[("list=v3/", Odd::Page(false, lie))], 2).await;
        let (seen, gaps) = walked(&bucket_reader(&server, settings()), &mut Walk::root("s3://m")).await;
        let [gap] = &gaps[..] else { panic!("{what}: {gaps:?}") };
        assert!(&*gap.place == "v3/" && gap.why.contains(reason), "{what}: {gap:?}");
        assert!(!seen.contains_key("v3/c") && seen.contains_key("blobs/a"), "{what}");
    }
}

#[tokio::test]
async fn a_full_page_that_says_it_is_the_last_is_not_believed() {
    let all = mirror(&["v3/a", "v3/b", "v3/c"]);
    let denies = Odd::Page(false, |page| {
        let from = page.find("<NextContinuationToken>");
        let page = from.map_or(page.clone(), |from| {
            let end = page.find("</NextContinuationToken>").unwrap() + "</NextContinuationToken>".len();
            page[..from].to_owned() + &page[end..]
        });
        page.replace("<IsTruncated>true", "<IsTruncated>false")
    });
    let server = serve_pages(all.clone(), &[("list=v3/", denies)], 2).await;
    let (seen, gaps) = walked(&bucket_reader(&server, settings()), &mut Walk::root("s3://m")).await;
    assert_eq!((seen, gaps), (once(all.0.keys().map(String::as_str)), Vec::new()));
    // And one that promises more for ever gives a gap.
    let promises = Odd::Page(false, |page| page.replace("<IsTruncated>false", "<IsTruncated>true"));
    let server = serve_pages(all, &[("list=v3/", promises)], 2).await;
    let (seen, gaps) = walked(&bucket_reader(&server, settings()), &mut Walk::root("s3://m")).await;
    assert!(seen.len() == 3 && gaps[0].why.ends_with("says that there is more, and does not give it"), "{gaps:?}");
}

#[tokio::test]
async fn weather_is_a_gap_with_its_place_and_never_an_empty_cache() {
    let xml = |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    for (odd, reason) in [
        (Odd::Body(403, xml("AccessDenied")), "access denied (HTTP 403, AccessDenied)"),
        (Odd::Body(404, xml("NoSuchBucket")), "there is no such bucket"),
        (Odd::Body(503, xml("SlowDown")), "HTTP 503, SlowDown, tried 3 times"),
        (Odd::Silent, "no answer within"),
        (Odd::Cut, "no answer"),
    ] {
        let server = serve(mirror(&["v3/a", "blobs/a"]), &[("list=blobs/", odd)]).await;
        let mut walk = Walk::root("s3://m");
        let (seen, gaps) = walked(&bucket_reader(&server, impatient()), &mut walk).await;
        let [gap] = &gaps[..] else { panic!("{reason}: {gaps:?}") };
        assert!(&*gap.place == "blobs/" && gap.why.starts_with("s3://m/blobs/: "), "{gap:?}");
        assert!(gap.why.contains(reason) || reason == "no answer", "{gap:?}");
        assert_eq!(seen, once(["v3/a"]));
        assert!(!walk.is_complete() && walk.progress().known == 3);
    }
}

#[tokio::test]
async fn what_failed_is_asked_for_when_the_walk_goes_on() {
    let server = serve_pages(mirror(&["v3/a", "v3/b", "v3/c"]), &[("list=v3/", Odd::First(4, 500))], 1).await;
    let reader = bucket_reader(&server, settings());
    let mut walk = Walk::root("s3://m");
    let (seen, gaps) = walked(&reader, &mut walk).await;
    assert!(seen.is_empty() && gaps.len() == 1, "{gaps:?}");
    let (seen, gaps) = walked(&reader, &mut walk).await;
    assert_eq!((seen, gaps.len(), walk.is_complete()), (once(["v3/a", "v3/b", "v3/c"]), 0, true));
}

#[tokio::test]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    let server = serve(mirror(&["v3/a"]), &[("list=v3/", Odd::Wait(1, "1"))]).await;
    let begun = std::time::Instant::now();
    let (seen, gaps) = walked(&bucket_reader(&server, settings()), &mut Walk::root("s3://m")).await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!((seen, gaps), (once(["v3/a"]), Vec::new()));
}

#[tokio::test]
async fn no_more_is_asked_at_once_than_is_allowed() {
    let server = serve_pages(big(200), &[], 5).await;
    let reader = bucket_reader(&server, Settings { in_flight: 1, ..settings() });
    let (seen, _) = walked(&reader, &mut Walk::below("s3://m")).await;
    assert_eq!((seen.len(), server.asked("?folders=")), (403, 0), "nobody is idle, so nothing is split");
}

#[tokio::test]
async fn case_32_the_servers_clock_is_told() {
    let server = serve(mirror(&["v3/a"]), &[]).await;
    let now = SystemClock.now();
    let ours = now.shifted(-7_200_000);
    let endpoint = Some(server.base.trim_end_matches("/m").to_owned());
    let s3 = S3Access { endpoint, ..S3Access::default() };
    let reader = Reader::timed(Settings { s3, ..settings() }, Arc::new(ManualClock::at(ours)));
    let mut walk = Walk::root("s3://m");
    walked(&reader, &mut walk).await;
    let skew = walk.skew_ms.unwrap();
    assert!((7_199_000..7_260_000).contains(&skew), "{skew}");
    assert!(walk.listed_at.unwrap().millis() >= now.millis() - 1_000);
}

#[tokio::test]
async fn folders_are_walked_through_like_buckets() {
    let scratch = Scratch::new();
    let names = ["v3/a", "v3/deep/er/b", "blobs/c d%41", "blobs/é", "develop/e4s/v3/x", "readme"];
    for name in names {
        scratch.write(name, "xyz");
    }
    let url = format!("file://{}", scratch.path().display());
    let reader = Reader::new(settings());
    let mut walk = Walk::below(&url);
    let (seen, gaps) = walked(&reader, &mut walk).await;
    assert_eq!((seen, gaps), (once(names), Vec::new()));
    assert_eq!((walk.progress().keys, walk.progress().bytes, walk.is_complete()), (6, 18, true));
    assert_eq!((walk.listed_at, walk.skew_ms), (None, None));
    let (seen, stepped) = walked_in_steps(&reader, Walk::below(&url)).await;
    assert_eq!((seen, stepped.progress()), (once(names), walk.progress()));
    let (seen, _) = walked(&reader, &mut Walk::root(&url)).await;
    assert_eq!(seen, once(["v3/a", "v3/deep/er/b", "blobs/c d%41", "blobs/é"]));
}

#[tokio::test]
async fn what_cannot_be_listed_of_a_folder_is_a_gap() {
    let scratch = Scratch::new();
    scratch.write("v3/a", "");
    std::os::unix::fs::symlink(scratch.path(), scratch.path().join("v3/round")).unwrap();
    std::os::unix::fs::symlink("nowhere", scratch.path().join("v3/gone")).unwrap();
    let url = scratch.path().display().to_string();
    let reader = Reader::new(settings());
    let (seen, gaps) = walked(&reader, &mut Walk::root(&url)).await;
    assert_eq!(seen, once(["v3/a"]));
    assert!(gaps.len() == 1 && &*gaps[0].place == "v3/round/" && gaps[0].why.contains("not followed"), "{gaps:?}");
    let mut walk = Walk::root(&format!("{url}/none"));
    let (seen, gaps) = walked(&reader, &mut walk).await;
    assert!(seen.is_empty() && gaps.len() == 3 && !walk.is_complete(), "{gaps:?}");
    assert!(gaps.iter().all(|gap| gap.why.contains("cannot be listed")), "{gaps:?}");
}

#[tokio::test]
async fn a_web_server_is_not_walked_through() {
    let mut sink = |_: &Page<'_>, _: &Walk| ControlFlow::Continue(());
    let error = Reader::new(settings()).walk(&mut Walk::root("https://me:hush@h/m?hush"), &mut sink).await.unwrap_err();
    assert!(error.starts_with("https://h/m: a web server cannot be listed"), "{error}");
}
