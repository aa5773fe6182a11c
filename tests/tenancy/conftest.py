"""The scene of these tests: two clusters, two tenants, one sidecar."""

from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.tenancy.scene import DEV_ROUTE, Scene


@pytest.fixture(scope="package")
def scene() -> Iterator[Scene]:
    """Tenant A with two namespaces, of which another cluster serves the second."""
    with (
        ControlPlane() as home,
        ControlPlane() as west,
        Scene(home, west, routes=[DEV_ROUTE]) as made,
    ):
        yield made
