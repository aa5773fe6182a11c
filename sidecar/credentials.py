"""Owns what the sidecar shows to a cluster: a bearer token or a client certificate, from files.

Must not send it anywhere, nor log it. A file that is missing, empty or broken never replaces a
credential that worked: the last good one stays until the API server refuses it.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from abc import ABC, abstractmethod
from binascii import Error as Base64Error, a2b_base64
from typing import TYPE_CHECKING

from sidecar.log import log_event
from sidecar.policy.snapshot import Brokered, Credentials, TokenFile, Withheld
from sidecar.secret import Secret
from sidecar.watched_file import WatchedFile

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_BYTES = 65536
_LEAST_REFRESH_S = 1.0
_LOOK_S = 0.05  # between two looks at a file that somebody waits for

# RFC 6750's b64token. A space or a line end inside would let a file write header lines.
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")


class FileCredential(ABC):
    """One cluster's credential; `generation` grows with each new one, 0 means none yet.

    With `wait_s`, somebody is expected to write a newer one soon after a refusal was logged, or
    the same again to say that there is none.
    """

    in_handshake = False  # it is shown when a connection is made, not with each call

    def __init__(self, *files: WatchedFile, cluster: str = "", wait_s: float = 0.0) -> None:
        self.cluster = cluster
        self.generation = 0
        self.problem = "it was not read yet"
        self.changed: Callable[[], None] = _nobody  # is told when it comes between two polls
        self._files = files
        self._wait_s = wait_s
        self._refreshed_at = float("-inf")
        self._refused = 0  # the generation that the files were last read again for
        self._awaited_until = float("-inf")
        self._told = ""

    @abstractmethod
    def header(self) -> Secret | None:
        """The value of `Authorization`; None when the certificate does it, or nothing is there."""

    @abstractmethod
    def api_audiences(self) -> frozenset[str] | None:
        """Audiences that open the API server, as far as the credential tells; None: it does not."""

    @abstractmethod
    def _adopt(self) -> str:
        """Take the files' new content; the reason if it is no good."""

    def load_into(self, context: ssl.SSLContext) -> None:  # noqa: B027 - most have nothing to load
        """Have the handshake show it; OSError where it cannot."""

    @property
    def ready(self) -> bool:
        return self.generation > 0

    @property
    def retry_after_s(self) -> int | None:
        """While it is not ready: when it may be; None: nothing tells."""
        return 1

    def poll(self, now: float | None = None, *, force: bool = False) -> bool:
        """Look at the files; True when there is a newer credential. Cheap: a stat for each."""
        now = time.monotonic() if now is None else now
        # All of them, so that a pair is judged as it is now.
        changed = [file.poll(now, force=force) for file in self._files]
        # What failed is tried again: a pair may have been read while it was being swapped.
        if not any(changed) and not self.problem:
            return False
        seen = self.generation
        self.problem = self._missing() or self._adopt()
        self._tell()
        return self.generation != seen

    async def refresh(self, seen_generation: int) -> bool:
        """Asked for after a 401; True when a newer credential than the refused one is there.

        One refresh serves all who ask: the files are read at most once a second, and whoever
        comes while another waits, waits no longer than that one.
        """
        now = time.monotonic()
        rested = now - self._refreshed_at >= _LEAST_REFRESH_S
        if self.generation == seen_generation and rested and not self._is_awaited(seen_generation):
            self._refreshed_at = now
            self.poll(now, force=True)
            if self.generation == seen_generation:
                self._refused = seen_generation
                self._awaited_until = now + self._wait_s
                log_event("warning", "credential_refused", cluster=self.cluster)
        marks = self._marks()
        while self._is_awaited(seen_generation):
            await asyncio.sleep(_LOOK_S)
            self.poll()
            if self.generation == seen_generation and not self.problem and self._marks() != marks:
                self._awaited_until = float("-inf")
        return self.generation != seen_generation

    def _is_awaited(self, refused: int) -> bool:
        return (
            self.generation == self._refused == refused and time.monotonic() < self._awaited_until
        )

    def _marks(self) -> list[object]:
        return [file.mark for file in self._files]

    def _missing(self) -> str:
        return "; ".join(file.problem for file in self._files if file.content is None)

    def _tell(self) -> None:
        if self.problem and self.problem != self._told:
            log_event(
                "warning",
                "credential_unusable",
                cluster=self.cluster,
                reason=self.problem,
                kept=self.ready,
            )
        self._told = self.problem


