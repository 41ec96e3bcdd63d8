//! placeholder
pub mod v3 {
    use crate::spack::Hash;
    pub fn spec_manifest(name: &str, version: &str, hash: &Hash) -> String {
        format!("v3/manifests/spec/{name}/{name}-{version}-{hash}.spec.manifest.json")
    }
}
