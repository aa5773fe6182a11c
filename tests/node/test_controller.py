"""Clusters, Routes and Tenants on a real node: stated with kubectl, and pods follow.

The controller runs as installed; the second cluster is a plain control plane.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.node.installation import NAMESPACE, Images, run_mca
from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import create, read_secrets, search
from tests.node.stated import (
    CLUSTER,
    SPACE,
    TENANT,
    TRUSTING,
    apply,
    furnish,
    let_in,
    make_member,
    make_trusting_member,
    state_cluster,
    state_route,
    state_tenant,
    state_trusting_cluster,
)

TIMEOUT_S = 60.0
CUSTOM = "/apis/mca.io/v1alpha1"
BROKER = f"/api/v1/namespaces/{NAMESPACE}/services/mca-broker"
GET = ("kubectl", "get", "configmap", "where", "-o", "jsonpath={.data.at}")


def wait_for(holds: Callable[[], Any], tell: Callable[[], object]) -> Any:
    """What it comes to, once it is something."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := holds()):
        assert time.monotonic() < deadline, tell()
        time.sleep(0.1)
    return found


class Story:
    """A tenant's pod, and the cluster that it does not know of."""

    def __init__(self, node: Node, member: ControlPlane) -> None:
        self.node = node
        self.member = member

    def start(self, name: str) -> None:
        """A pod. No DNS runs on this node."""
        address = self.read(BROKER)["spec"]["clusterIP"]
        names = [{"ip": address, "hostnames": [f"mca-broker.{NAMESPACE}.svc"]}]
        create(self.node, SPACE, write_pod(name, serviceAccountName="app", hostAliases=names))
        self.node.wait_for_pod(SPACE, name)

    def ask(self, pod: str = "app") -> str:
        """What a program in the pod is answered, or is told of its failure."""
        run = ("exec", "-n", SPACE, pod, "-c", "app", "--", *GET)
        done = self.node.plane.kubectl(*run, check=False)
        return done.stdout or done.stderr

    def wait_until_told(self, what: str, pod: str = "app") -> float:
        """How long it took."""
        began = time.monotonic()
        wait_for(lambda: what in self.ask(pod), self.explain)
        return time.monotonic() - began

    def read(self, path: str) -> dict[str, Any]:
        """An object of the home cluster."""
        found = self.node.plane.request("GET", path).json()
        assert isinstance(found, dict)
        return found

    def is_so(self, path: str, condition: str) -> bool:
        """Whether a condition of the object holds."""
        conditions = self.read(path).get("status", {}).get("conditions", ())
        return any(each["type"] == condition and each["status"] == "True" for each in conditions)

    def explain(self) -> str:
        """What everybody says about it."""
        shown = [json.dumps(self.read(f"{CUSTOM}/{kind}")) for kind in ("clusters", "tenants")]
        logs = ("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=controller")
        shown.append(self.node.plane.kubectl(*logs, "--tail=40", check=False).stdout)
        shown.append(
            self.node.plane.kubectl("logs", "-n", SPACE, "app", "-c", "mca", check=False).stdout
        )
        shown.append(self.ask())
        return "\n".join(shown)


@pytest.fixture(scope="module")
def story(node: Node, installed: Images) -> Iterator[Story]:
    with make_member() as member:
        token = furnish(member, "member")
        apply(node, *state_cluster(member, token), state_tenant(CLUSTER))
        story = Story(node, member)
        wait_for(lambda: story.is_so(f"{CUSTOM}/clusters/{CLUSTER}", "Ready"), story.explain)
        wait_for(lambda: story.is_so(f"{CUSTOM}/tenants/{TENANT}", "Ready"), story.explain)
        where = {"metadata": {"name": "where"}, "data": {"at": "home"}}
        node.plane.create(f"/api/v1/namespaces/{SPACE}/configmaps", where)
        story.start("app")
        yield story


def test_a_tenants_namespace_is_made_and_its_pods_work(story: Story) -> None:
    labels = story.read(f"/api/v1/namespaces/{SPACE}")["metadata"]["labels"]
    assert labels["mca.io/tenant"] == TENANT
    assert labels["mca.io/boundary"] == "enforced"
    story.wait_until_told("home")


