//! Paths as text: no file is looked at, so links are not followed. Spack treats include paths the same way.

use std::path::{Component, Path, PathBuf};

/// The path without `.`, and without `..` where that is possible.
pub fn normalised(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match found.components().next_back() {
                Some(Component::Normal(_)) => {
                    found.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => found.push(part),
            },
            _ => found.push(part),
        }
    }
    if found.as_os_str().is_empty() { PathBuf::from(".") } else { found }
}

/// What `target` is called from the folder `start`; `None` where that cannot be said without looking.
///
/// Both must be absolute, or relative to the same folder.
pub fn relative(target: &Path, start: &Path) -> Option<PathBuf> {
    let (target, start) = (normalised(target), normalised(start));
    if target.is_absolute() != start.is_absolute() {
        return None;
    }
    let real = |path: &'_ Path| path.components().filter(|part| *part != Component::CurDir).count();
    let common = target.components().zip(start.components()).take_while(|(a, b)| a == b).count();
    let common = common.min(real(&target)).min(real(&start));
    let up = start.components().skip(common).filter(|part| *part != Component::CurDir);
    let mut found = PathBuf::new();
    for part in up {
        if part == Component::ParentDir {
            return None;
        }
        found.push(Component::ParentDir);
    }
    found.extend(target.components().skip(common).filter(|part| *part != Component::CurDir));
    Some(if found.as_os_str().is_empty() { PathBuf::from(".") } else { found })
}

/// Whether the text is a URL rather than a path: it has a scheme. A file URL is a path in disguise and absolute.
pub fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// What an include path of a manifest in `from` must read in a copy of that manifest in `to`.
///
/// URLs and absolute paths stay. `path` has its variables replaced.
pub fn relocated(path: &Path, from: &Path, to: &Path) -> Option<PathBuf> {
    if path.is_absolute() || path.to_str().is_some_and(is_url) {
        return Some(path.to_owned());
    }
    relative(&from.join(path), to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_text() {
        for (path, want) in [
            ("a/./b//c/", "a/b/c"),
            ("a/../b", "b"),
            ("../../a", "../../a"),
            ("a/../../b", "../b"),
            ("/../a", "/a"),
            ("/a/../..", "/"),
            ("a/..", "."),
            ("", "."),
            ("./", "."),
        ] {
            assert_eq!(normalised(Path::new(path)), Path::new(want), "{path}");
        }
    }

    #[test]
    fn a_moved_manifest_reaches_the_same_files() {
        for (path, from, to, want) in [
            ("../../.ci/gitlab/", "gen/stack", "jobs/stack/concrete_environment", "../../../.ci/gitlab"),
            ("../../.ci/gitlab/", "/p/gen/stack", "/p/jobs/stack/concrete_environment", "../../../.ci/gitlab"),
            ("configs", "gen", "gen/deep", "../configs"),
            ("configs", "gen/deep", "gen", "deep/configs"),
            (".", "gen", "gen", "."),
            ("..", "gen", ".", "."),
            ("../x", ".", "jobs", "../../x"),
            ("https://example.org/ci.yaml", "gen", "jobs", "https://example.org/ci.yaml"),
            ("file:///etc/ci.yaml", "gen", "jobs", "file:///etc/ci.yaml"),
            ("/etc/spack", "gen", "jobs", "/etc/spack"),
        ] {
            let got = relocated(Path::new(path), Path::new(from), Path::new(to));
            assert_eq!(got.as_deref(), Some(Path::new(want)), "{path} {from} {to}");
        }
        assert_eq!(relocated(Path::new("x"), Path::new("gen"), Path::new("/jobs")), None);
        assert_eq!(relocated(Path::new("x"), Path::new("gen"), Path::new("../jobs")), None, "the way back is unknown");
    }
}
