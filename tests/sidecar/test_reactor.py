"""Readiness on real sockets: owners are told, asyncio gets its own, a failure harms only one."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest

from sidecar.reactor import READ, WRITE, Reactor


class Owner:
    """Takes note of what it is told."""

    def __init__(self, *, fails: bool = False) -> None:
        self.told: list[int] = []
        self.given_up = False
        self._fails = fails

    def on_ready(self, events: int) -> None:
        self.told.append(events)
        if self._fails:
            raise RuntimeError("a defect")

    def give_up(self) -> None:
        self.given_up = True


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    reactor.loop.close()


def turn(reactor: Reactor, seconds: float = 0.05) -> None:
    """Let the loop run for a moment."""
    reactor.loop.run_until_complete(asyncio.sleep(seconds))


def test_an_owner_is_told_of_what_it_watches_for(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        owner = Owner()
        reactor.watch(ours.fileno(), owner, READ)
        turn(reactor)
        assert owner.told == []
        theirs.send(b"x")
        turn(reactor)
        assert set(owner.told) == {READ}
        reactor.watch(ours.fileno(), owner, WRITE)
        owner.told.clear()
        turn(reactor)
        assert set(owner.told) == {WRITE}
        reactor.watch(ours.fileno(), owner, 0)
        owner.told.clear()
        turn(reactor)
        assert owner.told == []


def test_a_reset_is_told_of(reactor: Reactor) -> None:
    """The reason why libuv does not watch these sockets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    with ours:
        owner = Owner()
        reactor.watch(ours.fileno(), owner, READ)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        turn(reactor)
        assert owner.told
        with pytest.raises(ConnectionResetError):
            ours.recv(1)
        reactor.watch(ours.fileno(), owner, 0)


def test_a_defect_of_one_owner_does_not_stop_the_others(reactor: Reactor) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    with contextlib.ExitStack() as stack:
        for pair in pairs:
            for sock in pair:
                stack.enter_context(sock)
        broken, sound = Owner(fails=True), Owner()
        for (ours, theirs), owner in zip(pairs, (broken, sound), strict=True):
            reactor.watch(ours.fileno(), owner, READ)
            theirs.send(b"x")
        turn(reactor, 0.01)
        assert broken.given_up
        assert sound.told
        assert not sound.given_up
        for ours, _ in pairs:
            reactor.watch(ours.fileno(), sound, 0)


@pytest.mark.parametrize("by_number", [True, False])
def test_asyncio_has_readers_of_its_own(reactor: Reactor, by_number: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        found: list[bytes] = []
        name = ours.fileno() if by_number else ours
        reactor.loop.add_reader(name, lambda: found.append(ours.recv(10)))
        reactor.loop.add_writer(name, lambda: found.append(b"writable"))
        theirs.send(b"x")
        turn(reactor, 0.0)
        assert b"x" in found
        assert b"writable" in found
        assert reactor.loop.remove_reader(name)
        assert reactor.loop.remove_writer(name)
        found.clear()
        theirs.send(b"y")
        turn(reactor)
        assert found == []
        assert len(reactor.get_map()) == len(list(reactor.get_map())) == 1  # the loop's wake-up


def test_timers_neither_wait_nor_spin(reactor: Reactor) -> None:
    started = reactor.loop.time()
    turn(reactor, 0.02)
    assert 0.02 <= reactor.loop.time() - started < 2
    assert reactor.select(-1) == []


def test_a_socket_closed_without_a_word_is_no_trouble(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    owner = Owner()
    with theirs:
        reactor.watch(ours.fileno(), owner, READ)
        number = ours.fileno()
        ours.close()
        reactor.watch(number, owner, 0)
        turn(reactor)
    assert owner.told == []
