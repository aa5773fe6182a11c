"""Which broker is called, and that what goes to it goes to no other."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from time import monotonic

import pytest

from sidecar.broker_credential import BrokerCredential
from sidecar.brokerage import Brokerage
from sidecar.config import Settings, parse_settings
from sidecar.inquiry import Told
from sidecar.member import Member
from sidecar.policy.snapshot import Brokered, Cluster
from sidecar.policy.snapshot_broker import Broker
from sidecar.policy.verdict import Denial
from tests.controlplane.certificates import Authority
from tests.scripted_server import ScriptedServer
from tests.sidecar.member_scene import LOOPBACK, MemberScene

IDENT = b"0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def scene(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[MemberScene]:
    scene = MemberScene(tmp_path)
    yield scene
    scene.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def open_brokerage(scene: MemberScene, url: str, token: Path) -> Brokerage:
    token.write_text("broker-token")
    settings = parse_settings(
        {"MCA_MEMBERS": "[]", "MCA_SNAPSHOT": "/s", "MCA_BROKER": url,
         "MCA_BROKER_TOKEN": str(token), "MCA_CONNECT_TIMEOUT": "1"}
    )  # fmt: skip
    assert isinstance(settings, Settings)
    return Brokerage(settings, scene.metrics, scene.reactor, lambda: IDENT)


def at(server: ScriptedServer) -> Broker:
    return Broker(server.url, LOOPBACK, server.port, server.authority.pem.encode())


def ask(scene: MemberScene, brokerage: Brokerage) -> Told | Denial:
    told: list[Told | Denial] = []
    brokerage.ask_credential("eu-1", told.append)
    scene.wait_for(lambda: told)
    return told[0]


def test_a_broker_of_which_nothing_is_known_is_not_asked(
    scene: MemberScene, server: ScriptedServer, tmp_path: Path
) -> None:
    brokerage = open_brokerage(scene, server.url, tmp_path / "t")
    for broker in (None, at(server)._replace(server="https://elsewhere")):
        brokerage.adopt(broker)
        assert not brokerage.known
        told = ask(scene, brokerage)
        assert isinstance(told, Denial)
        assert told.message == "the snapshot names no broker"
    assert server.connections == 0


def test_it_is_believed_by_the_snapshots_ca_and_by_no_other(
    scene: MemberScene, server: ScriptedServer, tmp_path: Path
) -> None:
    brokerage = open_brokerage(scene, server.url, tmp_path / "t")
    other = ScriptedServer()
    with other:
        brokerage.adopt(at(server)._replace(ca_bundle=other.authority.pem.encode()))
        assert isinstance(ask(scene, brokerage), Denial)
    assert not server.requests
    brokerage.adopt(at(server))
    assert isinstance(ask(scene, brokerage), Told)
    before = server.connections
    brokerage.adopt(at(server))
    assert isinstance(ask(scene, brokerage), Told)
    assert server.connections == before, "the same broker keeps its connection"
    brokerage.adopt(None)
    brokerage.sweep(0.0)
    brokerage.poll(0.0)
    assert isinstance(ask(scene, brokerage), Denial)
    brokerage.close_down()


def test_a_broker_that_is_down_is_tried_with_each_question_and_never_else(
    scene: MemberScene, tmp_path: Path
) -> None:
    with ScriptedServer() as server:
        broker = at(server)
        brokerage = open_brokerage(scene, server.url, tmp_path / "t")
    brokerage.adopt(broker)
    for _ in range(5):
        told = ask(scene, brokerage)
        assert isinstance(told, Denial)
        assert told.rule == "upstream/unreachable"
    brokerage.poll(0.0)
    brokerage.sweep(0.0)
    brokerage.close_down()


def test_a_certificate_that_is_no_other_costs_no_connection(
    scene: MemberScene, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ca")
    pem = authority.pem.encode()
    granted = []

    def grant(cluster: str, then: Callable[[Told | Denial], None]) -> None:
        pair = authority.issue_client("robot", [])
        granted.append(pair)
        answer = {
            "cluster": cluster, "server": "https://eu-1", "ca": sha256(pem).hexdigest(),
            "secondsLeft": 3600, "certificate": Path(pair.certificate).read_text(),
            "key": Path(pair.key).read_text(),
        }  # fmt: skip
        then(Told(200, b"application/json", json.dumps(answer).encode()))

    cluster = Cluster("eu-1", "https://eu-1", "eu-1", 443, pem, None, None, Brokered())
    credential = BrokerCredential(scene.reactor.loop, cluster, grant)
    member = Member(cluster, scene.limits, scene.metrics, scene.reactor, 1, credential)
    assert [member.available] == [False]
    first = member.context
    credential.poll()
    assert member.available
    context = member.context
    assert context is not first, "it is shown in the handshake"
    member.adopt_credential()
    assert member.context is context
    credential.poll(monotonic() + 2500)
    assert len(granted) == 2
    assert member.context is not context
    assert member.available
