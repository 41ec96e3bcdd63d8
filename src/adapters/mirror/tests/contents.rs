//! What whole roots hold, in buckets, folders and on web servers, healthy and not.

use super::*;
use crate::cache::{Contents, IndexState, Reading, SpecManifest};
use crate::spack::buildcache::{Checksum, Manifest};

const SPECS: &str = "v3/manifests/spec";
const TARBALL: &str = "application/vnd.spack.install.v2.tar+gzip";
const SPEC: &str = "application/vnd.spack.spec.v5+json";

fn record(media_type: &str, blob: &[u8]) -> String {
    let (length, sum) = (blob.len(), sha256(blob));
    format!(
        r#"{{"contentLength":{length},"mediaType":"{media_type}","compression":"gzip","checksumAlgorithm":"sha256","checksum":"{sum}"}}"#
    )
}

fn records(records: &[String]) -> String {
    format!(r#"{{"version":3,"data":[{}]}}"#, records.join(","))
}

fn path(letter: &str) -> String {
    format!("{SPECS}/p{letter}/p{letter}-1.0-{}.spec.manifest.json", hash(letter))
}

/// An index that [`crate::spack::buildcache::Catalogue`] reads.
fn whole_index(version: u32) -> Vec<u8> {
    let record = |letter: &str| {
        let hash = hash(letter);
        format!(
            r#""{hash}":{{"spec":{{"name":"p{letter}","version":"1.0","hash":"{hash}"}},"ref_count":0,"in_buildcache":true}}"#
        )
    };
    format!(r#"{{"database":{{"version":"{version}","installs":{{{},{}}}}}}}"#, record("a"), record("b")).into_bytes()
}

/// Two binaries that share their tarball, an index with a view, a key, layout 2, and something that belongs nowhere.
fn cache() -> Mirror {
    let manifest = |letter: &str| records(&[record(TARBALL, b"tarball"), record(SPEC, letter.as_bytes())]);
    let index = whole_index(8);
    let keys = records(&[record("application/vnd.spack.keyindex.v1+json", b"{}")]);
    Mirror::default()
        .with(&path("a"), signed(&manifest("a")))
        .with(&path("b"), manifest("b"))
        .blob(b"tarball")
        .blob(b"a")
        .blob(b"b")
        .v3(&index)
        .with("v3/manifests/index/2026-11/index.manifest.json", super::manifest(DB, &index))
        .with("v3/manifests/key/keys.manifest.json", keys)
        .blob(b"{}")
        .with("v3/layout.json", "{}")
        .with("v3/odd", "123")
        .with("build_cache/index.json", "{}")
        .with("e4s/v3/layout.json", "of another root")
}

async fn bucket(mirror: Mirror, odd: &[(&str, Odd)]) -> Contents {
    let server = serve(mirror, odd).await;
    bucket_reader(&server, settings()).contents("s3://m", true, &()).await.unwrap()
}

fn reading<'a>(contents: &'a Contents, letter: &str) -> &'a Reading {
    let path = path(letter);
    &contents.manifests.iter().find(|manifest| *manifest.path == *path).unwrap().reading
}

fn places(contents: &Contents) -> Vec<&str> {
    contents.gaps.iter().map(|gap| &*gap.place).collect()
}

/// What does not depend on where the cache lies.
fn essence(contents: &Contents) -> String {
    let Contents { manifests, indexes, keys, blobs, gaps, foreign, v2, .. } = contents;
    let manifests: Vec<_> = manifests.iter().map(|m| (&m.path, m.hash, m.bytes, &m.reading)).collect();
    let indexes: Vec<_> = indexes.iter().map(|i| (&i.path, &i.view, i.bytes, i.blob, &i.state)).collect();
    let keys: Vec<_> = keys.iter().map(|k| (&k.path, &k.blobs)).collect();
    let blobs: Vec<_> = blobs.iter().map(|b| (b.sum, b.bytes)).collect();
    format!("{manifests:#?} {indexes:#?} {keys:#?} {blobs:#?} {gaps:#?} {foreign:#?} {v2:#?}")
}

