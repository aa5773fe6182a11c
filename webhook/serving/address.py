"""Owns how a setting names where to serve: an address and a port. Must not open one."""

import re
from ipaddress import ip_address
from typing import Final

_MAX_PORT: Final = 65535


def parse_address(text: str, example: str) -> tuple[str, int]:
    """`[::]:8443` as host and port; a ValueError says what to write instead."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ip_address(bare)
    except ValueError:
        raise ValueError(f"{text!r} is not an address and a port; write {example}") from None
    if re.fullmatch(r"[0-9]{1,5}", port) is None or not 1 <= int(port) <= _MAX_PORT:
        raise ValueError(f"{text!r}: a port is 1 to {_MAX_PORT}")
    return bare, int(port)
