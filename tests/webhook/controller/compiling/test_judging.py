"""Routes: which count, in which order, and which are closed."""

import time
from typing import Any

import pytest

from tests.webhook.controller.compiling.scene import (
    CLUSTERS,
    compile_case,
    content,
    make_case,
)
from tests.webhook.resources.objects import (
    make_cluster,
    make_match,
    make_namespace,
    make_route,
    make_tenant,
)
from webhook.controller.compiling.policy import compile_policy
from webhook.controller.compiling.room import MAX_WORDS
from webhook.resources.meta import Meta
from webhook.resources.routes import Outline, Size

PODS = [make_match("pods")]


def members_of(compiled: Any) -> dict[str, str]:
    routes = content(compiled)["routes"]
    return {route["name"]: route["to"]["members"][0]["cluster"] for route in routes}


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (make_route(), "Accepted"),
        (make_route(cluster="home"), "Accepted"),
        (make_route(cluster="stored", match=PODS), "Accepted"),
        (make_route(cluster="gold", match=PODS), "Accepted"),
        (make_route(match=PODS), "MemberNotEnforced"),
        (make_route(match=[make_match("services"), *PODS]), "MemberNotEnforced"),
        (make_route(cluster="new"), "ClusterNotAccepted"),
        (make_route(cluster="gone"), "ClusterUnknown"),
        (make_route(cluster="other"), "ClusterNotAllowed"),
    ],
)
def test_one_that_is_not_accepted_is_closed(route: Any, reason: str) -> None:
    compiled, _ = compile_case(route)
    verdict = compiled.routes["dev"]
    assert verdict.reason == reason
    assert verdict.accepted is (reason == "Accepted")
    cluster = route["spec"]["to"]["members"][0]["cluster"]
    assert members_of(compiled) == {"dev": cluster if verdict.accepted else "mca-closed"}
    assert verdict.accepted or verdict.message.endswith("Its calls fail until then")
    names = [each["name"] for each in content(compiled)["clusters"]]
    assert ("mca-closed" in names) is not verdict.accepted


def test_without_a_boundary_an_unguarded_member_may_have_pods() -> None:
    tenant = make_tenant(clusters=["eu-1"], boundary="none")
    compiled, _ = compile_case(make_route(match=PODS), namespace=make_namespace(), tenant=tenant)
    assert compiled.routes["dev"].accepted


@pytest.mark.parametrize(
    ("namespace", "boundary"),
    [(make_namespace(boundary="enforced"), "none"), (make_namespace(), "enforced")],
)
def test_the_stricter_word_counts(namespace: Any, boundary: str) -> None:
    tenant = make_tenant(clusters=["eu-1"], boundary=boundary)
    compiled, _ = compile_case(make_route(match=PODS), namespace=namespace, tenant=tenant)
    assert compiled.routes["dev"].reason == "MemberNotEnforced"


def test_a_message_names_some_kinds_not_all() -> None:
    compiled, _ = compile_case(make_route(match=[make_match("*", groups=("*",))]))
    assert "pods, replicationcontrollers, podtemplates, secrets, …" in (
        compiled.routes["dev"].message
    )


def test_a_stand_in_that_cannot_be_used_is_left_out() -> None:
    compiled, snapshot = compile_case(make_route(stand_ins=("gold", "gone", "new")))
    verdict = compiled.routes["dev"]
    assert (verdict.accepted, verdict.reason) == (True, "PartlyAccepted")
    assert "there is no Cluster 'gone'" in verdict.message
    assert snapshot.routes[0].stand_ins == ("gold",)


def test_stand_ins_must_be_guarded_too() -> None:
    compiled, snapshot = compile_case(make_route(cluster="gold", match=PODS, stand_ins=("eu-1",)))
    assert compiled.routes["dev"].reason == "PartlyAccepted"
    assert snapshot.routes[0].stand_ins == ()


def test_the_admins_come_first_then_priority_then_name() -> None:
    admin = [{"name": name, "priority": priority, **drop_priority(make_route()["spec"])}
             for name, priority in (("low", 1), ("high", 999), ("also-low", 1))]  # fmt: skip
    compiled, snapshot = compile_case(
        make_route("b", priority=5),
        make_route("a", priority=5),
        make_route("top", priority=999),
        make_route("c"),
        tenant=make_tenant(clusters=["eu-1"], routes=admin),
    )
    assert [(route.name, route.priority) for route in snapshot.routes] == [
        ("admin.high", 1999), ("admin.low", 1001), ("admin.also-low", 1001),
        ("top", 999), ("a", 5), ("b", 5), ("c", 0),
    ]  # fmt: skip
    assert all(verdict.accepted for verdict in compiled.routes.values())
    assert compiled.tenant == ()


