//! Where things lie in layout 3. All paths are relative to the mirror's address.

use super::polite;
use crate::spack::Hash;

const SPECS: &str = "v3/manifests/spec";
pub(super) const SPEC: &str = ".spec.manifest.json";

/// The manifest of one binary.
pub fn spec_manifest(name: &str, version: &str, hash: &Hash) -> String {
    let folder = if name.bytes().all(|b| b == b'.') { "_".to_owned() } else { polite(name) };
    format!("{SPECS}/{folder}/{}{SPEC}", polite(&format!("{name}-{version}-{hash}")))
}

/// The manifest of the index, or of one of its views.
pub fn index_manifest(view: Option<&str>) -> String {
    match view {
        Some(view) => format!("v3/manifests/index/{view}/index.manifest.json"),
        None => "v3/manifests/index/index.manifest.json".to_owned(),
    }
}

/// A blob. It lies beside `v3`, not below it.
pub fn blob(algorithm: &str, checksum: &str) -> String {
    format!("blobs/{algorithm}/{}/{checksum}", checksum.get(..2).unwrap_or_default())
}

/// The hash in the name of a spec's manifest; `None` for every other name.
pub fn hash(file_name: &str) -> Option<Hash> {
    let (_, token) = file_name.strip_suffix(SPEC)?.rsplit_once('-')?;
    Hash::parse(token).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "4cqnjcr7ly34qazkfhrjkd6iv76zflqh";

    #[test]
    fn paths_are_those_of_spack() {
        let hash = Hash::parse(HASH).unwrap();
        let manifest = spec_manifest("lz4", "1.10.0", &hash);
        assert_eq!(manifest, format!("v3/manifests/spec/lz4/lz4-1.10.0-{HASH}.spec.manifest.json"));
        let odd = spec_manifest("foo", "git.a/b=1.0", &hash);
        assert_eq!(odd, format!("v3/manifests/spec/foo/foo-git.a_b_1.0-{HASH}.spec.manifest.json"));
        assert!(!spec_manifest("..", "1", &hash).contains("/../"));
        assert_eq!(index_manifest(None), "v3/manifests/index/index.manifest.json");
        assert_eq!(index_manifest(Some("2025-11")), "v3/manifests/index/2025-11/index.manifest.json");
        assert_eq!(blob("sha256", "83e2"), "blobs/sha256/83/83e2");
    }

    #[test]
    fn case_09_hashes_are_found_in_odd_names() {
        for stem in ["lz4-1.10.0", "foo-git.abc=1.0-rc1", "a-b-c-1-2"] {
            assert_eq!(hash(&format!("{stem}-{HASH}.spec.manifest.json")).unwrap().as_str(), HASH, "{stem}");
        }
    }

    #[test]
    fn case_10_other_names_have_none() {
        for name in [
            format!("lz4-1.10.0-{}.spec.manifest.json", &HASH[1..]),
            format!("lz4-1.10.0-{HASH}.key.manifest.json"),
            format!("lz4-1.10.0-{HASH}x.spec.manifest.json"),
            format!("{HASH}.spec.manifest.json"),
            "index.manifest.json".to_owned(),
            String::new(),
        ] {
            assert_eq!(hash(&name), None, "{name}");
        }
    }
}
