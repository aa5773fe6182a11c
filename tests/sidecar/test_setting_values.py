import re
from ipaddress import ip_address

import pytest
from hypothesis import given, strategies as st

from sidecar import setting_values as values
from sidecar.setting_values import Address


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("127.0.0.1:6443,[::1]:6443", [("127.0.0.1", 6443), ("::1", 6443)]),
        (" 127.0.0.1:1 , [::1]:65535 ", [("127.0.0.1", 1), ("::1", 65535)]),
        ("[0:0:0::1]:80", [("::1", 80)]),
        ("[::ffff:127.0.0.1]:80", [("::ffff:127.0.0.1", 80)]),
        ("0.0.0.0:6444,[::1]:6444", [("0.0.0.0", 6444), ("::1", 6444)]),
        ("127.0.0.1:80,127.0.0.1:81", [("127.0.0.1", 80), ("127.0.0.1", 81)]),
    ],
)
def test_addresses(text: str, addresses: list[tuple[str, int]]) -> None:
    assert list(values.parse_addresses(text)) == addresses


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("127.0.0.1", "is not an IP address and a port"),
        (":6443", "is not an IP address and a port"),
        ("localhost:6443", "localhost' is not an IP address"),
        ("::1:6443", "is not an IP address and a port"),
        ("[fe80::1%eth0]:6443", "'fe80::1%eth0' is not an IP address"),
        ("127.0.0.1:6443,", "'' is not an IP address and a port"),
        ("127.0.0.1:+80", "is not an IP address and a port"),
        ("127.0.0.1:٨٠", "is not an IP address and a port"),
        ("127.0.0.1:80\n", None),
        ("127.0.0.1\0:80", "is not an IP address"),
        ("[]:80", "is not an IP address and a port"),
        ("127.0.0.1:0", "a port is 1 to 65535"),
        ("127.0.0.1:65536", "a port is 1 to 65535"),
        ("127.0.0.256:80", "'127.0.0.256' is not an IP address"),
        ("127.1:80", "'127.1' is not an IP address"),
        ("[127.0.0.1]:80", "'127.0.0.1' is not an IP address"),
        ("[1::2::3]:80", "'1::2::3' is not an IP address"),
        ("127.0.0.1:80,127.0.0.1:80", "is already taken by 127.0.0.1:80"),
        ("[::1]:80,[0::1]:80", "[::1]:80 is already taken by [::1]:80"),
        ("[::]:80,127.0.0.1:80", "is already taken by [::]:80"),
        ("127.0.0.1:80,[::]:80", "is already taken by 127.0.0.1:80"),
        ("0.0.0.0:80,127.0.0.1:80", "is already taken by 0.0.0.0:80"),
    ],
)
def test_bad_addresses(text: str, complaint: str | None) -> None:
    if complaint is None:
        # Blanks around an address are nobody's mistake.
        assert values.parse_addresses(text) == (Address("127.0.0.1", 80),)
        return
    with pytest.raises(ValueError, match=re.escape(complaint)):
        values.parse_addresses(text)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_address_shows_itself_as_it_is_written(ip: object, port: int) -> None:
    (address,) = values.parse_addresses(str(Address(str(ip), port)))
    assert (ip_address(address.host), address.port) == (ip, port)
    assert values.parse_addresses(str(address)) == (address,)


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:127.0.0.1]:1", "127.0.0.2:1"],
)
def test_only_loopback_may_reach_the_api(text: str) -> None:
    with pytest.raises(ValueError, match="is not loopback"):
        values.parse_loopback_addresses(text)
    assert values.parse_loopback_addresses("127.0.0.1:1,[::1]:1")


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ""), ("/a", "/a"), ("/a//b/", "/a/b"), ("//a/../b", "/b"), ("/", "/")],
)
def test_paths(text: str, path: str) -> None:
    assert values.parse_path(text) == path


@pytest.mark.parametrize("text", ["a", "./a", "~/a", "/a\0b"])
def test_bad_paths(text: str) -> None:
    with pytest.raises(ValueError, match="begin it with /"):
        values.parse_path(text)


def test_containers() -> None:
    assert values.parse_containers("app, side-1") == ("app", "side-1")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("App", "is not a container name"),
        ("a,,b", "'' is not a container name"),
        ("a/b", "is not a container name"),
        ("..", "is not a container name"),
        ("a\n", None),
        ("-a", "is not a container name"),
        ("a" * 64, "is not a container name"),
        ("a,b,a", "'a' is named twice"),
        ("mca", "is kept for the sidecar"),
        ("mca-x", "is kept for the sidecar"),
    ],
)
def test_bad_containers(text: str, complaint: str | None) -> None:
    if complaint is None:
        assert values.parse_containers(text) == ("a",)
        return
    with pytest.raises(ValueError, match=re.escape(complaint)):
        values.parse_containers(text)


@pytest.mark.parametrize("text", ["", "team-a", "a" * 63])
def test_labels(text: str) -> None:
    assert values.parse_label(text) == text
    assert values.parse_subdomain(text) == text


@pytest.mark.parametrize("text", ["a" * 64, "A", "a_b", "a/b", "a\n", "ä", "."])
def test_bad_labels(text: str) -> None:
    with pytest.raises(ValueError, match="is not a namespace"):
        values.parse_label(text)
    with pytest.raises(ValueError, match="is not a Kubernetes name"):
        values.parse_subdomain(text)


def test_subdomains() -> None:
    assert values.parse_subdomain("web.v1-0") == "web.v1-0"
    with pytest.raises(ValueError, match="is not a namespace"):
        values.parse_label("web.v1-0")
    with pytest.raises(ValueError, match="is not a Kubernetes name"):
        values.parse_subdomain(".".join(["a" * 63] * 4))


@pytest.mark.parametrize(("text", "seconds"), [("10", 10.0), ("0.05", 0.05), ("86400", 86400.0)])
def test_seconds(text: str, seconds: float) -> None:
    assert values.parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "0.01",
        "86401",
        "-1",
        "1e3",
        "nan",
        "inf",
        "1.",
        ".5",
        "1.5.",
        "1_0",
        "10s",
        " 1",
        "٣",
        "1." + "0" * 9,
    ],
)
def test_bad_seconds(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of seconds"):
        values.parse_seconds(text)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("0.5", 0.5), ("60", 60.0)])
def test_waits(text: str, seconds: float) -> None:
    assert values.parse_wait(text) == seconds


@pytest.mark.parametrize("text", ["60.1", "-1", "1e1", "nan", " 1"])
def test_bad_waits(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of seconds from 0 to 60"):
        values.parse_wait(text)


@pytest.mark.parametrize("text", ["4095", "1048577", "1.5", "-4096", "0x1000", "9" * 5000])
def test_bad_head_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number from 4096 to 1048576"):
        values.parse_head_bytes(text)


def test_whole_numbers() -> None:
    assert values.parse_head_bytes("4096") == 4096
    assert values.parse_connections("0") == 0
    with pytest.raises(ValueError, match="from 0 to 1000000"):
        values.parse_connections("1000001")


def test_words() -> None:
    assert values.parse_metrics("public") == "public"
    assert values.parse_level("debug") == "debug"
    with pytest.raises(ValueError, match="neither loopback nor public"):
        values.parse_metrics("Public")
    with pytest.raises(ValueError, match="none of debug, info, warning, error"):
        values.parse_level("INFO")