#[tokio::test]
async fn case_55_both_layouts_of_a_root_are_told_and_no_other_root() {
    let contents = bucket(cache(), &[]).await;
    assert_eq!(contents.gaps, []);
    let Reading::Read { tarball: Some(tarball), spec: Some(spec), others, is_signed: true } = reading(&contents, "a")
    else {
        panic!("{contents:?}")
    };
    assert_eq!(
        (tarball.sum, tarball.bytes, spec.sum, others.len()),
        (Checksum::of(b"tarball"), 7, Checksum::of(b"a"), 0)
    );
    assert!(matches!(reading(&contents, "b"), Reading::Read { is_signed: false, .. }));
    assert_eq!(contents.manifests.iter().map(|m| m.hash).collect::<Vec<_>>(), [Some(hash("a")), Some(hash("b"))]);
    let views: Vec<_> = contents.indexes.iter().map(|index| index.view.as_deref()).collect();
    assert_eq!(views, [None, Some("2026-11")]);
    assert!(contents.indexes.iter().all(|index| matches!(&index.state, IndexState::Read(_)) && index.tag.is_some()));
    assert!(contents.catalogue().is_some());
    assert_eq!(contents.keys[0].blobs.as_ref().unwrap()[0].sum, Checksum::of(b"{}"));
    assert_eq!((contents.blobs.len(), contents.blob(Checksum::of(b"tarball")).unwrap().bytes), (5, 7));
    assert_eq!((contents.v2.objects, contents.v2.bytes), (1, 2));
    assert_eq!((contents.foreign.amount.objects, &*contents.foreign.paths[0]), (1, "v3/odd"));
    assert!(contents.listed_at.is_some() && contents.skew_ms.unwrap().abs() < 60_000);
    let scratch = Scratch::new();
    for (path, bytes) in &cache().0 {
        scratch.write(path, bytes);
    }
    let folder = Reader::new(settings()).contents(&scratch.path().display().to_string(), true, &()).await.unwrap();
    assert_eq!(essence(&folder), essence(&contents));
}

#[tokio::test]
async fn caches_written_by_spack_are_read_whole() {
    for (mirror, is_signed) in [("buildcache-v3-signed", true), ("buildcache-v3-unsigned", false)] {
        let Some((url, _)) = fixture(mirror, "mini") else { return };
        let contents = Reader::new(settings()).contents(&url, true, &()).await.unwrap();
        assert_eq!((contents.gaps.len(), contents.foreign.amount.objects, contents.manifests.len()), (0, 0, 38));
        let mut needed = std::collections::BTreeSet::new();
        for manifest in &contents.manifests {
            let Reading::Read { tarball: Some(tarball), spec: Some(spec), others, is_signed: found } =
                &manifest.reading
            else {
                panic!("{manifest:?}")
            };
            assert_eq!((others.len(), *found), (0, is_signed));
            needed.extend([*tarball, *spec]);
        }
        needed.extend(contents.indexes.iter().filter_map(|index| index.blob));
        needed.extend(contents.keys.iter().flat_map(|key| key.blobs.clone().unwrap()));
        let there: Vec<_> = contents.blobs.iter().map(|blob| (blob.sum, blob.bytes)).collect();
        let needed: Vec<_> = needed.iter().map(|blob| (blob.sum, blob.bytes)).collect();
        assert_eq!(there, needed, "{mirror}: every blob is needed, and has the length that its manifest says");
        assert!(contents.catalogue().is_some());
    }
    let Some((url, _)) = fixture("buildcache-v2-signed", "mini") else { return };
    let contents = Reader::new(settings()).contents(&url, true, &()).await.unwrap();
    assert!(contents.v2.objects > 44 && contents.manifests.is_empty() && contents.indexes.is_empty(), "{contents:?}");
}

#[tokio::test]
async fn case_10_a_name_without_a_hash_is_told() {
    let name = format!("{SPECS}/px/px-1.0-{}.spec.manifest.json", &hash("a").as_str()[1..]);
    let contents = bucket(cache().with(&name, "{}"), &[]).await;
    let SpecManifest { hash, reading, .. } = contents.manifests.iter().find(|m| *m.path == *name).unwrap();
    assert!(hash.is_none() && matches!(reading, Reading::Damaged(_)), "{reading:?}");
}

