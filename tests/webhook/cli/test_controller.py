"""`mca controller` from the command line: what it needs is told before it starts."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.webhook.cli.run.scene import MCA
from webhook.controller.engine.settings import TABLE

README = Path(__file__).resolve().parents[3] / "README.md"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: text for key, text in os.environ.items() if key.startswith(("PATH", "COVERAGE_"))}
    return subprocess.run(
        [MCA, "controller", *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_help_tells_every_setting() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert [setting.variable for setting in TABLE if setting.variable not in done.stdout] == []


def test_the_readme_has_every_setting_as_it_is() -> None:
    told = [
        line for line in README.read_text().splitlines() if line.startswith("| `MCA_CONTROLLER")
    ]
    assert told == [
        f"| `{setting.variable}` | {f'`{setting.default}`' if setting.default else ''} "
        f"| {setting.meaning} |"
        for setting in TABLE
    ]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MCA_CONTROLLER_WORKERS": "0"}, "mca: MCA_CONTROLLER_WORKERS: '0'"),
        ({"KUBECONFIG": "/nowhere"}, "mca: the controller needs the API server: no kubeconfig"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(environment: dict[str, str], said: str) -> None:
    done = run(**environment)
    assert done.returncode == 64
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_files_that_are_no_certificate(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        '{"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user":'
        ' "u"}}], "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],'
        ' "users": [{"name": "u", "user": {"token": "t"}}]}'
    )
    done = run(
        KUBECONFIG=str(kubeconfig),
        MCA_CONTROLLER_CERTIFICATES="files",
        MCA_CONTROLLER_CERT="/nowhere/tls.crt",
    )
    assert done.returncode == 64
    assert "MCA_CONTROLLER_CERT" in done.stderr
