//! How much a plan would take.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::PrunePlan;
use crate::spack::buildcache::Part;

/// How many packages are told by name.
const TOP: usize = 10;

/// The sums of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub manifests: u64,
    pub manifest_bytes: u64,
    pub blobs: u64,
    pub blob_bytes: u64,
    /// The packages that would lose most bytes, most first.
    pub top: Vec<PackageTotal>,
}

/// What one package would lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageTotal {
    pub package: Arc<str>,
    pub manifests: u64,
    /// With its blobs.
    pub bytes: u64,
}

impl Totals {
    /// All bytes that would go.
    pub const fn bytes(&self) -> u64 {
        self.manifest_bytes.saturating_add(self.blob_bytes)
    }
}

impl PrunePlan {
    /// How much would go.
    pub fn totals(&self) -> Totals {
        let mut packages: HashMap<&str, (u64, u64)> = HashMap::new();
        let (mut manifest_bytes, mut blob_bytes) = (0_u64, 0_u64);
        for manifest in &self.manifests {
            manifest_bytes = manifest_bytes.saturating_add(manifest.bytes);
            let (count, bytes) = packages.entry(package(&manifest.path)).or_default();
            *count += 1;
            *bytes = bytes.saturating_add(manifest.bytes);
        }
        for blob in &self.blobs {
            blob_bytes = blob_bytes.saturating_add(blob.bytes);
            if let Some(package) = &blob.package {
                let (_, bytes) = packages.entry(package).or_default();
                *bytes = bytes.saturating_add(blob.bytes);
            }
        }
        let total =
            |(package, (manifests, bytes)): (&str, _)| PackageTotal { package: package.into(), manifests, bytes };
        let mut top: Vec<PackageTotal> = packages.into_iter().map(total).collect();
        top.sort_unstable_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.package.cmp(&b.package)));
        top.truncate(TOP);
        let (manifests, blobs) = (self.manifests.len() as u64, self.blobs.len() as u64);
        Totals { manifests, manifest_bytes, blobs, blob_bytes, top }
    }
}

/// The package of a manifest, by its folder.
pub(super) fn package(path: &str) -> &str {
    match Part::of(path) {
        Part::Spec { package, .. } => package,
        _ => path,
    }
}

/// The first few of them, for a sentence.
pub(super) fn few(top: &[PackageTotal]) -> String {
    let some: Vec<String> = top.iter().take(3).map(|one| format!("{} ({} bytes)", one.package, one.bytes)).collect();
    if some.is_empty() { "blobs that no manifest names".to_owned() } else { some.join(", ") }
}
