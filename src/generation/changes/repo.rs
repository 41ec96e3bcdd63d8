//! A package repository inside a git repository: a folder with a `repo.yaml`, and packages below it.

use std::sync::Arc;

use thiserror::Error;

use super::names::{Naming, is_module};
use crate::spack::yaml::{Value, YamlError};

/// Spack's are a few lines.
const MAX_FILE: usize = 64 * 1024;

/// A `repo.yaml` from which it cannot be told where its packages are and how they are named.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PackageRepoError {
    #[error("is not YAML: {0}")]
    Yaml(#[from] YamlError),
    #[error("has {0} bytes, more than any package repository needs")]
    Large(usize),
    #[error("has no `repo:` map")]
    NoRepo,
    #[error("has the package interface `{0}`, but only v1.x and v2.x are known")]
    Api(String),
    #[error("has the subdirectory `{0}`, which is not a folder of this repository")]
    Subdirectory(String),
}

/// Where the packages of one repository are, and how Spack names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRepo {
    /// `builtin`.
    pub namespace: Arc<str>,
    /// The folder with the `repo.yaml`, from the top of the git repository; empty for the top itself.
    pub root: Vec<u8>,
    /// The folder with one folder per package, from the top of the git repository.
    pub packages: Vec<u8>,
    /// The version of the package interface: `(2, 0)`.
    pub api: (u32, u32),
}

impl PackageRepo {
    /// Reads the `repo.yaml` that lies in the folder `root`.
    pub fn read(root: &[u8], repo_yaml: &[u8]) -> Result<Self, PackageRepoError> {
        if repo_yaml.len() > MAX_FILE {
            return Err(PackageRepoError::Large(repo_yaml.len()));
        }
        let document = Value::parse(repo_yaml)?;
        let repo = document.get("repo").filter(|repo| repo.as_map().is_some()).ok_or(PackageRepoError::NoRepo)?;
        let api = match repo.get("api") {
            None | Some(Value::Null) => (1, 0),
            Some(value) => value.as_text().and_then(version).ok_or_else(|| PackageRepoError::Api(shown(value)))?,
        };
        let packages = match repo.get("subdirectory") {
            None => below(root, "packages"),
            Some(value) => {
                value.as_text().filter(|name| api.0 < 2 || is_module(name)).and_then(|name| below(root, name))
            }
        };
        let refused = || PackageRepoError::Subdirectory(repo.get("subdirectory").map(shown).unwrap_or_default());
        let packages = packages.ok_or_else(refused)?;
        let namespace = repo.get("namespace").and_then(Value::as_text).map_or_else(|| namespace_of(root), Arc::from);
        Ok(Self { namespace, root: root.to_vec(), packages, api })
    }

    /// The package that a path belongs to: the folder directly below the packages' folder decides.
    pub fn package_of(&self, path: &[u8]) -> Option<Arc<str>> {
        let inside = match self.packages.as_slice() {
            [] => path,
            packages => path.strip_prefix(packages)?.strip_prefix(b"/")?,
        };
        // A link or a submodule in place of the folder has no slash behind its name.
        let folder = inside.split(|byte| *byte == b'/').next()?;
        let naming = if self.api.0 < 2 { Naming::Folder } else { Naming::Module };
        naming.package(std::str::from_utf8(folder).ok()?).map(Arc::from)
    }

    /// Whether this repository belongs to Spack's unit tests. Its packages carry real names (`hdf5`, `mpich`), but no stack is built from it.
    pub fn is_for_tests(&self) -> bool {
        self.root.split(|byte| *byte == b'/').any(|part| part == b"test_repos")
            || matches!(&*self.namespace, "builtin.mock" | "builtin_mock")
            || self.namespace.ends_with(".test")
    }
}

/// `v2.0` → `(2, 0)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.strip_prefix('v')?.split_once('.')?;
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
    let api: (u32, u32) = (number(major)?, number(minor)?);
    matches!(api.0, 1 | 2).then_some(api)
}

fn shown(value: &Value) -> String {
    value.scalar().unwrap_or_else(|| value.kind().to_owned()).chars().take(60).collect()
}

/// The folder below another; none when it would lie outside.
fn below(root: &[u8], folder: &str) -> Option<Vec<u8>> {
    if folder.starts_with('/') || folder.contains('\0') {
        return None;
    }
    let mut path = root.to_vec();
    for part in folder.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            return None;
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(part.as_bytes());
    }
    Some(path)
}

