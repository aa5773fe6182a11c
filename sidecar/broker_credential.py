"""Owns a credential that the broker handed out: held in memory, renewed long before its end.

Must not be written anywhere. A broker that cannot be reached takes nothing away: the credential
counts until its time is over. A broker that says no does, at once.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from typing import TYPE_CHECKING, Final

from sidecar.broker_answers import Granted, read_grant
from sidecar.credentials import FileCredential, parse_audiences
from sidecar.log import log_event
from sidecar.secret import Secret
from sidecar.snapshot_watch import fraction

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.inquiry import Told
    from sidecar.policy.snapshot import Cluster
    from sidecar.policy.verdict import Denial

    Ask = Callable[[str, Callable[[Told | Denial], None]], None]

_RENEW_AT: Final = 2 / 3  # of its life
_SPREAD: Final = 0.1  # and up to a tenth of it earlier
_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 60.0
# After a 401 the broker is asked anew, no more often than this: a member that answers so to
# everything must not have us flood the broker.
_LEAST_REFRESH_S: Final = 10.0
_WAITING: Final = "its credential is being fetched from the broker"
_RAN_OUT: Final = "its credential has run out, and there is no other: "
_ASKED: Final = "the broker was asked and has not answered yet"


class BrokerCredential(FileCredential):
    """One cluster's credential; `ask` puts a question to the broker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cluster: Cluster, ask: Ask) -> None:
        super().__init__(cluster=cluster.name)
        self.problem = _WAITING
        self._loop = loop
        self._at = cluster
        self._ask = ask
        self._header: Secret | None = None
        self._pair: Secret | None = None
        self._audiences: frozenset[str] | None = None
        self._ends_at = float("-inf")
        self._ask_at = float("-inf")
        self._asked_at = float("-inf")
        self._retry_s = _FIRST_RETRY_S
        self._asking: asyncio.Future[None] | None = None
        self._ran_out = ""

    @property
    def in_handshake(self) -> bool:  # type: ignore[override]
        return self._pair is not None

    @property
    def ready(self) -> bool:
        return self._header is not None or self._pair is not None

    @property
    def retry_after_s(self) -> int | None:
        return 1 if self.problem == _WAITING else None

    def header(self) -> Secret | None:
        return self._header

    def api_audiences(self) -> frozenset[str] | None:
        return self._audiences

    def load_into(self, context: ssl.SSLContext) -> None:
        if self._pair is not None:
            load_pair(context, self._pair)

    def poll(self, now: float | None = None, *, force: bool = False) -> bool:
        """Is it time to ask, or is it over? True when what is held is another."""
        now = time.monotonic() if now is None else now
        if self._asking is None and now >= self._ask_at:
            self._begin(now)
        if self.ready and now >= self._ends_at:
            self._ran_out = _RAN_OUT
            self._drop(_RAN_OUT + (self.problem or _ASKED))
            return True
        return False

    async def refresh(self, seen_generation: int) -> bool:
        """Asked for after a 401: one question to the broker serves all who wait."""
        now = time.monotonic()
        if self.generation == seen_generation and self._asking is None:
            if now - self._asked_at < _LEAST_REFRESH_S:
                return False
            log_event("warning", "credential_refused", cluster=self.cluster)
            self._begin(now)
        if self.generation == seen_generation and self._asking is not None:
            await asyncio.shield(self._asking)
        return self.generation != seen_generation and self.ready

    def _adopt(self) -> str:
        raise AssertionError("it is in no file")

    def _begin(self, now: float) -> None:
        self._asked_at = now
        self._asking = self._loop.create_future()
        self._ask(self.cluster, self._answered)

    def _answered(self, told: Told | Denial) -> None:
        asking, self._asking = self._asking, None
        now = time.monotonic()
        answer = read_grant(told, self._at)
        if isinstance(answer, Granted):
            refusal = self._take(answer, now)
        else:
            refusal = answer.message
            self._put_off(now, answer.retry_after_s)
            if answer.revoked and (self.ready or self._audiences is None):
                self._audiences = self._audiences or frozenset()  # nothing is opened from here
                self._drop(refusal)
        if refusal:
            self.problem = self._ran_out + refusal
            self._tell()
        self.changed()
        if asking is not None and not asking.done():
            asking.set_result(None)

    def _put_off(self, now: float, at_least_s: float) -> None:
        self._ask_at = now + max(at_least_s, self._retry_s) * (1 + 0.25 * fraction())
        self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)

    def _take(self, granted: Granted, now: float) -> str:
        header = granted.token and Secret(b"Bearer " + granted.token.reveal())
        if granted.certificate is not None:
            try:
                load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), granted.certificate)
            except OSError as error:
                self._put_off(now, 0)
                reason = getattr(error, "reason", None) or error.strerror
                return f"the broker's certificate cannot be loaded: {reason}"
        if header != self._header or granted.certificate != self._pair:
            self.generation += 1
            self._header, self._pair = header, granted.certificate
            self._audiences = parse_audiences(granted.token.reveal()) if granted.token else None
        self._ends_at = now + granted.seconds
        self._ask_at = now + granted.seconds * _RENEW_AT * (1 - _SPREAD * fraction())
        self._retry_s = _FIRST_RETRY_S
        self.problem = self._told = self._ran_out = ""
        return ""

    def _drop(self, why: str) -> None:
        self._header = self._pair = None  # its audiences stay closed: another may come
        self.generation += 1  # they are looked at again, and so is what was remembered
        self.problem = why
        self._tell()


def load_pair(context: ssl.SSLContext, pair: Secret) -> None:
    """Load a certificate and key that lie in memory alone: OpenSSL reads files, and this one has no
    name, is this process's own, and is gone when it is closed."""
    fd = os.memfd_create("mca", os.MFD_CLOEXEC)
    try:
        os.fchmod(fd, 0o600)
        rest = memoryview(pair.reveal())
        while rest:
            rest = rest[os.write(fd, rest) :]
        context.load_cert_chain(f"/proc/self/fd/{fd}", password="")
    finally:
        os.close(fd)
