"""Addresses that settings name."""

import pytest

from webhook.serving.address import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[::]:8443", ("::", 8443)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text, "[::]:8443") == address


@pytest.mark.parametrize("text", ["", "8443", ":8443", "localhost:8443", "[127.0.0.1:8443"])
def test_what_is_none_is_told_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"write \[::\]:8444"):
        parse_address(text, "[::]:8444")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "", "123456"])
def test_a_port_is_in_its_bounds(port: str) -> None:
    with pytest.raises(ValueError, match="a port is 1 to 65535"):
        parse_address(f"[::]:{port}", "[::]:8443")
