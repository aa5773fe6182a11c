"""The two control planes of these tests, shared by all: whoever breaks one mends it."""

from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.multicluster.scene import Planes


@pytest.fixture(scope="package")
def planes() -> Iterator[Planes]:
    with ControlPlane() as home, ControlPlane() as west:
        yield Planes(home, west)