def test_calls_follow_a_route_there_and_back(story: Story) -> None:
    """The credential is the broker's: the pod has none for that cluster."""
    story.wait_until_told("home")
    apply(story.node, state_route())
    there_s = story.wait_until_told("member")
    assert story.is_so(f"{CUSTOM}/namespaces/{SPACE}/routes/config", "Accepted")
    story.node.plane.kubectl("delete", "route.mca.io", "-n", SPACE, "config")
    back_s = story.wait_until_told("home")
    print(f"calls followed the Route after {there_s:.1f} s, and its deletion after {back_s:.1f} s")


def test_who_may_no_more_is_refused_and_not_served_at_home(story: Story) -> None:
    apply(story.node, state_route())
    story.wait_until_told("member")
    apply(story.node, state_tenant())
    refused = wait_for(lambda: "member" not in (told := story.ask()) and told, story.explain)
    assert refused != "home"
    assert "Error from server" in refused
    apply(story.node, state_tenant(CLUSTER))
    story.wait_until_told("member")


def test_calls_go_on_without_the_controller(story: Story) -> None:
    """And without its broker: what sidecars have counts until it ends."""
    apply(story.node, state_route())
    story.wait_until_told("member")
    scale = ("scale", "-n", NAMESPACE, "deployment/mca-controller")
    story.node.plane.kubectl(*scale, "--replicas=0")
    pods = (
        f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/component=controller"
    )
    try:
        wait_for(lambda: not story.read(pods)["items"], story.explain)
        assert story.ask() == "member"
    finally:
        story.node.plane.kubectl(*scale, "--replicas=2")
    story.wait_until_told("member")


def test_a_cluster_that_trusts_home_is_shown_the_pods_own_token(
    story: Story, tmp_path: Path
) -> None:
    """A pod that was there before has none for it, and is told what helps."""
    with make_trusting_member(story.node, tmp_path) as trusting:
        furnish(trusting, "trusting")
        let_in(trusting)
        apply(story.node, state_trusting_cluster(trusting), state_tenant(CLUSTER, TRUSTING))
        path = f"{CUSTOM}/clusters/{TRUSTING}"
        wait_for(lambda: story.is_so(path, "Accepted"), story.explain)
        story.start("later")
        apply(story.node, state_route(TRUSTING))
        story.wait_until_told("trusting", "later")
        story.wait_until_told("restart the pod")
        pod = story.read(f"/api/v1/namespaces/{SPACE}/pods/later")
        assert len(read_secrets(pod["metadata"]["uid"])) == 5  # its key, its seed, three tokens
        assert search(story.node, SPACE, "later") == []
    apply(story.node, state_route())


def test_the_application_finds_no_credential(story: Story) -> None:
    """Neither the sidecar's token for the broker nor what it is given for it."""
    pod = story.read(f"/api/v1/namespaces/{SPACE}/pods/app")
    uid = pod["metadata"]["uid"]
    broker = Path("/var/lib/kubelet/pods", uid, "volumes/kubernetes.io~projected/mca-broker/token")
    assert broker.read_bytes() in read_secrets(uid)
    given = story.member.token(SPACE, "home").encode()
    assert search(story.node, SPACE, "app", "app", given) == []


def test_mca_check_finds_nothing_wrong(story: Story) -> None:
    done = run_mca(story.node, "check", "-n", SPACE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "policy: its snapshot is v1-" in done.stdout
    assert "leader: mca-controller-" in done.stdout


def test_neither_of_our_accounts_lacks_a_right(story: Story) -> None:
    """Of all that the tests here have had them do, by the API server's audit log."""
    lines = (story.node.plane.folder / "audit.jsonl").read_text().splitlines()
    ours = f"system:serviceaccount:{NAMESPACE}:mca-"
    events = [json.loads(line) for line in lines if ours in line and line.endswith("}")]
    refused = [
        (event["user"]["username"], event["verb"], event["objectRef"])
        for event in events
        if event["user"]["username"].startswith(ours)
        and event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
    ]
    assert events
    assert refused == []


def test_a_tenant_that_is_deleted_takes_its_namespace_along(story: Story) -> None:
    story.node.plane.kubectl("delete", "tenant", TENANT, "--timeout=90s")
    path = f"/api/v1/namespaces/{SPACE}"
    wait_for(lambda: story.node.plane.request("GET", path).status == 404, story.explain)