def drop_priority(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "priority"}


def test_the_admins_are_judged_alike() -> None:
    routes = [
        {"name": "pods", **make_route(match=PODS)["spec"]},
        {"name": "bad", **make_route(match=[make_match("Pods")])["spec"]},
        {"name": "part", **make_route(stand_ins=("gold", "gone"))["spec"]},
    ]
    compiled, _ = compile_case(tenant=make_tenant(clusters=["eu-1", "gold"], routes=routes))
    assert [told[:20] for told in compiled.tenant] == [
        "route pods: the Clus", "route bad: spec.rout", "route part: without ",
    ]  # fmt: skip
    assert members_of(compiled) == {"admin.pods": "mca-closed", "admin.part": "eu-1"}


def test_one_that_cannot_be_read_counts_for_nothing() -> None:
    compiled, snapshot = compile_case(make_route(match=[make_match("Pods")]), make_route("good"))
    assert compiled.routes["dev"].reason == "Invalid"
    assert "spec.match[0].resources[0]" in compiled.routes["dev"].message
    assert [route.name for route in snapshot.routes] == ["good"]


def test_a_flood_of_routes_loses_those_of_the_lowest_priority() -> None:
    flood = [make_route(f"r{number:03}", priority=number % 200) for number in range(150)]
    compiled, snapshot = compile_case(*flood)
    assert len(snapshot.routes) == 100
    refused = {name for name, verdict in compiled.routes.items() if not verdict.accepted}
    assert refused == {f"r{number:03}" for number in range(50)}
    assert {compiled.routes[name].reason for name in refused} == {"TooMany"}
    assert len(compiled.routes) == 150


def test_of_too_many_words_those_of_the_lowest_priority_are_left_out() -> None:
    """All lists count: what they cost a sidecar is more than their bytes."""
    names = [f"n{number}" for number in range(49)]
    match = make_match("configmaps", names=names, namespaces=names, containers=["app"])
    wide = [match] * 10  # of 101 words each
    own = [make_route(f"r{number}", match=wide, priority=number) for number in range(9)]
    own.append(make_route("small", match=[make_match("configmaps")]))
    compiled, snapshot = compile_case(*own)
    assert [route.name for route in snapshot.routes] == [f"r{number}" for number in range(8, 1, -1)]
    for name in ("r1", "r0", "small"):
        assert compiled.routes[name].reason == "TooLarge"
        assert f"more than {MAX_WORDS} words" in compiled.routes[name].message


def test_one_of_which_nothing_else_is_known_counts_for_nothing() -> None:
    """It would count, and was gone when it was asked for."""
    line = Outline(Meta("gone"), 9, Size(2, 10))
    case = make_case(make_route())
    compiled = compile_policy(case._replace(routes=[*case.routes, line]))
    assert members_of(compiled) == {"dev": "eu-1"}
    assert compiled.routes["gone"].reason == "TooMany"


def test_as_many_words_as_there_may_be() -> None:
    names = [f"n{number}" for number in range(62)]
    match = [make_match("configmaps", names=names)] * 25  # of 64 words each
    own = [make_route(f"r{number}", match=match) for number in range(5)]
    assert sum(64 for route in own for _ in route["spec"]["match"]) == MAX_WORDS
    compiled, _ = compile_case(*own)
    assert all(verdict.accepted for verdict in compiled.routes.values())
    compiled, _ = compile_case(*own, make_route("s"))
    assert [name for name, verdict in compiled.routes.items() if not verdict.accepted] == ["s"]


@pytest.mark.parametrize("resource", ["*/s{}", "r{}/*"])
def test_whatever_routes_there_are_compiling_is_quick(resource: str) -> None:
    """Others' revocations wait for it. Each of the clusters has no guards."""
    clusters = tuple(make_cluster(f"c{number}", "Accepted") for number in range(17))
    used = [f"c{number}" for number in range(17)]
    match = [make_match(*(resource.format(number) for number in range(64)), groups=("*",))] * 32
    own = [
        make_route(f"r{number}", "c0", match=match, stand_ins=tuple(used[1:]))
        for number in range(100)
    ]
    case = make_case(*own, tenant=make_tenant(clusters=used), clusters=(*CLUSTERS, *clusters))
    begun = time.process_time()
    compiled = compile_policy(case)
    assert time.process_time() - begun < 2
    assert len(compiled.routes) == 100
