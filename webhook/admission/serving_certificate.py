"""Owns the webhook's serving certificate: found in files, and taken anew when they change.

Must not give up a good one for a bad one: if reloading fails, the old one stays in use.
"""

import os
import ssl
from typing import Final

_Mark = tuple[tuple[int, int, int], ...]
_NONE: Final[_Mark] = ()


class ServingCertificate:
    """`context` serves with what was last found in order."""

    def __init__(self, cert_path: str, key_path: str) -> None:
        self._paths = (cert_path, key_path)
        self.context = _new_context()
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
            _new_context().load_cert_chain(*self._paths)
            self.context.load_cert_chain(*self._paths)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return f"{' and '.join(self._paths)}: {reason or error}"
        self._mark = mark
        return ""


def _mark(path: str) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
