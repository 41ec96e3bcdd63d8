//! Cache roots are found without listing what lies in them.

use super::*;

const KEYS: [&str; 8] = [
    "develop/v3/layout.json",
    "develop/e4s/blobs/sha256/00/x",
    "develop/e4s/v3/manifests/spec/v3/x",
    "develop/old/build_cache/index.json",
    "develop-2026-11-01/v3/layout.json",
    "releases/v2025.11/e4s/v3/layout.json",
    "spack-packages/pr12_a/b/e4s/v3/layout.json",
    "readme",
];
const ROOTS: [&str; 6] = [
    "develop",
    "develop-2026-11-01",
    "develop/e4s",
    "develop/old",
    "releases/v2025.11/e4s",
    "spack-packages/pr12_a/b/e4s",
];

fn prefixes(found: &Found) -> Vec<&str> {
    found.roots.iter().map(|root| &*root.prefix).collect()
}

#[tokio::test]
async fn roots_of_a_bucket_are_found_folder_by_folder() {
    let mirror = KEYS.iter().fold(Mirror::default(), |mirror, key| mirror.with(key, "x"));
    for page in [1, 2, 1_000] {
        let server = serve_pages(mirror.clone(), &[], page).await;
        let found = bucket_reader(&server, settings()).roots("s3://m", 5).await.unwrap();
        assert_eq!((prefixes(&found), found.gaps.len()), (ROOTS.to_vec(), 0));
        assert_eq!((server.asked("?list="), server.asked("?folders=develop/e4s/")), (0, if page == 1 { 2 } else { 1 }));
        assert_eq!(server.asked("?folders=develop/e4s/v3"), 0);
    }
    let server = serve(mirror.clone(), &[("folders=releases/", Odd::Status(403))]).await;
    let reader = bucket_reader(&server, settings());
    let found = reader.roots("s3://m", 5).await.unwrap();
    assert!(found.gaps.len() == 1 && &*found.gaps[0].place == "releases/", "{found:?}");
    let found = reader.roots("s3://m/develop", 5).await.unwrap();
    assert_eq!(prefixes(&found), ["", "e4s", "old"]);
    let shallow = reader.roots("s3://m", 1).await.unwrap();
    assert!(shallow.gaps.iter().any(|gap| &*gap.place == "spack-packages/pr12_a/" || &*gap.place == "spack-packages/"));
    let server = serve(mirror, &[("", Odd::Status(404))]).await;
    let found = bucket_reader(&server, settings()).roots("s3://m", 5).await.unwrap();
    assert!(found.roots.is_empty() && found.gaps.len() == 1, "{found:?}");
}

#[tokio::test]
async fn roots_of_a_folder_are_found_alike() {
    let scratch = Scratch::new();
    for key in KEYS {
        scratch.write(key, "x");
    }
    let url = scratch.path().display().to_string();
    let reader = Reader::new(settings());
    let found = reader.roots(&url, 5).await.unwrap();
    assert_eq!((prefixes(&found), found.gaps.len()), (ROOTS.to_vec(), 0));
    let none = reader.roots(&format!("{url}/none"), 5).await.unwrap();
    assert!(none.roots.is_empty() && none.gaps.len() == 1, "{none:?}");
    assert!(reader.roots("https://h/m", 5).await.unwrap_err().contains("cannot be listed"));
}
