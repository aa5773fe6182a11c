"""Fixtures with real sidecars. conftest.py makes them known to every test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.sidecar_process import SidecarProcess


@pytest.fixture(scope="session")
def sidecar(control_plane: ControlPlane) -> Iterator[SidecarProcess]:
    """One for the whole run, before the shared control plane, with two containers' tokens."""
    process = SidecarProcess(control_plane, containers=("app", "other")).start()
    yield process
    end_all([process])


@pytest.fixture
def make_sidecar() -> Iterator[Callable[..., SidecarProcess]]:
    """Private ones, started and ready; `spawn=True` returns before it is. Gone after the test.

    Each must end in good order and say nothing on stderr, unless the test ended it.
    """
    started: list[SidecarProcess] = []

    def make(*arguments: Any, spawn: bool = False, **options: Any) -> SidecarProcess:
        process = SidecarProcess(*arguments, **options)
        started.append(process)
        return process.spawn() if spawn else process.start()

    yield make
    end_all(started)


def end_all(processes: list[SidecarProcess]) -> None:
    """Stop what runs, look at how it ended, and remove it."""
    try:
        for process in processes:
            if process.exit_code is None:
                code = process.stop()
                assert code == 0, f"exit code {code}: {process.output()}"
                assert process.stderr() == ""
    finally:
        for process in processes:
            process.remove()
