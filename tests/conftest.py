"""What every test may ask for: real control planes, and the rule that no test skips itself."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.controlplane import ControlPlane
from tests.fixtures_sidecar import make_sidecar as make_sidecar, sidecar as sidecar
from tests.schedule import Schedule, find_unit, order_units, starts_servers

# A deadline per example measures the machine: two cores that several builds share.
# In CI the examples are the same each time: what is found elsewhere is mended, and told apart from
# what a change broke.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")

# Started by nohup, or in a script's background, we would ignore these, and so would every child.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One for each process of the run. Take names of your own: other tests work in it too."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def make_control_plane() -> Iterator[Callable[..., ControlPlane]]:
    """Private ones, for tests that break them or need their own flags; gone after the test."""
    started: list[ControlPlane] = []

    def make(**options: Any) -> ControlPlane:
        plane = ControlPlane(**options)
        started.append(plane)
        return plane.start()

    yield make
    for plane in started:
        plane.stop()


def needs_servers(item: pytest.Item) -> bool:
    """Whether the test, or a fixture that it gets, starts a control plane."""
    if not isinstance(item, pytest.Function):
        return False
    fixtures = item._fixtureinfo.name2fixturedefs
    asked = (given[-1].func for given in fixtures.values())
    return any(starts_servers(function) for function in (item.function, *asked))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a kube-apiserver, for `make unit`, and put `make test` into its order."""
    for item in items:
        if needs_servers(item):
            item.add_marker(pytest.mark.apiserver)
    if hasattr(config, "workerinput"):
        units = {item: find_unit(item.nodeid.partition("::")[0]) for item in items}
        waiting = [unit for item, unit in units.items() if item.get_closest_marker("apiserver")]
        ranks = {unit: rank for rank, unit in enumerate(order_units([*units.values()], waiting))}
        items.sort(key=lambda item: ranks[units[item]])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule:
    """Ours, whatever `--dist` says."""
    return Schedule(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what skips: something that is missing must be seen, not passed over."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} skipped itself at {report.longrepr}; here that is a failure"
        )
    return report
