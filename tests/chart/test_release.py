"""A life of the chart on a real API server: installed, upgraded, rolled back, and gone."""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.chart.definitions import find_custom_definitions
from tests.chart.scene import CHART, IMAGES, Helm, Identity, identify, take_stock
from tests.chart.test_templates import ODD, build, change
from tests.controlplane import ControlPlane
from tests.manifests.scene import MERGE_PATCH, wait_until

pytestmark = pytest.mark.apiserver
NAMESPACE = "mca-system"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/mca-webhook-ca"
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/mca"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mca-webhook"
CUSTOM = "/apis/mca.io/v1alpha1"
KEPT = {
    ("CustomResourceDefinition", "", f"{kind}.mca.io") for kind in ("clusters", "routes", "tenants")
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# The definitions of an earlier release are there.
TAKEN = ("--take-ownership",)
BUNDLE = base64.b64encode(
    b"-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
).decode()


class Site(NamedTuple):
    """A cluster with controllers, and helm for it."""

    plane: ControlPlane
    helm: Helm

    def get(self, path: str) -> Any:
        answer = self.plane.request("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()

    def patch(self, path: str, change: Any) -> None:
        body = json.dumps(change).encode()
        answer = self.plane.request("PATCH", path, body, headers=MERGE_PATCH)
        assert answer.status == 200, answer.body

    def fill_in(self) -> None:
        """As the webhook does."""
        self.patch(SECRET, {"data": {"ca.crt": BUNDLE}})
        webhooks = self.get(REGISTRATION)["webhooks"]
        for each in webhooks:
            each["clientConfig"]["caBundle"] = BUNDLE
        self.patch(REGISTRATION, {"webhooks": webhooks})

    def is_filled_in(self) -> bool:
        webhooks = self.get(REGISTRATION)["webhooks"]
        bundles = [each["clientConfig"].get("caBundle") for each in webhooks]
        return bundles == [BUNDLE] * 3 and self.get(SECRET).get("data") == {"ca.crt": BUNDLE}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ControlPlane(controller_manager=True) as plane:
        helm = Helm(tmp_path_factory.mktemp("helm"), plane.admin_kubeconfig())
        for definition in find_custom_definitions():
            assert plane.request("POST", DEFINITIONS, definition).status == 201
        for group in ("cert-manager.io", "monitoring.coreos.com"):
            wait_until(lambda group=group: plane.request("GET", f"/apis/{group}/v1").status == 200)
        yield Site(plane, helm)


def settle(site: Site) -> dict[Identity, str]:
    """What there is once the controllers have nothing more to make."""
    previous: dict[Identity, str] = {}

    def is_quiet() -> bool:
        nonlocal previous
        before, previous = previous, take_stock(site.plane)
        return before == previous

    wait_until(is_quiet, timeout_s=60)
    return previous


def test_a_whole_life(site: Site) -> None:
    """With every kind of object on its way, and nothing left at its end."""
    before = settle(site)
    release = ("mca", str(CHART), "--namespace", NAMESPACE)
    told = site.helm.run("install", *release, "--create-namespace", values=IMAGES)
    assert "kubectl label namespace team-a mca.io/injection=enabled" in told
    assert f"MCA is in the namespace {NAMESPACE}" in told
    assert build(IMAGES).keys() <= take_stock(site.plane).keys()
    site.fill_in()

    again = ("upgrade", *release)
    site.helm.run(*again, values=change(IMAGES, "webhook.replicas", 3))
    assert site.get(DEPLOYMENT)["spec"]["replicas"] == 3
    assert site.is_filled_in()
    site.helm.run("rollback", "mca", "1", "--namespace", NAMESPACE)
    assert site.get(DEPLOYMENT)["spec"]["replicas"] == 2
    assert site.is_filled_in()

    site.helm.run(*again, values=ODD)
    assert build(ODD).keys() <= take_stock(site.plane).keys()
    assert not (build(IMAGES).keys() - build(ODD).keys()) & take_stock(site.plane).keys()

    site.helm.run("uninstall", "mca", "--namespace", NAMESPACE, "--wait")
    left = {key for key in settle(site) if key not in before}
    # Helm made it, and never takes one away.
    assert left == {
        ("Namespace", "", NAMESPACE),
        ("ServiceAccount", NAMESPACE, "default"),
        ("ConfigMap", NAMESPACE, "kube-root-ca.crt"),
        *KEPT,
    }
    for path in (f"/api/v1/namespaces/{NAMESPACE}", *(f"{DEFINITIONS}/{key[2]}" for key in KEPT)):
        assert site.plane.request("DELETE", path).status == 200
    wait_until(lambda: settle(site) == before, timeout_s=60)


def test_what_people_have_stated_outlives_the_chart(site: Site) -> None:
    """Upgraded, rolled back, upgraded again, uninstalled and installed anew: the same objects."""
    release = ("mca", str(CHART), "--namespace", NAMESPACE)
    site.helm.run("install", *release, "--create-namespace", values=IMAGES)
    stated = {
        f"{CUSTOM}/clusters/eu-1": {
            "kind": "Cluster",
            "metadata": {"name": "eu-1"},
            "spec": {
                "server": "https://eu-1.example.com",
                "caBundle": BUNDLE,
                "credentials": {"audience": {}},
            },
        },
        f"{CUSTOM}/tenants/team": {
            "kind": "Tenant",
            "metadata": {"name": "team"},
            "spec": {"namespaces": {"names": ["team-a"]}, "clusters": ["eu-1"]},
        },
        f"{CUSTOM}/namespaces/default/routes/jobs": {
            "kind": "Route",
            "metadata": {"name": "jobs"},
            "spec": {
                "match": [{"groups": ["batch"], "resources": ["jobs"]}],
                "to": {"members": [{"cluster": "eu-1"}]},
            },
        },
    }
    wait_until(lambda: site.plane.request("GET", f"{CUSTOM}/routes").status == 200)
    for path, document in stated.items():
        body = {"apiVersion": "mca.io/v1alpha1", **document}
        made = site.plane.request("POST", path.rpartition("/")[0], body)
        assert made.status == 201, made.body

    def read() -> list[Any]:
        return [(site.get(path)["metadata"]["uid"], site.get(path)["spec"]) for path in stated]

    before = read()
    site.helm.run("upgrade", *release, values=ODD)
    assert read() == before
    site.helm.run("rollback", "mca", "1", "--namespace", NAMESPACE)
    assert read() == before
    site.helm.run("upgrade", *release, values=IMAGES)
    site.helm.run("uninstall", "mca", "--namespace", NAMESPACE, "--wait")
    assert read() == before
    site.helm.run("install", *release, values=IMAGES)
    assert read() == before
    site.helm.run("uninstall", "mca", "--namespace", NAMESPACE, "--wait")
    # Another release takes the definitions over when it is told to.
    other = ("other", str(CHART), "--namespace", "elsewhere", "--create-namespace")
    done = site.helm.try_run("install", *other, values=IMAGES)
    assert "exists and cannot be imported" in done.stderr
    site.helm.run("install", *other, "--take-ownership", values=IMAGES)
    assert read() == before
    site.helm.run("uninstall", "other", "--namespace", "elsewhere", "--wait")
    for path in (*stated, f"/api/v1/namespaces/{NAMESPACE}"):
        assert site.plane.request("DELETE", path).status == 200
    path = f"/api/v1/namespaces/{NAMESPACE}"
    wait_until(lambda: site.plane.request("GET", path).status == 404, timeout_s=60)


def test_its_own_pods_start_without_it(site: Site) -> None:
    """Pod Security restricted, guards and a registration that nobody answers: none holds them up.

    The controllers make the replicas, so that is admission as it will be.
    """
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"metadata": {"name": NAMESPACE, "labels": labels}}
    assert site.plane.request("POST", "/api/v1/namespaces", body).status == 201
    site.helm.run("install", "mca", str(CHART), "--namespace", NAMESPACE, *TAKEN, values=IMAGES)
    try:
        wait_until(lambda: site.get(DEPLOYMENT)["status"].get("replicas") == 2, timeout_s=60)
        pods = [
            pod
            for pod in site.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
            if pod["spec"]["serviceAccountName"] == "mca-webhook"
        ]
        assert [pod["spec"]["containers"][0]["image"] for pod in pods] == [
            IMAGES["image"]["control"]
        ] * 2
        assert {pod["spec"]["priorityClassName"] for pod in pods} == {"system-cluster-critical"}
    finally:
        site.helm.run("uninstall", "mca", "--namespace", NAMESPACE, "--wait")
        assert site.plane.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}").status == 200
        path = f"/api/v1/namespaces/{NAMESPACE}"
        wait_until(lambda: site.plane.request("GET", path).status == 404, timeout_s=60)


