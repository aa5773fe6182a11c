"""Owns the definitions of the custom resources, as they are installed.

One source for manifests, chart and `mca install`. Must not hold a schema: those are in schemas.
"""

from typing import Final, NamedTuple

from webhook.resources.meta import RawDocument
from webhook.resources.names import CATEGORY, GROUP, PLURALS, VERSION, Kind
from webhook.resources.schemas.cluster import cluster_schema
from webhook.resources.schemas.route import route_schema
from webhook.resources.schemas.tenant import tenant_schema


class _Column(NamedTuple):
    """What `kubectl get` shows; those that are wide with -o wide only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


_AGE: Final = _Column("Age", ".metadata.creationTimestamp", "date")
_SHORT_NAMES: Final[dict[Kind, str]] = {"Cluster": "mcl", "Tenant": "mtn", "Route": "mrt"}


def build_definitions() -> list[RawDocument]:
    """One for each kind."""
    return [
        _define("Cluster", "Cluster", cluster_schema(), _cluster_columns()),
        _define("Tenant", "Cluster", tenant_schema(), _tenant_columns()),
        _define("Route", "Namespaced", route_schema(), _route_columns()),
    ]


def _define(
    kind: Kind, scope: str, schema: RawDocument, columns: tuple[_Column, ...]
) -> RawDocument:
    plural = PLURALS[kind]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [_SHORT_NAMES[kind]],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_render(column) for column in columns],
                }
            ],
        },
    }


def _cluster_columns() -> tuple[_Column, ...]:
    return (
        _condition("Accepted"),
        _condition("Ready"),
        _condition("Enforced"),
        _Column("Version", ".status.version"),
        _Column("Latency ms", ".status.latencyMilliseconds", "integer"),
        _AGE,
        _Column("Server", ".spec.server", wide=True),
        _reason(),
    )


def _tenant_columns() -> tuple[_Column, ...]:
    return (
        _Column("Mode", ".spec.mode"),
        _Column("Boundary", ".spec.boundary"),
        _Column("Clusters", ".spec.clusters"),
        _condition("Accepted"),
        _condition("Ready"),
        _Column("Sidecars", ".status.sidecars.total", "integer"),
        _Column("Old", ".status.sidecars.old", "integer"),
        _AGE,
        _Column("Namespaces", ".status.namespaces", wide=True),
        _reason(),
    )


def _route_columns() -> tuple[_Column, ...]:
    return (
        _Column("Priority", ".spec.priority", "integer"),
        _Column("Cluster", ".spec.to.members[*].cluster"),
        _condition("Accepted"),
        _reason(wide=False),
        _AGE,
    )


def _condition(name: str) -> _Column:
    return _Column(name, f'.status.conditions[?(@.type=="{name}")].status')


def _reason(*, wide: bool = True) -> _Column:
    return _Column("Reason", '.status.conditions[?(@.type=="Accepted")].reason', wide=wide)


def _render(column: _Column) -> RawDocument:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return shown | ({"priority": 1} if column.wide else {})
