"""Owns what a sidecar is given to live by the controller's policy: its snapshot, its token for the
broker, and a token for each member that trusts this cluster's.

Must not choose the members: who asks for the sidecar knows them. With MCA_MEMBERS set the sidecar
takes from its snapshot no other server and no other file than stand here.
"""

import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from webhook.admission.names import (
    BROKER_PATH,
    BROKER_VOLUME,
    MEMBERS_PATH,
    MEMBERS_VOLUME,
    POLICY_PATH,
    POLICY_VOLUME,
)
from webhook.admission.outcome import RawObject
from webhook.admission.settings import InjectionSettings
from webhook.resources.names import BROKER_AUDIENCE, POLICY, POLICY_KEY

# The kubelet renews a token at four fifths of its life.
_TOKEN_S: Final = 3600
_TOKEN_FILE: Final = "token"  # noqa: S105 - the name of a file
_WRITE: Final = json.JSONEncoder(separators=(",", ":")).encode


class Member(NamedTuple):
    """A cluster that a pod's sidecar shows a token of its own; `ca` is its certificates' digest."""

    name: str
    server: str
    ca: str
    audience: str
    tls_server_name: str = ""


Members = Sequence[Member]
FindMembers = Callable[[str], Members]


class MemberSource(Protocol):
    """Who knows the members of a namespace's pods; `lacks` says why nobody can be asked yet."""

    @property
    def lacks(self) -> str: ...

    def find(self, namespace: str) -> Members: ...


class NoMembers:
    """For sidecars that live by their own cluster alone."""

    lacks = ""

    def find(self, _namespace: str) -> Members:
        """None."""
        return ()


def list_texts(settings: InjectionSettings, members: Members) -> dict[str, str]:
    """The sidecar's variables for it."""
    if settings.policy == "home":
        return {}
    return {
        "MCA_SNAPSHOT": f"{POLICY_PATH}/{POLICY_KEY}",
        "MCA_SNAPSHOT_WATCH": POLICY,
        "MCA_BROKER": settings.broker,
        "MCA_BROKER_TOKEN": f"{BROKER_PATH}/{_TOKEN_FILE}",
        "MCA_MEMBERS": _WRITE(list(map(_pin, members))),
    }


def _pin(member: Member) -> dict[str, str]:
    """Where its token may be shown."""
    pinned = {"name": member.name, "server": member.server, "ca": member.ca}
    if member.tls_server_name:
        pinned["tlsServerName"] = member.tls_server_name
    return pinned


def list_mounts(settings: InjectionSettings, members: Members) -> list[RawObject]:
    """Where the sidecar has them."""
    if settings.policy == "home":
        return []
    paths = {POLICY_VOLUME: POLICY_PATH, BROKER_VOLUME: BROKER_PATH}
    if members:
        paths[MEMBERS_VOLUME] = MEMBERS_PATH
    return [{"name": name, "mountPath": path, "readOnly": True} for name, path in paths.items()]


def build_volumes(settings: InjectionSettings, members: Members) -> dict[str, RawObject]:
    """The volumes by their names, with the defaults that the API server would add."""
    if settings.policy == "home":
        return {}
    volumes: dict[str, RawObject] = {
        # Optional: a pod that is there before its namespace's snapshot starts, and denies.
        POLICY_VOLUME: {
            "name": POLICY_VOLUME,
            "configMap": {"name": POLICY, "defaultMode": 0o644, "optional": True},
        },
        BROKER_VOLUME: _project(BROKER_VOLUME, [_token(BROKER_AUDIENCE, _TOKEN_FILE)]),
    }
    if members:
        tokens = [_token(each.audience, f"{each.name}/{_TOKEN_FILE}") for each in members]
        volumes[MEMBERS_VOLUME] = _project(MEMBERS_VOLUME, tokens)
    return volumes


def _project(name: str, sources: list[RawObject]) -> RawObject:
    return {"name": name, "projected": {"defaultMode": 0o644, "sources": sources}}


def _token(audience: str, path: str) -> RawObject:
    return {
        "serviceAccountToken": {
            "audience": audience,
            "expirationSeconds": _TOKEN_S,
            "path": path,
        }
    }
