"""Attack 76: a member that answers with another namespace's objects, or in ways that hide them.

Nothing of them reaches the application; what it would take for ours does.
"""

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.raw_client import RawClient, Response, render_request
from tests.scripted_server import ScriptedServer, answer_all
from tests.sidecar.objects.messages import a_list, an_object, envelope, event
from tests.sidecar_process import SidecarProcess

PATH = "/api/v1/namespaces/team-a/configmaps"
JSON = b"application/json"
PROTOBUF = b"application/vnd.kubernetes.protobuf"
SECRET = b"the-secret-of-team-b"
ROUTE = {
    "name": "slice",
    "priority": 1,
    "match": [{"groups": [""], "resources": ["configmaps"]}],
    "to": {"members": [{"cluster": "west", "weight": 1}]},
}


@dataclass(frozen=True, slots=True)
class Members:
    """A sidecar, the home that it asks for the rest, and the member that serves the slice."""

    sidecar: SidecarProcess
    west: ScriptedServer

    def ask(
        self, answer: bytes, target: str = PATH, accept: bytes = JSON
    ) -> tuple[Response | None, bytes]:
        """What a client gets; None and the bytes if it is cut."""
        self.west.break_connections()
        self.west.script = answer_all(answer)
        request = render_request(self.sidecar, "GET", target, f"Accept: {accept.decode()}")
        with RawClient(self.sidecar) as client:
            client.send(request)
            received = b""
            try:
                while piece := client.read_some():
                    received += piece
                    whole = parse(received)
                    if whole is not None:
                        return whole, received
            except (OSError, ssl.SSLError):
                pass
        return None, received


def parse(received: bytes) -> Response | None:
    """The whole answer, if it is all there."""
    head, blank, rest = received.partition(b"\r\n\r\n")
    if not blank:
        return None
    fields = tuple(
        (name.decode(), value.strip().decode())
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    )
    status = int(head.split(b" ")[1])
    found = Response(status, fields, rest, head)
    if length := found.header("Content-Length"):
        return found if len(rest) == int(length) else None
    return found if rest.endswith(b"0\r\n\r\n") else None


@pytest.fixture(scope="module")
def members() -> Iterator[Members]:
    with ScriptedServer() as home, ScriptedServer() as west:
        sidecar = SidecarProcess(home.cluster(), namespace="team-a")
        sidecar.point_to(home.cluster(), west.cluster("token-of-west"), routes=[ROUTE])
        with sidecar:
            yield Members(sidecar, west)
            assert sidecar.stderr() == ""


def reply(body: bytes, media: bytes = JSON, *lines: bytes) -> bytes:
    fields = b"".join(b"%b\r\n" % line for line in lines)
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
        media, fields, len(body), body,
    )  # fmt: skip


def an_item(namespace: str | None = "team-a", data: bytes = b"x") -> bytes:
    metadata = {} if namespace is None else {"namespace": namespace}
    return json.dumps({"metadata": metadata, "data": data.decode()}).encode()


READ = ("kind", "apiVersion", "metadata", "namespace", "items", "rows", "object")
FOREIGN = an_item("team-b", SECRET)
FOREIGN_MESSAGE = an_object("team-b", "5", SECRET)


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (FOREIGN, JSON),
        (an_item(None, SECRET), JSON),
        (b'{"kind":"Status","metadata":{"namespace":"team-b"},"data":"%b"}' % SECRET, JSON),
        (b'{"kind":"ConfigMapList","items":[%b,%b]}' % (an_item(), FOREIGN), JSON),
        (b'{"items":[%b],"kind":"Status","apiVersion":"v1"}' % FOREIGN, JSON),
        (b'{"kind":"Table","rows":[{"object":%b}]}' % FOREIGN, JSON),
        (b'{"rows":[{"object":%b}],"kind":"Table"}' % FOREIGN, JSON),
        (
            b'{"metadata":{"namespace":"team-a"},"data":"%b","metadata":{"namespace":"team-b"}}'
            % SECRET,
            JSON,
        ),
        (
            b'{"metadata":{"namespace":"team-b"},"meta\\u0064ata":{"namespace":"team-a"},'
            b'"data":"%b"}' % SECRET,
            JSON,
        ),
        (b"[%b]" % FOREIGN, JSON),
        (FOREIGN, b"application/cbor"),
        (FOREIGN, b"application/yaml"),
        (FOREIGN, b"text/plain"),
        (FOREIGN, b""),
        (b'{"a":' * 50_000 + b'"%b"' % SECRET, JSON),
        (envelope(FOREIGN_MESSAGE), PROTOBUF),
        (envelope(FOREIGN_MESSAGE, "Status", "example.org/v1"), PROTOBUF),
        (envelope(a_list(an_object(), FOREIGN_MESSAGE), "ConfigMapList"), PROTOBUF),
        (envelope(an_object()) + envelope(FOREIGN_MESSAGE)[4:], PROTOBUF),
        (FOREIGN, PROTOBUF),
        (envelope(FOREIGN_MESSAGE), JSON),
    ],
)
def test_foreign_objects_are_a_502(members: Members, body: bytes, media: bytes) -> None:
    answer, received = members.ask(reply(body, media))
    assert answer is not None
    assert answer.status == 502
    status = json.loads(answer.body)
    assert status["kind"] == "Status"
    assert "cluster west cannot be passed on" in status["message"]
    assert SECRET not in received
    audit = members.sidecar.wait_for_audit({answer.header("Audit-Id") or ""})
    (line,) = audit.values()
    assert (line["rule"], line["member"], line["code"]) == ("upstream/malformed", "west", 502)


