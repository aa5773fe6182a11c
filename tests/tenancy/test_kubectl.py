"""kubectl and an informer of the Python client in a tenant: what works, and what they are told."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.informer import SharedInformer

from tests.sidecar_process import SidecarProcess
from tests.tenancy.scene import DEV_ROUTE, TENANT, Scene
from tests.tenancy.town import CONFIGMAPS, MARKER, OURS, THEIRS, object_of

pytestmark = pytest.mark.apiserver

HERE, DEV = OURS
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def sidecar(scene: Scene) -> Iterator[SidecarProcess]:
    with scene.make_sidecar(TENANT, [DEV_ROUTE]) as process:
        yield process


@pytest.mark.parametrize("namespace", OURS)
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("get pods", "web-0"),
        ("get all", "deployment.apps/web-0"),
        ("get widgets.example.com -o wide", "web-0"),
        ("describe pod web-0", "Status:       Pending"),
        ("get secret web-0 -o yaml", "kind: Secret"),
        ("label pod web-0 kubectl=1 --overwrite", "pod/web-0"),
        ("scale deployment web-0 --replicas=1", "deployment.apps/web-0 scaled"),
        ("create configmap by-kubectl --from-literal=a=b", "configmap/by-kubectl created"),
        ("delete configmap by-kubectl", 'configmap "by-kubectl" deleted'),
        ("wait --for=jsonpath={.metadata.name}=web-0 pod/web-0", "condition met"),
        ("auth can-i list pods", "yes"),
    ],
)
def test_it_works_within_the_tenant(
    sidecar: SidecarProcess, command: str, told: str, namespace: str
) -> None:
    assert told in sidecar.kubectl(*command.split(), "-n", namespace).stdout


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (f"get ns {HERE}", "Active"),
        ("get storageclasses", "fast"),
        ("get gadgets shared-1", "shared-1"),
        ("version", "Server Version"),
        ("api-resources --api-group=example.com", "widgets"),
        ("explain widget", "KIND:       Widget"),
        ("auth whoami", "Username"),
        ("get --raw /readyz", "ok"),
    ],
)
def test_it_works_above_namespaces_where_it_may(
    sidecar: SidecarProcess, command: str, told: str
) -> None:
    assert told in sidecar.kubectl(*command.split()).stdout


REFUSED = [
    (f"get pods -n {THEIRS}", "tenant/namespace", f"use one of its namespaces, e.g. -n {HERE}"),
    (f"describe pod web-0 -n {THEIRS}", "tenant/namespace", f"-n {HERE}"),
    (f"logs web-0 -n {THEIRS}", "tenant/namespace", f"-n {HERE}"),
    (f"exec -n {THEIRS} web-0 -- id", "tenant/namespace", f"-n {HERE}"),
    (f"delete pod web-0 -n {THEIRS}", "tenant/namespace", f"-n {HERE}"),
    ("cluster-info", "tenant/namespace", f"-n {HERE}"),
    ("get pods -A", "tenant/all-namespaces", f"ask for one of its namespaces, e.g. -n {HERE}"),
    ("get widgets -A", "tenant/all-namespaces", f"-n {HERE}"),
    ("get events -A", "tenant/all-namespaces", f"-n {HERE}"),
    ("get nodes", "tenant/cluster-scoped", "clusterResources"),
    ("get gadgets", "tenant/cluster-scoped", "clusterResources"),
    ("get gadgets theirs", "tenant/cluster-scoped", "clusterResources"),
    ("get ns", "tenant/cluster-scoped", "clusterResources"),
    (f"get ns {THEIRS}", "tenant/cluster-scoped", "clusterResources"),
    (f"delete ns {HERE}", "tenant/cluster-scoped", "clusterResources"),
    (f"label ns {HERE} a=b", "tenant/cluster-scoped", "clusterResources"),
    ("get --raw /metrics", "default/deny", "nonResourcePaths"),
    ("get pods --as=admin", "guard/impersonation", "the workload's own rights"),
    ("create configmap sealed-1", "permission/sealed", "is denied to this caller"),
    ("create role r --verb=get --resource=pods", "default/deny", "* does not cover it"),
    ("create token web-0", "guard/token-request", "name the audience"),
]


@pytest.mark.parametrize(("command", "rule", "remedy"), REFUSED)
def test_a_refusal_reads_well(
    sidecar: SidecarProcess, command: str, rule: str, remedy: str
) -> None:
    """One line: whose refusal it is, by which rule, and what to do instead."""
    done = sidecar.kubectl(*command.split(), check=False)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "mca " in line]
    assert len(told) == 1, done.stderr
    said = r"(Error from server \(Forbidden\)|error: failed to create [a-z]+): mca "
    assert re.match(f"{said}{re.escape(rule)}: .+: .+", told[0]), told
    assert remedy in told[0]
    assert MARKER not in done.stdout + done.stderr


def test_an_apply_across_namespaces_stops_at_the_border(
    sidecar: SidecarProcess, scene: Scene
) -> None:
    """What is of the tenant is applied, the rest is refused by name."""
    manifests = [
        object_of(CONFIGMAPS, "applied")
        | {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied", "namespace": n}}
        for n in (*OURS, THEIRS)
    ]
    listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
    done = sidecar.kubectl("apply", "-f", "-", input=json.dumps(listed), check=False)
    assert done.returncode == 1
    assert done.stdout.count("configmap/applied created") == 2
    assert "mca tenant/namespace: namespace 'team-b'" in done.stderr
    for plane, namespace in zip(scene.planes, OURS, strict=True):
        assert plane.request("GET", CONFIGMAPS.path(namespace, "applied")).status == 200
        assert plane.request("DELETE", CONFIGMAPS.path(namespace, "applied")).status == 200
        assert plane.request("GET", CONFIGMAPS.path(THEIRS, "applied")).status == 404


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("list pods", "yes"),
        (f"list pods -n {DEV}", "yes"),
        ("create pods --subresource=exec", "yes"),
        (f"list pods -n {THEIRS}", "no - namespace 'team-b' is not one of the tenant 'a'"),
        ("list pods -A", "no - list pods over all namespaces"),
        ("get nodes", "no - "),
        ("get storageclasses", "yes"),
        ("get gadgets/shared-1", "yes"),
        ("get gadgets/theirs", "no - "),
        ("create rolebindings", "no - "),
        ("delete configmaps/sealed-1", "no - "),
        ("delete configmaps/web-0", "yes"),
        ("get /metrics", "no - "),
        ("get /version", "yes"),
        ("impersonate users", "no - "),
    ],
)
def test_can_i(sidecar: SidecarProcess, question: str, answer: str) -> None:
    done = sidecar.kubectl("auth", "can-i", *question.split(), check=False)
    assert done.stdout.startswith(answer), done.stdout
    assert done.returncode == (0 if answer == "yes" else 1)


# The Python client


def core_api(sidecar: SidecarProcess) -> client.CoreV1Api:
    configuration = client.Configuration(host=sidecar.url)
    configuration.ssl_ca_cert = str(sidecar.ca_file)
    configuration.api_key = {"authorization": f"Bearer {sidecar.token()}"}
    return client.CoreV1Api(client.ApiClient(configuration))


def wait_for(met: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.mark.parametrize("namespace", OURS)
def test_an_informer_follows_its_namespace(
    sidecar: SidecarProcess, scene: Scene, namespace: str
) -> None:
    plane = scene.planes[OURS.index(namespace)]
    make: Any = SharedInformer
    informer = make(core_api(sidecar).list_namespaced_config_map, namespace=namespace)

    def notes() -> dict[str, str]:
        found = {
            item.metadata.name: (item.data or {}).get("n", "") for item in informer.cache.list()
        }
        return {name: note for name, note in found.items() if name.startswith("informed")}

    def write(name: str, note: str) -> None:
        body = {"metadata": {"name": name}, "data": {"n": note}}
        answer = plane.request("POST", CONFIGMAPS.path(namespace), body)
        if answer.status == 409:
            answer = plane.request("PUT", CONFIGMAPS.path(namespace, name), body)
        assert answer.status in (200, 201)

    informer.start()
    try:
        write("informed-1", "a")
        wait_for(lambda: notes() == {"informed-1": "a"})
        write("informed-1", "b")
        write("informed-2", "c")
        wait_for(lambda: notes() == {"informed-1": "b", "informed-2": "c"})
        for name in ("informed-1", "informed-2"):
            plane.request("DELETE", CONFIGMAPS.path(namespace, name))
        wait_for(lambda: notes() == {})
        assert not any(MARKER in str(item) for item in informer.cache.list())
    finally:
        informer.stop()


def test_the_python_client_is_told_why(sidecar: SidecarProcess) -> None:
    with pytest.raises(client.ApiException) as refused:
        core_api(sidecar).list_pod_for_all_namespaces(watch=True)
    assert refused.value.status == 403
    told = json.loads(refused.value.body or "")
    assert told["reason"] == "Forbidden"
    assert told["message"].startswith("mca tenant/all-namespaces: ")
