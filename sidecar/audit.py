"""Owns the audit lines: one a call, JSON, gathered and handed to standard output in bulk.

Must not fail a call. Lines carry no query and no secret by construction: they are made of the
fields below and nothing else.
"""

import time
from json.encoder import encode_basestring_ascii

from sidecar.log import LineWriter

_FLUSH_BYTES = 65536
_LINE = (
    b'{"type":"audit","v":1,"time":"%b.%06dZ","id":"%b",%b,"code":%d,'
    b'"bytesIn":%d,"bytesOut":%d,"durationUs":%d}\n'
)


class AuditLog:
    """Gathers audit lines for a writer."""

    __slots__ = ("_gathered", "_lines", "_second", "_stamp", "_writer")

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._lines: list[bytes] = []
        self._gathered = 0
        self._second = 0
        self._stamp = b""

    def append(
        self,
        ident: bytes,
        shared: bytes,
        code: int,
        bytes_in: int,
        bytes_out: int,
        duration_us: int,
    ) -> None:
        """Add one line; it is written within a flush interval."""
        second, micros = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        line = _LINE % (
            self._stamp, micros, ident, shared, code, bytes_in, bytes_out, duration_us,
        )  # fmt: skip
        self._lines.append(line)
        self._gathered += len(line)
        if self._gathered >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand over what is gathered."""
        if self._lines:
            self._writer.write(b"".join(self._lines))
            self._lines.clear()
            self._gathered = 0


def fragment(*fields: tuple[str, str]) -> bytes:
    """The part of a line that calls share, as JSON members; empty values are left out."""
    present = [f'"{name}":{encode_basestring_ascii(value)}' for name, value in fields if value]
    return ",".join(present).encode()
