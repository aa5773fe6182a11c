"""Owns the settings: the one table of variables, and how the environment becomes `Settings`.

Must not read files, resolve names or know what a setting is used for. Every error is reported at
once, each names its variable and says what to write instead.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os.path import isabs, normpath
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple, TypeVar

from sidecar.log import LEVELS, Level

T = TypeVar("T")


class Setting(NamedTuple):
    """One row of the table that the README shows."""

    variable: str
    default: str
    meaning: str


# The single source of names, defaults and meanings. No name here may end like those that a Service
# called `mca` puts into every container (`…_SERVICE_HOST`, `…_SERVICE_PORT`, `…_PORT`,
# `…_PORT_443_TCP…`): whoever may create a Service could set it.
TABLE: tuple[Setting, ...] = (
    Setting("MCA_API_LISTEN", "127.0.0.1:6443,[::1]:6443", "the application's API; loopback only"),
    Setting(
        "MCA_ADMIN_LISTEN",
        "[::]:6444",
        "`/livez` `/readyz`, and `/metrics` to loopback",
    ),
    Setting("MCA_METRICS", "loopback", "who may read `/metrics`: `loopback` or `public`"),
    Setting(
        "MCA_SNAPSHOT",
        "",
        "the snapshot file, reloaded when it changes; unset: the home cluster, no tenant",
    ),
    Setting(
        "MCA_IDENTITY_DIR",
        "/var/run/mca/identity",
        "private: leaf key and certificate, token seed",
    ),
    Setting(
        "MCA_CLIENTS_DIR",
        "/var/run/mca/clients",
        "per container: `<container>/{ca.crt,token,namespace}`",
    ),
    Setting("MCA_CONTAINERS", "app", "comma-separated containers that get one"),
    Setting("MCA_NAMESPACE", "", "the pod's namespace, for scope and audit"),
    Setting("MCA_POD", "", "the pod's name, for audit"),
    Setting("MCA_SERVICE_ACCOUNT", "", "the pod's service account, for scope and audit"),
    Setting(
        "MCA_SERVICE_ACCOUNT_DIR",
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "the sidecar's own `ca.crt`, `token`, `namespace`, for the home cluster",
    ),
    Setting("MCA_LOG_LEVEL", "info", "`debug`, `info`, `warning` or `error`"),
    Setting("MCA_HEAD_BYTES", "262144", "largest request head; larger ones get 431"),
    Setting("MCA_HANDSHAKE_TIMEOUT", "10", "seconds for a TLS handshake"),
    Setting("MCA_HEAD_TIMEOUT", "10", "seconds for a request head"),
    Setting("MCA_BODY_TIMEOUT", "60", "seconds that a body may stall"),
    Setting("MCA_CONNECT_TIMEOUT", "5", "seconds to connect to a cluster"),
    Setting("MCA_RESPONSE_TIMEOUT", "75", "seconds for a cluster's response head"),
    Setting("MCA_IDLE_TIMEOUT", "310", "seconds that an idle client connection is kept"),
    Setting("MCA_UPSTREAM_IDLE_TIMEOUT", "60", "seconds that an idle cluster connection is kept"),
    Setting("MCA_MAX_CONNECTIONS", "0", "client connections at once; 0: from the limits found"),
    Setting("MCA_DRAIN_GRACE", "20", "seconds from SIGTERM to exit"),
)
_DEFAULTS = {setting.variable: setting.default for setting in TABLE}


class Address(NamedTuple):
    """Where to listen: an IP address in its canonical form, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    head_bytes: int
    handshake_timeout_s: float
    head_timeout_s: float
    body_timeout_s: float
    connect_timeout_s: float
    response_timeout_s: float
    idle_timeout_s: float
    upstream_idle_timeout_s: float
    max_connections: int
    drain_grace_s: float


@dataclass(frozen=True, slots=True)
class Settings:
    api_listen: tuple[Address, ...]
    admin_listen: tuple[Address, ...]
    metrics_public: bool
    snapshot_path: str | None
    identity_dir: str
    clients_dir: str
    containers: tuple[str, ...]
    namespace: str
    pod: str
    service_account: str
    service_account_dir: str
    # Raw, because only the default home cluster needs them: judged where that is built.
    service_host: str
    service_port: str
    log_level: Level
    limits: Limits
    # MCA_… variables that mean nothing to us: most likely misspelt, worth a warning.
    unknown: tuple[str, ...]


