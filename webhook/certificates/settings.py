"""Owns the settings of the webhook's certificates: how their variables become values.

Must not read the environment: webhook/admission/environment.py does, and has the table.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeVar

from sidecar.policy.fields import DNS_LABEL
from webhook.certificates.planning import Lifetimes

T = TypeVar("T")
_DAY_S: Final = 86400
# The smallest are for trials: what is shorter has ended before API servers learn of it.
_AUTHORITY_S: Final = (10, 3653 * _DAY_S)
_SERVING_S: Final = (5, 90 * _DAY_S)
_SETTLE_S: Final = (1, _DAY_S)
# A CA is renewed after two thirds of its life: in the rest, half of it at most, its successor
# has to be trusted and every certificate signed anew.
_SETTLES_IN_A_LIFE: Final = 6
_SERVED_IN_A_LIFE: Final = 2


class CertificateSettings(NamedTuple):
    """Where the certificate is from: its files, or what it takes to make one."""

    own: bool
    cert_path: str
    key_path: str
    namespace: str
    service: str
    lifetimes: Lifetimes


class Read(Protocol):
    """Reads one variable; None if its text is wrong, which is then told."""

    def __call__(self, variable: str, parse: Callable[[str], T]) -> T | None:
        """Its value."""


def read_settings(read: Read) -> CertificateSettings | None:
    """All of them, in the table's order; None if one is wrong."""
    own = read("MCA_WEBHOOK_CERTIFICATES", _parse_origin)
    cert = read("MCA_WEBHOOK_CERT", _parse_path)
    key = read("MCA_WEBHOOK_KEY", _parse_path)
    namespace = read("MCA_WEBHOOK_NAMESPACE", _parse_label)
    service = read("MCA_WEBHOOK_SERVICE", _parse_label)
    authority_s = read("MCA_WEBHOOK_CA_SECONDS", lambda text: _parse_seconds(text, _AUTHORITY_S))

    def parse_part(text: str, bounds: tuple[int, int], parts: int) -> int:
        seconds = _parse_seconds(text, bounds)
        if authority_s is not None and seconds * parts > authority_s:
            limit = authority_s // parts
            raise ValueError(f"{text!r} is more than a CA's life allows; make it {limit} at most")
        return seconds

    serving_s = read(
        "MCA_WEBHOOK_LEAF_SECONDS", lambda text: parse_part(text, _SERVING_S, _SERVED_IN_A_LIFE)
    )
    settle_s = read(
        "MCA_WEBHOOK_SETTLE_SECONDS", lambda text: parse_part(text, _SETTLE_S, _SETTLES_IN_A_LIFE)
    )
    if own is None or cert is None or key is None or namespace is None or service is None:
        return None
    if authority_s is None or serving_s is None or settle_s is None:
        return None
    lifetimes = Lifetimes(authority_s, serving_s, settle_s)
    return CertificateSettings(own, cert, key, namespace, service, lifetimes)


def _parse_origin(text: str) -> bool:
    if text not in ("own", "files"):
        raise ValueError(f"{text!r} is none of own, files")
    return text == "own"


def _parse_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return text


def _parse_label(text: str) -> str:
    if DNS_LABEL.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not the name of a namespace or a Service")
    return text


def _parse_seconds(text: str, bounds: tuple[int, int]) -> int:
    least, most = bounds
    if re.fullmatch(r"[0-9]{1,9}", text) is None or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is not a whole number of seconds from {least} to {most}")
    return int(text)
