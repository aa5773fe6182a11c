"""One control plane with the guards for all tests here: they act on the whole cluster."""

from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.manifests.scene import Guarded


@pytest.fixture(scope="package")
def guarded() -> Iterator[Guarded]:
    with ControlPlane() as plane:
        yield Guarded(plane)
