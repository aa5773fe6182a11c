"""Owns SHA-256 and HMAC for the few hashes of a start, and comparison in constant time.

Must not grow: `hashlib` and `hmac` are right everywhere else. Importing them loads all of
OpenSSL's digests, 2 ms and 0.7 MB of a start that has 22 ms; so, like the standard library's
`random`, this takes the lean built-in module first.
"""

from _operator import _compare_digest as compare_digest
from collections.abc import Callable
from typing import Protocol


class _Hash(Protocol):
    def digest(self) -> bytes: ...

    def hexdigest(self) -> str: ...


def _find_sha256() -> Callable[[bytes], _Hash]:
    for name in ("_sha2", "_sha256"):  # since 3.12, before
        try:
            found: Callable[[bytes], _Hash] = __import__(name).sha256
        except ImportError:
            continue
        return found
    from hashlib import sha256  # a build without them, as for FIPS

    return sha256


sha256 = _find_sha256()

_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104."""
    key = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(key.translate(_INNER) + message).digest()
    return sha256(key.translate(_OUTER) + inner).digest()


__all__ = ["compare_digest", "hmac_sha256", "sha256"]
