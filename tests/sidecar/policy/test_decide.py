from pathlib import Path

import pytest

from sidecar.policy.decide import compile_policy, decide
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Cluster, Snapshot, TokenFile
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import (
    Body,
    Caller,
    Denial,
    NeedBody,
    Permit,
    Plan,
    PlanKind,
    Verdict,
)

ROOT = Path(__file__).parents[3]
CALLER = Caller("app", "team-a", "default", "pod-1")
HOME = Cluster(
    "home", "https://10.96.0.1:443", "10.96.0.1", 443, b"pem", None, None, TokenFile("/token")
)
SNAPSHOT = Snapshot("rev-1", "team-a", (HOME,))
TOKEN = "/api/v1/namespaces/team-a/serviceaccounts/x/token"


def info(method: str, raw: str) -> RequestInfo:
    target = parse_target(raw.encode())
    assert isinstance(target, Target)
    found = request_info(method, target)
    assert isinstance(found, RequestInfo)
    return found


@pytest.mark.parametrize("raw", ["/api/v1/pods", "/version", "/apis/example.com/v1/widgets/w"])
def test_without_a_tenant_the_home_cluster_serves_everything(raw: str) -> None:
    verdict = decide(compile_policy(SNAPSHOT, None), Scopes(), CALLER, info("GET", raw))
    assert isinstance(verdict, Permit)
    assert verdict.plan == Plan(PlanKind.SINGLE, ("home",))
    assert verdict.rule == "default/home"


def test_guards_come_first() -> None:
    verdict = decide(
        compile_policy(SNAPSHOT, None), Scopes(), CALLER, info("GET", "/api/v1/nodes/n/proxy")
    )
    assert isinstance(verdict, Denial)
    assert verdict.rule == "guard/proxy"


def ask_token(audiences: frozenset[str] | None, named: bytes) -> Verdict:
    body = Body("application/json", b'{"spec":{"audiences":["%b"]}}' % named)
    return decide(compile_policy(SNAPSHOT, audiences), Scopes(), CALLER, info("POST", TOKEN), body)


def test_a_body_is_asked_for_and_then_judged() -> None:
    policy = compile_policy(SNAPSHOT, frozenset({"https://issuer.example.com"}))
    assert policy.revision == "rev-1"
    assert isinstance(decide(policy, Scopes(), CALLER, info("POST", TOKEN)), NeedBody)
    known = frozenset({"https://Issuer.example.com/"})
    assert isinstance(ask_token(known, b"vault"), Permit)
    assert isinstance(ask_token(known, b"https://issuer.example.com"), Denial)


def test_a_member_s_address_is_no_audience() -> None:
    assert isinstance(ask_token(frozenset(), b"https://10.96.0.1"), Denial)
    assert isinstance(ask_token(frozenset(), b"https://10.96.0.2"), Permit)


def test_unknown_audiences_refuse_every_token() -> None:
    assert isinstance(ask_token(None, b"vault"), Denial)


def test_only_decide_can_make_a_permit() -> None:
    naming = {
        str(path.relative_to(ROOT))
        for folder in ("sidecar", "webhook")
        for path in (ROOT / folder).rglob("*.py")
        if "_PERMIT_KEY" in path.read_text()
    }
    assert naming == {"sidecar/policy/verdict.py", "sidecar/policy/decide.py"}
