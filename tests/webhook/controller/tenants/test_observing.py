"""What is remembered of tenants' objects."""

from webhook.controller.tenants.isolation import Address
from webhook.controller.tenants.kinds import KINDS, QUOTA, SELECTOR, Place
from webhook.controller.tenants.observing import (
    Objects,
    keep_object,
    list_addresses,
    list_collections,
)
from webhook.resources.meta import RawDocument
from webhook.resources.names import CREATED_BY, LABEL_TENANT
from webhook.watching.store import Store


def make_quota(name: str, tenant: str, **more: object) -> RawDocument:
    """As an item of a list has it, without its kind."""
    metadata = {
        "name": name,
        "namespace": "a",
        "uid": "u",
        "labels": {LABEL_TENANT: tenant},
        "annotations": {CREATED_BY: "t"},
        **more,
    }
    return {"metadata": metadata, "spec": {"hard": {"cpu": "1000m"}}, "status": {"used": {}}}


def test_an_object_is_the_same_from_a_list_and_from_a_watch() -> None:
    keep = keep_object(QUOTA)
    listed = make_quota("q", "acme")
    watched = {"kind": "ResourceQuota", **make_quota("q", "acme"), "status": {"used": {"cpu": "1"}}}
    assert keep(listed) == keep(watched)
    found = keep(listed)
    assert (found.uid, found.tenant, found.creator, found.ending) == ("u", "acme", "t", False)
    assert '"cpu":"1"' in found.content
    assert keep(make_quota("q", "acme", deletionTimestamp="2026-01-01T00:00:00Z")).ending


def test_all_kinds_are_watched_by_the_label() -> None:
    collections = list_collections()
    assert tuple(collections) == KINDS
    assert {collection.query for collection in collections.values()} == {SELECTOR}
    assert collections[QUOTA].path == "/api/v1/resourcequotas"


def test_a_tenants_objects_are_found_by_its_name() -> None:
    stores = {kind: Store() for kind in KINDS}  # type: ignore[var-annotated]
    objects = Objects(stores)
    keep = keep_object(QUOTA)
    stores[QUOTA].put("a/q", keep(make_quota("q", "acme")))
    stores[QUOTA].put("b/q", keep(make_quota("q", "other")))
    assert list(objects.find("acme")) == [Place(QUOTA, "a", "q")]
    stores[QUOTA].put("a/q", None)
    assert objects.find("acme") == {}


def test_addresses_are_every_endpoint_with_every_port() -> None:
    slice_ = {
        "ports": [{"port": 6443}, {"name": "odd"}],
        "endpoints": [{"addresses": ["10.0.0.1", "10.0.0.2"]}, {}],
    }
    assert list_addresses(slice_) == (Address("10.0.0.1", 6443), Address("10.0.0.2", 6443))
    assert list_addresses({}) == ()
