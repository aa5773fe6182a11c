"""One control plane whose API server calls a webhook of ours, for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.admission.scene import WebhookProcess
from webhook.admission.registration import build_registration


class Served(NamedTuple):
    """An API server, with service accounts, and the webhook that it calls."""

    plane: ControlPlane
    webhook: WebhookProcess

    def create_namespace(
        self, name: str, *, pod_security: str = "restricted", **labels: str
    ) -> None:
        """With `mca.io/…` labels; its default account is there."""
        self.plane.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": {
            "pod-security.kubernetes.io/enforce": pod_security,
            **{f"mca.io/{key.replace('_', '-')}": value for key, value in labels.items()},
        }}})  # fmt: skip
        self.plane.create(
            f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}}
        )


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Registered by its URL, as the API server calls it."""
    folder = tmp_path_factory.mktemp("webhook")
    webhook = WebhookProcess(folder).wait()
    try:
        with ControlPlane(controller_manager=True) as plane:
            registration = build_registration({"url": webhook.url}, webhook.ca_bundle, ())
            path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
            plane.create(path, registration)
            yield Served(plane, webhook)
    finally:
        webhook.stop()


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[WebhookProcess]:
    process = WebhookProcess(tmp_path).wait()
    yield process
    process.stop()