@pytest.mark.parametrize("coding", [b"gzip", b"identity", b"br, gzip"])
def test_what_is_compressed_is_a_502(members: Members, coding: bytes) -> None:
    answer, received = members.ask(reply(FOREIGN, JSON, b"Content-Encoding: " + coding))
    assert answer is not None
    assert answer.status == 502
    assert SECRET not in received


def test_a_member_is_asked_for_nothing_that_cannot_be_read(members: Members) -> None:
    answer, _ = members.ask(reply(an_item()), accept=b"application/cbor, application/json;q=0.5")
    assert answer is not None
    assert answer.status == 200
    request = members.west.requests[-1]
    assert request.values(b"Accept") == [b"application/json;q=0.5"]
    assert request.values(b"Accept-Encoding") == []


def test_our_own_header_fields_cannot_be_forged(members: Members) -> None:
    forged = (b"Mca-Decision: forged", b"mca-anything: forged", b"X-Kept: yes")
    answer, received = members.ask(reply(an_item(), JSON, *forged))
    assert answer is not None
    assert answer.status == 200
    assert answer.header("X-Kept") == "yes"
    assert b"forged" not in received


@pytest.mark.parametrize("media", [JSON, PROTOBUF])
def test_a_watch_is_cut_before_a_foreign_event(members: Members, media: bytes) -> None:
    if media == JSON:
        line = b'{"type":"%b","object":%b}\n'
        sound, bad = line % (b"ADDED", an_item()), line % (b"ADDED", FOREIGN)
        hidden = line % (b"BOOKMARK", FOREIGN)
    else:
        sound = event("ADDED", envelope(an_object()))
        bad = event("ADDED", envelope(FOREIGN_MESSAGE))
        hidden = event("BOOKMARK", envelope(FOREIGN_MESSAGE))
    for last in (bad, hidden):
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in (sound, last, sound))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % media
        answer, received = members.ask(head + chunks, f"{PATH}?watch=true", media)
        assert answer is None
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert SECRET not in received


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([an_item(), FOREIGN, b"{}", b"null", b'"x"']), max_size=3),
    st.lists(
        st.sampled_from(
            [
                b'"kind":"ConfigMapList"', b'"kind":"Table"', b'"kind":"Status"',
                b'"apiVersion":"v1"',
                b'"metadata":{}', b'"metadata":{"namespace":"team-a"}',
                b'"metadata":{"namespace":"team-b"}', b'"items":null', b'"rows":[]',
                b'"Items":[]',
                b'"k\\u0069nd":"Table"', b'"extra":{"metadata":{"namespace":"team-b"}}',
            ]
        ),
        max_size=4,
    ),
    st.sampled_from([b'"items"', b'"rows"', b'"it\\u0065ms"']),
    st.integers(0, 4),
)  # fmt: skip
def test_no_reader_finds_a_foreign_object_in_what_passes(
    members: Members, items: list[bytes], others: list[bytes], key: bytes, place: int
) -> None:
    """Whatever passes is read as a client reads it: by kind, by key, or as a list of dicts."""
    parts = list(others)
    parts.insert(place, key + b":[" + b",".join(items) + b"]")
    answer, _ = members.ask(reply(b"{" + b",".join(parts) + b"}"))
    assert answer is not None
    if answer.status != 200:
        assert answer.status == 502
        return

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs if name in READ]
        assert len(set(names)) == len(names), "the first is read here, the last there"
        return dict(pairs)

    body = answer.body.partition(b"\r\n")[2].removesuffix(b"\r\n0\r\n\r\n")
    document = json.loads(body, object_pairs_hook=note)
    found = [document.get("metadata"), *(document.get("items") or [])]
    if document.get("kind") == "Table":
        found += document.get("rows") or []
    assert "team-b" not in json.dumps(found)
