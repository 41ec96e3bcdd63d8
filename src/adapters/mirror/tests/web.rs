use super::*;
use crate::ci::Timestamp;
use crate::spack::buildcache::v3;

#[tokio::test]
async fn both_layouts_are_read() {
    let server = serve(Mirror::default().v3(&index(8)).v2(&index(7)), &[]).await;
    let view = view(&format!("{}/", server.base)).await;
    assert_eq!((&*view.name, view.direct.len()), ("m", 0));
    let listings = listings(view);
    assert_eq!(listings.iter().map(|l| l.layout).collect::<Vec<_>>(), [3, 2]);
    let [new, old] = &listings[..] else { panic!() };
    assert_eq!(&*new.source, format!("{}/{MANIFEST}", server.base));
    assert_eq!(&*old.source, format!("{}/{INDEX}", server.base));
    assert_eq!((&*new.checksum, &*old.checksum), (&*sha256(&index(8)), &*sha256(&index(7))));
    assert_eq!(new.modified, Timestamp::parse_http_date(WRITTEN));
    assert_eq!(old.modified, new.modified);
    for listing in &listings {
        let wanted = HashMap::from([(hash("a"), true), (hash("b"), false), (hash("c"), true)]);
        assert_eq!(present(listing), wanted);
        assert!(!listing.listed[&hash("c")].in_buildcache);
    }
}

#[tokio::test]
async fn generation_case_24_a_mirror_without_any_index_is_absent() {
    let server = serve(Mirror::default(), &[(MANIFEST, Odd::Status(410))]).await;
    assert_eq!(view(&server.base).await.state, MirrorState::Absent);
}

#[tokio::test]
async fn generation_case_25_whatever_is_not_404_is_a_failure() {
    let whole = || Mirror::default().v3(&index(8)).v2(&index(7));
    let blob = v3::blob("sha256", &sha256(&index(8)));
    for path in [MANIFEST, &*blob, INDEX, "build_cache/index.json.hash"] {
        for (odd, reason) in [
            (Odd::Status(403), "access denied (HTTP 403)"),
            (Odd::Status(401), "access denied (HTTP 401)"),
            (Odd::Status(500), "HTTP 500, tried 3 times"),
            (Odd::Status(503), "HTTP 503, tried 3 times"),
            (Odd::Status(418), "HTTP 418"),
            (Odd::Cut, "the answer broke off"),
        ] {
            let server = serve(whole(), &[(path, odd)]).await;
            let failed = failure(&view(&server.base).await);
            assert!(failed.contains(reason) && failed.starts_with(&format!("{}/{path}: ", server.base)), "{failed}");
            assert!(!failed.contains("secret"));
        }
    }
    let server = serve(whole(), &[(&*blob, Odd::Silent)]).await;
    let failed = failure(&Reader::new(impatient()).view("m", &server.base, &wanted()).await);
    assert!(failed.contains("no answer within 0.2 s, tried 3 times"), "{failed}");
    let failed = failure(&view("http://127.0.0.1:1/m").await);
    assert!(failed.starts_with("http://127.0.0.1:1/m/v3/") && failed.contains("refused"), "{failed}");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let odd = [(MANIFEST, Odd::First(1, 500)), (INDEX, Odd::First(2, 429))];
    let server = serve(Mirror::default().v3(&index(8)).v2(&index(7)), &odd).await;
    assert_eq!(listings(view(&server.base).await).len(), 2);
    assert_eq!((server.count(MANIFEST), server.count(INDEX)), (2, 3));
    // What lasts is not.
    let server = serve(Mirror::default(), &[(MANIFEST, Odd::Status(403))]).await;
    failure(&view(&server.base).await);
    assert_eq!(server.count(MANIFEST), 1);
}

#[tokio::test]
async fn a_mirror_has_a_deadline_of_its_own() {
    let server = serve(Mirror::default(), &[(MANIFEST, Odd::Status(503))]).await;
    let hasty = Settings { mirror: Duration::from_millis(150), backoff: Duration::from_secs(9), ..settings() };
    let view = Reader::new(hasty).view("m", &server.base, &wanted()).await;
    assert_eq!(failure(&view), format!("{}: not read within 0.15 s", server.base));
}

#[tokio::test]
async fn redirects_stay_on_the_server() {
    let other = serve(Mirror::default().v3(&index(8)), &[]).await;
    let elsewhere = Odd::To(format!("{}/{MANIFEST}?token=hush", other.base));
    let server = serve(Mirror::default(), &[(MANIFEST, elsewhere)]).await;
    let failed = failure(&view(&server.base).await);
    assert!(failed.contains(&format!("it redirects to {};", other.base.trim_end_matches("/m"))), "{failed}");
    assert!(!failed.contains("hush"));
    assert_eq!(other.count(""), 0);
    let mirror = Mirror::default().v3(&index(8)).with("here", manifest(DB, &index(8)));
    let server = serve(mirror.clone(), &[(MANIFEST, Odd::To("/m/here".to_owned()))]).await;
    assert_eq!(listings(view(&server.base).await).len(), 1);
    let server = serve(mirror, &[(MANIFEST, Odd::To(format!("/m/{MANIFEST}")))]).await;
    assert!(failure(&view(&server.base).await).contains("more than 5 redirects"));
}

