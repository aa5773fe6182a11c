"""Faults: a log that is read more slowly than it is written holds the sender back, not memory."""

import time
from collections.abc import Callable

import pytest

from tests.raw_client import RawClient, render_request
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar_process import SidecarProcess

SIZE = 320 << 20
PIECE = 1 << 16
LOG = "/api/v1/namespaces/team-a/pods/a/log?follow=true"
MB = 1 << 20


def pattern(number: int) -> bytes:
    """Every piece is another one, so that a lost or doubled one shows."""
    return (b"%08d" % number) * (PIECE // 8)


def serve(connection: Connection) -> None:
    request = connection.read_request()
    if request is None:
        return
    chunked = b"follow" in request.target
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + framing + b"\r\n\r\n")
    for number in range(SIZE // PIECE):
        piece = pattern(number)
        connection.send(b"%x\r\n%b\r\n" % (PIECE, piece) if chunked else piece)
    if chunked:
        connection.send(b"0\r\n\r\n")
    connection.read_some()


@pytest.mark.parametrize("target", [LOG, LOG.partition("?")[0]], ids=["chunked", "length"])
def test_a_big_log_read_slowly(make_sidecar: Callable[..., SidecarProcess], target: str) -> None:
    with ScriptedServer(serve) as upstream:
        sidecar = make_sidecar(upstream.cluster())
        with RawClient(sidecar) as client:  # so that what a first call loads is not counted
            client.send(render_request(sidecar, "GET", target))
            client.read_head()
            client.read_exactly(4 * MB)
        before = sidecar.rss_bytes()
        most = 0
        with RawClient(sidecar, receive_buffer=1 << 18) as client:
            client.send(render_request(sidecar, "GET", target))
            head = client.read_head()
            for number in range(SIZE // PIECE):
                if head.header("Transfer-Encoding"):
                    assert client.read_until(b"\r\n") == b"10000\r\n"
                assert client.read_exactly(PIECE) == pattern(number)
                if head.header("Transfer-Encoding"):
                    assert client.read_exactly(2) == b"\r\n"
                if number % 500 == 0:
                    time.sleep(0.05)
                    most = max(most, sidecar.rss_bytes())
            if head.header("Transfer-Encoding"):
                assert client.read_exactly(5) == b"0\r\n\r\n"
        assert most - before < 4 * MB
