//! The stacks that Spack's CI builds, and what their packages cost.
//!
//! Names, targets and tags are those of spack-packages; the weights say how a world of N jobs is shared between the stacks, and the minutes
//! are round guesses of what such packages take on a CI runner.

use std::sync::Arc;

use super::SandboxError;
use super::locks::LockName;
use super::nodes::{Age, Variant};
use super::rng::hash;
use crate::spack::Arch;

/// One Spack environment that CI builds.
#[derive(Debug)]
pub struct Stack {
    pub name: &'static str,
    /// The build group that ends every job name.
    pub group: &'static str,
    /// The lock that its specs are cut from.
    pub lock: LockName,
    /// Its share of the world's jobs.
    pub weight: u32,
    pub target: Target,
}

impl Stack {
    /// The specs that it was concretized to, at that time.
    pub fn specs(&self, age: Age) -> Result<&'static Variant, SandboxError> {
        Variant::of(self.lock, self.target, age)
    }
}

/// The kind of machine that a stack needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    X86V3,
    X86V4,
    Aarch64,
    NeoverseV1,
    NeoverseV2,
    Windows,
    Darwin,
    CrayRhel,
}

impl Target {
    /// Spack's name of the microarchitecture.
    pub fn microarchitecture(self) -> &'static str {
        match self {
            Self::Windows => "x86_64",
            Self::X86V3 | Self::CrayRhel => "x86_64_v3",
            Self::X86V4 => "x86_64_v4",
            Self::Aarch64 => "aarch64",
            Self::NeoverseV1 => "neoverse_v1",
            Self::NeoverseV2 => "neoverse_v2",
            Self::Darwin => "m1",
        }
    }

    /// The architecture that a spec of a lock has on this target.
    pub fn arch(self, of: &Arch) -> Arch {
        let target: Arc<str> = self.microarchitecture().into();
        match self {
            Self::Windows => Arch { platform: "windows".into(), os: "windows10.0.26100".into(), target },
            Self::Darwin => Arch { platform: "darwin".into(), os: "tahoe".into(), target },
            Self::CrayRhel => Arch { platform: "linux".into(), os: "rhel8".into(), target },
            _ => Arch { target, ..of.clone() },
        }
    }

    /// The tags that choose the runner class of a build job; `spack` is not among them on machines that Spack does not own.
    pub fn tags(self) -> &'static [&'static str] {
        match self {
            Self::X86V3 => &["x86_64_v3", "spack"],
            Self::X86V4 => &["x86_64_v4", "spack"],
            Self::Aarch64 => &["aarch64", "spack"],
            Self::NeoverseV1 => &["neoverse_v1", "aarch64", "spack"],
            Self::NeoverseV2 => &["neoverse_v2", "spack"],
            Self::Windows => &["x86_64-win", "spack"],
            Self::Darwin => &["macos-tahoe", "apple-clang-17", "aarch64-macos"],
            Self::CrayRhel => &["cray-rhel-x86_64_v3"],
        }
    }

    /// The image that its jobs run in.
    pub fn image(self) -> &'static str {
        match self {
            Self::X86V4 => "ghcr.io/spack/linux-ubuntu22.04-x86_64_v4:v2025-06-02",
            Self::Aarch64 | Self::NeoverseV1 | Self::NeoverseV2 => {
                "ghcr.io/spack/ubuntu22.04-runner-arm64-gcc-11.4:2025-05-10"
            }
            Self::Windows => "ghcr.io/spack/windows-server-ltsc2025:v2025-08-11",
            _ => "ghcr.io/spack/ubuntu-24.04:v2025-05-10",
        }
    }
}

macro_rules! stacks {
    ($($name:literal $group:literal $lock:ident $weight:literal $target:ident;)*) => {
        &[$(Stack { name: $name, group: $group, lock: LockName::$lock, weight: $weight, target: Target::$target }),*]
    };
}