class TokenCredential(FileCredential):
    """A bearer token, read again whenever the kubelet renews it."""

    def __init__(self, path: str, *, cluster: str = "", wait_s: float = 0.0) -> None:
        self._file = WatchedFile(path, _MAX_BYTES)
        super().__init__(self._file, cluster=cluster, wait_s=wait_s)
        self._header: Secret | None = None
        self._audiences: frozenset[str] | None = None

    def header(self) -> Secret | None:
        return self._header

    def api_audiences(self) -> frozenset[str] | None:
        return self._audiences

    def _adopt(self) -> str:
        token = (self._file.content or b"").strip(b"\r\n")
        if not token:
            return f"{self._file.path}: is empty"
        if _TOKEN.fullmatch(token) is None:
            return f"{self._file.path}: holds characters that no bearer token has"
        header = Secret(b"Bearer " + token)
        if header != self._header:
            self._header = header
            self._audiences = parse_audiences(token)
            self.generation += 1
        return ""


class CertCredential(FileCredential):
    """A client certificate and its key."""

    in_handshake = True

    def __init__(
        self, cert_path: str, key_path: str, *, cluster: str = "", wait_s: float = 0.0
    ) -> None:
        self.cert_path = cert_path
        self.key_path = key_path
        self._cert = WatchedFile(cert_path, _MAX_BYTES)
        self._key = WatchedFile(key_path, _MAX_BYTES)
        super().__init__(self._cert, self._key, cluster=cluster, wait_s=wait_s)

    def header(self) -> Secret | None:
        return None

    def api_audiences(self) -> frozenset[str] | None:
        return None

    def load_into(self, context: ssl.SSLContext) -> None:
        # A password, so that OpenSSL does not ask for one at the terminal.
        context.load_cert_chain(self.cert_path, self.key_path, password="")

    def _adopt(self) -> str:
        try:
            self.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except OSError as error:
            reason = getattr(error, "reason", None) or error.strerror
            return f"{self.cert_path}, {self.key_path}: {reason}"
        self.generation += 1
        return ""


class NoCredential(FileCredential):
    """There is none, and why: the cluster is never called."""

    def __init__(self, problem: str, *, cluster: str = "") -> None:
        super().__init__(cluster=cluster)
        self._problem = problem

    def header(self) -> Secret | None:
        return None

    def api_audiences(self) -> frozenset[str] | None:
        return frozenset()  # it opens nothing, and must not be why no token can be requested at all

    @property
    def retry_after_s(self) -> int | None:
        return None

    def _adopt(self) -> str:
        return self._problem


def open_credential(
    source: Credentials, *, cluster: str = "", wait_s: float = 0.0
) -> FileCredential:
    """The credential that a snapshot names, polled once."""
    credential: FileCredential
    if isinstance(source, Withheld):
        credential = NoCredential(source.reason, cluster=cluster)
    elif isinstance(source, Brokered):
        credential = NoCredential(
            "its credentials come from the broker, and MCA_BROKER names none", cluster=cluster
        )
    elif isinstance(source, TokenFile):
        credential = TokenCredential(source.path, cluster=cluster, wait_s=wait_s)
    else:
        credential = CertCredential(
            source.cert_path, source.key_path, cluster=cluster, wait_s=wait_s
        )
    credential.poll()
    return credential


def parse_audiences(token: bytes) -> frozenset[str] | None:
    """What a JWT says it is for, and who issued it: an API server accepts its issuer by default.

    Unverified, for guards only; None unless it is a JWT that names an audience.
    """
    parts = token.split(b".")
    if len(parts) != 3:
        return None
    try:
        payload = parts[1].translate(bytes.maketrans(b"-_", b"+/"))
        claims = json.loads(a2b_base64(payload + b"=" * (-len(payload) % 4)))
        audiences = claims["aud"]
        issuer = claims["iss"]
    except (Base64Error, ValueError, TypeError, KeyError, RecursionError):
        return None
    if isinstance(audiences, str):
        audiences = [audiences]
    if not isinstance(audiences, list) or not audiences:
        return None
    names = [*audiences, issuer]
    if not all(isinstance(name, str) and name for name in names):
        return None
    return frozenset(names)


def _nobody() -> None:
    """Nobody wants to be told."""
