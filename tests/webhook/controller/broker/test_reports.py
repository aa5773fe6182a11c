"""Each pod counts once, for a while, and there is an end to how many do."""

import json

import pytest

from tests.webhook.controller.broker.examples import IDENTITY
from webhook.controller.broker import reports
from webhook.controller.broker.pacing import Pace
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.reports import Report, Reports, read_report

REVISION = f"v1-{'a' * 32}"
GOOD = {"revision": REVISION, "version": "0.2.0+local"}
REPORT = Report(REVISION, "0.2.0")


def test_a_report() -> None:
    assert read_report(json.dumps({**GOOD, "more": 1}).encode()) == (REVISION, "0.2.0+local")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"\xff", b"[" * 1000, b"{}",
        json.dumps({**GOOD, "revision": "r1"}).encode(),
        json.dumps({**GOOD, "revision": 1}).encode(),
        json.dumps({**GOOD, "revision": f"{REVISION}a"}).encode(),
        json.dumps({**GOOD, "version": ""}).encode(),
        json.dumps({**GOOD, "version": None}).encode(),
        json.dumps({**GOOD, "version": "a\nb"}).encode(),
        json.dumps({**GOOD, "version": "a" * 65}).encode(),
    ],
)  # fmt: skip
def test_what_is_none(body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        read_report(body)
    assert refused.value.rule == "body"


def test_the_last_word_of_each_pod_counts() -> None:
    now = [0.0]
    known = Reports(lambda: now[0])
    second = IDENTITY._replace(pod="web-1", pod_uid="other")
    known.take(IDENTITY, REPORT)
    known.take(second, REPORT)
    assert (known.total, known.changes) == (2, 2)
    now[0] = 10
    known.take(IDENTITY, REPORT)
    assert (known.total, known.changes) == (2, 2)
    newer = Report(f"v1-{'b' * 32}", "0.2.0")
    known.take(IDENTITY, newer)
    assert (known.total, known.changes) == (2, 3)
    assert {(namespace, entry.pod, entry.report) for namespace, entry in known.list_all()} == {
        ("team-a", "web-0", newer),
        ("team-a", "web-1", REPORT),
    }
    now[0] = 781
    known.drop_old()
    assert [entry.pod for _, entry in known.list_all()] == ["web-0"]
    known.forget("team-a", "web-0")  # no uid
    known.forget("team-b", IDENTITY.pod_uid)
    assert known.total == 1
    now[0] += 780
    known.drop_old()
    assert (known.total, known.list_all()) == (0, [])


def test_of_many_each_is_wanted_less_often_and_counts_for_longer() -> None:
    now = [0.0]
    known = Reports(lambda: now[0])
    paces = [
        known.take(IDENTITY._replace(namespace=f"n-{number % 10}", pod_uid=str(number)), REPORT)
        for number in range(10_000)
    ]
    assert (paces[0], paces[-1]) == (Pace(300, 2), Pace(400, 50))
    now[0] = 1039
    known.drop_old()
    assert 0 < known.total < 10_000  # those that were told sooner were to come sooner
    now[0] = 1040
    known.drop_old()
    assert known.total == 0


def test_there_is_an_end_to_how_many_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_OF_A_NAMESPACE", 2)
    monkeypatch.setattr(reports, "_OF_ALL", 3)
    known = Reports()

    def take(namespace: str, uid: str) -> str:
        try:
            known.take(IDENTITY._replace(namespace=namespace, pod_uid=uid), REPORT)
        except RefusedError as error:
            return error.rule
        return ""

    assert [take("a", uid) for uid in "123"] == ["", "", "busy"]
    assert [take("b", uid) for uid in "12"] == ["", "busy"]
    assert take("a", "1") == ""
    known.forget("a", "1")
    assert take("b", "2") == ""


def test_namespaces_are_looked_at_in_turns() -> None:
    known = Reports()
    for number in range(5):
        for uid in "ab":
            known.take(IDENTITY._replace(namespace=f"n-{number}", pod_uid=uid), REPORT)
    turns = [[namespace for namespace, _ in known.list_next(2)] for _ in range(4)]
    assert turns == [["n-0"] * 2 + ["n-1"] * 2, ["n-2"] * 2 + ["n-3"] * 2, ["n-4"] * 2, turns[0]]
    known.forget("n-2", "a")
    known.forget("n-2", "b")
    known.drop_old()
    assert [namespace for namespace, _ in known.list_next(2)] == ["n-3"] * 2
