//! Indexes of caches: a database with a record for every spec and everything that it depends on.

use std::collections::HashMap;
use std::sync::OnceLock;

use aws_lc_rs::digest::{Context, SHA256};

use super::super::nodes::Variant;
use super::contents::SpecRef;
use crate::spack::Hash;

/// What was in a cache when its index was written. The text is made again whenever it is read.
#[derive(Debug)]
pub struct Index {
    /// For each variant, which of its specs were there.
    present: Vec<(&'static Variant, Vec<bool>)>,
    name: OnceLock<([u8; 32], u64)>,
}

impl Index {
    pub fn new(specs: impl Iterator<Item = SpecRef>) -> Self {
        let mut present: Vec<(&'static Variant, Vec<bool>)> = Vec::new();
        for SpecRef { variant, at } in specs {
            let found = present.iter().position(|(known, _)| std::ptr::eq(*known, variant));
            let found = found.unwrap_or_else(|| {
                present.push((variant, vec![false; usize::from(variant.len())]));
                present.len() - 1
            });
            if let Some(slot) = present.get_mut(found).and_then(|(_, there)| there.get_mut(usize::from(at))) {
                *slot = true;
            }
        }
        Self { present, name: OnceLock::new() }
    }

    /// Checksum and length of the text.
    pub fn name(&self) -> ([u8; 32], u64) {
        *self.name.get_or_init(|| {
            let mut digest = Context::new(&SHA256);
            let mut size = 0;
            self.write(&mut |piece| {
                digest.update(piece);
                size += piece.len() as u64;
            });
            (digest.finish().as_ref().try_into().unwrap_or_default(), size)
        })
    }

    /// The text.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.name.get().map_or(0, |(_, size)| *size as usize));
        self.write(&mut |piece| bytes.extend_from_slice(piece));
        bytes
    }

    fn write(&self, to: &mut dyn FnMut(&[u8])) {
        to(b"{\"database\":{\"version\":\"8\",\"installs\":{");
        let mut node = Vec::new();
        for (n, row) in self.rows().iter().enumerate() {
            to(if n == 0 { b"\"" } else { b",\"" });
            to(row.spec.hash().as_bytes());
            to(b"\":{\"spec\":");
            node.clear();
            row.spec.variant.node(row.spec.at, &mut node);
            to(&node);
            let (refs, is_there) = (row.refs, row.is_there);
            to(format!(",\"ref_count\":{refs},\"in_buildcache\":{is_there}}}").as_bytes());
        }
        to(b"}}}");
    }

    /// Every spec that is there or needed, once, even where variants share it.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let mut numbers: HashMap<Hash, usize> = HashMap::new();
        let mut tables = Vec::with_capacity(self.present.len());
        for (variant, there) in &self.present {
            let needed = needed(variant, there);
            let mut table = vec![None; there.len()];
            for ((at, slot), _) in (0..).zip(&mut table).zip(needed).filter(|(_, needed)| *needed) {
                let Some(hash) = variant.hash(at) else { continue };
                let number = *numbers.entry(*hash).or_insert_with(|| {
                    rows.push(Row { spec: SpecRef { variant, at }, refs: 0, is_there: false });
                    rows.len() - 1
                });
                *slot = Some(number);
                if let Some(row) = rows.get_mut(number) {
                    row.is_there |= there.get(usize::from(at)) == Some(&true);
                }
            }
            tables.push((*variant, table));
        }
        for number in 0..rows.len() {
            let Some(SpecRef { variant, at }) = rows.get(number).map(|row| row.spec) else { continue };
            let table = tables.iter().find(|(known, _)| std::ptr::eq(*known, variant)).map(|(_, table)| table);
            for dep in variant.deps(at).iter().filter_map(|(_, dep)| *table?.get(usize::from(*dep))?) {
                if let Some(row) = rows.get_mut(dep) {
                    row.refs += 1;
                }
            }
        }
        rows
    }
}

/// A record of an index.
struct Row {
    spec: SpecRef,
    /// How many records name it as a dependency.
    refs: u32,
    is_there: bool,
}

/// What is there, and all that it depends on.
fn needed(variant: &Variant, there: &[bool]) -> Vec<bool> {
    let mut seen = there.to_vec();
    let mut queue: Vec<u16> = (0..variant.len()).filter(|at| there.get(usize::from(*at)) == Some(&true)).collect();
    while let Some(next) = queue.pop() {
        for (_, dep) in variant.deps(next) {
            if let Some(seen) = seen.get_mut(usize::from(*dep)).filter(|seen| !**seen) {
                *seen = true;
                queue.push(*dep);
            }
        }
    }
    seen
}
