"""Owns what is seen of tenants' objects: by watching, and live where that would be too late.

Of an object only who made it and what it says is kept, and for objects that say the same one text.
Must not judge what is seen.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from webhook.answers import TOO_MANY
from webhook.controller.tenants.contents import render_content
from webhook.controller.tenants.isolation import Address
from webhook.controller.tenants.kinds import KINDS, SELECTOR, Kind, Place
from webhook.controller.tenants.planning import Found
from webhook.kube import Kube, KubeError
from webhook.resources.meta import (
    Meta,
    RawDocument,
    documents,
    mapping,
    read_meta,
    text_list,
)
from webhook.resources.names import CREATED_BY, LABEL_TENANT, NAMESPACES_PATH
from webhook.watching.collection import Collection
from webhook.watching.listing import FIRST_PAGE, Listing
from webhook.watching.store import Store

# The API server itself keeps it, under this name.
API_NAME: Final = "kubernetes"
API_PATH: Final = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
# Anybody may write a longer one, which is nobody's.
_LONGEST_UID: Final = 64
_MOST_OF_MEMBERS: Final = 5_000
_NOT_FOUND: Final = 404
_INDEX: Final = "tenant"


def keep_object(kind: Kind) -> Callable[[RawDocument], Found]:
    """How an object of a kind is remembered."""

    def keep(raw: RawDocument) -> Found:
        meta = read_meta(raw)
        return Found(
            meta.uid,
            meta.labels.get(LABEL_TENANT, ""),
            meta.annotations.get(CREATED_BY, "")[:_LONGEST_UID],
            # The items of a list do not say their kind.
            render_content(raw if raw.get("kind") else {**raw, "kind": kind.name}),
            meta.deleting,
        )

    return keep


def watch_api() -> Collection[tuple[Address, ...]]:
    """Where home's API server answers."""
    query = (("fieldSelector", f"metadata.name={API_NAME}"),)
    return Collection(API_PATH, list_addresses, query)


def list_collections() -> dict[Kind, Collection[Found]]:
    """All that is watched, cluster-wide and by label."""
    return {kind: Collection(kind.collection, keep_object(kind), SELECTOR) for kind in KINDS}


class Objects:
    """What the watched stores have."""

    def __init__(self, stores: Mapping[Kind, Store[Found]]) -> None:
        self._stores = dict(stores)
        for store in self._stores.values():
            store.add_index(_INDEX, lambda _, found: (found.tenant,))

    def find(self, tenant: str) -> dict[Place, Found]:
        """A tenant's."""
        seen: dict[Place, Found] = {}
        for kind, store in self._stores.items():
            for key in store.find(_INDEX, tenant):
                found = store.get(key)
                if found is not None:
                    namespace, _, name = key.partition("/")
                    seen[Place(kind, namespace, name)] = found
        return seen


def fetch_namespaces(kube: Kube, tenant: str, names: tuple[str, ...]) -> dict[str, Meta]:
    """Those with a tenant's label, and others by name, as they are now."""
    query = {"labelSelector": f"{LABEL_TENANT}={tenant}"}
    found = [read_meta(raw) for raw in fetch_all(kube, NAMESPACES_PATH, query)]
    seen = {meta.name: meta for meta in found}
    for name in names:
        if name not in seen:
            meta = _fetch_namespace(kube, name)
            seen |= {name: meta} if meta else {}
    return seen


def _fetch_namespace(kube: Kube, name: str) -> Meta | None:
    try:
        return read_meta(kube.request("GET", f"{NAMESPACES_PATH}/{name}").document)
    except KubeError as error:
        if error.status == _NOT_FOUND:
            return None
        raise


def fetch_all(
    kube: Kube, path: str, selector: Mapping[str, str] | None = None, page: int = FIRST_PAGE
) -> Iterator[RawDocument]:
    """One page at a time, as others say how large what they write is.

    A member may answer without end: of one, no more is taken than a Tenant ever has there.
    """
    listing, rest = Listing(kube, path, selector or {}, page), ""
    left = _MOST_OF_MEMBERS
    while True:
        answer = listing.fetch(rest)
        found = documents(answer.get("items"))
        left -= max(len(found), 1)
        if kube.is_foreign and left < 0:
            told = f"{kube.server}: it lists more than {_MOST_OF_MEMBERS} objects of one tenant"
            raise KubeError(0, TOO_MANY, told)
        yield from found
        rest = mapping(answer.get("metadata")).get("continue") or ""
        if not rest:
            return
        del answer, found  # before there is another


def list_addresses(raw: RawDocument) -> tuple[Address, ...]:
    """Of an EndpointSlice."""
    ports = [port.get("port") for port in documents(raw.get("ports"))]
    ips = [
        ip
        for endpoint in documents(raw.get("endpoints"))
        for ip in text_list(endpoint.get("addresses"))
    ]
    return tuple(Address(ip, port) for ip in ips for port in ports if isinstance(port, int))


def fetch_api(kube: Kube) -> tuple[Address, ...]:
    """Where a cluster's API server answers, if it says so; KubeError: it says nothing at all."""
    try:
        return list_addresses(kube.request("GET", f"{API_PATH}/{API_NAME}").document)
    except KubeError as error:
        if not error.status:
            raise
        return ()