/// Since version 2 the namespace is what follows `spack_repo/`; without it the last folder is the best name there is.
fn namespace_of(root: &[u8]) -> Arc<str> {
    let root = String::from_utf8_lossy(root);
    let inside = match root.rfind("spack_repo/") {
        Some(at) => root.get(at + "spack_repo/".len()..).unwrap_or_default(),
        None => root.rsplit('/').next().unwrap_or_default(),
    };
    inside.replace('/', ".").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &[u8] = b"repo:\n  namespace: builtin\n  api: v2.2\n";

    fn names(repo: &PackageRepo, paths: &[&str]) -> Vec<Option<String>> {
        paths.iter().map(|path| repo.package_of(path.as_bytes()).map(|name| name.to_string())).collect()
    }

    #[test]
    fn a_path_belongs_to_the_package_whose_folder_it_is_in() {
        let repo = PackageRepo::read(b"repos/spack_repo/builtin", V2).unwrap();
        assert_eq!((repo.api, &*repo.namespace), ((2, 2), "builtin"));
        let base = "repos/spack_repo/builtin";
        let of = |path: &str| names(&repo, &[&format!("{base}/{path}")]).remove(0);
        assert_eq!(of("packages/zlib_ng/package.py").as_deref(), Some("zlib-ng"));
        assert_eq!(of("packages/_7zip/package.py").as_deref(), Some("7zip"));
        assert_eq!(of("packages/hdf5/patches/deep/fix \n\"1\".patch").as_deref(), Some("hdf5"));
        assert_eq!(of("packages/linked").as_deref(), Some("linked"));
        assert_eq!(of("packages/__init__.py"), None);
        assert_eq!(of("packages/Bad-Name/package.py"), None);
        assert_eq!(of("build_systems/cmake.py"), None);
        assert_eq!(of("packages.bak/zlib/package.py"), None);
        assert_eq!(of("packages"), None);
        assert_eq!(names(&repo, &["packages/zlib/package.py", ""]), [None, None]);
        assert_eq!(repo.package_of(b"repos/spack_repo/builtin/packages/\xff\xfe/package.py"), None);
    }

    #[test]
    fn old_repositories_name_the_folder() {
        let repo = PackageRepo::read(b"var/spack/repos/builtin", b"repo:\n  namespace: builtin\n").unwrap();
        assert_eq!(repo.api, (1, 0));
        let paths = ["var/spack/repos/builtin/packages/zlib-ng/package.py", "var/spack/repos/builtin/packages/py_x/a"];
        assert_eq!(names(&repo, &paths), [Some("zlib-ng".to_owned()), Some("py_x".to_owned())]);
        let flat = PackageRepo::read(b"", b"repo:\n  namespace: site\n  subdirectory: '.'\n").unwrap();
        assert_eq!(names(&flat, &["zlib/package.py"]), [Some("zlib".to_owned())]);
        let deep = PackageRepo::read(b"site", b"repo: {namespace: site, subdirectory: a//b/}").unwrap();
        assert_eq!(names(&deep, &["site/a/b/zlib/package.py"]), [Some("zlib".to_owned())]);
    }

    #[test]
    fn the_namespace_follows_from_the_folder_when_it_is_not_written() {
        let of = |root: &str| PackageRepo::read(root.as_bytes(), b"repo: {api: v2.0}").unwrap().namespace.to_string();
        assert_eq!(of("repos/spack_repo/builtin"), "builtin");
        assert_eq!(of("repos/spack_repo/site/tools"), "site.tools");
        assert_eq!(of("mine"), "mine");
    }

    #[test]
    fn repositories_of_unit_tests_are_known() {
        let of = |root: &str, text: &str| PackageRepo::read(root.as_bytes(), text.as_bytes()).unwrap().is_for_tests();
        assert!(of("var/spack/test_repos/spack_repo/builtin_mock", "repo: {api: v2.0}"));
        assert!(of("var/spack/repos/builtin.mock", "repo: {namespace: builtin.mock}"));
        assert!(of("var/spack/repos/flags.test", "repo: {namespace: flags.test}"));
        assert!(!of("repos/spack_repo/builtin", "repo: {api: v2.0}"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let refused = |text: &str| PackageRepo::read(b"r", text.as_bytes()).unwrap_err().to_string();
        assert!(refused("repo: [").starts_with("is not YAML"));
        assert_eq!(refused(""), "has no `repo:` map");
        assert_eq!(refused("repo: text"), "has no `repo:` map");
        for api in ["v3.0", "2.0", "v2", "'v2.x'", "v2.0.1", "v+2.0", "[v2.0]", "v99999999999.0", "v."] {
            assert!(refused(&format!("repo: {{api: {api}}}")).contains("package interface"), "{api}");
        }
        for folder in ["../x", "/etc", "a/../../b", "3"] {
            assert!(refused(&format!("repo: {{subdirectory: {folder}}}")).contains("subdirectory"), "{folder}");
        }
        assert!(refused("repo: {api: v2.0, subdirectory: a/b}").contains("subdirectory"));
        assert!(refused("repo: {api: v2.0, subdirectory: '.'}").contains("subdirectory"));
        assert_eq!(PackageRepo::read(b"", &vec![b' '; MAX_FILE + 1]), Err(PackageRepoError::Large(MAX_FILE + 1)));
    }
}
