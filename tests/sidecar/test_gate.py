"""From a head to a verdict, with the memos and without them; and the books that are kept."""

import asyncio
import json
import os
from collections.abc import Iterator

import pytest

from sidecar.audit import AuditLog
from sidecar.books import Books
from sidecar.config import Limits, Settings, parse_settings
from sidecar.gate import Decided, Gate, Known
from sidecar.limits import Limiter
from sidecar.log import LineWriter
from sidecar.member import Member
from sidecar.metrics import Metrics
from sidecar.policy.decide import compile_policy
from sidecar.policy.snapshot import Cluster, Snapshot, TokenFile
from sidecar.policy.verdict import Body, Caller, Denial, Reason
from sidecar.reactor import Reactor
from sidecar.secret import Secret
from sidecar.tokens import Callers, container_token

SEED = Secret(bytes(32))
APP = Caller("app", "team-a", "robot", "web-0")
OTHER = Caller("other", "team-a", "robot", "web-0")
GET = b"GET /api/v1/namespaces/team-a/pods HTTP/1.1"
TOKEN_REQUEST = b"POST /api/v1/namespaces/team-a/serviceaccounts/robot/token HTTP/1.1"
IMPERSONATED = b"Impersonate-User: root"


def block(*fields: bytes, caller: Caller = APP) -> bytes:
    token = container_token(SEED, caller.container).reveal()
    lines = (b"", b"Host: localhost", b"Authorization: Bearer " + token, *fields, b"", b"")
    return b"\r\n".join(lines)


class Scene:
    """A gate with one cluster, and what it writes."""

    def __init__(self) -> None:
        settings = parse_settings({"MCA_NAMESPACE": "team-a"})
        assert isinstance(settings, Settings)
        self.reactor = Reactor()
        self.metrics = Metrics()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self.audit = AuditLog(LineWriter(self._write))
        self.books = Books(self.metrics, self.audit)
        self.limiter = Limiter()
        callers = Callers(SEED, (APP, OTHER))
        self.gate = Gate(frozenset({b"localhost"}), callers, self.books, self.limiter)
        self.members = {"home": self.make_member(settings.limits)}
        self.adopt()

    def make_member(self, limits: Limits) -> Member:
        cluster = Cluster(
            "home", "https://192.0.2.1", "192.0.2.1", 443, b"", None, None, TokenFile("/none")
        )
        return Member(cluster, limits, self.metrics, self.reactor)

    def adopt(self) -> None:
        cluster = self.members["home"].cluster
        snapshot = Snapshot("1", "team-a", (cluster,))
        self.gate.adopt(compile_policy(snapshot, frozenset({"api"})), self.members)

    def lines(self) -> list[dict[str, object]]:
        self.audit.flush()
        try:
            return [json.loads(line) for line in os.read(self._read, 1 << 20).splitlines()]
        except BlockingIOError:
            return []

    def close(self) -> None:
        for member in self.members.values():
            member.close_down()
        self.reactor.loop.run_until_complete(asyncio.sleep(0))
        self.reactor.loop.close()
        os.close(self._read)
        os.close(self._write)


