//! The metadata blobs of specs, real gzip and cheap to make by the thousand.
//!
//! Metadata holds the spec and its whole closure, so most nodes are in hundreds of blobs. Here each node is compressed once, by itself, and a
//! blob is a chain of compressed nodes: one member with mtime 0 and no name, as Spack writes it, though a third bigger than if it were
//! compressed as a whole. Kept are only length and checksum; the bytes are made again when somebody reads them.

use aws_lc_rs::digest::{Context, SHA256};
use flate2::{Compress, Compression, Crc, FlushCompress};

use super::super::nodes::Variant;

/// How the blob of a spec is named and how long it is.
#[derive(Debug, Clone, Copy)]
pub struct Metadata {
    pub sum: [u8; 32],
    pub size: u32,
}

/// A text that is compressed by itself.
struct Piece {
    packed: Vec<u8>,
    crc: Crc,
}

const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const BEFORE: &[u8] = b"{\"spec\":{\"_meta\":{\"version\":5},\"nodes\":[";
const AFTER: &[u8] = b"]},\"buildcache_layout_version\":2}";

/// The blob of the spec at that place; `None` for a place that is none.
pub fn of(variant: &Variant, at: u16) -> Option<Metadata> {
    variant.packed.get_or_init(|| all(variant)).get(usize::from(at)).copied()
}

fn all(variant: &Variant) -> Vec<Metadata> {
    let mut packer = Compress::new(Compression::default(), false);
    let pieces: Vec<Piece> = (0..variant.len()).map(|at| node(variant, at, &mut packer)).collect();
    let blob = |at| {
        let mut digest = Context::new(&SHA256);
        let mut size = 0;
        let closure = variant.closure(at);
        chain(closure.iter().filter_map(|at| pieces.get(usize::from(*at))), &mut |piece| {
            digest.update(piece);
            size += piece.len() as u32;
        });
        Metadata { sum: digest.finish().as_ref().try_into().unwrap_or_default(), size }
    };
    (0..variant.len()).map(blob).collect()
}

/// The bytes of a spec's blob.
pub fn bytes(variant: &Variant, at: u16) -> Vec<u8> {
    let mut packer = Compress::new(Compression::default(), false);
    let pieces: Vec<Piece> = variant.closure(at).into_iter().map(|at| node(variant, at, &mut packer)).collect();
    let mut bytes = Vec::new();
    chain(pieces.iter(), &mut |piece| bytes.extend_from_slice(piece));
    bytes
}

fn node(variant: &Variant, at: u16, packer: &mut Compress) -> Piece {
    let mut text = Vec::with_capacity(2_048);
    variant.node(at, &mut text);
    let mut crc = Crc::new();
    crc.update(&text);
    packer.reset();
    // Room for what does not compress, and for the empty block that ends at a byte.
    let mut packed = Vec::with_capacity(text.len() + 64);
    // It cannot fail: the compressor is fresh and there is room.
    packer.compress_vec(&text, &mut packed, FlushCompress::Sync).ok();
    Piece { packed, crc }
}

/// A block that is stored as it is.
fn stored(text: &[u8], is_last: bool) -> Vec<u8> {
    let length = text.len() as u16;
    let mut block = vec![u8::from(is_last)];
    block.extend(length.to_le_bytes());
    block.extend((!length).to_le_bytes());
    block.extend(text);
    block
}

fn chain<'a>(nodes: impl Iterator<Item = &'a Piece>, to: &mut dyn FnMut(&[u8])) {
    let crc_of = |text: &[u8]| {
        let mut crc = Crc::new();
        crc.update(text);
        crc
    };
    let (comma, between) = (crc_of(b","), stored(b",", false));
    let mut crc = crc_of(BEFORE);
    to(&HEAD);
    to(&stored(BEFORE, false));
    for (n, node) in nodes.enumerate() {
        if n > 0 {
            to(&between);
            crc.combine(&comma);
        }
        to(&node.packed);
        crc.combine(&node.crc);
    }
    to(&stored(AFTER, true));
    crc.combine(&crc_of(AFTER));
    to(&crc.sum().to_le_bytes());
    to(&crc.amount().to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::pgp::sha256;
    use super::*;
    use crate::sandbox::locks::LockName;
    use crate::sandbox::nodes::Age;
    use crate::sandbox::stacks::Target;

    #[test]
    fn blobs_unpack_to_the_closure_and_their_sum_is_their_name() {
        let variant = Variant::of(LockName::Radiuss, Target::Aarch64, Age::Current).unwrap();
        for at in (0..variant.len()).step_by(7) {
            let packed = bytes(variant, at);
            let known = of(variant, at).unwrap();
            assert_eq!((sha256(&packed), packed.len()), (known.sum, known.size as usize));
            let mut text = String::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            let nodes = document["spec"]["nodes"].as_array().unwrap();
            assert_eq!(nodes[0]["hash"], variant.hash(at).unwrap().as_str());
            assert_eq!((nodes.len(), &document["buildcache_layout_version"]), (variant.closure(at).len(), &2.into()));
        }
    }
}
