"""Tenants and namespaces as the tests of provisioning have them."""

from typing import Any

from webhook.controller.tenants.isolation import Address, Surroundings
from webhook.controller.tenants.kinds import Place
from webhook.controller.tenants.namespaces import Seen
from webhook.controller.tenants.planning import Found, View
from webhook.controller.tenants.wishes import Wish
from webhook.resources.claims import judge_claim
from webhook.resources.meta import Meta, RawDocument
from webhook.resources.names import CREATED_BY, LABEL_TENANT, TENANT_UID
from webhook.resources.tenants import Tenant, parse_tenant

UID = "u-1"
AROUND = Surroundings((Address("10.0.0.1", 443),), "mca-system")
FULL: RawDocument = {
    "namespaces": {"names": ["acme-a"]},
    "quota": {"pods": "10"},
    "containerLimits": [{"type": "Container", "max": {"cpu": "1"}}],
    "network": {"isolate": True},
    "serviceAccounts": ["runner"],
    "owners": [{"kind": "Group", "name": "acme-admins"}],
}


def make_tenant(**spec: Any) -> Tenant:
    """One named acme; a spec that cannot be taken fails the test."""
    document = {"metadata": {"name": "acme", "uid": UID, "generation": 1}, "spec": spec}
    tenant = parse_tenant(document)
    assert isinstance(tenant, Tenant), tenant
    return tenant


def make_namespace(
    name: str,
    *,
    tenant: str = "acme",
    uid: str = UID,
    creator: str = "",
    deleting: bool = False,
    **labels: str,
) -> Meta:
    """As an admin or the controller has labelled it; empty text for nothing."""
    stated = ({LABEL_TENANT: tenant} if tenant else {}) | {
        key.replace("__", "/").replace("_", "-"): text for key, text in labels.items()
    }
    annotations = {TENANT_UID: uid, CREATED_BY: creator}
    return Meta(
        name,
        f"uid-of-{name}",
        labels=stated,
        annotations={key: text for key, text in annotations.items() if text},
        deleting=deleting,
    )


def see(tenant: Tenant, *namespaces: Meta) -> dict[str, Seen]:
    """Each with its claim."""
    return {meta.name: Seen(meta, judge_claim(meta, {tenant.name: tenant})) for meta in namespaces}


def make_view(tenant: Tenant, *namespaces: Meta, **more: Any) -> View:
    """With these namespaces, and nothing in them unless `objects` says so."""
    return View(tenant, see(tenant, *namespaces), **{"objects": {}, "around": AROUND, **more})


def find_as_wished(wishes: list[Wish], creator: str = UID) -> dict[Place, Found]:
    """Objects that are there just as they should be."""
    return {
        wish.place: Found(f"uid-of-{wish.place.name}", "acme", creator, wish.content)
        for wish in wishes
    }
