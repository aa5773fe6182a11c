"""Which namespaces are made, taken, labelled, and which are left alone."""

from typing import Any

import pytest

from tests.webhook.controller.tenants.examples import UID, make_namespace, make_tenant, see
from webhook.controller.tenants.kinds import place_namespace
from webhook.controller.tenants.namespaces import (
    Seen,
    describe_namespace,
    list_held,
    plan_denied,
    plan_labels,
    plan_missing,
)
from webhook.controller.tenants.steps import Apply, Create, Problem
from webhook.resources.claims import Claim
from webhook.resources.meta import Meta
from webhook.resources.names import CREATED_BY, LABEL_TENANT, TENANT_UID

SYSTEM = "mca-system"
LABELLED: dict[str, Any] = {
    "mca.io__injection": "enabled",
    "mca.io__boundary": "enforced",
    "pod_security.kubernetes.io__enforce": "baseline",
}


def find_missing(create: bool, *namespaces: Meta, name: str = "acme-a") -> list[Create | Problem]:
    tenant = make_tenant(namespaces={"names": [name], "create": create})
    return list(plan_missing(tenant, see(tenant, *namespaces), SYSTEM))


def plan(meta: Meta, settled: Any = None, *, home: bool = True, **spec: Any) -> Apply | None:
    tenant = make_tenant(namespaces={"names": ["acme-a"]}, **spec)
    return plan_labels(tenant, see(tenant, meta)["acme-a"], settled or {}, home=home)


def test_a_namespace_that_is_made_is_claimed_from_the_first_moment_on() -> None:
    (create,) = find_missing(create=True)
    assert isinstance(create, Create)
    assert create.place == place_namespace("acme-a")
    assert create.body["metadata"] == {
        "name": "acme-a",
        "labels": {LABEL_TENANT: "acme"},
        "annotations": {TENANT_UID: UID, CREATED_BY: UID},
    }


def test_nothing_is_made_unasked() -> None:
    (problem,) = find_missing(create=False)
    assert isinstance(problem, Problem)
    assert problem.reason == "Missing"
    assert "spec.namespaces.create" in problem.message


@pytest.mark.parametrize("create", [True, False])
def test_what_was_there_before_is_handed_over_by_an_admin(create: bool) -> None:
    (problem,) = find_missing(create, make_namespace("acme-a", tenant="", uid=""))
    assert isinstance(problem, Problem)
    assert problem.reason == "NotHandedOver"
    assert "mca.io/tenant: acme" in problem.message


@pytest.mark.parametrize("name", ["kube-system", "kube-new", "default", SYSTEM])
def test_system_namespaces_are_neither_made_nor_taken(name: str) -> None:
    (problem,) = find_missing(True, name=name)
    assert isinstance(problem, Problem)
    assert problem.reason == "System"


def test_a_namespace_that_is_held_is_not_missing() -> None:
    assert find_missing(True, make_namespace("acme-a")) == []


def test_what_another_tenant_holds_is_told_and_left() -> None:
    tenant = make_tenant(namespaces={"names": ["acme-a"], "create": True})
    other = tenant._replace(meta=tenant.meta._replace(name="other", uid="u-2"))
    meta = make_namespace("acme-a", tenant="other", uid="u-2")
    namespaces = {"acme-a": Seen(meta, Claim(other))}
    (problem,) = plan_missing(tenant, namespaces, SYSTEM)
    assert isinstance(problem, Problem)
    assert problem.reason == "Taken"
    assert list_held(tenant, namespaces) == []
    assert list(plan_denied(tenant, namespaces)) == []


def test_denied_and_ending_ones_are_told() -> None:
    tenant = make_tenant(namespaces={"names": ["acme-a", "acme-b", "acme-c"]})
    namespaces = see(
        tenant,
        make_namespace("acme-a", uid="another"),
        make_namespace("acme-b", deleting=True),
        make_namespace("acme-c"),
    )
    denied, ending = plan_denied(tenant, namespaces)
    assert (denied.reason, denied.namespace) == ("Denied", "acme-a")
    assert "another Tenant" in denied.message
    assert (ending.reason, ending.namespace) == ("Ending", "acme-b")
    assert list_held(tenant, namespaces) == ["acme-c"]


def test_a_claim_and_the_labels_are_one_write() -> None:
    write = plan(make_namespace("acme-a", uid=""))
    assert write is not None
    assert write.body["metadata"] == {
        "name": "acme-a",
        "uid": "uid-of-acme-a",
        "labels": {
            "mca.io/injection": "enabled",
            "mca.io/boundary": "enforced",
            "pod-security.kubernetes.io/enforce": "baseline",
        },
        "annotations": {TENANT_UID: UID},
    }
    assert not write.force


def test_the_label_with_the_tenants_name_is_never_set_again() -> None:
    write = plan(make_namespace("acme-a", uid=""))
    assert write is not None
    assert LABEL_TENANT not in write.body["metadata"]["labels"]


def test_labels_of_what_was_made_are_taken_back() -> None:
    write = plan(make_namespace("acme-a", creator=UID))
    assert write is not None
    assert write.force


def test_nothing_is_written_where_all_is_as_stated() -> None:
    assert plan(make_namespace("acme-a", **LABELLED)) is None


def test_stricter_pod_security_stays() -> None:
    stricter = LABELLED | {"pod_security.kubernetes.io__enforce": "restricted"}
    assert plan(make_namespace("acme-a", **stricter)) is None
    write = plan(make_namespace("acme-a", uid="", **stricter))
    assert write is not None
    assert "pod-security.kubernetes.io/enforce" not in write.body["metadata"]["labels"]


def test_without_boundary_there_is_none_and_pod_security_is_the_admins() -> None:
    meta = make_namespace("acme-a", **LABELLED)
    write = plan(meta, boundary="none")
    assert write is not None
    assert write.body["metadata"]["labels"] == {"mca.io/injection": "enabled"}
    # Somebody else has set it too: that is not fought about.
    settled = {write.place: (write.content, describe_namespace(meta, write.content))}
    assert plan(meta, settled, boundary="none") is None


@pytest.mark.parametrize("home", [True, False])
def test_isolation_is_a_label_that_the_guard_goes_by(home: bool) -> None:
    labels = LABELLED if home else {}
    isolated = labels | {"mca.io__network": "isolated"}
    write = plan(make_namespace("acme-a", **labels), home=home, network={"isolate": True})
    assert write is not None
    assert write.body["metadata"]["labels"]["mca.io/network"] == "isolated"
    assert plan(make_namespace("acme-a", **isolated), home=home, network={"isolate": True}) is None
    write = plan(make_namespace("acme-a", **isolated), home=home)
    assert write is not None
    assert "mca.io/network" not in write.body["metadata"]["labels"]


def test_on_members_only_the_claim_is_written() -> None:
    write = plan(make_namespace("acme-a", uid=""), home=False)
    assert write is not None
    assert write.body["metadata"]["labels"] == {}
    assert plan(make_namespace("acme-a"), home=False) is None
