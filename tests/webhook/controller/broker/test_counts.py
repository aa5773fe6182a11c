"""Replicas tell each other what they heard; pods that told both count once."""

import json
from collections.abc import Iterable

import pytest

from webhook.controller.broker.counts import (
    Count,
    add_up,
    count_namespaces,
    frame_report,
    group_by_tenant,
    group_reports,
    merge_reports,
    read_time,
)
from webhook.controller.broker.map_names import SHARDS
from webhook.controller.broker.reports import Known, Report, mark_pod
from webhook.controller.broker.sums import summarize

OLD, NEW = (f"v1-{letter * 32}" for letter in "ab")


def known(uid: str, revision: str, version: str = "0.2.0") -> Known:
    return Known("web-0", uid, mark_pod(uid), Report(revision, version), 0.0, 780.0)


def render(known_pods: Iterable[tuple[str, Known]], now: float) -> list[str]:
    """What a replica writes, a text for each shard."""
    return [frame_report(told, now) for told in group_reports(known_pods).values()]


def count(*texts: str, current: tuple[str, ...] = (NEW,)) -> dict[str, Count]:
    return count_namespaces(merge_reports(texts), lambda _: current)


def test_what_two_replicas_heard_is_counted_by_pod() -> None:
    first = render([("a", known("1", OLD)), ("a", known("2", OLD)), ("b", known("3", NEW))], 100.9)
    second = render([("a", known("1", NEW)), ("a", known("4", NEW, "0.1.0"))], 100)
    assert count(*first) == {"a": (2, 2), "b": (1, 0)}
    assert count(*first, *second) == {"a": (3, 1), "b": (1, 0)}
    assert count(*first, *second, current=(OLD, NEW)) == {"a": (3, 0), "b": (1, 0)}
    assert count(*first, *second, current=()) == {}
    assert {read_time(text) for text in first} == {100}
    pods = merge_reports(second)["a"]
    assert sorted(kind for kinds in pods.values() for kind in kinds) == [
        (NEW, "0.1.0"),
        (NEW, "0.2.0"),
    ]


def test_fifty_thousand_sidecars_fit() -> None:
    pods = [
        (f"some-namespace-{i % 5000}", known(str(i), f"v1-{i % 5000:032x}")) for i in range(50_000)
    ]
    shards = group_reports(pods)
    assert shards.keys() == set(SHARDS)
    # Of two replicas that have heard all of it, and of two that were replaced a moment ago.
    assert max(map(len, shards.values())) * 4 < 500_000
    texts = [frame_report(told, 1) for told in shards.values()]
    namespaces = count_namespaces(merge_reports(texts), lambda _: (NEW,))
    assert add_up(namespaces) == (50_000, 50_000)
    assert len(json.dumps(summarize(namespaces, {"acme": add_up(namespaces)}))) < 100_000


def test_more_kinds_than_there_can_be_do_not_count() -> None:
    texts = render((("a", known(str(i), NEW, f"{i}")) for i in range(100)), 1)
    assert count(*texts) == {"a": (16, 0)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 5000,
        json.dumps({"version": 2, "time": 1, "namespaces": {"a": {f"{NEW} 1": "AAAAAA"}}}),
        json.dumps({"version": 1, "time": "1", "namespaces": []}),
        json.dumps({"version": 1, "namespaces": {"a": []}}),
        json.dumps({"version": 1, "namespaces": {"a": {f"{NEW} 1": "AAAAA"}}}),
        json.dumps({"version": 1, "namespaces": {"a": {f"{NEW} 1": "AAAA A"}}}),
        json.dumps({"version": 1, "namespaces": {"a": {f"{NEW} 1": 6}}}),
    ],
)
def test_what_is_none_counts_for_nothing(text: str) -> None:
    assert add_up(count(text)) == (0, 0)
    assert read_time(text) in (0, 1)


def test_tenants_have_namespaces() -> None:
    counts = {"a": Count(3, 1), "b": Count(2, 0), "c": Count(9, 9)}
    held = group_by_tenant(counts, {"a": "acme", "b": "acme", "c": ""}.__getitem__)
    assert held == {"acme": {"a": (3, 1), "b": (2, 0)}}
    assert add_up(held["acme"]) == (5, 1)
    assert add_up({}) == (0, 0)
