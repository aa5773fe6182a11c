"""Clients that dial the API by its name, in a restricted namespace of a real node."""

import json
from typing import Any

import pytest

from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import create, open_namespace, search
from tests.node.tenants import open_enforced

SPACE = "captured"
VIEW = "system:aggregate-to-view"
NAMES = (
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
CAPTURE = {"mca.io/capture": "env,dns"}
RESTRICTED = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
PYTHON = """\
import sys
from kubernetes import client
token = open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
settings = client.Configuration()
settings.host = sys.argv[1]
settings.ssl_ca_cert = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
settings.api_key = {"authorization": f"Bearer {token}"}
core = client.CoreV1Api(client.ApiClient(settings))
print(*(pod.metadata.name for pod in core.list_namespaced_pod(sys.argv[2]).items))
"""


def write_captured(name: str, **spec: Any) -> dict[str, Any]:
    pod = write_pod(name, serviceAccountName="app", securityContext=RESTRICTED, **spec)
    pod["metadata"]["annotations"] = CAPTURE
    pod["spec"]["containers"][0]["securityContext"] = CONFINED
    return pod


@pytest.fixture(scope="module")
def captured(node: Node, installed: object) -> tuple[str, ...]:
    """A pod of a restricted namespace; the beginning of a command in it."""
    open_namespace(node, SPACE, "app", VIEW)
    label = "pod-security.kubernetes.io/enforce=restricted"
    node.plane.kubectl("label", "namespace", SPACE, label)
    create(node, SPACE, write_captured("app"))
    node.wait_for_pod(SPACE, "app")
    return ("exec", "-n", SPACE, "app", "-c", "app", "--")


@pytest.mark.parametrize("name", NAMES)
def test_the_python_client_reaches_the_sidecar_by_name(
    node: Node, captured: tuple[str, ...], name: str
) -> None:
    run = ("python3", "-c", PYTHON, f"https://{name}", SPACE)
    assert node.plane.kubectl(*captured, *run).stdout == "app\n"


@pytest.mark.parametrize("name", NAMES)
def test_kubectl_reaches_the_sidecar_by_name(
    node: Node, captured: tuple[str, ...], name: str
) -> None:
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = (
        f"kubectl --server=https://{name} --certificate-authority={account}/ca.crt"
        f' --token="$(cat {account}/token)" get pods -o name'
    )
    assert node.plane.kubectl(*captured, "sh", "-c", script).stdout == "pod/app\n"


def test_client_go_takes_a_name_for_the_host(node: Node, captured: tuple[str, ...]) -> None:
    """kubectl's in-cluster configuration, as charts have it that set these variables."""
    host = ("env", f"KUBERNETES_SERVICE_HOST={NAMES[1]}", "KUBERNETES_SERVICE_PORT=443")
    run = ("kubectl", "get", "pods", "-o", "name")
    assert node.plane.kubectl(*captured, *host, *run).stdout == "pod/app\n"


def test_the_environment_still_leads_there_too(node: Node, captured: tuple[str, ...]) -> None:
    assert (
        node.plane.kubectl(*captured, "kubectl", "get", "pods", "-o", "name").stdout == "pod/app\n"
    )
    assert search(node, SPACE, "app") == []


def test_an_enforced_namespace_takes_it(node: Node, installed: object) -> None:
    tenant = open_enforced(node, "captured-enforced")
    assert tenant.create(write_captured("named")).returncode == 0
    node.wait_for_pod(tenant.space, "named")
    run = ("exec", "named", "-c", "app", "--", "python3", "-c", PYTHON)
    done = tenant.kubectl(*run, f"https://{NAMES[1]}", tenant.space)
    assert done.stdout == "app named\n", done.stderr
    assert search(node, tenant.space, "named") == []


def test_names_that_point_elsewhere_are_refused(node: Node, captured: object) -> None:
    aliases = [{"ip": "10.1.2.3", "hostnames": ["kubernetes.default.svc"]}]
    pod = json.dumps(write_captured("elsewhere", hostAliases=aliases))
    done = node.plane.kubectl("create", "-n", SPACE, "-f", "-", input=pod, check=False)
    assert "host-alias-conflict" in done.stderr, done
