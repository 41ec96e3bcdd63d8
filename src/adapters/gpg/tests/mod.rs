//! With a real gpg, or not at all: nothing stands for it, but where it has to fail.

mod cases;
mod keys;
mod made;
mod maker;

use std::path::{Path, PathBuf};

use super::*;
use crate::cache::{Signature, SignatureState};

pub const KEY_A: &str = "BC93F3B5F2F424D7D560E33BCFFC52F967901E31";
pub const GOOD: &[u8] = include_bytes!("../testdata/good.json");

pub fn key_a() -> KeyFile {
    KeyFile { name: "fixture-key-a.pub".to_owned(), bytes: include_bytes!("../testdata/fixture-key-a.pub").to_vec() }
}

pub fn key_b() -> KeyFile {
    KeyFile { name: "other-key-b.pub".to_owned(), bytes: include_bytes!("../testdata/other-key-b.pub").to_vec() }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The verdicts of one verifier with these keys.
pub fn judged<I>(keys: &[KeyFile], items: Vec<(I, Vec<u8>)>) -> Vec<(I, Signature)> {
    runtime().block_on(async { Verifier::new(keys).await.unwrap().verify(items).await.unwrap() })
}

/// The verdict about one file.
pub fn verdict(keys: &[KeyFile], bytes: &[u8]) -> Signature {
    judged(keys, vec![((), bytes.to_vec())]).remove(0).1
}

pub fn fixtures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no fixtures at {}", root.display());
    None
}
