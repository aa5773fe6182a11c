"""One API server for all tests of provisioning, and one controller for those that kill none."""

from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.controller.tenants.scene import Controller, Home


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own: a controller follows all there is."""
    with ControlPlane(users={"ann": [], "bob": []}) as plane:
        yield plane


@pytest.fixture(scope="package")
def home(control_plane: ControlPlane) -> Home:
    """With MCA's objects as installed."""
    return Home(control_plane)


@pytest.fixture(scope="module")
def controller(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """As long as the tests of one module."""
    with Controller(home, tmp_path_factory.mktemp("controller")) as running:
        yield running
