"""Owns what a Tenant wishes of its namespaces themselves: there, claimed, labelled. Pure.

Must not take one that no admin has handed over: a namespace that was there before is labelled by an
admin first. The label with the tenant's name is never set again: who removes it takes the namespace
away.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from webhook.controller.tenants.kinds import Place, Step, place_namespace
from webhook.controller.tenants.steps import Apply, Create, Problem
from webhook.resources.claims import Claim, is_system
from webhook.resources.meta import Meta, RawDocument
from webhook.resources.names import (
    CREATED_BY,
    ISOLATED,
    LABEL_BOUNDARY,
    LABEL_INJECTION,
    LABEL_NETWORK,
    LABEL_TENANT,
    POD_SECURITY,
    TENANT_UID,
)
from webhook.resources.tenants import Tenant

_BASELINE: Final = "baseline"
_RESTRICTED: Final = "restricted"


class Seen(NamedTuple):
    """A namespace as it is, and whose."""

    meta: Meta
    claim: Claim


def list_held(tenant: Tenant, namespaces: Mapping[str, Seen]) -> list[str]:
    """Those that are the Tenant's and stay."""
    return sorted(
        name
        for name, seen in namespaces.items()
        if _is_held(tenant, seen) and not seen.meta.deleting
    )


def _is_held(tenant: Tenant, seen: Seen) -> bool:
    return seen.claim.tenant is not None and seen.claim.tenant.uid == tenant.uid


def plan_missing(
    tenant: Tenant, namespaces: Mapping[str, Seen], system_namespace: str
) -> Iterator[Create | Problem]:
    """Namespaces that are named, but not there or not handed over."""
    for name in tenant.namespaces.names:
        seen = namespaces.get(name)
        if is_system(name, system_namespace):
            yield _fail("System", name, "is a system namespace, which no Tenant holds")
        elif seen is None and tenant.namespaces.create:
            yield Create(place_namespace(name), _build_new(tenant, name))
        elif seen is None:
            yield _fail(
                "Missing",
                name,
                "is not there: set spec.namespaces.create, or create it with the label "
                f"{LABEL_TENANT}: {tenant.name}",
            )
        elif seen.claim == Claim():
            yield _fail(
                "NotHandedOver",
                name,
                f"was there before: an admin hands it over by the label "
                f"{LABEL_TENANT}: {tenant.name}",
            )
        elif seen.claim.tenant and not _is_held(tenant, seen):
            holder = seen.claim.tenant.name
            yield _fail("Taken", name, f"the Tenant {holder!r} holds it: name it in one of them")


def plan_denied(tenant: Tenant, namespaces: Mapping[str, Seen]) -> Iterator[Problem]:
    """Namespaces that say they are the Tenant's, and are not, or not for long."""
    for name, seen in sorted(namespaces.items()):
        if seen.claim.denied:
            yield _fail("Denied", name, seen.claim.denied)
        elif _is_held(tenant, seen) and seen.meta.deleting:
            yield _fail("Ending", name, "is being deleted")


def plan_labels(
    tenant: Tenant, seen: Seen, settled: Mapping[Place, tuple[str, str]], *, home: bool
) -> Apply | None:
    """The claim and the labels of a namespace that is held."""
    meta = seen.meta
    place = place_namespace(meta.name)
    labels = _list_labels(tenant, meta, home=home)
    wished = _spell(labels, tenant.uid)
    found = describe_namespace(meta, wished)
    if found == wished or settled.get(place) == (wished, found):
        return None
    # What is not stated is not ours any more; a stricter Pod Security is somebody's own.
    stated = {key: value for key, value in labels.items() if value not in ("", _RESTRICTED)}
    body: RawDocument = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": meta.name,
            "uid": meta.uid,
            "labels": stated,
            "annotations": {TENANT_UID: tenant.uid},
        },
    }
    ours = meta.annotations.get(CREATED_BY) == tenant.uid
    return Apply(place, body, wished, force=ours)


def describe_namespace(meta: Meta, wished: str) -> str:
    """What of it is compared with what is wished, in the same form."""
    labels = {key: meta.labels.get(key, "") for key in json.loads(wished)[1]}
    return _spell(labels, meta.annotations.get(TENANT_UID, ""))


def _list_labels(tenant: Tenant, meta: Meta, *, home: bool) -> dict[str, str]:
    """With "" for what should not be there. Nothing is injected on members."""
    labels = {LABEL_NETWORK: ISOLATED if tenant.network.isolate else ""}
    if not home:
        return labels
    enforced = tenant.boundary == "enforced"
    labels |= {LABEL_INJECTION: "enabled", LABEL_BOUNDARY: "enforced" if enforced else ""}
    if enforced:
        stricter = meta.labels.get(POD_SECURITY) == _RESTRICTED
        labels[POD_SECURITY] = _RESTRICTED if stricter else _BASELINE
    return labels


def _spell(labels: Mapping[str, str], uid: str) -> str:
    return json.dumps([uid, labels], sort_keys=True)


def _build_new(tenant: Tenant, name: str) -> RawDocument:
    """With the claim from the first moment on: nobody else's can come between."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {LABEL_TENANT: tenant.name},
            "annotations": {TENANT_UID: tenant.uid, CREATED_BY: tenant.uid},
        },
    }


def _fail(reason: str, name: str, message: str) -> Problem:
    return Problem(Step.NAMESPACES, name, reason, f"namespace {name!r}: {message}")
