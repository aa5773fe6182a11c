"""The command `mca`: what each way in leads to, and what it does not have to import."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.webhook.cli.run.scene import MCA
from webhook.cli import COMMANDS

HEAVY = ("argparse", "yaml", "subprocess", "ssl", "asyncio", "kubernetes", "aiohttp", "tests")


def mca(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    coverage = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    return subprocess.run(
        [MCA, *arguments],
        env={"PATH": os.environ["PATH"], **coverage, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_the_commands_and_each_has_its_own() -> None:
    whole = mca("--help")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert mca().stdout == whole.stdout
    listed = set(re.findall(r"^  ([a-z]+) ", whole.stdout, re.MULTILINE))
    assert listed - {"mca", "command"} == set(COMMANDS)
    for command in COMMANDS:
        assert f"\n  {command} " in whole.stdout
        own = mca(command, "--help")
        assert (own.returncode, own.stderr) == (0, "")
        assert "usage: " in own.stdout
    assert "mca run -- kubectl get pods" in mca("run", "-h").stdout


def test_version() -> None:
    assert mca("--version").stdout == f"mca {version('multi-cluster-adapter')}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), "mca: 'rnu' is no command; `mca --help` lists them\n"),
        (("rnu", "--x"), "mca: 'rnu' is no command; `mca --help` lists them\n"),
        (("--x",), "mca: '--x' is no option of `mca`; `mca --help` lists them\n"),
        (("run", "--contxt", "x", "ls"), "mca run: unrecognized arguments: --contxt"),
        (("demo", "x"), "mca demo: unrecognized arguments: x; `mca demo --help`"),
    ],
)
def test_a_mistake_is_one_line_and_64(arguments: tuple[str, ...], said: str) -> None:
    done = mca(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


def test_the_sidecar_says_all_its_errors() -> None:
    done = mca("sidecar", env={"MCA_METRICS": "x", "MCA_LOG_LEVEL": "y"})
    assert done.returncode == 64
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [
        " MCA_METRICS",
        " MCA_LOG_LEVEL",
    ]
    assert mca("sidecar", "now").returncode == 64


def test_the_sidecar_says_that_it_cannot_listen(tmp_path: Path) -> None:
    env = {
        "MCA_API_LISTEN": "127.0.0.1:1",
        "MCA_ADMIN_LISTEN": "192.0.2.1:1",  # of nobody's machine
        "MCA_SNAPSHOT": str(tmp_path / "none"),
        "MCA_IDENTITY_DIR": str(tmp_path / "identity"),
        "MCA_CLIENTS_DIR": str(tmp_path / "clients"),
    }
    done = mca("sidecar", env=env)
    assert done.returncode == 69
    assert "mca: MCA_ADMIN_LISTEN: cannot listen on any address" in done.stderr


def test_what_the_sidecars_way_in_imports() -> None:
    code = (
        "import json, sys\n"
        "from webhook.cli import main\n"
        "main(['sidecar', '--help'])\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert "sidecar" in loaded
    assert not loaded.intersection(HEAVY)


@pytest.mark.parametrize(
    ("command", "module", "code"),
    [
        ("run", "yaml", 64), ("demo", "kubernetes", 64), ("webhook", "aiohttp", 64),
        ("install", "kubernetes", 64), ("uninstall", "kubernetes", 64), ("check", "kubernetes", 2),
        ("status", "kubernetes", 64), ("cluster", "kubernetes", 64), ("tenant", "kubernetes", 64),
        ("route", "kubernetes", 64),
    ],
)  # fmt: skip
def test_without_the_extra_it_says_what_to_install(command: str, module: str, code: int) -> None:
    arguments = {
        "run": ["true"],
        "cluster": ["list"],
        "tenant": ["list"],
        "route": ["test"],
        "install": [f"--{name}-image=a@sha256:{'0' * 64}" for name in ("sidecar", "control")],
    }
    script = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"
        "from webhook.cli import main\n"
        f"sys.exit(main({[command, *arguments.get(command, [])]!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stderr == (
        f"mca: {command} needs {module}: install multi-cluster-adapter[control]\n"
    )