_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SERVICE_LINK = re.compile(r".*_(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT(?:_\d+_.*)?)")
_MAX_SUBDOMAIN = 253


def is_dns_label(text: str) -> bool:
    return _LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    return len(text) <= _MAX_SUBDOMAIN and all(map(is_dns_label, text.split(".")))


def parse_settings(env: Mapping[str, str]) -> Settings | tuple[str, ...]:
    """Read the environment; a tuple holds every error there is, one sentence each."""
    read = _Reader(env)
    settings = Settings(
        api_listen=read("MCA_API_LISTEN", _parse_loopback_addresses),
        admin_listen=read("MCA_ADMIN_LISTEN", _parse_addresses),
        metrics_public=read("MCA_METRICS", _parse_metrics) == "public",
        snapshot_path=read("MCA_SNAPSHOT", _parse_path) or None,
        identity_dir=read("MCA_IDENTITY_DIR", _parse_path),
        clients_dir=read("MCA_CLIENTS_DIR", _parse_path),
        containers=read("MCA_CONTAINERS", _parse_containers),
        namespace=read("MCA_NAMESPACE", _parse_label),
        pod=read("MCA_POD", _parse_subdomain),
        service_account=read("MCA_SERVICE_ACCOUNT", _parse_subdomain),
        service_account_dir=read("MCA_SERVICE_ACCOUNT_DIR", _parse_path),
        service_host=env.get("KUBERNETES_SERVICE_HOST", ""),
        service_port=env.get("KUBERNETES_SERVICE_PORT", ""),
        log_level=read("MCA_LOG_LEVEL", _parse_level),
        limits=_read_limits(read),
        unknown=tuple(sorted(filter(_is_unknown, env))),
    )
    read.errors.extend(_find_conflicts(settings, read.failed))
    return tuple(read.errors) or settings


def format_errors(errors: tuple[str, ...]) -> str:
    """The text for standard error, ended by a newline."""
    return "".join(f"mca: {error}\n" for error in errors)


