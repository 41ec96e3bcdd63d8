//! Texts about a concrete spec that other programs read: what build jobs carry in `SPACK_JOB_SPEC_VARIANTS` and the
//! name of a build in CDash.

use super::daghash::push_ascii;
use super::{DepTypes, Hash, Lock, Spec, Variant};

/// Parameters that are compiler flags, no variants.
pub(super) const FLAG_LISTS: [&str; 6] = ["cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"];

/// The variants as Spack prints them: switches first and joined, then ` name=value`. Compiler flags are no variants.
pub fn variants_text(spec: &Spec) -> String {
    let mut parameters: Vec<_> = spec.parameters.iter().filter(|(name, _)| !FLAG_LISTS.contains(&&**name)).collect();
    parameters.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let (mut switches, mut pairs) = (String::new(), String::new());
    for (name, value) in parameters {
        let switch = match value {
            Variant::Flag(on) => Some(*on),
            Variant::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Variant::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Variant::Text(_) | Variant::List(_) => None,
        };
        match (switch, value) {
            (Some(on), _) => switches.extend([if on { "+" } else { "~" }, name]),
            (None, Variant::List(items)) => pairs.extend([" ", name, ":=", &quoted(&list_text(name, items))]),
            (None, Variant::Text(text)) => pairs.extend([" ", name, "=", &quoted(text)]),
            (None, Variant::Flag(_)) => {}
        }
    }
    (switches + &pairs).trim_start().to_owned()
}

/// The values in order, patches by their first seven characters.
fn list_text(name: &str, items: &[impl AsRef<str>]) -> String {
    let mut items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    items.sort_unstable();
    items.dedup();
    if items.is_empty() {
        return "*".to_owned();
    }
    let shown: Vec<String> = match name {
        "patches" => items.iter().map(|patch| patch.chars().take(7).collect()).collect(),
        _ => items.into_iter().map(str::to_owned).collect(),
    };
    shown.join(",")
}

/// The value, in quotes if Spack could not read it back without them.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ",/_.-[]".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut text = String::new();
    push_ascii(&mut text, value);
    text
}

/// The compiler that a spec was built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltWith<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// The compiler's own spec; older specs only name their compiler.
    pub hash: Option<Hash>,
}

/// Which package provides C to this spec, else C++, else Fortran; for older specs the compiler that they name.
pub fn compiler_of<'a>(spec: &'a Spec, lock: &'a Lock) -> Option<BuiltWith<'a>> {
    let provider = ["c", "cxx", "fortran"].into_iter().find_map(|language| {
        let provides = |name: &std::sync::Arc<str>| &**name == language;
        spec.deps.iter().find(|dep| dep.types.contains(DepTypes::BUILD) && dep.virtuals.iter().any(provides))
    });
    match provider.and_then(|dep| lock.get(&dep.hash)) {
        Some(package) => Some(BuiltWith { name: &package.name, version: &package.version, hash: Some(package.hash) }),
        None => {
            let named = spec.compiler.as_ref()?;
            Some(BuiltWith { name: &named.name, version: &named.version, hash: None })
        }
    }
}

