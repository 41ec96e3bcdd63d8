//! The change set: which packages changed, and whether the stack did.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::repo::PackageRepo;

/// The pipeline that makes all stacks. Spack looks for this text anywhere in a path.
const PIPELINE_FILE: &[u8] = b".gitlab-ci.yml";
/// Pins the Spack that concretizes and builds every stack.
const SPACK_PIN: &[u8] = b".ci/env";

/// One file of a repository that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPath {
    /// From the top of the repository, as git has it: bytes of no promised encoding.
    pub path: Vec<u8>,
    pub kind: ChangeKind,
    /// The newest commit that touched it, as far as that is known.
    pub commit: Option<Arc<str>>,
}

impl ChangedPath {
    /// The path as text. What is not UTF-8 is replaced; nothing is made harmless for a screen.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Removed,
    Modified,
    /// Another commit of another repository; what changed inside it cannot be seen from here.
    Submodule,
}

/// Which files of the repository make up one stack, apart from the packages. Paths count from the top of the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StackFiles {
    /// Its `spack.yaml`; none when that lies outside this repository.
    pub manifest: Option<Vec<u8>>,
    /// Files and folders of configuration that the manifest includes.
    pub configuration: Vec<Vec<u8>>,
}

impl From<&str> for StackFiles {
    fn from(manifest: &str) -> Self {
        Self { manifest: Some(manifest.as_bytes().to_vec()), configuration: Vec::new() }
    }
}

/// A change of the stack itself, after which no package's change says what is affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackChange {
    pub change: ChangedPath,
    pub part: StackPart,
    /// Whether Spack notices it too. Spack means to look for the manifest, but compares file names with the folder's name and never finds it.
    pub seen_by_spack: bool,
}

/// Which part of a stack changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StackPart {
    /// A `.gitlab-ci.yml`.
    Pipeline,
    Manifest,
    /// The `spack.lock` beside the manifest.
    Lock,
    /// A file that the manifest includes.
    Configuration,
    /// The pinned version of Spack, in `.ci/env`.
    SpackPin,
    /// A submodule that may hold packages or configuration.
    Submodule,
}

/// Which changes of a stack count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackRule {
    /// All of them, as Spack means it.
    Intended,
    /// Only those that Spack notices: for pipelines that must equal Spack's.
    AsSpack,
}

/// What the unaffected filter has to go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched<'a> {
    /// The stack itself changed: no filter.
    Stack(&'a StackChange),
    /// No package changed: no filter either.
    NoPackage,
    /// The filter keeps what these packages affect.
    Packages(&'a BTreeMap<Arc<str>, Vec<ChangedPath>>),
}

/// What differs between two commits, as far as it decides what is built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The older commit; empty when the packages were named by hand.
    pub base: Arc<str>,
    /// The newer commit; empty when the packages were named by hand.
    pub head: Arc<str>,
    /// Names as they stand in specs, each with its changed files.
    pub packages: BTreeMap<Arc<str>, Vec<ChangedPath>>,
    /// One change of the stack, if there is any; one that Spack notices comes before all others.
    pub stack: Option<StackChange>,
}

impl ChangeSet {
    /// Sorts the paths that differ between two commits by what they mean.
    pub fn of(base: &str, head: &str, paths: &[ChangedPath], repos: &[PackageRepo], stack: &StackFiles) -> Self {
        let mut paths: Vec<&ChangedPath> = paths.iter().collect();
        paths.sort_by(|a, b| a.path.cmp(&b.path));
        let mut packages: BTreeMap<Arc<str>, Vec<ChangedPath>> = BTreeMap::new();
        let mut stack_changes = Vec::new();
        for changed in paths {
            let mut is_package = false;
            for name in repos.iter().filter_map(|repo| repo.package_of(&changed.path)) {
                is_package = true;
                let files = packages.entry(name).or_default();
                if files.last() != Some(changed) {
                    files.push(changed.clone());
                }
            }
            let is_unknown = changed.kind == ChangeKind::Submodule && !is_package;
            let part = stack.part(&changed.path).or(is_unknown.then_some(StackPart::Submodule));
            if let Some(part) = part {
                let seen_by_spack = part == StackPart::Pipeline;
                stack_changes.push(StackChange { change: changed.clone(), part, seen_by_spack });
            }
        }
        let stack = stack_changes.into_iter().min_by_key(|found| (!found.seen_by_spack, found.part));
        Self { base: base.into(), head: head.into(), packages, stack }
    }

