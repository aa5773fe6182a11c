"""What is answered to callers who ask about themselves, through decide."""

import json

import pytest

from sidecar.policy.decide import Policy
from sidecar.policy.snapshot_tenant import Permission
from sidecar.policy.verdict import (
    Answer,
    Denial,
    NeedBody,
    NeedScope,
    Permit,
    Plan,
    PlanKind,
    Verdict,
)
from tests.sidecar.policy.policies import (
    ANY,
    AUDIT,
    BARE,
    BOTH,
    ROUTED,
    SCOPED,
    TENANT,
    ask,
    permitted,
    policy,
)

# What callers ask about themselves

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


def review(by: Policy, **attributes: str) -> Verdict:
    return ask(by, "POST", REVIEW, {"spec": {"resourceAttributes": attributes}})


def no(verdict: Verdict) -> str:
    assert isinstance(verdict, Answer), verdict
    status = json.loads(verdict.content)["status"]
    assert (verdict.code, status["allowed"]) == (201, False)
    assert verdict.rule in status["reason"]
    return verdict.rule


@pytest.mark.parametrize("by", [BARE, SCOPED, ROUTED, BOTH, AUDIT])
def test_a_review_is_judged_as_the_call_that_it_asks_about(by: Policy) -> None:
    assert isinstance(ask(by, "POST", REVIEW), NeedBody)
    permit = permitted(review(by, verb="get", resource="pods", namespace="team-a"))
    assert permit.plan == Plan(PlanKind.SINGLE, ("home",))
    assert no(review(by, verb="get", resource="pods", subresource="proxy")) == "guard/proxy"
    assert no(review(by, verb="impersonate", resource="users")) == "guard/impersonation"
    path = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    assert permitted(ask(by, "POST", REVIEW, path)).plan.candidates == ("home",)
    assert isinstance(ask(by, "POST", REVIEW, {"spec": {}}), Denial)
    token = {"verb": "create", "resource": "serviceaccounts", "subresource": "token"}
    assert isinstance(review(by, **token, namespace="team-a"), Permit)


@pytest.mark.parametrize(
    ("attributes", "rule"),
    [
        ({"verb": "get", "resource": "pods", "namespace": "team-c"}, "tenant/namespace"),
        ({"verb": "list", "resource": "pods"}, "tenant/all-namespaces"),
        ({"verb": "delete", "resource": "nodes", "namespace": "team-a"}, "tenant/cluster-scoped"),
        ({"verb": "delete", "resource": "nodes"}, "tenant/cluster-scoped"),
        ({"verb": "get", "resource": "namespaces", "name": "team-a"}, "tenant/cluster-scoped"),
        ({"verb": "get", "resource": "cars", "group": "x.io", "version": "v1"}, None),
        ({"verb": "deletecollection", "resource": "pods", "namespace": "team-a"}, "default/deny"),
        ({"verb": "create", "resource": "jobs", "group": "batch", "version": "v1",
          "namespace": "team-a"}, "default/deny"),
        ({"verb": "create", "resource": "configmaps", "namespace": "team-a"}, "permission/no"),
        ({"verb": "*", "resource": "pods", "namespace": "team-a"}, "default/deny"),
        ({"verb": "get", "resource": "*", "group": "*"}, "default/deny"),
    ],
)  # fmt: skip
def test_what_policy_refuses_is_answered_with_a_no(
    attributes: dict[str, str], rule: str | None
) -> None:
    verdict = review(SCOPED, **attributes)
    if rule is None:
        assert isinstance(verdict, NeedScope)
    else:
        assert no(verdict) == rule


@pytest.mark.parametrize("namespace", ["", "team-a", "team-c"])
def test_kubectl_names_a_namespace_for_kinds_that_have_none(namespace: str) -> None:
    permit = permitted(review(SCOPED, verb="get", resource="nodes", namespace=namespace))
    assert permit.rule == "clusterResource/nodes"


@pytest.mark.parametrize(("version", "asked"), [("", ""), ("*", ""), ("v2", "v2")])
def test_a_review_need_not_name_a_version(version: str, asked: str) -> None:
    attributes = {"verb": "get", "group": "x.io", "resource": "boats", "version": version}
    expected = NeedScope("home", "x.io", asked, "boats")
    assert review(SCOPED, **attributes) == expected
    assert review(SCOPED, **{**attributes, "verb": "*"}) == expected
    assert isinstance(review(BARE, **{**attributes, "verb": "*"}), Permit)


def test_a_review_is_answered_by_the_member_that_would_serve() -> None:
    attributes = {"group": "example.com", "version": "v1", "namespace": "team-a"}
    permit = permitted(review(BOTH, verb="get", resource="trips", **attributes))
    assert permit.plan == Plan(PlanKind.SINGLE, ("east",), "example")
    permit = permitted(review(ROUTED, verb="create", resource="pods", namespace="team-a"))
    assert permit.plan == Plan(PlanKind.SINGLE, ("home",))


def test_a_review_in_mode_audit() -> None:
    permit = permitted(review(AUDIT, verb="create", resource="pods", namespace="team-a"))
    assert permit.audited == ""
    permit = permitted(review(AUDIT, verb="deletecollection", resource="pods", namespace="team-a"))
    assert permit.audited == "default/deny"


def test_everything_at_once_is_allowed_only_if_each_thing_is() -> None:
    everything = {"verb": "*", "group": "*", "resource": "*", "namespace": "team-a"}
    assert isinstance(review(BARE, **everything), Permit)
    assert no(review(SCOPED, **everything)) == "default/deny"
    assert isinstance(review(BARE, verb="*", resource="pods", namespace="team-a"), Permit)
    path = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "*"}}}
    assert no(ask(SCOPED, "POST", REVIEW, path)) == "default/deny"


def test_rules_reviews() -> None:
    assert permitted(ask(BARE, "POST", RULES)).plan == Plan(PlanKind.SINGLE, ("home",))
    for by in (SCOPED, ROUTED, AUDIT):
        assert isinstance(ask(by, "POST", RULES), NeedBody)
        permit = permitted(ask(by, "POST", RULES, {"spec": {"namespace": "team-a"}}))
        assert permit.plan == Plan(PlanKind.RULES_REVIEW, ("home",))
        assert isinstance(ask(by, "POST", RULES, []), Denial)


def test_a_patch_is_asked_about_as_such() -> None:
    patches = Permission("patch", "allow", ("patch",), ANY, ANY)
    by = policy(TENANT._replace(permissions=(patches,)))
    permit = permitted(review(by, verb="patch", resource="pods", namespace="team-a"))
    assert permit.rule == "permission/patch"


def test_who_am_i() -> None:
    for by in (BARE, SCOPED, BOTH):
        permit = permitted(ask(by, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"))
        assert (permit.rule, permit.plan.candidates) == ("default/self-review", ("home",))
