"""Owns what the first bytes of an AdmissionReview tell: which one it is, and of which namespace.

Must not be believed by anything that decides about a pod, nor beyond the peer that sent it: it says
which of its reviews come first. The API server writes these fields before all that a caller chose
but the name, and in that one it escapes quotes.
"""

import re
from typing import Final, NamedTuple

# They begin in the first few hundred; a name may have 253 before the namespace.
START_BYTES: Final = 2048
_UID: Final = re.compile(rb'"uid"\s{0,8}:\s{0,8}"([^"\\]{1,128})"')
_NAMESPACE: Final = re.compile(rb'"namespace"\s{0,8}:\s{0,8}"([a-z0-9-]{1,63})"')


class Envelope(NamedTuple):
    """Empty where it does not say."""

    uid: str
    namespace: str


def read_envelope(start: bytes | bytearray) -> Envelope:
    """Of a body's first bytes; what stands behind START_BYTES does not count."""
    return Envelope(_find(_UID, start), _find(_NAMESPACE, start))


def _find(pattern: re.Pattern[bytes], start: bytes | bytearray) -> str:
    found = pattern.search(start, 0, START_BYTES)
    return "" if found is None else found[1].decode(errors="replace")
