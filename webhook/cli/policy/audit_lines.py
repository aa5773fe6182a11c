"""Owns how a recorded audit line is read: who asked for what, and what came of it.

Must not decide. A line holds all that a decision reads of the request line, and nothing of bodies.
"""

import json
from typing import Any, NamedTuple

from sidecar.policy.requestinfo import UPGRADES, RequestInfo
from sidecar.policy.verdict import Caller

# Rules by which the sidecar refuses what policy had permitted.
_AFTER_PERMIT = ("upstream/", "limit/")
_AFTER_PERMIT_RULES = frozenset(
    {
        "http/framing",
        "http/stalled",
        "policy/no-plan",
        "route/accept",
        "route/body",
        "route/changed",
        "route/foreign-write",
        "route/moved",
        "route/version",
        "snapshot/cluster",
    }
)
# Rules that speak before policy does, or where it could not.
_BEFORE_POLICY = ("http/", "identity/", "internal/", "overload/", "request/", "target/")
_BEFORE_POLICY_RULES = frozenset(
    {
        "policy/changed",
        "policy/undecided",
        "snapshot/none",
        "tenant/unknown-kind",
        "tenant/unknown-scope",
    }
)


class Outcome(NamedTuple):
    """What a decision came to; `rule` "" is not known, `members` are all that may have served."""

    permitted: bool
    rule: str
    route: str = ""
    members: tuple[str, ...] = ()


class Record(NamedTuple):
    """One call as it was recorded; `outcome` None: policy did not decide it."""

    ident: str
    caller: Caller
    info: RequestInfo
    outcome: Outcome | None


class NotAudit(NamedTuple):
    """A line of something else, such as the log's."""


class Unreadable(NamedTuple):
    """A line that is no audit line of a known form; why."""

    why: str


def read_line(line: bytes) -> Record | NotAudit | Unreadable:
    """Read one line."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return Unreadable("no JSON")
    if not isinstance(raw, dict):
        return Unreadable("no JSON object")
    if raw.get("type") != "audit":
        return NotAudit() if "type" in raw else Unreadable("no audit line")
    if raw.get("v") != 1:
        return Unreadable("an audit line of another version")
    if not all(isinstance(raw.get(key, ""), str) for key in _TEXTS):
        return Unreadable("an audit line with a field of another type")
    return _read(raw)


_TEXTS = (
    "id", "caller", "pod", "namespace", "serviceAccount", "verb", "group", "version", "resource",
    "subresource", "objectNamespace", "name", "path", "fieldSelector", "labelSelector",
    "targetContainer", "insecureBackend", "decision", "rule", "route", "member",
)  # fmt: skip


def _read(raw: dict[str, Any]) -> Record | Unreadable:
    def text(key: str) -> str:
        found: str = raw.get(key, "")
        return found

    rule = text("rule")
    if not rule or text("decision") not in ("permit", "denial"):
        return Unreadable("an audit line without a decision")
    caller = Caller(text("caller"), text("namespace"), text("serviceAccount"), text("pod"))
    group, resource, subresource = text("group"), text("resource"), text("subresource")
    info = RequestInfo(
        bool(resource),
        text("path"),
        text("verb"),
        api_prefix="apis" if group else "api",
        group=group,
        version=text("version"),
        namespace=text("objectNamespace"),
        resource=resource,
        subresource=subresource,
        name=text("name"),
        field_selector=text("fieldSelector"),
        label_selector=text("labelSelector"),
        container=text("targetContainer"),
        insecure_backend=bool(text("insecureBackend")),
        is_upgrade=(group, resource) == ("", "pods") and subresource in UPGRADES,
    )
    decided = bool(info.verb and caller.container)
    permitted = text("decision") == "permit"
    outcome = _read_outcome(permitted, rule, text("route"), text("member")) if decided else None
    return Record(text("id"), caller, info, outcome)


def _read_outcome(permitted: bool, rule: str, route: str, member: str) -> Outcome | None:
    if rule.startswith(_AFTER_PERMIT) or rule in _AFTER_PERMIT_RULES:
        # Without a member it was refused while a decision waited for something.
        return Outcome(True, "", route, (member,)) if member else None
    if rule.startswith(_BEFORE_POLICY) or rule in _BEFORE_POLICY_RULES:
        return None
    if permitted:
        return Outcome(True, rule, route, (member,) if member else ())
    return Outcome(False, rule)
