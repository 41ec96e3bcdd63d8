//! What true tools printed when a server refused, failed, fell silent or hung up: captured, hosts and paths replaced.

use super::{Case, script};

pub const CASES: &[Case] = &[
    script("network_error", "copy", "curl: (22) The requested URL returned error: 404"),
    script("network_error", "copy", "http://files.example.org/a.tgz:\n2026-11-24 04:01:09 ERROR 404: Not Found."),
    script("network_error", "copy", "fatal: repository 'http://files.example.org/a.git/' not found"),
    script(
        "network_error",
        "copy",
        "raise HTTPError(req.full_url, code, msg, hdrs, fp)\nurllib.error.HTTPError: HTTP Error 404: Not Found",
    ),
    script(
        "network_error",
        "copy",
        "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: http://files.example.org/a",
    ),
    script(
        "network_error",
        "build",
        "error: failed to get `acmefoo` as a dependency of package `demo v0.1.0 (/b/cargo-404)`\nCaused by:",
    ),
    script(
        "network_error",
        "copy",
        "http://files.example.org/a.tgz:\n2026-11-24 04:01:17 ERROR 429: Too Many Requests.",
    ),
    script(
        "network_error",
        "copy",
        "fatal: unable to access 'http://files.example.org/a.git/': The requested URL returned error: 429",
    ),
    script(
        "network_error",
        "copy",
        "raise HTTPError(req.full_url, code, msg, hdrs, fp)\nurllib.error.HTTPError: HTTP Error 429: Too Many Requests",
    ),
    script(
        "network_error",
        "copy",
        "requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: http://files.example.org/a",
    ),
    script("5XX", "copy", "http://files.example.org/a.tgz:\n2026-11-24 04:01:33 ERROR 503: Service Unavailable."),
    script(
        "5XX",
        "copy",
        "raise HTTPError(req.full_url, code, msg, hdrs, fp)\nurllib.error.HTTPError: HTTP Error 503: Service Unavailable",
    ),
    script(
        "5XX",
        "copy",
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: http://files.example.org/a",
    ),
    script(
        "5XX",
        "build",
        "failed to get successful HTTP response from `http://files.example.org/index/config.json` (192.0.2.7), got 503\nbody:",
    ),
    script("network_timeout", "copy", "curl: (28) Operation timed out after 4001 milliseconds with 0 bytes received"),
    script("network_timeout", "copy", "Read error (Connection timed out) in headers."),
    script(
        "network_timeout",
        "copy",
        "fatal: unable to access 'http://files.example.org/a.git/': Operation too slow. Less than 100 bytes/sec transferred the last 4 seconds",
    ),
    script("network_timeout", "copy", "^^^^^^^^^^^^^^^^^^^^^^^\nTimeoutError: timed out"),
    script(
        "network_timeout",
        "build",
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'ReadTimeoutError(\"HTTPConnectionPo\nERROR: Could not find a version that satisfies the requirement acmefoo==1.0 (from versions: none)",
    ),
    script(
        "network_timeout",
        "build",
        "[28] Timeout was reached (Operation too slow. Less than 10 bytes/sec transferred the last 4 seconds)",
    ),
    script("network_error", "copy", "curl: (56) Recv failure: Connection reset by peer"),
    script("network_error", "copy", "Read error (Connection reset by peer) in headers."),
    script(
        "network_error",
        "copy",
        "fatal: unable to access 'http://files.example.org/a.git/': Recv failure: Connection reset by peer",
    ),
    script(
        "network_error",
        "copy",
        "^^^^^^^^^^^^^^^^^^^^^^^\nConnectionResetError: [Errno 104] Connection reset by peer",
    ),
    script(
        "network_error",
        "build",
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'ProtocolError('Connection aborted.\nERROR: Could not find a version that satisfies the requirement acmefoo==1.0 (from versions: none)",
    ),
    script(
        "network_error",
        "build",
        "[56] Failure when receiving data from the peer (Recv failure: Connection reset by peer)",
    ),
    script(
        "network_error",
        "copy",
        "upload failed: ./run.py to s3://b/x Connection was closed before we received a valid response from endpoint URL: \"http://files.example.org/b/x\".",
    ),
    script("network_error", "copy", "curl: (18) transfer closed with 895000 bytes remaining to read"),
    script(
        "network_error",
        "copy",
        "fatal: unable to access 'http://files.example.org/a.git/': transfer closed with 895000 bytes remaining to read",
    ),
    script(
        "network_error",
        "copy",
        "http.client.IncompleteRead: IncompleteRead(5000 bytes read, 895000 more expected)",
    ),
    script("network_error", "build", "[18] Transferred a partial file (end of response with 895000 bytes missing)"),
    script("network_error", "copy", "curl: (52) Empty reply from server"),
    script("network_error", "copy", "No data received."),
    script(
        "network_error",
        "copy",
        "fatal: unable to access 'http://files.example.org/a.git/': Empty reply from server",
    ),
    script(
        "remote_disconnect",
        "copy",
        "http.client.RemoteDisconnected: Remote end closed connection without response",
    ),
    script("network_error", "build", "[52] Server returned nothing (no headers, no data) (Empty reply from server)"),
    script(
        "network_error",
        "copy",
        "curl: (7) Failed to connect to 192.0.2.7 port 443 after 0 ms: Couldn't connect to server",
    ),
    script("network_error", "copy", "failed: Connection refused."),
    script(
        "network_error",
        "copy",
        "sock.connect(sa)\nConnectionRefusedError: [Errno 111] Connection refused\nDuring handling of the above exception, another exception occurred:",
    ),
    script(
        "network_error",
        "build",
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.u\nERROR: Could not find a version that satisfies the requirement acmefoo==1.0 (from versions: none)",
    ),
    script(
        "network_error",
        "build",
        "npm warn Unknown user config \"nodedir\". This will stop working in the next major version of npm. See `npm help npmrc` for supported config options.\nnpm error code ECONNREFUSED\nnpm error syscall connect",
    ),
    script(
        "network_error",
        "build",
        "[7] Could not connect to server (Failed to connect to 192.0.2.7 port 443 after 0 ms: Could not connect to server)",
    ),
    script(
        "network_error",
        "copy",
        "upload failed: ./run.py to s3://b/x Could not connect to the endpoint URL: \"http://files.example.org/b/x\"",
    ),
    script("dns_error", "copy", "curl: (6) Could not resolve host: files.example.org"),
    script("dns_error", "copy", "wget: unable to resolve host address ‘files.example.org’"),
    script(
        "dns_error",
        "copy",
        "fatal: unable to access 'http://files.example.org/a.git/': Could not resolve host: files.example.org",
    ),
    script(
        "dns_error",
        "copy",
        "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\nsocket.gaierror: [Errno -2] Name or service not known\nDuring handling of the above exception, another exception occurred:",
    ),
    script("dns_error", "build", "[6] Could not resolve hostname (Could not resolve host: files.example.org)"),
    script(
        "network_error",
        "copy",
        "curl: (60) SSL certificate problem: self-signed certificate\nMore details here: https://curl.se/docs/sslcerts.html",
    ),
    script(
        "network_error",
        "copy",
        "ERROR: The certificate of ‘localhost’ is not trusted.\nERROR: The certificate of ‘localhost’ doesn't have a known issuer.",
    ),
    script(
        "network_error",
        "copy",
        "fatal: unable to access 'https://files.example.org/a.git/': server certificate verification failed. CAfile: /etc/ssl/certs/ca-certificates.crt CRLfile",
    ),
    script(
        "network_error",
        "copy",
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)\nDuring handling of the above exception, another exception occurred:",
    ),
    script(
        "network_error",
        "build",
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'SSLError(SSLCertVerificationError(\nCould not fetch URL https://files.example.org/simple/acmefoo/: There was a problem confirming the ssl certificate: HTTPSConnectionPool(host='localhost",
    ),
    script(
        "network_error",
        "build",
        "[60] SSL peer certificate or SSH remote key was not OK (SSL certificate problem: self-signed certificate)",
    ),
];
