import json
from typing import Any

import pytest

from sidecar.policy.requestinfo import RequestInfo
from sidecar.policy.verdict import Caller
from webhook.cli.policy.audit_lines import Outcome, Record
from webhook.cli.policy.changes import Change, Changes, describe_call, find_change

CALLER = Caller("app", "team-a", "default", "")
HOME = Outcome(True, "permission/a", "", ("home",))
ROUTED = Outcome(True, "permission/a", "r", ("eu-1", "us-1"))
DENIED = Outcome(False, "default/deny")


def record(resource: str = "pods", verb: str = "list", **fields: Any) -> Record:
    info = RequestInfo(bool(resource), "/x", verb, resource=resource)._replace(**fields)
    return Record("7", CALLER, info, HOME)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (HOME, HOME, False),
        (HOME, HOME._replace(rule="permission/b"), True),
        (HOME, ROUTED, True),
        (HOME, ROUTED._replace(route=""), True),
        (HOME, DENIED, True),
        (DENIED, HOME, True),
        (DENIED, DENIED._replace(rule="tenant/namespace"), True),
        # A stand-in served it.
        (ROUTED._replace(members=("us-1",)), ROUTED, False),
        # What the line does not tell.
        (HOME._replace(rule=""), HOME, False),
        (HOME._replace(rule="", members=()), ROUTED._replace(route=""), False),
        (HOME._replace(rule=""), DENIED, True),
    ],
)
def test_what_is_a_change(old: Outcome, new: Outcome, changes: bool) -> None:
    found = find_change(old, new, sure=True)
    assert found == (Change(old, new) if changes else None)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (record(), "list pods by app"),
        (record(namespace="a", name="x", subresource="log"), "list pods/log in a by app"),
        (record("deployments", group="apps"), "list deployments.apps by app"),
        (record("", "get"), "get /x by app"),
    ],
)
def test_a_call_without_the_name_of_its_object(call: Record, told: str) -> None:
    assert describe_call(call) == told


def test_few_calls_are_shown_of_many() -> None:
    changes = Changes()
    for number in range(300):
        changes.add(Change(HOME, DENIED), record(f"k{number}"))
    said = list(changes.render_text())
    assert said[1] == "     300  allowed by permission/a at home -> denied by default/deny"
    assert len(said) == 9
    assert said[7:] == [f"{'':>16}  and 195 or more other calls", f"{'':>16}  first: 7"]
    (group,) = map(json.loads, changes.render_json())
    assert (group["count"], len(group["calls"])) == (300, 5)


def test_groups_without_end_are_only_counted() -> None:
    changes = Changes()
    for number in range(1005):
        changes.add(Change(HOME, DENIED._replace(rule=f"permission/p{number}")), record())
    assert (changes.count, changes.left_out) == (1005, 5)
    assert list(changes.render_text())[-1] == "       5  more, in groups beyond the first 1000"
    assert len(list(changes.render_json())) == 1000


def test_the_gravest_come_first_and_what_hangs_on_bodies_last() -> None:
    changes = Changes()
    for change in (
        Change(HOME, HOME._replace(rule="permission/b")),
        Change(HOME, DENIED, sure=False),
        Change(HOME, ROUTED),
        Change(DENIED, HOME),
        Change(HOME, DENIED),
    ):
        changes.add(change, record())
    new = [json.loads(line)["new"] for line in changes.render_json()]
    assert [(found["decision"], found.get("member")) for found in new] == [
        ("denial", None),
        ("permit", "home"),
        ("permit", "eu-1"),
        ("permit", "home"),
        ("denial", None),
    ]
