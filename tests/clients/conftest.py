"""The control plane of these tests: private, because its etcd is made to forget."""

from collections.abc import Iterator

import pytest

from tests.clients.scene import Scene
from tests.controlplane import ControlPlane


@pytest.fixture(scope="package")
def scene() -> Iterator[Scene]:
    """A control plane that answers old versions with 410, and a node whose pods answer."""
    # Snapshots in memory would serve a list's next chunk, whatever etcd has forgotten.
    plane = ControlPlane(features={"ListFromCacheSnapshot": False})
    with plane, Scene(plane) as made:
        # A watch from a version older than the server's own cache is too old.
        plane.restart_api_server()
        yield made
