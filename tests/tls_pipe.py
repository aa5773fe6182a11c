"""One TLS connection, from either side, whose ends are told apart: close_notify, FIN and RST.

Owns the socket and the TLS state. Must not know HTTP. One thread may read while another sends:
the TLS state is touched by one at a time, the socket is waited for by both.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterable

CHUNK = 65536
RECORD = 16384


class TlsPipe:
    """TLS over memory BIOs: exact bytes in, exact bytes out."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> None:
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inbound = ssl.MemoryBIO()
        self._outbound = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._inbound,
            self._outbound,
            server_side=server_side,
            server_hostname=server_hostname,
        )
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._plain = b""
        # How the peer ended it: "" while it has not, then close_notify, fin or reset.
        self.end = ""

    def handshake(self) -> None:
        """Both sides' part of it; ConnectionError if the peer goes away."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
                if self.end:
                    raise ConnectionError(f"{self.end} during the handshake") from None
            else:
                self._flush()
                return

    @property
    def resumed(self) -> bool:
        """Whether an earlier session was used."""
        return bool(self._tls.session_reused)

    # Sending

    def send(self, data: bytes) -> None:
        """These bytes, in records of at most 16 KiB."""
        view = memoryview(data)
        for start in range(0, len(view), 8 * RECORD):
            with self._lock:
                for at in range(start, min(start + 8 * RECORD, len(view)), RECORD):
                    self._tls.write(view[at : at + RECORD])
            self._flush()

    def send_until_answered(self, pieces: Iterable[bytes]) -> bool:
        """Send one after the other until the peer says something; whether it did."""
        for piece in pieces:
            self.send(piece)
            if select.select([self.sock], [], [], 0)[0]:
                return True
        return False

    def half_close(self) -> None:
        """close_notify and FIN: nothing more comes from us, and we still read."""
        with self._lock, contextlib.suppress(ssl.SSLError):
            # OpenSSL looks for their close_notify, and takes data that it finds instead for an
            # error: what is here is read first. Then it is not waited for.
            with contextlib.suppress(ssl.SSLWantReadError):
                while data := self._tls.read(CHUNK):
                    self._plain += data
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._flush()
            self.sock.shutdown(socket.SHUT_WR)

    def fin(self) -> None:
        """A FIN without close_notify, as when a process dies."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End it with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # Reading

    def read_some(self) -> bytes:
        """What comes next; b"" at the end, which is then told by `end`. TimeoutError if nothing."""
        while self._plain or not self.end:
            try:
                with self._lock:
                    if self._plain:
                        data, self._plain = self._plain, b""
                        return data
                    data = self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
                continue
            except ssl.SSLZeroReturnError:  # close_notify, after ours went out
                data = b""
            if data:
                return data
            self.end = "close_notify"
        return b""

    def unread(self, data: bytes) -> None:
        """Put back what was read too much."""
        self._plain = data + self._plain

    def read_all(self) -> bytes:
        """Everything up to the end."""
        pieces = []
        while piece := self.read_some():
            pieces.append(piece)
        return b"".join(pieces)

    def _flush(self) -> None:
        with self._sending:
            with self._lock:
                pending = self._outbound.read()
            if pending:
                self.sock.sendall(pending)

    def _receive(self) -> None:
        try:
            data = self.sock.recv(CHUNK)
        except ConnectionResetError:
            self.end = "reset"
            return
        if data:
            with self._lock:
                self._inbound.write(data)
        else:
            self.end = "fin"
