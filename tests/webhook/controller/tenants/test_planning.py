"""The writes that bring a tenant to what it states, and their order."""

from typing import Any

import pytest

from tests.webhook.controller.tenants.examples import (
    AROUND,
    FULL,
    UID,
    find_as_wished,
    make_namespace,
    make_tenant,
    make_view,
)
from webhook.controller.tenants.isolation import Surroundings
from webhook.controller.tenants.kinds import ACCOUNT, BINDING, NETWORK, QUOTA, Place, Step
from webhook.controller.tenants.planning import Found, plan_tenant
from webhook.controller.tenants.steps import Apply, Create, Plan, Remove
from webhook.controller.tenants.wishes import Wish, list_wishes

LABELLED: dict[str, Any] = {
    "mca.io__injection": "enabled",
    "mca.io__boundary": "enforced",
    "pod_security.kubernetes.io__enforce": "baseline",
}
OPEN = make_namespace("acme-a", **LABELLED)
ISOLATED: dict[str, Any] = LABELLED | {"mca.io__network": "isolated"}
HELD = make_namespace("acme-a", **ISOLATED)
QUOTA_PLACE = Place(QUOTA, "acme-a", "mca-quota")
ACCOUNT_PLACE = Place(ACCOUNT, "acme-a", "runner")


def tell(plan: Plan) -> list[str]:
    return [f"{type(write).__name__} {write.place.shown}" for write in plan.writes]


def wishes(**spec: Any) -> list[Wish]:
    return list_wishes(make_tenant(**spec), "acme-a", AROUND, ())


def plan_with(changes: dict[Place, Found | None], spec: Any = None, **more: Any) -> Plan:
    """All as wished in one namespace, but for these."""
    chosen = FULL if spec is None else spec
    there: dict[Place, Found | None] = {**find_as_wished(wishes(**FULL)), **changes}
    objects = {place: found for place, found in there.items() if found is not None}
    held = HELD if "network" in chosen else OPEN
    return plan_tenant(make_view(make_tenant(**chosen), held, objects=objects, **more))


def test_the_first_plan_makes_the_namespace_and_nothing_in_it() -> None:
    tenant = make_tenant(**{**FULL, "namespaces": {"names": ["acme-a"], "create": True}})
    plan = plan_tenant(make_view(tenant))
    assert tell(plan) == ["Create Namespace acme-a"]
    assert (plan.unfinished, plan.held) == (True, ())


def test_then_comes_all_that_is_in_it_access_last() -> None:
    plan = plan_tenant(make_view(make_tenant(**FULL), make_namespace("acme-a")))
    assert tell(plan) == [
        "Apply Namespace acme-a",
        "Apply ResourceQuota acme-a/mca-quota",
        "Apply LimitRange acme-a/mca-limits",
        "Apply NetworkPolicy acme-a/mca-default-deny",
        "Apply NetworkPolicy acme-a/mca-dns",
        "Apply NetworkPolicy acme-a/mca-api",
        "Create ServiceAccount acme-a/runner",
        "Apply RoleBinding acme-a/mca-profile-standard",
    ]
    assert (plan.unfinished, plan.held, plan.problems) == (False, ("acme-a",), ())
    assert all(write.vacant for write in plan.writes[1:] if isinstance(write, Apply))


def test_where_all_is_as_stated_nothing_is_written() -> None:
    wished = frozenset(wish.place for wish in wishes(**FULL))
    assert plan_with({}) == Plan((), (), ("acme-a",), wished=wished)


def test_drift_is_repaired_by_one_write() -> None:
    drifted = Found("x", "acme", UID, "otherwise")
    plan = plan_with({QUOTA_PLACE: drifted})
    assert tell(plan) == ["Apply ResourceQuota acme-a/mca-quota"]
    (write,) = plan.writes
    assert isinstance(write, Apply)
    assert (write.force, write.vacant) == (True, False)


