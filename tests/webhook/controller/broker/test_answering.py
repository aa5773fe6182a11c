"""Whatever goes wrong is an answer that says nothing of it, and a line in the log that does."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from tests.scripted_server import Connection, Script, ScriptedServer, answer_all
from tests.webhook.controller.broker.examples import (
    IDENTITY,
    TRUST,
    make_claims,
    make_namespace,
    make_pod,
    sign,
)
from webhook.controller.broker.answering import Answering
from webhook.controller.broker.granting import Granting
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.issuing import Issuing
from webhook.controller.broker.member_connections import MemberConnections
from webhook.controller.broker.reports import Reports
from webhook.controller.broker.reviews import Reviews
from webhook.controller.broker.tally import BrokerTally
from webhook.controller.broker.threads import Threads
from webhook.kube import open_server

TOKEN = sign(make_claims())
REPORT = json.dumps({"revision": f"v1-{'a' * 32}", "version": "1"}).encode()
POD = "authentication.kubernetes.io/pod"
REVIEWED = {
    "status": {
        "authenticated": True,
        "audiences": ["mca.io/broker"],
        "user": {
            "username": "system:serviceaccount:team-a:app",
            "extra": {f"{POD}-name": [IDENTITY.pod], f"{POD}-uid": [IDENTITY.pod_uid]},
        },
    }
}


def say(document: Any) -> Script:
    body = json.dumps(document).encode()
    return answer_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


class Broker:
    """One that is called over plain HTTP."""

    def __init__(
        self, url: str, registry: CollectorRegistry, home: ScriptedServer, now: list[float]
    ) -> None:
        self.url, self.registry, self.home, self.now = url, registry, home, now

    async def post(self, path: str, body: bytes = REPORT, **headers: str) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {TOKEN}", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}{path}", data=body, headers=sent) as answer,
        ):
            content = await answer.read()
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Connection"] == "close"
            return answer.status, json.loads(content) if content else None


@asynccontextmanager
async def serve(script: Script, *, has_snapshot: bool = True) -> AsyncIterator[Broker]:
    with ScriptedServer(script) as home:
        kube = open_server(home.url, home.authority.pem, token="controller")
        threads, registry, application = Threads("home", 4), CollectorRegistry(), web.Application()
        objects, now = HomeObjects(kube, threads), [0.0]
        Answering(
            Reviews(kube, threads, lambda: time.time() + now[0]),
            Granting(objects, TRUST, "mca-system"),
            Issuing(objects, MemberConnections(), "mca-system"),
            Reports(),
            lambda _: has_snapshot,
            BrokerTally(registry),
        ).mount(application)
        runner = web.AppRunner(application, auto_decompress=False)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        yield Broker(f"http://{host}:{port}", registry, home, now)
        await runner.cleanup()
        threads.close()
        kube.close()


async def test_a_report_is_taken() -> None:
    async with serve(say(REVIEWED)) as broker:
        pace = {"againSeconds": 300, "spreadSeconds": 2}
        assert await broker.post("/v1/reports") == (200, pace)
        told = generate_latest(broker.registry).decode()
        assert 'mca_broker_answers_total{page="reports",rule="ok"} 1.0' in told
    async with serve(say(REVIEWED), has_snapshot=False) as broker:
        assert (await broker.post("/v1/reports"))[0] == 503


async def test_a_home_that_refuses_is_not_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    status = b'{"kind":"Status","message":"its own words","code":500}'
    refusing = answer_all(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n%s" % (len(status), status))
    async with serve(refusing) as broker:
        for _ in range(3):
            code, document = await broker.post("/v1/reports")
            assert (code, document["details"]) == (503, {"retryAfterSeconds": 5})
            assert "its own words" not in json.dumps(document)
        assert len(broker.home.requests) == 3  # a failure is not kept
    lines = [line for line in capfd.readouterr().out.splitlines() if "broker_refused" in line]
    assert len(lines) == 1  # in half a minute
    assert "its own words" in lines[0]


def say_by_path(documents: dict[str, Any], otherwise: Any) -> Script:
    def run(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            body = json.dumps(documents.get(request.target.decode(), otherwise)).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    return run


async def test_a_defect_says_where_it_is_and_nothing_else(
    capfd: pytest.CaptureFixture[str],
) -> None:
    # No API server stores such a pod.
    pod = make_pod()
    pod["spec"]["initContainers"] = [{"image": "never-to-be-seen"}]
    documents = {
        "/api/v1/namespaces/team-a": make_namespace(),
        "/api/v1/namespaces/team-a/pods/web-0": pod,
    }
    async with serve(say_by_path(documents, REVIEWED)) as broker:
        code, document = await broker.post("/v1/credentials/eu-1")
    assert (code, document["reason"]) == (500, "InternalError")
    log = capfd.readouterr().out
    assert "KeyError at stored_pod.py:" in log
    for secret in (TOKEN, "never-to-be-seen"):
        assert secret not in log + json.dumps(document)


async def test_an_api_server_that_knows_no_audiences_opens_nothing() -> None:
    status = {**REVIEWED["status"], "audiences": []}
    async with serve(say({"status": status})) as broker:
        assert (await broker.post("/v1/credentials/eu-1"))[0] == 401
        asked = json.loads(broker.home.requests[0].body)
        assert asked["spec"] == {"token": TOKEN, "audiences": ["mca.io/broker"]}
        # The same bad token is not asked for again at once.
        assert (await broker.post("/v1/credentials/eu-1"))[0] == 401
        assert len(broker.home.requests) == 1


async def test_for_a_report_nobody_is_asked_twice_for_a_credential_each_minute() -> None:
    async with serve(say(REVIEWED)) as broker:
        asked: list[int] = []
        calls = [(0, "reports"), (50, "reports"), (50, "credentials/eu-1"), (70, "reports")]
        for later, path in [*calls, (70, "credentials/eu-1"), (70, "credentials/eu-1")]:
            broker.now[0] = later
            await broker.post(f"/v1/{path}")
            seen = [request.target for request in broker.home.requests]
            asked.append(sum(target.endswith(b"/tokenreviews") for target in seen))
        assert asked == [1, 1, 1, 1, 2, 2]


async def test_two_credentials_are_none() -> None:
    async with serve(say(REVIEWED)) as broker:
        host, port = broker.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        line = f"Authorization: Bearer {TOKEN}\r\n"
        head = f"POST /v1/reports HTTP/1.1\r\nHost: a\r\n{line}{line}Content-Length: 0\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()
        await writer.wait_closed()
        assert broker.home.requests == []


async def test_a_body_that_breaks_off_is_no_report() -> None:
    async with serve(say(REVIEWED)) as broker:
        host, port = broker.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/reports HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        writer.close()
        await writer.wait_closed()
        name = 'mca_broker_answers_total{page="reports",rule="body"} 1.0'
        for _ in range(200):
            if name in generate_latest(broker.registry).decode():
                break
            await asyncio.sleep(0.01)
        assert name in generate_latest(broker.registry).decode()
        assert broker.home.requests == []


async def test_packed_bodies_are_not_unpacked() -> None:
    async with serve(say(REVIEWED)) as broker:
        headers = {"Content-Encoding": "gzip"}
        assert (await broker.post("/v1/reports", b"\x1f\x8b\x08\x00", **headers))[0] == 400
        assert (await broker.post("/v1/reports", b" " * 1025))[0] == 413
