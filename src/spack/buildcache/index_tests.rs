use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::unpack::tests::{gzip, zstd};
use super::*;
use crate::spack::{Hash, Lock, Seal};

pub(super) fn hash(n: usize) -> Hash {
    let digits = b"abcdefghijklmnopqrstuvwxyz234567";
    let text: String = (0..32).map(|at| char::from(digits[(n >> (at % 6 * 5)) & 31])).collect();
    Hash::parse(&text).unwrap()
}

/// Three records: a binary, a hole and an external.
pub(super) fn sample(version: &str) -> String {
    format!(
        r#"{{"database":{{"version":{version},"installs":{{
        "{0}":{{"spec":{{"name":"a","version":"1","dependencies":[{{"name":"b","hash":"{1}","parameters":{{}}}},{{"name":"c","hash":"{2}"}}],"hash":"{0}"}},"ref_count":0,"in_buildcache":true}},
        "{1}":{{"spec":{{"name":"b","external":null}},"ref_count":1}},
        "{2}":{{"spec":{{"name":"c","external":{{"path":"/usr"}}}},"in_buildcache":false}}}}}}}}"#,
        hash(1),
        hash(2),
        hash(3)
    )
}

fn all(text: &str) -> Result<Index, IndexError> {
    read_index(text.as_bytes(), &|_| true)
}

pub(super) fn fixture(path: &str) -> Option<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    let bytes = std::fs::read(root.join(path)).ok();
    if bytes.is_none() {
        println!("skipped: fixture {path} not found");
    }
    bytes
}

pub(super) const V2: &str = "buildcache-v2-signed/build_cache/index.json";
const V2_METADATA: &str = "buildcache-v2-signed/build_cache/linux-debian12-x86_64_v3-gcc-12.2.0-lz4-1.9.4-jokthqm74ofyoig7jdj6i7kdmseo4wdh.spec.json.sig";
pub(super) const V3: &str =
    "buildcache-v3-signed/blobs/sha256/fc/fc883940f63839ac0b82f25758fa161e4bf9ec15b90b269b5da6c7bbcf063605";

#[test]
fn records_are_counted_and_the_wanted_ones_kept() {
    let index = all(&sample("8")).unwrap();
    assert_eq!((index.version, index.total, index.present, index.holes), (8, 3, 1, 1));
    assert_eq!(index.listed[&hash(1)], Listed { in_buildcache: true, external: false });
    assert_eq!(index.listed[&hash(2)], Listed { in_buildcache: false, external: false });
    assert!(index.listed[&hash(3)].external && index.listed[&hash(3)].is_present());
    let one = read_index(sample("8").as_bytes(), &|found| *found == hash(2)).unwrap();
    assert_eq!((one.listed.len(), one.total), (1, 3));
    for packed in [gzip(sample("8").as_bytes()), zstd(sample("8").as_bytes())] {
        assert_eq!(read_index(&packed, &|_| true).unwrap(), index);
    }
}

#[test]
fn case_14_versions_5_to_8_are_read() {
    for version in ["8", "\"8\"", "7", "\"6\"", "5"] {
        assert!(all(&sample(version)).is_ok(), "{version}");
    }
    for (version, found) in [("9", 9), ("\"12\"", 12), ("99999999999", u32::MAX)] {
        assert_eq!(all(&sample(version)), Err(IndexError::TooNew { found }));
    }
    assert_eq!(all(&sample("4")), Err(IndexError::TooOld { found: 4 }));
    // Whatever is in a newer index, its version is what is told.
    let strange = r#"{"database":{"installs":[1],"version":9}}"#;
    assert_eq!(all(strange), Err(IndexError::TooNew { found: 9 }));
    for damaged in [
        sample("null"),
        sample("\"8.1\""),
        sample("-1"),
        sample("8").replace("version\":8,", "other\":8,"),
        sample("8").replace("database", "data"),
        sample("8").replace("installs", "other"),
        sample("8").replace("{\"database", "[{\"database"),
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
    ] {
        assert!(matches!(all(&damaged), Err(IndexError::Corrupt(_))), "{damaged}");
    }
}