def test_a_second_release_is_refused(site: Site) -> None:
    """Two webhooks that give the same pods a sidecar would be one too many."""
    site.helm.run("install", "mca", str(CHART), "--namespace", "one", "--create-namespace",
                  *TAKEN, values=IMAGES)  # fmt: skip
    try:
        done = site.helm.try_run(
            "install", "mca", str(CHART), "--namespace", "two", "--create-namespace", values=IMAGES
        )
        assert done.returncode != 0
        assert "exists and cannot be imported" in done.stderr
    finally:
        site.helm.run("uninstall", "mca", "--namespace", "one", "--wait")


def test_what_is_installed_is_what_the_source_says(site: Site) -> None:
    """Each field that the API server keeps of them, whoever fills in the rest."""
    site.helm.run("install", "mca", str(CHART), "--namespace", "ops", "--create-namespace",
                  *TAKEN, values=ODD)  # fmt: skip
    try:
        for key, wanted in build(ODD, "ops").items():
            plural = find_path(site, wanted)
            stored = site.get(f"{plural}/{key[2]}")
            assert identify(stored) == key
            assert_within(wanted, stored, str(key))
    finally:
        site.helm.run("uninstall", "mca", "--namespace", "ops", "--wait")


def find_path(site: Site, document: dict[str, Any]) -> str:
    """Where objects of its kind and namespace are."""
    version = document["apiVersion"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    for each in site.get(base)["resources"]:
        if each["kind"] == document["kind"] and "/" not in each["name"]:
            namespace = document["metadata"].get("namespace")
            within = f"/namespaces/{namespace}" if namespace else ""
            return f"{base}{within}/{each['name']}"
    raise AssertionError(f"{document['kind']} is not served")


def assert_within(wanted: Any, stored: Any, path: str) -> None:
    """The stored has all of it; Helm's label and the server's defaults may be more."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        for key, value in wanted.items():
            if value not in ({}, [], ""):
                assert key in stored, f"{path}.{key}"
                assert_within(value, stored[key], f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(stored, list):
        assert len(wanted) == len(stored), path
        for number, pair in enumerate(zip(wanted, stored, strict=True)):
            assert_within(*pair, f"{path}[{number}]")
    elif "resources" in path:
        assert str(wanted) == str(stored), path
    else:
        assert wanted == stored, path
