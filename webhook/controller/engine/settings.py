"""Owns the settings of `mca controller`: the table of variables, and how they become values.

Must not read files. Every error is reported at once, each names its variable.
"""

import re
import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

from sidecar.log import LEVELS, Level
from webhook.serving.setting_table import Reader, Setting
from webhook.serving.setting_values import (
    NONE,
    list_of,
    listening_at,
    one_of,
    parse_audience,
    parse_image,
    parse_label,
    parse_path,
    whole_number,
)

T = TypeVar("T")

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
        NONE,
        "comma-separated, by digest: pods with one of these may have credentials of the broker",
    ),
    Setting(
        "MCA_CONTROLLER_TOKEN_AUDIENCES",
        NONE,
        "comma-separated: as MCA_TOKEN_AUDIENCES of the webhook",
    ),
    Setting(
        "MCA_CONTROLLER_MEMBER_AUDIENCES",
        NONE,
        "comma-separated: audiences that a Cluster may name, beside the one made of its uid",
    ),
    Setting(
        "MCA_CONTROLLER_PROFILE_NAMESPACES",
        NONE,
        "comma-separated: namespaces whose ClusterProfiles become Clusters",
    ),
    Setting("MCA_CONTROLLER_LOG_LEVEL", "info", "debug, info, warning or error"),
)
_IDENTITY: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SERVER: Final = re.compile(r"https://(\[[0-9a-f:]+\]|[a-z0-9.-]{1,253})(:[0-9]{1,5})?")
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
    reader = Reader(TABLE, env)

    def read(name: str, parse: Callable[[str], T], instead: T) -> T:
        return reader(f"MCA_CONTROLLER_{name}", parse, instead)

    host, port = read("LISTEN", listening_at("[::]:8444"), ("", 0))
    settings = ControllerSettings(
        host=host,
        port=port,
        namespace=read("NAMESPACE", parse_label, ""),
        service=read("SERVICE", parse_label, ""),
        given_address=read("ADDRESS", _parse_server, ""),
        certificates=read("CERTIFICATES", one_of(("own", "files")), ""),
        cert_path=read("CERT", parse_path, ""),
        key_path=read("KEY", parse_path, ""),
        ca_path=read("CA", parse_path, ""),
        identity=read("IDENTITY", _parse_identity, "") or f"{socket.gethostname()[:100]}_{mark}",
        lease_s=read("LEASE_SECONDS", whole_number(*_LEASE_S, " of seconds"), 0),
        workers=read("WORKERS", whole_number(*_WORKERS), 0),
        drain_s=read("DRAIN", whole_number(*_DRAIN_S, " of seconds"), 0),
        probe_s=read("PROBE_SECONDS", whole_number(*_PROBE_S, " of seconds"), 0),
        sidecar_images=frozenset(read("SIDECAR_IMAGES", list_of(parse_image), _NO_ITEMS)),
        token_audiences=frozenset(read("TOKEN_AUDIENCES", list_of(parse_audience), _NO_ITEMS)),
        member_audiences=frozenset(read("MEMBER_AUDIENCES", list_of(parse_audience), _NO_ITEMS)),
        profile_namespaces=read("PROFILE_NAMESPACES", list_of(parse_label), _NO_ITEMS),
        log_level=read("LOG_LEVEL", one_of(LEVELS), "info"),
    )
    return tuple(reader.errors) or settings


def _parse_server(text: str) -> str:
    if text and _SERVER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not https://, a host and a port")
    return text


def _parse_identity(text: str) -> str:
    if text and _IDENTITY.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no name; take the pod's")
    return text
