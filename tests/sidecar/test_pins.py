import json

import pytest

from sidecar.pins import Pin, parse_pins

CA = "0a" * 32
EU = {"name": "eu-1", "server": "https://eu-1:6443", "ca": CA}
US = {"name": "us-1", "server": "https://us-1", "ca": CA, "tlsServerName": "api.us"}


def test_pins() -> None:
    assert parse_pins("[]") == ()
    assert parse_pins(json.dumps([EU, US])) == (
        ("eu-1", Pin("https://eu-1:6443", CA)),
        ("us-1", Pin("https://us-1", CA, "api.us")),
    )
    assert parse_pins(json.dumps([EU | {"tlsServerName": None}]))[0][1].tls_server_name is None
    assert parse_pins(json.dumps([EU | {"tlsServerName": ""}]))[0][1].tls_server_name is None


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "write a list"),
        (json.dumps([EU] * 257), "write a list of at most 256"),
        (json.dumps([EU, EU]), "stands twice"),
        (json.dumps([7]), r"\[0\] must have"),
        (json.dumps([{"name": "a", "server": "https://a"}]), r"\[0\] must have"),
        (json.dumps([EU, EU | {"token": "t"}]), r"\[1\] must have"),
        (json.dumps([EU | {"name": ""}]), "needs a name and a server"),
        (json.dumps([EU | {"server": 1}]), "needs a name and a server"),
        (json.dumps([EU | {"ca": "0A" * 32}]), r"\[0\].ca: write the SHA-256"),
        (json.dumps([EU | {"ca": None}]), r"\[0\].ca: write the SHA-256"),
        (json.dumps([EU | {"tlsServerName": 1}]), r"\[0\].tlsServerName: write a DNS name"),
    ],
)
def test_what_is_no_pin(value: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_pins(value)
