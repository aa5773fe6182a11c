"""Owns the settings of `mca controller`: the table of variables, and how they become values.

Must not read files. Every error is reported at once, each names its variable.
"""

import re
import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar, cast

from sidecar.log import LEVELS, Level
from sidecar.policy.fields import DNS_LABEL
from webhook.serving.address import parse_address

T = TypeVar("T")


class Setting(NamedTuple):
    """One row of the table that `--help` shows."""

    variable: str
    default: str
    meaning: str


_NONE: Final = "none"
TABLE: Final = (
    Setting("MCA_CONTROLLER_LISTEN", "[::]:8444", "where to serve the broker, over TLS"),
    Setting("MCA_CONTROLLER_NAMESPACE", "mca-system", "MCA's own: the Lease, Secrets of members"),
    Setting("MCA_CONTROLLER_SERVICE", "mca-broker", "the Service that sidecars call"),
    Setting("MCA_CONTROLLER_ADDRESS", "", "how they call it; if empty, that Service on port 8444"),
    Setting(
        "MCA_CONTROLLER_CERTIFICATES",
        "own",
        "own: signed by the CA in the Secret mca-webhook-ca; files: as below",
    ),
    Setting("MCA_CONTROLLER_CERT", "/var/run/mca/controller/tls.crt", "files: the certificate"),
    Setting("MCA_CONTROLLER_KEY", "/var/run/mca/controller/tls.key", "files: its private key"),
    Setting(
        "MCA_CONTROLLER_CA", "/var/run/mca/controller/ca.crt", "files: what sidecars verify it by"
    ),
    Setting("MCA_CONTROLLER_IDENTITY", "", "this replica's name; if empty, one that is used once"),
    Setting("MCA_CONTROLLER_LEASE_SECONDS", "15", "after so long another replica leads"),
    Setting("MCA_CONTROLLER_WORKERS", "8", "namespaces that are worked on at once"),
    Setting("MCA_CONTROLLER_DRAIN", "5", "seconds from SIGTERM in which the broker still answers"),
    Setting("MCA_CONTROLLER_PROBE_SECONDS", "30", "how often each member is looked at"),
    Setting(
        "MCA_CONTROLLER_SIDECAR_IMAGES",
        _NONE,
        "comma-separated, by digest: pods with one of these may have credentials of the broker",
    ),
    Setting(
        "MCA_CONTROLLER_TOKEN_AUDIENCES",
        _NONE,
        "comma-separated: as MCA_TOKEN_AUDIENCES of the webhook",
    ),
    Setting(
        "MCA_CONTROLLER_MEMBER_AUDIENCES",
        _NONE,
        "comma-separated: audiences that a Cluster may name, beside the one made of its uid",
    ),
    Setting(
        "MCA_CONTROLLER_PROFILE_NAMESPACES",
        _NONE,
        "comma-separated: namespaces whose ClusterProfiles become Clusters",
    ),
    Setting("MCA_CONTROLLER_LOG_LEVEL", "info", "debug, info, warning or error"),
)
_DEFAULTS: Final = {setting.variable: setting.default for setting in TABLE}
_IDENTITY: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SERVER: Final = re.compile(r"https://(\[[0-9a-f:]+\]|[a-z0-9.-]{1,253})(:[0-9]{1,5})?")
_AUDIENCE: Final = re.compile(r"\S{1,253}")
_IMAGE: Final = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]{0,250}@sha256:[0-9a-f]{64}", re.ASCII)
_NO_ITEMS: Final[tuple[str, ...]] = ()
# A Lease shorter than three seconds would be lost by any pause; one above five minutes holds up.
_LEASE_S: Final = (3, 300)
_WORKERS: Final = (1, 64)
_DRAIN_S: Final = (0, 600)
_PROBE_S: Final = (1, 3600)


