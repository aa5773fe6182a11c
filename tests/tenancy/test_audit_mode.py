"""Mode audit beside mode enforce: it lets pass what only permissions refuse, and says so.

The same attempts go through two sidecars that differ in nothing else.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.sidecar_process import RawLine, SidecarProcess
from tests.tenancy.attempts import attempt, fill
from tests.tenancy.campaign import facts_of
from tests.tenancy.judge import NOT_OPEN, Bounds, find_breaches, leaks
from tests.tenancy.scene import CLUSTER_RESOURCES, SEALED, TENANT, Scene
from tests.tenancy.town import OURS, PODS, THEIRS, scopes_of, state_of_others
from tests.tenancy.wire import Answered, Sent, Wire

pytestmark = pytest.mark.apiserver

ATTEMPTS = 700
READ = {
    "name": "read",
    "effect": "allow",
    "verbs": ["get", "list", "watch"],
    "groups": ["*"],
    "resources": ["*"],
}
REVIEWS_OF_OTHERS = ("subjectaccessreviews", "tokenreviews")
UNKNOWN = "tenant/unknown-kind"
RULES = TENANT | {"permissions": [READ, SEALED]}


@pytest.fixture(scope="module")
def pair(scene: Scene) -> Iterator[tuple[SidecarProcess, SidecarProcess]]:
    with scene.make_sidecar(RULES) as enforcing, scene.make_sidecar(RULES | {"mode": "audit"}) as b:
        yield enforcing, b


def is_a_permission(rule: str) -> bool:
    return rule == "default/deny" or rule.startswith("permission/")


def test_what_enforce_refuses_by_permissions_passes_and_is_logged(
    make_control_plane: Callable[..., ControlPlane],
) -> None:
    """On a control plane of its own: what passes is carried out."""
    source = random.Random(7)
    asked: list[tuple[Sent, Answered, Answered]] = []
    with Scene(make_control_plane(), tenant=RULES) as scene:
        before = state_of_others(scene.home)
        facts = facts_of(scene.home)
        bounds = Bounds(scene.user, OURS, CLUSTER_RESOURCES, [], scopes_of(scene.home))
        mark = scene.home.audit.mark()
        with scene.make_sidecar(RULES | {"mode": "audit"}) as auditing:
            enforcing = scene.sidecar
            with (
                Wire(enforcing.port, enforcing.ca_pem, enforcing.token()) as strict,
                Wire(auditing.port, auditing.ca_pem, auditing.token()) as lax,
            ):
                for _ in range(ATTEMPTS):
                    sent = fill(attempt(source), facts)
                    asked.append((sent, strict.ask(sent), lax.ask(sent)))
            lines = auditing.wait_for_audit([lax.ident for _, _, lax in asked if lax.ident])
        assert state_of_others(scene.home) == before
        assert not any(leaks(lax.content) for _, _, lax in asked)
        # Scope is not relaxed. What is no resource is a matter of permissions alone.
        found = list(find_breaches(scene.home.audit.since(mark), bounds))
        assert [breach for breach in found if not breach.startswith(NOT_OPEN)] == []
    seen = Counter[str]()
    for tried, enforced, audited in asked:
        line = lines.get(audited.ident, {})
        seen[compare(enforced, audited, line)] += 1
        assert not wrong(enforced, audited, line), (tried, enforced, audited, line)
    sys.stdout.write(f"{seen}\n")
    assert min(seen["relaxed"], seen["refused alike"], seen["allowed alike"]) > ATTEMPTS / 20


def compare(enforced: Answered, audited: Answered, line: RawLine) -> str:
    if "wouldDeny" in line:
        return "relaxed"
    return "refused alike" if enforced.rule else "allowed alike"


def wrong(enforced: Answered, audited: Answered, line: RawLine) -> bool:
    if is_a_permission(enforced.rule):
        if audited.forwarded:
            return line.get("wouldDeny") != enforced.rule
        # There was more against it: its scope, its body, a guard. Reviews of others have no scope
        # that would hold them, so that nothing but a permission does.
        return is_a_permission(audited.rule) and line["resource"] not in REVIEWS_OF_OTHERS
    if enforced.rule and audited.rule and UNKNOWN in (enforced.rule, audited.rule):
        return False  # one had to ask for the kind, and read what else is wrong only then
    # All else is refused by the same rule, or allowed by both and nothing is remarked.
    return enforced.rule != audited.rule or "wouldDeny" in line


def test_scope_and_guards_hold_in_mode_audit(
    pair: tuple[SidecarProcess, SidecarProcess],
) -> None:
    enforcing, auditing = pair
    for method, path, rule in (
        ("GET", PODS.path(THEIRS), "tenant/namespace"),
        ("GET", PODS.path(), "tenant/all-namespaces"),
        ("GET", "/api/v1/nodes", "tenant/cluster-scoped"),
        ("GET", f"/apis/nobody.example/v1/namespaces/{OURS[0]}/x", "tenant/unknown-kind"),
        ("GET", f"{PODS.path(OURS[0], 'web-0')}/proxy", "guard/proxy"),
        ("POST", f"{PODS.path(OURS[0], 'web-0')}/exec?container=mca", "guard/sidecar-container"),
    ):
        for sidecar in (enforcing, auditing):
            answer = sidecar.request(method, path)
            assert (answer.status, answer.headers["Mca-Decision"]) == (403, rule)


def test_the_line_names_the_rule(pair: tuple[SidecarProcess, SidecarProcess]) -> None:
    _, auditing = pair
    for path, rule in (
        (PODS.path(OURS[0], "absent"), "default/deny"),
        (f"/api/v1/namespaces/{OURS[0]}/configmaps/sealed-9", "permission/sealed"),
    ):
        answer = auditing.request("DELETE", path)
        assert answer.status == 404
        ident = answer.headers["Audit-Id"]
        line = auditing.wait_for_audit([ident])[ident]
        assert (line["mode"], line["wouldDeny"], line["decision"]) == ("audit", rule, "permit")