#[tokio::test]
async fn cache_case_13_a_manifest_without_its_blob_is_a_failure() {
    let dangling = Mirror::default().with(MANIFEST, manifest(DB, &index(8)));
    let server = serve(dangling, &[]).await;
    let failed = failure(&view(&server.base).await);
    assert!(failed.contains("is missing") && failed.contains(&sha256(&index(8))), "{failed}");
    assert_eq!(server.count(MANIFEST), 2, "it could have been written anew");
    let half = Mirror::default().with("build_cache/index.json.hash", sha256(&index(7)));
    let failed = failure(&view(&serve(half, &[]).await.base).await);
    assert!(failed.contains("index.json: it is missing"), "{failed}");
}

#[tokio::test]
async fn an_index_that_is_written_anew_meanwhile_is_asked_for_again() {
    let stale = Odd::Stale(manifest(DB, &index(7)));
    let server = serve(Mirror::default().v3(&index(8)), &[(MANIFEST, stale)]).await;
    assert_eq!(listings(view(&server.base).await)[0].checksum, sha256(&index(8)).into());
    let stale = Odd::Stale(sha256(&index(8)));
    let server = serve(Mirror::default().v2(&index(7)), &[("index.json.hash", stale)]).await;
    assert_eq!(listings(view(&server.base).await)[0].checksum, sha256(&index(7)).into());
}

#[tokio::test]
async fn cache_case_08_lies_about_length_or_checksum_are_found() {
    let good = Mirror::default().v3(&index(8));
    let blob = v3::blob("sha256", &sha256(&index(8)));
    let length = index(8).len();
    let says = |n: usize| {
        manifest(DB, &index(8)).replace(&format!("\"contentLength\":{length}"), &format!("\"contentLength\":{n}"))
    };
    let other: Vec<u8> = index(8).iter().map(|byte| if *byte == b'8' { b'7' } else { *byte }).collect();
    for (mirror, reason) in [
        (
            good.clone().with(MANIFEST, says(length + 1)),
            format!("it has {length} bytes, but its manifest says {}", length + 1),
        ),
        (good.clone().with(MANIFEST, says(length - 1)), format!("more than the {} bytes", length - 1)),
        (good.clone().with(MANIFEST, says(1 << 40)), "is what is read at most".to_owned()),
        (good.clone().with(&blob, other), "but a".to_owned()),
        (good.clone().with(&blob, index(8)[1..].to_vec()), "its manifest says".to_owned()),
        (Mirror::default().v2(&index(7)).with(INDEX, index(8)), format!("but {} is expected", sha256(&index(7)))),
        (Mirror::default().v2(&index(7)).with("build_cache/index.json.hash", "x"), "it is no SHA-256".to_owned()),
    ] {
        let failed = failure(&view(&serve(mirror, &[]).await.base).await);
        let reason = if reason == "but a" { "is expected" } else { &reason };
        assert!(failed.contains(reason), "{failed}");
    }
}

#[tokio::test]
async fn garbage_and_what_is_too_new_are_failures() {
    let spec = "application/vnd.spack.spec.v5+json";
    for (mirror, reason) in [
        (Mirror::default().with(MANIFEST, "<html>"), "damaged"),
        (Mirror::default().with(MANIFEST, ""), "empty"),
        (Mirror::default().with(MANIFEST, vec![b' '; 2 << 20]), "more than the 1048576 bytes"),
        (Mirror::default().with(MANIFEST, manifest(spec, b"x")), "names no index"),
        (Mirror::default().with(MANIFEST, manifest(&DB.replace("v8", "v9"), b"x")), "index has version 9"),
        (Mirror::default().v3(b"<html>"), "corrupt"),
        (Mirror::default().v3(&index(9)), "index has version 9"),
        (Mirror::default().v3(&index(8)).v2(b"{"), "index.json: the index is corrupt"),
        (Mirror::default().with(INDEX, "{}"), "corrupt"),
    ] {
        let failed = failure(&view(&serve(mirror, &[]).await.base).await);
        assert!(failed.contains(reason), "{failed}");
    }
}

#[tokio::test]
async fn packed_indexes_are_opened() {
    let zstd = ruzstd::encoding::compress_to_vec(&index(8)[..], ruzstd::encoding::CompressionLevel::Fastest);
    for packed in [gzip(&index(8)), zstd] {
        let server = serve(Mirror::default().v3(&packed).with(INDEX, packed.clone()), &[]).await;
        let listings = listings(view(&server.base).await);
        assert_eq!((listings.len(), listings[0].listed.len()), (2, 3));
        assert_eq!(&*listings[0].checksum, sha256(&packed));
    }
    // Packed on the way only: the checksum is over what lies there.
    let mirror = Mirror::default().v3(&index(8)).v2(&index(7));
    for path in [&v3::blob("sha256", &sha256(&index(8)))[..], INDEX, MANIFEST] {
        let server = serve(mirror.clone(), &[(path, Odd::Packed("gzip"))]).await;
        assert_eq!(listings(view(&server.base).await).len(), 2, "{path}");
    }
}

