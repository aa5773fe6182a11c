"""Owns what was put into a pod about the clusters that it has tokens for: MCA_MEMBERS. Pure.

Must not know snapshots: sidecar.pinning holds one against the other. It is imported only where the
setting is there.
"""

import json
import re
from typing import NamedTuple

_MAX_PINS = 256
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_REQUIRED = {"name", "server", "ca"}
_OPTIONAL = {"tlsServerName"}


class Pin(NamedTuple):
    """Where a cluster was, and the SHA-256 of its CA certificates, when the pod was made."""

    server: str
    ca: str
    tls_server_name: str | None = None


def parse_pins(text: str) -> tuple[tuple[str, Pin], ...]:
    """The pins by their clusters' names; ValueError says what to write."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError('is not JSON; write a list of {"name", "server", "ca"}') from None
    if not isinstance(items, list) or len(items) > _MAX_PINS:
        raise ValueError(f'write a list of at most {_MAX_PINS} {{"name", "server", "ca"}}')
    pins = tuple(_read_pin(index, item) for index, item in enumerate(items))
    if len(dict(pins)) != len(pins):
        raise ValueError("a name stands twice; keep one")
    return pins


def _read_pin(index: int, item: object) -> tuple[str, Pin]:
    if (
        not isinstance(item, dict)
        or not item.keys() >= _REQUIRED
        or not item.keys() <= _REQUIRED | _OPTIONAL
    ):
        raise ValueError(
            f'[{index}] must have "name", "server" and "ca", may have "tlsServerName",'
            " and nothing else"
        )
    name, server, ca, tls = (item.get(key) for key in ("name", "server", "ca", "tlsServerName"))
    if not all(isinstance(value, str) and value for value in (name, server)):
        raise ValueError(f"[{index}] needs a name and a server; write both")
    if not isinstance(ca, str) or _FINGERPRINT.fullmatch(ca) is None:
        raise ValueError(f"[{index}].ca: write the SHA-256 of the CA's PEM as 64 hex digits")
    if tls is not None and not isinstance(tls, str):
        raise ValueError(f"[{index}].tlsServerName: write a DNS name, or leave it out")
    return str(name), Pin(str(server), ca, tls or None)
