"""Owns a serving certificate where it is found in files: taken anew when they change.

Must not give up a good one for a bad one: if reloading fails, the old one stays in use.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry

from sidecar.log import log_event
from webhook.certificates.signing import read_certificates
from webhook.certificates.tally import CertificateTally

_Mark = tuple[tuple[int, int, int], ...]
_NONE: Final[_Mark] = ()
_RELOAD_S: Final = 1.0


class CertificateSource(Protocol):
    """Where a server has its certificate from."""

    context: ssl.SSLContext  # to serve with, whatever becomes of the certificate
    lacks: str  # why it cannot be called yet, or nothing

    async def keep(
        self, ending: asyncio.Event, registry: CollectorRegistry, say_lacks: Callable[[str], None]
    ) -> None:
        """See that `context` has a good one until the process is to end."""


class FileCertificate:
    """`context` serves with what was last found in order."""

    lacks = ""

    def __init__(self, cert_path: str, key_path: str, component: str = "webhook") -> None:
        self._component = component
        self._paths = (cert_path, key_path)
        self.context = new_context()
        self.ends = 0.0
        self._mark = _NONE

    def load(self) -> str:
        """Take the files if they changed; what is wrong with them, or nothing.

        A mounted Secret changes both at once, other writers do not: a pair that does not fit is
        tried again with the next change.
        """
        try:
            mark = tuple(_mark(path) for path in self._paths)
            if mark == self._mark:
                return ""
            # On a context of its own first: a failure must not leave half a pair in the live one.
            new_context().load_cert_chain(*self._paths)
            self.context.load_cert_chain(*self._paths)
            with open(self._paths[0], encoding="utf-8") as file:
                self.ends = read_certificates(file.read())[0].not_after
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return f"{' and '.join(self._paths)}: {reason or error}"
        self._mark = mark
        return ""

    async def keep(
        self, ending: asyncio.Event, registry: CollectorRegistry, say_lacks: Callable[[str], None]
    ) -> None:
        """Look after changes each second."""
        tally = CertificateTally(registry, self._component)
        say_lacks(self.lacks)
        told = ""
        while not ending.is_set():
            problem = self.load()
            if problem and problem != told:
                log_event("warning", "certificate_kept", problem=problem)
                tally.count(repair=False)
            told = problem
            tally.tell_serving(self.ends)
            try:
                async with asyncio.timeout(_RELOAD_S):
                    await ending.wait()
            except TimeoutError:
                continue


def new_context() -> ssl.SSLContext:
    """What a server serves with, still without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _mark(path: str) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size
