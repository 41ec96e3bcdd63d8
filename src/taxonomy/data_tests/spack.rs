//! What Spack says.

use super::{Case, script};

pub const CASES: &[Case] = &[
    script(
        "concretization_error",
        "generate",
        "==> Error: concretization failed for the following reasons:\n\n   1. Cannot satisfy 'zlib@:1.2' and 'zlib@1.3:'",
    ),
    script(
        "concretization_error",
        "generate",
        "spack.solver.asp.InternalConcretizerError: Spack concretizer internal error. Please submit a bug report",
    ),
    script(
        "concretization_error",
        "generate",
        "spack.variant.UnknownVariantError: trying to set variant 'nope' in package 'foo', but the package has no such variant",
    ),
    script("concretization_error", "build", "spack.error.UnsatisfiableSpecError: foo@2 does not satisfy foo@1"),
    script(
        "concretization_error",
        "generate",
        "==> Error: Package foo depends on bar, but bar cannot have a dependency on itself",
    ),
    script("no_binary_for_spec", "build", "==> Error: No binary found when cache-only was specified"),
    script(
        "no_binary_for_spec",
        "build",
        "==> Error: InstallError: No binary for foo-1.0-abcdefg found when cache-only specified",
    ),
    script(
        "db_match",
        "build",
        "==> Error: Expected database version 7 but found version 8 in /opt/.spack-db/index.json. `spack reindex` may fix this.",
    ),
    script("db_match", "generate", "spack.store.MatchError: Spec matches no installed packages: foo"),
    script(
        "db_hash",
        "build",
        "spack.database.CorruptDatabaseError: Expected database index keyed by dag hash, got abc",
    ),
    script("db_hash", "rebuild-index", "==> Error: Expected database index keyed by hash, got zzz"),
    script("no_spec", "build", "==> Error: No installed spec matches the hash: 'abcdefghijklmnopqrstuvwxyz234567'"),
    script(
        "no_spec",
        "build",
        "spack.spec.InvalidHashError: No spec with hash abcdefg could be found to match foo/abcdefg. Either the hash does not exist, or it does not match other spec constraints.",
    ),
    script(
        "failed_to_get_specs",
        "rebuild-index",
        "==> Error: Unable to generate package index: Failed to get list of entries from s3://bucket/pr1/e4s",
    ),
    script(
        "failed_to_get_specs",
        "rebuild-index",
        "spack.binary_distribution.GenerateIndexError: Unable to generate package index: Failed to get list of specs from https://a.example/m",
    ),
    script(
        "invalid_pipeline_yaml",
        "generate",
        "==> Error: /builds/x/stacks/a/spack.yaml:12: {'spec': 'x'} is not valid under any of the given schemas",
    ),
    script(
        "invalid_pipeline_yaml",
        "generate",
        "==> Error: stacks/a/spack.yaml:9: 'definitions' is not of type 'array'",
    ),
    script(
        "pipeline_generation",
        "generate",
        "==> Error: Pipeline generation failed due to the presence of the following specs that are known to be broken in develop:\n    foo@1",
    ),
    script(
        "pipeline_generation",
        "generate",
        "spack.ci.common.SpackCIError: Pipeline generation failed: stack has no specs to build",
    ),
    script("spack_root", "generate", "==> Error: SPACK_ROOT must be set!"),
    script("spack_root", "build", "==> Error: SPACK_ROOT points to /builds/x, which holds no Spack"),
    script(
        "setup_env",
        "generate",
        "/bin/bash: line 170: /builds/x/spack/share/spack/setup-env.sh: No such file or directory",
    ),
    script("setup_env", "build", "sh: 55: .: cannot open /spack/share/spack/setup-env.sh: No such file"),
    script("write_lock_timeout", "build", "spack.llnl.util.lock.LockTimeoutError: Timed out waiting for a write lock."),
    script(
        "write_lock_timeout",
        "generate",
        "==> Error: Timed out waiting for a read lock after 3.001s and 41 attempts on file: /opt/.spack-db/prefix_lock",
    ),
    script(
        "reloc_path_too_long",
        "build",
        "spack.relocate_text.CannotGrowString: Cannot replace b'/a' with b'/aa' because the new prefix is longer.",
    ),
    script(
        "reloc_path_too_long",
        "build",
        "==> Error: Failed to install foo due to CannotGrowString: Cannot replace b'/x' with b'/xy'. To fix this, compile with more padding or install to a shorter prefix",
    ),
    script("deprecated_stack_bug", "build", "==> Error: Mirror with name mirror_override already exists."),
    script(
        "deprecated_stack_bug",
        "generate",
        "$ spack mirror add mirror_override s3://x\n==> Error: Mirror with name mirror_override already exists.",
    ),
    script(
        "bootstrap_patchelf_failure",
        "build",
        "==> Error: cannot bootstrap any of the patchelf executables from any of the configured sources",
    ),
    script(
        "bootstrap_patchelf_failure",
        "build",
        "RuntimeError: cannot bootstrap any of the patchelf executables from:\n\tgithub-actions-v0.5 raised FetchError: x",
    ),
    script(
        "spack_error",
        "build",
        "==> Error: AttributeError: module 'spack.util.web' has no attribute 'read'\n\n/repos/foo/package.py:8, in install:",
    ),
    script("spack_error", "build", "spack.error.InstallError: Install failed for foo. Nothing was installed!"),
    script(
        "spack_error",
        "generate",
        "==> Error: cannot load package 'foo' from the 'builtin' repository: invalid syntax (package.py, line 3)",
    ),
    script(
        "spack_error",
        "build",
        "3 out of 5 hunks FAILED -- saving rejects to file CMakeLists.txt.rej\n==> Patch https://a.example/x.patch failed.",
    ),
    script(
        "checksum_mismatch",
        "build",
        "==> Error: sha256 checksum failed for /tmp/stage/foo-1.0.tar.gz\n    Expected abc but got def. File size = 196 bytes.",
    ),
    script(
        "checksum_mismatch",
        "build",
        "==> Error: FetchError: All fetchers failed for spack-stage-foo-1.0-abc\n        https://a.example/foo.tgz: ChecksumError: sha256 checksum failed for /tmp/foo.tgz",
    ),
    script(
        "module_not_found",
        "generate",
        "  File \"/b/spack/lib/spack/spack/main.py\", line 4, in <module>\nModuleNotFoundError: No module named 'jsonschema'",
    ),
    script(
        "module_not_found",
        "copy",
        "  File \"/b/.ci/scripts/copy.py\", line 9, in <module>\n    import requests\nModuleNotFoundError: No module named 'requests'",
    ),
    script(
        "gpg_fail_open_files",
        "sign-pkgs",
        "gpg: can't open '/mnt/keys/signing.gpg': No such file or directory\ngpg: import from '/mnt/keys/signing.gpg' failed: No such file or directory",
    ),
    script("gpg_fail_open_files", "sign-pkgs", "gpg: can't open '/tmp/reputational.pub': Permission denied"),
    script(
        "gpg_no_valid_ids",
        "sign-pkgs",
        "gpg: key 0123456789ABCDEF: no valid user IDs\ngpg: this may be caused by a missing self-signature\ngpg: Total number processed: 1\ngpg:           w/o user IDs: 1",
    ),
    script(
        "gpg_no_valid_ids",
        "sign-pkgs",
        "gpg: key ABCDEF0123456789: no valid user IDs\ngpg: Total number processed: 2",
    ),
];
