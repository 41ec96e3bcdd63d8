//! Jobs that passed although they look bad, and failures that have no class yet.

use super::{Case, script, system};

const fn good(body: &'static str) -> Case {
    Case { want: "success", kind: "build", reason: "", exit_code: 0, body }
}

pub const CASES: &[Case] = &[
    good(
        "curl: (6) Could not resolve host: a.example\n==> Fetching https://b.example/x\n==> Pushed foo@1/abc to s3://b",
    ),
    good("configure: WARNING: cannot find -lfoo\nchecking whether ld supports x... no"),
    good("test_oom: virtual memory exhausted: Cannot allocate memory ... ok\n100% tests passed"),
    good("==> Warning: Timed out waiting for a write lock; trying again"),
    good("CMake Error: try_compile failed (expected)\n-- Configuring done"),
    good("fatal: Remote branch nope not found in upstream origin\nUsing develop"),
    good("FAILED (expected failures=3)"),
    good("ERROR: Job failed: see ticket\n==> foo: Successfully installed foo-1"),
    script("unknown", "copy", "OSError: [Errno 116] Stale file handle: '/spack/opt/x'"),
    script(
        "unknown",
        "build",
        "/spack/bin/tool: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /spack/bin/tool)",
    ),
    script(
        "unknown",
        "copy",
        "upload failed: An error occurred (SlowDown) when calling the PutObject operation (reached max retries: 4): Please reduce your request rate.",
    ),
    script(
        "unknown",
        "build",
        "An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: Couldn't retrieve verification key from your identity provider",
    ),
    system(
        "unknown",
        "ERROR: Job failed (system failure): pod \"ci/runner-a-0\" is disrupted: reason \"EvictionByEvictionAPI\", message \"Eviction API: evicting\"",
    ),
    system(
        "unknown",
        "ERROR: Job failed (system failure): pod \"ci/r-0\" is disrupted: reason \"TerminationByKubelet\", message \"The node was low on resource: memory. \"",
    ),
    script("unknown", "rebuild-index", "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
    script("unknown", "dotenv", "write_dotenv.py: FAILED\nsha256sum: WARNING: 1 computed checksum did NOT match"),
    script("unknown", "sign-pkgs", "gpg: signing failed: No secret key"),
    Case {
        want: "unknown",
        kind: "build",
        reason: "script_failure",
        exit_code: 100,
        body: "==> Error: Failed to push foo@1/abc to https://b.example",
    },
    Case {
        want: "unknown",
        kind: "build",
        reason: "script_failure",
        exit_code: 132,
        body: "bash: line 3: 99 Illegal instruction     (core dumped) foo",
    },
    script(
        "unknown",
        "build",
        "==> Error: TestFailure: 1 test failed.\n\nCommand exited with status 1: 'foo' '--version'",
    ),
];
