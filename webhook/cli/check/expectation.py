"""Owns which objects an installation should have, told by its Deployment.

What they are is webhook/install's. Must not fetch.
"""

from webhook.admission.outcome import RawObject
from webhook.cli.check.facts import read_environment
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

_OF_CERTIFICATES = ("Issuer", "Certificate")
_ANY_DIGEST = f"sha256:{'0' * 64}"


def expect_objects(deployment: RawObject | None, system: str) -> list[RawObject]:
    """Without a Deployment, nothing is expected: its own check says so."""
    environment = read_environment(deployment)
    if environment is None:
        return []
    foreign = environment.get("MCA_WEBHOOK_CERTIFICATES", "files") == "files"
    settings = InstallSettings(
        sidecar_image=f"sidecar@{_ANY_DIGEST}",
        control_image=f"control@{_ANY_DIGEST}",
        namespace=system,
        cert_manager=foreign,
    )
    # Certificates from elsewhere may come by whatever means.
    return [item for item in build_objects(settings) if item["kind"] not in _OF_CERTIFICATES]
