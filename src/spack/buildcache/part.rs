//! What lies at a path below a cache root.
//!
//! The prefix of a top-level cache is the parent of the stack caches, so that only `v3/`, `blobs/` and `build_cache/` belong to a root:
//! [`split`] finds the root that a key of a bucket belongs to.

use super::{Checksum, v2, v3};
use crate::spack::Hash;

/// What a path below a root is, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// `v3/layout.json`.
    Layout,
    /// The manifest of a binary. Without a hash where the name has no valid one.
    Spec {
        package: &'a str,
        hash: Option<Hash>,
    },
    /// The manifest of an index; of a view where one is named.
    Index {
        view: Option<&'a str>,
    },
    /// The manifest of a public key, or of the index of keys.
    Key,
    Blob(Checksum),
    /// Anything of layout 2, with the hash in its name.
    V2 {
        hash: Option<Hash>,
    },
    /// Of no known layout.
    Foreign,
}

impl<'a> Part<'a> {
    /// Looks at a path below a root.
    pub fn of(path: &'a str) -> Self {
        if let Some(rest) = path.strip_prefix("blobs/") {
            return match Checksum::parse(rest.rsplit('/').next().unwrap_or_default()) {
                Some(sum) if sum.path() == path => Self::Blob(sum),
                _ => Self::Foreign,
            };
        }
        if let Some(rest) = path.strip_prefix("build_cache/") {
            return Self::V2 { hash: v2::hash(rest.rsplit('/').next().unwrap_or_default()) };
        }
        let Some(rest) = path.strip_prefix("v3/manifests/") else {
            return if path == "v3/layout.json" { Self::Layout } else { Self::Foreign };
        };
        match rest.split_once('/') {
            Some(("spec", name)) => match name.split_once('/') {
                Some((package, file)) if file.ends_with(v3::SPEC) && !file.contains('/') => {
                    Self::Spec { package, hash: v3::hash(file) }
                }
                _ => Self::Foreign,
            },
            Some(("index", "index.manifest.json")) => Self::Index { view: None },
            Some(("index", name)) => match name.strip_suffix("/index.manifest.json") {
                Some(view) => Self::Index { view: Some(view) },
                None => Self::Foreign,
            },
            Some(("key", name)) if !name.contains('/') && name.ends_with(".manifest.json") => Self::Key,
            _ => Self::Foreign,
        }
    }
}

/// Splits a key into its root and the path below it; `None` for what belongs to no root. The root has no `/` at its end.
pub fn split(key: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    loop {
        let rest = key.get(at..)?;
        if ["v3/", "blobs/", "build_cache/"].iter().any(|folder| rest.starts_with(folder)) {
            return Some((key.get(..at)?.trim_end_matches('/'), rest));
        }
        at += rest.find('/')? + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "4cqnjcr7ly34qazkfhrjkd6iv76zflqh";
    const SUM: &str = "83e2aa4a09e8be2d3a8cafefd65860b4960e9df300a69485d6879af3232e8ba2";

    #[test]
    fn every_path_of_a_cache_is_told_apart() {
        let hash = Hash::parse(HASH).ok();
        let spec = format!("v3/manifests/spec/lz4/lz4-1.10.0-{HASH}.spec.manifest.json");
        assert_eq!(Part::of(&spec), Part::Spec { package: "lz4", hash });
        let odd = format!("v3/manifests/spec/lz4/lz4-1.10.0-{}.spec.manifest.json", &HASH[1..]);
        assert_eq!(Part::of(&odd), Part::Spec { package: "lz4", hash: None });
        assert_eq!(Part::of("v3/manifests/index/index.manifest.json"), Part::Index { view: None });
        assert_eq!(Part::of("v3/manifests/index/2025-11/index.manifest.json"), Part::Index { view: Some("2025-11") });
        assert_eq!(Part::of("v3/manifests/key/ABC.key.manifest.json"), Part::Key);
        assert_eq!(Part::of("v3/layout.json"), Part::Layout);
        assert_eq!(Part::of(&format!("blobs/sha256/83/{SUM}")), Part::Blob(Checksum::parse(SUM).unwrap()));
        let v2 = format!("build_cache/linux-debian12-x86_64_v3-gcc-12.2.0-zstd-1.5.6-{HASH}.spec.json.sig");
        assert_eq!(Part::of(&v2), Part::V2 { hash });
        for foreign in [
            format!("blobs/sha256/84/{SUM}"),
            format!("blobs/sha256/83/{SUM}.tmp"),
            "blobs/".to_owned(),
            "v3/manifests/spec/lz4/../x.spec.manifest.json".to_owned(),
            "v3/manifests/spec/lz4/README".to_owned(),
            "v3/manifests/index/x".to_owned(),
            "README".to_owned(),
        ] {
            assert_eq!(Part::of(&foreign), Part::Foreign, "{foreign}");
        }
    }

    #[test]
    fn case_38_a_key_belongs_to_the_nearest_root() {
        assert_eq!(split("develop/e4s/v3/layout.json"), Some(("develop/e4s", "v3/layout.json")));
        assert_eq!(split("develop/v3/layout.json"), Some(("develop", "v3/layout.json")));
        assert_eq!(split("v3/layout.json"), Some(("", "v3/layout.json")));
        assert_eq!(split("develop/e4s/build_cache/index.json"), Some(("develop/e4s", "build_cache/index.json")));
        assert_eq!(split("develop/e4s/readme"), None);
        assert_eq!(split("develop/myv3/readme"), None);
        assert_eq!(split(""), None);
    }
}
