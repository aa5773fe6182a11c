"""Owns the callers' tokens: how one is derived, and who it names.

Must not store or log one. They open nothing but this sidecar, and only while its seed lives.
"""

from binascii import b2a_base64
from collections.abc import Iterable

from sidecar.config import Settings
from sidecar.digest import compare_digest, hmac_sha256
from sidecar.policy.verdict import Caller
from sidecar.secret import Secret

_PURPOSE = b"mca caller token v1\0"


def container_token(seed: Secret, container: str) -> Secret:
    """`mca-<container>.<mac>`: two parts, so that nothing takes it for a JWT of three."""
    mac = hmac_sha256(seed.reveal(), _PURPOSE + container.encode())
    text = b2a_base64(mac, newline=False).translate(bytes.maketrans(b"+/", b"-_"), b"=")
    return Secret(b"mca-" + container.encode() + b"." + text)


def open_callers(settings: Settings, seed: Secret, namespace: str) -> "Callers":
    """The callers that the settings name."""
    return Callers(
        seed,
        (
            Caller(container, namespace, settings.service_account, settings.pod)
            for container in settings.containers
        ),
    )


class Callers:
    """All containers of the pod, found by their tokens."""

    def __init__(self, seed: Secret, callers: Iterable[Caller]) -> None:
        self._callers = tuple(
            (container_token(seed, caller.container), caller) for caller in callers
        )

    def find(self, token: bytes) -> Caller | None:
        """Who was given this token; takes as long for the last caller as for none."""
        found = None
        for secret, caller in self._callers:
            if compare_digest(secret.reveal(), token):
                found = caller
        return found