def test_what_others_add_is_not_fought_about() -> None:
    drifted = Found("x", "acme", UID, "otherwise")
    content = find_as_wished(wishes(**FULL))[QUOTA_PLACE].content
    settled = {QUOTA_PLACE: (content, "otherwise")}
    assert plan_with({QUOTA_PLACE: drifted}, settled=settled).writes == ()


def test_what_is_gone_is_made_again() -> None:
    plan = plan_with({QUOTA_PLACE: None, ACCOUNT_PLACE: None})
    assert tell(plan) == [
        "Apply ResourceQuota acme-a/mca-quota",
        "Create ServiceAccount acme-a/runner",
    ]


def test_what_is_stated_no_more_goes_access_first() -> None:
    plan = plan_with({}, {"namespaces": {"names": ["acme-a"]}})
    told = tell(plan)
    assert told[0] == "Remove RoleBinding acme-a/mca-profile-standard"
    assert len(told) == 7
    assert all(isinstance(write, Remove) for write in plan.writes)
    assert not plan.unfinished


def test_another_profile_is_another_binding_and_the_old_one_goes_first() -> None:
    plan = plan_with({}, {**FULL, "profile": "elevated"})
    assert tell(plan) == [
        "Remove RoleBinding acme-a/mca-profile-standard",
        "Apply RoleBinding acme-a/mca-profile-elevated",
    ]


def test_a_binding_to_another_role_makes_room() -> None:
    place = Place(BINDING, "acme-a", "mca-profile-standard")
    plan = plan_with({place: Found("x", "acme", UID, '{"roleRef":{"name":"cluster-admin"}}')})
    assert plan.writes == (Remove(place, "x"),)
    assert plan.unfinished


def test_a_binding_with_other_subjects_is_mended() -> None:
    place = Place(BINDING, "acme-a", "mca-profile-standard")
    wished = find_as_wished(wishes(**FULL))[place]
    other = wished._replace(content=wished.content.replace('"controller"', '"other"'))
    (write,) = plan_with({place: other}).writes
    assert isinstance(write, Apply)
    assert (write.place, write.narrows) == (place, True)


def give(*names: str) -> Any:
    """A spec with these owners."""
    return {**FULL, "serviceAccounts": [], "owners": [{"kind": "User", "name": x} for x in names]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["ann"], ["bob"], [(True, []), (False, ["bob"])]),
        (["ann", "bob"], ["bob", "cid"], [(True, ["bob"]), (False, ["bob", "cid"])]),
        (["ann", "bob"], ["bob"], [(True, ["bob"])]),
        (["ann"], ["ann", "bob"], [(False, ["ann", "bob"])]),
    ],
)
def test_who_has_access_no_more_loses_it_before_others_get_it(
    before: list[str], after: list[str], expected: list[tuple[bool, list[str]]]
) -> None:
    """Giving it may have to wait for what bounds it, taking it may not."""
    place = Place(BINDING, "acme-a", "mca-profile-standard")
    there = find_as_wished(wishes(**give(*before)))[place]
    writes = plan_with({place: there, ACCOUNT_PLACE: None}, give(*after)).writes
    applied = [write for write in writes if isinstance(write, Apply)]
    assert len(applied) == len(writes)
    assert [(w.narrows, [one["name"] for one in w.body["subjects"]]) for w in applied] == expected
    if len(expected) == 2:
        assert applied[0].content != applied[1].content


def test_of_a_binding_to_more_than_is_remembered_nobody_keeps_it() -> None:
    place = Place(BINDING, "acme-a", "mca-profile-standard")
    many = find_as_wished(wishes(**give(*(f"user-{number:04}" for number in range(300)))))[place]
    assert len(many.content) < 1000
    assert plan_with({place: many, ACCOUNT_PLACE: None}, give("ann")).writes == (
        Remove(place, many.uid),
    )