    /// A change set of packages that somebody named.
    pub fn of_packages<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let name = |name: T| Some(name.as_ref().trim()).filter(|name| !name.is_empty()).map(Arc::from);
        let packages = names.into_iter().filter_map(name).map(|name| (name, Vec::new())).collect();
        Self { packages, ..Self::default() }
    }

    /// Whether the unaffected filter applies, and what it starts from.
    pub fn touched(&self, rule: StackRule) -> Touched<'_> {
        match &self.stack {
            Some(stack) if rule == StackRule::Intended || stack.seen_by_spack => Touched::Stack(stack),
            _ if self.packages.is_empty() => Touched::NoPackage,
            _ => Touched::Packages(&self.packages),
        }
    }
}

impl StackFiles {
    fn part(&self, path: &[u8]) -> Option<StackPart> {
        if memchr::memmem::find(path, PIPELINE_FILE).is_some() {
            return Some(StackPart::Pipeline);
        }
        if let Some(manifest) = &self.manifest {
            if path == manifest.as_slice() {
                return Some(StackPart::Manifest);
            }
            let name = manifest.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let folder = manifest.strip_suffix(name).unwrap_or_default();
            if path.strip_prefix(folder) == Some(b"spack.lock") {
                return Some(StackPart::Lock);
            }
        }
        let is_inside = |place: &Vec<u8>| match place.strip_suffix(b"/").unwrap_or(place) {
            // The whole repository is no configuration.
            [] => false,
            place => path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
        };
        if self.configuration.iter().any(is_inside) {
            return Some(StackPart::Configuration);
        }
        (path == SPACK_PIN).then_some(StackPart::SpackPin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGES: &str = "repos/spack_repo/builtin/packages";

    fn repos() -> Vec<PackageRepo> {
        vec![PackageRepo::read(b"repos/spack_repo/builtin", b"repo: {namespace: builtin, api: v2.0}").unwrap()]
    }

    fn path(path: impl AsRef<[u8]>) -> ChangedPath {
        ChangedPath { path: path.as_ref().to_vec(), kind: ChangeKind::Modified, commit: Some("c0ffee".into()) }
    }

    fn set(paths: &[ChangedPath]) -> ChangeSet {
        ChangeSet::of("b", "h", paths, &repos(), &"stacks/e4s/spack.yaml".into())
    }

    fn names(set: &ChangeSet) -> Vec<&str> {
        set.packages.keys().map(|name| &**name).collect()
    }

    #[test]
    fn case_19_a_changed_package_is_named_whether_or_not_the_stack_has_it() {
        let set = set(&[path(format!("{PACKAGES}/zlib_ng/package.py")), path(format!("{PACKAGES}/zlib_ng/fix.patch"))]);
        assert_eq!(names(&set), ["zlib-ng"]);
        assert_eq!(set.packages["zlib-ng"].len(), 2);
        assert_eq!((&*set.base, &*set.head), ("b", "h"));
        assert_eq!(set.touched(StackRule::Intended), Touched::Packages(&set.packages));
    }

    #[test]
    fn case_20_without_a_changed_package_there_is_no_filter() {
        for paths in [vec![], vec![path("README.md"), path("repos/spack_repo/builtin/build_systems/cmake.py")]] {
            let set = set(&paths);
            assert_eq!(set.touched(StackRule::Intended), Touched::NoPackage);
            assert_eq!(set.touched(StackRule::AsSpack), Touched::NoPackage);
        }
    }

    #[test]
    fn case_21_this_stacks_manifest_turns_the_filter_off_and_another_ones_does_not() {
        let zlib = path(format!("{PACKAGES}/zlib/package.py"));
        let mine = set(&[path("stacks/e4s/spack.yaml"), zlib.clone()]);
        let stack = mine.stack.as_ref().unwrap();
        assert_eq!((stack.part, stack.seen_by_spack), (StackPart::Manifest, false));
        assert_eq!(mine.touched(StackRule::Intended), Touched::Stack(stack));
        assert_eq!(mine.touched(StackRule::AsSpack), Touched::Packages(&mine.packages));

        let others = set(&[path("stacks/hep/spack.yaml"), path("stacks/e4s-oneapi/spack.yaml"), zlib]);
        assert_eq!(others.stack, None);
        assert_eq!(others.touched(StackRule::Intended), Touched::Packages(&others.packages));
    }

    #[test]
    fn case_21_the_pipeline_file_turns_the_filter_off_for_spack_too() {
        for file in [".gitlab-ci.yml", ".ci/gitlab/.gitlab-ci.yml", "a/x.gitlab-ci.yml.in"] {
            let set = set(&[path("stacks/e4s/spack.yaml"), path(file), path(format!("{PACKAGES}/zlib/package.py"))]);
            let stack = set.stack.as_ref().unwrap();
            assert_eq!((stack.change.text().as_ref(), stack.seen_by_spack), (file, true));
            assert_eq!(set.touched(StackRule::AsSpack), Touched::Stack(stack));
        }
    }

    #[test]
    fn configuration_that_applies_is_a_change_of_the_stack() {
        let stack = StackFiles {
            manifest: Some(b"stacks/e4s/spack.yaml".to_vec()),
            configuration: vec![b".ci/gitlab/configs/linux/".to_vec(), b".ci/gitlab/include.yaml".to_vec(), vec![]],
        };
        let part = |file: &str| ChangeSet::of("b", "h", &[path(file)], &repos(), &stack).stack.map(|found| found.part);
        assert_eq!(part(".ci/gitlab/configs/linux/x86_64_v3/ci.yaml"), Some(StackPart::Configuration));
        assert_eq!(part(".ci/gitlab/include.yaml"), Some(StackPart::Configuration));
        assert_eq!(part(".ci/gitlab/configs/linux2/ci.yaml"), None);
        assert_eq!(part(".ci/gitlab/configs/darwin/ci.yaml"), None);
        assert_eq!(part("stacks/e4s/spack.lock"), Some(StackPart::Lock));
        assert_eq!(part("stacks/e4s/README"), None);
        assert_eq!(part(".ci/env"), Some(StackPart::SpackPin));
    }

    #[test]
    fn a_manifest_at_the_top_or_elsewhere_is_handled() {
        let of = |stack: &StackFiles, file: &str| ChangeSet::of("b", "h", &[path(file)], &[], stack).stack.is_some();
        assert!(of(&"spack.yaml".into(), "spack.yaml") && of(&"spack.yaml".into(), "spack.lock"));
        assert!(!of(&"spack.yaml".into(), "stacks/e4s/spack.yaml"));
        assert!(!of(&StackFiles::default(), "stacks/e4s/spack.yaml"));
        assert!(of(&StackFiles::default(), ".gitlab-ci.yml"));
    }

    #[test]
    fn what_changed_inside_a_submodule_is_unknown() {
        let submodule = |at: &str| ChangedPath { kind: ChangeKind::Submodule, ..path(at) };
        let outside = set(&[submodule("extern/recipes")]);
        assert_eq!(outside.stack.as_ref().map(|found| found.part), Some(StackPart::Submodule));
        assert_eq!(outside.touched(StackRule::AsSpack), Touched::NoPackage);
        let package = set(&[submodule(&format!("{PACKAGES}/zlib"))]);
        assert_eq!((names(&package), &package.stack), (vec!["zlib"], &None));
    }

    #[test]
    fn the_order_of_paths_does_not_matter_and_hostile_ones_are_kept() {
        let mut paths = vec![
            path(format!("{PACKAGES}/zlib/a b\n'\".patch")),
            path([PACKAGES.as_bytes(), b"/zlib/\xff.patch"].concat()),
            path(b"\xfe\xff"),
            path(format!("{PACKAGES}/hdf5/package.py")),
            path("stacks/e4s/spack.yaml"),
        ];
        let forwards = set(&paths);
        paths.reverse();
        assert_eq!(set(&paths), forwards);
        assert_eq!(names(&forwards), ["hdf5", "zlib"]);
        assert!(forwards.packages["zlib"][1].path.ends_with(b"\xff.patch"));
        assert_eq!(forwards.packages["hdf5"][0].commit.as_deref(), Some("c0ffee"));
    }

    #[test]
    fn a_package_in_two_views_of_one_repository_is_counted_once() {
        let twice = [repos(), repos()].concat();
        let paths = [path(format!("{PACKAGES}/zlib/package.py"))];
        let set = ChangeSet::of("b", "h", &paths, &twice, &StackFiles::default());
        assert_eq!(set.packages["zlib"].len(), 1);
    }

    #[test]
    fn named_packages_make_a_change_set_without_commits() {
        let set = ChangeSet::of_packages([" zlib ", "hdf5", "", "zlib"]);
        assert_eq!(names(&set), ["hdf5", "zlib"]);
        assert_eq!((&*set.base, &*set.head, &set.stack), ("", "", &None));
        assert_eq!(set.touched(StackRule::Intended), Touched::Packages(&set.packages));
        assert_eq!(ChangeSet::of_packages::<&str>([]).touched(StackRule::AsSpack), Touched::NoPackage);
    }
}
