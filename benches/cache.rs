//! Budgets of reading caches: a million keys listed and accounted in no more than 1.2 times what the bare listing loop of the SDK takes, in
//! less than 200 MB; a root of 5,000 binaries in a folder read whole in < 200 ms. The server is another process, and sends from memory.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod dice;
    pub mod lists;
}

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stackhand::adapters::mirror::{Credentials, Page, Reader, S3Access, Settings, Walk};
use stackhand::cache::Reading;
use stackhand::spack::buildcache::{Checksum, Part, split};
use tokio::runtime::{Builder, Runtime};

use made::dice::Dice;
use made::lists::{Lists, serve_if_asked};
use timing::{Sheet, measure};

const KEYS: usize = 1_000_000;
const BUCKET: &str = "spack-binaries";
const RATIO: f64 = 1.2;
const MOST_MB: u64 = 200;
const BINARIES: usize = 5_000;
const ROUNDS: usize = 3;

/// Objects and bytes of each kind in a root.
type Account = HashMap<String, [(u64, u64); 4]>;

fn main() {
    serve_if_asked();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut sheet = Sheet::open("caches");
    bucket(&mut sheet, &runtime);
    folder(&mut sheet, &runtime);
    sheet.close();
}

fn bucket(sheet: &mut Sheet, runtime: &Runtime) {
    let lists = Lists::start(KEYS);
    // First, so that its memory is its own.
    let walk = measure(ROUNDS, |_| {
        let (accounted, roots) = runtime.block_on(walked(&lists.endpoint));
        assert_eq!(accounted.0, KEYS as u64);
        assert!(roots > 60, "{roots}");
        accounted
    });
    let memory = peak_mb();
    let bare = measure(ROUNDS, |_| {
        let listed = runtime.block_on(listed(&lists.endpoint));
        assert_eq!(listed.0, KEYS as u64);
        listed
    });
    sheet.row("1,000,000 keys: the SDK's bare loop", None, &bare);
    sheet.row("1,000,000 keys: walked through and accounted", None, &walk);
    let ratio = walk.median.as_secs_f64() / bare.median.as_secs_f64();
    let is_kept = cfg!(debug_assertions) || ratio <= RATIO;
    sheet.print("  ratio to the bare loop", &format!("{ratio:>9.2}"), &format!("{RATIO}"), is_kept);
    sheet.print("  most memory, MB", &format!("{memory:>9}"), &format!("{MOST_MB}"), memory <= MOST_MB);
}

/// Walks through the whole bucket; how much there is, and how many roots.
async fn walked(endpoint: &str) -> ((u64, u64), usize) {
    let s3 = S3Access {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        credentials: Credentials::Anonymous,
    };
    let reader = Reader::new(Settings { s3, ..Settings::default() });
    let mut account = Account::new();
    let mut walk = Walk::below(&format!("s3://{BUCKET}"));
    let mut sink = |page: &Page<'_>, _: &Walk| {
        for entry in page.entries() {
            let (root, path) = split(entry.key).unwrap_or(("", entry.key));
            let kind = match Part::of(path) {
                Part::Spec { .. } => 0,
                Part::Blob(_) => 1,
                Part::V2 { .. } => 2,
                _ => 3,
            };
            if !account.contains_key(root) {
                account.insert(root.to_owned(), Default::default());
            }
            if let Some(kinds) = account.get_mut(root) {
                kinds[kind].0 += 1;
                kinds[kind].1 += entry.bytes;
            }
        }
        ControlFlow::Continue(())
    };
    let gaps = reader.walk(&mut walk, &mut sink).await.expect("an address");
    assert!(gaps.is_empty() && walk.is_complete(), "{gaps:?}");
    let all = account.values().flatten().fold((0, 0), |sum, kind| (sum.0 + kind.0, sum.1 + kind.1));
    (all, account.len())
}

/// What anybody would write with the SDK.
async fn listed(endpoint: &str) -> (u64, i64) {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_s3::config::Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .allow_no_auth()
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let mut pages = client.list_objects_v2().bucket(BUCKET).into_paginator().send();
    let (mut keys, mut bytes) = (0, 0);
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        keys += page.contents().len() as u64;
        bytes += page.contents().iter().filter_map(aws_sdk_s3::types::Object::size).sum::<i64>();
    }
    (keys, bytes)
}

fn folder(sheet: &mut Sheet, runtime: &Runtime) {
    let folder = std::env::temp_dir().join(format!("stackhand-bench-cache-{}", std::process::id()));
    write_mirror(&folder);
    let url = folder.display().to_string();
    let read = measure(9, |_| {
        let reader = Reader::new(Settings::default());
        let contents = runtime.block_on(reader.contents(&url, true, &())).expect("an address");
        let read =
            contents.manifests.iter().filter(|manifest| matches!(manifest.reading, Reading::Read { .. })).count();
        assert_eq!((read, contents.blobs.len(), contents.gaps.len()), (BINARIES, 2 * BINARIES, 0));
        contents
    });
    sheet.row("a folder of 5,000 binaries, read whole", Duration::from_millis(200), &read);
    fs::remove_dir_all(&folder).expect("the folder is ours");
}

/// Manifests as Spack signs them, and blobs of a byte or two.
fn write_mirror(folder: &Path) {
    let write = |path: PathBuf, bytes: &[u8]| {
        fs::create_dir_all(path.parent().expect("a folder")).expect("room");
        fs::write(path, bytes).expect("room");
    };
    let mut dice = Dice::new(11);
    for n in 0..BINARIES {
        let records = ["install.v2.tar+gzip", "spec.v5+json"].map(|kind| {
            let blob = format!("{kind} {n}");
            let sum = Checksum::of(blob.as_bytes());
            write(folder.join(sum.path()), blob.as_bytes());
            format!(
                "{{\n\"contentLength\":{},\n\"mediaType\":\"application/vnd.spack.{kind}\",\n\"compression\":\"gzip\",\n\
                 \"checksumAlgorithm\":\"sha256\",\n\"checksum\":\"{sum}\"\n}}",
                blob.len()
            )
        });
        let signature = "iQIzBAEBCgAdFiEELI3TIk7zVzpCvSMfqODKPBwq2i8FAmczAAoJEKjgyjwcKtov\n".repeat(11);
        let text = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{{\n\"version\":3,\n\"data\":[\n{},\n{}\n]\n}}\n\
             -----BEGIN PGP SIGNATURE-----\n\n{signature}=O72s\n-----END PGP SIGNATURE-----\n",
            records[0], records[1]
        );
        let hash: String = (0..32).map(|_| char::from(b'a' + dice.below(26) as u8)).collect();
        let name = format!("package-{}", n % 900);
        let file = format!("v3/manifests/spec/{name}/{name}-1.2.3-{hash}.spec.manifest.json");
        write(folder.join(file), text.as_bytes());
    }
}

/// The most memory that this process ever had.
fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1_024
}
