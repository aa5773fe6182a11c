"""The oracle of tenancy: reads the API servers' own audit logs, and says what should not be there.

Owns what "within the tenant" means, written down a second time and in the simplest way: it must not
import anything of the sidecar.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from tests.controlplane.audit_log import RawEvent
from tests.tenancy.town import MARKER, MARKER_BASE64

# Who else writes to the log: the test's own calls, and the API server's.
NOT_JUDGED = frozenset({"admin", "system:apiserver"})
OPEN_PATHS = frozenset({"", "/version", "/healthz", "/livez", "/readyz"})
OPEN_TREES = frozenset({"api", "apis", "openapi"})
NOT_OPEN = "a path that is not open"
SELF_REVIEWS = frozenset(
    {
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    }
)


class Bounds(NamedTuple):
    """What a tenant may reach: its namespaces, the clusterResources and denials of its snapshot."""

    user: str
    namespaces: Collection[str]
    cluster_resources: Sequence[Mapping[str, Any]]
    denials: Sequence[Mapping[str, Any]]
    scopes: Mapping[tuple[str, str], bool]


def find_breaches(events: Iterable[RawEvent], bounds: Bounds) -> Iterator[str]:
    """Each event that a caller of the tenant should not have brought about, with its reason."""
    for event in events:
        if event["user"]["username"] in NOT_JUDGED:
            continue
        for reason in _reasons(event, bounds):
            called = f"{event['verb']} {event['requestURI']}"
            yield f"{reason}: {called} -> {event.get('responseStatus', {}).get('code')}"


def _reasons(event: RawEvent, bounds: Bounds) -> Iterator[str]:
    if event["user"]["username"] != bounds.user or "impersonatedUser" in event:
        yield "another user"
    reference = event.get("objectRef")
    if reference is None:
        yield from _path_reasons(event)
        return
    kind = reference.get("apiGroup", ""), reference["resource"]
    if event["verb"] == "create" and kind in SELF_REVIEWS:
        return  # its body may name any namespace: that is no place, but what is asked about
    yield from _scope_reasons(event, kind, bounds)
    if any(_matches(rule, event) for rule in bounds.denials):
        yield "a name that is denied"


def _scope_reasons(event: RawEvent, kind: tuple[str, str], bounds: Bounds) -> Iterator[str]:
    namespace = event["objectRef"].get("namespace", "")
    is_cluster_wide = kind == ("", "namespaces")
    if is_cluster_wide and namespace not in ("", event["objectRef"].get("name", "")):
        yield "a namespace within a namespace"
    if is_cluster_wide or not (namespace or bounds.scopes.get(kind)):
        if not any(_matches(rule, event) for rule in bounds.cluster_resources):
            yield "a kind without namespaces"
    elif not namespace:
        yield "over all namespaces"
    else:
        if namespace not in bounds.namespaces:
            yield "a foreign namespace"
        if bounds.scopes.get(kind) is not True:
            yield "a namespace for a kind that is not known to have any"


def is_discovery(event: RawEvent) -> bool:
    """Whether it asks which kinds there are."""
    if "objectRef" in event or event["verb"] not in ("get", "head"):
        return False
    return unquote(urlsplit(event["requestURI"]).path).split("/")[1] in OPEN_TREES


def _path_reasons(event: RawEvent) -> Iterator[str]:
    path = unquote(urlsplit(event["requestURI"]).path)
    is_open = path.rstrip("/") in OPEN_PATHS and event["verb"] in ("get", "head")
    if not is_open and not is_discovery(event):
        yield NOT_OPEN


def _matches(rule: Mapping[str, Any], event: RawEvent) -> bool:
    """Only as much as the rules of these tests need: no wildcards but in names."""
    reference = event["objectRef"]
    resource = reference["resource"]
    if "subresource" in reference:
        resource += f"/{reference['subresource']}"
    name = reference.get("name", "")
    return (
        event["verb"] in rule["verbs"]
        and reference.get("apiGroup", "") in rule["groups"]
        and resource in rule["resources"]
        and any(fnmatchcase(name, pattern) for pattern in rule.get("names", ["*"]))
    )


def leaks(content: bytes) -> bool:
    """Whether an answer holds what only the other tenant's objects say."""
    return MARKER.encode() in content or MARKER_BASE64.encode() in content
