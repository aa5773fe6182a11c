"""Owns the reading of a Tenant: whose namespaces, which clusters, what may be done, what is made.

A part that cannot be read makes the whole Tenant invalid, and its namespaces closed: a deny that
were left out would widen it. Only routes are judged one by one. Must not judge namespaces: claims
do.
"""

from typing import Any, Final, Literal, NamedTuple

from sidecar.policy.fields import Check
from sidecar.policy.snapshot_tenant import read_tenant
from webhook.resources.choices import NamespaceChoice, judge_choice, read_choice
from webhook.resources.meta import (
    Invalid,
    Meta,
    RawDocument,
    documents,
    mapping,
    read_meta,
    text_list,
)
from webhook.resources.readings import as_fields, given, problems_of
from webhook.resources.routes import judge_route, list_clusters

_PLACES: Final = {"tenant.name": "metadata.name", "tenant": "spec"}


class Owner(NamedTuple):
    """Who gets the profile's rights in the tenant's namespaces."""

    kind: Literal["User", "Group", "ServiceAccount"]
    name: str
    namespace: str = ""


class Network(NamedTuple):
    """Whether pods are kept apart, and what is let through, as rules of a NetworkPolicy."""

    isolate: bool = False
    ingress: tuple[RawDocument, ...] = ()
    egress: tuple[RawDocument, ...] = ()


class AdminRoute(NamedTuple):
    """A route that the Tenant itself names; with problems it counts for nothing."""

    name: str
    priority: int
    entry: RawDocument
    problems: tuple[str, ...] = ()

    @property
    def clusters(self) -> tuple[str, ...]:
        return () if self.problems else list_clusters(self.entry["to"])


class Tenant(NamedTuple):
    """A Tenant. Permissions, cluster resources and limits are as a snapshot has them."""

    meta: Meta
    mode: Literal["enforce", "audit"] = "enforce"
    namespaces: NamespaceChoice = NamespaceChoice()
    boundary: Literal["enforced", "none"] = "enforced"
    clusters: tuple[str, ...] = ()
    permissions: tuple[RawDocument, ...] = ()
    cluster_resources: tuple[RawDocument, ...] = ()
    limits: RawDocument | None = None
    routes: tuple[AdminRoute, ...] = ()
    profile: Literal["standard", "elevated", "custom"] = "standard"
    roles: tuple[str, ...] = ()
    owners: tuple[Owner, ...] = ()
    service_accounts: tuple[str, ...] = ()
    quota: dict[str, str] = {}  # noqa: RUF012
    container_limits: tuple[RawDocument, ...] = ()
    network: Network = Network()
    on_members: bool = False

    @property
    def name(self) -> str:
        return self.meta.name

    @property
    def uid(self) -> str:
        return self.meta.uid


def parse_tenant(document: RawDocument) -> Tenant | Invalid:
    """The Tenant, or all that is wrong with it."""
    meta = read_meta(document)
    spec = mapping(document.get("spec"))
    choice = mapping(spec.get("namespaces"))
    problems = (*_judge_rules(meta.name, spec), *_judge_words(spec), *judge_choice(choice))
    if problems:
        return Invalid(meta, problems)
    return Tenant(
        meta,
        mode=spec.get("mode", "enforce"),
        namespaces=read_choice(choice),
        boundary=spec.get("boundary", "enforced"),
        clusters=tuple(dict.fromkeys(text_list(spec.get("clusters")))),
        permissions=documents(spec.get("permissions")),
        cluster_resources=documents(spec.get("clusterResources")),
        limits=spec.get("limits"),
        routes=_read_routes(spec.get("routes")),
        profile=spec.get("profile", "standard"),
        roles=text_list(spec.get("roles")),
        owners=tuple(map(_read_owner, documents(spec.get("owners")))),
        service_accounts=text_list(spec.get("serviceAccounts")),
        quota=_read_quantities(spec.get("quota")),
        container_limits=documents(spec.get("containerLimits")),
        network=_read_network(mapping(spec.get("network"))),
        on_members=spec.get("onMembers") is True,
    )


def _judge_rules(name: str, spec: RawDocument) -> tuple[str, ...]:
    """Everything that becomes the tenant of a snapshot, by the sidecar's own reader."""
    rules = given(
        name=name,
        mode=spec.get("mode", "enforce"),
        namespaces=[],
        permissions=spec.get("permissions", []),
        clusterResources=spec.get("clusterResources"),
        limits=spec.get("limits"),
    )
    check = Check()
    read_tenant(check, as_fields(rules))
    return problems_of(check, _PLACES)


def _judge_words(spec: RawDocument) -> list[str]:
    """Fields that take one of a few words."""
    words = {
        "boundary": ("enforced", "none"),
        "profile": ("standard", "elevated", "custom"),
    }
    problems = [
        f"spec.{field}: must be one of {', '.join(known)}"
        for field, known in words.items()
        if spec.get(field, known[0]) not in known
    ]
    if spec.get("profile") == "custom" and not text_list(spec.get("roles")):
        problems.append("spec.roles: profile custom needs the names of ClusterRoles")
    for index, owner in enumerate(documents(spec.get("owners"))):
        if owner.get("kind") not in ("User", "Group", "ServiceAccount") or not isinstance(
            owner.get("name"), str
        ):
            problems.append(
                f"spec.owners[{index}]: must be a User, a Group or a ServiceAccount with its name"
            )
    return problems


def _read_routes(value: object) -> tuple[AdminRoute, ...]:
    seen: set[str] = set()
    routes = []
    for index, entry in enumerate(documents(value)):
        path = f"spec.routes[{index}]"
        places = {"routes[0]": path}
        name = entry.get("name")
        rest = {key: item for key, item in entry.items() if key != "name"}
        problems = judge_route(name, rest, places)
        if not problems and name in seen:
            problems = (f"{path}.name: {name!r} stands twice: names are unique",)
        seen.add(str(name))
        priority: Any = 0 if problems else entry.get("priority", 0)
        routes.append(AdminRoute(str(name), priority, rest, problems))
    return tuple(routes)


def _read_owner(raw: RawDocument) -> Owner:
    namespace = raw.get("namespace")
    return Owner(raw["kind"], raw["name"], namespace if isinstance(namespace, str) else "")


def _read_network(raw: RawDocument) -> Network:
    allow = mapping(raw.get("allow"))
    return Network(
        raw.get("isolate") is True, documents(allow.get("ingress")), documents(allow.get("egress"))
    )


def _read_quantities(value: object) -> dict[str, str]:
    """Quantities are text or whole numbers, as in a ResourceQuota."""
    return {
        key: str(item)
        for key, item in mapping(value).items()
        if isinstance(item, str | int) and not isinstance(item, bool)
    }
