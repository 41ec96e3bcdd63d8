#!/usr/bin/env python3
"""Lets stackhand read buckets of moto, an S3 server by people who never saw our client.

Usage: s3_check.py [STACKHAND]        (target/debug/stackhand without it)

A small mirror is made of the lock of the contract tests: a stack's root with its index, the top level above it, an old
root of layout 2, and keys that are hard to write down. What lies in the bucket lies in a folder too: every command
must give the same for both.
Needs: pip install 'moto[server]' boto3
"""

import base64
import gzip
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

try:
    import boto3
    import moto
except ImportError:
    sys.exit("s3_check: moto is not installed; run `pip install 'moto[server]' boto3`")

HOUSE = Path(__file__).resolve().parent.parent
STACK = HOUSE / "tests/contract/gitlab/stack"
KEY = HOUSE / "src/adapters/gpg/testdata/fixture-key-a.pub"
BUCKET = "spack-binaries"
# The root that is asked about. What belongs to other roots of the bucket must not be seen there.
ROOT = "develop/e4s"
# How many of the lock's binaries lie there.
PUSHED = 4


def check(condition, message):
    if not condition:
        sys.exit(f"s3_check: FAILED: {message}")


# The commands that read a root. Each gets `--mirror ROOT`, and is run against the bucket, against the folder, and
# against a bucket that does not exist, and ends with the status. Its judge checks what it printed, and gives what must be the same for bucket and
# folder; `None` stands for "unknown". More go here.
def generated(text):
    pipeline = json.loads(text)
    jobs = [name for name in pipeline if "/" in name]
    check(len(jobs) == len(binaries()) - PUSHED, f"{len(jobs)} jobs, although {PUSHED} binaries are on the mirror")
    return pipeline


def healthy(text):
    health = json.loads(text)
    if health["specs"] is None:
        return None
    check(health["specs"] == PUSHED, f"{health['specs']} specs, although {PUSHED} binaries are on the mirror")
    check(health["orphans"] == [] and health["unindexed"] == [], f"not healthy: {text}")
    return [health[key] for key in ["specs", "blobs", "bytes", "holes"]]


def sized(text):
    [root] = json.loads(text)["roots"]
    sizes = [root[key] for key in ["specs", "blobs", "bytes", "objects"]]
    if None in sizes:
        return None
    check(root["specs"] == PUSHED, f"{root['specs']} specs, although {PUSHED} binaries are on the mirror")
    return sizes


def verified(text):
    states = json.loads(text)
    if not states["complete"]:
        return None
    pushed = binaries()[:PUSHED]
    forged = {node["hash"] for node in pushed if dag_hash(node) != node["hash"]}
    check(0 < len(forged) < PUSHED, "the lock should have both, nodes that give their hash and such that do not")
    told = {state: set(states[state]["hashes"]) for state in ["good", "bad", "unknown_key", "unsigned"]}
    wanted = {"good": set(), "bad": forged, "unknown_key": set(), "unsigned": {node["hash"] for node in pushed} - forged}
    check(told == wanted, f"not what is there: {text}")
    return sorted(forged)


COMMANDS = [
    (["generate", "--env", STACK, "--config-scope", STACK / "ci.yaml", "--format", "json"], generated, 0),
    (["cache", "health", "--json"], healthy, 0),
    (["cache", "size", "--fresh", "--json"], sized, 0),
    # Forged nodes are bad.
    (["cache", "verify", "--keyring", KEY, "--json"], verified, 1),
]


def dag_hash(node):
    """As Spack computes it: the SHA-1 of the node without its hash, in its own order, in base 32."""
    text = json.dumps({key: value for key, value in node.items() if key != "hash"}, separators=(",", ":"))
    return base64.b32encode(hashlib.sha1(text.encode()).digest()).decode().lower()


def binaries():
    """Nodes of the lock that can be pushed, in a steady order."""
    nodes = json.loads((STACK / "spack.lock").read_text())["concrete_specs"]
    return [nodes[key] for key in sorted(nodes) if "external" not in nodes[key]]


def record(media_type, blob, compression="gzip"):
    return {
        "contentLength": len(blob),
        "mediaType": f"application/vnd.spack.{media_type}",
        "compression": compression,
        "checksumAlgorithm": "sha256",
        "checksum": hashlib.sha256(blob).hexdigest(),
    }


