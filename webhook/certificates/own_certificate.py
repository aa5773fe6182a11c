"""Owns the webhook's serving certificate where the replicas make their own.

Must not wait for an API server: what decides and asks is keeper.py, in a thread of its own. Must
not write a key to any disk.
"""

import asyncio
import contextlib
import os
import ssl
import threading
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from webhook.certificates.file_certificate import new_context
from webhook.certificates.keeper import Keeper
from webhook.certificates.planning import Lifetimes
from webhook.certificates.shared_objects import SharedObjects
from webhook.certificates.signing import Pair, make_authority, sign_serving
from webhook.certificates.tally import CertificateTally
from webhook.kube import Kube

NOT_ASKED: Final = "no certificate: the API server was not asked yet"
_THROWAWAY_S: Final = 3653 * 86400


class OwnCertificate:
    """Signed by the keeper, once it has looked."""

    def __init__(self, kube: Kube, namespace: str, service: str, lifetimes: Lifetimes) -> None:
        self._shared = SharedObjects(kube, namespace)
        self._names = list_names(namespace, service)
        self._lifetimes = lifetimes
        self.context = make_distrusted_context(self._names)
        self.lacks = NOT_ASKED

    async def keep(
        self, ending: asyncio.Event, registry: CollectorRegistry, say_lacks: Callable[[str], None]
    ) -> None:
        """Take what the keeper signs, and pass on what it lacks."""
        tally = CertificateTally(registry)
        audience = LoopAudience(asyncio.get_running_loop(), self.context, tally, say_lacks)
        keeper = Keeper(self._shared, self._names, self._lifetimes, audience)
        threading.Thread(target=keeper.run, name="certificates", daemon=True).start()
        await ending.wait()


class LoopAudience:
    """Brings what the keeper says to the loop that serves.

    Only there a certificate is put into the live context: in between two handshakes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        tally: CertificateTally,
        say_lacks: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._context = context
        self._tally = tally
        self._say_lacks = say_lacks

    def take(self, pair: Pair) -> None:
        # On a context of its own first, where whoever signed it hears of a failure.
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pair)
        self._call(lambda: load_pair(self._context, pair))
        self._tally.tell_serving(pair.certificate.not_after)

    def tell(self, lack: str, authority_ends: float) -> None:
        self._call(lambda: self._say_lacks(lack))
        if authority_ends:
            self._tally.tell_authority(authority_ends)

    def count(self, *, repair: bool) -> None:
        self._tally.count(repair=repair)

    def _call(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is served any more
            self._loop.call_soon_threadsafe(work)


def make_distrusted_context(names: tuple[str, ...]) -> ssl.SSLContext:
    """Serves with a certificate that nobody trusts, until there is a trusted one.

    Probes do not ask whom they talk to: a replica that waits for the API server is alive.
    """
    context, now = new_context(), time.time()
    throwaway = make_authority(now, _THROWAWAY_S)
    load_pair(context, sign_serving(throwaway, names, now, _THROWAWAY_S))
    return context


def list_names(namespace: str, service: str) -> tuple[str, ...]:
    """What an API server calls the Service, and its longer and shorter form."""
    return (
        f"{service}.{namespace}.svc",
        f"{service}.{namespace}.svc.cluster.local",
        f"{service}.{namespace}",
    )


def load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    """Into a context, which reads nothing but files: here one that is memory."""
    descriptor = os.memfd_create("mca-certificate", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write((pair.key_pem + pair.certificate.pem).encode())
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