/// The name of a build in CDash: `zlib@1.3%gcc@12.2.0/HASH hash=HASH arch=linux-debian12-zen4 (GROUP)`.
pub fn cdash_build_name(spec: &Spec, lock: &Lock, group: &str) -> String {
    let compiler = match compiler_of(spec, lock) {
        Some(BuiltWith { name, version, hash: Some(hash) }) => format!("%{name}@{version}/{hash}"),
        Some(BuiltWith { name, version, hash: None }) => format!("%{name}@{version}"),
        // Spack prints the word without a sigil.
        None => "none".to_owned(),
    };
    format!("{}@{}{compiler} hash={} arch={} ({group})", spec.name, spec.version, spec.hash, spec.arch)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::path::Path;

    use super::super::yaml::Value;
    use super::*;

    const V5: &str = include_str!("testdata/mini-v5.lock");
    const V6: &str = include_str!("testdata/mini-v6.lock");

    fn lock(text: &str) -> Lock {
        Lock::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn variants_are_switches_then_pairs() {
        let json = r#"{"_meta":{"lockfile-version":6},"roots":[],"concrete_specs":{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":{"name":"a","version":"1",
            "arch":{"platform":"p","platform_os":"o","target":"t"},"parameters":{"shared":true,"langs":["fortran","c++","c"],"fast":"False",
            "patches":["93a7903bbbb","4991da9aaaa"],"libs":["static","shared"],"none":[],"word":"it's é","path":"/a b","mode":"x","empty":"",
            "cflags":["-O2"],"ldlibs":[]},"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}"#;
        let lock = lock(json);
        let text = variants_text(lock.specs().next().unwrap());
        assert_eq!(
            text,
            r#"~fast+shared empty='' langs:='c,c++,fortran' libs:=shared,static mode=x none:='*' patches:=4991da9,93a7903 path='/a b' word="it's \u00e9""#
        );
    }

    #[test]
    fn builds_are_named_with_their_compiler() {
        for (text, name, build) in [
            (
                V6,
                "hdf5",
                "hdf5@1.14.6%gcc@12.2.0/nrkgrtkejgimrcd6u3re66h4t4yqtmfc hash=wb6xrr4wgnago4cpiryd3s3zdd3jjmyd arch=linux-debian12-x86_64_v3 (E4S)",
            ),
            (
                V6,
                "py-setuptools",
                "py-setuptools@80.9.0none hash=ssez6i72dukhbnxxaep7frrlpokvwp5b arch=linux-debian12-x86_64_v3 (E4S)",
            ),
            (V5, "lz4", "lz4@1.9.4%gcc@12.2.0 hash="),
        ] {
            let lock = lock(text);
            let spec = lock.specs().find(|spec| &*spec.name == name).unwrap();
            assert!(cdash_build_name(spec, &lock, "E4S").starts_with(build), "{name}");
        }
    }

    /// Every build job that Spack wrote for the fixture stacks.
    #[test]
    fn every_golden_job_is_described_as_spack_does() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/spack"));
        let Ok(stacks) = fs::read_dir(folder.join("generate")) else {
            eprintln!("SKIPPED: no golden pipelines at {}", folder.display());
            return;
        };
        let mut locks: HashMap<String, Lock> = HashMap::new();
        let mut jobs = 0;
        for case in stacks.flat_map(|stack| fs::read_dir(stack.unwrap().path()).unwrap()) {
            let case = case.unwrap().path();
            let input = Value::parse(&fs::read(case.join("input/case.json")).unwrap()).unwrap();
            let path = input.get("lock").and_then(Value::as_text).unwrap().to_owned();
            let lock = locks
                .entry(path)
                .or_insert_with_key(|path| Lock::parse(&fs::read(folder.join(path)).unwrap()).unwrap());
            let pipeline = Value::parse(&fs::read(case.join("expected/cloud-ci-pipeline.yml")).unwrap()).unwrap();
            for (name, job) in pipeline.as_map().unwrap().iter() {
                let variable = |name: &str| job.get("variables")?.get(name)?.scalar();
                let Some(hash) = variable("SPACK_JOB_SPEC_DAG_HASH") else { continue };
                let spec = lock.get(&Hash::parse(&hash).unwrap()).unwrap();
                let group = name.name.split_once(&format!("/{hash} ")).unwrap().1;
                let compiler = compiler_of(spec, lock);
                let expected = [
                    ("SPACK_JOB_SPEC_PKG_NAME", spec.name.to_string()),
                    ("SPACK_JOB_SPEC_PKG_VERSION", spec.version.to_string()),
                    ("SPACK_JOB_SPEC_VARIANTS", variants_text(spec)),
                    ("SPACK_JOB_SPEC_ARCH", spec.arch.to_string()),
                    ("SPACK_JOB_SPEC_COMPILER_NAME", compiler.map_or("none", |c| c.name).to_owned()),
                    ("SPACK_JOB_SPEC_COMPILER_VERSION", compiler.map_or("none", |c| c.version).to_owned()),
                    ("SPACK_CDASH_BUILD_NAME", cdash_build_name(spec, lock, group)),
                ];
                for (name, ours) in expected {
                    // A version such as 0.30 is text in the lock and may be a number for YAML.
                    assert_eq!(
                        variable(name).as_deref(),
                        Some(ours.as_str()),
                        "{name} of {spec} in {}",
                        case.display()
                    );
                }
                jobs += 1;
            }
        }
        assert_eq!(jobs, 545);
    }
}
