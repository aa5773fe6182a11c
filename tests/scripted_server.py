"""A TLS server that records every byte and answers by a test's script.

It is no API server: it stands where a hostile, broken or merely listening one would, so that a
test can say byte by byte what arrives and what is answered. Owns its socket and its threads.
"""

import contextlib
import json
import shutil
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.controlplane.certificates import Authority, Pair
from tests.sidecar_process import Cluster
from tests.tls_pipe import TlsPipe

NAMES = ("127.0.0.1", "localhost")
OK = (
    b"HTTP/1.1 200 OK\r\nAudit-Id: none\r\nContent-Type: application/json\r\n"
    b"Content-Length: 15\r\n\r\n"
    b'{"kind":"Fine"}'
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived; a chunked body is kept with its frames."""

    line: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    head: bytes

    @property
    def method(self) -> bytes:
        return self.line.partition(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a field."""
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def names(self) -> list[bytes]:
        """The names of all fields, lower case, in order."""
        return [field.lower() for field, _ in self.fields]


class Connection(TlsPipe):
    """One connection, from the server's side."""

    def __init__(self, server: "ScriptedServer", sock: socket.socket, number: int) -> None:
        super().__init__(sock, server.context, server_side=True)
        self.server = server
        self.number = number
        self._unread = b""

    def read_some(self) -> bytes:
        """What comes next; b"" at the end."""
        data = super().read_some()
        with self.server.lock:
            self.server.received_bytes += len(data)
        return data

    def answer(self, status: int, document: object) -> None:
        """A whole answer of JSON."""
        body = json.dumps(document).encode() + b"\n"
        head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self.send(head + body)

    def read_until(self, mark: bytes) -> bytes:
        """Up to and with the mark; b"" if the connection ends before."""
        while mark not in self._unread:
            data = self.read_some()
            if not data:
                return b""
            self._unread += data
        end = self._unread.index(mark) + len(mark)
        found, self._unread = self._unread[:end], self._unread[end:]
        return found

    def read_exactly(self, size: int) -> bytes:
        """So many bytes, less if the connection ends before."""
        while len(self._unread) < size:
            data = self.read_some()
            if not data:
                break
            self._unread += data
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def read_head(self) -> Request | None:
        """The next request's head, recorded; None at the end."""
        head = self.read_until(b"\r\n\r\n")
        if not head:
            return None
        line, *lines = head[:-4].split(b"\r\n")
        pairs = (text.partition(b":") for text in lines)
        fields = tuple((name, value.strip()) for name, _, value in pairs)
        return Request(line, fields, b"", head)

    def read_request(self) -> Request | None:
        """The next whole request, recorded; None at the end."""
        found = self.read_head()
        if found is None:
            return None
        body = b""
        if lengths := found.values(b"Content-Length"):
            body = self.read_exactly(int(lengths[0]))
        elif found.values(b"Transfer-Encoding"):
            body = self._read_chunks()
        request = Request(found.line, found.fields, body, found.head)
        with self.server.lock:
            self.server.requests.append(request)
        return request

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            line = self.read_until(b"\r\n")
            if not line:
                return body
            size = int(line, 16)
            body += line + self.read_exactly(size + 2)
            if not size:
                return body


Script = Callable[[Connection], None]


def answer_all(answer: bytes = OK) -> Script:
    """The script that answers every request alike."""

    def run(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(answer)

    return run


class ScriptedServer:
    """`with ScriptedServer(script) as server:` - each connection runs the script in a thread."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or answer_all()
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        self.received_bytes = 0
        self.connections = 0
        self.resumed = 0
        self.errors: list[BaseException] = []
        self.folder = Path(tempfile.mkdtemp(prefix="mca-scripted-"))
        self.authority = Authority(self.folder, "scripted-ca")
        self.pair = self.authority.issue_server("scripted", NAMES)
        self.context = self._make_context(self.pair)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._closing = False

    def _make_context(self, pair: Pair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def cluster(self, token: str = "upstream-token") -> Cluster:
        """What a snapshot says about it."""
        return Cluster(self.url, self.authority.pem, token=token)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_connections()
        shutil.rmtree(self.folder, ignore_errors=True)
        if error is None and self.errors:
            raise self.errors[0]

    def renew(self, pair: Pair) -> None:
        """Show another certificate from the next connection on."""
        self.context = self._make_context(pair)

    def break_connections(self) -> None:
        """Cut everything that is open."""
        with self.lock:
            connections = list(self._open)
        for sock in connections:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def wait_for_requests(self, count: int, timeout_s: float = 10.0) -> list[Request]:
        """All requests, once there are so many."""
        deadline = time.monotonic() + timeout_s
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.requests)} requests came, not {count}")
            time.sleep(0.005)
        return self.requests

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with self.lock:
            self._open.add(sock)
        try:
            connection = Connection(self, sock, number)
            connection.handshake()
            with self.lock:
                self.resumed += connection.resumed
            self.script(connection)
        except OSError:
            pass  # the sidecar hung up: the test sees that from the other side
        except BaseException as error:  # noqa: BLE001 - told when the test ends
            self.errors.append(error)
        finally:
            with self.lock:
                self._open.discard(sock)
            sock.close()
