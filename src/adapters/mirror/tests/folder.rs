use super::*;

#[tokio::test]
async fn mirrors_written_by_spack_are_read() {
    for (mirror, lock, layout, total) in [
        ("buildcache-v3-signed", "mini", 3, 38),
        ("buildcache-v3-unsigned", "mini", 3, 38),
        ("buildcache-v2-signed", "mini-spack-0.23", 2, 22),
    ] {
        let Some((url, lock)) = fixture(mirror, lock) else { return };
        let wanted: HashSet<Hash> = lock.specs().map(|spec| spec.hash).collect();
        let path = url.trim_start_matches("file://");
        for url in [&url[..], path] {
            let listings = listings(Reader::new(settings()).view("m", url, &wanted).await);
            let [listing] = &listings[..] else { panic!() };
            assert_eq!((listing.layout, listing.listed.len()), (layout, wanted.len()), "{mirror}");
            let binaries = listing.listed.values().filter(|listed| listed.in_buildcache).count();
            assert_eq!(binaries, total, "{mirror}");
            assert!(listing.modified.is_some() && listing.source.starts_with("file:///"));
        }
    }
}

#[tokio::test]
async fn binaries_written_by_spack_are_found() {
    for (mirror, lock, layouts) in [
        ("buildcache-v3-signed", "mini", [Some(3), Some(3)]),
        ("buildcache-v3-unsigned", "mini", [None, Some(3)]),
        ("buildcache-v2-signed", "mini-spack-0.23", [Some(2), Some(2)]),
    ] {
        let Some((url, lock)) = fixture(mirror, lock) else { return };
        let reader = Reader::new(settings());
        for spec in lock.specs().filter(|spec| !spec.is_external()) {
            for (only_signed, layout) in [true, false].into_iter().zip(layouts) {
                assert_eq!(reader.find(&url, spec, only_signed).await, Ok(layout), "{mirror}: {spec}");
            }
        }
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_absent() {
    let scratch = Scratch::new();
    let file = scratch.write("file", "");
    for path in [scratch.path().to_owned(), scratch.path().join("none"), file] {
        assert_eq!(view(&path.display().to_string()).await.state, MirrorState::Absent, "{}", path.display());
    }
    scratch.write(&format!("{MANIFEST}/x"), "");
    let failed = failure(&view(&scratch.path().display().to_string()).await);
    assert!(failed.contains(MANIFEST) && failed.ends_with("it is no file"), "{failed}");
}

#[tokio::test]
async fn names_are_listed() {
    let scratch = Scratch::new();
    for name in ["b", "a", "folder/c", ".hidden"] {
        scratch.write(name, "");
    }
    let reader = Reader::new(settings());
    let url = format!("file://{}", scratch.path().display());
    assert_eq!(reader.names(&url).await.unwrap(), [".hidden", "a", "b", "folder"]);
    assert_eq!(reader.names(&format!("{url}/none")).await, Ok(Vec::new()));
    assert!(reader.names(&format!("{url}/a")).await.unwrap_err().contains("cannot be read"));
}
