"""Owns the kinds that no wildcard covers: what they do is more than "everything" usually means.

It must not decide: permissions and routes ask it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo

_AUTHENTICATION: Final = "authentication.k8s.io"
_AUTHORIZATION: Final = "authorization.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io"
_READS: Final = frozenset({"get", "list", "watch"})
_RBAC_KINDS: Final = frozenset({"roles", "rolebindings", "clusterroles", "clusterrolebindings"})

# They ask about others, and have neither objects nor a scope worth the name.
_REVIEWS: Final = frozenset(
    {
        (_AUTHENTICATION, "tokenreviews"),
        (_AUTHORIZATION, "subjectaccessreviews"),
        (_AUTHORIZATION, "localsubjectaccessreviews"),
    }
)
_BINDINGS: Final = frozenset({("bindings", ""), ("pods", "binding")})
# A lock or an event that is seen through two clusters is two: only a route that names them moves
# them.
_WHOLE: Final = frozenset(
    {("coordination.k8s.io", "leases"), ("", "events"), ("events.k8s.io", "events")}
)
# Groups and resources that a route takes only by their name.
STAYS_HOME: Final = _WHOLE | _REVIEWS
# (group, resources, verbs) of all that an allow rule covers only by its name, for who lists rules.
RESERVED: Final = (
    (_AUTHENTICATION, ("tokenreviews",), ("*",)),
    (_AUTHORIZATION, ("subjectaccessreviews", "localsubjectaccessreviews"), ("*",)),
    (
        _RBAC,
        tuple(sorted(_RBAC_KINDS)),
        ("create", "update", "patch", "delete", "deletecollection"),
    ),
    ("", ("bindings", "pods/binding"), ("*",)),
)


def is_review(info: RequestInfo) -> bool:
    """Whether it asks the API server about somebody else."""
    return (info.group, info.resource) in _REVIEWS


def is_reserved(info: RequestInfo) -> bool:
    """Whether an allow rule must name the group and the resource to cover it."""
    if info.group == _RBAC:
        return info.resource in _RBAC_KINDS and info.verb not in _READS
    if info.group == "":
        return (info.resource, info.subresource) in _BINDINGS
    return is_review(info)


def stays_home(info: RequestInfo) -> bool:
    """Whether a route must name the group and the resource to take it."""
    return (info.group, info.resource) in STAYS_HOME
