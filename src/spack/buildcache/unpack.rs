//! Opens gzip and Zstandard, known by their first bytes.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use thiserror::Error;

use super::cut;

/// A packed file that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnpackError {
    #[error("it is damaged {format} ({what}); write it again")]
    Damaged { format: &'static str, what: String },
    #[error("it has more than {limit} bytes unpacked, which is more than is read; check that it is the right file")]
    TooLarge { limit: usize },
}

/// The contents of a file that may be packed; plain contents are borrowed.
pub fn unpack(bytes: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, UnpackError> {
    match bytes {
        [0x1f, 0x8b, ..] => {
            let mut out = Vec::new();
            fill("gzip", MultiGzDecoder::new(bytes), &mut out, limit)?;
            Ok(out.into())
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut out = Vec::new();
            let mut rest = bytes;
            // One frame after the other.
            while !rest.is_empty() {
                let frame = StreamingDecoder::new(&mut rest).map_err(|error| damaged("Zstandard", &error))?;
                fill("Zstandard", frame, &mut out, limit)?;
            }
            Ok(out.into())
        }
        _ if bytes.len() > limit => Err(UnpackError::TooLarge { limit }),
        _ => Ok(bytes.into()),
    }
}

fn fill(format: &'static str, reader: impl Read, out: &mut Vec<u8>, limit: usize) -> Result<(), UnpackError> {
    let room = (limit - out.len()) as u64 + 1;
    reader.take(room).read_to_end(out).map_err(|error| damaged(format, &error))?;
    if out.len() > limit { Err(UnpackError::TooLarge { limit }) } else { Ok(()) }
}

fn damaged(format: &'static str, error: &dyn std::error::Error) -> UnpackError {
    UnpackError::Damaged { format, what: cut(&error.to_string()) }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    pub fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    #[test]
    fn packed_and_plain_are_told_apart() {
        assert!(matches!(unpack(b"{}", 9), Ok(Cow::Borrowed(b"{}"))));
        for pack in [gzip, zstd] {
            assert_eq!(*unpack(&pack(b"hello"), 5).unwrap(), *b"hello");
            let twice = [pack(b"hel"), pack(b"lo")].concat();
            assert_eq!(*unpack(&twice, 5).unwrap(), *b"hello");
            assert_eq!(unpack(&twice, 4), Err(UnpackError::TooLarge { limit: 4 }));
            let packed = pack(&b"0123456789".repeat(50));
            for end in 4..packed.len() {
                assert!(matches!(unpack(&packed[..end], 999), Err(UnpackError::Damaged { .. })), "{end}");
            }
        }
        assert_eq!(unpack(b"hello", 4), Err(UnpackError::TooLarge { limit: 4 }));
    }

    #[test]
    fn bombs_are_stopped_by_the_limit() {
        for pack in [gzip, zstd] {
            let bomb = pack(&vec![b' '; 20 << 20]);
            assert!(bomb.len() < 100_000);
            assert_eq!(unpack(&bomb, 1 << 20), Err(UnpackError::TooLarge { limit: 1 << 20 }));
        }
    }
}
