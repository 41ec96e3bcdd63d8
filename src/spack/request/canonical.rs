//! Whether two texts ask for the same abstract spec.
//!
//! A manifest holds what a person wrote (`trilinos +ml +amesos target=x86_64_v3`), a lock what Spack prints for it
//! (`trilinos+amesos+ml arch=None-None-x86_64_v3`). Nothing is resolved or looked up.

use super::ask::Asked;
use super::read::read;

/// The form in which equal requests are equal. It is only good for comparing.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Canonical {
    Asked(Box<Asked>),
    /// A text outside of the grammar is equal to itself, however it is spaced.
    Text(String),
}

pub fn canonical(text: &str) -> Canonical {
    match read(text) {
        // What cannot be judged can still be compared.
        Ok(reading) => Canonical::Asked(Box::new(reading.asked)),
        Err(_) => Canonical::Text(text.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_equals_what_spack_prints() {
        for (written, printed) in [
            ("zlib", " zlib "),
            ("trilinos +ml -epetra  +amesos gotype=long_long", "trilinos+amesos~epetra+ml gotype=long_long"),
            ("py-h5py@3.1 -mpi", "py-h5py@3.1~mpi"),
            ("julia ^llvm ~clang targets=nvptx,amdgpu", "julia ^llvm~clang targets=amdgpu,nvptx"),
            ("axom %gcc@12 ^hdf5+mpi ^conduit", "axom%gcc@12 ^conduit ^hdf5+mpi"),
            ("zlib cflags=\"-O2 -g\"", "zlib cflags='-O2 -g'"),
            ("kokkos-fft +tests host_backend=fftw-openmp", "kokkos-fft+tests host_backend=fftw-openmp"),
            ("hdf5 mpi=True", "hdf5+mpi"),
            ("hdf5 target=x86_64_v3", "hdf5 arch=None-None-x86_64_v3"),
            ("hdf5 arch=linux-debian12-x86_64_v3", "hdf5 platform=linux os=debian12 target=x86_64_v3"),
            ("hdf5 target=x86_64_v3:", "hdf5 arch=None-None-x86_64_v3:"),
            ("gcc@12,13", "gcc@12:13"),
            ("hdf5 %clang", "hdf5 %llvm"),
            ("hdf5 %c,cxx=gcc", "hdf5 %[virtuals=cxx,c] gcc"),
            ("hdf5 %[when=+fortran] gcc", "hdf5 %[when='+fortran'] gcc"),
            ("hdf5 $broken  x", "hdf5 $broken x"),
        ] {
            assert_eq!(canonical(written), canonical(printed), "{written}");
        }
    }

    #[test]
    fn different_requests_stay_different() {
        let texts = [
            "hdf5",
            "hdf5+mpi",
            "hdf5~mpi",
            "hdf5++mpi",
            "hdf5@1.14",
            "hdf5@=1.14",
            "hdf5 ^mpi",
            "hdf5 %mpi",
            "hdf5 mpi=yes",
            "hdf5 mpi:=yes",
            "hdf5-mpi",
            "mpi ^hdf5",
            "a ^b+x",
            "a+x ^b",
            "a %b ^c",
            "a ^c %b",
            "x=a,b",
            "x=a y=b",
            "",
            "^hdf5",
            "%hdf5",
            "hdf5 target=x86_64_v3:",
            "hdf5 target=x86_64_v3",
            "hdf5 %[when=+mpi] gcc",
            "hdf5 %gcc",
            "hdf5 cflags=-O2",
            "hdf5 cflags==-O2",
            "hdf5@git.main",
            "hdf5@main",
            "hdf5 $a",
            "hdf5 $b",
        ];
        for (i, a) in texts.iter().enumerate() {
            for b in &texts[..i] {
                assert_ne!(canonical(a), canonical(b), "{a} / {b}");
            }
        }
    }
}