#[tokio::test]
async fn an_index_without_its_checksum_file_is_read() {
    let server = serve(Mirror::default().with(INDEX, index(7)), &[]).await;
    let listings = listings(view(&server.base).await);
    assert_eq!((listings[0].layout, &*listings[0].checksum), (2, &*sha256(&index(7))));
}

#[tokio::test]
async fn cache_case_17_a_kept_index_is_not_fetched_again() {
    let scratch = Scratch::new();
    let server = serve(Mirror::default().v3(&index(8)).v2(&index(7)), &[]).await;
    let keeping = || Reader::new(Settings { cache: Some(scratch.path().into()), ..settings() });
    let first = keeping().view("m", &server.base, &wanted()).await;
    server.clear();
    assert_eq!(keeping().view("m", &server.base, &wanted()).await, first);
    assert_eq!((server.count(INDEX), server.count(&sha256(&index(8)))), (0, 0));
    // A damaged one is.
    scratch.write(&sha256(&index(8)), "x");
    assert_eq!(keeping().view("m", &server.base, &wanted()).await, first);
    assert_eq!((server.count(INDEX), server.count(&sha256(&index(8)))), (0, 1));
}

#[tokio::test]
async fn addresses_are_shown_without_secrets() {
    let server = serve(Mirror::default(), &[("", Odd::Status(403))]).await;
    let secret = server.base.replace("http://", "http://me:hush@") + "?token=hush";
    let view = view(&secret).await;
    assert!(!format!("{view:?}").contains("hush"), "{view:?}");
    assert_eq!(*view.url, *server.base);
    let error = Reader::new(settings()).names("gs://me:hush@b/x?hush").await.unwrap_err();
    assert!(error.starts_with("gs://b/x: ") && !error.contains("hush"), "{error}");
    let error = Reader::new(settings()).names(&secret).await.unwrap_err();
    assert!(error.contains("cannot be listed") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn one_binary_is_found_by_its_name() {
    let lock = Lock::parse(include_bytes!("../../../spack/testdata/mini-v6.lock")).unwrap();
    let spec = lock.specs().find(|spec| spec.compiler.is_some()).unwrap();
    let about = metadata(&spec.hash);
    let there = |is_signed| Mirror::default().spec(spec, &gzip(&about), is_signed);
    let blob = v3::blob("sha256", &sha256(&gzip(&about)));
    let old = crate::spack::buildcache::v2::signed_spec(spec).unwrap();
    let text = String::from_utf8(about.clone()).unwrap();
    let without = |path: &str| {
        let mut mirror = there(true);
        mirror.0.remove(path);
        mirror
    };
    for (mirror, layout, with_unsigned) in [
        (there(true), Some(3), Some(3)),
        (there(false), None, Some(3)),
        (Mirror::default(), None, None),
        (without(&blob), None, None),
        (Mirror::default().with(&old, signed(&text)), Some(2), Some(2)),
        (there(false).with(&old, signed(&text)), Some(2), Some(3)),
        (Mirror::default().with(&old, text.clone()), None, None),
    ] {
        let paths: Vec<_> = mirror.0.keys().cloned().collect();
        let server = serve(mirror, &[]).await;
        let reader = Reader::new(settings());
        assert_eq!(reader.find(&server.base, spec, true).await, Ok(layout), "{paths:?}");
        assert_eq!(reader.find(&server.base, spec, false).await, Ok(with_unsigned), "{paths:?}");
    }
    for (mirror, odd, reason) in [
        (Mirror::default().spec(spec, &metadata(&hash("a")), true), None, "not about"),
        (Mirror::default().spec(spec, b"{}", true), None, "damaged"),
        (there(true).with(&blob, "x"), None, "its manifest says"),
        (there(true), Some((".spec.manifest.json", Odd::Status(403))), "access denied"),
        (there(true), Some((&*blob, Odd::Status(500))), "HTTP 500"),
        (Mirror::default(), Some((".spec.json.sig", Odd::Status(502))), "HTTP 502"),
    ] {
        let server = serve(mirror, odd.as_slice()).await;
        let error = Reader::new(settings()).find(&server.base, spec, true).await.unwrap_err();
        assert!(error.contains(reason) && error.starts_with(&server.base), "{error}");
    }
}

#[tokio::test]
async fn mirrors_can_be_read_side_by_side() {
    let server = Arc::new(serve(Mirror::default().v3(&index(8)), &[]).await);
    let reader = Arc::new(Reader::new(Settings { in_flight: 1, ..settings() }));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (server, reader) = (server.clone(), reader.clone());
            tokio::spawn(async move { reader.view("m", &server.base, &wanted()).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(listings(task.await.unwrap()).len(), 1);
    }
}
