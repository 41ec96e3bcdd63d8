//! A manifest of layout 3: which blobs belong to a binary, to an index or to a key.

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::{UnpackError, clearsign, cut, unpack, v3};

/// Real manifests have less than a kilobyte.
const MAX_MANIFEST: usize = 1 << 20;

/// A manifest, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// In the order of the file. Choose by [`Manifest::index`] and its like, not by position.
    pub records: Vec<Record>,
    /// It is clear-signed. Nothing is said about whose signature it is, nor whether it is good.
    pub is_signed: bool,
}

/// One blob of a manifest. Its checksum is fit to be part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub media_type: String,
    /// Bytes, as stored.
    pub length: u64,
    /// `gzip` or `none`.
    pub compression: String,
    /// `sha256`, so far.
    pub algorithm: String,
    /// Over the bytes as stored, in lower-case hexadecimal.
    pub checksum: String,
}

/// A manifest that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    #[error("the manifest is empty; push it again")]
    Empty,
    #[error("the manifest cannot be trusted: {0}; push it again")]
    Block(&'static str),
    #[error("the manifest is damaged: {0}; push it again")]
    Json(String),
    #[error("the manifest has version {0}, but only 3 can be read; get a stackhand that knows it")]
    Version(String),
    #[error("the manifest has a record that {0}; push it again")]
    Record(String),
    #[error(transparent)]
    Packed(#[from] UnpackError),
}

#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Wire {
    data: Vec<WireRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRecord {
    content_length: u64,
    media_type: String,
    compression: String,
    checksum_algorithm: String,
    checksum: String,
}

impl Manifest {
    /// Reads a manifest, clear-signed or bare. Unknown keys are allowed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let bytes = unpack(bytes, MAX_MANIFEST)?;
        let (text, is_signed) = clearsign::open(&bytes).map_err(ManifestError::Block)?;
        if text.trim().is_empty() {
            return Err(ManifestError::Empty);
        }
        let damaged = |error: serde_json::Error| ManifestError::Json(cut(&error.to_string()));
        let probe: Probe = serde_json::from_str(&text).map_err(damaged)?;
        match probe.version.map(RawValue::get) {
            Some("3") => {}
            other => return Err(ManifestError::Version(other.map_or_else(|| "none".to_owned(), cut))),
        }
        let wire: Wire = serde_json::from_str(&text).map_err(damaged)?;
        let records = wire.data.into_iter().map(Record::checked).collect::<Result<_, _>>()?;
        Ok(Self { records, is_signed })
    }

    /// The index, with the version of its database.
    pub fn index(&self) -> Option<(&Record, u32)> {
        self.find("application/vnd.spack.db.v", "+json")
    }

    /// The metadata of a spec, with the version of their form.
    pub fn spec(&self) -> Option<(&Record, u32)> {
        self.find("application/vnd.spack.spec.v", "+json")
    }

    /// The installed files of a spec, with the version of their form.
    pub fn tarball(&self) -> Option<(&Record, u32)> {
        self.find("application/vnd.spack.install.v", ".tar+gzip")
    }

    fn find(&self, prefix: &str, suffix: &str) -> Option<(&Record, u32)> {
        self.records.iter().find_map(|record| {
            let number = record.media_type.strip_prefix(prefix)?.strip_suffix(suffix)?;
            Some((record, number.parse().ok()?))
        })
    }
}

impl Record {
    /// Where the blob lies, relative to the mirror's address.
    pub fn path(&self) -> String {
        v3::blob(&self.algorithm, &self.checksum)
    }

