//! What lies in a build cache: names, manifests and indexes of layouts 2 and 3.
//!
//! Pure: bytes come in, plain types go out. Whoever reads mirrors asks here where things lie ([`v3`], [`v2`]) and what they say:
//!
//! * [`Manifest::parse`] reads a manifest of layout 3, bare or clear-signed. No signature is verified here.
//! * [`read_index`] streams through an index of any layout and keeps what is asked for.
//! * [`Catalogue::read`] keeps all of an index, and tells which of its nodes were changed.
//! * [`described`] tells which spec a metadata file is about; [`Metadata::read`] holds all of its nodes against their hashes as well.
//!
//! Caches may be written by strangers: every reader has a limit, and what is damaged is refused with its place.

mod catalogue;
#[cfg(test)]
mod catalogue_tests;
mod checksum;
pub mod clearsign;
mod index;
#[cfg(test)]
mod index_tests;
mod manifest;
mod metadata;
mod part;
mod records;
mod unpack;
pub mod v2;
pub mod v3;

pub use catalogue::{Catalogue, Deps, Entry};
pub use checksum::Checksum;
pub use index::{Index, IndexError, Listed, read_index};
pub use manifest::{Manifest, ManifestError, Record};
pub use metadata::{Metadata, MetadataError, described};
pub use part::{Part, split};
pub use unpack::{UnpackError, unpack};

/// What may be read of an index, packed or not. Indexes of 100 MB exist.
pub const MAX_INDEX: usize = 512 << 20;

/// The newest version of an index that can be read.
pub const NEWEST_INDEX: u32 = 8;

/// Makes a text fit for an error: what others wrote may be long or hold control characters.
fn cut(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Spack's rule for file names: what is not plain becomes `_`.
fn polite(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '.' | '-');
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}