/// The 23 active stacks.
pub const STACKS: &[Stack] = stacks! {
    "aws-pcluster-neoverse_v1" "AWS ParallelCluster neoverse_v1" E4s 26 NeoverseV1;
    "aws-pcluster-x86_64_v4" "AWS ParallelCluster x86_64_v4" E4s 26 X86V4;
    "bootstrap-aarch64-darwin" "Bootstrap aarch64 Darwin" BuildSystems 6 Darwin;
    "bootstrap-x86_64-linux-gnu" "Bootstrap x86_64 Linux GNU" BuildSystems 8 X86V3;
    "build_systems" "Build Systems" BuildSystems 16 X86V3;
    "data-vis-sdk" "Data and Vis SDK" E4s 50 X86V3;
    "developer-tools-aarch64-linux-gnu" "Developer Tools aarch64 Linux GNU" DeveloperTools 30 Aarch64;
    "developer-tools-darwin" "Developer Tools Darwin" DeveloperTools 14 Darwin;
    "developer-tools-x86_64_v3-linux-gnu" "Developer Tools x86_64_v3 Linux GNU" DeveloperTools 34 X86V3;
    "e4s" "E4S" E4s 220 X86V3;
    "e4s-cray-rhel" "E4S Cray RHEL" E4s 40 CrayRhel;
    "e4s-neoverse-v2" "E4S ARM Neoverse V2" E4s 110 NeoverseV2;
    "e4s-oneapi" "E4S OneAPI" E4s 90 X86V3;
    "e4s-rocm-external" "E4S ROCm External" E4s 60 X86V3;
    "hep" "HEP" E4s 70 X86V3;
    "ml-darwin-aarch64-mps" "Machine Learning MPS" E4s 20 Darwin;
    "ml-linux-aarch64" "Machine Learning Linux aarch64" E4s 34 Aarch64;
    "ml-linux-x86_64" "Machine Learning Linux x86_64" E4s 40 X86V3;
    "radiuss" "RADIUSS" Radiuss 56 X86V3;
    "radiuss-aarch64" "RADIUSS aarch64" Radiuss 46 Aarch64;
    "tools-sdk" "Tools SDK" DeveloperTools 18 X86V3;
    "tutorial" "Tutorial" Radiuss 24 X86V3;
    "windows-vis" "Windows Vis" BuildSystems 8 Windows;
};

/// How much of a machine a package gets: GitLab tag, build jobs, CPU and memory request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub class: &'static str,
    pub build_jobs: &'static str,
    pub cpu: &'static str,
    pub memory: &'static str,
}

impl Size {
    /// The tag of a size class; packages that no rule names have none.
    pub fn tag(self) -> Option<&'static str> {
        (self.class != "default").then_some(self.class)
    }
}

const SMALL: Size = Size { class: "small", build_jobs: "1", cpu: "500m", memory: "500M" };
const DEFAULT: Size = Size { class: "default", build_jobs: "4", cpu: "4000m", memory: "16G" };
const MEDIUM: Size = Size { class: "medium", build_jobs: "2", cpu: "2000m", memory: "4G" };
const LARGE: Size = Size { class: "large", build_jobs: "8", cpu: "8000m", memory: "12G" };
const HUGE: Size = Size { class: "huge", build_jobs: "12", cpu: "12000m", memory: "26G" };

/// Packages that take long, with their usual minutes.
const HEAVY: &[(&str, u64)] = &[
    ("arrow", 13),
    ("boost", 6),
    ("cmake", 5),
    ("cp2k", 17),
    ("dealii", 26),
    ("dyninst", 9),
    ("gcc", 31),
    ("ginkgo", 22),
    ("gromacs", 11),
    ("hpctoolkit", 7),
    ("julia", 21),
    ("kokkos-kernels", 8),
    ("lammps", 12),
    ("lbann", 15),
    ("legion", 8),
    ("llvm", 38),
    ("mesa", 7),
    ("mfem", 9),
    ("nvhpc", 12),
    ("openblas", 6),
    ("opencascade", 14),
    ("opencv", 12),
    ("openfoam", 24),
    ("paraview", 29),
    ("petsc", 9),
    ("py-jaxlib", 27),
    ("py-numba", 4),
    ("py-scipy", 8),
    ("py-torch", 34),
    ("python", 4),
    ("r", 6),
    ("raja", 7),
    ("rust", 23),
    ("slate", 19),
    ("strumpack", 10),
    ("sundials", 6),
    ("trilinos", 28),
    ("visit", 25),
    ("vtk", 16),
    ("vtk-m", 18),
    ("warpx", 16),
    ("wrf", 18),
    ("xyce", 13),
];

/// The usual build time of a package, in seconds: the same wherever it is built.
pub fn median_seconds(package: &str) -> u64 {
    match HEAVY.binary_search_by(|(name, _)| (*name).cmp(package)) {
        Ok(i) => HEAVY.get(i).map_or(60, |(_, minutes)| minutes * 60),
        Err(_) if package.starts_with("py-") => 60 + hash(package) % 50,
        Err(_) => 90 + hash(package) % 250,
    }
}

/// The size class of a package.
pub fn size(package: &str) -> Size {
    match median_seconds(package) {
        1_200.. => HUGE,
        600..1_200 => LARGE,
        340..600 => MEDIUM,
        180..340 => DEFAULT,
        _ => SMALL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(STACKS.len(), 23);
        assert!(STACKS.is_sorted_by_key(|s| s.name) && HEAVY.is_sorted());
        assert_eq!(STACKS.iter().max_by_key(|s| s.weight).unwrap().name, "e4s");
    }

    #[test]
    fn sizes_follow_the_work() {
        assert_eq!((median_seconds("llvm"), size("llvm").class), (2_280, "huge"));
        assert_eq!(size("py-six").tag(), Some("small"));
    }
}
