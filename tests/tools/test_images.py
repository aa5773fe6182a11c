"""`make images`: which tool builds, what it is told, what people see. The tools are stand-ins."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGEST = f"sha256:{'ab' * 32}"
REGISTRY = "registry.example.com:5000/team"
# It notes what it is told; tells digests as docker does, or into a file as the others do.
STAND_IN = """\
#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case "$1" in
    version | info) [ -z "$BROKEN" ] || { echo "no daemon answers" >&2; exit 1; } ;;
    build) [ -z "$UNBUILDABLE" ] || { echo "no such base" >&2; exit 125; } ;;
    push)
        [ "${0##*/}" != docker ] || echo "$TOLD"
        while [ $# -gt 0 ]; do [ "$1" != --digestfile ] || echo "$TOLD" >"$2"; shift; done ;;
esac
"""


class Desk:
    """A machine with these tools and no others."""

    def __init__(self, folder: Path, *tools: str) -> None:
        self.tools = folder / "tools"
        self.calls = folder / "calls"
        self.tools.mkdir()
        self.calls.touch()
        for tool in tools:
            (self.tools / tool).write_text(STAND_IN)
            (self.tools / tool).chmod(0o755)
        told = f"0.1.0: digest: {DIGEST} size: 1234"
        self.environment = {"PATH": str(self.tools), "CALLS": str(self.calls), "TOLD": told}

    def run(self, **settings: str) -> "subprocess.CompletedProcess[str]":
        """What `make images` runs, with what stands on its command line."""
        return subprocess.run(
            [sys.executable, ROOT / "tools" / "images.py"],
            env=self.environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def list_calls(self) -> list[str]:
        """Without the time that is in each tag, and the folder of the digest's file."""
        calls = re.sub(r"-\d{14}\b", "-TIME", self.calls.read_text())
        return re.sub(r"--digestfile \S+", "--digestfile FILE", calls).splitlines()


@pytest.mark.parametrize("tool", ["docker", "podman", "buildah"])
def test_each_tool_builds_both_and_pushes_both(tmp_path: Path, tool: str) -> None:
    desk = Desk(tmp_path, tool)
    done = desk.run(REGISTRY=REGISTRY, BUILD_OPTIONS="--platform 'linux/arm64'", PUSH_OPTIONS="-q")
    assert done.returncode == 0, done.stderr
    sidecar, control = (f"{REGISTRY}/mca-{kind}" for kind in ("sidecar", "control"))
    building = f"{tool} build --platform linux/arm64 --build-arg REVISION=unknown --file"
    assert desk.list_calls()[1:3] == [
        f"{building} Dockerfile --tag {sidecar}:0.1.0-TIME .",
        f"{building} Dockerfile.control --tag {control}:0.1.0-TIME .",
    ]
    pushing = [f"{tool} push -q {name}:0.1.0-TIME" for name in (sidecar, control)]
    if tool != "docker":
        pushing = [
            f"{tool} push -q --digestfile FILE {name}:0.1.0-TIME docker://{name}:0.1.0-TIME"
            for name in (sidecar, control)
        ]
    assert desk.list_calls()[3:] == pushing
    assert done.stdout.splitlines() == [
        f"{sidecar}@{DIGEST}",
        f"{control}@{DIGEST}",
        "",
        f"mca install --sidecar-image {sidecar}@{DIGEST} --control-image {control}@{DIGEST}",
    ]


def test_make_passes_on_what_stands_on_its_command_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "docker", "buildah")
    done = subprocess.run(
        [
            "make",
            "images",
            f"REGISTRY={REGISTRY}",
            "TOOL=buildah",
            "PUSH_OPTIONS=--tls-verify=false",
        ],
        cwd=ROOT,
        env=desk.environment | {"PATH": f"{desk.tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"mca install --sidecar-image {REGISTRY}/mca-sidecar@{DIGEST} " in done.stdout
    calls = desk.list_calls()
    assert {call.split()[0] for call in calls} == {"buildah"}
    assert calls[-1].startswith("buildah push --tls-verify=false ")
    assert re.search(r"--build-arg REVISION=([0-9a-f]{40}(-changed)?|unknown) ", calls[1])


def test_a_tool_that_does_not_work_is_passed_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "docker", "podman")
    (desk.tools / "docker").write_text("#!/bin/sh\necho 'no daemon' >&2\nexit 1\n")
    done = desk.run(REGISTRY=REGISTRY)
    assert done.returncode == 0, done.stderr
    assert all(call.startswith("podman ") for call in desk.list_calls())


def test_without_a_tool_it_says_why_not_each(tmp_path: Path) -> None:
    done = Desk(tmp_path, "docker").run(REGISTRY=REGISTRY, BROKEN="yes")
    assert done.returncode == 1
    assert "install docker, podman or buildah" in done.stderr
    assert "  docker: no daemon answers\n  podman: not found\n  buildah: not found" in done.stderr


def test_a_build_that_fails_pushes_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "podman")
    done = desk.run(REGISTRY=REGISTRY, UNBUILDABLE="yes")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "no such base\n`podman build` failed (code 125); its message is above\n"
    )
    assert not any(" push " in call for call in desk.list_calls())
    assert done.stdout == ""


def test_a_push_that_tells_no_digest_is_no_success(tmp_path: Path) -> None:
    done = Desk(tmp_path, "docker").run(REGISTRY=REGISTRY, TOLD="done")
    assert done.returncode == 1
    assert "did not tell its digest" in done.stderr
    assert "mca install" not in done.stdout


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "REGISTRY is missing"),
        ({"REGISTRY": "https://registry.example.com/team"}, "without https://"),
        ({"REGISTRY": "registry.example.com/team/"}, "without a slash at the end"),
        ({"REGISTRY": "registry.example.com/Team"}, "in lower case"),
        ({"REGISTRY": "team"}, "Docker Hub: docker.io/team"),
        ({"REGISTRY": "registry.example.com/team:1"}, "write a registry's host and a path"),
        ({"REGISTRY": REGISTRY, "TOOL": "kaniko"}, "TOOL=kaniko: write one of docker, podman"),
        ({"REGISTRY": REGISTRY, "BUILD_OPTIONS": "--label 'x"}, "BUILD_OPTIONS: No closing"),
    ],
)
def test_what_is_written_wrongly_is_said(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    desk = Desk(tmp_path, "docker")
    done = desk.run(**settings)
    assert done.returncode == 1
    assert told in done.stderr
    assert not any(" build " in call for call in desk.list_calls())


@pytest.mark.parametrize(
    "registry", ["docker.io/team", "localhost/a/b-c", "127.0.0.1:5000/t", "registry:5000"]
)
def test_registries_as_people_have_them(tmp_path: Path, registry: str) -> None:
    done = Desk(tmp_path, "podman").run(REGISTRY=registry)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{registry}/mca-sidecar@sha256:")
