"""The forms of settings' values: what is taken, and what is said of the rest."""

import re
from collections.abc import Callable

import pytest

from webhook.serving.setting_values import (
    list_of,
    listening_at,
    one_of,
    parse_audience,
    parse_image,
    parse_label,
    parse_path,
    whole_number,
)

IMAGE = f"registry.example/mca@sha256:{'a' * 64}"
DIGEST = IMAGE.partition("@")[2]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[::]:8443", ("::", 8443)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert listening_at("[::]:8443")(text) == address


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (one_of(("own", "files")), "own", "own"),
        (whole_number(0, 600), "0", 0),
        (whole_number(0, 600), "600", 600),
        (list_of(parse_label), "none", ()),
        (list_of(parse_label), "fleet, more", ("fleet", "more")),
        (parse_path, "/var/run", "/var/run"),
        (parse_label, "mca-system", "mca-system"),
        (parse_image, IMAGE, IMAGE),
        (parse_image, f"mca@{DIGEST}", f"mca@{DIGEST}"),
        (parse_image, f"r:5000/a/b:v1@{DIGEST}", f"r:5000/a/b:v1@{DIGEST}"),
        (parse_audience, "https://vault.example", "https://vault.example"),
        (parse_audience, "my service", "my service"),
        (parse_audience, "a" * 1024, "a" * 1024),
    ],
)
def test_what_is_taken(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (listening_at("[::]:8444"), "", "write [::]:8444"),
        (listening_at("[::]:8444"), "8443", "write [::]:8444"),
        (listening_at("[::]:8444"), ":8443", "write [::]:8444"),
        (listening_at("[::]:8444"), "localhost:8443", "write [::]:8444"),
        (listening_at("[::]:8444"), "[127.0.0.1:8443", "write [::]:8444"),
        *(
            (listening_at("[::]:8443"), f"[::]:{port}", "a port is 1 to 65535")
            for port in ("0", "65536", "-1", "x", "", "123456")
        ),
        (one_of(("own", "files")), "mine", "'mine' is none of own, files"),
        (one_of(("own", "files")), "", "'' is none of own, files"),
        (whole_number(3, 300), "2", "is not a whole number from 3 to 300"),
        (whole_number(3, 300), "301", "3 to 300"),
        (whole_number(0, 600, " of seconds"), "-1", "whole number of seconds from 0"),
        (whole_number(0, 600), "٣", "0 to 600"),
        (whole_number(0, 600), "1.5", "0 to 600"),
        (list_of(parse_label), "a,B", "'B' is not the name of"),
        (list_of(parse_label), "", "'' is not the name of"),
        (list_of(parse_audience), "a,,b", "an empty audience is the API server's"),
        (list_of(parse_audience), "", "or write none"),
        (parse_path, "tls.crt", "begin it with /"),
        (parse_path, "", "begin it with /"),
        (parse_label, "No", "a namespace or a Service"),
        (parse_label, "a" * 64, "a namespace or a Service"),
        *(
            (parse_image, text, "is not an image with its digest")
            for text in ("", "mca", "mca:v1", "mca@sha256:abc", f"{IMAGE}0", f" {IMAGE}")
        ),
        (parse_audience, "a" * 1025, "short printable text"),
        (parse_audience, "a\nb", "short printable text"),
    ],
)
def test_what_is_not_taken_is_told_with_what_to_write(
    parse: Callable[[str], object], text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse(text)
