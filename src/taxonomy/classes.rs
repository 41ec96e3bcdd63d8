//! What is known about the classes of the production taxonomy, beyond their patterns.

use crate::taxonomy::{Owner, Transient};

/// One class: its title, who can mend it, whether trying again helps, and what to do.
#[derive(Debug)]
pub(super) struct Known {
    pub class: &'static str,
    pub title: &'static str,
    pub owner: Owner,
    pub transient: Transient,
    pub runbook: &'static str,
}

/// For classes that are not in the table.
pub(super) const STRANGER: Known = Known {
    class: "",
    title: "Imported class",
    owner: Owner::Unknown,
    transient: Transient::Unknown,
    runbook: "say what to do",
};

/// Finds a class.
pub(super) fn known(class: &str) -> Option<&'static Known> {
    CLASSES.iter().find(|known| known.class == class)
}

/// Finds a class by a name in any capitals; ids of rules have none.
pub(super) fn known_as(name: &str) -> Option<&'static Known> {
    CLASSES.iter().find(|known| known.class.eq_ignore_ascii_case(name))
}

/// Their names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().map(|known| known.class)
}

const fn row(
    class: &'static str,
    owner: Owner,
    transient: Transient,
    title: &'static str,
    runbook: &'static str,
) -> Known {
    Known { class, title, owner, transient, runbook }
}

const I: Owner = Owner::Infrastructure;
const P: Owner = Owner::Package;
const U: Owner = Owner::Upstream;
const S: Owner = Owner::SpackCore;
const Y: Transient = Transient::Yes;
const N: Transient = Transient::No;
const M: Transient = Transient::Maybe;

