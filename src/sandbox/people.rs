//! Invented people, pull requests and commits. Any likeness to real contributors is chance.

use std::sync::Arc;

use super::rng::Rng;

/// A GitLab account.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub id: u64,
    pub username: &'static str,
    pub name: &'static str,
}

/// The account that pushes branches and starts schedules.
pub const BOT: User = User { id: 7, username: "spackbot-practice", name: "Spack Bot (practice)" };
/// The owner of the sandbox's token: whoever sits at the console.
pub const OPERATOR: User = User { id: 41, username: "oncall", name: "On-call Operator" };

pub const AUTHORS: &[(&str, &str)] = &[
    ("Ada Brandt", "ada-brandt"),
    ("Bilal Okoye", "bilal-okoye"),
    ("Chiara Novak", "cnovak"),
    ("Dmitri Sandoval", "dsandoval"),
    ("Esther Lindqvist", "elindq"),
    ("Farid Whitlock", "fwhitlock"),
    ("Greta Yamada", "greta-y"),
    ("Henrik Oduya", "hoduya"),
    ("Ines Kowalczyk", "inesk"),
    ("Jonas Tembo", "jtembo"),
    ("Keiko Marlowe", "kmarlowe"),
    ("Luca Petrossian", "lucap"),
    ("Maren Achebe", "machebe"),
    ("Noor Vasquez", "nvasquez"),
];

/// Packages that invented people like to change. All of them are in the locks of at least one stack.
pub const TOUCHED: &[&str] = &[
    "adios2",
    "amrex",
    "axom",
    "boost",
    "caliper",
    "conduit",
    "fftw",
    "ginkgo",
    "gmake",
    "gsl",
    "hdf5",
    "heffte",
    "hwloc",
    "hypre",
    "kokkos",
    "libxml2",
    "mercury",
    "metis",
    "mfem",
    "mpich",
    "netcdf-c",
    "ninja",
    "openblas",
    "papi",
    "petsc",
    "py-numpy",
    "raja",
    "sqlite",
    "sundials",
    "superlu-dist",
    "tau",
    "trilinos",
    "umpire",
    "zfp",
    "zlib-ng",
];

/// A pull request of the practice world.
#[derive(Debug, Clone)]
pub struct PullRequest {
    pub number: u64,
    /// The package that it changes.
    pub package: &'static str,
    pub title: Arc<str>,
    pub author: &'static str,
    pub email: Arc<str>,
    /// The branch that mirrors it on GitLab.
    pub git_ref: Arc<str>,
}

impl PullRequest {
    /// The pull request with that running number: always the same one for a seed.
    pub fn nth(seed: u64, n: u64) -> Self {
        let mut rng = Rng::of(seed, "pull request", n);
        let (author, handle) = *rng.pick(AUTHORS, &("Ada Brandt", "ada-brandt"));
        let package = *rng.pick(TOUCHED, &"hdf5");
        let version = format!("{}.{}.{}", rng.between(1, 9), rng.below(20), rng.below(9));
        let compiler = *rng.pick(&["oneapi", "gcc@14:", "clang@19:", "cce"], &"gcc");
        let (title, slug) = match rng.below(6) {
            0 | 1 => (format!("{package}: add v{version}"), format!("add-{package}-{version}")),
            2 => (format!("{package}: fix build with %{compiler}"), format!("fix-{package}-build")),
            3 => (format!("{package}: new maintainers, drop deprecated versions"), format!("{package}-cleanup")),
            4 => (format!("{package}: depend on C and C++ explicitly"), format!("{package}-languages")),
            _ => (format!("{package}: variant for static libraries"), format!("{package}-static")),
        };
        // Pull requests are opened in order, with gaps for issues and for requests that start no pipeline.
        let number = 51_000 + n * 7 + rng.below(6);
        Self {
            number,
            package,
            title: title.into(),
            author,
            email: format!("{handle}@example.invalid").into(),
            git_ref: format!("pr{number}_{slug}").into(),
        }
    }
}

/// The commit that a pipeline runs.
#[derive(Debug, Clone)]
pub struct Commit {
    pub sha: Arc<str>,
    pub parents: Vec<Arc<str>>,
    pub title: Arc<str>,
    pub message: Arc<str>,
    pub author: Arc<str>,
    pub email: Arc<str>,
}

impl Commit {
    /// The merge of a pull request into develop, as the bridge pushes it.
    pub fn merge(seed: u64, key: u64, pr: &PullRequest) -> Self {
        let mut rng = Rng::of(seed, "commit", key);
        let (head, base) = (rng.hex(40), rng.hex(40));
        let title = format!("Merge {head} into {base}");
        Self {
            sha: rng.hex(40).into(),
            message: format!("{title}\n\n{} (#{})\n", pr.title, pr.number).into(),
            title: title.into(),
            parents: vec![base.into(), head.into()],
            author: pr.author.into(),
            email: pr.email.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::locks::{LockName, Shelf};

    #[test]
    fn every_changed_package_is_in_a_lock() {
        let names: Vec<&str> = [LockName::E4s, LockName::Radiuss, LockName::DeveloperTools, LockName::BuildSystems]
            .iter()
            .flat_map(|lock| Shelf::embedded(*lock).unwrap().specs.iter().map(|placed| &*placed.spec.name))
            .collect();
        for package in TOUCHED {
            assert!(names.contains(package), "{package}");
        }
    }

    #[test]
    fn branches_carry_the_number() {
        let pr = PullRequest::nth(42, 3);
        assert!(pr.git_ref.starts_with(&format!("pr{}_", pr.number)));
        assert!(pr.number < PullRequest::nth(42, 4).number);
    }
}
