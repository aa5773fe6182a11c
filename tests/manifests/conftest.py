"""One control plane with the guards for all tests here: they act on the whole cluster."""

from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.manifests.scene import Guarded


@pytest.fixture(scope="package")
def guarded() -> Iterator[Guarded]:
    # Off by default still: certificates as another credential that a volume may hold.
    with ControlPlane(
        # It asks for pods' tokens. NodeRestriction, off here, keeps real ones to their own pods.
        users={"kubelet": ["system:nodes"]},
        features={"PodCertificateRequest": True},
        flags={"runtime-config": "certificates.k8s.io/v1beta1=true"},
    ) as plane:
        yield Guarded(plane)