def test_what_the_tenant_did_not_make_is_neither_deleted_nor_taken() -> None:
    """One with the mark of a Tenant before this is made anew: what else it says would stay."""
    foreign = Found("x", "acme", "", "otherwise")
    stray = Place(QUOTA, "acme-a", "theirs")
    plan = plan_with({QUOTA_PLACE: foreign, stray: foreign})
    assert plan.writes == ()
    assert [problem.reason for problem in plan.problems] == ["NotOurs"]
    assert plan.problems[0].step is Step.QUOTA
    before = Found("x", "acme", "older", "otherwise")
    for content in ("otherwise", find_as_wished(wishes(**FULL))[QUOTA_PLACE].content):
        plan = plan_with({QUOTA_PLACE: before._replace(content=content)})
        assert tell(plan) == ["Remove ResourceQuota acme-a/mca-quota"]
        assert plan.unfinished
    assert plan_with({stray: before}).writes == ()
    forged = Found("x", "acme", UID, "")
    assert plan_with({stray: forged}).writes == ()


def test_a_service_account_of_somebody_else_will_do() -> None:
    assert plan_with({ACCOUNT_PLACE: Found("x", "acme", "", "otherwise")}) == plan_with({})
    assert plan_with({ACCOUNT_PLACE: None}, borrowed=frozenset([ACCOUNT_PLACE])) == plan_with({})


def test_what_cannot_end_is_told_and_left() -> None:
    plan = plan_with({QUOTA_PLACE: Found("x", "acme", UID, "otherwise", ending=True)})
    assert plan.writes == ()
    assert plan.problems[0].reason == "Ending"
    stray = Place(QUOTA, "acme-a", "mca-old")
    assert plan_with({stray: Found("x", "acme", UID, "", ending=True)}).writes == ()


@pytest.mark.parametrize(
    "namespace",
    [
        make_namespace("acme-a", tenant="other", **LABELLED),
        make_namespace("acme-a", tenant="", **LABELLED),
        make_namespace("acme-a", uid="another", **LABELLED),
    ],
)
def test_a_namespace_that_is_lost_loses_access_and_nothing_else(namespace: Any) -> None:
    objects = find_as_wished(wishes(**FULL))
    plan = plan_tenant(make_view(make_tenant(**FULL), namespace, objects=objects))
    assert tell(plan) == ["Remove RoleBinding acme-a/mca-profile-standard"]
    assert plan.held == ()


def test_unknown_addresses_of_the_api_are_told() -> None:
    objects = find_as_wished(
        list_wishes(make_tenant(**FULL), "acme-a", Surroundings((), "mca-system"), ())
    )
    view = make_view(make_tenant(**FULL), HELD, objects=objects)
    plan = plan_tenant(view._replace(around=Surroundings((), "mca-system")))
    assert [problem.reason for problem in plan.problems] == ["NoAddresses"]
    assert plan.writes == ()


def test_a_plan_that_was_done_in_part_goes_on_from_there() -> None:
    """Whatever was written last: the next plan is the rest, and nothing twice."""
    view = make_view(make_tenant(**FULL), HELD)
    whole = plan_tenant(view).writes
    there = find_as_wished(wishes(**FULL))
    for count in range(len(whole) + 1):
        done = {write.place: there[write.place] for write in whole[:count]}
        rest = plan_tenant(view._replace(objects=done)).writes
        assert [write.place for write in rest] == [write.place for write in whole[count:]]


def test_networks_are_bounded_by_policies_of_their_own() -> None:
    plan = plan_with({}, {key: value for key, value in FULL.items() if key != "network"})
    assert {write.place.kind for write in plan.writes} == {NETWORK}


def test_a_missing_namespace_does_not_hold_up_the_others() -> None:
    spec = {**FULL, "namespaces": {"names": ["acme-a", "acme-b"], "create": True}}
    plan = plan_tenant(make_view(make_tenant(**spec), HELD))
    assert isinstance(plan.writes[0], Create)
    assert plan.writes[0].place.name == "acme-b"
    assert len(plan.writes) == 8