def mirror():
    """Every object of the bucket."""
    objects = {}

    def blob(root, content):
        checksum = hashlib.sha256(content).hexdigest()
        objects[f"{root}/blobs/sha256/{checksum[:2]}/{checksum}"] = content

    def manifest(root, path, *records):
        objects[f"{root}/v3/manifests/{path}.manifest.json"] = json.dumps({"version": 3, "data": records}).encode()

    nodes = json.loads((STACK / "spack.lock").read_text())["concrete_specs"]
    for root, pushed in [(ROOT, binaries()[:PUSHED]), ("develop", binaries())]:
        for node in pushed:
            tarball = gzip.compress(f"files of {node['name']}".encode(), mtime=0)
            about = {"spec": {"_meta": {"version": 5}, "nodes": [node]}, "buildcache_layout_version": 2}
            spec = gzip.compress(json.dumps(about).encode(), mtime=0)
            stem = f"{node['name']}-{node['version']}-{node['hash']}"
            records = [record("install.v2.tar+gzip", tarball), record("spec.v5+json", spec)]
            manifest(root, f"spec/{node['name']}/{stem}.spec", *records)
            blob(root, tarball)
            blob(root, spec)
        hashes = {node["hash"] for node in pushed}
        installs = {
            key: {"spec": node, "ref_count": 0, "in_buildcache": key in hashes} for key, node in nodes.items()
        }
        index = json.dumps({"database": {"version": "8", "installs": installs}}).encode()
        blob(root, index)
        manifest(root, "index/index", record("db.v8+json", index, "none"))
        objects[f"{root}/v3/layout.json"] = b'{"signing": "gpg"}'
    objects["develop/old/build_cache/index.json"] = b'{"database": {"version": "7", "installs": {}}}'
    for odd in ["a b", "a+b", "a%2Bb", "é", "'\"<&>"]:
        objects[f"{ROOT}/v3/manifests/spec/{odd}/{odd}"] = b"odd"
    return objects


def start_server():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        check(server.poll() is None, "moto ended before it was ready")
        try:
            direct.open(f"{address}/moto-api/", timeout=5).close()
            return server, address
        except OSError:
            time.sleep(0.1)
    server.kill()
    sys.exit("s3_check: FAILED: moto is not ready after 30 s")


def fill(address, objects, folder):
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]:
        os.environ.pop(name, None)
    access = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    bucket = boto3.client("s3", endpoint_url=address, **access)
    bucket.create_bucket(Bucket=BUCKET)
    for key, content in objects.items():
        bucket.put_object(Bucket=BUCKET, Key=key, Body=content)
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def run(program, arguments, address, home):
    strange = ("AWS_", "CI_", "SPACK_", "STACKHAND_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    env |= {
        "HOME": str(home),
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "CI_PROJECT_DIR": str(home),
    }
    done = subprocess.run([program, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def main():
    program = Path(sys.argv[1] if len(sys.argv) > 1 else HOUSE / "target/debug/stackhand").resolve()
    server, address = start_server()
    try:
        with tempfile.TemporaryDirectory(prefix="s3_check-") as scratch:
            checked = compare(program, address, Path(scratch))
    finally:
        server.terminate()
        server.wait()
    print(f"moto {moto.__version__}: {', '.join(checked)}: fine")


def compare(program, address, scratch):
    folder = scratch / "mirror"
    fill(address, mirror(), folder)
    urls = [f"s3://{BUCKET}/{ROOT}", f"file://{folder}/{ROOT}", f"s3://{BUCKET}-of-nobody/{ROOT}"]
    checked = []
    for arguments, judge, wanted in COMMANDS:
        is_cache = arguments[0] == "cache"
        name = " ".join(arguments[: 1 + is_cache])
        said = []
        for number, url in enumerate(urls):
            home = scratch / f"{len(checked)}-{number}"
            home.mkdir()
            flags = ["--mirror", url]
            if not is_cache:
                flags = ["--mirror", f"buildcache-destination={url}"]
                flags += ["--artifacts-root", home, "--output-file", home / "out"]
            status, out, err = run(program, [*arguments, *flags], address, home)
            if url == urls[-1]:
                is_known = status in {0, wanted} and (not is_cache or bool(out and judge(out) is not None))
                check(not is_known, f"{name}: a bucket that does not exist is taken for an empty one\n{out}{err}")
                continue
            check(status == wanted, f"{name} {url}: status {status}\n{out}{err}")
            text = out if is_cache else (home / "out").read_text()
            said.append(judge(text.replace(url, "ROOT")))
        check(said[0] == said[1], f"{name}: the bucket gives something else than the folder:\n{said[0]}\n{said[1]}")
        checked.append(name)
    return checked


if __name__ == "__main__":
    main()
