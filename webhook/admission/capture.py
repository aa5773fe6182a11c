"""Owns capture by name: what makes the API server's DNS names lead to the sidecar in a pod.

Host aliases lead them to loopback, and a sysctl lets any user bind the port that clients then
dial. Must not know the sidecar's container, which listens there.

The bare name `kubernetes` is not among them: it means the API in namespace default alone, and in
any other a Service that may be called so.
"""

from collections.abc import Iterator
from typing import Final

from webhook.admission.names import CAPTURE
from webhook.admission.outcome import RawObject, Refusal

PORT: Final = 443
NAMES: Final = (
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
# With one family alone, a lookup of the other would go on to the cluster's DNS.
ADDRESSES: Final = ("127.0.0.1", "::1")
SYSCTL: Final = "net.ipv4.ip_unprivileged_port_start"
# Every port, as containerd 2 has it: 443 would take lower ones from an application that has them.
# 0 says the same; this is told from it when the sidecar is taken out.
_LOWEST_PORT: Final = "1"


def find_conflicts(spec: RawObject) -> Iterator[Refusal]:
    """What the pod says itself of these names and of that sysctl."""
    for alias in spec.get("hostAliases") or ():
        taken = [name for name in alias.get("hostnames") or () if name in NAMES]
        if taken and alias.get("ip") not in ADDRESSES:
            yield Refusal(
                "host-alias-conflict",
                f"spec.hostAliases: {taken[0]} leads to {alias.get('ip')}, and {CAPTURE} leads it"
                f" to the sidecar: leave out that alias, or dns in {CAPTURE}",
            )
    for sysctl in _list_sysctls(spec.get("securityContext") or {}):
        if _is_port_start(sysctl) and not _allows_port(sysctl.get("value")):
            yield Refusal(
                "sysctl-conflict",
                f"spec.securityContext.sysctls: {SYSCTL} is {sysctl.get('value')}, and the sidecar"
                f" needs port {PORT}: make it {PORT} or less, or leave out dns in {CAPTURE}",
            )


def add_capture(spec: RawObject) -> RawObject:
    """The fields of the spec that change; those that are as they should be stay the same objects.

    Entries that are there already are completed: an IP may stand in one alias only.
    """
    changed: RawObject = {}
    aliases = spec.get("hostAliases") or []
    if (completed := _complete(aliases)) != aliases:
        changed["hostAliases"] = completed
    security = spec.get("securityContext") or {}
    sysctls = _list_sysctls(security)
    if not any(map(_is_port_start, sysctls)):
        ours = {"name": SYSCTL, "value": _LOWEST_PORT}
        changed["securityContext"] = {**security, "sysctls": [*sysctls, ours]}
    return changed


def remove_capture(spec: RawObject) -> RawObject:
    """The spec without what `add_capture` adds."""
    aliases = []
    for alias in spec.get("hostAliases") or ():
        names = alias.get("hostnames") or []
        kept = [name for name in names if alias.get("ip") not in ADDRESSES or name not in NAMES]
        if kept == names:
            aliases.append(alias)
        elif kept:
            aliases.append({**alias, "hostnames": kept})
    security = spec.get("securityContext") or {}
    sysctls = [
        item
        for item in _list_sysctls(security)
        if not (_is_port_start(item) and item.get("value") == _LOWEST_PORT)
    ]
    restored = {**spec, "hostAliases": aliases, "securityContext": {**security, "sysctls": sysctls}}
    if not sysctls:
        del restored["securityContext"]["sysctls"]
    for key in ("hostAliases", "securityContext"):
        if not restored[key]:
            del restored[key]
    return restored


def _complete(aliases: list[RawObject]) -> list[RawObject]:
    completed = list(aliases)
    for address in ADDRESSES:
        place = next((i for i, item in enumerate(aliases) if item.get("ip") == address), None)
        if place is None:
            completed.append({"ip": address, "hostnames": list(NAMES)})
            continue
        names = aliases[place].get("hostnames") or []
        if missing := [name for name in NAMES if name not in names]:
            completed[place] = {**aliases[place], "hostnames": [*names, *missing]}
    return completed


def _list_sysctls(security: RawObject) -> list[RawObject]:
    return security.get("sysctls") or []


def _is_port_start(sysctl: RawObject) -> bool:
    """Kubernetes takes names with slashes, too."""
    return str(sysctl["name"]).replace("/", ".") == SYSCTL


def _allows_port(value: object) -> bool:
    text = str(value)
    return text.isascii() and text.isdigit() and len(text) <= len("65535") and int(text) <= PORT