@pytest.fixture
def scene(capfd: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def known(gate: Gate, raw: bytes) -> Known:
    judged = gate.judge_block(raw)
    assert isinstance(judged, Known), judged
    return judged


def decided(gate: Gate, head: Known, line: bytes) -> Decided:
    judged = gate.judge_line(head, line)
    assert isinstance(judged, Decided), judged
    return judged


# Blocks


def test_a_block_names_its_caller(scene: Scene) -> None:
    for caller in (APP, OTHER):
        assert known(scene.gate, block(caller=caller)).caller == caller


def test_a_block_is_remembered_when_it_comes_again(scene: Scene) -> None:
    raw = block(b"X-Test-Gate: again")
    first, second = known(scene.gate, raw), known(scene.gate, raw)
    remembered = scene.gate.blocks[raw]
    assert remembered is second
    assert remembered.caller == first.caller
    assert remembered.head._replace(repeats=False) == first.head._replace(repeats=False)
    assert remembered.decisions is first.decisions


@pytest.mark.parametrize(
    "fields",
    [
        (b"Expect: 100-continue", b"Content-Length: 1"),
        (b"Connection: Upgrade", b"Upgrade: websocket"),
        (b"tracestate: a=b",),
        (b"Connection: X-A", b"X-A: 1"),
        tuple(b"X-%d: " % number + b"a" * 400 for number in range(12)),
    ],
    ids=["expect", "upgrade", "trace", "connection", "large"],
)
def test_a_block_that_is_each_time_another_is_not_remembered(
    scene: Scene, fields: tuple[bytes, ...]
) -> None:
    for _ in range(3):
        known(scene.gate, block(*fields))
    assert scene.gate.blocks == {}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\r\n\r\n", Reason.BAD_REQUEST),
        (block(caller=Caller("stranger", "", "", "")), Reason.UNAUTHORIZED),
        (block(IMPERSONATED), Reason.FORBIDDEN),
    ],
)
def test_a_refused_block_is_refused_again(scene: Scene, raw: bytes, reason: Reason) -> None:
    for _ in range(3):
        denial = scene.gate.judge_block(raw)
        assert isinstance(denial, Denial)
        assert denial.reason is reason
    assert scene.gate.blocks == {}


def test_the_memo_of_blocks_is_bounded(scene: Scene) -> None:
    for number in range(1500):
        for _ in range(2):
            known(scene.gate, block(b"X-Number: %d" % number))
    assert 0 < len(scene.gate.blocks) <= 512


# Lines


def test_a_hit_is_what_a_miss_would_be(scene: Scene) -> None:
    head = known(scene.gate, block())
    for line in (
        GET,
        TOKEN_REQUEST,
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"pods", b"pods?watch=1"),
    ):
        first = decided(scene.gate, head, line)
        assert head.decisions[line] is first
        second = decided(scene.gate, head, line)
        assert describe(first) == describe(second)


def describe(judged: Decided) -> tuple[object, ...]:
    return (
        judged.line, judged.caller, judged.info, judged.member, judged.refusal, judged.needs,
        judged.head_only, judged.safe, judged.watch, judged.streams, judged.upgrades, judged.shared,
    )  # fmt: skip


def test_one_caller_s_decisions_are_not_another_s(scene: Scene) -> None:
    mine, others = known(scene.gate, block()), known(scene.gate, block(caller=OTHER))
    assert decided(scene.gate, mine, GET).caller == APP
    assert GET not in others.decisions
    assert decided(scene.gate, others, GET).caller == OTHER
    assert b'"caller":"other"' in others.decisions[GET].shared


def test_what_a_line_says(scene: Scene) -> None:
    judged = decided(scene.gate, known(scene.gate, block()), GET + b"")
    assert (judged.member, judged.refusal, judged.needs) == (scene.members["home"], None, None)
    assert (judged.safe, judged.head_only, judged.watch) == (True, False, False)
    head = decided(scene.gate, known(scene.gate, block()), GET.replace(b"GET", b"HEAD"))
    assert (head.safe, head.head_only) == (True, True)


def test_what_runs_something_is_never_sent_twice(scene: Scene) -> None:
    """A WebSocket asks for it by GET."""
    for subresource, safe in ((b"exec", False), (b"portforward", False), (b"log", True)):
        line = GET.replace(b"pods", b"pods/p/%b" % subresource)
        assert decided(scene.gate, known(scene.gate, block()), line).safe is safe


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.0", b"GET /a/../b HTTP/1.1", b"OPTIONS / HTTP/1.1", b"get / HTTP/1.1"]
)
def test_a_refused_line_is_not_remembered(scene: Scene, line: bytes) -> None:
    head = known(scene.gate, block())
    assert isinstance(scene.gate.judge_line(head, line), Denial)
    assert head.decisions == {}


