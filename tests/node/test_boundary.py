"""An enforced namespace on a real node: its tenant has every right, and gets no credential."""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from tests.node.images import APPLICATION_IMAGE
from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import ENFORCED, open_namespace, search
from webhook.guards.rendering import render_yaml
from webhook.guards.settings import GuardSettings

SPACE = "enforced"
VIEW = "system:aggregate-to-view"
TIMEOUT_S = 60.0


class Done(Protocol):
    """What a command printed and ended with."""

    returncode: int
    stdout: str
    stderr: str


Tenant = Callable[..., Done]


@pytest.fixture(scope="module")
def tenant(node: Node, sidecar_image: str, webhook: None) -> Tenant:
    """kubectl as the tenant, in a guarded namespace with one pod `app`, made by the tenant."""
    node.plane.kubectl("apply", "-f", "-", input=render_yaml(GuardSettings(sidecar_image)))
    open_namespace(node, SPACE, "app", VIEW, ENFORCED)
    node.plane.create_service_account(SPACE, "tenant", cluster_role="cluster-admin")
    user = f"--as=system:serviceaccount:{SPACE}:tenant"

    def run(*arguments: str, **options: Any) -> Done:
        return node.plane.kubectl(user, "-n", SPACE, *arguments, check=False, **options)

    made = run("create", "-f", "-", input=json.dumps(write_pod("app", serviceAccountName="app")))
    assert made.returncode == 0, made.stderr
    node.wait_for_pod(SPACE, "app")
    deadline = time.monotonic() + TIMEOUT_S
    # The API server takes the guards up a moment after they were made.
    while run("exec", "app", "-c", "mca", "--", "id").stderr.count("mca-exec") == 0:
        assert time.monotonic() < deadline, run("exec", "app", "-c", "mca", "--", "id").stderr
        time.sleep(0.5)
    return run


def test_the_application_works_and_finds_nothing(node: Node, tenant: Tenant) -> None:
    done = tenant("exec", "app", "-c", "app", "--", "kubectl", "get", "pods", "-o", "name")
    assert done.stdout == "pod/app\n", done.stderr
    assert search(node, SPACE, "app") == []


def test_a_debug_container_beside_the_application_finds_nothing(node: Node, tenant: Tenant) -> None:
    debug = ("debug", "app", f"--image={APPLICATION_IMAGE}", "--image-pull-policy=Never",
             "--profile=baseline", "--container=look", "--target=app")  # fmt: skip
    done = tenant(*debug, "--", "sleep", "600")
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        pod = node.plane.request("GET", f"/api/v1/namespaces/{SPACE}/pods/app").json()
        look = pod["status"].get("ephemeralContainerStatuses") or [{"state": {}}]
        if "running" in look[0]["state"]:
            break
        assert time.monotonic() < deadline, node.explain(pod)
        time.sleep(0.2)
    assert search(node, SPACE, "app", "look") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("exec", "app", "-c", "mca", "--", "id"),
        ("attach", "app", "-c", "mca"),
        ("debug", "app", f"--image={APPLICATION_IMAGE}", "--profile=baseline", "--target=mca",
         "--", "id"),
        ("create", "token", "app"),
        ("label", "namespace", SPACE, "mca.io/boundary-"),
        ("set", "image", "pod/app", f"mca={APPLICATION_IMAGE}"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)  # fmt: skip
def test_commands_that_would_reach_a_credential_are_refused(
    tenant: Tenant, arguments: tuple[str, ...]
) -> None:
    done = tenant(*arguments)
    assert done.returncode != 0, done.stdout
    assert "ValidatingAdmissionPolicy 'mca-" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": [{"name": "host", "hostPath": {"path": "/var/lib/kubelet"}}]},
        {"volumes": [{"name": "mca-token", "emptyDir": {}}]},
        {"volumes": [{"name": "own", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token"}}]}}]},
        {"hostPID": True},
        {"hostNetwork": True},
        {"shareProcessNamespace": True},
        {"securityContext": {"runAsUser": 64430}},
    ],
    ids=("host-path", "reserved-volume", "token-volume", "host-pid", "host-network",
         "share-process-namespace", "sidecar-uid"),
)  # fmt: skip
def test_pods_that_would_reach_a_credential_are_refused(
    request: pytest.FixtureRequest, tenant: Tenant, spec: dict[str, Any]
) -> None:
    pod = write_pod("reaching", serviceAccountName="app", **spec)
    for volume in spec.get("volumes", ()):
        mount = {"name": volume["name"], "mountPath": "/reach"}
        pod["spec"]["containers"][0]["volumeMounts"] = [mount]
    done = tenant("create", "-f", "-", input=json.dumps(pod))
    assert done.returncode != 0, done.stdout
    assert 'admission webhook "enforced.inject.mca.io" denied' in done.stderr, done.stderr
    assert request.node.callspec.id in done.stderr, done.stderr
