"""A credential of the broker: when it is asked for, for how long it counts, what ends it."""

import asyncio
import json
import ssl
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sidecar.broker_credential import BrokerCredential, load_pair
from sidecar.inquiry import Told
from sidecar.policy.snapshot import Brokered, Cluster
from sidecar.policy.verdict import Denial, Reason
from sidecar.secret import Secret
from tests.controlplane.certificates import Authority

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
EU = Cluster("eu-1", "https://eu-1", "eu-1", 443, PEM, None, None, Brokered())
DOWN = Denial(Reason.SERVICE_UNAVAILABLE, "upstream/unreachable", "no broker")
REVOKED = Told(403, b"application/json", b'{"message": "no more"}')


class Desk:
    """Takes the questions; a test answers them."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.waiting: list[Callable[[Told | Denial], None]] = []
        self.asked = 0
        self.changes = 0
        self.credential = BrokerCredential(self.loop, EU, self._ask)
        self.credential.changed = self._change

    def _ask(self, cluster: str, then: Callable[[Told | Denial], None]) -> None:
        assert cluster == "eu-1"
        self.asked += 1
        self.waiting.append(then)

    def _change(self) -> None:
        self.changes += 1

    def answer(self, told: Told | Denial) -> None:
        self.waiting.pop(0)(told)

    def grant(self, seconds: int = 3600, **changes: Any) -> None:
        document = {
            "cluster": "eu-1", "server": "https://eu-1", "ca": sha256(PEM).hexdigest(),
            "secondsLeft": seconds, "token": "t",
        }  # fmt: skip
        body = {key: value for key, value in (document | changes).items() if value is not None}
        self.answer(Told(200, b"application/json", json.dumps(body).encode()))


@pytest.fixture
def desk(capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.loop.close()


def test_until_it_is_there_a_call_may_be_tried_again(desk: Desk) -> None:
    credential = desk.credential
    assert not credential.poll()
    assert (desk.asked, credential.ready, credential.retry_after_s) == (1, False, 1)
    assert not credential.poll()
    assert desk.asked == 1, "one question at a time"
    desk.grant()
    assert credential.ready
    assert credential.header() == Secret(b"Bearer t")
    assert credential.generation == 1
    assert desk.changes == 1
    assert not credential.in_handshake
    assert credential.api_audiences() is None


def test_it_is_renewed_at_two_thirds_of_its_life_or_a_little_before(desk: Desk) -> None:
    now = time.monotonic()
    desk.credential.poll()
    desk.grant(3000)
    desk.credential.poll(now + 1790)
    assert desk.asked == 1
    desk.credential.poll(now + 2001)
    assert desk.asked == 2
    desk.grant(3000, token="t2")
    assert desk.credential.header() == Secret(b"Bearer t2")
    assert desk.credential.generation == 2


def test_the_same_again_counts_for_longer_and_is_no_other(desk: Desk) -> None:
    desk.credential.poll()
    desk.grant(1000)
    desk.credential.poll(time.monotonic() + 700)
    desk.grant(1000)
    assert desk.credential.generation == 1


def test_a_broker_that_is_down_takes_nothing_away_before_the_end(desk: Desk) -> None:
    now = time.monotonic()
    credential = desk.credential
    credential.poll()
    desk.grant(300)
    credential.poll(now + 250)
    desk.answer(DOWN)
    assert credential.ready
    assert not credential.poll(now + 299)
    assert credential.ready
    assert credential.poll(now + 301), "it is another: none"
    assert [credential.ready] == [False]
    assert credential.header() is None
    assert credential.retry_after_s is None
    assert credential.problem == ("its credential has run out, and there is no other: no broker")
    assert not credential.poll(now + 302)
    desk.waiting.clear()


def test_a_new_one_lets_calls_in_again(desk: Desk) -> None:
    credential = desk.credential
    credential.poll()
    desk.grant(300)
    credential.poll(time.monotonic() + 301)
    desk.answer(DOWN)
    assert credential.problem.startswith("its credential has run out")
    credential.poll(time.monotonic() + 60)
    desk.grant(300, token="t2")
    assert (credential.ready, credential.problem) == (True, "")
    desk.credential.poll(time.monotonic() + 250)
    desk.answer(REVOKED)
    assert str(credential.problem) == "the broker answers 403: no more"


def test_a_broker_that_says_no_ends_it_at_once(desk: Desk) -> None:
    desk.credential.poll()
    desk.grant()
    changes = desk.changes
    desk.credential.poll(time.monotonic() + 2500)
    desk.answer(REVOKED)
    assert not desk.credential.ready
    assert desk.changes == changes + 1


def test_what_opens_a_cluster_is_known_until_the_broker_says_that_nothing_does(desk: Desk) -> None:
    credential = desk.credential
    credential.poll()
    assert credential.api_audiences() is None, "in doubt, no token is requested"
    claims = urlsafe_b64encode(json.dumps({"aud": ["west"], "iss": "issuer"}).encode()).decode()
    desk.grant(300, token=f"a.{claims.rstrip('=')}.b")
    assert credential.api_audiences() == frozenset({"west", "issuer"})
    assert credential.poll(time.monotonic() + 301)
    assert credential.api_audiences() == frozenset({"west", "issuer"})
    desk.answer(REVOKED)
    assert credential.api_audiences() == frozenset({"west", "issuer"})


def test_a_cluster_that_was_never_opened_closes_no_audience(desk: Desk) -> None:
    desk.credential.poll()
    generation = desk.credential.generation
    desk.answer(REVOKED)
    assert desk.credential.api_audiences() == frozenset()
    assert desk.credential.generation == generation + 1
    assert not desk.credential.ready
    desk.credential.poll(time.monotonic() + 90)
    desk.answer(REVOKED)
    assert desk.credential.generation == generation + 1


def test_failures_are_further_and_further_apart(desk: Desk) -> None:
    pauses = []
    now = time.monotonic()
    desk.credential.poll(now)
    for _ in range(8):
        desk.answer(DOWN)
        begun = time.monotonic()
        at = begun
        asked = desk.asked
        while desk.asked == asked:
            at += 0.1
            desk.credential.poll(at)
        pauses.append(at - begun)
    assert 0.9 <= pauses[0] <= 1.5
    assert 1.9 <= pauses[1] <= 2.7
    assert all(59 <= pause <= 76 for pause in pauses[6:])


def test_a_broker_that_names_a_time_is_not_asked_before(desk: Desk) -> None:
    desk.credential.poll()
    desk.answer(Told(503, b"", b"", b"", b"100"))
    desk.credential.poll(time.monotonic() + 99)
    assert desk.asked == 1
    desk.credential.poll(time.monotonic() + 126)
    assert desk.asked == 2


def test_after_a_401_one_question_serves_all_who_ask(desk: Desk) -> None:
    async def ask() -> list[bool]:
        waiting = asyncio.gather(*(desk.credential.refresh(1) for _ in range(5)))
        await asyncio.sleep(0)
        assert desk.asked == 2
        desk.grant(token="t2")
        return await waiting

    desk.credential.poll(time.monotonic() - 60)  # not a moment ago
    desk.grant()
    assert desk.loop.run_until_complete(ask()) == [True] * 5
    assert desk.loop.run_until_complete(desk.credential.refresh(1)), "there is a newer one already"
    assert desk.asked == 2


def test_a_member_that_refuses_everything_does_not_flood_the_broker(desk: Desk) -> None:
    desk.credential.poll()
    desk.grant()
    for _ in range(5):
        assert not desk.loop.run_until_complete(desk.credential.refresh(1))
    assert desk.asked == 1


def test_who_waits_is_told_of_a_failure_too(desk: Desk) -> None:
    async def ask() -> bool:
        waiting = asyncio.ensure_future(desk.credential.refresh(1))
        await asyncio.sleep(0)
        desk.answer(REVOKED)
        return await waiting

    desk.credential.poll(time.monotonic() - 60)  # not a moment ago
    desk.grant()
    assert desk.loop.run_until_complete(ask()) is False


def test_a_certificate(desk: Desk, tmp_path: Path) -> None:
    pair = Authority(tmp_path, "ca").issue_client("robot", [])
    certificate, key = Path(pair.certificate).read_text(), Path(pair.key).read_text()
    desk.credential.poll()
    desk.grant(token=None, certificate=certificate, key=key)
    credential = desk.credential
    assert credential.ready
    assert credential.in_handshake
    assert credential.header() is None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    credential.load_into(context)
    assert "PRIVATE" not in repr(vars(credential))


@pytest.mark.parametrize("pair", [b"", b"no PEM", PEM])
def test_what_is_no_certificate(desk: Desk, pair: bytes) -> None:
    desk.credential.poll()
    desk.grant(token=None, certificate=pair.decode(), key="")
    assert not desk.credential.ready
    assert desk.credential.problem.startswith("the broker's certificate cannot be loaded: ")
    with pytest.raises(OSError):  # noqa: PT011 - OpenSSL's own
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), Secret(pair))


def test_it_is_in_no_file_and_adopts_none(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="no file"):
        desk.credential._adopt()
