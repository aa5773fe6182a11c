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

# Those that Kubernetes 1.36 makes of a PUT; tests/oracle asks a real server.
_RBAC: Final = "rbac.authorization.k8s.io"
_CREATED_BY_UPDATE: Final = frozenset(
    {
        ("", "endpoints"),
        ("", "events"),
        ("", "limitranges"),
        ("", "services"),
        ("coordination.k8s.io", "leases"),
        ("events.k8s.io", "events"),
        ("node.k8s.io", "runtimeclasses"),
        (_RBAC, "clusterrolebindings"),
        (_RBAC, "clusterroles"),
        (_RBAC, "rolebindings"),
        (_RBAC, "roles"),
    }
)
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


def may_create(info: RequestInfo) -> bool:
    """Whether the call, though no create, may make an object that is not there."""
    if info.subresource:
        return False
    return info.verb == "patch" or (
        info.verb == "update" and (info.group, info.resource) in _CREATED_BY_UPDATE
    )


def creates(info: RequestInfo, body: Body) -> bool | Denial:
    """Whether a call that may create could do so with this body.

    Of the patches only a server-side apply does. An update that says its object's uid does not: the
    server answers 409 where that object is gone.
    """
    if info.verb == "patch":
        return body.content_type.strip().lower().startswith("application/apply-patch")
    meta = read_meta(info.verb, body)
    return meta if isinstance(meta, Denial) else not meta.uid


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