def test_the_memo_of_lines_is_bounded(scene: Scene) -> None:
    head = known(scene.gate, block())
    for number in range(4000):
        decided(scene.gate, head, b"GET /api/v1/namespaces/team-a/pods/p%d HTTP/1.1" % number)
    assert 0 < len(head.decisions) <= 3072
    head.decisions.clear()
    decided(scene.gate, head, b"GET /healthz?a=" + b"a" * 600 + b" HTTP/1.1")
    assert head.decisions == {}


def test_a_body_is_judged_each_time_anew(scene: Scene) -> None:
    head = known(scene.gate, block(b"Content-Length: 1"))
    asked = decided(scene.gate, head, TOKEN_REQUEST)
    assert asked.needs is not None
    assert asked.member is None
    for audience, permitted in (("vault", True), ("api", False), ("vault", True)):
        text = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience]},
        }
        body = Body("application/json", json.dumps(text).encode())
        judged = scene.gate.judge_body(asked, APP, body)
        assert (judged.member is not None, judged.refusal is None) == (permitted, permitted)
    assert head.decisions[TOKEN_REQUEST] is asked


def test_no_policy_refuses_everything() -> None:
    books = Books(Metrics(), AuditLog(LineWriter(1)))
    gate = Gate(frozenset({b"localhost"}), Callers(SEED, (APP,)), books, Limiter())
    judged = decided(gate, known(gate, block()), GET)
    assert judged.refusal is not None
    assert judged.refusal.rule == "snapshot/none"


def test_a_change_forgets_everything(scene: Scene) -> None:
    """A head that is under way keeps its own memo, but nobody finds it any more."""
    raw = block()
    known(scene.gate, raw)
    head = known(scene.gate, raw)
    decided(scene.gate, head, GET)
    assert raw in scene.gate.blocks
    scene.adopt()
    assert scene.gate.blocks == {}
    anew = known(scene.gate, raw)
    assert anew.decisions == {}
    assert anew.decisions is not head.decisions


def test_idents_are_trace_ids_and_never_repeat(scene: Scene) -> None:
    idents = [scene.gate.next_ident() for _ in range(1000)]
    assert len(set(idents)) == 1000
    assert all(len(ident) == 32 and int(ident, 16) for ident in idents)


# The books


def test_a_refusal_is_counted_and_logged(scene: Scene) -> None:
    ident = scene.gate.next_ident()
    refusal = Denial(Reason.FORBIDDEN, "guard/test", "a secret must not be here")
    head = known(scene.gate, block())
    judged = decided(scene.gate, head, GET)
    scene.books.account_refusal(ident, refusal, 0.0, decided=judged, caller=APP)
    scene.books.account_refusal(ident, refusal, 0.0)
    full, bare = scene.lines()
    assert (
        full.items()
        >= {
            "id": ident.decode(),
            "caller": "app",
            "pod": "web-0",
            "namespace": "team-a",
            "verb": "list",
            "version": "v1",
            "resource": "pods",
            "objectNamespace": "team-a",
            "decision": "denial",
            "rule": "guard/test",
            "code": 403,
        }.items()
    )
    assert "member" not in full
    assert "caller" not in bare
    assert scene.metrics.denials("guard/test").value == 2


def test_at_most_500_series_whatever_is_asked(scene: Scene) -> None:
    head = known(scene.gate, block())
    methods = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD")
    kinds = ("pods", "secrets", "configmaps", "services", "events", "nodes", "leases", "widgets")
    for number in range(3000):
        method, kind = methods[number % 6], kinds[number // 6 % 8]
        line = b"%b /apis/g%d/v1/%b/n%d HTTP/1.1" % (method, number, kind.encode(), number)
        judged = decided(scene.gate, head, line)
        refusal = Denial(list(Reason)[number % len(Reason)], f"guard/{kind}-{number}", "")
        scene.books.account_refusal(b"0" * 32, refusal, 0.0, decided=judged, caller=APP)
    series = [line for line in scene.metrics.render().splitlines() if not line.startswith(b"#")]
    assert len(series) <= 500
    counted = sum(int(line.split()[-1]) for line in series if line.startswith(b"mca_requests"))
    assert counted == 3000
