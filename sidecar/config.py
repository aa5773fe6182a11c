"""Owns the settings: the one table of variables, and how the environment becomes `Settings`.

Must not read files, resolve names or know what a setting is used for. Every error is reported at
once, each names its variable and says what to write instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sidecar.setting_values import (
    Address as Address,
    overlap,
    parse_addresses,
    parse_connections,
    parse_containers,
    parse_head_bytes,
    parse_label,
    parse_level,
    parse_loopback_addresses,
    parse_members,
    parse_metrics,
    parse_path,
    parse_seconds,
    parse_server,
    parse_subdomain,
    parse_wait,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidecar.log import Level
    from sidecar.pins import Pin

T = TypeVar("T")

EXIT_CONFIG = 64
EXIT_BIND = 69


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
    Setting(
        "MCA_MEMBERS",
        "",
        "the clusters that the pod has tokens for, as JSON; set: home is the pod's own, and each"
        " other cluster must be where this or the broker says",
    ),
    Setting("MCA_MEMBERS_DIR", "/var/run/mca/members", "those tokens: `<cluster>/token`"),
    Setting(
        "MCA_SNAPSHOT_WATCH",
        "",
        "the ConfigMap in `MCA_NAMESPACE` that the snapshot is followed in; needs `MCA_MEMBERS`",
    ),
    Setting(
        "MCA_BROKER", "", "where credentials that lie in no file come from; needs `MCA_MEMBERS`"
    ),
    Setting(
        "MCA_BROKER_TOKEN", "/var/run/mca/broker/token", "the token that is shown to the broker"
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
    Setting(
        "MCA_REFRESH_WAIT",
        "0",
        "seconds that a call refused with 401 waits for a newer credential in its file",
    ),
)
_DEFAULTS = {setting.variable: setting.default for setting in TABLE}


# A NamedTuple takes a tenth of the time that a dataclass takes to import (0.08 ms, not 0.8).
class Limits(NamedTuple):
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
    refresh_wait_s: float


class Settings(NamedTuple):
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
    # By name; None: nothing is pinned.
    members: tuple[tuple[str, Pin], ...] | None
    members_dir: str
    snapshot_watch: str
    broker: str
    broker_token: str
    log_level: Level
    limits: Limits
    # MCA_… variables that mean nothing to us: most likely misspelt, worth a warning.
    unknown: tuple[str, ...]


# Not compiled at every start: hardly any needs it.
_SERVICE_LINK = r".*_(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT(?:_\d+_.*)?)"


def parse_settings(env: Mapping[str, str]) -> Settings | tuple[str, ...]:
    """Read the environment; a tuple holds every error there is, one sentence each."""
    read = _Reader(env)
    settings = Settings(
        api_listen=read("MCA_API_LISTEN", parse_loopback_addresses),
        admin_listen=read("MCA_ADMIN_LISTEN", parse_addresses),
        metrics_public=read("MCA_METRICS", parse_metrics) == "public",
        snapshot_path=read("MCA_SNAPSHOT", parse_path) or None,
        identity_dir=read("MCA_IDENTITY_DIR", parse_path),
        clients_dir=read("MCA_CLIENTS_DIR", parse_path),
        containers=read("MCA_CONTAINERS", parse_containers),
        namespace=read("MCA_NAMESPACE", parse_label),
        pod=read("MCA_POD", parse_subdomain),
        service_account=read("MCA_SERVICE_ACCOUNT", parse_subdomain),
        service_account_dir=read("MCA_SERVICE_ACCOUNT_DIR", parse_path),
        service_host=env.get("KUBERNETES_SERVICE_HOST", ""),
        service_port=env.get("KUBERNETES_SERVICE_PORT", ""),
        members=read("MCA_MEMBERS", parse_members),
        members_dir=read("MCA_MEMBERS_DIR", parse_path),
        snapshot_watch=read("MCA_SNAPSHOT_WATCH", parse_subdomain),
        broker=read("MCA_BROKER", parse_server),
        broker_token=read("MCA_BROKER_TOKEN", parse_path),
        log_level=read("MCA_LOG_LEVEL", parse_level),
        limits=_read_limits(read),
        unknown=tuple(sorted(filter(_is_unknown, env))),
    )
    read.errors.extend(_find_conflicts(settings, read.failed))
    return tuple(read.errors) or settings


def render_settings_table() -> str:
    """The table of the README, in Markdown."""
    rows = "".join(
        f"| `{variable}` | {f'`{default}`' if default else '-'} | {meaning} |\n"
        for variable, default, meaning in TABLE
    )
    return f"| Variable | Default | Meaning |\n|---|---|---|\n{rows}"


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
        head_bytes=read("MCA_HEAD_BYTES", parse_head_bytes),
        handshake_timeout_s=read("MCA_HANDSHAKE_TIMEOUT", parse_seconds),
        head_timeout_s=read("MCA_HEAD_TIMEOUT", parse_seconds),
        body_timeout_s=read("MCA_BODY_TIMEOUT", parse_seconds),
        connect_timeout_s=read("MCA_CONNECT_TIMEOUT", parse_seconds),
        response_timeout_s=read("MCA_RESPONSE_TIMEOUT", parse_seconds),
        idle_timeout_s=read("MCA_IDLE_TIMEOUT", parse_seconds),
        upstream_idle_timeout_s=read("MCA_UPSTREAM_IDLE_TIMEOUT", parse_seconds),
        max_connections=read("MCA_MAX_CONNECTIONS", parse_connections),
        drain_grace_s=read("MCA_DRAIN_GRACE", parse_seconds),
        refresh_wait_s=read("MCA_REFRESH_WAIT", parse_wait),
    )


def _find_conflicts(settings: Settings, failed: set[str]) -> list[str]:
    errors = []
    if not failed & {"MCA_API_LISTEN", "MCA_ADMIN_LISTEN"}:
        errors += [
            f"MCA_ADMIN_LISTEN: {admin} is already taken by MCA_API_LISTEN {api};"
            " give it another port"
            for admin in settings.admin_listen
            for api in settings.api_listen
            if overlap(admin, api)
        ]
    if settings.snapshot_path and _nested(settings.snapshot_path, settings.clients_dir):
        errors.append(
            f"MCA_SNAPSHOT: {settings.snapshot_path} lies in MCA_CLIENTS_DIR"
            f" {settings.clients_dir}, the application's folder; give it another"
        )
    folders = (settings.identity_dir, settings.clients_dir)
    if not failed & {"MCA_IDENTITY_DIR", "MCA_CLIENTS_DIR"} and _nested(*folders):
        # The application sees the one; the other holds the private key.
        errors.append(
            f"MCA_CLIENTS_DIR: {folders[1]} and MCA_IDENTITY_DIR {folders[0]} lie in each other;"
            " give them folders apart"
        )
    return errors + _find_gaps(settings, failed)


def _find_gaps(settings: Settings, failed: set[str]) -> list[str]:
    """What is set in vain without another."""
    needs = {
        "MCA_SNAPSHOT_WATCH": ("MCA_SNAPSHOT", "MCA_NAMESPACE", "MCA_MEMBERS"),
        "MCA_BROKER": ("MCA_MEMBERS",),
        "MCA_MEMBERS": ("MCA_SNAPSHOT",),
    }
    there = {
        "MCA_SNAPSHOT": settings.snapshot_path is not None,
        "MCA_NAMESPACE": bool(settings.namespace),
        "MCA_MEMBERS": settings.members is not None,
        "MCA_SNAPSHOT_WATCH": bool(settings.snapshot_watch),
        "MCA_BROKER": bool(settings.broker),
    }
    return [
        f"{variable}: needs {other}; set that too, or unset both"
        for variable, others in needs.items()
        for other in others
        if there[variable] and not there[other] and other not in failed
    ]


def _nested(one: str, other: str) -> bool:
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)


def _is_unknown(variable: str) -> bool:
    return (
        variable.startswith("MCA_")
        and variable not in _DEFAULTS
        and re.fullmatch(_SERVICE_LINK, variable) is None
    )
