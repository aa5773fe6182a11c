"""Binding and accepting on real sockets."""

import asyncio
import errno
import json
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sidecar.listener import BindError, Listener, bind_all, explain_failure
from sidecar.setting_values import Address

LOOPBACK = "127.0.0.1"
NOWHERE = "192.0.2.1"  # RFC 5737: nobody's


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """It ends without a failure in any callback."""
    failures: list[dict[str, object]] = []
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    yield loop
    loop.close()
    assert failures == []


def events(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def take_port(host: str = LOOPBACK) -> socket.socket:
    return socket.create_server((host, 0))


def test_every_address_is_bound() -> None:
    socks = bind_all((Address(LOOPBACK, 0), Address("::1", 0)), "MCA_API_LISTEN")
    assert [sock.family for sock in socks] == [socket.AF_INET, socket.AF_INET6]
    for sock in socks:
        with sock, socket.create_connection(sock.getsockname()[:2], 1):
            assert not sock.getblocking()


def test_both_families_on_the_unspecified_address() -> None:
    (sock,) = bind_all((Address("::", 0),), "MCA_ADMIN_LISTEN")
    with sock, socket.create_connection((LOOPBACK, sock.getsockname()[1]), 1):
        pass


def test_an_address_that_the_machine_lacks_may_fail_beside_another(
    capfd: pytest.CaptureFixture[str],
) -> None:
    (sock,) = bind_all((Address(NOWHERE, 0), Address(LOOPBACK, 0)), "MCA_API_LISTEN")
    with sock:
        assert sock.getsockname()[0] == LOOPBACK
    (event,) = events(capfd)
    assert event["event"] == "address_family_missing"
    assert NOWHERE in str(event["address"])


def test_no_address_at_all_is_an_error() -> None:
    with pytest.raises(BindError, match="MCA_API_LISTEN: cannot listen on any address"):
        bind_all((Address(NOWHERE, 0),), "MCA_API_LISTEN")


def test_a_taken_port_is_never_shared(capfd: pytest.CaptureFixture[str]) -> None:
    with take_port() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        port = other.getsockname()[1]
        with pytest.raises(BindError, match=f"MCA_X.*{port}.*another process listens there; stop"):
            bind_all((Address(LOOPBACK, 0), Address(LOOPBACK, port)), "MCA_X", patience_s=0.3)
    (event,) = events(capfd)
    assert (event["level"], event["event"]) == ("warning", "port_taken")


def test_what_was_bound_is_let_go_when_another_address_fails() -> None:
    with take_port() as free:
        first = free.getsockname()[1]
    with take_port() as other:
        taken = Address(LOOPBACK, other.getsockname()[1])
        with pytest.raises(BindError):
            bind_all((Address(LOOPBACK, first), taken), "MCA_API_LISTEN", patience_s=0)
        with socket.create_server((LOOPBACK, first)):
            pass


def test_a_port_that_is_let_go_in_time_is_bound(capfd: pytest.CaptureFixture[str]) -> None:
    other = take_port()
    port = other.getsockname()[1]
    timer = threading.Timer(0.1, other.close)
    timer.start()
    (sock,) = bind_all((Address(LOOPBACK, port),), "MCA_API_LISTEN", patience_s=5)
    timer.join()
    with sock:
        assert sock.getsockname()[1] == port
    assert [event["event"] for event in events(capfd)] == ["port_taken"]


def test_a_port_whose_connections_linger_is_free() -> None:
    """A sidecar that is started anew must not wait a minute for TIME_WAIT."""
    with take_port() as server:
        port = server.getsockname()[1]
        client = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
        ours.close()
        client.close()
    (sock,) = bind_all((Address(LOOPBACK, port),), "MCA_API_LISTEN", patience_s=0)
    sock.close()


def test_any_other_failure_is_told_at_once() -> None:
    with pytest.raises(BindError, match=r"MCA_X: cannot listen on .*fe80::1.*: Invalid argument$"):
        bind_all((Address(LOOPBACK, 0), Address("fe80::1", 0)), "MCA_X")


def test_a_port_that_this_user_may_not_have() -> None:
    """Not bound in earnest: whether it could be is for the machine that the test runs on to say."""
    refused = PermissionError(errno.EACCES, "Permission denied")
    assert explain_failure(refused, Address(LOOPBACK, 443), "MCA_X") == (
        "MCA_X: cannot listen on 127.0.0.1:443: Permission denied; lower the sysctl"
        " net.ipv4.ip_unprivileged_port_start, or choose another port"
    )


def test_accepting_hands_on_sockets_that_do_not_wait(loop: asyncio.AbstractEventLoop) -> None:
    taken: list[socket.socket] = []
    (sock,) = bind_all((Address(LOOPBACK, 0),), "MCA_API_LISTEN")
    listener = Listener(loop, sock, taken.append)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(listener.address)) for _ in range(100)
        ]
        loop.run_until_complete(asyncio.sleep(0.05))
        assert len(taken) == len(clients)
        for accepted in taken:
            stack.enter_context(accepted)
            assert not accepted.getblocking()
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert {accepted.getpeername() for accepted in taken} == {
            client.getsockname() for client in clients
        }
    listener.close()


def test_a_closed_listener_refuses(loop: asyncio.AbstractEventLoop) -> None:
    taken: list[socket.socket] = []
    (sock,) = bind_all((Address(LOOPBACK, 0),), "MCA_API_LISTEN")
    listener = Listener(loop, sock, taken.append)
    address = listener.address
    listener.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    assert taken == []


@pytest.fixture
def few_descriptors() -> Iterator[list[int]]:
    """A process that has as many as it may have; the test lets go of them."""
    held: list[int] = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, limits[1])
    )
    yield held
    for fd in held:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("closed", [False, True])
def test_out_of_descriptors_callers_wait_in_the_backlog(
    loop: asyncio.AbstractEventLoop,
    few_descriptors: list[int],
    capfd: pytest.CaptureFixture[str],
    closed: bool,
) -> None:
    taken: list[socket.socket] = []
    (sock,) = bind_all((Address(LOOPBACK, 0),), "MCA_API_LISTEN")
    listener = Listener(loop, sock, taken.append)
    loop.run_until_complete(asyncio.sleep(0))
    with socket.create_connection(listener.address):
        with pytest.raises(OSError, match="Too many open files"):
            few_descriptors.extend(iter(lambda: os.dup(0), -1))
        loop.run_until_complete(asyncio.sleep(0.02))
        assert taken == []
        if closed:
            listener.close()
        while few_descriptors:
            os.close(few_descriptors.pop())
        loop.run_until_complete(asyncio.sleep(0.1))
        assert len(taken) == (0 if closed else 1)
        for accepted in taken:
            accepted.close()
    listener.close()
    # A pause is told of once: the loop does not spin on what it cannot take.
    assert [event["event"] for event in events(capfd)] == ["accept_paused"]