class _Reader:
    """Reads one variable after the other and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.errors: list[str] = []
        self.failed: set[str] = set()

    def __call__(self, variable: str, parse: Callable[[str], T]) -> T:
        default = _DEFAULTS[variable]
        text = self._env.get(variable)
        if text is None:
            return parse(default)
        try:
            if not text:
                # Not taken for unset: an empty MCA_SNAPSHOT would widen what the pod may do.
                raise ValueError("is set but empty; give it a value or unset it")
            return parse(text)
        except ValueError as error:
            self.errors.append(f"{variable}: {error}")
            self.failed.add(variable)
            return parse(default)


def _read_limits(read: _Reader) -> Limits:
    return Limits(
        head_bytes=read("MCA_HEAD_BYTES", _parse_head_bytes),
        handshake_timeout_s=read("MCA_HANDSHAKE_TIMEOUT", _parse_seconds),
        head_timeout_s=read("MCA_HEAD_TIMEOUT", _parse_seconds),
        body_timeout_s=read("MCA_BODY_TIMEOUT", _parse_seconds),
        connect_timeout_s=read("MCA_CONNECT_TIMEOUT", _parse_seconds),
        response_timeout_s=read("MCA_RESPONSE_TIMEOUT", _parse_seconds),
        idle_timeout_s=read("MCA_IDLE_TIMEOUT", _parse_seconds),
        upstream_idle_timeout_s=read("MCA_UPSTREAM_IDLE_TIMEOUT", _parse_seconds),
        max_connections=read("MCA_MAX_CONNECTIONS", _parse_connections),
        drain_grace_s=read("MCA_DRAIN_GRACE", _parse_seconds),
    )


def _parse_addresses(text: str) -> tuple[Address, ...]:
    addresses: list[Address] = []
    for item in text.split(","):
        address = _parse_address(item.strip())
        for other in addresses:
            if _overlap(address, other):
                raise ValueError(f"{address} is already taken by {other}; leave one of them out")
        addresses.append(address)
    return tuple(addresses)


def _parse_loopback_addresses(text: str) -> tuple[Address, ...]:
    addresses = _parse_addresses(text)
    for address in addresses:
        # The certificate names loopback alone, and nothing else may reach the application's API.
        if address.host != "::1" and not address.host.startswith("127."):
            raise ValueError(f"{address} is not loopback; use 127.0.0.1 or [::1]")
    return addresses


_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<v4>[0-9.]+)):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535


def _parse_address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not an IP address and a port; write 127.0.0.1:6443 or [::1]:6443"
        )
    port = int(match["port"])
    if not 1 <= port <= _MAX_PORT:
        raise ValueError(f"{text!r}: a port is 1 to {_MAX_PORT}")
    host = match["v6"] or match["v4"]
    family = AF_INET6 if match["v6"] else AF_INET
    try:
        return Address(inet_ntop(family, inet_pton(family, host)), port)
    except OSError:
        raise ValueError(f"{text!r}: {host} is not an IP address") from None


def _overlap(one: Address, other: Address) -> bool:
    if one.port != other.port:
        return False
    hosts = {one.host, other.host}
    # A wildcard takes every address of its family; ours listen on both families at `::`.
    if len(hosts) == 1 or "::" in hosts:
        return True
    return "0.0.0.0" in hosts and not any(":" in host for host in hosts)  # noqa: S104


def _parse_metrics(text: str) -> str:
    if text not in ("loopback", "public"):
        raise ValueError(f"{text!r} is neither loopback nor public")
    return text


def _parse_level(text: str) -> Level:
    levels: dict[str, Level] = {
        "debug": "debug",
        "info": "info",
        "warning": "warning",
        "error": "error",
    }
    if text not in levels:
        raise ValueError(f"{text!r} is none of {', '.join(LEVELS)}")
    return levels[text]


def _parse_path(text: str) -> str:
    if not text:
        return text
    if not isabs(text) or "\0" in text:
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return normpath(text)


def _parse_containers(text: str) -> tuple[str, ...]:
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


def _parse_label(text: str) -> str:
    if text and not is_dns_label(text):
        raise ValueError(
            f"{text!r} is not a namespace; use lower-case letters, digits and '-', at most 63"
        )
    return text


def _parse_subdomain(text: str) -> str:
    if text and not is_dns_subdomain(text):
        raise ValueError(
            f"{text!r} is not a Kubernetes name; use lower-case letters, digits, '-' and '.'"
        )
    return text


_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
_MAX_SECONDS = 86400
_MIN_SECONDS = 0.05


def _parse_seconds(text: str) -> float:
    if _SECONDS.fullmatch(text) is None or not _MIN_SECONDS <= float(text) <= _MAX_SECONDS:
        raise ValueError(
            f"{text!r} is not a number of seconds from {_MIN_SECONDS} to {_MAX_SECONDS}"
        )
    return float(text)


def _parse_whole(text: str, least: int, most: int) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def _parse_head_bytes(text: str) -> int:
    # The API server itself answers 431 above 1 MiB.
    return _parse_whole(text, 4096, 1 << 20)


def _parse_connections(text: str) -> int:
    return _parse_whole(text, 0, 1_000_000)


def _find_conflicts(settings: Settings, failed: set[str]) -> list[str]:
    errors = []
    if not failed & {"MCA_API_LISTEN", "MCA_ADMIN_LISTEN"}:
        errors += [
            f"MCA_ADMIN_LISTEN: {admin} is already taken by MCA_API_LISTEN {api};"
            " give it another port"
            for admin in settings.admin_listen
            for api in settings.api_listen
            if _overlap(admin, api)
        ]
    folders = (settings.identity_dir, settings.clients_dir)
    if not failed & {"MCA_IDENTITY_DIR", "MCA_CLIENTS_DIR"} and _nested(*folders):
        # The application sees the one; the other holds the private key.
        errors.append(
            f"MCA_CLIENTS_DIR: {folders[1]} and MCA_IDENTITY_DIR {folders[0]} lie in each other;"
            " give them folders apart"
        )
    return errors


def _nested(one: str, other: str) -> bool:
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)


def _is_unknown(variable: str) -> bool:
    return (
        variable.startswith("MCA_")
        and variable not in _DEFAULTS
        and _SERVICE_LINK.fullmatch(variable) is None
    )
