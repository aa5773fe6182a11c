import copy
import json
from typing import Any

import pytest

from sidecar.policy.fields import Check, read_json
from sidecar.policy.snapshot_clusters import Cluster, TokenFile
from sidecar.policy.snapshot_routes import Match, Route, RouteMember, read_routes

CLUSTERS = tuple(
    Cluster(name, "https://a", "a", 443, b"", None, None, TokenFile("/t"))
    for name in ("home", "east", "west")
)
BUILDS: dict[str, Any] = {
    "name": "builds",
    "priority": 100,
    "match": [
        {
            "groups": [""],
            "resources": ["pods", "pods/*"],
            "verbs": ["get"],
            "namespaces": ["team-*"],
            "names": ["ci-*"],
            "containers": ["app"],
            "serviceAccounts": ["ci"],
            "objectSelector": None,
        },
        {"groups": ["*"], "resources": ["*"]},
    ],
    "to": {
        "members": [{"cluster": "east", "weight": 1}],
        "placement": "hash",
        "standIns": ["west", "home"],
    },
}
PLAIN: dict[str, Any] = {
    "name": "plain",
    "priority": -1,
    "match": [{"groups": ["apps"], "resources": ["deployments"]}],
    "to": {"members": [{"cluster": "home"}]},
}
LEASES: dict[str, Any] = {"groups": ["coordination.k8s.io"], "resources": ["leases"]}
REMOVED = object()


def read(value: object) -> tuple[tuple[Route, ...], list[str]]:
    check = Check()
    return read_routes(check, read_json(json.dumps(value).encode()), CLUSTERS), check.errors


def changed(path: str, value: object) -> list[Any]:
    """Two good routes with one thing of the first changed, added or removed."""
    document: Any = copy.deepcopy([BUILDS, PLAIN])
    here = document[0]
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in way:
        here = here[step]
    if value is REMOVED:
        del here[last]
    else:
        here[last] = value
    return document  # type: ignore[no-any-return]


def test_good_routes() -> None:
    pods = ("pods", "pods/*")
    narrow = Match(("",), pods, ("get",), ("team-*",), ("ci-*",), ("app",), ("ci",))
    assert read([BUILDS, PLAIN]) == (
        (
            Route(
                "builds",
                100,
                (narrow, Match(("*",), ("*",))),
                (RouteMember("east", 1),),
                "hash",
                ("west", "home"),
            ),
            Route("plain", -1, (Match(("apps",), ("deployments",)),), (RouteMember("home"),)),
        ),
        [],
    )


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("name", "Builds", "name: must be a name of at most 63"),
        ("name", "plain", "routes[1].name: 'plain' stands twice"),
        ("name", REMOVED, "name: is missing"),
        ("priority", "1", "priority: must be a whole number"),
        ("priority", REMOVED, "priority: is missing"),
        ("match", [], "match: must be a list of 1 to 100"),
        ("match/0", "pods", "match[0]: must be an object"),
        ("match/0/groups", REMOVED, "match[0].groups: is missing"),
        ("match/0/resources", [], "match[0].resources: is empty and matches nothing"),
        ("match/0/verbs", ["use"], "match[0].verbs[0]: must be * or one of"),
        ("match/0/namespaces", ["A"], "match[0].namespaces[0]: must be a namespace's name"),
        ("match/0/names", [""], "match[0].names[0]: must be an object's name"),
        ("match/0/containers", ["A"], "match[0].containers[0]: must be a container's name"),
        ("match/0/serviceAccounts", ["A"], "match[0].serviceAccounts[0]: must be a service"),
        ("match/0/objectSelector", {}, "objectSelector: is served by a later version of the"),
        ("match/0/labels", {}, "match[0].labels: is not a field"),
        ("to", None, "to: must be an object"),
        ("to/cluster", "east", "to.cluster: is not a field"),
        ("to/members", [], "to.members: must be a list of 1 to 64"),
        ("to/members/0", "east", "to.members[0]: must be an object"),
        ("to/members/0/cluster", "none", "to.members[0].cluster: no such cluster"),
        ("to/members/0/cluster", "None", "to.members[0].cluster: must be a DNS-1123 label"),
        ("to/members/0/cluster", REMOVED, "to.members[0].cluster: is missing"),
        ("to/members/0/weight", 0, "to.members[0].weight: must be a whole number from 1"),
        (
            "to/members",
            [{"cluster": "east"}, {"cluster": "east"}],
            "to.members[1].cluster: 'east' stands twice",
        ),
        (
            "to",
            {"members": [{"cluster": "east"}, {"cluster": "west"}]},
            "to.members: a route over several members is served by a later version",
        ),
        ("to/placement", "random", "to.placement: must be one of weighted, hash, leastLoaded"),
        ("to/placement", None, "to.placement: must be one of"),
        ("to/standIns", None, "to.standIns: must be a list of 0 to 64"),
        ("to/standIns", ["none"], "to.standIns[0]: no such cluster"),
        ("to/standIns", ["west", "west"], "to.standIns[1]: 'west' stands twice"),
        ("to/standIns", ["west", "east"], "to.standIns[1]: 'east' cannot stand in for itself"),
        ("match/0", LEASES, "match[0]: would split locks: leases have no standIns"),
        ("match/0/resources", ["pods", "events"], "match[0]: would split events: they go alone"),
    ],
)
def test_one_thing_wrong_is_told_with_its_path(path: str, value: object, error: str) -> None:
    _, errors = read(changed(path, value))
    assert error in errors[0]
    assert errors[0].startswith("routes[")


def with_match(**match: object) -> tuple[tuple[Route, ...], list[str]]:
    return read([PLAIN | {"match": [match]}])


@pytest.mark.parametrize(
    "match",
    [
        LEASES,
        LEASES | {"namespaces": ["team-a"], "verbs": ["*"]},
        {"groups": ["example.com"], "resources": ["leases", "cars"]},
        {"groups": ["", "events.k8s.io"], "resources": ["events"], "namespaces": ["team-a"]},
        {"groups": ["example.com"], "resources": ["events"]},
        {"groups": ["*"], "resources": ["*"]},
    ],
)
def test_locks_and_events_that_go_whole(match: dict[str, Any]) -> None:
    assert with_match(**match)[1] == []


@pytest.mark.parametrize(
    "match",
    [
        LEASES | {"resources": ["leases", "pods"]},
        LEASES | {"resources": ["leases", "*"]},
        LEASES | {"resources": ["leases/status"]},
        LEASES | {"groups": ["*"]},
        LEASES | {"groups": ["coordination.k8s.io", ""]},
        LEASES | {"verbs": ["get"]},
        LEASES | {"names": ["a"]},
        LEASES | {"names": ["*", "a"]},
        LEASES | {"containers": ["a"]},
        LEASES | {"serviceAccounts": ["a"]},
        {"groups": [""], "resources": ["events"]},
        {"groups": ["events.k8s.io"], "resources": ["events"]},
        {"groups": ["*"], "resources": ["events"]},
        {"groups": ["", "events.k8s.io", "apps"], "resources": ["events"]},
        {"groups": ["", "events.k8s.io"], "resources": ["events", "pods"]},
        {"groups": ["", "events.k8s.io"], "resources": ["events/status"]},
    ],
)
def test_locks_and_events_that_would_be_split(match: dict[str, Any]) -> None:
    (error,) = with_match(**match)[1]
    assert error.startswith("routes[0].match[0]: would split ")


def test_unreadable_clusters_are_not_held_against_routes() -> None:
    check = Check()
    routes = read_routes(check, read_json(json.dumps([BUILDS]).encode()), None)
    assert len(routes) == 1
    assert not check.errors
