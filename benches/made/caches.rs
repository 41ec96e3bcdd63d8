//! A mirror with one very large root, as a listing and a look inside leave it.

use std::sync::Arc;
use std::time::Duration;

use stackhand::cache::{
    Amount, Blob, BlobRef, Contents, Duplication, Health, HealthRules, IndexManifest, IndexState, Reading, Sample,
    Sizes, SpecManifest,
};
use stackhand::ci::Timestamp;
use stackhand::console::caches::{Inside, RootId};
use stackhand::console::effect::Fetch;
use stackhand::console::event::Event;
use stackhand::spack::buildcache::{Catalogue, Checksum, v3};
use stackhand::spack::{Hash, dag_hash};

/// Its only mirror.
pub const MIRROR: &str = "s3://spack-binaries";
/// The large root.
pub const ROOT: &str = "s3://spack-binaries/develop/e4s";
/// Specs of the large root.
pub const SPECS: usize = 100_000;
/// Roots beside it.
const ROOTS: usize = 600;

/// Samples of all roots over two weeks, as the store recalls them, and the end of a listing.
pub fn listed(now: Timestamp) -> Vec<Event> {
    let day = 86_400_000;
    let sample = |url: &str, days: i64| {
        let sizes = Sizes {
            blobs: Amount { objects: 9_000, bytes: 3_000_000_000_000 - days as u64 * 41_000_000_000 },
            specs: Amount { objects: 4_500, bytes: 3_600_000 },
            index: Some((Some(now.shifted(-1_300_000)), None)),
            ..Sizes::default()
        };
        Sample::listed(url, now.shifted(-days * day), None, sizes)
    };
    let urls: Vec<String> =
        (0..ROOTS).map(|nth| format!("{MIRROR}/develop/stack-{nth:03}")).chain([ROOT.to_owned()]).collect();
    let samples = |days: i64| urls.iter().map(move |url| sample(url, days)).collect::<Vec<_>>();
    let all = (0..14).rev().flat_map(samples).collect();
    vec![
        Event::CachesRecalled(all),
        Event::CachesListed {
            mirror: MIRROR.into(),
            samples: samples(0),
            duplication: Duplication::default(),
            at: now,
        },
        Event::Fetched { fetch: Fetch::Caches, at: now, result: Ok(()) },
    ]
}

/// What lies in the large root: an index that lists all but a few, blobs of which a few are missing.
pub fn contents(now: Timestamp) -> Contents {
    let mut contents = Contents { listed_at: Some(now), ..Contents::default() };
    let mut records = Vec::with_capacity(SPECS);
    let mut hashes: Vec<Hash> = Vec::with_capacity(SPECS);
    for nth in 0..SPECS {
        let name = format!("py-package-{:04}", nth % 7_000);
        let version = format!("{}.{}", nth / 7_000, nth % 9);
        // What everything needs is in the index itself.
        let needs = if nth == 0 { None } else { hashes.get((nth / 2) | 1).or(hashes.first()) };
        let needs = needs.map_or(String::new(), |hash| format!(r#","dependencies":[{{"hash":"{hash}"}}]"#));
        let node = format!(r#"{{"name":"{name}","version":"{version}"{needs}"#);
        let hash = dag_hash(&format!("{node}}}")).expect("a node");
        hashes.push(hash);
        let blob = |what: &str| Checksum::of(format!("{what} {nth}").as_bytes());
        let (files, spec) = (blob("files"), blob("spec"));
        contents.manifests.push(SpecManifest {
            path: v3::spec_manifest(&name, &version, &hash).into(),
            hash: Some(hash),
            bytes: 812,
            modified: Some(now.shifted(-(nth as i64 % 900) * 3_600_000)),
            tag: None,
            reading: Reading::Read {
                tarball: Some(BlobRef { sum: files, bytes: 10_000_000 + nth as u64 * 37 % 900_000_000 }),
                spec: Some(BlobRef { sum: spec, bytes: 4_310 }),
                others: Vec::new(),
                is_signed: nth % 5 > 0,
            },
            signature: None,
        });
        if nth % 1_000 > 0 {
            contents.blobs.push(Blob { sum: files, bytes: 10_000_000 + nth as u64 * 37 % 900_000_000, modified: None });
        }
        contents.blobs.push(Blob { sum: spec, bytes: 4_310, modified: None });
        if nth % 50 > 0 || nth == 0 {
            records.push(format!(r#""{hash}":{{"spec":{node},"hash":"{hash}"}},"in_buildcache":true}}"#));
        }
    }
    let index = format!(r#"{{"database":{{"version":"8","installs":{{{}}}}}}}"#, records.join(","));
    contents.indexes.push(IndexManifest {
        path: v3::index_manifest(None).into(),
        view: None,
        modified: Some(now),
        tag: None,
        bytes: 300,
        blob: None,
        others: Vec::new(),
        state: IndexState::Read(Arc::new(Catalogue::read(index.as_bytes()).expect("an index"))),
    });
    contents.manifests.sort_by(|a, b| a.path.cmp(&b.path));
    contents.blobs.sort_unstable_by_key(|blob| blob.sum);
    contents
}

/// What a look at it finds.
pub fn health(contents: &Contents, now: Timestamp) -> Health {
    let rules = HealthRules { now, max_index_age: None, max_skew: Duration::from_secs(300) };
    Health::of(contents, &rules)
}

/// Somebody looked into the large root.
pub fn read(inside: Arc<Inside>, now: Timestamp) -> Vec<Event> {
    let root = RootId::of(ROOT);
    let sample = Sample::of(ROOT, &inside.contents, &inside.health, now);
    vec![
        Event::CacheRead { root, inside, sample, at: now },
        Event::Fetched { fetch: Fetch::Cache(root), at: now, result: Ok(()) },
    ]
}
