"""Owns listening sockets: binding them, never shared, and accepting what comes.

Must not know what is served. A taken port is tried again for a while, with a message that says
so: an application that grabbed it must not answer in our place unnoticed, nor do we in its.
"""

from __future__ import annotations

import errno
import socket
import time
from typing import TYPE_CHECKING

from sidecar.log import log_event

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sidecar.config import Address

BIND_PATIENCE_S = 10.0
_RETRY_S = 0.25
_BACKLOG = 4096
_ACCEPT_AT_ONCE = 64
_PAUSE_S = 0.05
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class BindError(Exception):
    """An address could not be had; the text says which and why."""


def bind_all(
    addresses: tuple[Address, ...], variable: str, patience_s: float = BIND_PATIENCE_S
) -> list[socket.socket]:
    """Bind every address; those of a family that the machine lacks may fail if another works."""
    deadline = time.monotonic() + patience_s
    bound: list[socket.socket] = []
    missing = ""
    try:
        for address in addresses:
            found = _bind_patiently(address, variable, deadline)
            if isinstance(found, str):
                missing = found
                log_event("warning", "address_family_missing", address=str(address), reason=found)
            else:
                bound.append(found)
        if not bound:
            raise BindError(f"{variable}: cannot listen on any address: {missing}")
    except BaseException:
        for sock in bound:
            sock.close()
        raise
    return bound


def _bind_patiently(address: Address, variable: str, deadline: float) -> socket.socket | str:
    told = False
    while True:
        try:
            return _bind(address)
        except OSError as failure:
            if failure.errno in _NO_FAMILY:
                return failure.strerror or "not available"
            if failure.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise BindError(explain_failure(failure, address, variable)) from None
        if not told:
            told = True
            log_event(
                "warning",
                "port_taken",
                address=str(address),
                message=f"{address} is taken by another process; trying again",
                seconds=round(deadline - time.monotonic(), 1),
            )
        time.sleep(_RETRY_S)


def explain_failure(failure: OSError, address: Address, variable: str) -> str:
    """Why an address cannot be had, and what helps."""
    why, remedy = failure.strerror, ""
    if failure.errno == errno.EADDRINUSE:
        why, remedy = "another process listens there", "; stop it, or choose another port"
    elif failure.errno == errno.EACCES:
        remedy = "; lower the sysctl net.ipv4.ip_unprivileged_port_start, or choose another port"
    return f"{variable}: cannot listen on {address}: {why}{remedy}"


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Allows a port whose last connections still linger; two listeners it does not allow.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            both = address.host == "::"
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        sock.bind((address.host, address.port))
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


class Listener:
    """Accepts connections on one socket and hands them on."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        take: Callable[[socket.socket], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._take = take
        self._open = True
        loop.add_reader(sock, self._accept)

    @property
    def address(self) -> tuple[str, int]:
        name = self._sock.getsockname()
        return name[0], name[1]

    def _accept(self) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as failure:
                if failure.errno in _EXHAUSTED:
                    self._pause(failure)
                    return
                continue
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                sock.close()
                continue
            self._take(sock)

    def _pause(self, failure: OSError) -> None:
        """Out of descriptors or memory: the backlog holds callers until some are free."""
        log_event("error", "accept_paused", reason=failure.strerror)
        self._loop.remove_reader(self._sock)
        self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._sock, self._accept)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._sock)
            self._sock.close()
