//! What went wrong, judged by what Spack printed last.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why there is no new lock.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConcretizeFault {
    #[error("there is no spack at {}; correct `generation.spack` or --spack", .0.display())]
    NotFound(PathBuf),
    #[error("spack could not be started: {0}; check its rights and its Python")]
    Start(String),
    #[error(
        "spack cannot satisfy what the manifest asks for: {what}; change the specs or the requirements in `packages`"
    )]
    Unsatisfiable { what: String },
    #[error("spack knows no package `{name}`; correct the manifest, or add the repository that has it")]
    UnknownPackage { name: String },
    #[error(
        "a version without a checksum was asked for: {what}; add the checksum to the package, or ask for another version"
    )]
    NoChecksum { what: String },
    #[error("spack found no compiler that fits: {what}; declare one under `packages`")]
    NoCompiler { what: String },
    #[error("spack concretized for more than {0:?} and was ended; give it more time, or concretize by hand")]
    Slow(Duration),
    #[error("spack was ended by signal {0}; it may have run out of memory: use fewer concretizer processes")]
    Killed(i32),
    #[error("spack ended with code {code}: {tail}; run the same command by hand")]
    Other { code: i32, tail: String },
}

impl ConcretizeFault {
    /// Judges an end by its code and the last lines of output.
    pub fn of(code: i32, lines: &[String]) -> Self {
        let line_with = |needles: &[&str]| lines.iter().find(|line| needles.iter().any(|needle| line.contains(needle)));
        let cut = |line: &String| line.trim().trim_start_matches("==> ").chars().take(200).collect::<String>();
        if let Some(line) = line_with(&["Package '", "Unknown package"])
            && line.contains("not found")
        {
            let name = line.split('\'').nth(1).unwrap_or_default().to_owned();
            return Self::UnknownPackage { name };
        }
        if let Some(line) = line_with(&["checksum"]) {
            return Self::NoChecksum { what: cut(line) };
        }
        if let Some(line) = line_with(&["No compilers", "no compiler", "compiler is required"]) {
            return Self::NoCompiler { what: cut(line) };
        }
        if let Some(at) =
            lines.iter().position(|line| line.contains("failed to concretize") || line.contains("unsatisfiable"))
        {
            let reasons: Vec<String> = lines.iter().skip(at).map(cut).filter(|line| !line.is_empty()).take(4).collect();
            return Self::Unsatisfiable { what: reasons.join(" / ") };
        }
        let tail: Vec<String> = lines.iter().rev().map(cut).filter(|line| !line.is_empty()).take(2).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join(" / ");
        Self::Other { code, tail: if tail.is_empty() { "it said nothing".to_owned() } else { tail } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spack_prints_last_is_understood() {
        let of = |text: &str| ConcretizeFault::of(1, &text.lines().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(
            of("==> Error: Package 'nope' not found.\nYou may need to run 'spack clean -m'."),
            ConcretizeFault::UnknownPackage { name: "nope".to_owned() }
        );
        let unsat = of(
            "==> Error: failed to concretize `hdf5@99` for the following reasons:\n     1. Cannot satisfy 'hdf5@99'",
        );
        assert!(
            matches!(&unsat, ConcretizeFault::Unsatisfiable { what } if what.contains("Cannot satisfy")),
            "{unsat}"
        );
        assert!(matches!(of(""), ConcretizeFault::Other { code: 1, .. }));
    }
}
