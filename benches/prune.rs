//! Budgets of prune plans: 10,000 kept hashes of 120,000 manifests and 240,000 blobs in < 5 s and < 500 MB, with the contents
//! and the index that it judges.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod dice;
}

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use stackhand::cache::keep::{KeepList, KeepReason};
use stackhand::cache::plan::{Limits, PrunePlan};
use stackhand::cache::why::{Place, why};
use stackhand::cache::{Blob, BlobRef, Contents, IndexManifest, IndexState, Reading, Root, SpecManifest};
use stackhand::ci::Timestamp;
use stackhand::spack::Hash;
use stackhand::spack::buildcache::{Catalogue, Checksum, v3};

use made::dice::Dice;
use timing::{Sheet, measure};

const MANIFESTS: usize = 120_000;
const KEPT: usize = 10_000;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const MEGABYTE: u64 = 1 << 20;

fn main() {
    let mut sheet = Sheet::open("prune, 120,000 manifests, 10,000 kept");
    let (root, contents) = (Root::of("develop/e4s"), contents());
    // What reading took at most does not count: from here on the peak is that of planning.
    let held = memory("VmRSS:").filter(|_| std::fs::write("/proc/self/clear_refs", "5").is_ok());
    let list = keep_list();
    let limits = Limits { most_percent: 100, ..Limits::default() };
    let plan = |list| PrunePlan::make(&root, &contents, Some(list), &limits, NOW).expect("a plan");
    sheet.row("plan", Duration::from_secs(5), &measure(5, |_| plan(&list)));
    let made = plan(&list);
    let gone: usize = (0..MANIFESTS).filter(|at| !list.contains(&hash(*at))).count();
    assert_eq!(made.manifests.len(), gone, "the exact difference");
    if let (Some(held), Some(peak)) = (held, memory("VmHWM:")) {
        let figures = format!("{} MB of contents, {} MB at most", held / MEGABYTE, peak / MEGABYTE);
        sheet.print("memory", &figures, "500 MB", peak < 500 * MEGABYTE);
    }
    let mut file = Vec::new();
    sheet.row("id", None, &measure(3, |_| made.id()));
    let write = measure(3, |_| {
        file.clear();
        made.write(&mut file).expect("memory");
    });
    sheet.row("write the file", None, &write);
    sheet.row("read the file", None, &measure(3, |_| PrunePlan::read(&file).expect("a plan")));
    let recheck = measure(3, |_| made.recheck(&root, &contents, Some(&list), NOW).expect("no doubt"));
    sheet.row("recheck", None, &recheck);
    let place = Place { root: &root, contents: &contents, list: Some(&list) };
    sheet.row("why one hash", None, &measure(5, |_| why(&hash(7), &[place], &limits, NOW)));
    sheet.close();
}

/// What the system tells about the memory of this process, in bytes.
fn memory(which: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(which))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// 32 characters of base32, different in the first five.
fn text(at: usize) -> String {
    let digit = |n: usize| char::from(b"abcdefghijklmnopqrstuvwxyz234567".get(n % 32).copied().unwrap_or(b'a'));
    let head: String = [0, 5, 10, 15, 20].map(|shift| digit(at >> shift)).iter().collect();
    format!("{head:a<32}")
}

fn hash(at: usize) -> Hash {
    Hash::parse(&text(at)).expect("32 characters")
}

fn sum(at: usize) -> Checksum {
    Checksum::of(&at.to_le_bytes())
}

/// Every twelfth spec; what it depends on lies among the next few of the same kind, so that the closure adds nothing.
fn keep_list() -> KeepList {
    let mut list = KeepList::default();
    list.add(KeepReason::Pin("a benchmark".into()), (0..KEPT).map(|at| hash(at * (MANIFESTS / KEPT))));
    list
}

fn catalogue(dice: &mut Dice) -> Catalogue {
    let mut index = String::from(r#"{"database":{"version":"8","installs":{"#);
    for at in 0..MANIFESTS {
        let comma = if at == 0 { "" } else { "," };
        let hash = text(at);
        let _ = write!(
            index,
            r#"{comma}"{hash}":{{"spec":{{"name":"package-{}","version":"1.2","dependencies":["#,
            at % 900
        );
        for nth in 0..8 {
            let step = MANIFESTS / KEPT * (1 + dice.below(40));
            let on = text(at.saturating_sub(step).max(at % (MANIFESTS / KEPT)));
            let _ = write!(index, r#"{}{{"name":"x","hash":"{on}"}}"#, if nth == 0 { "" } else { "," });
        }
        let _ = write!(index, r#"],"hash":"{hash}"}},"in_buildcache":true}}"#);
    }
    index.push_str("}}}");
    Catalogue::read(index.as_bytes()).expect("an index")
}

fn contents() -> Contents {
    let mut dice = Dice::new(7);
    let old = Some(NOW.shifted(-40 * 86_400_000));
    let blob = |at: usize| BlobRef { sum: sum(at), bytes: 1_000_000 };
    let manifest = |at: usize| {
        let name = format!("package-{}", at % 900);
        // One in ten shares its files with the spec before it.
        let tarball = if at % 10 == 1 { 2 * at - 2 } else { 2 * at };
        SpecManifest {
            path: v3::spec_manifest(&name, "1.2", &hash(at)).into(),
            hash: Some(hash(at)),
            bytes: 1_300,
            modified: old,
            tag: Some(format!("\"{at:032x}\"").into()),
            reading: Reading::Read {
                tarball: Some(blob(tarball)),
                spec: Some(blob(2 * at + 1)),
                others: Vec::new(),
                is_signed: true,
            },
            signature: None,
        }
    };
    let mut manifests: Vec<SpecManifest> = (0..MANIFESTS).map(manifest).collect();
    manifests.sort_by(|a, b| a.path.cmp(&b.path));
    let index = blob(usize::MAX);
    let all = (0..2 * MANIFESTS).map(blob).chain([index]);
    let mut blobs: Vec<Blob> = all.map(|blob| Blob { sum: blob.sum, bytes: blob.bytes, modified: old }).collect();
    blobs.sort_by_key(|blob| blob.sum);
    let indexes = vec![IndexManifest {
        path: v3::index_manifest(None).into(),
        view: None,
        modified: Some(NOW.shifted(-3_600_000)),
        tag: None,
        bytes: 300,
        blob: Some(index),
        others: Vec::new(),
        state: IndexState::Read(Arc::new(catalogue(&mut dice))),
    }];
    Contents { manifests, indexes, blobs, listed_at: Some(NOW), ..Contents::default() }
}