#[test]
fn case_15_an_index_may_be_empty() {
    let index = all(r#"{"database":{"version":"8","installs":{}}}"#).unwrap();
    assert_eq!((index.total, index.present, index.holes), (0, 0, 0));
}

#[test]
fn case_16_trailing_bytes_are_not_looked_at() {
    assert_eq!(all(&format!("{} {{\"x\": garbage", sample("8"))), all(&sample("8")));
}

#[test]
fn damage_is_corrupt() {
    let text = sample("8");
    for (from, to) in [
        ("\"in_buildcache\":true", "\"in_buildcache\":\"yes\""),
        (&format!("{{\"name\":\"c\",\"hash\":\"{}\"}}", hash(3))[..], "{\"name\":\"c\"}"),
        (&format!("\"{}\":{{", hash(2))[..], &format!("\"{}\":{{", hash(1))[..]),
        (&format!("\"{}\":{{", hash(2))[..], "\"short\":{"),
    ] {
        let damaged = text.replace(from, to);
        assert_ne!(damaged, text, "{from}");
        assert!(matches!(all(&damaged), Err(IndexError::Corrupt(_))), "{damaged}");
    }
    let dangling = text.replace(&format!("\"{}\":{{", hash(3)), &format!("\"{}\":{{", hash(4)));
    let error = all(&dangling).unwrap_err().to_string();
    assert!(error.contains(&format!("the dependency {} has no record", hash(3))), "{error}");
    for end in 0..text.len() {
        assert!(all(&text[..end]).is_err(), "{end}");
    }
    let deep = format!("{{\"database\":{{\"version\":8,\"installs\":{{\"{}\":{{\"spec\":", hash(1));
    for nest in ["{\"a\":", "[", "{\"dependencies\":[", "{\"dependencies\":{\"a\":"] {
        assert!(all(&format!("{deep}{}", nest.repeat(200_000))).is_err(), "{nest}");
    }
}

#[test]
fn old_forms_of_specs_are_read() {
    let text = format!(
        r#"{{"database":{{"version":"5","installs":{{
        "{0}":{{"spec":{{"a":{{"version":"1","dependencies":{{"b":{{"hash":"{1}","type":["build"]}},"c":["{2}",["link"]],"d":"{2}"}}}}}},"in_buildcache":true}},
        "{1}":{{"spec":{{"b":{{"external":{{"path":"/usr"}}}}}}}},
        "{2}":{{"spec":{{"c":{{"dependencies":null}}}}}}}}}}}}"#,
        hash(1),
        hash(2),
        hash(3)
    );
    let index = all(&text).unwrap();
    assert_eq!((index.version, index.total, index.present, index.holes), (5, 3, 1, 1));
    assert!(index.listed[&hash(2)].external);
}

#[test]
fn indexes_written_by_spack_are_read() {
    for (path, version, counts) in [(V2, 7, (23, 22, 0)), (V3, 8, (40, 38, 0))] {
        let Some(bytes) = fixture(path) else { return };
        let index = read_index(&bytes, &|_| true).unwrap();
        assert_eq!((index.version, (index.total, index.present, index.holes)), (version, counts), "{path}");
        assert_eq!(index.listed.len(), index.total);
    }
}

/// A small generator with a fixed seed: tests do the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for _ in 0..=self.roll(3) {
            let at = self.roll(out.len().max(1));
            let end = (at + self.roll(40)).min(out.len());
            match self.roll(6) {
                0 if !out.is_empty() => out[at] = self.roll(256) as u8,
                1 => out.truncate(at),
                2 => drop(out.drain(at.min(end)..end)),
                3 => {
                    let piece = out[at.min(end)..end].to_vec();
                    out.splice(at..at, piece);
                }
                4 if !out.is_empty() => out[at] = b"{}[]\",:\\-9n\n"[self.roll(12)],
                _ if !out.is_empty() => out[at] ^= 1 << self.roll(8),
                _ => {}
            }
        }
        out
    }
}

