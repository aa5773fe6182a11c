"""The chart with its webhook at work: the pods of its Deployment run, the API server calls them.

What they may do is what they do, and an upgrade to another image holds no pod back.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.chart.scene import CHART, IMAGES, SIDECAR, Helm
from tests.chart.test_release import Site
from tests.chart.test_templates import build, change
from tests.controlplane import Answer, ControlPlane
from tests.manifests.scene import ENFORCED, wait_until
from tests.webhook.cli.install.node import Node

pytestmark = pytest.mark.apiserver
RELEASE = ("mca", str(CHART), "--namespace", "mca-system")
DEPLOYMENT = "/apis/apps/v1/namespaces/mca-system/deployments/mca-webhook"
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/mca"
ACCOUNT = "system:serviceaccount:mca-system:mca-webhook"
GUARD = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/mca-final-pods"
NEWER = f"registry.example.com/mca-sidecar@sha256:{'9' * 64}"
NEWEST = f"registry.example.com/mca-sidecar@sha256:{'a' * 64}"


class Running(NamedTuple):
    """An enforced namespace `team`, and the audit log from before the installation on."""

    site: Site
    mark: int

    def create(self) -> Answer:
        """A pod as people write them; nothing is stored."""
        pod = {"metadata": {"name": "it"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
        return self.site.plane.request("POST", "/api/v1/namespaces/team/pods?dryRun=All", pod)

    def find_image(self) -> str:
        """That of the sidecar which a new pod gets; why there is none, else."""
        answer = self.create()
        if answer.status != 201:
            return str(answer.json()["message"])
        return str(answer.json()["spec"]["initContainers"][0]["image"])

    def upgrade(self, image: str) -> None:
        """To another sidecar."""
        self.site.helm.run("upgrade", *RELEASE, values=change(IMAGES, "image.sidecar", image))

    def read_guard(self) -> str:
        """What new pods of enforced namespaces are judged by."""
        return str(self.site.get(GUARD)["spec"]["validations"])

    def gets_the_first(self, number: int) -> bool:
        """Guards hear of a change a moment later: not only the first of many calls counts."""
        time.sleep(0.1 if number else 0.0)
        return self.find_image() == SIDECAR

    def wait_for(self, holds: Callable[[str], bool]) -> None:
        """Until new pods get such an image."""
        deadline = time.monotonic() + 60
        while not holds(told := self.find_image()):
            assert time.monotonic() < deadline, told
            time.sleep(0.1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("running")
    # Services have no addresses here: the API server calls the pods behind them.
    flags = {"enable-aggregator-routing": "true"}
    with ControlPlane(controller_manager=True, flags=flags) as plane, Node(plane, folder):
        site = Site(plane, Helm(folder, plane.admin_kubeconfig()))
        running = Running(site, plane.audit.mark())
        site.helm.run("install", *RELEASE, "--create-namespace", values=IMAGES)
        plane.create("/api/v1/namespaces", {"metadata": {"name": "team", "labels": ENFORCED}})
        wait_until(lambda: site.get(DEPLOYMENT)["status"].get("readyReplicas") == 2, timeout_s=60)
        running.wait_for(lambda image: image == SIDECAR)
        yield running


def test_its_rights_are_those_that_it_uses(running: Running) -> None:
    """None is missing and none is idle, by the API server's own audit log."""
    granted = {
        (resource, name, verb)
        for key, role in build(IMAGES).items()
        if key[0] in ("Role", "ClusterRole") and key[2] == "mca-webhook"
        for rule in role["rules"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }
    used = set()
    for event in running.site.plane.audit.since(running.mark):
        if event["user"].get("username") == ACCOUNT:
            assert event["annotations"]["authorization.k8s.io/decision"] == "allow", event
            target: dict[str, Any] = event["objectRef"]
            used.add((target["resource"], target.get("name", ""), event["verb"]))
    assert used == granted


def test_the_controller_is_refused_nothing(running: Running) -> None:
    """And it works: a labelled namespace has its snapshot, and who reads it."""
    path = "/api/v1/namespaces/team/configmaps/mca-policy"
    wait_until(lambda: running.site.plane.request("GET", path).status == 200)
    account = "system:serviceaccount:mca-system:mca-controller"
    events = [
        event
        for event in running.site.plane.audit.since(running.mark)
        if event["user"].get("username") == account
    ]
    assert events
    decision = "authorization.k8s.io/decision"
    assert [event for event in events if event["annotations"][decision] != "allow"] == []


def test_what_it_may_do_with_leases_it_does(running: Running) -> None:
    granted = {
        verb
        for key, role in build(IMAGES).items()
        if key[0] == "Role" and key[2] == "mca-controller"
        for rule in role["rules"]
        if rule["resources"] == ["leases"]
        for verb in rule["verbs"]
    }
    account = "system:serviceaccount:mca-system:mca-controller"

    def list_used() -> set[str]:
        return {
            event["verb"]
            for event in running.site.plane.audit.since(running.mark)
            if event["user"].get("username") == account
            and event["objectRef"]["resource"] == "leases"
        }

    wait_until(lambda: list_used() == granted)


def test_an_upgrade_to_another_sidecar_holds_no_pod_back(running: Running) -> None:
    """Webhooks that put in the image before are still there: here, for as long as we look."""
    bundles = read_bundles(running)
    running.site.patch(DEPLOYMENT, {"spec": {"paused": True}})
    # The second finds the newer image in the Deployment, the third another; neither is put in.
    for image in (NEWER, NEWER, NEWEST, NEWER):
        running.upgrade(image)
        assert SIDECAR in running.read_guard()
        assert image in running.read_guard()
        assert all(map(running.gets_the_first, range(20)))
    running.site.patch(DEPLOYMENT, {"spec": {"paused": None}})
    running.wait_for(lambda image: image == NEWER)
    assert NEWEST not in running.read_guard()
    # Once all are replaced, the same again takes the first out.
    wait_until(lambda: count_pods(running, SIDECAR) == 0, timeout_s=60)
    running.upgrade(NEWER)
    assert SIDECAR not in running.read_guard()
    running.wait_for(lambda image: image == NEWER)
    # And what they filled in is as it was.
    assert read_bundles(running) == bundles


def count_pods(running: Running, image: str) -> int:
    """Of the webhook, that put in this sidecar."""
    sets = running.site.get("/apis/apps/v1/namespaces/mca-system/replicasets")["items"]
    return sum(
        each["status"]["replicas"]
        for each in sets
        if image in str(each["spec"]) and each["metadata"]["name"].startswith("mca-webhook-")
    )


def read_bundles(running: Running) -> list[str]:
    webhooks = running.site.get(REGISTRATION)["webhooks"]
    bundles = [str(each["clientConfig"]["caBundle"]) for each in webhooks]
    assert all(bundles)
    return bundles
