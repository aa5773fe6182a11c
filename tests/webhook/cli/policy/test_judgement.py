import json

import pytest

from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.snapshot import Snapshot, parse_snapshot
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import Answer, Body, Caller, Denial, Permit
from tests.webhook.cli.policy.scene import USUAL, Raw, document, permission, tenant
from webhook.cli.policy.judgement import Judge, UndecidedError
from webhook.cli.policy.kinds import Kinds

CALLER = Caller("app", "team-a", "default", "")
EMPTY = Body("application/json", b"{}")


def make_judge(content: Raw = USUAL, *hints: str) -> Judge:
    snapshot = parse_snapshot(json.dumps(content).encode())
    assert isinstance(snapshot, Snapshot), snapshot
    return Judge(snapshot, frozenset(), Kinds(hints))


def ask(method: str, path: str) -> RequestInfo:
    target = parse_target(path.encode())
    assert not isinstance(target, Denial)
    info = request_info(method, target)
    assert not isinstance(info, Denial)
    return info


def test_what_is_assumed_of_kinds_is_told_with_its_reason() -> None:
    judge = make_judge(document(tenant(permission("all", groups=["*"]))), "gadgets.x.com=cluster")
    for path, told in (
        ("/api/v1/namespaces/team-a/pods", "pods has namespaces, as built into Kubernetes"),
        ("/api/v1/nodes", "nodes has no namespaces, as built into Kubernetes"),
        ("/apis/x.com/v1/gadgets", "gadgets.x.com has no namespaces, by --kinds"),
        ("/apis/x.com/v1/namespaces/team-a/w", "w.x.com has namespaces, by the form of the call"),
        ("/apis/x.com/v1/things/x", "things.x.com has no namespaces, by the form of the call"),
    ):
        found = judge.judge(CALLER, ask("GET", path), EMPTY)
        assert found.assumed == (f"{told}: at run time the cluster's discovery tells",)


def test_kinds_of_one_group_do_not_hide_each_other() -> None:
    judge = make_judge()
    for kind in ("pods", "secrets", "configmaps", "pods"):
        info = ask("GET", f"/api/v1/namespaces/team-a/{kind}")
        assert isinstance(judge.judge(CALLER, info, EMPTY).verdict, Permit)


def test_what_cannot_be_known_is_not_guessed() -> None:
    said = (
        r"whether widgets\.apps has namespaces is not known here: give"
        r" --kinds widgets\.apps=namespaced or --kinds widgets\.apps=cluster"
    )
    with pytest.raises(UndecidedError, match=said):
        make_judge().judge(CALLER, ask("GET", "/apis/apps/v1/widgets"), EMPTY)


def test_without_a_tenant_nothing_need_be_known() -> None:
    found = make_judge(document(None)).judge(CALLER, ask("GET", "/apis/x.com/v1/widgets"), EMPTY)
    assert isinstance(found.verdict, Permit)
    assert found.assumed == ()


def test_a_body_counts_only_where_it_is_asked_for() -> None:
    judge = make_judge()
    info = ask("POST", "/api/v1/namespaces/team-a/secrets")
    token = Body("application/json", b'{"type": "kubernetes.io/service-account-token"}')
    assert judge.judge(CALLER, info, EMPTY).by_body
    refused = judge.judge(CALLER, info, token)
    assert isinstance(refused.verdict, Denial)
    assert refused.verdict.rule == "guard/token-secret"
    listing = judge.judge(CALLER, info._replace(verb="list"), token)
    assert (isinstance(listing.verdict, Permit), listing.by_body) == (True, False)
    steps = judge.list_steps(CALLER, info, token, refused)
    assert [(step.stage, step.outcome) for step in steps] == [("guards", "refused")]


def test_a_review_is_answered_with_what_it_asks_about() -> None:
    attributes = {"verb": "list", "resource": "nodes"}
    body = Body("application/json", json.dumps({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }).encode())  # fmt: skip
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    found = make_judge().judge(CALLER, ask("POST", path), body)
    assert isinstance(found.verdict, Answer)
    assert found.by_body
    (assumed,) = found.assumed
    assert assumed.startswith("nodes has no namespaces, as built into Kubernetes: ")


def test_kinds_without_end_are_forgotten() -> None:
    judge = make_judge(document(tenant(permission("all", groups=["*"]))))
    for number in range(5000):
        info = ask("GET", f"/apis/x.com/v1/namespaces/team-a/k{number}")
        assert len(judge.judge(CALLER, info, EMPTY).assumed) == 1
    assert len(judge._learned) < 5000
