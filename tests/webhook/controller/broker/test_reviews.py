"""The API server's word counts only where all of it says what the token says."""

from typing import Any

import pytest

from tests.webhook.controller.broker.examples import IDENTITY
from webhook.controller.broker.bearer import Claimed
from webhook.controller.broker.reviews import read_review

BEARER = Claimed(*IDENTITY, expires=1e10)
POD_NAME, POD_UID = (f"authentication.kubernetes.io/pod-{part}" for part in ("name", "uid"))
USER = {
    "username": "system:serviceaccount:team-a:app",
    "groups": ["system:serviceaccounts"],
    "extra": {POD_NAME: [IDENTITY.pod], POD_UID: [IDENTITY.pod_uid]},
}
GOOD: dict[str, Any] = {"authenticated": True, "audiences": ["mca.io/broker"], "user": USER}


def test_a_good_one() -> None:
    assert read_review(GOOD, BEARER) == IDENTITY


@pytest.mark.parametrize(
    "changes",
    [
        {"authenticated": False},
        {"authenticated": None},
        {"authenticated": "true"},
        {"error": "token has been invalidated"},
        # An API server that does not know of audiences, or took another.
        {"audiences": None},
        {"audiences": []},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": ["mca.io/broker", "https://kubernetes.default.svc"]},
        {"user": None},
        {"user": {**USER, "username": "system:serviceaccount:team-a:other"}},
        {"user": {**USER, "username": "system:serviceaccount:team-b:app"}},
        {"user": {**USER, "username": "app"}},
        {"user": {**USER, "extra": None}},
        {"user": {**USER, "extra": {POD_NAME: [IDENTITY.pod]}}},
        {"user": {**USER, "extra": {POD_UID: [IDENTITY.pod_uid]}}},
        {"user": {**USER, "extra": {POD_NAME: ["web-1"], POD_UID: [IDENTITY.pod_uid]}}},
        {"user": {**USER, "extra": {POD_NAME: [IDENTITY.pod], POD_UID: ["other"]}}},
        {"user": {**USER, "extra": {POD_NAME: [IDENTITY.pod], POD_UID: ["pod-uid", "other"]}}},
        {"user": {**USER, "extra": {POD_NAME: [IDENTITY.pod], POD_UID: []}}},
    ],
)
def test_any_doubt_is_a_no(changes: dict[str, Any]) -> None:
    assert read_review({**GOOD, **changes}, BEARER) is None


def test_nothing_is_a_no() -> None:
    assert read_review({}, BEARER) is None
