//! The ways in which jobs fail, each with a real log text.
//!
//! The texts are embedded job logs of known cause. When a job fails, the text is put into its mouth: package, version, hash, stack, branch,
//! runner and times become the job's own; the lines that tell the cause stay as they are.

use std::io::Read;

use super::plan::Role;

/// One way to fail.
#[derive(Debug)]
pub struct Mishap {
    /// What a careful on-call person calls it.
    pub cause: &'static str,
    /// A retry will probably succeed.
    pub transient: bool,
    /// Which jobs it can happen to.
    pub role: Role,
    pub reason: &'static str,
    pub exit_code: Option<i32>,
    gzip: &'static [u8],
    /// What the text was about when it was written: package, version, hash, stack.
    pub about: (&'static str, &'static str, &'static str, &'static str),
}

impl Mishap {
    /// The text as it was written, about another job.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match flate2::read::GzDecoder::new(self.gzip).read_to_string(&mut text) {
            Ok(_) => text,
            Err(error) => format!("(the embedded log of {} is damaged: {error})\n", self.cause),
        }
    }
}

macro_rules! mishaps {
    ($($file:literal $cause:literal $transient:literal $role:ident $reason:literal $exit:expr,
       $package:literal $version:literal $hash:literal $stack:literal;)*) => {
        &[$(Mishap {
            cause: $cause,
            transient: $transient,
            role: Role::$role,
            reason: $reason,
            exit_code: $exit,
            gzip: include_bytes!(concat!("data/logs/", $file, ".gz")),
            about: ($package, $version, $hash, $stack),
        }),*]
    };
}

/// All ways to fail, told apart by their place in this list.
pub const MISHAPS: &[Mishap] = mishaps! {
    "19063105" "5XX" true Build "script_failure" Some(1), "papi" "7.1.0" "km5gwjy542mpubq7hx75ajhsmplhwni2" "hep";
    "22600470" "spot_reclamation" true Build "runner_system_failure" None, "gromacs" "2025.1" "xblphjewwvxnzkngv4kkw5dipaxjxbvx" "data-vis-sdk";
    "18698884" "network_error" true Build "script_failure" Some(1), "upcxx" "2023.9.0" "r6ucsly4hcozo52wqrgliethorw7h5no" "build_systems";
    "22524609" "pod_failed" true Build "runner_system_failure" None, "mfem" "4.7.0" "diybfoqazsinym46azr6xm4jf3izzq22" "e4s";
    "22897214" "remote_disconnect" true Build "script_failure" Some(1), "superlu-dist" "9.1.0" "xn2krnvag2ulchu6onbbttbspjebrsfp" "e4s-neoverse-v2";
    "20094235" "write_lock_timeout" true Build "script_failure" Some(1), "exago" "1.6.0" "xynfiviruuhzofxyqxpnptaabadqfgsm" "e4s-neoverse-v2";
    "18104553" "image_pull" true Build "runner_system_failure" None, "trilinos" "16.1.0" "ave7jsqacoqtaoe35dfyxk7h4gwm5bar" "build_systems";
    "22741762" "pod_not_found" true Build "runner_system_failure" None, "papi" "7.1.0" "jfysmyjgvx3hnbare6biyrlqyrn7xyoq" "e4s-rocm-external";
    "18706384" "gitlab_down" true Build "script_failure" Some(1), "slate" "2024.10.29" "2accjpokmgjb4aynx3z6vmc4tymtkp46" "e4s-rocm-external";
    "22672981" "stuck_or_timeout_failure" true Build "stuck_or_timeout_failure" None, "py-numpy" "2.2.5" "mhy7bass3u5d377aefkhge72oulyj6o4" "e4s-neoverse-v2";
    "21072156" "dial_backend" true Build "runner_system_failure" None, "raja" "2024.07.0" "lcexqko7znvyuka6p73to36gt2gthvj7" "windows-vis";
    "19603626" "ephemeral_storage" true Build "runner_system_failure" None, "slate" "2024.10.29" "4xghi7hrtxmsrruypxlh5dxmtwzvz7il" "hep";
    "18010125" "aborted_terminated" true Build "runner_system_failure" None, "petsc" "3.23.1" "c4pf4bjwd7thrjqo6ul25wckvqhz2qwt" "build_systems";
    "20776318" "no_space" true Build "script_failure" Some(1), "hdf5" "1.14.5" "rkxadpuwgz5ib5eiiughjauqx4drjsu4" "e4s-neoverse-v2";
    "19294670" "oom" true Build "script_failure" Some(1), "trilinos" "16.1.0" "omou2uygla3znuux7u6nk6v5ud2qvrz7" "aws-pcluster-x86_64_v4";
    "22378722" "buildcache_push" true Build "script_failure" Some(100), "mfem" "4.7.0" "lnbasd4toehvyoyo7vmodqrcijg3jp34" "radiuss";
    "18667741" "build_error" false Build "script_failure" Some(1), "petsc" "3.23.1" "h4mwxlepb4abor6badnmxkoxa4jhxcr3" "hep";
    "19250852" "build_error" false Build "script_failure" Some(1), "libxml2" "2.13.5" "obuo6g67yuvz3rchadnrok3ll2fdfyyf" "radiuss";
    "19564884" "build_error" false Build "script_failure" Some(1), "vtk-m" "2.2.0" "4hkqe64zvj675ic3jybqecyuzqock4ed" "hep";
    "18107219" "build_error" false Build "script_failure" Some(1), "visit" "3.4.2" "nkdwdkiparifa57h5et3iefwlbxhkvmt" "ml-linux-x86_64-cuda";
    "22711706" "build_error" false Build "script_failure" Some(1), "hypre" "2.33.0" "qvstdzgxkpx2mk2ctzoq4duvcdnflasx" "aws-pcluster-x86_64_v4";
    "19897931" "cmd_not_found" false Build "script_failure" Some(1), "exago" "1.6.0" "isqx6m7uhpi4rtfumcdxywkd5d2phyvs" "e4s-rocm-external";
    "21416050" "build_error" false Build "script_failure" Some(1), "py-torch" "2.7.0" "m7yjktwv4mwurkqkqmue6rfmkj7lzh6k" "windows-vis";
    "22831954" "illegal_instruction" false Build "script_failure" Some(132), "py-numpy" "2.2.5" "dorrrqo4rdvym4kkh4ryy3gtf5fgcl7y" "build_systems";
    "22392121" "spack_error" false Build "script_failure" Some(1), "raja" "2024.07.0" "dwyenwkkgp2t2iselw4nzja3fukptnpj" "developer-tools-aarch64-linux-gnu";
    "20612897" "limit_exceeded" false Build "script_failure" None, "py-torch" "2.7.0" "fmngghjd2ebumhm2czzw4eucxhgqqa55" "ml-linux-x86_64-cuda";
    "22082392" "reloc_path_too_long" false Build "script_failure" Some(1), "raja" "2024.07.0" "ryj7a7js6er6frswskglgnwdyomwrv4s" "hep";
    "19079930" "concretization_error" false Generate "script_failure" Some(1), "kokkos" "4.6.01" "2n5dk5wankni2jpumx57xh67d7cbug7x" "developer-tools-aarch64-linux-gnu";
    "20358602" "concretization_error" false Generate "script_failure" Some(1), "slate" "2024.10.29" "xdusbncj4k6mllu7sgayr2mmtmexo7wp" "e4s";
    "21744421" "ref_not_found" false Generate "script_failure" Some(1), "vtk-m" "2.2.0" "55jexo2dpx44ffzwdktttdrwxp5llhes" "developer-tools-aarch64-linux-gnu";
    "18890392" "5XX" true Generate "script_failure" Some(1), "superlu-dist" "9.1.0" "5as5sps6twq2l6qphdz4hj6sh5524njs" "aws-pcluster-x86_64_v4";
    "20901704" "module_not_found" false Reindex "script_failure" Some(1), "papi" "7.1.0" "v7fgzprnqo4pe23nxlimzisqwkufoky5" "data-vis-sdk";
    "21802792" "truncated_index" true Reindex "script_failure" Some(1), "raja" "2024.07.0" "cfrrza74rndqww5lqpqckvpjlmmzcwcs" "radiuss";
    "20525809" "gpg_secret_key" true Sign "script_failure" Some(2), "py-numpy" "2.2.5" "jlhq7n6yhc37gq23sklrqku6bgwdfghf" "e4s-neoverse-v2";
    "22701780" "script_checksum" true Dotenv "script_failure" Some(1), "mfem" "4.7.0" "saoo7mjpfjjsobf34cmz72fsdgewqjh7" "tutorial";
};

