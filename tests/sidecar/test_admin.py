"""The admin port on real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar import admin as admin_module
from sidecar.admin import Admin, AdminConnection

METRICS = b"mca_shed_total 0\n"


def make_admin(problem: str = "", *, public: bool = False) -> Admin:
    return Admin(problem=lambda: problem, metrics=lambda: METRICS, public=public)


@asynccontextmanager
async def serve(admin: Admin) -> AsyncIterator[tuple[str, int]]:
    """The port as it is by default, on all addresses of both families."""
    loop = asyncio.get_running_loop()
    sock = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server = await loop.create_server(lambda: AdminConnection(admin), sock=sock)
    try:
        yield "127.0.0.1", server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(admin.connections):
            connection.abort()
        await asyncio.sleep(0)


async def talk(address: tuple[str, int], *pieces: bytes) -> bytes:
    """All that comes back until the end."""
    reader, writer = await asyncio.open_connection(*address)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


def get(path: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "problem", "code", "told"),
    [
        (get(b"/livez"), "", 200, b"ok\n"),
        (get(b"/livez"), "no identity", 200, b"ok\n"),
        (get(b"/livez?verbose"), "", 200, b"ok\n"),
        (get(b"/readyz"), "", 200, b"ok\n"),
        (get(b"/readyz"), "no identity", 503, b"no identity\n"),
        (get(b"/metrics"), "", 200, METRICS),
        (get(b"/"), "", 404, b"/livez"),
        (get(b"/livez/"), "", 404, b"/livez"),
        (get(b"/livez", b"POST"), "", 405, b"only GET and HEAD"),
        (b"GET /livez\r\n\r\n", "", 400, b"HTTP/1"),
        (b"GET /livez HTTP/2\r\n\r\n", "", 400, b"HTTP/1"),
        (b"\x16\x03\x01\xff\xff\r\n\r\n", "", 400, b"HTTP/1"),
        (b"GET /livez HTTP/1.0\r\n\r\n", "", 200, b"ok\n"),
    ],
)
async def test_answers(request_: bytes, problem: str, code: int, told: bytes) -> None:
    async with serve(make_admin(problem)) as address:
        answer = await talk(address, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % code)
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head
    assert b"\r\nConnection: close\r\n" in head
    assert told in body


async def test_a_head_request_gets_no_body() -> None:
    async with serve(make_admin()) as address:
        answer = await talk(address, get(b"/livez", b"HEAD"))
    assert b"\r\nContent-Length: 3\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_request_in_pieces() -> None:
    request = get(b"/livez")
    async with serve(make_admin()) as address:
        answer = await talk(address, *(request[at : at + 9] for at in range(0, len(request), 9)))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_head_without_an_end_is_not_gathered() -> None:
    async with serve(make_admin()) as address:
        answer = await talk(address, b"a" * 8193)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(("public", "local", "code"), [
    (False, True, 200), (False, False, 403), (True, False, 200), (True, True, 200),
])  # fmt: skip
def test_metrics_are_for_loopback(public: bool, local: bool, code: int) -> None:
    answer = make_admin(public=public).answer("GET", "/metrics", local=local)
    assert answer[0] == code
    assert (answer[1] == METRICS) == (code == 200)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
async def test_loopback_of_both_families_is_local(host: str) -> None:
    async with serve(make_admin()) as (_, port):
        assert (await talk((host, port), get(b"/metrics"))).endswith(METRICS)


async def test_a_peer_without_an_address_is_not_local(tmp_path: Path) -> None:
    admin = make_admin()
    loop = asyncio.get_running_loop()
    path = str(tmp_path / "s")
    server = await loop.create_unix_server(lambda: AdminConnection(admin), path)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(get(b"/metrics"))
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 403 ")
    writer.close()
    await writer.wait_closed()
    server.close()
    await asyncio.sleep(0)


async def test_the_oldest_of_too_many_connections_goes() -> None:
    """Else neighbours that say nothing would keep the kubelet out."""
    admin = make_admin()
    async with serve(admin) as address:
        silent = [await asyncio.open_connection(*address) for _ in range(64)]
        await until(lambda: len(admin.connections) == 64)
        assert (await talk(address, get(b"/livez"))).startswith(b"HTTP/1.1 200 ")
        assert await ended(silent[0][0])
        assert not await ended(silent[1][0])
        await until(lambda: len(admin.connections) == 63)
        for _, writer in silent:
            writer.close()
        await until(lambda: not admin.connections)


async def test_a_silent_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_module, "_DEADLINE_S", 0.05)
    admin = make_admin()
    async with serve(admin) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /livez")
        assert await ended(reader, within_s=2)
        writer.close()
        await until(lambda: not admin.connections)


async def ended(reader: asyncio.StreamReader, within_s: float = 0.1) -> bool:
    try:
        return not await asyncio.wait_for(reader.read(1), within_s)
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - there is no event for what a socket's peer does
            await asyncio.sleep(0.005)
