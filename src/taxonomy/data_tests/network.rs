//! Names, connections, servers, git and clouds.

use super::{Case, script, system};

pub const CASES: &[Case] = &[
    script("dns_error", "build", "curl: (6) Could not resolve host: mirror.acme.example"),
    script(
        "dns_error",
        "copy",
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
    ),
    script(
        "dns_error",
        "build",
        "go: github.com/pkg/errors@v0.9.1: Get \"https://proxy.golang.org/x\": dial tcp: lookup proxy.golang.org on 10.0.0.10:53: server misbehaving",
    ),
    script(
        "dns_error",
        "build",
        "ssh: Could not resolve hostname github.com: Name or service not known\nfatal: Could not read from remote repository.",
    ),
    script(
        "network_timeout",
        "build",
        "==> Error: FetchError: All fetchers failed for spack-stage-foo-1.0-abc\n        https://a.example/foo.tgz: TimeoutError: The read operation timed out",
    ),
    script(
        "network_timeout",
        "copy",
        "curl: (28) Failed to connect to a.example port 443 after 131072 ms: Connection timed out",
    ),
    script(
        "network_timeout",
        "rebuild-index",
        "botocore.exceptions.ReadTimeoutError: Read timeout on endpoint URL: \"https://b.s3.amazonaws.com/\"",
    ),
    script("network_error", "build", "curl: (56) OpenSSL SSL_read: Connection reset by peer, errno 104"),
    script("network_error", "copy", "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to a.example:443"),
    script(
        "network_error",
        "build",
        "==> Error: FetchError: All fetchers failed for spack-stage-foo-1.0-abc\n        https://a.example/foo.tgz: DetailedHTTPError: GET https://a.example/foo.tgz returned 403: Forbidden",
    ),
    script(
        "network_error",
        "generate",
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)",
    ),
    script(
        "network_error",
        "build",
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/wheel/\nERROR: Could not find a version that satisfies the requirement wheel (from versions: none)\nERROR: No matching distribution found for wheel",
    ),
    script(
        "remote_disconnect",
        "copy",
        "urllib3.exceptions.ProtocolError: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
    ),
    script(
        "remote_disconnect",
        "build",
        "        https://a.example/x.tgz: RemoteDisconnected: Remote end closed connection without response",
    ),
    script(
        "5XX",
        "rebuild-index",
        "==> Error: DetailedHTTPError: GET https://a.example/index.json returned 500: Internal Server Error",
    ),
    script(
        "5XX",
        "copy",
        "botocore.exceptions.ClientError: An error occurred (503) when calling the HeadObject operation (reached max retries: 4): Service Unavailable",
    ),
    script("5XX", "build", "requests.exceptions.HTTPError: 502 Server Error: Bad Gateway for url: https://a.example/x"),
    script(
        "gitlab_down",
        "build",
        "fatal: unable to access 'https://gitlab.spack.io/spack/spack-packages.git/': Failed to connect to gitlab.spack.io port 443 after 130841 ms: Couldn't connect to server",
    ),
    script(
        "gitlab_down",
        "generate",
        "fatal: unable to access 'https://gitlab-ci-token:[MASKED]@gitlab.spack.io/spack/spack.git/': The requested URL returned error: 503",
    ),
    script(
        "github_down",
        "build",
        "Cloning into 'spack'...\nfatal: unable to access 'https://github.com/spack/spack.git/': The requested URL returned error: 500",
    ),
    script(
        "github_down",
        "generate",
        "fatal: unable to access 'https://github.com/spack/spack-packages/': Failed to connect to github.com port 443: Connection timed out",
    ),
    script(
        "rpc_failure",
        "build",
        "error: RPC failed; HTTP 504 curl 22 The requested URL returned error: 504\nfatal: the remote end hung up unexpectedly",
    ),
    script(
        "rpc_failure",
        "generate",
        "error: RPC failed; curl 56 GnuTLS recv error (-9): Error decoding the received TLS packet.\nfatal: fetch-pack: invalid index-pack output",
    ),
    script("ref_not_found", "generate", "fatal: couldn't find remote ref refs/heads/pr123_fix"),
    script(
        "ref_not_found",
        "build",
        "warning: Could not find remote branch pr77_x to clone.\nfatal: Remote branch pr77_x not found in upstream origin",
    ),
    script(
        "aws_access_denied",
        "copy",
        "upload failed: ./a to s3://bucket/a An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
    ),
    script(
        "aws_access_denied",
        "rebuild-index",
        "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the ListObjectsV2 operation: The AWS Access Key Id you provided does not exist in our records.",
    ),
    script(
        "oidc_certificate_expired",
        "build",
        "An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
    ),
    script(
        "oidc_certificate_expired",
        "copy",
        "botocore.errorfactory.InvalidIdentityTokenException: An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
    ),
    system(
        "network_error",
        "ERROR: Job failed (system failure): prepare environment: setting up credentials: Post \"https://10.0.0.1:443/api/v1/namespaces/ci/secrets\": read tcp 10.1.1.1:3->10.0.0.1:443: read: connection reset by peer",
    ),
    system(
        "dns_error",
        "ERROR: Job failed (system failure): prepare environment: Post \"https://k8s.acme.example/api\": dial tcp: lookup k8s.acme.example: no such host",
    ),
];
