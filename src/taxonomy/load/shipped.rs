//! The rules that come with the program.

use super::source::Source;

const FILES: &[(&str, &str)] = &[
    ("build.toml", include_str!("../data/build.toml")),
    ("concretizer.toml", include_str!("../data/concretizer.toml")),
    ("gitlab.toml", include_str!("../data/gitlab.toml")),
    ("images.toml", include_str!("../data/images.toml")),
    ("kubernetes.toml", include_str!("../data/kubernetes.toml")),
    ("network.toml", include_str!("../data/network.toml")),
    ("resources.toml", include_str!("../data/resources.toml")),
    ("runner.toml", include_str!("../data/runner.toml")),
    ("signing.toml", include_str!("../data/signing.toml")),
    ("spack.toml", include_str!("../data/spack.toml")),
];

/// The shipped rules files, in the order in which they are loaded.
pub fn shipped() -> Vec<Source<'static>> {
    FILES.iter().map(|&(name, text)| Source { name, text }).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::taxonomy::load::{load, load_shipped};

    #[test]
    fn every_file_is_shipped_in_order_and_loads() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/taxonomy/data");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            entries.filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "toml")).collect();
        names.sort();
        assert_eq!(shipped().iter().map(|source| source.name).collect::<Vec<_>>(), names);
        if let Err(faults) = load(&shipped()) {
            panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        assert_eq!(load_shipped().unwrap(), load(&shipped()).unwrap());
    }
}
