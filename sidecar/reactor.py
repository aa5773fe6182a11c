"""Owns readiness: one epoll set for all sockets of calls, which the event loop watches as one.

Must not read or write. The loop's own watching of sockets would not do: libuv stops to watch one
that was reset and tells nobody, so that a client that vanished during a watch would hold its
upstream for ever. It costs more, too: three system calls and a kilobyte for each connection.
"""

from __future__ import annotations

import contextlib
import select
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
_BATCH = 256


class Watched(Protocol):
    """Whoever owns a socket."""

    def on_ready(self, events: int) -> None:
        """The socket may be ready. It may not be, too: what was told of can have changed since."""


class Reactor:
    """Tells the owners of sockets that they may be ready."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._epoll = select.epoll()
        self._poll = self._epoll.poll
        self._watched: dict[int, Watched] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, fd: int, owner: Watched, events: int) -> None:
        """Watch a descriptor for these events, instead of those before; for none: not at all.

        Not at all, because errors and hang-ups are told of whatever the events are, and would be
        over and over as long as nobody looks.
        """
        known = fd in self._watched
        if not events:
            if known:
                del self._watched[fd]
                with contextlib.suppress(OSError):
                    self._epoll.unregister(fd)
            return
        self._watched[fd] = owner
        if known:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)

    def _ready(self) -> None:
        watched = self._watched
        for fd, events in self._poll(0, _BATCH):
            owner = watched.get(fd)
            if owner is not None:
                owner.on_ready(events)

    def close(self) -> None:
        """Watch nothing any more."""
        self.loop.remove_reader(self._epoll.fileno())
        self._watched.clear()
        self._epoll.close()
