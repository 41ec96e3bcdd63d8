//! Budgets of what is verified about a cache: signatures of 1,000 manifests at least ten times sooner than by one gpg process each, and an index of
//! 100,000 specs, every node of which is held against its hash, at 200 MB/s in three times the memory that is kept.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod bytes;
    pub mod index;
}

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use stackhand::adapters::gpg::{KeyFile, Verifier};
use stackhand::cache::{Signature, SignatureState};
use stackhand::spack::Lock;
use stackhand::spack::buildcache::{Catalogue, read_index, unpack};
use tokio::runtime::Builder;

use made::{bytes, index};
use timing::{Figures, Sheet, measure};

const MANIFESTS: usize = 1_000;
/// How many are verified one by one; the rest is reckoned from them.
const SAMPLE: usize = 50;
const SPECS: usize = 100_000;

const KEY: &[u8] = include_bytes!("../src/adapters/gpg/testdata/fixture-key-a.pub");
const SIGNED: &[u8] = include_bytes!("../src/adapters/gpg/testdata/good.json");

fn main() {
    let mut sheet = Sheet::open("signatures and hashes");
    catalogue(&mut sheet);
    locks(&mut sheet);
    signatures(&mut sheet);
    sheet.close();
}

/// First of all, while the heap holds nothing else.
fn catalogue(sheet: &mut Sheet) {
    let text = index::index(include_bytes!("../src/spack/testdata/mini-v6.lock"), SPECS);
    let read = || Catalogue::read(text.as_bytes()).expect("the index is whole");
    // Forgets how much was held while the index was made.
    let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = bytes::resident();
    let catalogue = read();
    let peak = peak().filter(|_| is_reset);
    assert_eq!((catalogue.entries().len(), catalogue.forged().len()), (SPECS, 0), "every node gives its hash");
    let what = format!("index of {SPECS} specs, {:.0} MB", text.len() as f64 / 1e6);
    if let (Some(before), Some(peak)) = (before, peak) {
        let kept = kept(&catalogue);
        bytes::row(sheet, &format!("{what}: kept"), kept, None);
        bytes::row(sheet, &format!("{what}: held at its peak"), peak.saturating_sub(before), Some(3 * kept));
    }
    let budget = Duration::from_secs_f64(text.len() as f64 / 200e6);
    sheet.row(&format!("{what}: read, every hash"), budget, &measure(5, |_| read()));
    let all = measure(5, |_| read_index(text.as_bytes(), &|_| true).expect("the index is whole"));
    sheet.row(&format!("{what}: read, no hash"), None, &all);
}

/// The most that this process held, where the system tells it.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// What a catalogue is made of, without what the allocator adds.
fn kept(catalogue: &Catalogue) -> usize {
    let entries = catalogue.entries();
    let places: usize = entries.iter().map(|entry| entry.deps.len() * size_of::<u32>()).sum();
    entries.len() * (size_of_val(&entries[0]) + 32) + places
}

fn locks(sheet: &mut Sheet) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack/locks/e4s/spack.lock.gz");
    let Ok(packed) = std::fs::read(path) else { return };
    let lock = unpack(&packed, 100 << 20).expect("a lock");
    let seals = Lock::seals(&lock).expect("a lock");
    assert!(seals.forged.is_empty(), "every node gives its hash");
    let what = format!("lock of {} specs", seals.nodes);
    sheet.row(&format!("{what}: every hash"), Duration::from_millis(10), &measure(20, |_| Lock::seals(&lock)));
    sheet.row(&format!("{what}: parse, for comparison"), None, &measure(20, |_| Lock::parse(&lock)));
}

fn signatures(sheet: &mut Sheet) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let key = KeyFile { name: "fixture-key-a.pub".to_owned(), bytes: KEY.to_vec() };
    let verifier = runtime.block_on(Verifier::new(&[key])).expect("gpg and its key");
    let items = || (0..MANIFESTS).map(|at| (at, SIGNED.to_vec())).collect::<Vec<_>>();
    let verify = |items| runtime.block_on(verifier.verify(items)).expect("gpg answers");
    let good = |found: &[(usize, Signature)]| found.iter().all(|(_, found)| found.state() == SignatureState::Good);
    assert!(good(&verify(items())), "every manifest is good");
    let batches = timing::prepared(5, |_| items(), verify);
    let one = one_by_one();
    let all = Figures { median: one.median * MANIFESTS as u32, p99: one.p99 * MANIFESTS as u32 };
    let ratio = all.median.as_secs_f64() / batches.median.as_secs_f64();
    sheet.row(&format!("{MANIFESTS} manifests, one gpg each (from {SAMPLE})"), None, &all);
    sheet.row(&format!("{MANIFESTS} manifests, in batches"), None, &batches);
    // A ratio of two figures of one run: no margin for the machine.
    sheet.print("  times sooner", &format!("{ratio:.1}"), "10", cfg!(debug_assertions) || ratio >= 10.0);
}

/// What a loop over files costs: one process each, with a home that holds the same key.
fn one_by_one() -> Figures {
    let folder = std::env::temp_dir().join(format!("stackhand-bench-gpg-{}", std::process::id()));
    let home = folder.join("h");
    std::fs::create_dir_all(&home).expect("room");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("room");
        path
    };
    let (key, manifest) = (file("key", KEY), file("manifest", SIGNED));
    let gpg = |arguments: [&std::ffi::OsStr; 2]| {
        let mut command = Command::new("gpg");
        command.args(["--no-options", "--no-tty", "--no-autostart", "--no-permission-warning"]).args(arguments);
        command.env("GNUPGHOME", &home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().expect("gpg").success(), "the signature is good");
    };
    gpg(["--import".as_ref(), key.as_ref()]);
    let figures = measure(SAMPLE, |_| gpg(["--verify".as_ref(), manifest.as_ref()]));
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    figures
}