/// A mishap's place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MishapId(u8);

impl MishapId {
    /// The first mishap of that cause.
    pub fn of_cause(cause: &str) -> Option<Self> {
        MISHAPS.iter().zip(0..).find(|(m, _)| m.cause == cause).map(|(_, i)| Self(i))
    }

    /// All mishaps that can happen to that role.
    pub fn all(role: Role, transient: bool) -> Vec<Self> {
        MISHAPS
            .iter()
            .zip(0..)
            .filter(|(m, _)| m.role == role && m.transient == transient)
            .map(|(_, i)| Self(i))
            .collect()
    }

    pub fn get(self) -> &'static Mishap {
        #[expect(clippy::indexing_slicing, reason = "ids are only made from the list itself")]
        &MISHAPS[self.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_about_what_the_table_says() {
        for mishap in MISHAPS {
            let text = mishap.text();
            assert!(text.contains("section_start:"), "{}", mishap.cause);
            let long_enough = text.len() > 8_000 && mishap.role == Role::Build;
            assert!(!long_enough || text.contains(mishap.about.2), "{}: another hash", mishap.cause);
        }
    }

    #[test]
    fn every_kind_of_job_can_fail_and_be_healed() {
        for role in [Role::Build, Role::Generate, Role::Reindex] {
            assert!(!MishapId::all(role, true).is_empty() && !MishapId::all(role, false).is_empty(), "{role:?}");
        }
        let reasons = crate::ci::ReasonFamily::Unknown;
        assert!(MISHAPS.iter().all(|m| crate::ci::FailureReason::new(m.reason).family() != reasons));
    }
}
