//! What the runner, Kubernetes, Docker and GitLab itself say.

use super::{Case, script, system};

pub const CASES: &[Case] = &[
    system(
        "aborted_terminated",
        "make[1]: Entering directory '/b'\nERROR: Job failed (system failure): aborted: interrupt",
    ),
    system(
        "aborted_terminated",
        "WARNING: Failed to process runner  runner stopping\nERROR: Job failed (system failure): aborted: terminated. Context canceled",
    ),
    script(
        "oom",
        "build",
        "[ 71%] Building CXX object a.cc.o\nc++: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.\ngmake[2]: *** [CMakeFiles/a.dir/build.make:76: a.cc.o] Error 1\n1 error found in build log:\n==> Error: ProcessError: Command exited with status 2:",
    ),
    Case {
        want: "oom",
        kind: "generate",
        reason: "script_failure",
        exit_code: 137,
        body: "==> Concretizing 212 specs\n/bin/bash: line 188:    71 Killed                  spack ci generate --output-file x.yml",
    },
    script(
        "oom",
        "build",
        "FAILED: lib/Target/foo.o\nclang++: error: unable to execute command: Killed\nclang++: error: clang frontend command failed due to signal (use -v to see invocation)\nninja: build stopped: subcommand failed.",
    ),
    script(
        "oom",
        "build",
        "collect2: fatal error: ld terminated with signal 9 [Killed]\ncompilation terminated.\nmake: *** [all] Error 1",
    ),
    script(
        "killed",
        "build",
        "/tmp/run.sh: line 12:  8123 Killed                  ./mkdata --all\n==> Error: ProcessError: Command exited with status 1:",
    ),
    script("killed", "copy", "Copying blobs\nKilled"),
    script(
        "artifacts",
        "build",
        "Uploading artifacts...\nERROR: Uploading artifacts as \"archive\" to coordinator... 413 Request Entity Too Large  id=1 responseStatus=413\nFATAL: too large\nERROR: Job failed: exit code 1",
    ),
    script(
        "artifacts",
        "build",
        "Downloading artifacts for generate (123)...\nERROR: Downloading artifacts from coordinator... not found  id=123 responseStatus=404 Not Found\nFATAL: permission denied\nERROR: Job failed: exit code 1",
    ),
    script("fatal", "build", "FATAL: invalid argument\nERROR: Job failed: command terminated with exit code 1"),
    system("fatal", "FATAL: invalid argument  \nERROR: Job failed: exit status 1"),
    system(
        "pod_exec",
        "ERROR: Job failed (system failure): Error response from daemon: No such exec instance: 0a1b (exec.go:78:0s)",
    ),
    system(
        "pod_exec",
        "ERROR: Job failed (system failure): Error response from daemon: No such exec instance: beef. Check the docs",
    ),
    system(
        "pod_timeout",
        "ERROR: Job failed (system failure): prepare environment: waiting for pod running: timed out waiting for pod to start. Check https://docs.gitlab.com/runner/shells/index.html#shell-profile-loading for more information",
    ),
    system(
        "pod_timeout",
        "ERROR: Job failed (system failure): prepare environment: Timeout occurred. Check https://docs.gitlab.com/",
    ),
    system(
        "spot_reclamation",
        "ERROR: Job failed (system failure): pod \"ci/runner-a-project-2-concurrent-0-x\" is disrupted: reason \"DeletionByPodGC\", message \"PodGC: node no longer exists\"",
    ),
    system(
        "spot_reclamation",
        "ERROR: Job failed (system failure): pod \"ci/runner-a-project-2-concurrent-0-x\" status is \"Failed\" (Pod was terminated in response to imminent node shutdown.)",
    ),
    system(
        "pod_cleanup",
        "ERROR: Error cleaning up pod: etcdserver: request timed out\nERROR: Job failed (system failure): cleanup",
    ),
    system(
        "pod_cleanup",
        "ERROR: Error cleaning up pod: Delete \"https://10.0.0.1:443/api/v1/namespaces/ci/pods/x\": context deadline exceeded",
    ),
    system(
        "pod_not_found",
        "ERROR: Job failed (system failure): getting pod details: pods \"runner-abc-project-9-concurrent-0-q\" not found",
    ),
    system(
        "pod_not_found",
        "==> foo: Executing phase: 'build'\nERROR: Job failed (system failure): pods \"runner-abc-0\" not found",
    ),
    system(
        "pod_failed",
        "ERROR: Job failed (system failure): prepare environment: waiting for pod running: pod status is failed",
    ),
    system(
        "pod_failed",
        "ERROR: Job failed (system failure): pod \"ci/runner-abc-0\" status is \"Failed\". Check https://docs.gitlab.com/",
    ),
    system(
        "pod_invalid",
        "ERROR: Job failed (system failure): prepare environment: setting up build pod: Pod \"runner-abc\" is invalid: spec.containers[0].image: Required value",
    ),
    system(
        "pod_invalid",
        "ERROR: Job failed (system failure): prepare environment: setting up build pod: Pod \"runner-q\" is invalid: [spec.containers[1].resources.requests: Invalid value: \"96Gi\": must be less than or equal to memory limit of 64Gi]",
    ),
    system(
        "helper_container_not_found",
        "ERROR: Job failed (system failure): prepare environment: setting up trapping scripts on emptyDir: container helper not found in pod ci/runner-abc",
    ),
    system(
        "helper_container_not_found",
        "ERROR: Job failed (system failure): unable to upgrade connection: container not found (\"helper\")",
    ),
    system(
        "image_pull",
        "WARNING: Failed to pull image with policy \"\": image pull failed: Back-off pulling image \"ghcr.io/acme/x:1\"\nERROR: Job failed: prepare environment: waiting for pod running: pulling image \"ghcr.io/acme/x:1\": image pull failed: Back-off pulling image \"ghcr.io/acme/x:1\"",
    ),
    system(
        "image_pull",
        "ERROR: Job failed (system failure): failed to pull image \"acme/x:1\" with specified policies [if-not-present]: Error response from daemon: manifest for acme/x:1 not found: manifest unknown (manager.go:250:1s)",
    ),
    system(
        "docker_daemon",
        "ERROR: Preparation failed: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running? (docker.go:858:0s)\nWill be retried in 3s ...\nERROR: Job failed (system failure): Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    ),
    script(
        "docker_daemon",
        "generate",
        "ERROR: Cannot connect to the Docker daemon at tcp://docker:2375. Is the docker daemon running?",
    ),
    script(
        "docker_format",
        "build",
        "standard_init_linux.go:228: exec user process caused: exec format error\nERROR: Job failed: exit code 1",
    ),
    script("docker_format", "generate", "exec /bin/bash: exec format error"),
    system(
        "dial_backend",
        "ERROR: Job failed (system failure): error dialing backend: dial tcp 10.1.2.3:10250: connect: connection refused",
    ),
    system(
        "dial_backend",
        "ERROR: Job failed (system failure): prepare environment: error dialing backend: dial tcp 10.1.2.3:10250: i/o timeout. Check https://docs.gitlab.com/",
    ),
    system(
        "nvidia_detection_error",
        "ERROR: Job failed (system failure): prepare environment: Error response from daemon: OCI runtime create failed: runc create failed: nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
    ),
    system(
        "nvidia_detection_error",
        "ERROR: Job failed (system failure): nvidia-container-cli: detection error: nvml error: unknown error: unknown",
    ),
    Case {
        want: "execution_timeout",
        kind: "build",
        reason: "job_execution_timeout",
        exit_code: 0,
        body: "==> foo: Executing phase: 'build'\nWARNING: step_script could not run to completion because the timeout was exceeded.\nERROR: Job failed: execution took longer than 2h0m0s seconds",
    },
    Case {
        want: "execution_timeout",
        kind: "build",
        reason: "server_timeout_running",
        exit_code: 0,
        body: "[ 3%] Building C object x.c.o",
    },
    system(
        "unallowed_image",
        "The \"docker.io/acme/tool:2\" image is not present on list of allowed images:\n- ghcr.io/spack/*\nERROR: Job failed: invalid image",
    ),
    system(
        "unallowed_image",
        "Please check runner's configuration\nThe \"alpine\" image is not present on list of allowed images\nERROR: Job failed: invalid image",
    ),
    script(
        "limit_exceeded",
        "build",
        "../a.c:1: warning: w\nJob's log exceeded limit of 4194304 bytes.\nJob execution will continue but no more output will be collected.",
    ),
    Case { want: "limit_exceeded", kind: "build", reason: "trace_size_exceeded", exit_code: 0, body: "[12/40] cc x.c" },
    Case {
        want: "stuck_or_timeout_failure",
        kind: "build",
        reason: "no_updates_running",
        exit_code: 0,
        body: "[12/40] cc x.c",
    },
    Case {
        want: "stuck_or_timeout_failure",
        kind: "build",
        reason: "stuck_pending_no_matching_runners",
        exit_code: 0,
        body: "",
    },
    Case { want: "scheduler_failure", kind: "copy", reason: "scheduler_failure", exit_code: 0, body: "" },
    Case {
        want: "scheduler_failure",
        kind: "build",
        reason: "scheduler_failure",
        exit_code: 0,
        body: "==> Fetching https://a.example/x",
    },
    Case {
        want: "job_log_missing",
        kind: "build",
        reason: "unknown_failure",
        exit_code: 0,
        body: "ERROR: Got 500 for https://gitlab.spack.io/api/v4/projects/2/jobs/1/trace",
    },
    Case {
        want: "job_log_missing",
        kind: "build",
        reason: "script_failure",
        exit_code: 0,
        body: "ERROR: Log File Empty",
    },
];