/// Where two share a class, the first of them is named: it looks first.
#[rustfmt::skip]
const CLASSES: &[Known] = &[
    row("oidc_certificate_expired", I, N, "AWS IAM OIDC thumbprint does not match GitLab's certificate",
        "update provider thumbprint, then bulk-retry"),
    row("dns_error", I, Y, "Name resolution failed", "check CoreDNS/node-local DNS; retry when it answers"),
    row("network_timeout", U, Y, "Read timed out (curl 28, sockets)",
        "check host status; retry with back-off; many hosts at once = our egress"),
    row("network_error", U, Y, "Network error: 404, reset, TLS, curl 6/22/60",
        "reset: retry; 404: URL is gone, package author"),
    row("job_log_missing", I, Y, "Trace could not be read or is empty", "check runner/trace storage; retry"),
    row("no_space", I, M, "ENOSPC on node or tmp",
        "find the node or volume; cordon it or raise the request, then retry"),
    row("invalid_pipeline_yaml", S, N, "Config does not fit the schema", "fix YAML in the PR"),
    row("checksum_mismatch", P, M, "Archive does not match sha256",
        "small or HTML file = truncated/rate-limited download: retry; same hash twice: re-released tarball"),
    row("concretization_error", P, N, "Solver cannot satisfy", "send to PR author / stack owner"),
    row("no_binary_for_spec", I, M, "Cache-only install without binary",
        "upstream job failed or index stale; fix that first"),
    row("db_match", S, N, "DB version or spec hash not in store", "clean store, check Spack version skew"),
    row("db_hash", S, N, "DB index keyed by another hash", "clean store, check Spack version skew"),
    row("no_spec", S, N, "Spec hash not found", "stale environment artifact; re-run generate"),
    row("failed_to_get_specs", I, N, "Index rebuild: nothing listed under prefix",
        "usually all upstream builds failed; look there"),
    row("ref_not_found", I, N, "Branch/ref gone", "PR force-pushed or closed; ignore or re-sync"),
    row("cmd_not_found", P, N, "A command was not found (status 127)", "missing build dependency or image tool"),
    row("module_not_found", S, N, "Python module missing",
        "in a package build: missing py dependency; in tooling: image"),
    row("setup_env", I, N, "setup-env.sh missing", "Spack checkout step failed or path changed"),
    row("spack_root", S, N, "SPACK_ROOT fault", "look at the environment of the job script"),
    row("write_lock_timeout", I, Y, "DB lock wait expired", "slow shared disk; retry; watch UO runners"),
    row("reloc_path_too_long", S, N, "Binary relocation longer than padding",
        "look at padded_length of the source job"),
    row("build_error", P, N, "Compiler/linker/configure fault seen by log parser",
        "package author; group by package and message"),
    row("spack_error", S, N, "Catch-all: reproduce hint, tracebacks, InstallError",
        "read the log for the cause; this class only says that something failed"),
    row("pipeline_generation", S, N, "Generate job failed", "config or package syntax in the PR"),
    row("killed", I, M, "The word \"Killed\" anywhere", "treat as oom if exit 137, else look"),
    row("deprecated_stack_bug", S, N, "mirror_override set twice", "rebase the branch"),
    row("aborted_terminated", I, Y, "Runner process got SIGTERM", "runner rollout; retry"),
    row("bootstrap_patchelf_failure", I, Y, "Bootstrap mirror failed", "check bootstrap mirror"),
    row("oom", I, M, "Exit code 137", "compare pod_max_mem with limit; raise request for the package; retry once"),
    row("gitlab_down", I, Y, "Git cannot reach gitlab.spack.io", "check GitLab health; wait, bulk-retry"),
    row("github_down", U, Y, "Git cannot reach github.com", "GitHub status page; bulk-retry later"),
    row("artifacts", I, Y, "Artifact upload/download failed", "GitLab object storage; 413 = size limit, no retry"),
    row("fatal", I, N, "Runner \"FATAL: invalid argument\"", "runner/helper version mismatch"),
    row("pod_exec", I, Y, "Docker exec instance lost", "retry; node's containerd"),
    row("pod_timeout", I, Y, "Pod did not start in time", "capacity: Karpenter, quotas, image size"),
    row("spot_reclamation", I, Y, "Node reclaimed", "retry; move long jobs to on-demand"),
    row("pod_cleanup", I, Y, "Pod could not be deleted", "API server slow; retry"),
    row("pod_not_found", I, Y, "Pod vanished", "node loss or eviction; retry"),
    row("pod_failed", I, Y, "Pod phase Failed", "read event: eviction, OOM, admission"),
    row("pod_invalid", I, N, "Spec rejected", "requests above limits in CI config"),
    row("helper_container_not_found", I, Y, "Helper container gone", "node loss; retry"),
    row("image_pull", I, Y, "Image cannot be pulled", "registry status, rate limit, typo in tag"),
    row("docker_daemon", I, Y, "No docker daemon", "restart host service (shell runners)"),
    row("docker_format", I, N, "Image of wrong architecture", "multi-arch manifest / tags"),
    row("rpc_failure", I, Y, "Git transfer broke", "retry"),
    row("dial_backend", I, Y, "API server cannot reach kubelet", "node or CNI; retry"),
    row("remote_disconnect", U, Y, "Peer closed HTTP connection", "retry"),
    row("aws_access_denied", I, N, "Key unknown or permission denied", "IAM/OIDC role, bucket policy; then bulk-retry"),
    row("nvidia_detection_error", I, M, "GPU runtime fault", "drain the GPU node"),
    row("execution_timeout", P, M, "The job took too long", "longer limit or bigger size; retry once"),
    row("5XX", U, Y, "HTTP server error", "retry with back-off"),
    row("gpg_fail_open_files", I, N, "gpg cannot open the key file", "key mount missing on the runner"),
    row("gpg_no_valid_ids", I, N, "Key without user id", "harmless line in many logs; check real cause"),
    row("unallowed_image", I, N, "Image not on allow list", "runner config or PR's image"),
    row("limit_exceeded", P, N, "Trace truncated at limit", "less verbose build; class of the cause is unknown"),
    row("sha256sum_not_found", I, N, "Tool missing in image", "add the tool to the image"),
    row("file_not_found", Owner::Unknown, N, "\"No such file or directory\" anywhere", "retire this class"),
    row("stuck_or_timeout_failure", I, Y, "Stuck or dropped by GitLab", "no runner with the tags / capacity"),
    row("scheduler_failure", I, Y, "Failure of GitLab's scheduler", "retry"),
];
