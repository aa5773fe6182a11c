"""What others have put into a tenant's namespace: withdrawn, told, or nobody's business."""

from typing import Any

import pytest

from tests.webhook.controller.tenants.examples import UID
from webhook.controller.tenants.kinds import BINDING, Place, Step
from webhook.controller.tenants.others import Others, judge_others
from webhook.controller.tenants.steps import OTHERS_LET_THROUGH, Remove
from webhook.resources.meta import RawDocument
from webhook.resources.names import CREATED_BY

BOB = {"kind": "User", "name": "bob"}
OWN = {"kind": "ServiceAccount", "name": "app", "namespace": "a"}


def bind(
    role: str, *subjects: Any, name: str = "theirs", creator: str = "", kind: str = "ClusterRole"
) -> RawDocument:
    return {
        "metadata": {"name": name, "uid": "x", "annotations": {CREATED_BY: creator}},
        "roleRef": {"kind": kind, "name": role},
        "subjects": list(subjects),
    }


def judge(*bindings: RawDocument) -> Others:
    return judge_others(UID, "a", bindings, ())


@pytest.mark.parametrize("name", ["theirs", "mca-theirs"])
@pytest.mark.parametrize("creator", ["", "another"])
def test_people_get_profiles_by_the_tenant_alone(name: str, creator: str) -> None:
    found = judge(bind("mca-profile-standard", OWN, BOB, name=name, creator=creator))
    assert found == Others(strays=(Remove(Place(BINDING, "a", name), "x"),))


def test_marks_alone_make_nothing_ours() -> None:
    assert judge(bind("mca-profile-standard", BOB, creator=UID)).strays
    assert judge(bind("mca-profile-standard", BOB, creator=UID, name="mca-x")) == Others()


@pytest.mark.parametrize(
    "subject",
    [BOB, {"kind": "Group", "name": "bob"}, {**OWN, "name": "bob", "namespace": "b"}],
)
def test_who_has_another_role_is_told(subject: Any) -> None:
    found = judge(bind("edit", subject))
    assert found == Others(people=(f"RoleBinding a/theirs ({subject['kind']} bob)",))
    named = judge(bind("mca-profile-standard", subject, kind="Role"))
    assert not named.strays
    assert named.people == found.people


@pytest.mark.parametrize(
    "raw",
    [
        bind("edit", OWN),
        bind("mca-profile-standard", OWN),
        bind("edit"),
        bind("mca-policy-reader", {"kind": "Group", "name": "all"}, name="mca-policy"),
    ],
)
def test_what_runs_there_is_the_namespaces_own_affair(raw: RawDocument) -> None:
    assert judge(raw) == Others()


def test_what_is_told_is_short() -> None:
    many = [{"kind": "User", "name": "b" * 5_000} for _ in range(9)]
    (told,) = judge(bind("edit", *many, name="c" * 5_000)).people
    assert told.endswith(", and 6 more)")
    assert len(told) < 500


def test_policies_beside_an_isolation_let_something_through() -> None:
    ours = {"metadata": {"name": "mca-dns", "annotations": {CREATED_BY: UID}}}
    theirs = {"metadata": {"name": "open"}}
    (problem,) = judge_others(UID, "a", (), (ours, theirs)).problems
    assert (problem.step, problem.reason) == (Step.NETWORK, OTHERS_LET_THROUGH)
    assert problem.message.startswith("NetworkPolicy a/open is not MCA's")
    assert "spec.network.allow" in problem.message
