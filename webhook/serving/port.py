"""Owns how a port is opened, and how a process that serves gives memory back.

Must not accept anybody: connections.py does.
"""

import ctypes
import socket
from typing import Final

_BACKLOG: Final = 1024
# Of malloc.h.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
# Above the 256 KB that asyncio takes for each read of TLS: mapping those cost a review a seventh.
_LARGE_BLOCK: Final = 512 << 10
# For all that it accepts: else the kernel takes a whole answer, 4 MB, of who does not read.
_SEND_BUFFER: Final = 64 << 10


def open_port(host: str, port: int) -> socket.socket:
    """At `::` for both families, which asyncio itself would not do; IPv4 alone if need be."""
    if host == "::" and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"  # noqa: S104 - as was asked for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server(
        (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::"
    )
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    return listening


def give_memory_back() -> None:
    """Have glibc map large blocks by themselves, as it does at first: what is freed is then free.

    It raises that limit to 32 MB as such blocks are freed, and keeps their holes between others.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:  # another libc has no such habit
        change(_MMAP_THRESHOLD, _LARGE_BLOCK)
        change(_ARENA_MAX, 2)
