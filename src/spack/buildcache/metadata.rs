//! The metadata of one binary: which spec it is, and whether somebody changed it.

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::{UnpackError, clearsign, cut, unpack};
use crate::spack::{Hash, Seal, Seals};

/// Metadata hold a spec with all that it depends on: some hundred kilobytes.
const MAX_METADATA: usize = 64 << 20;
/// Layout 3 says 2 here as well.
const NEWEST_LAYOUT: u64 = 2;

/// Metadata that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetadataError {
    #[error("the metadata cannot be trusted: {0}; push the binary again")]
    Block(&'static str),
    #[error("the metadata are damaged: {0}; push the binary again")]
    Json(String),
    #[error("the metadata have the layout {found}, but only {NEWEST_LAYOUT} can be read; get a newer stackhand")]
    TooNew { found: u64 },
    #[error(transparent)]
    Packed(#[from] UnpackError),
}

/// The metadata of one binary, with every node held against its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The spec that they are about.
    pub hash: Hash,
    /// They are clear-signed themselves, as those of layout 2 may be. Whether the signature is good is not asked here.
    pub is_signed: bool,
    /// What the hash of the spec itself says about it.
    pub seal: Seal,
    /// Of all nodes: the spec and what it depends on.
    pub seals: Seals,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    spec: WireSpec<'a>,
    buildcache_layout_version: Option<u64>,
}

#[derive(Deserialize)]
struct WireSpec<'a> {
    #[serde(borrow)]
    nodes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireNode {
    hash: Hash,
}

impl Metadata {
    /// Reads metadata, packed or plain, clear-signed or bare.
    pub fn read(bytes: &[u8]) -> Result<Self, MetadataError> {
        let bytes = unpack(bytes, MAX_METADATA)?;
        let (text, is_signed) = clearsign::open(&bytes).map_err(MetadataError::Block)?;
        let nodes = nodes(&text)?;
        let mut seals = Seals::default();
        let mut root = None;
        for node in &nodes {
            let hash = hash_of(node)?;
            let seal = seals.add(node.get(), hash);
            root.get_or_insert((hash, seal));
        }
        let (hash, seal) = root.ok_or_else(no_spec)?;
        Ok(Self { hash, is_signed, seal, seals: seals.sorted() })
    }
}

/// The spec that metadata are about, and whether they are clear-signed themselves, as those of layout 2 may be.
pub fn described(bytes: &[u8]) -> Result<(Hash, bool), MetadataError> {
    let bytes = unpack(bytes, MAX_METADATA)?;
    let (text, is_signed) = clearsign::open(&bytes).map_err(MetadataError::Block)?;
    let nodes = nodes(&text)?;
    Ok((hash_of(nodes.first().ok_or_else(no_spec)?)?, is_signed))
}

fn nodes(text: &str) -> Result<Vec<&RawValue>, MetadataError> {
    let wire: Wire<'_> = serde_json::from_str(text).map_err(damaged)?;
    match wire.buildcache_layout_version {
        Some(found) if found > NEWEST_LAYOUT => Err(MetadataError::TooNew { found }),
        _ => Ok(wire.spec.nodes),
    }
}

fn hash_of(node: &RawValue) -> Result<Hash, MetadataError> {
    serde_json::from_str(node.get()).map(|WireNode { hash }| hash).map_err(damaged)
}

fn damaged(error: serde_json::Error) -> MetadataError {
    MetadataError::Json(cut(&error.to_string()))
}

fn no_spec() -> MetadataError {
    MetadataError::Json("they hold no spec".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_node_is_the_spec() {
        let text = |layout: u8| {
            format!(
                r#"{{"spec":{{"_meta":{{"version":5}},"nodes":[{{"hash":"{}"}},{{"hash":"{}"}}]}},"buildcache_layout_version":{layout}}}"#,
                "a".repeat(32),
                "b".repeat(32)
            )
        };
        let packed = super::super::unpack::tests::gzip(text(2).as_bytes());
        assert_eq!(described(&packed).unwrap(), (Hash::parse(&"a".repeat(32)).unwrap(), false));
        assert_eq!(described(text(3).as_bytes()), Err(MetadataError::TooNew { found: 3 }));
        for damaged in ["", "{}", r#"{"spec":{"nodes":[]}}"#, r#"{"spec":{"nodes":[{"hash":"x"}]}}"#] {
            assert!(matches!(described(damaged.as_bytes()), Err(MetadataError::Json(_))), "{damaged}");
        }
    }
}
