"""What is written next, and which CA signs: case by case."""

from collections.abc import Mapping

import pytest

from webhook.certificates.planning import (
    MAX_AUTHORITIES,
    Authority,
    Drop,
    Lifetimes,
    Mint,
    Note,
    Publish,
    Serving,
    View,
    Write,
    choose_issuer,
    plan_write,
)

TIMES = Lifetimes(authority_s=900, serving_s=100, settle_s=10)
NOW = 10_000.0
FOREVER = NOW + 10**9
UNTIL = NOW + 220  # two lives of a serving certificate, and time for API servers to notice


def authority(name: str, age: float, published: float | None = -1.0) -> Authority:
    """Made `age` seconds ago; `published` counts from when it was made, -1 is at once."""
    made = NOW - age
    since = made + max(published, 0) if published is not None else None
    return Authority(name, made, made - 3600, made + TIMES.authority_s, since)


OLD = authority("old", 700)
NEW = authority("new", 100)
FRESH = authority("fresh", 5)
UNSAID = authority("unsaid", 5, None)
ENDED = authority("ended", 900)
AHEAD = Authority("ahead", NOW + 5000, NOW + 1400, NOW + 5900, NOW + 5000)


def view(
    *authorities: Authority,
    bundle: str | None = "",
    webhooks: int = 2,
    leaving: Mapping[str, float] | None = None,
) -> View:
    """`bundle` are the first letters of what each webhook trusts; None cannot be read."""
    names = {
        name[0]: name for name in ("old", "new", "fresh", "unsaid", "ended", "ahead", "x", "z")
    }
    names |= {"E": "ended", "A": "ahead"}
    trusted = None if bundle is None else tuple(names[letter] for letter in bundle)
    return View([trusted] * webhooks, {"x": FOREVER, "z": NOW - 1, "old": OLD.not_after,
        "new": NEW.not_after, "ended": NOW, "fresh": FRESH.not_after, "unsaid": UNSAID.not_after,
        "ahead": AHEAD.not_after}, authorities, leaving or {})  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "write"),
    [
        pytest.param(view(), Mint(()), id="a Secret as it was installed"),
        pytest.param(view(webhooks=0), Mint(()), id="nor a registration"),
        pytest.param(view(NEW, bundle="n"), None, id="all is well"),
        pytest.param(view(NEW, webhooks=0), None, id="there is no registration"),
        pytest.param(view(authority("a", 600)), Mint(("a",)), id="two thirds of a life"),
        pytest.param(view(authority("old", 599.9), bundle="o"), None, id="not quite"),
        pytest.param(view(OLD, bundle="o"), Mint(("old",)), id="the next is made beside it"),
        pytest.param(view(OLD, FRESH, bundle="o"), Publish(("old", "fresh")), id="and trusted"),
        pytest.param(view(OLD, NEW, bundle="on"), None, id="both while both live"),
        pytest.param(view(ENDED, NEW, bundle="en"), Drop(("new",)), id="the old has ended"),
        pytest.param(view(NEW, bundle="en"), Publish(("new",)), id="and is trusted no more"),
        pytest.param(view(ENDED, bundle="e"), Mint(("ended",)), id="all have ended"),
        pytest.param(view(NEW), Publish(("new",)), id="a caBundle that was reset"),
        pytest.param(view(NEW, bundle=None), Publish(("new",)), id="one that cannot be read"),
        pytest.param(view(OLD, NEW, bundle="no"), Publish(("old", "new")), id="in another order"),
        pytest.param(view(UNSAID, bundle="u"), Note(("unsaid",), {}), id="trusted as of now"),
        pytest.param(view(NEW, UNSAID, bundle="n"), Publish(("new", "unsaid")), id="not yet"),
        pytest.param(view(UNSAID, webhooks=0), None, id="by nobody"),
        pytest.param(
            view(authority("new", 100, 150), bundle="n"), Note(("new",), {}), id="a time to come"
        ),
        pytest.param(view(NEW, bundle="nx"), Note((), {"x": UNTIL}), id="a stranger may be in use"),
        pytest.param(
            view(NEW, bundle="x"), Publish(("new", "x")), id="it stays beside ours meanwhile"
        ),
        pytest.param(view(NEW, bundle="nx", leaving={"x": NOW + 1}), None, id="until then"),
        pytest.param(view(NEW, bundle="nx", leaving={"x": NOW}), Publish(("new",)), id="and then"),
        pytest.param(view(NEW, bundle="n", leaving={"x": NOW}), Note((), {}), id="forgotten"),
        pytest.param(
            view(OLD, NEW, bundle="on", leaving={"old": NOW}), Note((), {}), id="it has come back"
        ),
        pytest.param(view(NEW, bundle="nz"), Publish(("new",)), id="a stranger that has ended"),
        pytest.param(
            view(UNSAID, bundle="uo"),
            Note(("unsaid",), {"old": OLD.not_after}),
            id="one that was ours, to its end at most",
        ),
        pytest.param(view(AHEAD, bundle="a"), Mint(("ahead",)), id="of a clock that is ahead"),
        pytest.param(view(AHEAD, NEW, bundle="an"), Note(("ahead",), {}), id="it stays"),
        pytest.param(view(NEW, ENDED, bundle="ne"), None, id="so does that of one behind"),
    ],
)
def test_what_is_written_next(seen: View, write: Write | None) -> None:
    assert plan_write(seen, TIMES, NOW) == write


