"""A TLS client that sends exact bytes and sees exactly how a connection ends.

Owns the requests and answers of one connection. Must not correct what a test sends, as http.client
and requests would.
"""

import socket
import ssl
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.sidecar_process import SidecarProcess
from tests.tls_pipe import TlsPipe


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, exactly as it came."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    head: bytes

    def header(self, name: str) -> str | None:
        """The one value of a field; None without one."""
        values = [value for field, value in self.fields if field.lower() == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"{name} is given {len(values)} times")
        return values[0] if values else None


class RawClient(TlsPipe):
    """One TLS connection to a sidecar (or to any address, with a context that trusts it)."""

    def __init__(
        self,
        sidecar: SidecarProcess | tuple[str, int],
        *,
        context: ssl.SSLContext | None = None,
        timeout_s: float = 10.0,
        receive_buffer: int = 0,
        server_hostname: str = "127.0.0.1",
    ) -> None:
        if isinstance(sidecar, SidecarProcess):
            context = context or sidecar.trust()
            sidecar = sidecar.api
        if context is None:
            raise ValueError("an address needs a context")
        sock = socket.socket()
        sock.settimeout(timeout_s)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            sock.connect(sidecar)
            super().__init__(sock, context, server_hostname=server_hostname)
            self.handshake()
        except BaseException:
            sock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sock.close()

    def read_until(self, mark: bytes) -> bytes:
        """Up to and with the mark; EOFError if the connection ends before."""
        data = b""
        while mark not in data:
            piece = self.read_some()
            if not piece:
                raise EOFError(f"{self.end} after {data!r}")
            data += piece
        end = data.index(mark) + len(mark)
        self.unread(data[end:])
        return data[:end]

    def read_exactly(self, size: int) -> bytes:
        """So many bytes; EOFError if the connection ends before."""
        data = b""
        while len(data) < size:
            piece = self.read_some()
            if not piece:
                raise EOFError(f"{self.end} after {len(data)} of {size} bytes")
            data += piece
        self.unread(data[size:])
        return data[:size]

    def read_head(self) -> Response:
        """An answer's head; its body stays unread."""
        return parse_head(self.read_until(b"\r\n\r\n"))

    def read_response(self, method: str = "GET") -> Response:
        """One whole answer, by its framing; interim answers are answers too."""
        found = self.read_head()
        if method == "HEAD" or found.status < 200 or found.status in (204, 304):
            body = b""
        elif (found.header("Transfer-Encoding") or "").lower() == "chunked":
            body = self._read_chunks()
        elif (length := found.header("Content-Length")) is not None:
            body = self.read_exactly(int(length))
        else:
            body = self.read_all()
        return Response(found.status, found.fields, body, found.head)

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            size = int(self.read_until(b"\r\n"), 16)
            if not size:
                while self.read_until(b"\r\n") != b"\r\n":
                    pass
                return body
            body += self.read_exactly(size)
            if self.read_exactly(2) != b"\r\n":
                raise AssertionError("a chunk is longer than its size")

    def ask(self, request: bytes, method: str = "GET") -> Response:
        """Send and read one answer."""
        self.send(request)
        return self.read_response(method)

    def wait_closed(self, timeout_s: float = 5.0) -> str:
        """How the peer ends it; fails if it sends anything or keeps the connection open."""
        self.sock.settimeout(timeout_s)
        try:
            data = self.read_all()
        except TimeoutError:
            raise AssertionError("the connection is still open") from None
        if data:
            raise AssertionError(f"more came: {data[:200]!r}")
        return self.end

    def is_open(self, seconds: float = 0.2) -> bool:
        """Whether it is still open and silent after a moment."""
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        started = time.monotonic()
        try:
            data = self.read_some()
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(before)
        if data:
            raise AssertionError(f"unexpected after {time.monotonic() - started:.2f} s: {data!r}")
        return False


def parse_head(head: bytes) -> Response:
    """An answer's head, strictly."""
    status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
    version, status, _ = f"{status_line} ".split(" ", 2)
    if version != "HTTP/1.1":
        raise AssertionError(f"not HTTP/1.1: {status_line!r}")
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise AssertionError(f"a bad header line: {line!r}")
        fields.append((name, value.strip()))
    return Response(int(status), tuple(fields), b"", head)


def render_request(
    sidecar: SidecarProcess,
    method: str = "GET",
    target: str = "/api/v1/namespaces/team-a/pods",
    *lines: str,
    body: bytes = b"",
    host: str | None = None,
    token: str | None = None,
) -> bytes:
    """A request as clients send it, plus header lines of one's own, written as they are."""
    bearer = sidecar.token(sidecar.containers[0]) if token is None else token
    head = [f"{method} {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{sidecar.port}'}"]
    if bearer:
        head.append(f"Authorization: Bearer {bearer}")
    return "\r\n".join([*head, *lines, "", ""]).encode("latin-1") + body
