"""What the broker reads at home: as it is now, once for a wave, and never what was not found."""

import asyncio
from functools import partial

import pytest

from tests.webhook.controller.broker.shelf import open_shelf
from webhook.kube import KubeError

NAMESPACE = "/api/v1/namespaces/team-a"
POD = f"{NAMESPACE}/pods/web-0"
HOME = "/api/v1/namespaces/kube-system"


async def test_each_kind_is_read_where_it_is() -> None:
    mca = "/apis/mca.io/v1alpha1"
    async with open_shelf() as shelf:
        home = shelf.home
        for path, read in (
            (POD, partial(home.read_pod, "team-a", "web-0")),
            (NAMESPACE, partial(home.read_namespace, "team-a")),
            (f"{mca}/tenants/acme", partial(home.read_tenant, "acme")),
            (f"{mca}/clusters/eu-1", partial(home.read_cluster, "eu-1")),
            (f"{NAMESPACE}/secrets/s", partial(home.read_secret, "team-a", "s")),
        ):
            shelf.objects[path] = {"metadata": {"name": path}}
            assert await read() == shelf.objects[path]


async def test_a_wave_asks_once_and_a_pod_is_read_each_time() -> None:
    async with open_shelf() as shelf:
        shelf.objects |= {NAMESPACE: {"metadata": {"uid": "n"}}, POD: {"metadata": {"uid": "p"}}}
        together = [shelf.home.read_namespace("team-a") for _ in range(10)]
        assert {str(found) for found in await asyncio.gather(*together)} == {
            str(shelf.objects[NAMESPACE])
        }
        assert await shelf.home.read_namespace("team-a")
        assert shelf.asked == [NAMESPACE]
        for _ in range(2):
            assert await shelf.home.read_pod("team-a", "web-0")
        del shelf.objects[POD]
        assert await shelf.home.read_pod("team-a", "web-0") is None
        assert shelf.asked.count(POD) == 3


async def test_what_is_not_there_is_looked_for_again_and_an_error_is_no_answer() -> None:
    async with open_shelf() as shelf:
        assert await shelf.home.read_tenant("acme") is None
        shelf.objects["/apis/mca.io/v1alpha1/tenants/acme"] = {"metadata": {"name": "acme"}}
        assert await shelf.home.read_tenant("acme") is not None
        shelf.objects["/apis/mca.io/v1alpha1/clusters/eu-1"] = 403
        with pytest.raises(KubeError) as caught:
            await shelf.home.read_cluster("eu-1")
        assert caught.value.status == 403


async def test_homes_name_is_kept_once_it_is_known() -> None:
    async with open_shelf() as shelf:
        with pytest.raises(KubeError, match="kube-system of home has no uid"):
            await shelf.home.read_home_uid()
        shelf.objects[HOME] = {"metadata": {"uid": "home"}}
        assert await shelf.home.read_home_uid() == "home"
        shelf.objects[HOME] = 500
        assert await shelf.home.read_home_uid() == "home"
