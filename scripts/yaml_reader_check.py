#!/usr/bin/env python3
"""Reads the YAML that `stackhand generate` writes with other people's readers: it must be the data of `--format json`.

Usage: yaml_reader_check.py [STACKHAND]        (target/debug/stackhand without it)

PyYAML's C loader is libyaml, the parser that GitLab's Ruby has; its pure loader is a second parser. Both know YAML
1.1, where `on` and `12:30:45` are no texts. What only Ruby takes for something else (symbols, `1,000`) is looked for
by pattern. Inputs are the small stack of the contract tests and, where they lie beside the repository, real ones.
Needs: pip install pyyaml
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import yaml
except ImportError:
    sys.exit("yaml_reader_check: PyYAML is not installed; run `pip install pyyaml`")

HOUSE = Path(__file__).resolve().parent.parent
SMALL = HOUSE / "tests/contract/gitlab/stack"
REAL = HOUSE.parent / "shared/fixtures/spack"
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Files up to this size are read by the pure loader too, which takes a second for 100 kB.
PURE_LIMIT = 150_000
# What an unquoted word means to Ruby (Psych::ScalarScanner), apart from booleans, null and plain whole numbers.
RUBY = re.compile(
    r"""(?x) ~ | : . .* | [-+]? \.inf | \.nan | \d{4}-\d{1,2}-\d{1,2} .* | [-+]?\d[\d_]*(:[0-5]?\d){1,2}(\.[\d_]*)?
    | [-+]?(\d[\d_,]*)?\.\d*([eE][-+]?\d+)? | [-+]?0[box]?[\da-fA-F_,]+ | [-+]?\d[\d_,]*[_,][\d_,]*
    | y | n | yes | no | on | off | = | <<""",
    re.IGNORECASE,
)


def check(condition, message):
    if not condition:
        sys.exit(f"yaml_reader_check: FAILED: {message}")


def generate(program, scratch, env, flags):
    """Both forms of one pipeline, and the copied manifest."""
    strange = ("CI_", "SPACK_", "STACKHAND_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    env = {**clean, **env, "HOME": str(scratch), "CI_PROJECT_DIR": str(scratch)}
    texts = []
    for form in ["yaml", "json"]:
        out = scratch / f"pipeline.{form}"
        command = [program, "generate", *flags, "--artifacts-root", scratch, "--format", form, "--output-file", out]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(done.returncode == 0, f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout.decode()}")
        texts.append(out.read_text())
    return texts[0], json.loads(texts[1]), (scratch / "concrete_environment/spack.yaml").read_text()


def without_includes(manifest):
    return {key: value for key, value in manifest["spack"].items() if not key.startswith("include")}


def same(value, other):
    """Equal, with equal types: Python takes 1 for 1.0 and for True."""
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(same(value[key], other[key]) for key in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    return type(value) is type(other) and value == other


def judge(what, program, env, flags, manifest):
    with tempfile.TemporaryDirectory(prefix="yaml_reader-") as scratch:
        text, data, copied = generate(program, Path(scratch), env, flags)
    for loader in [FAST] + [yaml.SafeLoader] * (len(text) < PURE_LIMIT):
        read = yaml.load(text, loader)
        differing = [key for key in read.keys() | data.keys() if not same(read.get(key), data.get(key))]
        check(not differing, f"{what}: {loader.__name__} reads other data at {differing[:3]}")
    for event in yaml.parse(text, FAST):
        if isinstance(event, yaml.ScalarEvent) and not event.style and RUBY.fullmatch(event.value):
            check(
                re.fullmatch(r"-?\d+\.\d+(e[-+]\d+)?|0", event.value),
                f"{what}: Ruby may not take `{event.value}` for a text",
            )
    source = yaml.load(manifest.read_text(), FAST)
    check(
        same(without_includes(yaml.load(copied, FAST)), without_includes(source)),
        f"{what}: the copied manifest says something else",
    )
    return len(data)


def small(program):
    flags = ["--env", SMALL, "--config-scope", SMALL / "ci.yaml", "--mirror", "buildcache-destination=file:///nowhere"]
    for kind in ["spack_protected_branch", "spack_pull_request", ""]:
        for more in [[], ["--parity"], ["--needs-limit", "4"]]:
            yield judge(
                f"small stack, {kind} {more}",
                program,
                {"SPACK_PIPELINE_TYPE": kind},
                flags + more,
                SMALL / "spack.yaml",
            )


def real(program):
    for case in sorted(REAL.glob("generate/*/*/input")):
        about = json.loads((case / "case.json").read_text())
        flags = ["--env", case, "--no-includes"]
        for name in ["ci", "cdash", "mirrors"]:
            flags += ["--config-scope", case / f"{name}.merged.yaml"]
        for name, mirror in yaml.load((case / "mirrors.merged.yaml").read_text(), FAST)["mirrors"].items():
            flags += ["--mirror", f"{name}=file://{case}/s3/{mirror['fetch'].removeprefix('s3://')}"]
        for package in about.get("change", {}).get("affected_packages", []):
            flags += ["--changed-package", package]
        env = {name: value for name, value in about["env"].items() if name != "PYTHONHASHSEED"}
        what = "/".join(case.parts[-3:-1])
        yield judge(what, program, env, [*flags, "--lock", REAL / about["lock"]], case / "spack.yaml")


def main():
    program = Path(sys.argv[1] if len(sys.argv) > 1 else HOUSE / "target/debug/stackhand").resolve()
    sizes = [*small(program), *real(program)]
    if len(sizes) == 9:
        print("SKIPPED: no real stacks beside the repository; PyYAML read the small one only", file=sys.stderr)
    print(f"PyYAML {yaml.__version__} ({FAST.__name__}): {len(sizes)} pipelines, {sum(sizes)} keys: fine")


if __name__ == "__main__":
    main()