def test_webhooks_that_differ_are_made_equal() -> None:
    seen = View([("new",), ("new", "x")], {"new": FOREVER, "x": FOREVER}, (NEW,), {})
    assert plan_write(seen, TIMES, NOW) == Publish(("new", "x"))


def test_a_secret_does_not_grow_without_end() -> None:
    many = [authority(str(place), 800) for place in range(MAX_AUTHORITIES + 2)]
    write = plan_write(view(*many), TIMES, NOW)
    assert write == Mint(tuple(known.id for known in many[-(MAX_AUTHORITIES - 1) :]))


def test_nor_do_those_that_leave() -> None:
    names = [f"x{place:02}" for place in range(MAX_AUTHORITIES + 3)]
    ends = dict.fromkeys(names, FOREVER)
    known = {name: NOW + 1 + place for place, name in enumerate(names[:-1])}
    seen = View([("new", *names)], {**ends, "new": FOREVER}, (NEW,), known)
    last = names[-MAX_AUTHORITIES:]
    assert plan_write(seen, TIMES, NOW) == Publish(("new", *last))
    written = View([("new", *last)], seen.ends, (NEW,), known)
    expected = {name: known.get(name, UNTIL) for name in last}
    assert plan_write(written, TIMES, NOW) == Note((), expected)


IN_USE = Serving("new", NOW - 10, NOW + 90)
DUE = Serving("new", NOW - 80, NOW + 20)
OF_OLD, OLD_DUE = (Serving("old", used.made, used.not_after) for used in (IN_USE, DUE))
LOST, LOST_DUE = (Serving("x", used.made, used.not_after) for used in (IN_USE, DUE))
OVER = Serving("new", NOW - 100, NOW)


@pytest.mark.parametrize(
    ("seen", "serving", "issuer"),
    [
        pytest.param(view(), None, None, id="nothing to sign with"),
        pytest.param(view(UNSAID), None, None, id="not trusted yet"),
        pytest.param(view(UNSAID, bundle=None), None, None, id="a caBundle that cannot be read"),
        pytest.param(view(UNSAID, bundle="u"), None, "unsaid", id="who begins does not wait"),
        pytest.param(view(UNSAID, webhooks=0), None, "unsaid", id="nobody calls"),
        pytest.param(view(OLD, FRESH, bundle="of"), None, "old", id="but takes what settled"),
        pytest.param(view(OLD, NEW, bundle="on"), None, "new", id="the newest that did"),
        pytest.param(view(ENDED, bundle="e"), None, None, id="one that has ended"),
        pytest.param(view(AHEAD, bundle="a"), None, None, id="one that has not begun"),
        pytest.param(
            view(authority("o", 895), FRESH, bundle="of"), None, "fresh", id="not the old's last"
        ),
        pytest.param(view(NEW, bundle="n"), IN_USE, None, id="it is in use"),
        pytest.param(view(NEW, bundle="n"), DUE, "new", id="and renewed"),
        pytest.param(view(NEW, bundle="n"), OVER, "new", id="or has ended"),
        pytest.param(view(NEW, bundle=""), OVER, None, id="ended, and nobody would trust the next"),
        pytest.param(view(OLD, FRESH, bundle="of"), OF_OLD, None, id="the next has to settle"),
        pytest.param(view(OLD, NEW, bundle="on"), OF_OLD, "new", id="it has"),
        pytest.param(view(OLD, FRESH, bundle="of"), OLD_DUE, "old", id="renewed by the old"),
        pytest.param(
            view(authority("old", 895), FRESH, bundle="of"), OF_OLD, None, id="its last is in use"
        ),
        pytest.param(
            view(authority("old", 895), FRESH, bundle="of"), OLD_DUE, "fresh", id="and due"
        ),
        pytest.param(view(OLD, NEW, bundle="o"), IN_USE, None, id="never back to the older"),
        pytest.param(view(OLD, NEW, bundle="o"), DUE, None, id="even if it is due"),
        pytest.param(view(OLD, NEW, bundle="o"), OVER, "old", id="but before none at all"),
        pytest.param(view(FRESH, bundle="fx"), LOST, None, id="its CA was lost"),
        pytest.param(view(NEW, bundle="nx"), LOST, "new", id="another has settled"),
        pytest.param(view(FRESH, bundle="fx"), LOST_DUE, "fresh", id="or it is due"),
        pytest.param(view(FRESH, bundle="f"), LOST, "fresh", id="or nobody trusts it"),
    ],
)
def test_who_signs(seen: View, serving: Serving | None, issuer: str | None) -> None:
    assert choose_issuer(seen, serving, TIMES, NOW) == issuer


@pytest.mark.parametrize(("age", "settled"), [(9.9, False), (10.0, True)])
def test_when_a_ca_has_settled(age: float, settled: bool) -> None:
    seen = view(OLD, authority("fresh", age), bundle="of")
    assert (choose_issuer(seen, OF_OLD, TIMES, NOW) == "fresh") is settled


@pytest.mark.parametrize(("age", "due"), [(66.6, False), (66.7, True)])
def test_a_certificate_is_renewed_after_two_thirds(age: float, due: bool) -> None:
    assert Serving("x", NOW - age, NOW - age + 100).is_due(NOW) is due
