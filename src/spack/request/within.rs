//! Whether one request lies within another: whether whatever fits the first fits the second, too.
//!
//! What a matrix of a manifest combines is compared so with its exclusions. Both sides are abstract; no lock is asked.

use super::ask::{Ask, Asked, Edge, Node, Wanted};
use super::error::RequestError;
use super::read::read;

/// Whether `wider` asks for nothing that `narrow` does not ask for already, as Spack's `satisfies` of two abstract specs. Fails where either is no
/// spec, or where `wider` holds what cannot be compared.
pub fn within(narrow: &str, wider: &str) -> Result<bool, RequestError> {
    let wanted = read(wider)?;
    match wanted.refused {
        Some(error) => Err(error),
        None => Ok(read(narrow)?.asked.lies_within(&wanted.asked)),
    }
}

impl Asked {
    fn lies_within(&self, wider: &Self) -> bool {
        let direct: Vec<&Edge> = self.direct.iter().collect();
        // `^` finds direct dependencies as well, and what hangs on a dependency is one.
        let any: Vec<&Edge> = self.direct.iter().chain(&self.below).flat_map(with_its_own).collect();
        self.node.lies_within(&wider.node)
            && wider.direct.iter().all(|wanted| direct.iter().any(|own| own.lies_within(wanted)))
            && wider.below.iter().all(|wanted| any.iter().any(|own| own.lies_within(wanted)))
    }
}

fn with_its_own(edge: &Edge) -> impl Iterator<Item = &Edge> {
    std::iter::once(edge).chain(&edge.direct)
}

impl Edge {
    fn lies_within(&self, wider: &Self) -> bool {
        self.node.lies_within(&wider.node)
            && wider.virtuals.is_subset(&self.virtuals)
            && wider.types.is_subset(&self.types)
            && wider.direct.iter().all(|wanted| self.direct.iter().any(|own| own.lies_within(wanted)))
    }
}

impl Node {
    fn lies_within(&self, wider: &Self) -> bool {
        let has = |own: &Option<Box<str>>, wanted: &Option<Box<str>>| wanted.is_none() || own == wanted;
        has(&self.name, &wider.name)
            && has(&self.namespace, &wider.namespace)
            && has(&self.platform, &wider.platform)
            && has(&self.os, &wider.os)
            && wider
                .versions
                .as_ref()
                .is_none_or(|wanted| self.versions.as_ref().is_some_and(|own| own.lie_within(wanted)))
            && wider
                .targets
                .as_ref()
                .is_none_or(|wanted| self.targets.as_ref().is_some_and(|own| own.is_subset(wanted)))
            && wider.hash.as_deref().is_none_or(|start| self.hash.as_deref().is_some_and(|own| own.starts_with(start)))
            && wider.flags.iter().all(|(list, flags)| self.flags.get(list).is_some_and(|own| flags.is_subset(own)))
            && wider
                .variants
                .iter()
                .all(|(name, wanted)| self.variants.get(name).is_some_and(|own| own.lies_within(wanted)))
    }
}

impl Wanted {
    fn lies_within(&self, wider: &Self) -> bool {
        let values = match (&self.ask, &wider.ask) {
            (_, Ask::Set) => true,
            (Ask::Has(own) | Ask::Exactly(own), Ask::Has(wanted)) => wanted.is_subset(own),
            (own, wanted) => own == wanted,
        };
        values && (self.throughout || !wider.throughout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_lies_within_whatever_asks_for_less() {
        for (narrow, wider, want) in [
            ("libdwarf %gcc@4.9.3", "libdwarf%gcc@4.9.3", true),
            ("libdwarf %gcc@7.1.0", "libdwarf%gcc@4.9.3", false),
            ("libdwarf %gcc@7.1.0", "%gcc", true),
            ("zlib@1.2.8 +shared", "zlib@1.2", true),
            ("zlib@1.22", "zlib@1.2", false),
            ("zlib@1.2.8", "zlib@=1.2", false),
            ("zlib@=1.2.8", "zlib@1.2", true),
            ("zlib@1.2.8", "zlib@:1.3", true),
            ("zlib@1.2", "zlib@:1.2.5", false),
            ("zlib@1.2:1.9", "zlib@1.2:1.5,1.8:", false),
            ("zlib@1.2:1.4,=1.9", "zlib@1.2:1.5,1.8:", true),
            ("zlib@1.2.8", "hdf5@:1.3", false),
            ("zlib", "zlib@:1.3", false),
            ("zlib", "zlib@:", true),
            ("hdf5+mpi ^mpich@4 %gcc", "hdf5 ^mpich", true),
            ("hdf5+mpi ^mpich@4 %gcc", "hdf5 ^gcc", true),
            ("hdf5+mpi %gcc", "hdf5 ^gcc", true),
            ("hdf5+mpi ^gcc", "hdf5 %gcc", false),
            ("hdf5+mpi", "hdf5~mpi", false),
            ("hdf5 mpi=true", "+mpi", true),
            ("llvm targets=amdgpu,bpf", "targets=bpf", true),
            ("llvm targets=bpf", "targets=amdgpu,bpf", false),
            ("llvm targets=bpf", "targets=*", true),
            ("hdf5 target=x86_64_v3", "target=x86_64_v3", true),
            ("hdf5", "target=x86_64_v3", false),
        ] {
            assert_eq!(within(narrow, wider).unwrap(), want, "{narrow} / {wider}");
        }
        assert!(within("hdf5 target=x86_64_v3", "target=x86_64:").is_err(), "ranges of targets cannot be compared");
        assert!(within("hdf5 +", "hdf5").is_err() && within("hdf5", "%%%").is_err());
    }
}
