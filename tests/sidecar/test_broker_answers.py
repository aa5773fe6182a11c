import json
from hashlib import sha256
from typing import Any

import pytest

from sidecar.broker_answers import Granted, Refused, read_grant
from sidecar.inquiry import Told
from sidecar.policy.snapshot import Brokered, Cluster
from sidecar.policy.verdict import Denial, Reason
from sidecar.secret import Secret

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
EU = Cluster("eu-1", "https://eu-1", "eu-1", 443, PEM, None, None, Brokered())
GOOD: dict[str, Any] = {
    "cluster": "eu-1", "server": "https://eu-1:443", "ca": sha256(PEM).hexdigest(),
    "notAfter": "2026-01-01T00:00:00Z", "secondsLeft": 3600,
}  # fmt: skip
TOKEN = {"token": "abc.def-_~+/="}


def answer(document: object, status: int = 200, retry_after: bytes = b"") -> Told:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Told(status, b"application/json", raw, b"", retry_after)


def test_a_token() -> None:
    assert read_grant(answer(GOOD | TOKEN), EU) == Granted(Secret(b"abc.def-_~+/="), None, 3600)


def test_a_certificate() -> None:
    found = read_grant(answer(GOOD | {"certificate": "C", "key": "K"}), EU)
    assert found == Granted(None, Secret(b"C\nK\n"), 3600)
    assert "K" not in repr(found).replace("Secret", "")


def test_no_credential_counts_for_more_than_a_day() -> None:
    found = read_grant(answer(GOOD | TOKEN | {"secondsLeft": 10**9}), EU)
    assert isinstance(found, Granted)
    assert found.seconds == 86400


def test_the_name_in_its_certificate_is_compared_too() -> None:
    named = EU._replace(tls_server_name="api")
    assert isinstance(read_grant(answer(GOOD | TOKEN), named), Refused)
    assert isinstance(read_grant(answer(GOOD | TOKEN | {"tlsServerName": "api"}), EU), Refused)
    assert isinstance(read_grant(answer(GOOD | TOKEN | {"tlsServerName": "api"}), named), Granted)
    assert isinstance(read_grant(answer(GOOD | TOKEN | {"tlsServerName": ""}), EU), Granted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster": "eu-2"}, "is for another server, CA or name"),
        ({"server": "https://evil"}, "is for another server, CA or name"),
        ({"server": None}, "is for another server, CA or name"),
        ({"ca": "0" * 64}, "is for another server, CA or name"),
        ({"ca": 7}, "is for another server, CA or name"),
        ({"tlsServerName": 7}, "is for another server, CA or name"),
        ({"secondsLeft": None}, "does not say for how many seconds"),
        ({"secondsLeft": True}, "does not say for how many seconds"),
        ({"secondsLeft": 0}, "does not say for how many seconds"),
        ({"secondsLeft": 7.5}, "does not say for how many seconds"),
        ({"token": "a\r\nX: b"}, "holds characters that no bearer token has"),
        ({"token": ""}, "holds characters that no bearer token has"),
        ({"token": None}, "is neither a token nor a certificate with its key"),
        ({"certificate": "C"}, "is neither a token nor a certificate with its key"),
        ({"key": "K"}, "is neither a token nor a certificate with its key"),
        ({"token": None, "certificate": "C"}, "is neither a token nor a certificate with its key"),
        ({"token": None, "certificate": "C", "key": 7}, "is neither a token nor a certificate"),
    ],
)
def test_what_is_not_used(changes: dict[str, Any], message: str) -> None:
    found = read_grant(answer(GOOD | TOKEN | changes), EU)
    assert isinstance(found, Refused)
    assert message in found.message
    assert not found.revoked
    assert "abc" not in found.message


@pytest.mark.parametrize("raw", [b"", b"[]", b"[" * 100_000, b"\xff"])
def test_what_is_no_answer(raw: bytes) -> None:
    assert read_grant(answer(raw), EU) == Refused("what the broker answers is not a JSON object")


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        (Denial(Reason.TIMEOUT, "upstream/timeout", "no answer"), Refused("no answer")),
        (answer({"message": "no"}, 403), Refused("the broker answers 403: no", True)),
        (answer({"message": "no"}, 404), Refused("the broker answers 404: no")),
        (answer(b"", 401), Refused("the broker answers 401: without a message")),
        (answer(b"", 429, b"7"), Refused("the broker answers 429: without a message", False, 7)),
        (answer(b"", 503, b"9999"), Refused(
            "the broker answers 503: without a message", False, 300)),
        (answer(b"", 503, b"soon"), Refused("the broker answers 503: without a message")),
    ],
)  # fmt: skip
def test_refusals(told: Told | Denial, refused: Refused) -> None:
    assert read_grant(told, EU) == refused
