"""The three forms of credentials, and what may stand in each."""

from typing import Any

import pytest

from webhook.resources.credentials import Audience, SecretRef, TokenRequest, read_credentials


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ({"audience": {}}, Audience()),
        ({"audience": {"name": ""}}, Audience()),
        ({"audience": {"name": "https://kube.example.com"}}, Audience("https://kube.example.com")),
        ({"tokenRequest": {"secretRef": {"name": "a"}}}, TokenRequest("a", 3600)),
        (
            {"tokenRequest": {"secretRef": {"name": "a"}, "expirationSeconds": 600}},
            TokenRequest("a", 600),
        ),
        ({"secretRef": {"name": "a.b"}}, SecretRef("a.b")),
        ({"secretRef": {"name": "a"}, "audience": None}, SecretRef("a")),
    ],
)
def test_forms(raw: Any, read: object) -> None:
    assert read_credentials(raw) == read


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (None, "spec.credentials: must be exactly one of"),
        ({"audience": {}, "secretRef": {"name": "a"}}, "spec.credentials: must be exactly one of"),
        ({"audience": {"name": "a b"}}, "spec.credentials.audience.name: must be letters"),
        ({"audience": {"name": 1}}, "spec.credentials.audience.name: must be letters"),
        ({"audience": {"name": "mca.io/broker"}}, "mca.io/… is for MCA itself"),
        ({"secretRef": {}}, "spec.credentials.secretRef.name: must be the name of a Secret"),
        ({"secretRef": {"name": "../a"}}, "spec.credentials.secretRef.name: must be"),
        ({"tokenRequest": {}}, "spec.credentials.tokenRequest.secretRef.name: must be"),
        (
            {"tokenRequest": {"secretRef": {"name": "a"}, "expirationSeconds": 599}},
            "spec.credentials.tokenRequest.expirationSeconds: must be a whole number from 600",
        ),
        (
            {"tokenRequest": {"secretRef": {"name": "a"}, "expirationSeconds": "1h"}},
            "spec.credentials.tokenRequest.expirationSeconds: must be a whole number from 600",
        ),
    ],
)
def test_what_is_wrong(raw: Any, told: str) -> None:
    read = read_credentials(raw)
    assert isinstance(read, str)
    assert told in read
