"""A proxy between a process and its API server that kills the process right after its nth write.

Owns the counting: a write counts once the API server has done it, and its answer is not passed on
when the process is to die by it. Must not change what passes.
"""

import http.client
import ssl
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.controlplane import ControlPlane

_READS = ("GET", "HEAD")
_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


class Interruption:
    """`with Interruption(plane) as proxy:` — plain HTTP on 127.0.0.1, for one process at a time."""

    def __init__(self, plane: ControlPlane) -> None:
        self.trust = ssl.create_default_context(cadata=plane.ca_pem)
        self.upstream = plane.port
        self.writes: list[str] = []
        self._lock = threading.Lock()
        self._name, self._limit = "", 0
        self._kill: Callable[[], None] = lambda: None
        self._dead = False
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Interruption":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, name: str, limit: int, kill: Callable[[], None]) -> None:
        """From now on the writes about one tenant; `kill` after the last of them."""
        with self._lock:
            self.writes = []
            self._name, self._limit, self._kill = name, limit, kill

    def revive(self) -> None:
        """Another process comes, and is left alone."""
        with self._lock:
            self._limit, self._dead = 0, False

    @property
    def is_dead(self) -> bool:
        """The process was killed."""
        return self._dead

    def pass_write(self, send: Callable[[], Any], told: str) -> Any:
        """One at a time, so that none is on its way while another is the last."""
        with self._lock:
            if self._dead:
                return None
            answer = send()
            if answer[0] < HTTPStatus.MULTIPLE_CHOICES and self._concerns(told):
                self.writes.append(told)
                if len(self.writes) == self._limit:
                    self._dead = True
                    self._kill()
                    return None
            return answer

    def _concerns(self, told: str) -> bool:
        """Whether a write is about the tenant, or its namespace, which has its name."""
        return told == "POST /api/v1/namespaces" or f"/{self._name}" in told


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Interruption
    connection_up: http.client.HTTPSConnection | None = None

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command in _READS:
            self._stream(body)
            return
        told = f"{self.command} {urlsplit(self.path).path}"
        answer = self.owner.pass_write(lambda: self._ask(body), told)
        if answer is None:
            self.close_connection = True
            return
        self._answer(*answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _open(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.owner.upstream, context=self.owner.trust, timeout=400
        )

    def _send(self, connection: http.client.HTTPSConnection, body: bytes) -> Any:
        headers = {
            name: text for name, text in self.headers.items() if name.lower() not in _HOP_BY_HOP
        }
        connection.request(self.command, self.path, body=body or None, headers=headers)
        return connection.getresponse()

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if self.connection_up is None:
            self.connection_up = self._open()
        response = self._send(self.connection_up, body)
        return response.status, response.getheaders(), response.read()

    def finish(self) -> None:
        super().finish()
        if self.connection_up is not None:
            self.connection_up.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        try:
            self._begin(status, headers, len(content))
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def _begin(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        self.send_response_only(status)
        for name, text in headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, text)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _stream(self, body: bytes) -> None:
        if "watch" not in parse_qs(urlsplit(self.path).query):
            self._answer(*self._ask(body))
            return
        self.close_connection = True
        connection = self._open()
        try:
            response = self._send(connection, body)
            self._begin(response.status, response.getheaders(), None)
            # In chunks, as they come: of anything else a client waits for its buffer to be full.
            while chunk := response.read1(1 << 16):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        except (OSError, http.client.HTTPException):
            pass  # who listened is gone, or the API server is
        finally:
            connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - as the base has it
        """Tests read nothing of it."""
