"""Sends attempts over one kept connection, byte for byte, and reads what is answered.

Owns the connection. A stream is read until it falls silent. Must not judge the answers.
"""

import contextlib
import gzip
import ssl
import time
from http.client import HTTPException, HTTPResponse
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection
from types import TracebackType
from typing import NamedTuple, Self

PATIENCE_S = 15.0
# After the head of a watch, the events that there are follow at once.
SILENCE_S = 0.1
ENOUGH = 4_000_000


class Sent(NamedTuple):
    """One request as it goes out; the caller's token and the framing are added to it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    chunked: bool = False

    def render(self, token: str, port: int) -> bytes:
        head = [
            f"{self.method} {self.target} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Authorization: Bearer {token}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        body = self.body
        if self.chunked and body:
            head.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif body or self.method in ("POST", "PUT", "PATCH"):
            head.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*head, "", ""]).encode() + body


class Answered(NamedTuple):
    """What came back; `rule` is that of an answer of the sidecar's own."""

    status: int
    ident: str
    rule: str
    content: bytes

    @property
    def forwarded(self) -> bool:
        return not self.rule


class Wire:
    """A client that keeps its connection as long as it may."""

    def __init__(self, port: int, ca_pem: str, token: str) -> None:
        self._port = port
        self._token = token
        self._trust = ssl.create_default_context(cadata=ca_pem)
        self._socket: ssl.SSLSocket | None = None
        self.opened = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, sent: Sent, *, stay: bool = False) -> Answered:
        """Send it and read the answer, whole or until it is silent; `stay` leaves it open then."""
        if self._socket is None:
            self._socket = self._connect()
        self._socket.settimeout(PATIENCE_S)
        self._socket.sendall(sent.render(self._token, self._port))
        response = HTTPResponse(self._socket, method=sent.method)
        response.begin()
        content, whole = self._read(self._socket, response)
        if response.will_close or not (whole or stay):
            self.close()
        if response.headers.get("Content-Encoding") == "gzip":
            with contextlib.suppress(EOFError):
                content = gzip.decompress(content)
        return Answered(
            response.status,
            response.headers.get("Audit-Id", ""),
            response.headers.get("Mca-Decision", ""),
            str(response.headers).encode() + content,
        )

    def _connect(self) -> ssl.SSLSocket:
        self.opened += 1
        plain = create_connection(("127.0.0.1", self._port), timeout=PATIENCE_S)
        # Else the first request waits for the peer to acknowledge the end of the handshake, 40 ms.
        plain.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        return self._trust.wrap_socket(plain, server_hostname="127.0.0.1")

    @staticmethod
    def _read(sock: ssl.SSLSocket, response: HTTPResponse) -> tuple[bytes, bool]:
        """The content, and whether that is all of it."""
        if response.status == 101:
            return b"", False
        if response.chunked:
            sock.settimeout(SILENCE_S)
        pieces: list[bytes] = []
        size = 0
        deadline = time.monotonic() + PATIENCE_S
        try:
            while size < ENOUGH and time.monotonic() < deadline:
                piece = response.read1(65536)
                if not piece:
                    return b"".join(pieces), True
                pieces.append(piece)
                size += len(piece)
        except (TimeoutError, HTTPException, ssl.SSLError):
            pass  # a watch has nothing more to say, or ends as streams do: in the middle
        return b"".join(pieces), False
