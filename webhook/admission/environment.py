"""Owns the settings of `mca webhook`: the table of variables, and how they become values.

Must not read files. Every error is reported at once, each names its variable.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple, TypeVar

from webhook.admission.quantities import parse_amount
from webhook.admission.settings import InjectionSettings, Resources, find_broker, parse_image
from webhook.certificates.settings import CertificateSettings, read_settings
from webhook.serving.address import parse_address

T = TypeVar("T")


class Setting(NamedTuple):
    """One row of the table that `--help` shows."""

    variable: str
    default: str
    meaning: str


# No name may end like those that a Service called mca-webhook puts into every container
# (`…_SERVICE_HOST`, `…_PORT`, `…_PORT_8443_TCP`).
TABLE: Final = (
    Setting("MCA_WEBHOOK_LISTEN", "[::]:8443", "where to serve, over TLS"),
    Setting(
        "MCA_WEBHOOK_CERTIFICATES",
        "files",
        "files: as below; own: the replicas make their own, by a CA in the Secret mca-webhook-ca",
    ),
    Setting(
        "MCA_WEBHOOK_CERT", "/var/run/mca/webhook/tls.crt", "certificate, read again on change"
    ),
    Setting("MCA_WEBHOOK_KEY", "/var/run/mca/webhook/tls.key", "its private key"),
    Setting("MCA_WEBHOOK_NAMESPACE", "mca-system", "MCA's own, with its Secret and Services"),
    Setting("MCA_WEBHOOK_SERVICE", "mca-webhook", "own: the Service that API servers call"),
    Setting("MCA_WEBHOOK_CA_SECONDS", "7776000", "own: the life of a CA, renewed after two thirds"),
    Setting("MCA_WEBHOOK_LEAF_SECONDS", "86400", "own: the life of a serving certificate"),
    Setting("MCA_WEBHOOK_SETTLE_SECONDS", "300", "own: how long a CA is trusted before it signs"),
    Setting("MCA_WEBHOOK_DRAIN", "5", "seconds from SIGTERM in which new calls are still taken"),
    Setting("MCA_SIDECAR_IMAGE", "", "the sidecar's image by its digest; must be set"),
    Setting(
        "MCA_SIDECAR_POLICY",
        "home",
        "what sidecars live by: home alone, or what the controller writes",
    ),
    Setting("MCA_SIDECAR_LOG_LEVEL", "info", "debug, info, warning or error"),
    Setting("MCA_SIDECAR_CPU_REQUEST", "10m", "the sidecar's requests and limits"),
    Setting("MCA_SIDECAR_MEMORY_REQUEST", "32Mi", ""),
    Setting("MCA_SIDECAR_CPU_LIMIT", "none", ""),
    Setting("MCA_SIDECAR_MEMORY_LIMIT", "64Mi", ""),
    Setting(
        "MCA_TOKEN_AUDIENCES",
        "none",
        "comma-separated: tokens for these may be in containers of enforced namespaces",
    ),
)
_DEFAULTS: Final = {setting.variable: setting.default for setting in TABLE}
_MAX_DRAIN_S: Final = 600
_NONE: Final = "none"


class ServerSettings(NamedTuple):
    """What the process needs, and what each sidecar gets."""

    host: str
    port: int
    certificates: CertificateSettings
    drain_s: int
    injection: InjectionSettings


def parse_environment(env: Mapping[str, str]) -> ServerSettings | tuple[str, ...]:
    """Read the environment; a tuple holds every error there is, one sentence each."""
    errors: list[str] = []

    def read(variable: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(env.get(variable, _DEFAULTS[variable]))
        except ValueError as error:
            errors.append(f"{variable}: {error}")
            return None

    address = read("MCA_WEBHOOK_LISTEN", _parse_address)
    certificates = read_settings(read)
    drain = read("MCA_WEBHOOK_DRAIN", _parse_drain)
    image = read("MCA_SIDECAR_IMAGE", parse_image)
    policy = read("MCA_SIDECAR_POLICY", _parse_policy)
    level = read("MCA_SIDECAR_LOG_LEVEL", _parse_level)
    resources = [
        read(f"MCA_SIDECAR_{name}", _parse_quantity)
        for name in ("CPU_REQUEST", "MEMORY_REQUEST", "CPU_LIMIT", "MEMORY_LIMIT")
    ]
    audiences = read("MCA_TOKEN_AUDIENCES", _parse_audiences)
    if errors or address is None or certificates is None:
        return tuple(errors)
    injection = InjectionSettings(
        image=image or "",
        log_level=level or "",
        resources=Resources(*(text or "" for text in resources)),
        audiences=audiences or frozenset(),
        policy=policy or "home",
        broker=find_broker(certificates.namespace),
    )
    return ServerSettings(*address, certificates, drain or 0, injection)


def _parse_address(text: str) -> tuple[str, int]:
    return parse_address(text, "[::]:8443")


def _parse_drain(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,3}", text) is None or int(text) > _MAX_DRAIN_S:
        raise ValueError(f"{text!r} is not a whole number of seconds from 0 to {_MAX_DRAIN_S}")
    return int(text)


def _parse_policy(text: str) -> Literal["home", "controller"]:
    if text == "home":
        return "home"
    if text == "controller":
        return "controller"
    raise ValueError(f"{text!r} is none of home, controller")


def _parse_level(text: str) -> str:
    if text not in ("debug", "info", "warning", "error"):
        raise ValueError(f"{text!r} is none of debug, info, warning, error")
    return text


def _parse_quantity(text: str) -> str:
    if text == _NONE:
        return ""
    if not parse_amount(text):
        raise ValueError(f"{text!r} is not a quantity; write 20m, 48Mi or none")
    return text


def _parse_audiences(text: str) -> frozenset[str]:
    if text == _NONE:
        return frozenset()
    audiences = frozenset(item.strip() for item in text.split(","))
    if "" in audiences:
        raise ValueError(
            f"{text!r} names an empty audience, which is the API server's; leave it out"
        )
    return audiences
