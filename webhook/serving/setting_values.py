"""Owns the form of each setting's value: from the text of a variable to a value, or a ValueError.

Must not know which variable it reads, nor use what it names. Each error says what to write.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Final, TypeVar

from sidecar.policy.fields import DNS_LABEL

T = TypeVar("T", bound=str)

NONE: Final = "none"
_MAX_PORT: Final = 65535
_MAX_AUDIENCE: Final = 1024
_IMAGE: Final = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]{0,250}@sha256:[0-9a-f]{64}", re.ASCII)


def listening_at(example: str) -> Callable[[str], tuple[str, int]]:
    """An address and a port to serve at: `[::]:8443`."""

    def parse(text: str) -> tuple[str, int]:
        host, _, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            ip_address(bare)
        except ValueError:
            raise ValueError(f"{text!r} is not an address and a port; write {example}") from None
        if re.fullmatch(r"[0-9]{1,5}", port) is None or not 1 <= int(port) <= _MAX_PORT:
            raise ValueError(f"{text!r}: a port is 1 to {_MAX_PORT}")
        return bare, int(port)

    return parse


def one_of(known: Iterable[T]) -> Callable[[str], T]:
    """One of a few words."""
    words = {str(word): word for word in known}

    def parse(text: str) -> T:
        if text not in words:
            raise ValueError(f"{text!r} is none of {', '.join(words)}")
        return words[text]

    return parse


def whole_number(least: int, most: int, of: str = "") -> Callable[[str], int]:
    """A whole number within bounds, ` of seconds` for one that is."""

    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,9}", text) is None or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number{of} from {least} to {most}")
        return int(text)

    return parse


def list_of(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """Texts parted by commas; `none` is the empty list."""

    def parse_list(text: str) -> tuple[str, ...]:
        if text == NONE:
            return ()
        return tuple(parse(item.strip()) for item in text.split(","))

    return parse_list


def parse_path(text: str) -> str:
    """A file's."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return text


def parse_label(text: str) -> str:
    """The name of a namespace or a Service."""
    if DNS_LABEL.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not the name of a namespace or a Service")
    return text


def parse_image(text: str) -> str:
    """An image, which is named by its digest: a tag could be moved under running namespaces."""
    if _IMAGE.fullmatch(text) is None:
        raise ValueError(
            f"{text!r} is not an image with its digest; write registry/name@sha256:<64 hex digits>"
        )
    return text


def parse_audience(text: str) -> str:
    """Whom a token may be for: any text, as `mca install` takes it."""
    if not text:
        raise ValueError("an empty audience is the API server's; leave it out, or write none")
    if len(text) > _MAX_AUDIENCE or not text.isprintable():
        raise ValueError(f"{text!r} is not a short printable text; correct it")
    return text
