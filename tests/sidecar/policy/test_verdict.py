import pytest

from sidecar.policy import verdict
from sidecar.policy.verdict import (
    MAX_BODY_BYTES,
    REASON_CODES,
    NeedBody,
    Permit,
    Plan,
    PlanKind,
    Reason,
    shown,
)

PLAN = Plan(PlanKind.SINGLE, ("home",))


def test_every_reason_has_an_error_code() -> None:
    assert set(REASON_CODES) == set(Reason)
    assert all(400 <= code <= 599 for code in REASON_CODES.values())


def test_a_permit_needs_the_key() -> None:
    with pytest.raises(TypeError, match="only sidecar"):
        Permit(object(), PLAN, "rule")


def test_a_permit_does_not_change() -> None:
    permit = Permit(verdict._PERMIT_KEY, PLAN, "rule")
    with pytest.raises(AttributeError, match="does not change"):
        permit.rule = "other"
    assert repr(permit) == f"Permit(plan={PLAN!r}, rule='rule', audited='')"


def test_a_permit_tells_what_enforce_would_refuse_by() -> None:
    assert Permit(verdict._PERMIT_KEY, PLAN, "rule", "default/deny").audited == "default/deny"


def test_a_body_is_gathered_up_to_what_the_server_takes() -> None:
    assert NeedBody().limit == MAX_BODY_BYTES == 3 << 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web-0", "web-0"),
        ("", ""),
        ("a\x00b\x1b[31m\n", "a?b?[31m?"),
        ("\u202eevil", "?evil"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 63 + "…"),
    ],
)
def test_names_are_shown_short_and_printable(text: str, expected: str) -> None:
    assert shown(text) == expected
