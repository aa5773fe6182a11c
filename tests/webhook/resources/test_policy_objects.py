"""The two objects as they should be, and what is seen of those that are there."""

from typing import Any

import pytest

from webhook.kube import RawDocument
from webhook.resources.policy_objects import (
    Stored,
    build_binding,
    build_map,
    keep_binding,
    keep_map,
)

OURS = {
    "app.kubernetes.io/name": "mca",
    "app.kubernetes.io/component": "controller",
    "app.kubernetes.io/part-of": "mca",
}
THERE = {"uid": "u", "resourceVersion": "7"}


def as_stored(body: RawDocument, **changed: Any) -> RawDocument:
    return {**body, "metadata": {**body["metadata"], **THERE, **changed}}


def test_map() -> None:
    wanted = build_map("team-a", "v1-00", "{}")
    assert wanted.body["data"] == {"snapshot.v1.json": "{}"}
    assert wanted.body["metadata"] == {
        "name": "mca-policy",
        "namespace": "team-a",
        "labels": OURS,
        "annotations": {"mca.io/revision": "v1-00"},
    }
    stored = keep_map(as_stored(wanted.body))
    assert stored == Stored("u", "7", wanted.digest, "v1-00")


def test_binding() -> None:
    wanted = build_binding("team-a")
    assert wanted.body["roleRef"]["name"] == "mca-policy-reader"
    assert [subject["name"] for subject in wanted.body["subjects"]] == [
        "system:serviceaccounts:team-a"
    ]
    assert keep_binding(as_stored(wanted.body)) == Stored("u", "7", wanted.digest)


@pytest.mark.parametrize(
    ("changed", "flaws"),
    [
        ({"labels": {**OURS, "more": "x"}}, ()),
        ({"labels": {**OURS, "app.kubernetes.io/name": "x"}}, ("has not our labels",)),
        ({"labels": None}, ("has not our labels",)),
        ({"ownerReferences": [{}]}, ("has an owner, with which it would be collected",)),
        ({"finalizers": ["x/y"]}, ("has a finalizer",)),
    ],
)
def test_what_is_wrong_with_metadata(changed: RawDocument, flaws: tuple[str, ...]) -> None:
    wanted = build_map("n", "r", "{}")
    stored = keep_map(as_stored(wanted.body, **changed))
    assert (stored.flaws, stored.digest) == (flaws, wanted.digest)
    assert stored.held == bool(changed.get("finalizers"))
    assert stored.ours == ("has not our labels" not in flaws)


def test_one_that_is_being_deleted() -> None:
    body = build_map("n", "r", "{}").body
    assert keep_map(as_stored(body, deletionTimestamp="2026-01-01T00:00:00Z")).deleting


def test_one_that_is_frozen_has_to_be_replaced() -> None:
    frozen = keep_map(as_stored({**build_map("n", "r", "{}").body, "immutable": True}))
    assert (frozen.frozen, frozen.flaws) == (True, ("cannot be changed",))
    binding = build_binding("n").body
    other = {**binding, "roleRef": {**binding["roleRef"], "name": "admin"}}
    assert keep_binding(as_stored(other)).frozen
    local = {**binding, "roleRef": {**binding["roleRef"], "kind": "Role"}}
    assert keep_binding(as_stored(local)).frozen


@pytest.mark.parametrize(
    "changed",
    [
        {"data": {"snapshot.v1.json": "{} "}},
        {"data": {"snapshot.v1.json": "{}", "snapshot.v2.json": "{}"}},
        {"data": None},
        {"binaryData": {"x": "eA=="}},
    ],
)
def test_other_contents_have_another_digest(changed: RawDocument) -> None:
    wanted = build_map("n", "r", "{}")
    assert keep_map(as_stored({**wanted.body, **changed})).digest != wanted.digest


def test_other_subjects_have_another_digest() -> None:
    wanted = build_binding("n")
    assert keep_binding(as_stored({**wanted.body, "subjects": None})).digest != wanted.digest


def test_nonsense_is_none_of_ours() -> None:
    assert not keep_map({}).ours
    assert keep_map({"metadata": {"annotations": {"mca.io/revision": 1}}}).revision == ""
    assert keep_binding({}).frozen