    /// Whatever could lead out of the folder of blobs is refused here.
    fn checked(wire: WireRecord) -> Result<Self, ManifestError> {
        let wrong = |what: &str, text: &str| Err(ManifestError::Record(format!("has the {what} `{}`", cut(text))));
        let is_hex = wire.checksum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let wanted = if wire.checksum_algorithm == "sha256" { 64..=64 } else { 32..=128 };
        if !is_hex || !wanted.contains(&wire.checksum.len()) {
            return wrong("checksum", &wire.checksum);
        }
        let is_word = wire.checksum_algorithm.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !is_word || !(1..=16).contains(&wire.checksum_algorithm.len()) {
            return wrong("checksum algorithm", &wire.checksum_algorithm);
        }
        Ok(Self {
            media_type: wire.media_type,
            length: wire.content_length,
            compression: wire.compression,
            algorithm: wire.checksum_algorithm,
            checksum: wire.checksum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "83e2aa4a09e8be2d3a8cafefd65860b4960e9df300a69485d6879af3232e8ba2";

    fn record(media_type: &str) -> String {
        format!(
            r#"{{"contentLength":7,"mediaType":"{media_type}","compression":"gzip","checksumAlgorithm":"sha256","checksum":"{SUM}"}}"#
        )
    }

    fn manifest(records: &[String]) -> String {
        format!(r#"{{"version":3,"data":[{}]}}"#, records.join(","))
    }

    const TARBALL: &str = "application/vnd.spack.install.v2.tar+gzip";

    #[test]
    fn case_01_a_signed_manifest_has_its_records() {
        let text = manifest(&[record(TARBALL), record("application/vnd.spack.spec.v5+json")]);
        let signed = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
        );
        let signed = Manifest::parse(signed.as_bytes()).unwrap();
        assert!(signed.is_signed && signed.records.len() == 2);
        let bare = Manifest::parse(text.as_bytes()).unwrap();
        assert!(!bare.is_signed && bare.records == signed.records);
        assert_eq!(bare.tarball().unwrap().0.path(), format!("blobs/sha256/83/{SUM}"));
    }

    #[test]
    fn case_03_other_versions_are_refused() {
        for version in ["2", "4", "\"3\"", "3.0", "null", "[[[[[[["] {
            let text = manifest(&[]).replace(":3,", &format!(":{version},"));
            assert!(Manifest::parse(text.as_bytes()).is_err(), "{version}");
        }
        let error = Manifest::parse(br#"{"version":4,"parts":{}}"#).unwrap_err().to_string();
        assert!(error.contains("version 4"), "{error}");
        assert!(Manifest::parse(br#"{"data":[]}"#).unwrap_err().to_string().contains("version none"));
    }

    #[test]
    fn case_04_missing_fields_are_named() {
        for field in ["contentLength", "mediaType", "compression", "checksumAlgorithm", "checksum"] {
            let text = manifest(&[record(TARBALL).replace(&format!("\"{field}\""), "\"other\"")]);
            let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("`{field}`")), "{error}");
        }
    }

    #[test]
    fn case_05_unknown_keys_are_allowed() {
        let text =
            manifest(&[record(TARBALL).replace('{', r#"{"x":[1],"#)]).replace("{\"version", r#"{"y":{},"version"#);
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap().records.len(), 1);
    }

    #[test]
    fn case_06_and_07_records_are_chosen_by_media_type() {
        let spec = |n: &str| record(&format!("application/vnd.spack.spec.v{n}+json"));
        let read = |records: &[String]| Manifest::parse(manifest(records).as_bytes()).unwrap();
        let there = read(&[record(TARBALL), spec("6"), spec("5")]);
        let back = read(&[spec("6"), record(TARBALL)]);
        for manifest in [there, back] {
            assert_eq!((manifest.spec().unwrap().1, manifest.tarball().unwrap().1), (6, 2));
            assert!(manifest.index().is_none());
        }
        assert_eq!(read(&[record("application/vnd.spack.db.v9+json")]).index().unwrap().1, 9);
        assert!(read(&[spec(""), spec("x"), spec("-1")]).spec().is_none());
    }

    #[test]
    fn checksums_cannot_lead_anywhere_else() {
        for sum in ["../../etc/passwd", "", &SUM[1..], &SUM.to_uppercase(), "é"] {
            let text = manifest(&[record(TARBALL).replace(SUM, sum)]);
            assert!(matches!(Manifest::parse(text.as_bytes()), Err(ManifestError::Record(_))), "{sum}");
        }
        let text = manifest(&[record(TARBALL).replace("sha256", "../x")]);
        assert!(Manifest::parse(text.as_bytes()).unwrap_err().to_string().contains("algorithm"));
        assert_eq!(Manifest::parse(b" \n"), Err(ManifestError::Empty));
    }
}
