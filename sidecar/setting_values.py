"""Owns the form of each setting's value: from the text of one variable to a value, or ValueError.

Must not know which variable it reads: whoever asked names it. Each error says what to write.
"""

from __future__ import annotations

import re
from os.path import isabs, normpath
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, NamedTuple

from sidecar.log import LEVELS, Level

if TYPE_CHECKING:
    from sidecar.pins import Pin


class Address(NamedTuple):
    """Where to listen: an IP address in its canonical form, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_SUBDOMAIN = 253


def is_dns_label(text: str) -> bool:
    return _LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    return len(text) <= _MAX_SUBDOMAIN and all(map(is_dns_label, text.split(".")))


def parse_addresses(text: str) -> tuple[Address, ...]:
    addresses: list[Address] = []
    for item in text.split(","):
        address = _parse_address(item.strip())
        for other in addresses:
            if overlap(address, other):
                raise ValueError(f"{address} is already taken by {other}; leave one of them out")
        addresses.append(address)
    return tuple(addresses)


def parse_loopback_addresses(text: str) -> tuple[Address, ...]:
    addresses = parse_addresses(text)
    for address in addresses:
        # The certificate names these two alone, and nothing else may reach the application's API.
        if address.host not in ("127.0.0.1", "::1"):
            raise ValueError(f"{address} is not loopback; use 127.0.0.1 or [::1]")
    return addresses


_MAX_PORT = 65535


def _parse_address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        family, host = AF_INET6, host[1:-1]
    else:
        family = AF_INET
    if not host or (":" in host and family == AF_INET) or not _is_whole(port, 5):
        raise ValueError(
            f"{text!r} is not an IP address and a port; write 127.0.0.1:6443 or [::1]:6443"
        )
    if not 1 <= int(port) <= _MAX_PORT:
        raise ValueError(f"{text!r}: a port is 1 to {_MAX_PORT}")
    try:
        return Address(inet_ntop(family, inet_pton(family, host)), int(port))
    except (OSError, ValueError):
        raise ValueError(f"{text!r}: {host!r} is not an IP address") from None


def _is_whole(text: str, most_digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most_digits


def overlap(one: Address, other: Address) -> bool:
    if one.port != other.port:
        return False
    hosts = {one.host, other.host}
    # A wildcard takes every address of its family; ours listen on both families at `::`.
    if len(hosts) == 1 or "::" in hosts:
        return True
    return "0.0.0.0" in hosts and not any(":" in host for host in hosts)  # noqa: S104


def parse_metrics(text: str) -> str:
    if text not in ("loopback", "public"):
        raise ValueError(f"{text!r} is neither loopback nor public")
    return text


def parse_level(text: str) -> Level:
    for level in LEVELS:
        if level == text:
            return level
    raise ValueError(f"{text!r} is none of {', '.join(LEVELS)}")


def parse_path(text: str) -> str:
    if not text:
        return text
    if not isabs(text) or "\0" in text:
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return "/" + normpath(text).lstrip("/")


def parse_members(text: str) -> tuple[tuple[str, Pin], ...] | None:
    """Pins; None where nothing is pinned. JSON and what reads it are loaded only if there are."""
    if not text:
        return None
    if text == "[]":
        return ()
    from sidecar.pins import parse_pins

    return parse_pins(text)


def parse_server(text: str) -> str:
    if (
        text
        and re.fullmatch(r"https://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", text)
        is None
    ):
        raise ValueError(f"{text!r} is not https://host or https://host:port")
    return text


def parse_containers(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for item in text.split(","):
        name = item.strip()
        if not is_dns_label(name):
            raise ValueError(
                f"{name!r} is not a container name; use lower-case letters, digits and '-',"
                " at most 63, separated by commas"
            )
        if name == "mca" or name.startswith("mca-"):
            raise ValueError(f"{name!r} is kept for the sidecar; name the application's containers")
        if name in names:
            raise ValueError(f"{name!r} is named twice; leave one out")
        names.append(name)
    return tuple(names)


def parse_label(text: str) -> str:
    if text and not is_dns_label(text):
        raise ValueError(
            f"{text!r} is not a namespace; use lower-case letters, digits and '-', at most 63"
        )
    return text


def parse_subdomain(text: str) -> str:
    if text and not is_dns_subdomain(text):
        raise ValueError(
            f"{text!r} is not a Kubernetes name; use lower-case letters, digits, '-' and '.'"
        )
    return text


_MAX_SECONDS = 86400
_MIN_SECONDS = 0.05
_MAX_WAIT_SECONDS = 60


def _is_decimal(text: str) -> bool:
    whole, point, rest = text.partition(".")
    return _is_whole(whole, 6) and (not point or _is_whole(rest, 6))


def parse_seconds(text: str) -> float:
    if not _is_decimal(text) or not _MIN_SECONDS <= float(text) <= _MAX_SECONDS:
        raise ValueError(
            f"{text!r} is not a number of seconds from {_MIN_SECONDS} to {_MAX_SECONDS}"
        )
    return float(text)


def parse_wait(text: str) -> float:
    # Whoever waits holds a connection, and the cluster's answer is to come within 75 s.
    if not _is_decimal(text) or float(text) > _MAX_WAIT_SECONDS:
        raise ValueError(f"{text!r} is not a number of seconds from 0 to {_MAX_WAIT_SECONDS}")
    return float(text)


def _parse_whole(text: str, least: int, most: int) -> int:
    if not _is_whole(text, 9) or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def parse_head_bytes(text: str) -> int:
    # The API server itself answers 431 above 1 MiB.
    return _parse_whole(text, 4096, 1 << 20)


def parse_connections(text: str) -> int:
    return _parse_whole(text, 0, 1_000_000)
