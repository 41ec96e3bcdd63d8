//! The checksum by which a blob is named.

use std::fmt;

/// A SHA-256, over the bytes of a blob as stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Reads 64 lower-case hexadecimal digits; everything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut sum = [0; 32];
        for (byte, pair) in sum.iter_mut().zip(digits.as_chunks::<2>().0) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(sum))
    }

    /// Of bytes at hand.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight bytes: enough to tell millions of blobs apart where a mistake does no harm.
    pub fn prefix(self) -> u64 {
        self.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Where the blob lies below its root.
    pub fn path(self) -> String {
        super::v3::blob("sha256", &self.to_string())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lower_case_checksums_are_read() {
        let text = "83e2aa4a09e8be2d3a8cafefd65860b4960e9df300a69485d6879af3232e8ba2";
        let sum = Checksum::parse(text).unwrap();
        assert_eq!(sum.to_string(), text);
        assert_eq!(sum.path(), format!("blobs/sha256/83/{text}"));
        for wrong in ["", &text[1..], &text.to_uppercase(), &format!("{text}0"), &text.replace('8', "g")] {
            assert_eq!(Checksum::parse(wrong), None, "{wrong}");
        }
        assert!(Checksum::of(b"").to_string().starts_with("e3b0c44298fc1c14"));
    }
}
