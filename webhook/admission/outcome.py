"""Owns what injection can come to, and the raw forms that it works on.

Must not decide. The codes are stable: they are told in warnings, denials and metrics.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.admission.names import LABEL_BOUNDARY, LABEL_INJECTION, LABEL_OPT_OUT

RawObject = dict[str, Any]

SKIP_CODES: Final = (
    "not-enabled", "mirror-pod", "opted-out", "windows", "host-network", "no-token",
)  # fmt: skip
# `host-network` and the other skips are refusals where the boundary is enforced.
REFUSAL_CODES: Final = (
    "malformed", "invalid-annotation", "opt-out-not-allowed", "reserved-name", "reserved-volume",
    "port-conflict", "host-alias-conflict", "sysctl-conflict", "too-many-containers",
    "host-path", "privileged", "capabilities", "host-pid", "host-ipc",
    "share-process-namespace", "system-priority", "sidecar-uid", "token-volume", "image-volume",
    "csi-volume", "volume-type", "proc-mount", "sub-path-expr", "reserved-secret", "busy",
    "too-large",
)  # fmt: skip


class Injected(NamedTuple):
    """The pod with its sidecar; what it shares with the original is the same object."""

    pod: RawObject
    warnings: tuple[str, ...] = ()


class Skip(NamedTuple):
    """The pod stays as it is."""

    code: str
    reason: str


class Refusal(NamedTuple):
    """The pod must not be."""

    code: str
    reason: str


class Namespace(NamedTuple):
    """What a namespace's labels say about the pods in it."""

    enabled: bool
    enforced: bool
    opt_out: bool


def read_namespace(labels: Mapping[str, str]) -> Namespace:
    """An enforced namespace is an enabled one, and nobody opts out of it."""
    enforced = labels.get(LABEL_BOUNDARY) == "enforced"
    return Namespace(
        enabled=enforced or labels.get(LABEL_INJECTION) == "enabled",
        enforced=enforced,
        opt_out=not enforced and labels.get(LABEL_OPT_OUT) == "allowed",
    )