class ControllerSettings(NamedTuple):
    """What the process needs, and what its parts do."""

    host: str = "::"
    port: int = 8444
    namespace: str = "mca-system"
    service: str = "mca-broker"
    certificates: str = "own"
    cert_path: str = ""
    key_path: str = ""
    ca_path: str = ""
    identity: str = ""
    lease_s: int = 15
    workers: int = 8
    drain_s: int = 5
    probe_s: int = 30
    sidecar_images: frozenset[str] = frozenset()
    token_audiences: frozenset[str] = frozenset()
    member_audiences: frozenset[str] = frozenset()
    profile_namespaces: tuple[str, ...] = ()
    log_level: Level = "info"
    given_address: str = ""

    @property
    def address(self) -> str:
        """By which sidecars call the broker."""
        return self.given_address or f"https://{self.service}.{self.namespace}.svc:8444"


def parse_environment(
    env: Mapping[str, str], mark: str = ""
) -> ControllerSettings | tuple[str, ...]:
    """Read the environment; a tuple holds every error there is, one sentence each.

    `mark` is what makes a name of this replica's own one that is used once.
    """
    errors: list[str] = []

    def read(name: str, parse: Callable[[str], T], instead: T) -> T:
        variable = f"MCA_CONTROLLER_{name}"
        try:
            return parse(env.get(variable, _DEFAULTS[variable]))
        except ValueError as error:
            errors.append(f"{variable}: {error}")
            return instead

    host, port = read("LISTEN", _parse_address, ("", 0))
    settings = ControllerSettings(
        host=host,
        port=port,
        namespace=read("NAMESPACE", _parse_label, ""),
        service=read("SERVICE", _parse_label, ""),
        given_address=read("ADDRESS", _parse_server, ""),
        certificates=read("CERTIFICATES", _choice("own", "files"), ""),
        cert_path=read("CERT", _parse_path, ""),
        key_path=read("KEY", _parse_path, ""),
        ca_path=read("CA", _parse_path, ""),
        identity=read("IDENTITY", _parse_identity, "") or f"{socket.gethostname()[:100]}_{mark}",
        lease_s=read("LEASE_SECONDS", _whole(*_LEASE_S), 0),
        workers=read("WORKERS", _whole(*_WORKERS), 0),
        drain_s=read("DRAIN", _whole(*_DRAIN_S), 0),
        probe_s=read("PROBE_SECONDS", _whole(*_PROBE_S), 0),
        sidecar_images=frozenset(read("SIDECAR_IMAGES", _list_of(_parse_image), _NO_ITEMS)),
        token_audiences=frozenset(read("TOKEN_AUDIENCES", _list_of(_parse_audience), _NO_ITEMS)),
        member_audiences=frozenset(read("MEMBER_AUDIENCES", _list_of(_parse_audience), _NO_ITEMS)),
        profile_namespaces=read("PROFILE_NAMESPACES", _list_of(_parse_label), _NO_ITEMS),
        log_level=cast("Level", read("LOG_LEVEL", _choice(*LEVELS), "")),
    )
    return tuple(errors) or settings


def _parse_address(text: str) -> tuple[str, int]:
    return parse_address(text, "[::]:8444")


def _parse_label(text: str) -> str:
    if DNS_LABEL.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not the name of a namespace or a Service")
    return text


def _parse_server(text: str) -> str:
    if text and _SERVER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not https://, a host and a port")
    return text


def _parse_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return text


def _parse_identity(text: str) -> str:
    if text and _IDENTITY.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no name; take the pod's")
    return text


def _parse_image(text: str) -> str:
    if _IMAGE.fullmatch(text) is None:
        raise ValueError(
            f"{text!r} is not an image with its digest; write registry/name@sha256:<64 hex digits>"
        )
    return text


def _parse_audience(text: str) -> str:
    if _AUDIENCE.fullmatch(text) is None:
        raise ValueError(f"{text!r} names an empty audience or one with spaces; leave it out")
    return text


def _choice(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text!r} is none of {', '.join(known)}")
        return text

    return parse


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,9}", text) is None or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


def _list_of(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def parse_list(text: str) -> tuple[str, ...]:
        if text in ("", _NONE):
            return ()
        return tuple(parse(item.strip()) for item in text.split(","))

    return parse_list
