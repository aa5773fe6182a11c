"""How what was found out of a member reads as its status, and what is written how often."""

import base64
from typing import Any

import pytest

from webhook.controller.members.acceptance import Acceptance
from webhook.controller.members.probing import Answered, Failed
from webhook.controller.members.standing import (
    begin,
    describe_acceptance,
    is_written,
    list_conditions,
    note_guards,
    note_probe,
    render_facts,
)
from webhook.enforcement.guarded import Lack
from webhook.resources.clusters import Audience, Cluster, TokenRequest
from webhook.resources.conditions import Condition, render_conditions
from webhook.resources.meta import Meta

CLUSTER = Cluster(
    Meta("eu-1", uid="u", generation=2),
    "https://eu-1.example.com",
    base64.b64encode(b"x").decode(),
    Audience(),
)
USABLE = Acceptance(True, "AudienceProven", "")
UNKNOWN = Acceptance(None, "AudienceUnproven", "")
ANSWERED, DOWN = Answered("v1.36.3", 12), Failed("Unreachable", "timed out")


def stored(*conditions: Condition, **status: Any) -> dict[str, Any]:
    rendered = render_conditions(conditions, {}, "2026-01-01T00:00:00Z")
    return {"status": {"conditions": rendered, **status}}


def told(conditions: tuple[Condition, ...]) -> dict[str, tuple[bool | None, str]]:
    return {each.type: (each.status, each.reason) for each in conditions}


def test_what_is_not_known_stays_as_it_was_judged() -> None:
    before = Condition("Accepted", True, "AudienceProven", "", 2)
    assert describe_acceptance(CLUSTER, UNKNOWN, stored(before)) == before
    changed = stored(before._replace(observed_generation=1))
    assert describe_acceptance(CLUSTER, UNKNOWN, changed).status is None
    assert describe_acceptance(CLUSTER, UNKNOWN, {}).status is None
    refused = Acceptance(False, "AudienceOpensHome", "")
    assert describe_acceptance(CLUSTER, refused, stored(before)).status is False


def test_one_failure_makes_no_member_unready() -> None:
    standing = begin(CLUSTER, {})
    note_probe(standing, ANSWERED, 1.0)
    assert standing.ready is not None
    assert standing.ready.status
    note_probe(standing, DOWN, 2.0)
    assert standing.ready.status
    note_probe(standing, DOWN, 3.0)
    assert (standing.ready.status, standing.ready.reason) == (False, "Unreachable")
    assert standing.latency_ms is None
    note_probe(standing, ANSWERED, 4.0)
    assert (standing.ready.status, standing.failures) == (True, 0)


def test_a_failure_is_the_first_for_who_begins_to_lead() -> None:
    before = Condition("Ready", True, "Reachable", "it answers", 2)
    standing = begin(CLUSTER, stored(before))
    note_probe(standing, DOWN, 1.0)
    assert standing.ready == before
    for other in (before._replace(observed_generation=1), before._replace(status=False)):
        standing = begin(CLUSTER, stored(other))
        note_probe(standing, DOWN, 1.0)
        assert standing.ready == Condition("Ready", False, "Unreachable", "timed out", 2)


def test_a_member_that_never_answered_is_not_ready() -> None:
    standing = begin(CLUSTER, {})
    note_probe(standing, DOWN, 1.0)
    assert standing.ready is not None
    assert not standing.ready.status


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, (True, "Guarded")),
        (Lack("GuardsMissing", "m"), (False, "GuardsMissing")),
        (Failed("GuardsForbidden", "m"), (False, "GuardsForbidden")),
        (DOWN, None),
    ],
)
def test_guards(found: Any, expected: Any) -> None:
    standing = begin(CLUSTER, {})
    note_guards(standing, found)
    known = standing.enforced
    assert (known and (known.status, known.reason)) == expected


def test_conditions_of_the_leader_before_are_kept() -> None:
    accepted = Condition("Accepted", True, "AudienceProven", "", 2)
    there = [Condition(kind, True, "Before", "", 2) for kind in ("Ready", "Enforced")]
    standing = begin(CLUSTER, {})
    assert list_conditions(standing, accepted, stored(*there)) == (accepted, *there)
    # Of another server, perhaps: what was known of that is not said of this one.
    old = stored(*(each._replace(observed_generation=1) for each in there))
    assert told(list_conditions(standing, accepted, old)) == {
        "Accepted": (True, "AudienceProven"),
        "Ready": (None, "NotProbed"),
        "Enforced": (None, "NotProbed"),
    }
    note_probe(standing, DOWN, 1.0)
    assert told(list_conditions(standing, accepted, stored(*there)))["Ready"][0] is False


def test_what_may_not_be_used_is_not_asked() -> None:
    refused = Condition("Accepted", False, "AudienceTaken", "", 2)
    there = stored(Condition("Enforced", True, "Guarded", "", 2))
    conditions = told(list_conditions(begin(CLUSTER, {}), refused, there))
    assert conditions["Enforced"] == conditions["Ready"] == (None, "NotProbed")


def test_facts() -> None:
    standing = begin(CLUSTER, {})
    assert render_facts(CLUSTER, standing) == {
        "observedGeneration": 2,
        "audience": "mca.io/cluster/u",
    }
    note_probe(standing, ANSWERED, 0.5)
    assert render_facts(CLUSTER._replace(credentials=TokenRequest("s")), standing) == {
        "observedGeneration": 2,
        "version": "v1.36.3",
        "latencyMilliseconds": 12,
        "lastProbeTime": "1970-01-01T00:00:00Z",
    }


def test_it_begins_with_what_is_stored_of_the_same_generation() -> None:
    status = {"observedGeneration": 2, "version": "v1.36.3", "latencyMilliseconds": 7}
    standing = begin(CLUSTER, {"status": status})
    assert (standing.version, standing.latency_ms) == ("v1.36.3", 7)
    for odd in ({**status, "observedGeneration": 1}, {"observedGeneration": 2, "version": 3}):
        standing = begin(CLUSTER, {"status": odd})
        assert (standing.version, standing.latency_ms) == ("", None)


def test_what_differs_is_written_and_what_only_ages_seldom() -> None:
    accepted = Condition("Accepted", True, "AudienceProven", "", 2)
    facts = {"observedGeneration": 2, "audience": "a", "latencyMilliseconds": 12}
    there = stored(accepted, **{**facts, "latencyMilliseconds": 900})
    assert is_written((accepted,), facts, there, 10.0)
    assert not is_written((accepted,), facts, there, 301.0)
    assert not is_written((accepted,), {**facts, "version": "v1.37.0"}, there, 10.0)
    assert not is_written((accepted._replace(message="m"),), facts, there, 10.0)
