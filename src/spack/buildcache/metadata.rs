//! The metadata of one binary, as far as they tell which spec it is.

use serde::Deserialize;
use thiserror::Error;

use super::{UnpackError, clearsign, cut, unpack};
use crate::spack::Hash;

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

#[derive(Deserialize)]
struct Wire {
    spec: WireSpec,
    buildcache_layout_version: Option<u64>,
}

#[derive(Deserialize)]
struct WireSpec {
    nodes: Vec<WireNode>,
}

#[derive(Deserialize)]
struct WireNode {
    hash: Hash,
}

/// The spec that metadata are about, and whether they are clear-signed themselves, as those of layout 2 may be.
pub fn described(bytes: &[u8]) -> Result<(Hash, bool), MetadataError> {
    let bytes = unpack(bytes, MAX_METADATA)?;
    let (text, is_signed) = clearsign::open(&bytes).map_err(MetadataError::Block)?;
    let wire: Wire = serde_json::from_str(&text).map_err(|error| MetadataError::Json(cut(&error.to_string())))?;
    if let Some(found) = wire.buildcache_layout_version.filter(|version| *version > NEWEST_LAYOUT) {
        return Err(MetadataError::TooNew { found });
    }
    let root = wire.spec.nodes.first().ok_or_else(|| MetadataError::Json("they hold no spec".to_owned()))?;
    Ok((root.hash, is_signed))
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
