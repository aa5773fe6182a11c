"""Owns what a tenant says of one call on a resource, from the scope of its kind to its permissions.

It must not know where the call goes, but for the members that may tell of the kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.policy.kind_scope import scope_of
from sidecar.policy.tenancy import (
    Allowed,
    judge_kind,
    judge_scope,
    may_allow,
    refuse_by_default,
)
from sidecar.policy.verdict import Denial, NeedBody, NeedScope
from sidecar.policy.written_objects import creates, may_create

if TYPE_CHECKING:
    from sidecar.policy.index import ObjectName
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.scopes import Scopes
    from sidecar.policy.tenancy import Tenancy
    from sidecar.policy.verdict import Body, Caller


def judge_call(
    tenancy: Tenancy,
    scopes: Scopes,
    caller: Caller,
    info: RequestInfo,
    name: ObjectName,
    members: tuple[str, ...],
) -> Allowed | Denial | NeedScope:
    """Scope first, then cluster resources and permissions; `members` may tell of the kind."""
    namespaced = scope_of(scopes, info, members)
    if isinstance(namespaced, NeedScope) and not may_allow(tenancy, info, caller):
        # Nobody is asked on behalf of a call that is refused anyway.
        return refuse_by_default(tenancy, info, name)
    if not isinstance(namespaced, bool):
        return namespaced
    refused = judge_scope(tenancy, info, namespaced=namespaced)
    if refused is not None:
        return refused
    return judge_kind(tenancy, info, caller, name, namespaced=namespaced)


def judge_written(
    tenancy: Tenancy,
    scopes: Scopes,
    caller: Caller,
    info: RequestInfo,
    name: ObjectName,
    members: tuple[str, ...],
    body: Body | None,
) -> Allowed | Denial | NeedBody | NeedScope:
    """The same of a call that is made: it must not create what may not be created."""
    changing = judge_call(tenancy, scopes, caller, info, name, members)
    if not may_create(info) or not isinstance(changing, Allowed):
        return changing
    created = info._replace(verb="create")
    creating = judge_call(tenancy, scopes, caller, created, name, members)
    if isinstance(creating, Allowed) and (changing.audited or not creating.audited):
        return changing
    if body is None:
        return NeedBody()
    made = creates(info, body)
    if isinstance(made, Denial):
        return made
    return creating if made else changing
