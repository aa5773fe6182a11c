"""Objects that say the same have one content, whatever the API server filled in."""

import copy
from typing import Any

import pytest

from webhook.controller.tenants.contents import (
    read_role,
    read_subjects,
    render_content,
    spell_quantity,
)
from webhook.resources.meta import RawDocument


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("1", "1"), (10, "10"), ("1000m", "1"), ("0.5", "0.5"), (".5", "0.5"), ("1e3", "1000"),
        ("2k", "2000"), ("1Ki", "1024"), ("1.5Gi", "1610612736"), ("100n", "0.0000001"), ("0", "0"),
        ("abc", "abc"), ("1Xi", "1Xi"), ("", ""), ("1e10", "10000000000"),
        ("1e9999999", "1e9999999"), ("1e1000", "1e1000"), ("1" * 1_000, "1" * 1_000),
    ],
)  # fmt: skip
def test_a_quantity_has_one_spelling(text: Any, spelled: str) -> None:
    assert spell_quantity(text) == spelled


def make(kind: str, spec: RawDocument, **metadata: Any) -> RawDocument:
    return {"kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("kind", "wished", "served"),
    [
        ("ResourceQuota", {"hard": {"cpu": "1000m"}}, {"hard": {"cpu": "1"}}),
        (
            "LimitRange",
            {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}}]},
            {
                "limits": [
                    {
                        "type": "Container",
                        "max": {"cpu": "1"},
                        "min": {"memory": "1Mi"},
                        "default": {"cpu": "1"},
                        "defaultRequest": {"cpu": "1", "memory": "1Mi"},
                    }
                ]
            },
        ),
        (
            "LimitRange",
            {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]},
            {"limits": [{"type": "Pod", "max": {"cpu": "1000m"}}]},
        ),
        (
            "NetworkPolicy",
            {"podSelector": {}, "ingress": [], "egress": [{"ports": [{"port": 53}]}]},
            {"podSelector": {}, "egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}]},
        ),
        ("NetworkPolicy", {"egress": [{"to": None}]}, {"egress": [{}]}),
        ("Other", {"a": 1}, {"a": 1, "b": None}),
    ],
)
def test_what_servers_fill_in_makes_no_difference(
    kind: str, wished: RawDocument, served: RawDocument
) -> None:
    assert render_content(make(kind, wished)) == render_content(make(kind, served))


@pytest.mark.parametrize(
    ("kind", "wished", "drifted"),
    [
        ("ResourceQuota", {"hard": {"pods": "1"}}, {"hard": {"pods": "2"}}),
        ("NetworkPolicy", {"egress": []}, {"egress": [{}]}),
        ("NetworkPolicy", {"egress": [{"to": [{"podSelector": {}}]}]}, {"egress": [{"to": [{}]}]}),
        ("LimitRange", {"limits": []}, {"limits": [{"type": "Pod"}]}),
    ],
)
def test_drift_is_seen(kind: str, wished: RawDocument, drifted: RawDocument) -> None:
    assert render_content(make(kind, wished)) != render_content(make(kind, drifted))


def test_only_what_is_stated_counts() -> None:
    raw = make("ResourceQuota", {}, labels={"mca.io/tenant": "a"}, annotations={})
    other = copy.deepcopy(raw)
    other["metadata"]["labels"]["team"] = "x"
    other["metadata"]["annotations"]["note"] = "y"
    other["status"] = {"used": {"pods": "1"}}
    assert render_content(other) == render_content(raw)
    other["metadata"]["annotations"]["mca.io/created-by"] = "u"
    assert render_content(other) != render_content(raw)
    other["metadata"]["annotations"].clear()
    other["metadata"]["labels"]["mca.io/tenant"] = "b"
    assert render_content(other) != render_content(raw)


def test_contents_that_are_equal_are_one_text() -> None:
    """5,000 namespaces have 25,000 objects."""
    raw = make("ResourceQuota", {"hard": {"pods": "1"}})
    assert render_content(raw) is render_content(copy.deepcopy(raw))


def test_a_bindings_role_is_part_of_it() -> None:
    binding = {"kind": "RoleBinding", "metadata": {}, "roleRef": {"name": "a"}, "subjects": [{}]}
    content = render_content(binding)
    assert read_role(content) == {"name": "a"}
    assert content != render_content({**binding, "subjects": [{"name": "b"}]})


def test_what_is_long_is_kept_as_a_digest() -> None:
    """Anybody may put the label onto an object of a megabyte."""
    many = [{"kind": "User", "name": f"user-{number}"} for number in range(1_000)]
    role = {"kind": "ClusterRole", "name": "edit"}
    long = render_content({"kind": "RoleBinding", "roleRef": role, "subjects": many})
    assert len(long) < 200
    assert read_role(long) == role
    assert read_subjects(long) is None
    assert long != render_content({"kind": "RoleBinding", "roleRef": role, "subjects": many[1:]})
    short = render_content({"kind": "RoleBinding", "roleRef": role, "subjects": many[:2]})
    assert read_subjects(short) == many[:2]
    assert read_subjects(render_content({"kind": "RoleBinding"})) == []
    endless = {"kind": "ClusterRole", "name": "e" * 10_000}
    assert len(render_content({"kind": "RoleBinding", "roleRef": endless})) < 200
    assert read_role(render_content({"kind": "RoleBinding", "roleRef": endless})) is None
