//! Short names for nodes: the package where that is enough, with version and hash where two nodes of one scene would look the same.
//!
//! Called once per scene. Job names are foreign text: what leaves this module is harmless before a terminal.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ci::SpecName;
use crate::console::text::clean;

/// How many characters of a DAG hash tell specs apart, as everywhere in Spack.
const SHORT_HASH: usize = 7;

/// One label per name, in the same order.
pub(super) fn labels(names: &[Arc<str>]) -> Vec<String> {
    let specs: Vec<Option<SpecName<'_>>> = names.iter().map(|name| SpecName::parse(name)).collect();
    let mut packages: HashMap<&str, usize> = HashMap::new();
    let mut versions: HashMap<(&str, &str), usize> = HashMap::new();
    for spec in specs.iter().flatten() {
        *packages.entry(spec.package).or_default() += 1;
        *versions.entry((spec.package, spec.version)).or_default() += 1;
    }
    let alone = |count: Option<&usize>| count.is_none_or(|n| *n == 1);
    let label = |(name, spec): (&Arc<str>, &Option<SpecName<'_>>)| match spec {
        None => clean(name).into_owned(),
        Some(spec) if alone(packages.get(spec.package)) => clean(spec.package).into_owned(),
        Some(spec) if alone(versions.get(&(spec.package, spec.version))) => {
            clean(&format!("{}@{}", spec.package, spec.version)).into_owned()
        }
        Some(spec) => {
            let hash = spec.hash.get(..SHORT_HASH).unwrap_or(spec.hash);
            clean(&format!("{}/{hash}", spec.package)).into_owned()
        }
    };
    names.iter().zip(&specs).map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_as_short_as_the_scene_allows() {
        let names: Vec<Arc<str>> = [
            "hdf5@1.14.5 /k3xabcdefghijklmnopqrstuvwxyz234 E4S",
            "zlib@1.3.1 /aaaaaaabcdefghijklmnopqrstuvwx23 E4S",
            "zlib@1.2.13 /bbbbbbbbcdefghijklmnopqrstuvwx23 E4S",
            "llvm@19.1 /ccccccccccefghijklmnopqrstuvwx23 E4S",
            "llvm@19.1 /dddddddccdefghijklmnopqrstuvwx23 E4S",
            "rebuild-index",
            "evil\u{1b}[2J",
        ]
        .map(Arc::from)
        .into();
        let labels = labels(&names);
        assert_eq!(
            labels.get(..6).unwrap(),
            ["hdf5", "zlib@1.3.1", "zlib@1.2.13", "llvm/ccccccc", "llvm/ddddddd", "rebuild-index"]
        );
        assert!(!labels[6].contains('\u{1b}'));
    }
}
