"""Owns what a namespace's snapshot would be: of the objects at home, and of files in their place.

It is compiled by the controller's own code. Must not write anything.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import yaml

from sidecar.policy.snapshot import Snapshot, parse_snapshot
from webhook.cli.policy.snapshot_source import SourceError
from webhook.cli.stored import find_document, list_documents
from webhook.controller.compiling.policy import Broker, Case, Compiled, compile_policy
from webhook.kube import Kube, RawDocument
from webhook.resources.claims import judge_claim
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.meta import Invalid, Meta, read_meta
from webhook.resources.names import (
    API_VERSION,
    BROKER_PORT,
    BROKER_SERVICE,
    CLUSTERS_PATH,
    LABEL_TENANT,
    NAMESPACES_PATH,
    ROOT,
    TENANTS_PATH,
)
from webhook.resources.routes import parse_route
from webhook.resources.tenants import Tenant, parse_tenant

_KINDS: Final = ("Cluster", "Tenant", "Route")

Documents = dict[str, dict[str, RawDocument]]  # by kind and name


class Situation(NamedTuple):
    """What came of it, and the Clusters that it may lead to."""

    snapshot: Snapshot
    compiled: Compiled
    clusters: dict[str, RawDocument]
    remarks: tuple[str, ...] = ()


def read_files(paths: Iterable[str], namespace: str) -> Documents:
    """Objects of ours in files; Routes of other namespaces are none of this one's."""
    found: Documents = {kind: {} for kind in _KINDS}
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                documents = [each for each in yaml.safe_load_all(file) if each is not None]
        except OSError as error:
            raise SourceError(f"-f {path}: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise SourceError(f"-f {path}: is not YAML") from None
        for document in documents:
            kind = document.get("kind") if isinstance(document, dict) else None
            if kind not in _KINDS or document.get("apiVersion") != API_VERSION:
                raise SourceError(f"-f {path}: holds something else than {', '.join(_KINDS)}")
            meta = read_meta(document)
            if not meta.name:
                raise SourceError(f"-f {path}: a {kind} without metadata.name: name it")
            if kind != "Route" or meta.namespace in ("", namespace):
                found[kind][meta.name] = document
    return found


def compile_situation(kube: Kube, namespace: str, given: Documents, system: str) -> Situation:
    """As the controller would compile the namespace with these objects."""
    there = find_document(kube, f"{NAMESPACES_PATH}/{namespace}")
    if there is None:
        raise SourceError(f"-n {namespace}: there is no such namespace")
    meta = read_meta(there)
    clusters = _merge(list_documents(kube, CLUSTERS_PATH), given["Cluster"])
    tenants = _merge(list_documents(kube, TENANTS_PATH), given["Tenant"])
    routes = _merge(list_documents(kube, f"{ROOT}/namespaces/{namespace}/routes"), given["Route"])
    parsed_tenants = {name: parse_tenant(each) for name, each in tenants.items()}
    parsed_clusters = {name: parse_cluster(each) for name, each in clusters.items()}
    claim = judge_claim(meta, parsed_tenants, system)
    compiled = compile_policy(
        Case(
            meta,
            claim,
            _list_held(kube, claim.tenant, parsed_tenants, system),
            parsed_clusters,
            tuple(map(parse_route, routes.values())),
            _invent_broker(parsed_clusters.values(), system),
        )
    )
    snapshot = parse_snapshot(compiled.content.encode())
    if not isinstance(snapshot, Snapshot):
        raise SourceError("\n".join(snapshot))
    return Situation(snapshot, compiled, clusters, tuple(_list_remarks(given, parsed_clusters)))


def _list_remarks(given: Documents, clusters: dict[str, Cluster | Invalid]) -> Iterator[str]:
    """What only the controller could find out of Clusters in files."""
    for name in given["Cluster"]:
        cluster = clusters[name]
        if isinstance(cluster, Invalid):
            yield f"Cluster {name}: {'; '.join(cluster.problems)}"
        elif cluster.accepted:
            yield f"Cluster {name} is taken as it was judged before this change"
        else:
            yield f"Cluster {name} is not usable before the controller has looked at it"


def list_refused(compiled: Compiled) -> list[tuple[str, str, str]]:
    """Routes that do not count: name, reason, message."""
    return [
        (name, verdict.reason, verdict.message)
        for name, verdict in sorted(compiled.routes.items())
        if not verdict.accepted
    ]


def _merge(stored: list[RawDocument], given: dict[str, RawDocument]) -> dict[str, RawDocument]:
    """A file stands in the place of what is stored, and has its uid and status."""
    found = {str(each["metadata"]["name"]): each for each in stored}
    for name, document in given.items():
        before = found.get(name, {})
        metadata = {**before.get("metadata", {}), **document["metadata"]}
        found[name] = {**document, "metadata": metadata, "status": before.get("status") or {}}
    return found


def _list_held(
    kube: Kube, tenant: Tenant | None, tenants: dict[str, Tenant | Invalid], system: str
) -> list[str]:
    """The namespaces of the Tenant."""
    if tenant is None:
        return []
    labelled: list[Meta] = [
        read_meta(each)
        for each in list_documents(
            kube, NAMESPACES_PATH, labelSelector=f"{LABEL_TENANT}={tenant.name}"
        )
    ]
    return [meta.name for meta in labelled if judge_claim(meta, tenants, system).tenant == tenant]


def _invent_broker(clusters: Iterable[Cluster | Invalid], system: str) -> Broker | None:
    """Its CA decides nothing; any that is one will do."""
    for cluster in clusters:
        if isinstance(cluster, Cluster):
            server = f"https://{BROKER_SERVICE}.{system}.svc:{BROKER_PORT}"
            return Broker(server, cluster.ca_bundle)
    return None
