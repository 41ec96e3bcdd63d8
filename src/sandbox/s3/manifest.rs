//! Manifests, with a line break per element and no indentation, as Spack writes them.

const TARBALL: &str = "application/vnd.spack.install.v2.tar+gzip";
const METADATA: &str = "application/vnd.spack.spec.v5+json";
const INDEX: &str = "application/vnd.spack.db.v8+json";

/// The manifest of a spec: its tarball, then its metadata.
pub fn of_spec(tarball: (&[u8; 32], u64), metadata: (&[u8; 32], u32)) -> String {
    let tarball = record(TARBALL, "gzip", tarball.0, tarball.1);
    let metadata = record(METADATA, "gzip", metadata.0, metadata.1.into());
    of(&format!("{tarball},\n{metadata}"))
}

/// How long [`of_spec`] is.
pub fn length_of_spec(tarball: u64, metadata: u32) -> u64 {
    // Two records with one digit each.
    const BARE: u64 = 441;
    let more = |n: u64| u64::from(n.checked_ilog10().unwrap_or(0));
    BARE + more(tarball) + more(metadata.into())
}

/// The manifest of an index.
pub fn of_index(sum: &[u8; 32], size: u64) -> String {
    of_plain(INDEX, sum, size)
}

/// The manifest of one uncompressed blob.
pub fn of_plain(media: &str, sum: &[u8; 32], size: u64) -> String {
    of(&record(media, "none", sum, size))
}

fn of(records: &str) -> String {
    format!("{{\n\"version\":3,\n\"data\":[\n{records}\n]\n}}")
}

fn record(media: &str, compression: &str, sum: &[u8; 32], size: u64) -> String {
    format!(
        "{{\n\"contentLength\":{size},\n\"mediaType\":\"{media}\",\n\"compression\":\"{compression}\",\n\
         \"checksumAlgorithm\":\"sha256\",\n\"checksum\":\"{}\"\n}}",
        hex(sum)
    )
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| if four < 10 { b'0' + four } else { b'a' - 10 + four };
    let mut text = vec![0; bytes.len() * 2];
    for (two, byte) in text.chunks_exact_mut(2).zip(bytes) {
        two.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Spack itself wrote for one of its fixtures, signature taken off.
    const REAL: &str = "{\n\"version\":3,\n\"data\":[\n{\n\"contentLength\":2458,\n\"mediaType\":\"application/vnd.spack.install.v2.tar+gzip\",\n\"compression\":\"gzip\",\n\"checksumAlgorithm\":\"sha256\",\n\"checksum\":\"0707070707070707070707070707070707070707070707070707070707070707\"\n},\n{\n\"contentLength\":1058,\n\"mediaType\":\"application/vnd.spack.spec.v5+json\",\n\"compression\":\"gzip\",\n\"checksumAlgorithm\":\"sha256\",\n\"checksum\":\"0909090909090909090909090909090909090909090909090909090909090909\"\n}\n]\n}";

    #[test]
    fn manifests_read_as_spack_writes_them_and_their_length_is_known() {
        assert_eq!(of_spec((&[7; 32], 2_458), (&[9; 32], 1_058)), REAL);
        for (tarball, metadata) in [(2_458, 1_058), (0, 9), (9_999_999_999, 10)] {
            let text = of_spec((&[7; 32], tarball), (&[9; 32], metadata));
            assert_eq!(text.len() as u64, length_of_spec(tarball, metadata), "{tarball} {metadata}");
        }
    }
}
