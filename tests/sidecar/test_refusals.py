import pytest

from sidecar import refusals
from sidecar.policy.verdict import REASON_CODES, Denial
from sidecar.refusals import bad_body, head_too_large, no_seat, no_stream, unreadable_body

EVERY = {
    **{name: value for name, value in vars(refusals).items() if isinstance(value, Denial)},
    "head_too_large": head_too_large(8192),
    "bad_body": bad_body("a chunk size is malformed"),
    "no_seat": no_seat("west", 4),
    "no_stream": no_stream("west", 4),
    "unreadable_body": unreadable_body("it is not JSON"),
}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SHED", 503),
        ("BODIES", 503),
        ("BODY_TOO_LARGE", 413),
        ("UPGRADE", 400),
        ("LINE_ENDS", 400),
        ("HEAD_STALLED", 408),
        ("CLUSTER_REPLACED", 410),
        ("CLUSTER_MOVED", 410),
        ("FOREIGN_VERSION", 410),
        ("FOREIGN_WRITE", 409),
        ("NOT_ACCEPTABLE", 406),
        ("ROUTE_CHANGED", 410),
        ("no_seat", 429),
        ("no_stream", 429),
        ("unreadable_body", 400),
        ("head_too_large", 431),
        ("bad_body", 400),
    ],
)
def test_codes(name: str, code: int) -> None:
    """Clients act on them: 410 begins a watch anew, 503 and 408 are tried again."""
    assert REASON_CODES[EVERY[name].reason] == code


def test_every_refusal_can_be_told_apart() -> None:
    """The rule is a label of a metric and a field of the audit log."""
    rules = [refusal.rule for refusal in EVERY.values()]
    assert len(set(rules)) == len(rules)
    assert all(rule.count("/") == 1 and rule == rule.lower() for rule in rules)


def test_what_the_limit_was_and_where_it_is_set() -> None:
    assert "8192 bytes" in EVERY["head_too_large"].message
    assert "MCA_HEAD_BYTES" in EVERY["head_too_large"].message
    assert "a chunk size is malformed" in EVERY["bad_body"].message