#[tokio::test]
async fn case_11_no_index_is_no_index() {
    let mut mirror = cache();
    mirror.0.retain(|path, _| !path.starts_with("v3/manifests/index"));
    let contents = bucket(mirror, &[]).await;
    assert!(contents.indexes.is_empty() && contents.gaps.is_empty());
}

#[tokio::test]
async fn case_12_an_index_that_cannot_be_read_is_never_empty() {
    let xml = |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    for odd in [Odd::Body(403, xml("AccessDenied")), Odd::Status(500), Odd::Silent] {
        for place in [MANIFEST.to_owned(), crate::spack::buildcache::v3::blob("sha256", &sha256(&whole_index(8)))] {
            let server = serve(cache(), &[(&place, odd.clone())]).await;
            let contents = bucket_reader(&server, impatient()).contents("s3://m", false, &()).await.unwrap();
            assert!(matches!(&contents.index().unwrap().state, IndexState::Failed(_)), "{contents:?}");
            assert!(places(&contents).contains(&MANIFEST), "{:?}", contents.gaps);
        }
    }
}

#[tokio::test]
async fn case_13_an_index_without_its_blob_is_dangling() {
    let mut mirror = cache();
    mirror.0.remove(&crate::spack::buildcache::v3::blob("sha256", &sha256(&whole_index(8))));
    let contents = bucket(mirror, &[]).await;
    assert!(contents.indexes.iter().all(|index| matches!(index.state, IndexState::Dangling) && index.blob.is_some()));
    assert_eq!(contents.gaps, []);
}

