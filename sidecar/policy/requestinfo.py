"""Owns what a request asks for, in the API server's words: a RequestInfo.

It equals what RequestInfoFactory of Kubernetes 1.36 makes of the same request. The verb, the
group, the name and so on are what the server will authorize and write to its audit log; a
difference would let one thing be decided and another be done. tests/oracle holds both against the
real code. It must not decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.verdict import Denial, Reason, shown

if TYPE_CHECKING:
    from sidecar.policy.target import Target

_VERBS: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_SPECIAL_VERBS: Final = frozenset({"proxy", "watch"})
_NAMESPACE_SUBRESOURCES: Final = frozenset({"status", "finalize"})
_VERBS_WITH_SELECTORS: Final = frozenset({"list", "watch", "deletecollection"})
_LONG_RUNNING_SUBRESOURCES: Final = frozenset({"attach", "exec", "log", "portforward", "proxy"})
# Of pods: they become tunnels.
UPGRADES: Final = frozenset({"attach", "exec", "portforward"})
# What callers ask about themselves, with its group; each is made by a create.
SELF_REVIEWS: Final = {
    "selfsubjectaccessreviews": "authorization.k8s.io",
    "selfsubjectrulesreviews": "authorization.k8s.io",
    "selfsubjectreviews": "authentication.k8s.io",
}


class RequestInfo(NamedTuple):
    """One request as the server understands it.

    The fields up to `label_selector` are RequestInfoFactory's own; "" is "none". The rest is what
    decisions also read. A NamedTuple: a frozen dataclass takes four times as long to make.
    """

    is_resource: bool
    path: str
    verb: str
    api_prefix: str = ""
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    container: str = ""
    insecure_backend: bool = False
    long_running: bool = False
    is_upgrade: bool = False

    @property
    def watch(self) -> bool:
        return self.verb == "watch"

    @property
    def judged_verb(self) -> str:
        """The verb that decisions read.

        Upgrades run something in a pod: `create`, though a WebSocket comes as a GET.
        """
        return "create" if self.is_upgrade else self.verb


def is_namespace_object(info: RequestInfo) -> bool:
    """Whether it is about namespaces themselves: the one in the path is the object's own name.

    `namespaces` within a namespace are not: the server knows of none.
    """
    if info.resource != "namespaces" or info.group != "":
        return False
    return info.namespace in ("", info.name)


def request_info(method: str, target: Target) -> RequestInfo | Denial:
    """What RequestInfoFactory.NewRequestInfo returns for it.

    A Denial for what the server refuses or we do not pass.
    """
    verb = _VERBS.get(method)
    if verb is None:
        return Denial(
            Reason.METHOD_NOT_ALLOWED,
            "request/method",
            f"the method {shown(method)!r} is not served: "
            "use GET, HEAD, POST, PUT, PATCH or DELETE",
        )
    parts = target.segments
    # The resource begins behind /api/{version} or /apis/{group}/{version}; shorter paths are
    # discovery.
    prefix = parts[0] if len(parts) > 2 else ""
    if prefix == "api":
        return _resource_info(target, method, verb, "", 2)
    if prefix == "apis":
        if len(parts) > 3:
            return _resource_info(target, method, verb, parts[1], 3)
        return RequestInfo(False, target.path, method.lower(), "apis")
    return RequestInfo(False, target.path, method.lower())


def _resource_info(
    target: Target, method: str, verb: str, group: str, at: int
) -> RequestInfo | Denial:
    parts = target.segments
    version = parts[at - 1]
    via_prefix = parts[at] in _SPECIAL_VERBS
    if via_prefix:
        verb = parts[at]
        at += 1
        refused = _judge_special(method, verb, missing=at == len(parts))
        if refused is not None:
            return refused
    namespace = ""
    if parts[at] == "namespaces" and len(parts) > at + 1:
        namespace = parts[at + 1]
        if len(parts) > at + 2 and parts[at + 2] not in _NAMESPACE_SUBRESOURCES:
            at += 2
    resource = parts[at]
    name = parts[at + 1] if len(parts) > at + 1 else ""
    subresource = parts[at + 2] if len(parts) > at + 2 and verb != "proxy" else ""
    query = dict(target.query) if target.query else _NO_QUERY
    if not name:
        if verb == "get" and _costs_much(query):
            return _COSTLY
        verb, name = _judge_nameless(verb, query)
    selects = bool(query) and verb in _VERBS_WITH_SELECTORS and not via_prefix
    return RequestInfo(
        True,
        target.path,
        verb,
        parts[0],
        group,
        version,
        namespace,
        resource,
        subresource,
        name,
        query.get("fieldSelector", "") if selects else "",
        query.get("labelSelector", "") if selects else "",
        query.get("container", ""),
        is_true(query.get("insecureSkipTLSVerifyBackend", "false")),
        verb in _SPECIAL_VERBS or subresource in _LONG_RUNNING_SUBRESOURCES,
        subresource in UPGRADES and resource == "pods" and group == "",
    )


_NO_QUERY: Final[dict[str, str]] = {}


def _judge_special(method: str, verb: str, *, missing: bool) -> Denial | None:
    """The legacy /watch/ and /proxy/ prefixes.

    The verb comes from the path, whatever the method is.
    """
    if missing:
        return Denial(
            Reason.BAD_REQUEST,
            "request/incomplete",
            f"the path ends at /{verb}: name the resource, or list and watch it with ?watch=true",
        )
    if verb == "watch" and method not in ("GET", "HEAD"):
        return Denial(
            Reason.METHOD_NOT_ALLOWED,
            "request/method",
            f"{method} under /watch/ is not served: a watch is a GET",
        )
    return None


# Client libraries send a few hundred bytes where they watch one object by its name; to tell whether
# the server would read the name takes a microsecond a byte.
_MAX_SELECTOR: Final = 2048
_COSTLY: Final = Denial(
    Reason.BAD_REQUEST,
    "request/selectors",
    f"a field selector on metadata.name stands with selectors of more than {_MAX_SELECTOR} "
    "characters: get the object by its name, or select by labels alone",
)


def _costs_much(query: dict[str, str]) -> bool:
    fields = query.get("fieldSelector", "")
    if "metadata.name" not in fields:
        return False
    return max(len(fields), len(query.get("labelSelector", ""))) > _MAX_SELECTOR


def _judge_nameless(verb: str, query: dict[str, str]) -> tuple[str, str]:
    """Verb and name of a request whose path names no object."""
    if verb == "get":
        verb = "watch" if is_true(query.get("watch", "false")) else "list"
        if "fieldSelector" not in query:
            return verb, ""
        # Eight patterns are compiled with it, which every start would pay for and few calls need.
        from sidecar.policy.selectors import name_in_list_options

        return verb, name_in_list_options(query)
    return ("deletecollection" if verb == "delete" else verb), ""


def is_true(value: str) -> bool:
    """A query value as apimachinery reads a bool.

    Everything but `0` and `false` is true, the empty string too.
    """
    return value != "0" and value.lower() != "false"
