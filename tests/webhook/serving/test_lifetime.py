"""The life of a process that serves: from its port to its last calls."""

import asyncio
import json
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from tests.controlplane.certificates import Authority
from tests.controlplane.control_plane import choose_port
from webhook.serving.faults import Faults
from webhook.serving.lifetime import EXIT_BIND, Served, serve_until_signal


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What it does to the process is undone."""
    interval, handlers = sys.getswitchinterval(), list(logging.getLogger().handlers)
    yield
    sys.setswitchinterval(interval)
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "lifetime-ca")


@pytest.fixture
def served(authority: Authority) -> Served:
    pair = authority.issue_server("lifetime", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    application = web.Application()
    application.router.add_get("/", _answer)
    return Served("it", application, context, "127.0.0.1", choose_port(), 0, 0.002, lambda: None)


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text="yes")


def ask(served: Served, authority: Authority) -> asyncio.Task[str]:
    async def get() -> str:
        trust = ssl.create_default_context(cadata=authority.pem)
        async with ClientSession() as session:
            answer = await session.get(f"https://127.0.0.1:{served.port}/", ssl=trust)
            return await answer.text()

    return asyncio.ensure_future(get())


def list_events(capfd: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()]


async def test_it_serves_until_a_signal_and_while_it_drains(
    served: Served, authority: Authority, capfd: pytest.CaptureFixture[str]
) -> None:
    last: list[asyncio.Task[str]] = []

    async def live(ending: asyncio.Event) -> None:
        assert await ask(served, authority) == "yes"
        assert not ending.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await ending.wait()
        last.append(ask(served, authority))

    assert await serve_until_signal(served._replace(drain_s=2), live) == 0
    assert await last[0] == "yes"
    assert list_events(capfd) == ["it_serves", "it_drains"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", served.port))
    assert sys.getswitchinterval() == pytest.approx(0.002)
    assert isinstance(logging.getLogger().handlers[-1], Faults)


async def test_an_interrupt_ends_it_too(served: Served) -> None:
    async def live(ending: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await ending.wait()

    assert await serve_until_signal(served, live) == 0


async def test_without_its_port_nothing_begins(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    async def live(_: asyncio.Event) -> None:
        raise AssertionError("it began")

    with socket.create_server(("127.0.0.1", served.port)):
        assert await serve_until_signal(served, live) == EXIT_BIND
    assert list_events(capfd) == ["cannot_listen"]


async def test_what_fails_is_not_served_on(served: Served) -> None:
    async def live(_: asyncio.Event) -> None:
        raise LookupError("a fault")

    with pytest.raises(ExceptionGroup) as raised:
        await serve_until_signal(served, live)
    assert raised.group_contains(LookupError)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", served.port))
