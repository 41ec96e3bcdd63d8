//! Texts of the size and shape of Spack's: a lock, and the index of a build cache.

use std::fmt::Write as _;

use super::dag::Stack;

/// 32 characters of base32, different in the first five.
pub fn hash(at: usize) -> String {
    let digit = |n: usize| char::from(b"abcdefghijklmnopqrstuvwxyz234567".get(n % 32).copied().unwrap_or(b'a'));
    let head: String = [0, 5, 10, 15, 20].map(|shift| digit(at >> shift)).iter().collect();
    format!("{head:a<32}")
}

/// What every spec says besides its name and its dependencies.
const REST: &str = r#""arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v3"},"namespace":"builtin","parameters":{"build_system":"autotools","libs":["shared","static"],"pic":false,"cflags":[],"cppflags":[],"cxxflags":[],"fflags":[],"ldflags":[],"ldlibs":[]},"package_hash":"zt5vu2vph2v2qjwgdbe7btgcz7axpyalorcsqiuxhrg5grwgrrvq====","annotations":{"original_specfile_version":5}"#;

fn spec(text: &mut String, at: usize, dependencies: impl Iterator<Item = usize>) {
    let _ = write!(text, r#"{{"name":"package-{at}","version":"1.2.{at}",{REST},"dependencies":["#);
    for (nth, on) in dependencies.enumerate() {
        let comma = if nth == 0 { "" } else { "," };
        let types = r#"{"deptypes":["build","link"],"virtuals":[]}"#;
        let _ = write!(text, r#"{comma}{{"name":"package-{on}","hash":"{}","parameters":{types}}}"#, hash(on));
    }
    let _ = write!(text, r#"],"hash":"{}"}}"#, hash(at));
}

/// A lock of version 6 with the specs and edges of a stack; its first forty places are roots.
pub fn lock(stack: &Stack) -> String {
    let mut below = vec![Vec::new(); stack.nodes];
    for (parent, child) in &stack.edges {
        if let Some(list) = below.get_mut(*parent as usize) {
            list.push(*child as usize);
        }
    }
    let roots: Vec<String> = (0..40).map(|at| format!(r#"{{"hash":"{}","spec":"package-{at}"}}"#, hash(at))).collect();
    let mut text = format!(
        r#"{{"_meta":{{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5}},"roots":[{}],"concrete_specs":{{"#,
        roots.join(",")
    );
    for (at, list) in below.into_iter().enumerate() {
        let _ = write!(text, r#"{}"{}":"#, if at == 0 { "" } else { "," }, hash(at));
        spec(&mut text, at, list.into_iter());
    }
    text.push_str("}}");
    text
}

/// An index of so many bytes, and how many specs it lists.
pub fn index(bytes: usize) -> (String, usize) {
    let mut text = String::with_capacity(bytes + 4_096);
    text.push_str(r#"{"database":{"version":"8","installs":{"#);
    let mut count = 0;
    while text.len() < bytes {
        let _ = write!(text, r#"{}"{}":{{"spec":"#, if count == 0 { "" } else { "," }, hash(count));
        spec(&mut text, count, (1..=count.min(8)).map(|dep| count - dep));
        text.push_str(r#","ref_count":3,"in_buildcache":true}"#);
        count += 1;
    }
    text.push_str("}}}");
    (text, count)
}
