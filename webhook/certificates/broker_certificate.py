"""Owns the broker's serving certificate: signed by the webhook's CA, or found in files.

Must not make a CA, nor write anything.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry

from webhook.certificates.file_certificate import CertificateSource, FileCertificate
from webhook.certificates.follower import Follower
from webhook.certificates.own_certificate import (
    NOT_ASKED,
    LoopAudience,
    list_names,
    make_distrusted_context,
)
from webhook.certificates.planning import Lifetimes
from webhook.certificates.shared_objects import SharedObjects
from webhook.certificates.tally import CertificateTally
from webhook.kube import Kube

_COMPONENT: Final = "controller"


class CertificateSettings(Protocol):
    """What it takes, of the controller's settings."""

    @property
    def certificates(self) -> str:
        """own, or files."""

    @property
    def cert_path(self) -> str:
        """files: the certificate."""

    @property
    def key_path(self) -> str:
        """files: its key."""

    @property
    def namespace(self) -> str:
        """own: where Secret, ConfigMap and Service are."""

    @property
    def service(self) -> str:
        """own: what sidecars call."""


def open_certificate(settings: CertificateSettings, kube: Kube) -> CertificateSource | str:
    """Where the certificate comes from; a text tells what is wrong."""
    if settings.certificates == "files":
        files = FileCertificate(settings.cert_path, settings.key_path, _COMPONENT)
        problem = files.load()
        return f"MCA_CONTROLLER_CERT, MCA_CONTROLLER_KEY: {problem}" if problem else files
    names = list_names(settings.namespace, settings.service)
    return SignedCertificate(SharedObjects(kube, settings.namespace), names)


class SignedCertificate:
    """Signed by the CA of the webhook's Secret, once that is trusted."""

    def __init__(
        self,
        shared: SharedObjects,
        names: tuple[str, ...],
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 - it is a tuple
    ) -> None:
        self._shared = shared
        self._names = names
        self._lifetimes = lifetimes
        self.context = make_distrusted_context(names)
        self.lacks = NOT_ASKED

    async def keep(
        self, ending: asyncio.Event, registry: CollectorRegistry, say_lacks: Callable[[str], None]
    ) -> None:
        """Take what is signed, and pass on what is lacking."""
        tally = CertificateTally(registry, _COMPONENT)
        audience = LoopAudience(asyncio.get_running_loop(), self.context, tally, say_lacks)
        follower = Follower(self._shared, self._names, self._lifetimes, audience)
        threading.Thread(target=follower.run, name="certificates", daemon=True).start()
        await ending.wait()
        follower.end()
