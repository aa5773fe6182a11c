"""What a member answers is as an attacker would have it: a server of ours stands for it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from sidecar.secret import Secret
from tests.scripted_server import Connection, ScriptedServer
from tests.webhook.controller.broker.examples import sign
from webhook.controller.access.opening import Bearer, Location, open_member
from webhook.controller.broker.minting import Minted, Order, mint
from webhook.controller.broker.refusals import RefusedError
from webhook.kube import Kube, KubeError

ORDER = Order("team-a", "app", "acme", "tenant-uid", "eu-1", "home-uid", 3600)
TOKEN = sign({"sub": "app"})
ACCOUNT: dict[str, Any] = {
    "metadata": {
        "name": "app",
        "namespace": "team-a",
        "uid": "u",
        "annotations": {"mca.io/home": "home-uid", "mca.io/tenant": "acme"},
    }
}


def in_seconds(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def made(token: Any = TOKEN, ends: Any = None) -> dict[str, Any]:
    return {"status": {"token": token, "expirationTimestamp": ends or in_seconds(3600)}}


def respond(document: Any, code: int = 200) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (code, len(body), body)


class Member:
    """A server that answers these, one after the other."""

    def __init__(self, server: ScriptedServer, kube: Kube) -> None:
        self.server, self.kube = server, kube

    def mint(self) -> Minted:
        return mint(self.kube, ORDER, time.time())


@contextmanager
def member(*answers: bytes) -> Iterator[Member]:
    left = list(answers)

    def run(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(left.pop(0))

    with ScriptedServer(run) as server:
        login = Bearer(Secret(b"registered"))
        kube = open_member(Location(server.url, server.authority.pem), login)
        yield Member(server, kube)
        kube.close()


def test_one_that_is_listed_gets_a_token() -> None:
    with member(respond(ACCOUNT), respond(made(), 201)) as found:
        minted = found.mint()
        asked = found.server.requests
    assert minted.token.reveal() == TOKEN.encode()
    assert minted.expires == pytest.approx(time.time() + 3600, abs=5)
    assert TOKEN not in repr(minted)
    path = b"/api/v1/namespaces/team-a/serviceaccounts/app"
    assert [(found.method, found.target) for found in asked] == [
        (b"GET", path),
        (b"POST", path + b"/token"),
    ]
    # Of that very account: what has its name a moment later is another's.
    assert json.loads(asked[1].body)["metadata"] == {"uid": "u"}
    assert json.loads(asked[1].body)["spec"] == {"expirationSeconds": 3600}


def test_a_life_is_no_longer_than_asked_for() -> None:
    with member(respond(ACCOUNT), respond(made(ends="9999-12-31T23:59:59Z"))) as found:
        assert found.mint().expires == pytest.approx(time.time() + 3600, abs=5)
    with member(respond(ACCOUNT), respond(made(ends=in_seconds(600)))) as found:
        assert found.mint().expires == pytest.approx(time.time() + 600, abs=5)


def listed(**changes: Any) -> dict[str, Any]:
    return {"metadata": {**ACCOUNT["metadata"], **changes}}


@pytest.mark.parametrize(
    "account",
    [
        listed(annotations=None),
        listed(annotations={"mca.io/home": "home-uid"}),
        listed(annotations={"mca.io/tenant": "acme"}),
        listed(annotations={"mca.io/home": "other", "mca.io/tenant": "acme"}),
        listed(annotations={"mca.io/home": "home-uid", "mca.io/tenant": "other"}),
        listed(annotations={"mca.io/home": ["home-uid"], "mca.io/tenant": "acme"}),
        listed(annotations={**ACCOUNT["metadata"]["annotations"], "mca.io/tenant-uid": "earlier"}),
        listed(name="other"),
        listed(namespace="kube-system"),
        listed(uid=""),
        {},
    ],
)
def test_one_that_is_not_listed_gets_none(account: dict[str, Any]) -> None:
    with member(respond(account), respond(made())) as found:
        with pytest.raises(RefusedError) as refused:
            found.mint()
        assert len(found.server.requests) == 1
    assert refused.value.rule == "account"


def test_one_that_names_this_very_tenant_gets_one() -> None:
    notes = {**ACCOUNT["metadata"]["annotations"], "mca.io/tenant-uid": "tenant-uid"}
    with member(respond(listed(annotations=notes)), respond(made())) as found:
        assert found.mint().token.reveal() == TOKEN.encode()


def test_one_that_is_not_there_gets_none() -> None:
    with member(respond({"kind": "Status"}, 404)) as found, pytest.raises(RefusedError) as refused:
        found.mint()
    assert refused.value.rule == "account"


def test_a_system_namespace_is_not_even_asked_for() -> None:
    with member() as found:
        order = ORDER._replace(namespace="kube-system")
        with pytest.raises(RefusedError) as refused:
            mint(found.kube, order, time.time())
        assert found.server.requests == []
    assert refused.value.rule == "account"


@pytest.mark.parametrize(
    "answer",
    [
        made(token=None),
        made(token=""),
        made(token="opaque"),
        made(token=f"{TOKEN}\r\nX: y"),
        made(token=f"a.b.{'c' * 20000}"),
        made(ends="soon"),
        made(ends=17),
        made(ends=in_seconds(-5)),
        made(ends="0001-01-01T00:00:00Z"),
        {"status": []},
        {},
    ],
)
def test_what_is_no_token_is_not_passed_on(answer: dict[str, Any]) -> None:
    answers = (respond(ACCOUNT), respond(answer))
    with member(*answers) as found, pytest.raises(RefusedError) as refused:
        found.mint()
    assert refused.value.rule == "member"
    assert TOKEN not in f"{refused.value.message}{refused.value.told}"


@pytest.mark.parametrize("code", [403, 404])
def test_who_may_not_be_looked_at_is_not_listed(code: int) -> None:
    """The Role on the member names those that may: the others answer 403, there or not."""
    status = respond({"kind": "Status", "message": "no"}, code)
    with member(status) as found, pytest.raises(RefusedError) as refused:
        found.mint()
    assert refused.value.rule == "account"


@pytest.mark.parametrize("code", [401, 403, 409, 429, 500])
def test_a_refusal_of_the_members_is_told(code: int) -> None:
    status = respond({"kind": "Status", "message": "no"}, code)
    for answers in ([status], [respond(ACCOUNT), status])[code == 403 :]:
        with member(*answers) as found, pytest.raises(RefusedError) as refused:
            found.mint()
        assert refused.value.rule == "member"
        assert str(code) in refused.value.told
        assert str(code) not in refused.value.message


def flood(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, b" " * size)


def test_an_answer_that_does_not_end_is_cut_off() -> None:
    with member(flood(5 << 20)) as found, pytest.raises(KubeError, match="the answer is too long"):
        found.mint()


def test_an_answer_that_drips_is_cut_off() -> None:
    def drip(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            connection.send(b" ")
            time.sleep(0.02)

    with ScriptedServer(drip) as server:
        address = Location(server.url, server.authority.pem)
        kube = open_member(address, Bearer(Secret(b"registered")))
        with pytest.raises(KubeError, match="did not come in time"):
            kube.request("GET", "/a", timeout_s=0.3)
        kube.close()


def test_a_compressed_answer_is_not_unpacked() -> None:
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    with member(packed) as found, pytest.raises(RefusedError):
        found.mint()


def test_an_answer_in_chunks_is_one() -> None:
    body = json.dumps(ACCOUNT).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with member(head + chunks + b"0\r\n\r\n", respond(made())) as found:
        assert found.mint().token.reveal() == TOKEN.encode()
        assert found.server.connections == 1  # the connection is used again


def test_a_member_that_is_gone_is_told_apart() -> None:
    with member() as found:
        pass
    with pytest.raises(KubeError) as error:
        found.mint()
    assert error.value.status == 0
