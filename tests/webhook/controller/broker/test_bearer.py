"""What cannot be a sidecar's token is refused before anybody is asked."""

import time
from typing import Any

import pytest

from tests.webhook.controller.broker.examples import IDENTITY, make_claims, sign
from webhook.controller.broker.bearer import read_bearer, read_end, read_token
from webhook.controller.broker.refusals import RefusedError

NOW = time.time()
BOUND = make_claims()["kubernetes.io"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_one_token_is_read(scheme: str) -> None:
    token = sign(make_claims())
    assert read_token([f"{scheme} {token}"]) == token


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Bearer a.b.c", "Bearer a.b.c"],
        ["Basic a.b.c"],
        ["Bearer"],
        ["Bearer "],
        ["Bearer a.b"],
        ["Bearer a.b.c.d"],
        ["Bearer a.b.c, Bearer a.b.c"],
        ["Bearer a.b.c\r\nX: y"],
        ["Bearer ä.b.c"],
        ["a.b.c"],
        [f"Bearer a.b.{'c' * 8192}"],
    ],
)
def test_anything_else_is_none(headers: list[str]) -> None:
    with pytest.raises(RefusedError) as refused:
        read_token(headers)
    assert refused.value.rule == "no-token"
    assert refused.value.code == 401


@pytest.mark.parametrize("audience", ["mca.io/broker", ["mca.io/broker"]])
def test_a_sidecars_says_whose_it_is(audience: str | list[str]) -> None:
    found = read_bearer(sign(make_claims(aud=audience)), NOW)
    assert found[:4] == IDENTITY
    assert found.expires == pytest.approx(time.time() + 3600, abs=5)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        (make_claims(aud=None), "not for the audience mca.io/broker alone"),
        (make_claims(aud=[]), "alone"),
        (make_claims(aud="vault"), "alone"),
        (make_claims(aud=["https://kubernetes.default.svc"]), "alone"),
        (make_claims(aud=["mca.io/broker", "https://kubernetes.default.svc"]), "alone"),
        (make_claims(aud=["mca.io/brokers"]), "alone"),
        (make_claims(exp=None), "from when until when"),
        (make_claims(iat=None), "from when until when"),
        (make_claims(exp=True), "from when until when"),
        (make_claims(exp="9999999999"), "from when until when"),
        (make_claims(exp=float("inf")), "from when until when"),
        (make_claims(exp=1 << 50), "from when until when"),
        (make_claims(iat=-1), "from when until when"),
        (make_claims(exp=int(NOW) - 120), "has expired"),
        (make_claims(exp=int(NOW) + 7200), "for longer than"),
        (make_claims(iat=1), "for longer than"),
        (make_claims(**{"kubernetes.io": None}), "not bound to a pod"),
        (make_claims(**{"kubernetes.io": []}), "not bound to a pod"),
        (make_claims(**{"kubernetes.io": {**BOUND, "pod": None}}), "not bound to a pod"),
        (make_claims(**{"kubernetes.io": {**BOUND, "pod": {"name": "a"}}}), "not bound to a pod"),
        (make_claims(**{"kubernetes.io": {**BOUND, "namespace": ""}}), "not bound to a pod"),
        (make_claims(**{"kubernetes.io": {**BOUND, "serviceaccount": 1}}), "not bound to a pod"),
        ([], "alone"),
        (None, "alone"),
    ],
)
def test_another_is_refused_for_what_it_says(claims: Any, told: str) -> None:
    with pytest.raises(RefusedError, match=told) as refused:
        read_bearer(sign(claims), NOW)
    assert refused.value.rule == "token"


@pytest.mark.parametrize("payload", ["", "%", "a", "bm90IGpzb24", "W" * 4096, "/w"])
def test_one_that_cannot_be_read_is_refused(payload: str) -> None:
    with pytest.raises(RefusedError):
        read_bearer(f"a.{payload}.c", NOW)


def test_clocks_may_differ_by_a_minute() -> None:
    token = sign(make_claims(exp=int(NOW) - 30))
    assert read_bearer(token, NOW).pod == IDENTITY.pod


@pytest.mark.parametrize(
    ("token", "end"),
    [
        (sign({"exp": 1763000000}), 1763000000.0),
        (sign({}), float("inf")),
        (sign({"exp": "soon"}), float("inf")),
        ("opaque", float("inf")),
        ("a.b.c", float("inf")),
        ("ä", float("inf")),
    ],
)
def test_the_end_of_any_token(token: str, end: float) -> None:
    assert read_end(token.encode()) == end
