"""Owns the question whether a call's kind has namespaces, by what its members told.

It must not guess, nor let anybody be asked for a group or version that is none: their names become
the path of a call with our own credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.policy.fields import DNS_LABEL, DNS_SUBDOMAIN
from sidecar.policy.requestinfo import is_namespace_object
from sidecar.policy.scopes import ABSENT
from sidecar.policy.verdict import Denial, NeedScope, Reason, shown

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.scopes import Scopes


def scope_of(
    scopes: Scopes, info: RequestInfo, members: tuple[str, ...]
) -> bool | Denial | NeedScope:
    """Whether the kind has namespaces, as the first member tells.

    Where that one has not told, a stand-in's word counts if it narrows: a call that is held to a
    namespace is so on every member. That a kind has none must be the first member's own word.
    """
    if is_namespace_object(info):
        return False
    told = scopes.look(members[0], info.group, info.version, info.resource)
    if told is True or told is False:
        return told
    if told is ABSENT or not _may_exist(info):
        known = f"{info.resource}.{info.group}" if info.group else info.resource
        return Denial(
            Reason.FORBIDDEN,
            "tenant/unknown-kind",
            f"the cluster {members[0]!r} serves no {shown(known)} in version "
            f"{shown(info.version)!r}, so whether it is within the tenant is not known: "
            "check the group, version and plural, or ask again once the kind is installed",
        )
    kind = (info.group, info.version, info.resource)
    others = members[1:]
    if any(scopes.look(other, *kind) is True for other in others):
        return True
    return NeedScope(members[0], *kind, others)


def _may_exist(info: RequestInfo) -> bool:
    """Whether a server could serve a group and version of such names.

    The core group has no version but v1; of another, a self-review need not name one.
    """
    if not info.group:
        return info.version == "v1"
    if DNS_SUBDOMAIN.fullmatch(info.group) is None:
        return False
    return not info.version or DNS_LABEL.fullmatch(info.version) is not None
