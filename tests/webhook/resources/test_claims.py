"""Whose a namespace is: the first claim sticks, and what is not clear is denied."""

from typing import Any

import pytest

from tests.webhook.resources.objects import make_namespace, make_tenant
from webhook.resources.claims import Claim, is_system, judge_claim, needs_policy, selects
from webhook.resources.meta import Invalid, read_meta
from webhook.resources.tenants import Tenant, parse_tenant


def tenants(*documents: dict[str, Any]) -> dict[str, Tenant | Invalid]:
    parsed = [parse_tenant(document) for document in documents or (make_tenant(),)]
    return {tenant.name: tenant for tenant in parsed}


def judge(namespace: dict[str, Any], *documents: dict[str, Any]) -> Claim:
    return judge_claim(read_meta(namespace), tenants(*documents))


def test_nobodys() -> None:
    assert judge(make_namespace(tenant="", injection="enabled")) == Claim()


def test_it_is_to_be_claimed_once_and_stays_claimed() -> None:
    first = judge(make_namespace())
    assert first.tenant is not None
    assert (first.tenant.name, first.denied, first.to_claim) == ("acme", "", True)
    later = judge(make_namespace(uid="uid-acme"))
    assert later == first._replace(to_claim=False)


def deleted() -> dict[str, Any]:
    raw = make_tenant()
    raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return raw


@pytest.mark.parametrize(
    ("namespace", "tenant", "told"),
    [
        (make_namespace(tenant="other"), make_tenant(), "there is no Tenant 'other'"),
        (make_namespace(uid="uid-acme", tenant=""), make_tenant(), "has lost the label"),
        (make_namespace(uid="uid-old"), make_tenant(), "claimed by another Tenant than today's"),
        (make_namespace(uid="uid-acme"), make_tenant("other"), "there is no Tenant 'acme'"),
        (make_namespace(), deleted(), "is being deleted"),
        (make_namespace(uid="uid-acme"), deleted(), "is being deleted"),
        (make_namespace(), make_tenant(mode="off"), "cannot be taken: spec.mode"),
        (make_namespace("team-b"), make_tenant(), "does not select it"),
        (make_namespace("team-b", uid="uid-acme"), make_tenant(), "does not select it"),
        (make_namespace("kube-system"), make_tenant(namespaces={"names": ["kube-system"]}),
         "is a system namespace"),
        (make_namespace("default", uid="uid-acme"), make_tenant(), "is a system namespace"),
        (make_namespace("mca-system"), make_tenant(), "is a system namespace"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_denied(namespace: Any, tenant: Any, told: str) -> None:
    claim = judge(namespace, tenant)
    assert told in claim.denied
    assert (claim.tenant, claim.to_claim) == (None, False)


def test_an_empty_label_is_no_way_out() -> None:
    namespace = make_namespace()
    namespace["metadata"]["labels"]["mca.io/tenant"] = ""
    assert judge(namespace).denied.startswith("there is no Tenant ''")


def test_mca_may_be_installed_elsewhere() -> None:
    namespace = read_meta(make_namespace("mca"))
    known = tenants(make_tenant(namespaces={"names": ["mca", "mca-system"]}))
    assert judge_claim(namespace, known, "mca").denied
    assert not judge_claim(read_meta(make_namespace("mca-system")), known, "mca").denied


def test_what_a_selector_selects() -> None:
    tenant = tenants(
        make_tenant(namespaces={"selector": {"matchLabels": {"mca.io/tier": "gold"}}})
    )["acme"]
    assert isinstance(tenant, Tenant)
    assert selects(tenant, read_meta(make_namespace("x", tier="gold")))
    assert not selects(tenant, read_meta(make_namespace("x", tier="lead")))


@pytest.mark.parametrize(
    ("name", "system"),
    [("kube-system", True), ("default", True), ("mca-system", True), ("kube", False),
     ("mca-system-2", False)],
)  # fmt: skip
def test_system_namespaces(name: str, system: bool) -> None:
    assert is_system(name) is system


@pytest.mark.parametrize(
    ("namespace", "needed"),
    [
        (make_namespace(tenant=""), False),
        (make_namespace(tenant="", injection="enabled"), True),
        (make_namespace(tenant="", injection="disabled"), False),
        (make_namespace(tenant="", boundary="enforced"), True),
        (make_namespace(tenant="", boundary="none"), False),
        (make_namespace(), True),
        (make_namespace(tenant="", uid="u"), True),
        (make_namespace("mca-system", injection="enabled"), False),
    ],
)
def test_where_a_policy_is_kept(namespace: Any, needed: bool) -> None:
    assert needs_policy(read_meta(namespace)) is needed
