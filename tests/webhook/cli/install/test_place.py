"""Where MCA is put: never into what is Kubernetes' own, and what others have made stays theirs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.webhook.cli.install.cluster import IMAGES, Cluster, wait_until
from tests.webhook.cli.test_entry import mca

NAMESPACES = "/api/v1/namespaces"
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/mca"
SOMEBODYS = {"metadata": {"name": "somebodys"}, "data": {"a": "b"}}


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-anything"])
def test_into_no_namespace_of_kubernetes(name: str) -> None:
    """Pod Security restricted would stop what runs there."""
    done = mca("install", *IMAGES, "-o", "yaml", "--system-namespace", name)
    assert (done.returncode, done.stdout) == (64, "")
    assert f"--system-namespace: {name} is not MCA's alone" in done.stderr


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def shared(cluster: Cluster) -> Iterator[str]:
    """A namespace of somebody else, with a ConfigMap; nothing is installed after it."""
    cluster.plane.create_namespace("monitoring")
    configmaps = f"{NAMESPACES}/monitoring/configmaps"
    assert cluster.plane.request("POST", configmaps, SOMEBODYS).status in (201, 409)
    account = f"{NAMESPACES}/monitoring/serviceaccounts/default"
    # What every namespace gets, a moment later.
    wait_until(lambda: is_there(cluster, account))
    wait_until(lambda: is_there(cluster, f"{configmaps}/kube-root-ca.crt"))
    yield "monitoring"
    cluster.mca("uninstall", "--force", "--system-namespace", "monitoring")


def read_namespace(cluster: Cluster, name: str) -> Any:
    answer = cluster.plane.request("GET", f"{NAMESPACES}/{name}")
    return answer.json() if answer.status == 200 else None


def is_there(cluster: Cluster, path: str) -> bool:
    return cluster.plane.request("GET", path).status == 200


def is_somebodys_there(cluster: Cluster, namespace: str) -> bool:
    return is_there(cluster, f"{NAMESPACES}/{namespace}/configmaps/somebodys")


@pytest.mark.apiserver
def test_a_namespace_of_others_is_used_only_if_that_is_said(cluster: Cluster, shared: str) -> None:
    before = cluster.list_everything()
    refused = cluster.mca("install", *IMAGES, "--system-namespace", shared)
    assert refused.returncode == 1
    assert f"namespace/{shared} is there already" in refused.stderr
    assert "--existing-namespace" in refused.stderr
    assert refused.stderr.endswith("nothing was changed\n")
    assert cluster.list_everything() == before


@pytest.mark.apiserver
def test_a_namespace_of_others_is_neither_labelled_nor_deleted(
    cluster: Cluster, shared: str
) -> None:
    before = cluster.list_everything()
    labels = read_namespace(cluster, shared)["metadata"]["labels"]
    options = ("--system-namespace", shared, "--existing-namespace")
    cluster.install(*options, "--wait", "0")
    assert cluster.plane.request("GET", REGISTRATION).status == 200
    assert read_namespace(cluster, shared)["metadata"]["labels"] == labels
    gone = cluster.uninstall("--system-namespace", shared)
    assert "namespace/" not in gone.stdout
    wait_until(lambda: cluster.list_everything() == before)
    assert is_somebodys_there(cluster, shared)


@pytest.mark.apiserver
def test_it_is_installed_once(cluster: Cluster, shared: str) -> None:
    """Elsewhere it is refused, and nothing of the first is deleted; so is its uninstallation."""
    options = ("--system-namespace", shared, "--existing-namespace")
    cluster.install(*options, "--wait", "0")
    deployment = f"/apis/apps/v1/namespaces/{shared}/deployments/mca-webhook"
    for command in (("install", *IMAGES), ("uninstall",)):
        refused = cluster.mca(*command)
        assert refused.returncode == 1
        assert f"add --system-namespace {shared}" in refused.stderr
        assert "deleted" not in refused.stdout
        assert "applying" not in refused.stdout
    for path in (REGISTRATION, deployment):
        assert (
            cluster.plane.request("GET", path).json()["metadata"].get("deletionTimestamp") is None
        )
    assert read_namespace(cluster, "mca-system") is None


@pytest.mark.apiserver
def test_words_that_do_not_fit_the_namespace(cluster: Cluster) -> None:
    refused = cluster.mca("install", *IMAGES, "--existing-namespace")
    assert "namespace/mca-system is not there: create it" in refused.stderr
    cluster.install("--wait", "0")
    refused = cluster.mca("install", *IMAGES, "--existing-namespace")
    assert "namespace/mca-system was made by mca install" in refused.stderr
    cluster.uninstall()
    assert read_namespace(cluster, "mca-system") is None


@pytest.mark.apiserver
def test_the_webhook_may_reach_the_api_server_where_it_is(cluster: Cluster) -> None:
    """By its endpoints, whatever port they have; what is said counts alone."""
    policies = "/apis/networking.k8s.io/v1/namespaces/mca-system/networkpolicies/mca-webhook"

    def list_ports() -> list[int]:
        (_, api) = cluster.plane.request("GET", policies).json()["spec"]["egress"]
        return [each["port"] for each in api["ports"]]

    # As an API server keeps it; these ones are told not to.
    label = {"kubernetes.io/service-name": "kubernetes"}
    kept = {
        "metadata": {"name": "kubernetes", "labels": label},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["203.0.113.7"]}],
        "ports": [{"name": "https", "port": 16443, "protocol": "TCP"}],
    }
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    cluster.plane.create(slices, kept)
    cluster.install("--wait", "0")
    assert list_ports() == [443, 6443, 16443]
    cluster.install("--wait", "0", "--api-server-port", "8443")
    assert list_ports() == [8443]
    assert cluster.plane.request("DELETE", f"{slices}/kubernetes").status == 200
    cluster.uninstall()


@pytest.mark.apiserver
def test_its_own_namespace_stays_with_what_others_have_put_there(cluster: Cluster) -> None:
    cluster.install("--wait", "0")
    configmaps = f"{NAMESPACES}/mca-system/configmaps"
    assert cluster.plane.request("POST", configmaps, SOMEBODYS).status == 201
    told = "  namespace/mca-system stays, others have in it: configmap/somebodys\n"
    assert told in cluster.uninstall("--dry-run").stdout
    gone = cluster.uninstall()
    assert told in gone.stdout
    assert "kubectl delete namespace mca-system" in gone.stdout
    assert is_somebodys_there(cluster, "mca-system")
    # It is its own still: installed again, and gone with it once nothing of others is there.
    cluster.install("--wait", "0")
    assert cluster.plane.request("DELETE", f"{configmaps}/somebodys").status == 200
    cluster.uninstall()
    assert read_namespace(cluster, "mca-system") is None


@pytest.mark.apiserver
def test_what_is_dropped_goes_once_the_webhook_serves(cluster: Cluster) -> None:
    cluster.install("--dashboard")
    dropped = r"  mca-system: configmap/mca-webhook-dashboard"

    def is_there() -> bool:
        path = f"{NAMESPACES}/mca-system/configmaps/mca-webhook-dashboard"
        return cluster.plane.request("GET", path).status == 200

    try:
        cluster.node.healthy = False
        changed = ("--replicas", "1", "--api-server-port", "443", "--audience", "vault")
        waited = cluster.mca("install", *IMAGES, *changed, "--wait", "1")
        assert waited.returncode == 1
        assert re.search(f"{dropped}: no longer part of it, would be deleted\n", waited.stdout)
        assert is_there()
        cluster.node.healthy = True
        gone = cluster.install(*changed)
        _, served, after = gone.stdout.partition("webhook and controller serve\n")
        assert served
        assert re.search(f"{dropped} deleted: no longer part of it\n", after)
        assert not is_there()
    finally:
        cluster.node.healthy = True
        cluster.uninstall()
