import re

import pytest

from sidecar.config import Settings, parse_settings
from sidecar.policy.verdict import Caller
from sidecar.secret import Secret
from sidecar.tokens import Callers, container_token, open_callers

SEED = Secret(bytes(range(32)))
APP = Caller("app", "team-a", "robot", "web-0")
SIDE = Caller("side-1", "team-a", "robot", "web-0")
CALLERS = Callers(SEED, [APP, SIDE])


def test_a_token_names_its_container_and_nothing_takes_it_for_a_jwt() -> None:
    token = container_token(SEED, "side-1").reveal()
    # RFC 6750's alphabet, one line, two parts.
    assert re.fullmatch(rb"mca-side-1\.[A-Za-z0-9_-]{43}", token)


def test_the_form_stays() -> None:
    """A sidecar that is replaced in its pod must know the tokens that the one before gave out."""
    token = container_token(SEED, "app").reveal()
    assert token == b"mca-app.IpxBXwU3vu2KnA8-aIKN4TdBytwZIYZudGnHRBC40n8"


def test_each_container_is_found_by_its_own_token() -> None:
    assert CALLERS.find(container_token(SEED, "app").reveal()) is APP
    assert CALLERS.find(container_token(SEED, "side-1").reveal()) is SIDE


GOOD = container_token(SEED, "app").reveal()


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"mca-app",
        b"mca-app.",
        GOOD[:-1],
        GOOD + b"=",
        GOOD + b"\n",
        GOOD.upper(),
        GOOD.replace(b"mca-app", b"mca-side-1"),
        container_token(Secret(bytes(32)), "app").reveal(),
        container_token(SEED, "other").reveal(),
        "mca-äpp.".encode(),
        b"\x00\xff",
    ],
    ids=range(12),
)
def test_nothing_else_finds_anybody(token: bytes) -> None:
    assert CALLERS.find(token) is None


def test_no_callers_no_access() -> None:
    assert Callers(SEED, []).find(GOOD) is None


def test_callers_of_the_settings() -> None:
    settings = parse_settings(
        {"MCA_CONTAINERS": "app,side-1", "MCA_POD": "web-0", "MCA_SERVICE_ACCOUNT": "robot"}
    )
    assert isinstance(settings, Settings)
    callers = open_callers(settings, SEED, "team-a")
    assert callers.find(container_token(SEED, "side-1").reveal()) == SIDE
