"""What stays together in `make test`, and what is not in `make unit`: it starts control planes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.schedule import NODE, find_unit, order_units, starts_servers
from tests.webhook.cli.install.cluster import Cluster


def test_files_that_share_servers_stay_together(tmp_path: Path) -> None:
    shared = tmp_path / "tests" / "shared"
    (shared / "deeper").mkdir(parents=True)
    (shared / "conftest.py").write_text('@pytest.fixture(scope="package")\ndef plane(): ...\n')
    (tmp_path / "tests" / "apart").mkdir()
    (tmp_path / "tests" / "apart" / "conftest.py").write_text("@pytest.fixture\ndef a(): ...\n")
    for path, unit in (
        ("tests/shared/test_a.py", "tests/shared"),
        ("tests/shared/deeper/test_b.py", "tests/shared"),
        ("tests/apart/test_c.py", "tests/apart/test_c.py"),
        ("tests/test_d.py", "tests/test_d.py"),
    ):
        assert find_unit(path, tmp_path) == unit


def test_what_runs_on_the_one_node_is_run_by_one_process() -> None:
    folder = "tests/webhook/cli"
    for name in (
        "install/test_as_installed.py",
        "install/test_place.py",
        "check/test_as_served.py",
    ):
        assert find_unit(f"{folder}/{name}") == NODE
    assert find_unit("tests/chart/test_running.py") == NODE
    assert find_unit(f"{folder}/install/test_options.py") != NODE


def test_what_waits_for_servers_comes_first_and_what_is_short_last() -> None:
    counted = {"pure.py": 4, "few.py": 3, "slow.py": 2, "folder": 1, NODE: 1}
    units = [unit for unit, number in counted.items() for _ in range(number)]
    waiting = ["slow.py", "folder", NODE]
    assert order_units(units, waiting) == [NODE, "folder", "slow.py", "pure.py", "few.py"]


def by_itself() -> None:
    with ControlPlane():
        pass


def by_a_function_of_its_own() -> Callable[[], ControlPlane]:
    def make() -> ControlPlane:
        return ControlPlane()

    return make


def by_an_installation(folder: Path) -> Cluster:
    return Cluster(folder)


def with_what_is_given(plane: ControlPlane) -> str:
    return plane.url


@pytest.mark.parametrize(
    ("function", "starts"),
    [
        (by_itself, True),
        (by_a_function_of_its_own, True),
        (by_an_installation, True),
        (with_what_is_given, False),
    ],
)
def test_who_starts_a_control_plane_is_seen(function: Callable[..., object], starts: bool) -> None:
    assert starts_servers(function) == starts
