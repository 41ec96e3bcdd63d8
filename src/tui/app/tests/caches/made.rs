//! Invented mirrors and what lies in their roots.

use std::sync::Arc;
use std::time::Duration;

use super::super::night::Night;
use crate::cache::{
    Amount, Blob, BlobRef, Contents, Duplication, Foreign, Health, HealthRules, IndexManifest, IndexState, Reading,
    Sample, Severity, Signature, Sizes, SpecManifest,
};
use crate::ci::Timestamp;
use crate::console::caches::{Inside, RootId};
use crate::console::effect::Fetch;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::spack::buildcache::{Catalogue, Checksum, v3};
use crate::spack::{Hash, dag_hash};
pub(super) const BINARIES: &str = "s3://spack-binaries";
pub(super) const PRS: &str = "s3://spack-binaries-prs";
pub(super) const E4S: &str = "s3://spack-binaries/develop/e4s";
pub(super) const HOUR: i64 = 3_600_000;
pub(super) const GB: u64 = 1_000_000_000;

/// A night whose mirrors are configured, and nothing more.
pub(super) fn configured() -> Night {
    let mut night = Night::busy();
    let mirrors: Vec<Arc<str>> = vec![BINARIES.into(), PRS.into()];
    night.core.caches.mirrors.clone_from(&mirrors);
    night.app.world.caches.mirrors = mirrors;
    night
}

/// Samples of a root, one every eight hours, the last an hour ago.
pub(super) fn samples(url: &str, now: Timestamp, gigabytes: u64, a_day: u64, index: Option<i64>) -> Vec<Sample> {
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

pub(super) fn roots(now: Timestamp) -> Vec<Sample> {
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
pub(super) fn listed() -> Night {
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
pub(super) struct Made {
    name: String,
    version: &'static str,
    /// What its tarball is that of: equal ones are shared.
    tarball: usize,
    bytes: u64,
    needs: Vec<usize>,
    is_signed: bool,
    signature: Option<Signature>,
}

pub(super) fn made(name: &str, version: &'static str, nth: usize, needs: &[usize]) -> Made {
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

pub(super) fn sum(what: &str, nth: usize) -> Checksum {
    Checksum::of(format!("{what} {nth}").as_bytes())
}

/// A root in which everything is as it should be. The index is 22 minutes old.
pub(super) fn whole(specs: &[Made], now: Timestamp) -> Contents {
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
pub(super) fn node(specs: &[Made], hashes: &[Hash], nth: usize) -> String {
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
pub(super) fn hashes(specs: &[Made]) -> Vec<Hash> {
    let mut hashes = Vec::new();
    for nth in 0..specs.len() {
        hashes.push(dag_hash(&format!("{}}}", node(specs, &hashes, nth))).unwrap());
    }
    hashes
}

pub(super) fn record(specs: &[Made], hashes: &[Hash], nth: usize, is_there: bool) -> String {
    let (hash, node) = (hashes[nth], node(specs, hashes, nth));
    format!(r#""{hash}":{{"spec":{node},"hash":"{hash}"}},"in_buildcache":{is_there}}}"#)
}

/// What a stack is made of.
pub(super) fn stack() -> Vec<Made> {
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
pub(super) fn e4s(now: Timestamp) -> Contents {
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

pub(super) fn inside(contents: Contents, now: Timestamp) -> Arc<Inside> {
    let rules = HealthRules { now, max_index_age: Some(Duration::from_hours(24)), max_skew: Duration::from_secs(300) };
    let health = Health::of(&contents, &rules);
    Arc::new(Inside::new(contents, health))
}

/// Somebody looked into a root.
pub(super) fn read(night: &mut Night, url: &str, contents: Contents) {
    let (now, root) = (night.now, RootId::of(url));
    let inside = inside(contents, now);
    let sample = Sample::of(url, &inside.contents, &inside.health, now);
    // The invented root is as large as its samples say.
    let sizes = night.core.caches.root(root).and_then(|facts| facts.newest()).map(|newest| newest.sizes.clone());
    let sample = Sample { sizes: sizes.unwrap_or(sample.sizes), ..sample };
    night.tell(Event::CacheRead { root, inside, sample, at: now });
    night.tell(Event::Fetched { fetch: Fetch::Cache(root), at: now, result: Ok(()) });
}

pub(super) fn looked() -> Night {
    let mut night = listed();
    let now = night.now;
    read(&mut night, E4S, e4s(now));
    let top = e4s(now);
    read(&mut night, "s3://spack-binaries/develop", top);
    night
}

/// The keys from the list of mirrors into the stack; its mirror is open already.
pub(super) const INTO: &str = "7 / e 4 s ⏎ j ⏎";

/// A root of many specs, of which some thousands are not indexed.
pub(super) fn many(count: usize, now: Timestamp) -> Contents {
    let name = |nth: usize| format!("py-package-{nth:05}-with-a-long-name");
    let specs: Vec<Made> =
        (0..count).map(|nth| made(&name(nth), "2.0.1", nth % 700, if nth == 0 { &[] } else { &[0] })).collect();
    let mut contents = whole(&specs, now);
    contents.blobs.retain(|blob| blob.sum != sum("files", 3));
    contents
}

pub(super) fn huge() -> Night {
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

pub(super) fn failed(mut night: Night, fetch: Fetch, what: &str) -> Night {
    let detail = "403 Forbidden: AccessDenied (3 places could not be listed)";
    let fault = Fault::new(FaultKind::Unreachable, what, detail);
    let at = night.now;
    night.tell(Event::Fetched { fetch, at, result: Err(fault) });
    night
}

pub(super) fn later(mut night: Night, hours: i64) -> Night {
    night.now = night.now.shifted(hours * HOUR);
    night.tell(Event::Ticked);
    night
}
