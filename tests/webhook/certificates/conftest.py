"""One control plane in which replicas make their own certificates, for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.certificates.scene import Installed


@pytest.fixture(scope="package")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane(controller_manager=True) as started:
        yield started


@pytest.fixture
def installed(plane: ControlPlane, tmp_path: Path) -> Iterator[Installed]:
    """As after the first installation: an empty Secret, no caBundle; with no replica yet."""
    made = Installed(plane, tmp_path)
    yield made
    made.stop()
