//! Texts about a concrete spec that other programs read: what build jobs carry in `SPACK_JOB_SPEC_VARIANTS` and the name of a build in CDash.

use std::fmt::Write as _;

use super::{DepTypes, Hash, Lock, Spec, Variant};

const FLAG_LISTS: [&str; 6] = ["cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"];

/// The variants as Spack prints them: switches first and joined, then ` name=value`. Compiler flags are no variants.
pub fn variants_text(spec: &Spec) -> String {
    let mut parameters: Vec<_> =
        spec.parameters.iter().filter(|(name, _)| !FLAG_LISTS.contains(&&**name)).collect();
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
    // The spelling of JSON, in ASCII.
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            ' '..='~' => text.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text + "\""
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
