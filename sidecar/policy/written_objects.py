"""Owns what a decision reads of the object that a call writes: its name and its owners.

A body is asked for only where it can change the outcome. It never widens a scope: namespaces in
bodies are not read. It must not decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policy.index import ObjectName
from sidecar.policy.object_meta import NAME_UNREADABLE, read_meta
from sidecar.policy.plans import writes_object
from sidecar.policy.verdict import Denial, NeedBody, Reason

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.verdict import Body

_OWNED: Final = Denial(
    Reason.FORBIDDEN,
    "route/owner-references",
    "another cluster's garbage collector would delete an object whose owners are not there: "
    "leave out metadata.ownerReferences",
)


def is_named_by_body(info: RequestInfo) -> bool:
    """Whether the object's name stands in the body alone."""
    return not info.name and not info.subresource and info.verb == "create"


def name_of_body(info: RequestInfo, body: Body | None) -> ObjectName | NeedBody | Denial:
    """The name of the object that a create makes."""
    if body is None:
        return NeedBody()
    meta = read_meta(info.verb, body)
    if isinstance(meta, Denial):
        return meta
    if meta.name is None:
        return NAME_UNREADABLE
    return ObjectName(meta.name, "" if meta.name else meta.generate_name)


def may_apply(info: RequestInfo) -> bool:
    """Whether the call may be a server-side apply, which creates what is not there."""
    return info.verb == "patch" and not info.subresource


def is_apply(body: Body) -> bool:
    """Whether the server would read the body as a server-side apply."""
    return body.content_type.strip().lower().startswith("application/apply-patch")


def judge_owners(info: RequestInfo, body: Body | None) -> NeedBody | Denial | None:
    """Refuse an object that says who owns it: for clusters where the owners are not."""
    if not writes_object(info):
        return None
    if body is None:
        return NeedBody()
    if not body.content:
        return None
    meta = read_meta(info.verb, body)
    if isinstance(meta, Denial):
        return meta
    return _OWNED if meta.has_owners else None
