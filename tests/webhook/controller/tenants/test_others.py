"""What others have put into a tenant's namespace: withdrawn, told, or nobody's business."""

from typing import Any

import pytest

from tests.webhook.controller.tenants.examples import UID
from webhook.controller.tenants.kinds import BINDING, NETWORK, Place, Step
from webhook.controller.tenants.others import Others, judge_others
from webhook.controller.tenants.steps import OTHERS_LET_THROUGH, Remove
from webhook.resources.meta import RawDocument
from webhook.resources.names import CREATED_BY, LABEL_HOME, LABEL_TENANT

BOB = {"kind": "User", "name": "bob"}
OWN = {"kind": "ServiceAccount", "name": "app", "namespace": "a"}


def bind(role: str, *subjects: Any, name: str = "theirs", kind: str = "ClusterRole") -> RawDocument:
    """With marks, which anybody can write."""
    marks = {"labels": {LABEL_TENANT: "acme"}, "annotations": {CREATED_BY: UID}}
    return {
        "metadata": {"name": name, "uid": "x", **marks},
        "roleRef": {"kind": kind, "name": role},
        "subjects": list(subjects),
    }


def judge(*bindings: RawDocument, wished: tuple[Place, ...] = ()) -> Others:
    return judge_others("a", wished, bindings, (), at_home=True)


@pytest.mark.parametrize(
    ("name", "role"), [("theirs", "mca-profile-standard"), ("mca-theirs", "edit")]
)
def test_people_get_profiles_and_what_has_our_name_by_the_tenant_alone(
    name: str, role: str
) -> None:
    place = Place(BINDING, "a", name)
    binding = bind(role, OWN, BOB, name=name)
    assert judge(binding) == Others(strays=(Remove(place, "x"),))
    assert judge(binding, wished=(place,)) == Others()


def test_readers_of_the_policy_are_not_the_tenants_affair() -> None:
    group = {"kind": "Group", "name": "all"}
    assert judge(bind("mca-policy-reader", group, name="mca-policy")) == Others()
    assert judge(bind("edit", group, name="mca-policy")).strays
    assert judge(bind("mca-policy-reader", group)).people


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
    dns, extra, theirs = (
        {"metadata": {"name": name, "uid": "x", "annotations": {CREATED_BY: UID}}}
        for name in ("mca-dns", "mca-extra", "open")
    )
    found = judge_others(
        "a", {Place(NETWORK, "a", "mca-dns")}, (), (dns, extra, theirs), at_home=True
    )
    assert found.strays == (Remove(Place(NETWORK, "a", "mca-extra"), "x"),)
    (problem,) = found.problems
    assert (problem.step, problem.reason) == (Step.NETWORK, OTHERS_LET_THROUGH)
    assert problem.message.startswith("NetworkPolicy a/open is not MCA's")
    assert "spec.network.allow" in problem.message


def test_on_members_admins_let_people_in_as_they_like() -> None:
    """`mca cluster allow` does it for them, and says of what it makes whose home it is for."""
    profile = bind("mca-profile-standard", BOB)
    allowed = bind("mca-profile-standard", BOB, name="home-0123-x")
    allowed["metadata"]["labels"] = {LABEL_HOME: "uid"}
    bindings = (profile, allowed, bind("edit", BOB))
    found = judge_others("a", (), bindings, (), at_home=False)
    assert found == Others(strays=(Remove(Place(BINDING, "a", "theirs"), "x"),))
    assert len(judge(*bindings).strays) == 2