#[tokio::test]
async fn case_14_indexes_of_other_versions_and_damaged_ones_are_told_apart() {
    let state = async |mirror: Mirror| bucket(mirror, &[]).await.index().unwrap().state.clone();
    assert!(matches!(state(cache().v3(&whole_index(7))).await, IndexState::Read(_)));
    assert!(matches!(state(cache().v3(&whole_index(9))).await, IndexState::TooNew(9)));
    let newer = super::manifest("application/vnd.spack.db.v9+json", b"x");
    assert!(matches!(state(cache().with(MANIFEST, newer)).await, IndexState::TooNew(9)));
    let blob = crate::spack::buildcache::v3::blob("sha256", &sha256(&whole_index(8)));
    let mut other = whole_index(8);
    other[20] ^= 1;
    for (mirror, reason) in [
        (cache().v3(b"{}"), "corrupt"),
        (cache().v3(br#"{"database":{"installs":{}}}"#), "corrupt"),
        (cache().with(&blob, other), "SHA-256"),
        (cache().with(&blob, "short"), "5 bytes"),
        (cache().with(&blob, vec![b' '; 9_999]), "bytes that are expected at most"),
        (cache().with(MANIFEST, "{"), "damaged"),
        (cache().with(MANIFEST, records(&[record(SPEC, b"a")])), "names no index"),
        (cache().with(MANIFEST, vec![b' '; 2 << 20]), "bytes that are expected at most"),
    ] {
        match state(mirror).await {
            IndexState::Damaged(why) => assert!(why.contains(reason) && why.starts_with("s3://m/"), "{why}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn case_17_an_index_at_hand_is_not_fetched_again() {
    let scratch = Scratch::new();
    let server = serve(cache(), &[]).await;
    let endpoint = Some(server.base.trim_end_matches("/m").to_owned());
    let s3 = S3Access { endpoint, ..S3Access::default() };
    let reader = Reader::new(Settings { s3, cache: Some(scratch.path().to_owned()), ..settings() });
    let first = reader.contents("s3://m", false, &()).await.unwrap();
    assert!(server.asked("blobs/") > 0);
    let tag = reader.index_tag("s3://m").await.unwrap();
    assert_eq!(tag.as_deref(), first.index().unwrap().tag.as_deref());
    server.clear();
    let second = reader.contents("s3://m", false, &()).await.unwrap();
    assert_eq!((essence(&second), server.asked("blobs/")), (essence(&first), 0));
    server.clear();
    assert_eq!(reader.index_tag("s3://m").await.unwrap(), tag);
    assert_eq!((server.asked(MANIFEST), server.asked("")), (1, 1));
    assert_eq!(reader.index_tag("s3://m/none").await, Ok(None));
    assert!(serve_tag(Odd::Status(403)).await.unwrap_err().contains("access denied"));
}

async fn serve_tag(odd: Odd) -> Result<Option<String>, String> {
    let server = serve(cache(), &[("", odd)]).await;
    bucket_reader(&server, settings()).index_tag("s3://m").await
}

/// Knows what it is told, and counts.
#[derive(Default)]
struct Known {
    readings: HashMap<(String, String), Reading>,
    stages: Mutex<Vec<Stage>>,
}

impl Watch for Known {
    fn known(&self, path: &str, tag: &str) -> Option<Reading> {
        self.readings.get(&(path.to_owned(), tag.to_owned())).cloned()
    }

    fn reached(&self, stage: Stage) {
        self.stages.lock().unwrap().push(stage);
    }
}

#[tokio::test]
async fn only_manifests_that_changed_are_read_again() {
    let server = serve(cache(), &[]).await;
    let first = bucket_reader(&server, settings()).contents("s3://m", true, &()).await.unwrap();
    let readings = first.manifests.iter().map(|manifest| {
        let tag = manifest.tag.as_ref().unwrap().to_string();
        ((manifest.path.to_string(), tag), manifest.reading.clone())
    });
    let known = Known { readings: readings.collect(), ..Known::default() };
    let changed = records(&[record(SPEC, b"b")]);
    let server = serve(cache().with(&path("b"), changed), &[]).await;
    let second = bucket_reader(&server, settings()).contents("s3://m", true, &known).await.unwrap();
    assert_eq!((server.asked(&path("a")), server.asked(&path("b"))), (0, 1));
    assert_eq!(reading(&second, "a"), reading(&first, "a"));
    assert!(matches!(reading(&second, "b"), Reading::Read { tarball: None, .. }));
    let stages = known.stages.lock().unwrap();
    assert!(matches!(stages.first(), Some(Stage::Listing(_))), "{stages:?}");
    assert_eq!(stages.last(), Some(&Stage::Reading { done: 2, all: 2 }));
}

#[tokio::test]
async fn case_23_a_manifest_that_cannot_be_read_is_a_gap() {
    for odd in [Odd::Status(403), Odd::Status(500), Odd::Silent, Odd::Cut] {
        let server = serve(cache(), &[(&path("b"), odd)]).await;
        let contents = bucket_reader(&server, impatient()).contents("s3://m", true, &()).await.unwrap();
        assert!(matches!(reading(&contents, "b"), Reading::Failed(_)), "{contents:?}");
        assert_eq!(places(&contents), [path("b")]);
    }
    let gone = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>".to_owned();
    let contents = bucket(cache(), &[(&path("b"), Odd::Body(404, gone))]).await;
    assert!(&*contents.gaps[0].why == "it vanished while it was read" && places(&contents) == [path("b")]);
}

#[tokio::test]
async fn manifests_of_no_use_are_damaged_and_cost_little() {
    let huge = Odd::Page(false, |page| page.replace("<Size>7</Size>", "<Size>524288000</Size>"));
    let server = serve(cache().with(&path("b"), "1234567"), &[("list=v3/", huge)]).await;
    let contents = bucket_reader(&server, settings()).contents("s3://m", true, &()).await.unwrap();
    assert!(matches!(reading(&contents, "b"), Reading::Damaged(why) if why.contains("1048576")), "{contents:?}");
    assert_eq!(server.asked(&path("b")), 0, "500 MB are not fetched");
    let spaces = vec![b' '; 20 << 20];
    let bomb = gzip(&spaces);
    let zstd = ruzstd::encoding::compress_to_vec(&spaces[..], ruzstd::encoding::CompressionLevel::Fastest);
    let sha512 = records(&[record(SPEC, b"b")]).replace("sha256", "sha512");
    for (bytes, reason) in [
        (bomb, "unpacked"),
        (zstd, "unpacked"),
        (vec![b'{', 0xff, 0xfe], "not UTF-8"),
        (Vec::new(), "empty"),
        (br#"{"version":2,"data":[]}"#.to_vec(), "version 2"),
        (sha512.into_bytes(), "`sha512` cannot be verified"),
        (signed("{}").replace("SIGNATURE", "X").into_bytes(), "trusted"),
    ] {
        let contents = bucket(cache().with(&path("b"), bytes.clone()), &[]).await;
        let Reading::Damaged(why) = reading(&contents, "b") else { panic!("{reason}: {contents:?}") };
        assert!(why.contains(reason) && why.starts_with("s3://m/v3/"), "{why}");
        assert_eq!(contents.gaps, [], "it was read");
        assert!(bytes.is_empty() || Manifest::parse(&bytes).is_err() || reason.contains("sha512"));
    }
}

#[tokio::test]
async fn blobs_of_unknown_use_are_kept_in_mind() {
    let text = records(&[record("application/x-future", b"f"), record(SPEC, b"b"), record(SPEC, b"b2")]);
    let contents = bucket(cache().with(&path("b"), text), &[]).await;
    let Reading::Read { tarball: None, spec: Some(spec), others, .. } = reading(&contents, "b") else { panic!() };
    let sums: Vec<Checksum> = others.iter().map(|blob| blob.sum).collect();
    assert_eq!((spec.sum, sums), (Checksum::of(b"b"), vec![Checksum::of(b"f"), Checksum::of(b"b2")]));
    let both = records(&[record("application/vnd.spack.db.v8+json", &whole_index(8)), record("application/x", b"f")]);
    let contents = bucket(cache().with(MANIFEST, both), &[]).await;
    assert_eq!(contents.index().unwrap().others[0].sum, Checksum::of(b"f"));
}

#[tokio::test]
async fn case_24_blobs_that_cannot_be_listed_are_not_absent() {
    let contents = bucket(cache(), &[("list=blobs/", Odd::Status(403))]).await;
    assert_eq!((contents.blobs.len(), places(&contents)), (0, vec!["blobs/"]));
    assert_eq!(contents.manifests.len(), 2);
    // Who may not list may still read, so that at least the index is known.
    let contents = bucket(cache(), &[("list=v3/", Odd::Status(403))]).await;
    assert!(contents.catalogue().is_some() && places(&contents) == ["v3/"], "{contents:?}");
    let contents = bucket(cache(), &[("", Odd::Status(403))]).await;
    assert_eq!(places(&contents), ["blobs/", "build_cache/", "v3/", MANIFEST]);
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_soon_left_alone() {
    let mut mirror = cache();
    for n in 0..200 {
        mirror = mirror.with(&format!("{SPECS}/x/x-{n}-{}.spec.manifest.json", hash("c")), "{}");
    }
    let server = serve(mirror, &[(".spec.manifest.json", Odd::Status(403))]).await;
    let reader = bucket_reader(&server, Settings { in_flight: 2, ..settings() });
    let contents = reader.contents("s3://m", true, &()).await.unwrap();
    let asked = server.asked(SPECS);
    assert!((32..40).contains(&asked), "{asked}");
    assert!(contents.manifests.iter().all(|manifest| matches!(manifest.reading, Reading::Failed(_))));
    assert!(places(&contents).contains(&"v3/manifests/spec/") && contents.gaps.len() == asked + 1);
}

#[tokio::test]
async fn a_key_that_tells_nothing_is_a_gap() {
    let contents = bucket(cache().with("v3/manifests/key/keys.manifest.json", "x"), &[]).await;
    assert!(contents.keys[0].blobs.is_none() && places(&contents) == ["v3/manifests/key/keys.manifest.json"]);
}

#[tokio::test]
async fn of_a_web_server_only_the_index_is_known() {
    let server = serve(cache(), &[]).await;
    let contents = Reader::new(settings()).contents(&server.base, true, &()).await.unwrap();
    assert!(contents.catalogue().is_some() && contents.manifests.is_empty());
    assert!(places(&contents) == [""] && contents.gaps[0].why.starts_with("a web server cannot be listed"));
    let tag = Reader::new(settings()).index_tag(&server.base).await.unwrap();
    assert_eq!(tag.as_deref(), contents.index().unwrap().tag.as_deref());
    let server = serve(Mirror::default(), &[]).await;
    let contents = Reader::new(settings()).contents(&server.base, true, &()).await.unwrap();
    assert!(contents.indexes.is_empty() && places(&contents) == [""]);
}
