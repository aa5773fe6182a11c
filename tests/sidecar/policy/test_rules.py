"""Real lists of rules come from a real API server; that no list lies is tried on generated ones."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.overlap import matches_any
from sidecar.policy.reviews import Access
from sidecar.policy.rules import Grant, View, find_obstacle, reduce_rules
from tests.controlplane import ControlPlane

RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
NAMESPACED = {"pods": True, "services": True, "deployments": True, "nodes": False}


def is_namespaced(_group: str, resource: str) -> bool | None:
    return NAMESPACED.get(resource)


def rule(verbs: str, groups: str, resources: str, *names: str) -> dict[str, list[str]]:
    found = {
        "verbs": verbs.split(","),
        "apiGroups": groups.split(","),
        "resources": resources.split(","),
    }
    return {**found, "resourceNames": list(names)} if names else found


def paths(verbs: str, urls: str) -> dict[str, list[str]]:
    return {"verbs": verbs.split(","), "nonResourceURLs": urls.split(",")}


def grant(verbs: str, groups: str, resources: str, *names: str, **more: Any) -> Grant:
    return Grant(
        more.pop("rule", "permission/p"),
        tuple(verbs.split(",")),
        tuple(groups.split(",")),
        tuple(resources.split(",")),
        names or ("*",),
        **more,
    )


def path_grant(verbs: str, urls: str) -> Grant:
    return Grant("permission/p", tuple(verbs.split(",")), paths=tuple(urls.split(",")))


def view(
    allows: Sequence[Grant] | None = None,
    denies: Sequence[Grant] = (),
    reserved: Sequence[Grant] = (),
) -> View:
    return View(
        None if allows is None else tuple(allows), tuple(denies), tuple(reserved), is_namespaced
    )


def answer(*rules: dict[str, list[str]], **status: Any) -> bytes:
    told = {
        "resourceRules": [found for found in rules if "apiGroups" in found],
        "nonResourceRules": [found for found in rules if "apiGroups" not in found],
        "incomplete": False,
        **status,
    }
    return json.dumps({"kind": "SelfSubjectRulesReview", "spec": {}, "status": told}).encode()


def reduce(seen: View, *rules: dict[str, list[str]], **status: Any) -> dict[str, Any]:
    document = json.loads(reduce_rules(answer(*rules, **status), seen))
    assert document["kind"] == "SelfSubjectRulesReview"
    found = document["status"]
    assert isinstance(found, dict)
    assert found["incomplete"] is ("evaluationError" in found)
    return found


PODS = rule("get,list,delete", ",apps", "pods")
READ_PODS = grant("get,list,watch", "", "pods")


@pytest.mark.parametrize(
    ("seen", "given_rules", "left"),
    [
        # Without a tenant all is left to RBAC, but what nobody may do.
        (view(), [rule("*", "*", "*")], [rule("*", "*", "*")]),
        (view(), [rule("get", "", "pods,pods/proxy")], [rule("get", "", "pods")]),
        (view(), [rule("get", "", "*/proxy")], []),
        (
            view(),
            [rule("get", "example.com", "pods/proxy")],
            [rule("get", "example.com", "pods/proxy")],
        ),
        # A tenant: what both allow.
        (view([]), [rule("*", "*", "*")], []),
        (view([READ_PODS]), [PODS], [rule("get,list", "", "pods")]),
        (view([READ_PODS]), [rule("*", "*", "*")], [rule("get,list,watch", "", "pods")]),
        (
            view([grant("*", "*", "*")]),
            [PODS],
            [rule("get,list,delete", "", "pods"), rule("get,list,delete", "apps", "pods")],
        ),
        (
            view([grant("*", "", "pods/proxy,pods/log")]),
            [rule("*", "", "*")],
            [rule("*", "", "pods/log")],
        ),
        (
            view([grant("get", "", "pods"), grant("list", "", "pods,services")]),
            [rule("*", "", "*")],
            [rule("get,list", "", "pods"), rule("list", "", "services")],
        ),
        (
            view([grant("get", "", "pods"), grant("*", "", "pods")]),
            [rule("*", "", "*")],
            [rule("*", "", "pods")],
        ),
        # Names.
        (
            view([grant("get", "", "pods", "a", "ci-*")]),
            [rule("get", "", "pods", "a", "b", "ci-1")],
            [rule("get", "", "pods", "a", "ci-1")],
        ),
        (
            view([grant("get", "", "pods", "a", "b")]),
            [rule("get", "", "pods")],
            [rule("get", "", "pods", "a", "b")],
        ),
        # What is denied as a whole is not missing.
        (
            view(None, [grant("*", "", "services")]),
            [rule("get", "", "pods,services")],
            [rule("get", "", "pods")],
        ),
        (
            view(None, [grant("delete", "*", "*")]),
            [PODS],
            [rule("get,list", "", "pods"), rule("get,list", "apps", "pods")],
        ),
        (
            view(None, [grant("*", "", "pods", "a")]),
            [rule("get", "", "pods", "a", "b")],
            [rule("get", "", "pods", "b")],
        ),
        (
            view(None, [grant("*", "apps", "pods"), grant("*", "", "pods/*")]),
            [rule("get", "", "pods")],
            [rule("get", "", "pods")],
        ),
        # Scope, where the kind tells.
        (
            view([grant("*", "*", "*", namespaced=True)]),
            [rule("get", "", "pods,nodes")],
            [rule("get", "", "pods")],
        ),
        (
            view([grant("*", "*", "*", namespaced=False)]),
            [rule("get", "", "pods,nodes")],
            [rule("get", "", "nodes")],
        ),
        # What a wildcard does not cover.
        (
            view([grant("*", "*", "*")], reserved=[grant("create", "", "pods")]),
            [rule("get,create", "", "pods")],
            [rule("get", "", "pods")],
        ),
        (
            view([grant("*", "", "pods")], reserved=[grant("create", "", "pods")]),
            [rule("get,create", "", "pods")],
            [rule("get,create", "", "pods")],
        ),
        # Paths.
        (view(), [paths("get", "/metrics,/api/*")], [paths("get", "/metrics,/api/*")]),
        (
            view([path_grant("get", "/api,/api*")]),
            [paths("get,post", "/metrics,/api/*")],
            [paths("get", "/api/*")],
        ),
        (view([path_grant("get", "/api,/api*")]), [paths("*", "*")], [paths("get", "/api,/api*")]),
        (view([READ_PODS]), [paths("*", "*")], []),
        (view([path_grant("post", "*")]), [paths("get", "*")], []),
        (
            view(None, [path_grant("post", "/metrics")]),
            [paths("get,post", "/metrics,/logs")],
            [paths("get", "/metrics"), paths("get,post", "/logs")],
        ),
        (view(None, [path_grant("*", "/m*")]), [paths("get", "/metrics,/m/*")], []),
    ],
)
def test_what_is_wholly_allowed_is_listed(
    seen: View, given_rules: list[dict[str, list[str]]], left: list[dict[str, list[str]]]
) -> None:
    found = reduce(seen, *given_rules)
    assert found["resourceRules"] + found["nonResourceRules"] == left
    assert not found["incomplete"]


@pytest.mark.parametrize(
    ("seen", "given_rules", "left", "why"),
    [
        (
            view([grant("*", "*", "*", namespaced=True)]),
            [rule("*", "*", "*")],
            [],
            "permission/p allows a part of *.*",
        ),
        (
            view([grant("*", "*", "*", namespaced=True)]),
            [rule("*", "", "*/scale")],
            [],
            "allows a part of */scale",
        ),
        (
            view([grant("*", "*", "*", namespaced=True)]),
            [rule("get", "a.io", "x")],
            [],
            "whether x.a.io has namespaces is not known",
        ),
        (
            view([grant("*", "", "pods", "ci-*", "a")]),
            [rule("get", "", "pods")],
            [rule("get", "", "pods", "a")],
            "permission/p allows names by a pattern",
        ),
        (
            view([grant("*", "", "pods/*")]),
            [rule("*", "", "*")],
            [],
            "pods/*, which RBAC cannot say",
        ),
        (
            view(None, [grant("*", "apps", "*")]),
            [rule("get", "*", "*")],
            [],
            "permission/p denies a part of *.*",
        ),
        (
            view(None, [grant("delete", "", "pods")]),
            [rule("*", "", "pods")],
            [rule("get,list,watch,create,update,patch,deletecollection", "", "pods")],
            "denies a part of pods",
        ),
        (
            view(None, [grant("get", "", "pods", "ci-*")]),
            [rule("get,list", "", "pods")],
            [rule("list", "", "pods")],
            "denies a part of pods",
        ),
        (
            view(None, [grant("*", "", "pods", cluster="eu-1", rule="route/r")]),
            [rule("get", "", "pods,services")],
            [rule("get", "", "services")],
            "pods is answered by cluster eu-1 (route/r)",
        ),
        (
            view([grant("*", "*", "*")], reserved=[grant("*", "", "pods")]),
            [rule("*", "", "*")],
            [],
            "denies a part of *",
        ),
        (
            view([path_grant("get", "/l*s")]),
            [paths("get", "/logs,/l*")],
            [paths("get", "/logs")],
            "allows a part of /l*",
        ),
        (
            view(None, [path_grant("get", "/logs")]),
            [paths("*", "*")],
            [paths("head,post,put,patch,delete,options", "*")],
            "denies a part of *",
        ),
        (
            view(None, [path_grant("get", "/l*s")]),
            [paths("get,post", "/l*")],
            [paths("post", "/l*")],
            "denies a part of /l*",
        ),
    ],
)
def test_what_is_allowed_in_part_is_left_out_with_the_reason(
    seen: View, given_rules: list[dict[str, list[str]]], left: list[dict[str, list[str]]], why: str
) -> None:
    found = reduce(seen, *given_rules)
    assert found["resourceRules"] + found["nonResourceRules"] == left
    assert why in found["evaluationError"]


def test_what_the_server_could_not_evaluate_stays_told() -> None:
    seen = view(None, [grant("*", "", "pods", "a")])
    found = reduce(seen, rule("get", "", "pods"), incomplete=True, evaluationError="no webhook")
    assert found["evaluationError"] == "no webhook; permission/p denies a part of pods"
    document = json.loads(reduce_rules(answer(incomplete=True), view()))
    assert document["status"]["incomplete"] is True


def test_few_reasons_are_told() -> None:
    denies = [grant("*", "", "pods", "a", rule=f"permission/{at}") for at in range(20)]
    many = [rule("get", "", "pods"), *(rule("get", "", f"x{at}") for at in range(20))]
    seen = view(None, [*denies, grant("*", "", "*", cluster="eu-1", rule="route/r")])
    why = reduce(seen, *many)["evaluationError"]
    assert why.endswith("; and 13 more")
    assert why.count(";") == 8


@pytest.mark.parametrize("urls", [False, True])
@pytest.mark.parametrize("allowed", [False, True])
def test_rules_that_multiply_are_cut_short(urls: bool, allowed: bool) -> None:
    if urls:
        many = [paths("get", ",".join(f"/p{at}" for at in range(1_000)))]
        grants = [path_grant("get", f"/p{at}") for at in range(1_000)]
    else:
        many = [rule("get", "", ",".join(f"x{at}" for at in range(1_000)))]
        grants = [grant("get", "", f"x{at}") for at in range(1_000)]
    found = reduce(view(grants) if allowed else view(None, grants), *many)
    assert found["evaluationError"] == "the rules are too many to be compared"
    assert len(str(found)) < 10_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"[" + b"{}," * 200_000,
        b'{"status": {"resourceRules": {}}}',
        b'{"status": {"resourceRules": [1]}}',
        b'{"status": {"resourceRules": [{"verbs": [1]}]}}',
        b'{"status": {"nonResourceRules": [{"verbs": "get"}]}}',
    ],
)
def test_an_answer_that_is_no_list_of_rules(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        reduce_rules(content, view())


def asked(
    verb: str,
    group: str = "",
    resource: str = "",
    subresource: str = "",
    name: str = "",
    path: str = "",
) -> Access:
    return Access(verb, group, "", resource, subresource, "team-a", name, path, {})


@pytest.mark.parametrize(
    ("home", "left"),
    [
        (grant("get,list", "", "pods", at_home=True), [rule("get,list", "", "pods")]),
        (grant("*", "", "*", at_home=True), [rule("get,list,delete", "", "pods")]),
        (grant("*", "apps", "*", at_home=True), []),
        # A part of it is not enough.
        (grant("*", "", "pods", "a", at_home=True), []),
    ],
)
def test_a_route_to_home_shields_from_those_that_follow(
    home: Grant, left: list[dict[str, list[str]]]
) -> None:
    away = grant("*", "*", "*", cluster="eu-1")
    found = reduce(view(None, [home, away]), rule("get,list,delete", "", "pods"))
    assert found["resourceRules"] == left
    found = reduce(view(None, [away, home]), rule("get,list,delete", "", "pods"))
    assert found["resourceRules"] == []


@pytest.mark.parametrize(
    ("resources", "left"),
    [
        ("*", ["pods/log", "leases", "leases/status"]),
        ("leases,leases/status", ["pods/log", "other"]),
    ],
)
def test_what_stays_home_is_answered_elsewhere_only_where_a_rule_names_it(
    resources: str, left: list[str]
) -> None:
    away = grant("*", "coordination.k8s.io", resources, cluster="eu-1")
    seen = view(None, [away])._replace(
        stays_home=frozenset({("coordination.k8s.io", "leases"), ("", "pods")})
    )
    rules = [
        rule("get", "", "pods/log"),
        rule("get", "coordination.k8s.io", "leases,other,leases/status"),
    ]
    found = reduce(seen, *rules)["resourceRules"]
    assert [resource for told in found for resource in told["resources"]] == left


@pytest.mark.parametrize(
    ("seen", "access", "obstacle"),
    [
        (view(), asked("*", "*", "*"), ""),
        (view(), asked("*", "", "pods", "proxy"), "no rule allows all of it"),
        (view([READ_PODS]), asked("*", "", "pods"), "no rule allows all of it"),
        (view([READ_PODS]), asked("get", "*", "pods"), "no rule allows all of it"),
        (view([grant("*", "", "pods,pods/*")]), asked("*", "", "pods"), ""),
        (view([grant("*", "", "pods/*")]), asked("*", "", "pods", "*"), "which RBAC cannot say"),
        (view([grant("*", "", "pods", "ci-*")]), asked("*", "", "pods", name="ci-1"), ""),
        (
            view([grant("*", "", "pods", "ci-*")]),
            asked("*", "", "pods"),
            "allows names by a pattern",
        ),
        (
            view([grant("*", "*", "*", namespaced=True)]),
            asked("*", "*", "*"),
            "allows a part of *.*",
        ),
        (
            view(None, [grant("delete", "", "pods")]),
            asked("*", "", "pods"),
            "denies a part of pods",
        ),
        (
            view(None, [grant("*", "", "pods", cluster="eu-1")]),
            asked("*", "*", "*"),
            "cluster eu-1",
        ),
        (view(), asked("*", path="/metrics"), ""),
        (view([path_grant("get", "/api*")]), asked("get", path="/api/*"), ""),
        (view([path_grant("get", "/api/*")]), asked("get", path="*"), "no rule allows all of it"),
    ],
)
def test_asking_for_many_things_at_once(seen: View, access: Access, obstacle: str) -> None:
    found = find_obstacle(seen, access)
    assert bool(found) == bool(obstacle)
    assert obstacle in found


def test_a_real_list(control_plane: ControlPlane) -> None:
    control_plane.create_service_account("rules", "app", cluster_role="system:aggregate-to-edit")
    document = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    told = control_plane.request(
        "POST",
        RULES,
        body={**document, "spec": {"namespace": "rules"}},
        token=control_plane.token("rules", "app"),
    )
    assert told.status == 201
    everything = told.json()["status"]
    unchanged = json.loads(reduce_rules(told.body, view()))
    listed = {
        (group, resource): set(found["verbs"])
        for found in unchanged["status"]["resourceRules"]
        for group in found["apiGroups"]
        for resource in found["resources"]
    }
    for found in everything["resourceRules"]:
        for group, resource in itertools.product(found["apiGroups"], found["resources"]):
            if resource in ("pods/proxy", "services/proxy"):
                assert (group, resource) not in listed
            else:
                assert listed[group, resource] >= set(found["verbs"])
    assert unchanged["status"]["incomplete"] is False
    assert {**unchanged, "status": None} == {**told.json(), "status": None}
    seen = view([grant("*", "", "*")], [grant("*", "", "pods/*,secrets")])
    few = json.loads(reduce_rules(told.body, seen))["status"]
    assert few["nonResourceRules"] == []
    mentioned = {resource for found in few["resourceRules"] for resource in found["resources"]}
    assert {"pods", "configmaps"} <= mentioned
    assert not mentioned & {"secrets", "pods/exec", "deployments"}


VERBS = ("get", "list", "delete", "use")
GROUPS = ("", "apps")
MAINS = ("pods", "nodes", "pods/exec", "nodes/exec", "pods/log")
NAMES = ("", "a", "ci-1")


def some(*choices: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(choices), min_size=1, max_size=2, unique=True).map(tuple)


grants = st.builds(
    Grant,
    st.just("rule"),
    some("*", *VERBS),
    some("*", *GROUPS),
    some("*", "pods/*", "*/exec", *MAINS),
    st.just(("*",)) | some("a", "ci-*"),
    st.just(()),
    st.sampled_from([None, None, True, False]),
    st.just(""),
    st.just(False),
)
routes = st.builds(
    lambda found, away: found._replace(cluster="eu-1" if away else "", at_home=not away),
    grants,
    st.booleans(),
)
rbac_rules = st.builds(
    lambda verbs, groups, resources, names: rule(
        ",".join(verbs), ",".join(groups), ",".join(resources), *names
    ),
    some("*", *VERBS),
    some("*", *GROUPS),
    some("*", "*/exec", *MAINS),
    st.just(()) | some("a", "ci-1"),
)


def rbac_allows(
    rules: list[dict[str, list[str]]], verb: str, group: str, resource: str, name: str
) -> bool:
    """As k8s.io/kubernetes/pkg/apis/rbac/v1 matches rules."""
    return any(
        {"*", verb} & set(found["verbs"])
        and {"*", group} & set(found["apiGroups"])
        and {"*", resource, "*/" + resource.partition("/")[2]} & set(found["resources"])
        and (not found.get("resourceNames") or name in found["resourceNames"])
        for found in rules
    )


def speaks_of(found: Grant, verb: str, group: str, resource: str) -> bool:
    main, _, subresource = resource.partition("/")
    spellings = {"*", resource, f"{main}/*", f"*/{subresource}"} if subresource else {"*", resource}
    return bool(
        {"*", verb} & set(found.verbs)
        and {"*", group} & set(found.groups)
        and spellings & set(found.resources)
    )


def policy_allows(seen: View, verb: str, group: str, resource: str, name: str) -> bool:
    assert seen.allows is not None
    scope = NAMESPACED[resource.partition("/")[0]]
    denied = any(
        speaks_of(found, verb, group, resource) and (not name or matches_any(found.names, name))
        for found in seen.denies
        if not found.cluster and not found.at_home
    )
    # The first route counts; what names no object follows one for all names.
    away = [
        bool(found.cluster)
        for found in seen.denies
        if (found.cluster or found.at_home)
        and speaks_of(found, verb, group, resource)
        and matches_any(found.names, name)
    ]
    return not (denied or any(away[:1])) and any(
        speaks_of(found, verb, group, resource)
        and matches_any(found.names, name)
        and found.namespaced in (None, scope)
        and (
            (group in found.groups and resource in found.resources)
            or not any(speaks_of(kept, verb, group, resource) for kept in seen.reserved)
        )
        for found in seen.allows
    )


@given(
    st.lists(rbac_rules, max_size=3),
    st.lists(grants, max_size=3),
    st.lists(grants, max_size=2),
    st.lists(routes, max_size=2),
    st.lists(grants.map(lambda found: found._replace(names=("*",))), max_size=1),
)
def test_no_list_lies(
    rbac: list[dict[str, list[str]]],
    allows: list[Grant],
    denies: list[Grant],
    routed: list[Grant],
    reserved: list[Grant],
) -> None:
    seen = view(allows, [*denies, *routed], reserved)
    found = reduce(seen, *rbac)
    for call in itertools.product(VERBS, GROUPS, MAINS, NAMES):
        may = rbac_allows(rbac, *call) and policy_allows(seen, *call)
        told = rbac_allows(found["resourceRules"], *call)
        # All that is told may be done, and all that may be done is told if the list says so.
        assert may or not told
        assert told or not may or found["incomplete"]
        verb, group, resource, name = call
        main, _, subresource = resource.partition("/")
        one = find_obstacle(seen, asked(verb, group, main, subresource, name))
        assert one or policy_allows(seen, *call)
