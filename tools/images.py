"""Builds the two images and pushes them: `make images REGISTRY=registry.example.com/team`.

Uses docker, podman or buildah, the first of them that works here, and tells the images by their
digests, as installing wants them. Each build has a tag of its own: a registry may clean up what no
tag names any more, and pods that run would lose their image.
Runs on whatever python3 the machine has, so it uses the standard library of Python 3.8 only.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
HELP = """\
make images REGISTRY=registry.example.com/team
  builds mca-sidecar and mca-control, pushes them there, and prints the command that installs them

  REGISTRY       the registry and the path below which both go; log in to it before
  TOOL           docker, podman or buildah; else the first of them that works here
  BUILD_OPTIONS  more options of its build: --platform=linux/arm64, --build-arg BASE=...
  PUSH_OPTIONS   more options of its push, podman's and buildah's: --tls-verify=false"""
# A command that fails where the tool cannot build: docker without its daemon, for one.
PROBES = {
    "docker": ["docker", "version"],
    "podman": ["podman", "info"],
    "buildah": ["buildah", "info"],
}
DOCKERFILES = {"sidecar": "Dockerfile", "control": "Dockerfile.control"}
# As images are named: a host with a dot or a port, then a path.
REGISTRY = re.compile(
    r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+(?=:))(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Order(NamedTuple):
    """What was asked for."""

    registry: str
    build_options: list[str]
    push_options: list[str]


def say(line: str) -> None:
    """Progress goes to standard error: what was asked for goes to standard output."""
    print(line, file=sys.stderr, flush=True)


def read_order() -> Order:
    """From the environment, in which make puts what stands on its command line."""
    registry = os.environ.get("REGISTRY", "")
    if not registry:
        sys.exit(f"REGISTRY is missing\n\n{HELP}")
    if not REGISTRY.fullmatch(registry):
        sys.exit(
            f"REGISTRY={registry}: write a registry's host and a path in lower case, without "
            "https:// and without a slash at the end: registry.example.com/team (Docker Hub: "
            "docker.io/team)"
        )
    return Order(registry, split_options("BUILD_OPTIONS"), split_options("PUSH_OPTIONS"))


def split_options(name: str) -> list[str]:
    """As a shell splits them."""
    try:
        return shlex.split(os.environ.get(name, ""))
    except ValueError as error:
        sys.exit(f"{name}: {error}")


def choose_tool() -> str:
    """$TOOL, or the first that works."""
    wanted = os.environ.get("TOOL", "")
    if wanted and wanted not in PROBES:
        sys.exit(f"TOOL={wanted}: write one of {', '.join(PROBES)}")
    problems = []
    for tool in [wanted] if wanted else PROBES:
        problem = find_problem(tool)
        if problem is None:
            return tool
        problems.append(f"  {tool}: {problem}")
    sys.exit(
        "\n".join(
            [
                "nothing here builds images: install docker, podman or buildah, or make it work",
                *problems,
            ]
        )
    )


def find_problem(tool: str) -> str | None:
    """Why it cannot be used."""
    if shutil.which(tool) is None:
        return "not found"
    done = subprocess.run(
        PROBES[tool],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode == 0:
        return None
    told = done.stderr.decode(errors="replace").strip().splitlines()
    return told[-1] if told else f"`{' '.join(PROBES[tool])}` ended with {done.returncode}"


def read_version() -> str:
    """The release that this tree is, or is on the way to."""
    found = re.search(
        r'^version = "([\w.]+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    if found is None:
        sys.exit("pyproject.toml has no version")
    return found[1]


def find_revision() -> str:
    """The commit, and whether anything was changed since; `unknown` outside of a repository."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain"],
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.decode().strip() + ("-changed" if changed.stdout else "")


def run(command: list[str]) -> str:
    """Its standard output, which is shown as progress, too."""
    say(f"$ {shlex.join(command)}")
    shown = []
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as it:
        for line in it.stdout or ():
            shown.append(line.decode(errors="replace"))
            say(shown[-1].rstrip())
    if it.returncode != 0:
        sys.exit(f"`{' '.join(command[:2])}` failed (code {it.returncode}); its message is above")
    return "".join(shown)


def push(tool: str, name: str, options: list[str]) -> str:
    """The digest, as the registry has it."""
    if tool == "docker":
        told = run([tool, "push", *options, name])
    else:
        with tempfile.TemporaryDirectory() as work:
            file = Path(work) / "digest"
            run([tool, "push", *options, "--digestfile", str(file), name, f"docker://{name}"])
            told = file.read_text()
    found = DIGEST.findall(told)
    if not found:
        sys.exit(f"{tool} pushed {name}, but did not tell its digest: look it up in the registry")
    return str(found[-1])


def main() -> None:
    """Both are built before one is pushed."""
    order = read_order()
    tool = choose_tool()
    tag = f"{read_version()}-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"
    names = {kind: f"{order.registry}/mca-{kind}" for kind in DOCKERFILES}
    building = [tool, "build", *order.build_options, "--build-arg", f"REVISION={find_revision()}"]
    for kind, file in DOCKERFILES.items():
        run([*building, "--file", file, "--tag", f"{names[kind]}:{tag}", "."])
    digests = {
        kind: push(tool, f"{name}:{tag}", order.push_options) for kind, name in names.items()
    }
    images = {kind: f"{name}@{digests[kind]}" for kind, name in names.items()}
    for image in images.values():
        print(image)
    options = " ".join(f"--{kind}-image {image}" for kind, image in images.items())
    print(f"\nmca install {options}")


if __name__ == "__main__":
    main()
