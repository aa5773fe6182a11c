"""What real members tell is in test_discovery.py; this is about what hostile ones might."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sidecar.offers import (
    MAX_DISCOVERY_BYTES,
    Offer,
    Resource,
    ResponseKind,
    Subresource,
    parse_json,
    read_offer,
)


def everything(_group: str, _resource: str) -> bool:
    return True


WIDGETS: dict[str, Any] = {
    "resource": "widgets",
    "responseKind": {"group": "", "version": "", "kind": "Widget"},
    "scope": "Namespaced",
    "singularResource": "widget",
    "verbs": ["get", "list"],
    "shortNames": ["wg"],
    "subresources": [
        {
            "subresource": "scale",
            "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "acceptedTypes": [{"group": "autoscaling", "version": "v1", "kind": "Scale"}],
            "verbs": ["get"],
        },
        {"subresource": "log", "verbs": ["get"]},
    ],
}


def discovery(*resources: Any, group: Any = "a.io", version: Any = "v1") -> bytes:
    item = {"metadata": {"name": group}, "versions": [{"version": version, "resources": resources}]}
    return json.dumps({"kind": "APIGroupDiscoveryList", "items": [item]}).encode()


def test_what_a_member_offers() -> None:
    scale = ResponseKind("autoscaling", "v1", "Scale")
    expected = Resource(
        "widgets",
        "widget",
        ResponseKind("", "", "Widget"),
        True,
        ("get", "list"),
        ("wg",),
        (),
        (
            Subresource("scale", scale, (scale,), ("get",)),
            Subresource("log", None, (), ("get",)),
        ),
    )
    offer = read_offer([discovery(WIDGETS)], everything)
    assert offer == Offer({"a.io": {"v1": (expected,)}})


def test_only_what_a_route_names_is_offered() -> None:
    nodes = {**WIDGETS, "resource": "nodes", "scope": "Cluster", "responseKind": "odd"}
    asked: list[tuple[str, str]] = []

    def names(group: str, resource: str) -> bool:
        asked.append((group, resource))
        return resource in ("widgets", "widgets/log")

    offer = read_offer([discovery(WIDGETS, nodes), discovery(nodes, group="b.io")], names)
    (widgets,) = offer.groups["a.io"]["v1"]
    assert [found.name for found in widgets.subresources] == ["log"]
    assert list(offer.groups) == ["a.io"]
    assert ("a.io", "widgets/scale") in asked
    assert ("b.io", "nodes") in asked


def test_the_core_group_has_no_name() -> None:
    text = discovery(WIDGETS).replace(b'{"name": "a.io"}', b"{}")
    assert list(read_offer([text], everything).groups) == [""]


def test_the_first_of_several_wins() -> None:
    other = {**WIDGETS, "resource": "others"}
    offer = read_offer([discovery(WIDGETS), discovery(other)], everything)
    assert [found.name for found in offer.groups["a.io"]["v1"]] == ["widgets"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b"[" + b"{}," * 500_000,
        b" " * (MAX_DISCOVERY_BYTES + 1),
        b'{"kind": "APIGroupList", "groups": []}',
        b'{"kind": "APIGroupDiscoveryList", "items": {}}',
        b'{"kind": "APIGroupDiscoveryList", "items": [1]}',
        b'{"kind": "APIGroupDiscoveryList", "items": [{"metadata": []}]}',
        discovery({**WIDGETS, "x": float("nan")}),
        discovery({**WIDGETS, "x": float("-inf")}),
        discovery(WIDGETS)[:-2] + b', "x": 1e999}]}',
        discovery(*({**WIDGETS, "resource": f"a{number}"} for number in range(10_001))),
        discovery(WIDGETS, group=1),
        discovery(WIDGETS, group="a/b"),
        discovery(WIDGETS, version="../v1"),
        discovery(WIDGETS, version=None),
        discovery({**WIDGETS, "resource": "Widgets"}),
        discovery({**WIDGETS, "resource": "a/b"}),
        discovery({**WIDGETS, "resource": "a" * 254}),
        discovery({**WIDGETS, "responseKind": None}),
        discovery({**WIDGETS, "responseKind": {"kind": "<script>"}}),
        discovery({**WIDGETS, "scope": "Namespace"}),
        discovery({**WIDGETS, "scope": []}),
        discovery({**WIDGETS, "verbs": "get"}),
        discovery({**WIDGETS, "verbs": [1]}),
        discovery({**WIDGETS, "shortNames": ["w\n"]}),
        discovery({**WIDGETS, "subresources": [{"subresource": ""}]}),
        discovery({**WIDGETS, "subresources": [{"subresource": "a", "responseKind": []}]}),
    ],
)
def test_a_member_that_tells_otherwise_is_not_listened_to(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_offer([content], everything)


def test_documents_within_bounds_are_read() -> None:
    assert parse_json(b'{"a": [' + b"1," * 300_000 + b"1]}")["a"][0] == 1


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["metadata", "name", "versions", "version", "resources", "resource", "verbs"]),
    inner), max_leaves=10))  # fmt: skip
def test_no_document_raises_anything_else(items: object) -> None:
    with contextlib.suppress(ValueError):
        read_offer(
            [json.dumps({"kind": "APIGroupDiscoveryList", "items": [items]}).encode()], everything
        )
