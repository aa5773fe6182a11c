"""Owns what a kubeconfig in a Secret may say: one server and one credential, all of it inline.

A kubeconfig can name programs to run and files to read, where it is read: this one is read in the
control plane. Must not repeat a value in a problem: any may be the secret, in the wrong place.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from sidecar.secret import Secret

# The C loader's is the same language.
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ONE: Final = "`kubectl config view --minify --flatten --raw` prints a kubeconfig with one of each"
_CA: Final = "the Cluster's caBundle counts"
_ALLOWED: Final = {
    "clusters": frozenset({"server", "certificate-authority-data"}),
    "users": frozenset({"token", "client-certificate-data", "client-key-data"}),
    "contexts": frozenset({"cluster", "user", "namespace"}),
}
# What nobody means to hold against a kubeconfig: tools write it.
_PASSED: Final = frozenset({"extensions", "disable-compression"})
_WHY: Final = {
    "certificate-authority": f"names a file: leave it out, {_CA}",
    "insecure-skip-tls-verify": f"the server is always verified: leave it out, {_CA}",
    "proxy-url": "members are called directly, never through a proxy",
    "tls-server-name": "write it into the Cluster's tlsServerName",
    "tokenFile": "names a file: write the token itself",
    "client-certificate": "names a file: write client-certificate-data",
    "client-key": "names a file: write client-key-data",
    "exec": "no program is run for a credential: write a token or a client certificate",
    "auth-provider": "no program is run for a credential: write a token or a client certificate",
    "username": "no API server takes passwords: write a token or a client certificate",
    "password": "no API server takes passwords: write a token or a client certificate",
    "as": "impersonation is not supported: use a user that may do what is needed",
    "as-uid": "impersonation is not supported",
    "as-groups": "impersonation is not supported",
    "as-user-extra": "impersonation is not supported",
}
_FIELD: Final = re.compile(r"[a-z][a-zA-Z-]{0,30}")


@dataclass(frozen=True, slots=True)
class Inline:
    """What a kubeconfig said; each field empty where it says nothing."""

    server: str
    ca: str
    token: Secret | None
    certificate: str
    key: Secret | None


def read_kubeconfig(content: bytes) -> Inline | tuple[str, ...]:
    """All that it says, or all that is wrong with it."""
    try:
        raw = yaml.load(content, _Loader)  # noqa: S506 - it is the safe loader, written in C
    except (yaml.YAMLError, ValueError, RecursionError):
        return ("is not YAML",)
    if not isinstance(raw, dict):
        return ("is no kubeconfig: it must be a mapping",)
    problems: list[str] = []
    cluster, user, context = (
        _read_only(raw, plural, problems) for plural in ("clusters", "users", "contexts")
    )
    if not problems:
        _check_references(raw, problems)
    if problems:
        return tuple(problems)
    for plural, entry in (("clusters", cluster), ("users", user), ("contexts", context)):
        problems += _list_refused(plural, entry)
    server = _text(cluster, "server", problems)
    ca = _decode(cluster, "certificate-authority-data", problems)
    token = _text(user, "token", problems)
    certificate = _decode(user, "client-certificate-data", problems)
    key = _decode(user, "client-key-data", problems)
    if problems:
        return tuple(problems)
    secrets = [Secret(text.encode()) if text else None for text in (token, key)]
    return Inline(server, ca, secrets[0], certificate, secrets[1])


def _read_only(raw: dict[str, Any], plural: str, problems: list[str]) -> dict[str, Any]:
    """The one entry of a list."""
    entries, singular = raw.get(plural), plural[:-1]
    if not isinstance(entries, list) or len(entries) != 1:
        problems.append(f"{plural}: must be a list of one: {_ONE}")
        return {}
    entry = entries[0]
    value = entry.get(singular) if isinstance(entry, dict) else None
    if not isinstance(value, dict):
        problems.append(f"{plural}[0]: must have a name and a {singular}")
        return {}
    return value


def _check_references(raw: dict[str, Any], problems: list[str]) -> None:
    """Of one entry of each kind, but of another name, somebody has left out what was meant."""
    context = raw["contexts"][0]
    problems += [
        f"contexts[0].context.{kind}: is not the {kind} that is there"
        for kind in ("cluster", "user")
        if context["context"].get(kind) != raw[f"{kind}s"][0].get("name")
    ]
    if raw.get("current-context") != context.get("name"):
        problems.append("current-context: is not the context that is there")


def _list_refused(plural: str, entry: dict[str, Any]) -> list[str]:
    known = _ALLOWED[plural] | _PASSED
    given = [str(field) for field, value in entry.items() if value not in (None, False, "")]
    return [
        f"{plural}[0].{plural[:-1]}.{field}: {_WHY.get(field, 'is not known')}"
        if _FIELD.fullmatch(field)
        else f"{plural}[0].{plural[:-1]}: has a field that is not known"
        for field in given
        if field not in known
    ]


def _text(entry: dict[str, Any], field: str, problems: list[str]) -> str:
    value = entry.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        problems.append(f"{field}: must be a string")
        return ""
    return value


def _decode(entry: dict[str, Any], field: str, problems: list[str]) -> str:
    text = _text(entry, field, problems)
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        problems.append(f"{field}: must be base64 of PEM")
        return ""