type Seed<'a> = (Vec<u8>, &'a dyn Fn(&[u8]), usize);

#[test]
fn mutations_never_panic() {
    let begun = Instant::now();
    let small = sample("8");
    let manifest = br#"{"version":3,"data":[{"contentLength":52229,"mediaType":"application/vnd.spack.db.v8+json","compression":"none","checksumAlgorithm":"sha256","checksum":"fc883940f63839ac0b82f25758fa161e4bf9ec15b90b269b5da6c7bbcf063605"}]}"#;
    let signed = [
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n",
        &manifest[..],
        b"\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n",
    ]
    .concat();
    let index = |bytes: &[u8]| drop(read_index(bytes, &|_| true));
    let parse = |bytes: &[u8]| drop(Manifest::parse(bytes));
    let describe = |bytes: &[u8]| drop((described(bytes), Metadata::read(bytes)));
    let catalogue = |bytes: &[u8]| drop(Catalogue::read(bytes));
    let lock = |bytes: &[u8]| drop((Lock::seals(bytes), Lock::parse(bytes)));
    let seal = |bytes: &[u8]| _ = std::str::from_utf8(bytes).map(|text| Seal::of(text, &hash(1)));
    let real =
        |path: &str, most: usize| fixture(path).map_or_else(Vec::new, |bytes| bytes[..most.min(bytes.len())].to_vec());
    let node = r#"{"name":"é","build_spec":{"name":"b","hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"x":["\\ud83d\\ude00",-1.5e3],"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
    let locked =
        format!(r#"{{"_meta":{{"lockfile-version":6}},"roots":[],"concrete_specs":{{"{}":{node}}}}}"#, "a".repeat(32));
    let metadata = format!(r#"{{"spec":{{"nodes":[{node}]}},"buildcache_layout_version":2}}"#);
    let seeds: [Seed; 13] = [
        (small.clone().into_bytes(), &index, 15_000),
        (small.clone().into_bytes(), &catalogue, 15_000),
        (gzip(small.as_bytes()), &index, 3_000),
        (zstd(small.as_bytes()), &catalogue, 6_000),
        (manifest.to_vec(), &parse, 10_000),
        (signed, &parse, 15_000),
        (metadata.clone().into_bytes(), &describe, 10_000),
        (gzip(metadata.as_bytes()), &describe, 3_000),
        (node.as_bytes().to_vec(), &seal, 15_000),
        (locked.into_bytes(), &lock, 10_000),
        (real(V2, 6_000), &catalogue, 1_500),
        (real(V3, 6_000), &catalogue, 1_500),
        (real(V2_METADATA, 100_000), &describe, 1_000),
    ];
    let mut dice = Dice(0x5eed_5eed_5eed_5eed);
    let mut count = 0;
    for (seed, read, times) in seeds {
        for _ in 0..times {
            read(&dice.mutate(&seed));
            count += 1;
        }
    }
    println!("{count} mutations in {:?}", begun.elapsed());
    assert!(count >= 100_000 && begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn only_an_external_that_says_something_counts() {
    for (value, is_external) in [
        (r#"{"path": "/usr"}"#, true),
        (r#""/usr""#, true),
        (r#"{"path": null}"#, true),
        ("null", false),
        ("false", false),
        ("{ }", false),
        ("[]", false),
        (r#""""#, false),
    ] {
        let (one, hash) = (hash(1), hash(1));
        let text = format!(
            r#"{{"database":{{"version":"8","installs":{{"{one}":{{"spec":{{"name":"a","external":{value}}},"in_buildcache":true}}}}}}}}"#
        );
        let index = read_index(text.as_bytes(), &|_| true).unwrap();
        assert_eq!(index.listed[&hash].external, is_external, "{value}");
    }
}
