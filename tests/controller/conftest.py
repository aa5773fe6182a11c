"""The control planes of these tests, shared by all, and one controller that runs meanwhile.

Whoever breaks one takes planes of its own (`make_control_plane`), whoever stops the controller
starts its own.
"""

from collections.abc import Iterator

import pytest

from tests.controller.inventory import find_definition
from tests.controller.scene import ControllerProcess, Home
from tests.controlplane import ControlPlane


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with ControlPlane() as plane:
        home = Home(plane, tmp_path_factory.mktemp("home"))
        # Before a controller looks for it: one that is not there is looked for again each minute.
        home.apply(find_definition())
        yield home
        home.end()


@pytest.fixture(scope="package")
def west() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="package")
def controller(home: Home) -> ControllerProcess:
    return home.controller(
        MCA_CONTROLLER_PROBE_SECONDS="1",
        MCA_CONTROLLER_PROFILE_NAMESPACES="fleet",
        MCA_CONTROLLER_MEMBER_AUDIENCES="https://listed.example.com,"
        "https://kubernetes.default.svc.cluster.local",
    ).wait_leads()
