"""Owns the settings of the webhook's certificates: how their variables become values.

Must not read the environment: webhook/admission/environment.py does, and has the table.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from webhook.certificates.planning import Lifetimes
from webhook.serving.setting_table import Reader
from webhook.serving.setting_values import one_of, parse_label, parse_path, whole_number

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


def read_settings(read: Reader) -> CertificateSettings:
    """All of them, in the table's order."""
    origin = read("MCA_WEBHOOK_CERTIFICATES", one_of(("own", "files")), "files")
    cert_path = read("MCA_WEBHOOK_CERT", parse_path, "")
    key_path = read("MCA_WEBHOOK_KEY", parse_path, "")
    namespace = read("MCA_WEBHOOK_NAMESPACE", parse_label, "")
    service = read("MCA_WEBHOOK_SERVICE", parse_label, "")
    authority_s = read("MCA_WEBHOOK_CA_SECONDS", _seconds(_AUTHORITY_S), 0)

    def part(bounds: tuple[int, int], parts: int) -> Callable[[str], int]:
        def parse(text: str) -> int:
            seconds, limit = _seconds(bounds)(text), authority_s // parts
            if authority_s and seconds > limit:
                raise ValueError(
                    f"{text!r} is more than a CA's life allows; make it {limit} at most"
                )
            return seconds

        return parse

    serving_s = read("MCA_WEBHOOK_LEAF_SECONDS", part(_SERVING_S, _SERVED_IN_A_LIFE), 0)
    settle_s = read("MCA_WEBHOOK_SETTLE_SECONDS", part(_SETTLE_S, _SETTLES_IN_A_LIFE), 0)
    lifetimes = Lifetimes(authority_s, serving_s, settle_s)
    own = origin == "own"
    return CertificateSettings(own, cert_path, key_path, namespace, service, lifetimes)


def _seconds(bounds: tuple[int, int]) -> Callable[[str], int]:
    return whole_number(*bounds, " of seconds")
