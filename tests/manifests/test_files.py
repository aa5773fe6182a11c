"""What lies in manifests/ and chart/ is what the source makes, all of it and nothing else."""

import tomllib
from pathlib import Path

import pytest
import yaml

from webhook.install.__main__ import main
from webhook.install.files import CONTROL_IMAGE, SIDECAR_IMAGE, render_files
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

ROOT = Path(__file__).resolve().parents[2]
FILES = render_files()
# Written by hand.
WRITTEN = {"chart/Chart.yaml", "chart/.helmignore", "chart/templates/NOTES.txt"}


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_as_made(name: str) -> None:
    """`make manifests` makes them anew."""
    assert (ROOT / name).read_text() == FILES[name]


def test_there_are_no_others() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("manifests", "chart")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert found == FILES.keys() | WRITTEN


def test_the_plain_file_is_the_objects() -> None:
    settings = InstallSettings(sidecar_image=SIDECAR_IMAGE, control_image=CONTROL_IMAGE)
    text = (ROOT / "manifests" / "install.yaml").read_text()
    assert list(yaml.safe_load_all(text)) == build_objects(settings)


def test_the_chart_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "chart" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path) == 0
    assert {name: (tmp_path / name).read_text() for name in FILES} == FILES
    assert capsys.readouterr().out.count("wrote ") == len(FILES)
