"""A grant is made of four looks at home; each of them alone can end it."""

from typing import Any

import pytest

from tests.webhook.controller.broker.examples import (
    IDENTITY,
    TRUST,
    make_cluster,
    make_namespace,
    make_pod,
    make_tenant,
)
from tests.webhook.controller.broker.shelf import Shelf, open_shelf
from webhook.controller.broker.granting import Granting
from webhook.controller.broker.refusals import RefusedError
from webhook.kube import KubeError

NAMESPACE = f"/api/v1/namespaces/{IDENTITY.namespace}"
POD = f"{NAMESPACE}/pods/{IDENTITY.pod}"
TENANT = "/apis/mca.io/v1alpha1/tenants/acme"
CLUSTER = "/apis/mca.io/v1alpha1/clusters/eu-1"


def lay(shelf: Shelf) -> Granting:
    """All that a grant needs, but for what the test says."""
    shelf.objects |= {
        NAMESPACE: make_namespace(),
        POD: make_pod(),
        TENANT: make_tenant(),
        CLUSTER: make_cluster(),
    }
    return Granting(shelf.home, TRUST, "mca-system")


async def test_whose_and_for_which_member() -> None:
    async with open_shelf() as shelf:
        tenant, cluster = await lay(shelf).grant(IDENTITY, "eu-1")
        assert (tenant.name, cluster.name) == ("acme", "eu-1")
        assert sorted(shelf.asked) == sorted([NAMESPACE, POD, TENANT, CLUSTER])


@pytest.mark.parametrize(
    ("path", "found", "rule"),
    [
        (NAMESPACE, 404, "boundary"),
        (NAMESPACE, make_namespace(labels={"mca.io/tenant": "acme"}), "boundary"),
        (POD, 404, "pod"),
        (TENANT, 404, "tenant"),
        (TENANT, make_tenant({"uid": "made anew"}), "tenant"),
        (TENANT, make_tenant(clusters=["eu-2"]), "cluster"),
        (CLUSTER, 404, "cluster"),
        (CLUSTER, make_cluster(status="False"), "cluster"),
    ],
)
async def test_one_look_that_fails_is_enough(path: str, found: Any, rule: str) -> None:
    async with open_shelf() as shelf:
        granting = lay(shelf)
        shelf.objects[path] = found
        with pytest.raises(RefusedError) as refused:
            await granting.grant(IDENTITY, "eu-1")
        assert refused.value.rule == rule


@pytest.mark.parametrize("path", [NAMESPACE, POD, TENANT, CLUSTER])
async def test_what_cannot_be_read_is_not_taken_for_missing(path: str) -> None:
    async with open_shelf() as shelf:
        granting = lay(shelf)
        shelf.objects[path] = 500
        with pytest.raises(KubeError):
            await granting.grant(IDENTITY, "eu-1")


async def test_a_namespace_that_names_no_tenant_asks_for_none() -> None:
    async with open_shelf() as shelf:
        granting = lay(shelf)
        labels = {"mca.io/injection": "enabled", "mca.io/boundary": "enforced"}
        shelf.objects[NAMESPACE] = make_namespace(labels=labels, annotations={})
        with pytest.raises(RefusedError) as refused:
            await granting.grant(IDENTITY, "eu-1")
        assert refused.value.rule == "tenant"
        assert TENANT not in shelf.asked
