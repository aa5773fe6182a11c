import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.policy.decide import Policy, compile_policy
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Snapshot
from sidecar.policy.verdict import (
    Denial,
    NeedBody,
    NeedScope,
    Permit,
    Plan,
    PlanKind,
    Verdict,
)
from tests.sidecar.policy.policies import (
    AUDIT,
    BARE,
    BOTH,
    CLUSTERS,
    ROUTED,
    SCOPED,
    TENANT,
    A,
    ask,
    permitted,
    refused,
)

ROOT = Path(__file__).parents[3]
TOKEN = f"{A}/serviceaccounts/x/token"


# Without a tenant and routes


@pytest.mark.parametrize("raw", ["/api/v1/pods", "/version", "/apis/example.com/v1/widgets/w"])
def test_without_a_tenant_the_home_cluster_serves_everything(raw: str) -> None:
    permit = permitted(ask(BARE, "GET", raw, scopes=Scopes()))
    assert permit.plan == Plan(PlanKind.SINGLE, ("home",))
    assert (permit.rule, permit.audited) == ("default/rbac", "")
    assert (BARE.revision, BARE.tenant, SCOPED.tenant) == ("rev-1", None, TENANT)


# Guards


@pytest.mark.parametrize("by", [BARE, SCOPED, ROUTED, BOTH, AUDIT])
@pytest.mark.parametrize(
    ("method", "raw", "rule"),
    [
        ("GET", "/api/v1/nodes/n/proxy", "guard/proxy"),
        ("GET", f"{A}/services/s/proxy/x", "guard/proxy"),
        ("GET", "/api/v1/proxy/namespaces/team-a/pods/p", "guard/proxy"),
        ("GET", f"{A}/pods/p/exec?container=mca", "guard/sidecar-container"),
        ("GET", TOKEN, "guard/token-request"),
    ],
)
def test_guards_come_first(by: Policy, method: str, raw: str, rule: str) -> None:
    verdict = ask(by, method, raw)
    assert isinstance(verdict, Denial)
    assert verdict.rule == rule


def ask_token(known: frozenset[str] | None, audience: str) -> Verdict:
    by = compile_policy(Snapshot("rev-1", "team-a", CLUSTERS), known)
    body = {"spec": {"audiences": [audience]}}
    return ask(by, "POST", TOKEN, body)


def test_a_body_is_asked_for_and_then_judged() -> None:
    assert isinstance(ask(BARE, "POST", TOKEN), NeedBody)
    known = frozenset({"https://Issuer.example.com/"})
    assert isinstance(ask_token(known, "vault"), Permit)
    assert isinstance(ask_token(known, "https://issuer.example.com"), Denial)


def test_a_member_s_address_is_no_audience() -> None:
    assert isinstance(ask_token(frozenset(), "https://10.96.0.1"), Denial)
    assert isinstance(ask_token(frozenset(), "https://10.96.0.2"), Denial)
    assert isinstance(ask_token(frozenset(), "https://10.96.0.4"), Permit)


def test_unknown_audiences_refuse_every_token() -> None:
    assert isinstance(ask_token(None, "vault"), Denial)


def test_no_body_is_gathered_for_what_is_refused_anyway() -> None:
    raw = "/api/v1/namespaces/team-c/secrets"
    assert refused(ask(SCOPED, "POST", raw)) == "tenant/namespace"
    assert isinstance(ask(SCOPED, "POST", f"{A}/secrets"), NeedBody)
    assert isinstance(ask(SCOPED, "POST", f"{A}/secrets", scopes=Scopes()), NeedScope)
    assert isinstance(ask(SCOPED, "POST", f"{A}/secrets", {"metadata": {"name": "a"}}), Permit)


REVIEWS = "/apis/authorization.k8s.io/v1"


def test_what_judges_what() -> None:
    """Each of them has its own tests; here is who is asked."""
    assert permitted(ask(SCOPED, "GET", f"{A}/pods")).rule == "permission/read"
    assert permitted(ask(SCOPED, "GET", "/version")).rule == "default/discovery"
    assert permitted(ask(ROUTED, "GET", "/version")).rule == "default/rbac"
    for by in (BARE, SCOPED):
        assert isinstance(ask(by, "POST", f"{REVIEWS}/selfsubjectaccessreviews"), NeedBody)
    for path in (
        "/apis/example.com/v1/selfsubjectaccessreviews",
        "/apis/authorization.k8s.io/v1%20x/selfsubjectaccessreviews",
        f"{REVIEWS}/namespaces/team-a/selfsubjectaccessreviews",
        f"{REVIEWS}/selfsubjectaccessreviews/x",
    ):
        assert permitted(ask(BARE, "POST", path)).rule == "default/rbac"
    assert permitted(ask(BARE, "GET", f"{REVIEWS}/selfsubjectaccessreviews")).rule == "default/rbac"


def test_a_module_that_cannot_be_loaded_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sidecar.policy.self_reviews", None)
    assert refused(ask(BARE, "POST", f"{REVIEWS}/selfsubjectaccessreviews")) == "body/review"


def test_what_a_policy_is_made_of() -> None:
    assert (BARE.rulebook, BARE.tenancy, BARE.tenant, BARE.routing) == (None, None, None, None)
    assert SCOPED.tenant is TENANT
    assert SCOPED.routing is not None
    assert (ROUTED.tenant, ROUTED.tenancy) == (None, None)


def test_a_pod_without_rules_loads_nothing_that_judges_by_them() -> None:
    code = (
        "import sys\n"
        "from sidecar.policy.decide import compile_policy\n"
        "from sidecar.policy.snapshot import Snapshot\n"
        "compile_policy(Snapshot('r', 'a', ()), None)\n"
        "print([name for name in sys.modules if name.startswith('sidecar.policy')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in ("rulebook", "index", "tenancy", "reviews", "snapshot_tenant", "snapshot_routes"):
        assert f"sidecar.policy.{name}'" not in done.stdout


def test_only_decide_can_make_a_permit() -> None:
    naming = {
        str(path.relative_to(ROOT))
        for folder in ("sidecar", "webhook")
        for path in (ROOT / folder).rglob("*.py")
        if "_PERMIT_KEY" in path.read_text()
    }
    assert naming == {"sidecar/policy/verdict.py", "sidecar/policy/decide.py"}
