"""A labelled namespace on a real node: unmodified clients work, and find no credential."""

import time

import pytest

from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import create, open_namespace, search

KEY = "-----BEGIN EC PRIVATE KEY-----"
VIEW = "system:aggregate-to-view"
ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def test_the_search_finds_what_every_pod_has_without_us(node: Node) -> None:
    node.plane.create_service_account("unlabelled", "app", cluster_role=VIEW)
    pod = write_pod("bare", serviceAccountName="app")
    node.plane.create("/api/v1/namespaces/unlabelled/pods", pod)
    node.wait_for_pod("unlabelled", "bare")
    plant = f"echo {'x' * 40}hidden{'x' * 40} >/tmp/hidden; printf '%s\\n%064d' '{KEY}' 0 >/tmp/key"
    run = ("exec", "-n", "unlabelled", "bare", "--", "sh", "-c", plant)
    node.plane.kubectl(*run)
    found = search(node, "unlabelled", "bare", "app", b"xhiddenx")
    assert any(path.endswith("/token") and "serviceaccount" in path for path in found)
    assert {"/tmp/hidden", "/tmp/key"} <= set(found)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("uid", [0, 1000])
def test_clients_work_and_no_credential_is_found(node: Node, uid: int) -> None:
    namespace = f"injected-{uid}"
    open_namespace(node, namespace, "app", VIEW)
    pod = write_pod("app", serviceAccountName="app", securityContext={"runAsUser": uid})
    create(node, namespace, pod)
    node.wait_for_pod(namespace, "app")
    run = ("exec", "-n", namespace, "app", "-c", "app", "--")
    assert node.plane.kubectl(*run, "kubectl", "get", "pods", "-o", "name").stdout == "pod/app\n"
    code = (
        "from kubernetes import client, config; config.load_incluster_config();"
        f"print(client.CoreV1Api().read_namespaced_pod('app', '{namespace}').metadata.name)"
    )
    assert node.plane.kubectl(*run, "python3", "-c", code).stdout == "app\n"
    assert node.plane.kubectl(*run, "id", "-u").stdout == f"{uid}\n"
    assert search(node, namespace, "app") == []


@pytest.mark.usefixtures("installed")
def test_the_token_that_is_found_opens_nothing_else(node: Node) -> None:
    open_namespace(node, "own-token", "app", VIEW)
    create(node, "own-token", write_pod("app", serviceAccountName="app"))
    node.wait_for_pod("own-token", "app")
    run = ("exec", "-n", "own-token", "app", "-c", "app", "--")
    token = node.plane.kubectl(*run, "cat", f"{ACCOUNT_PATH}/token").stdout
    pods = "/api/v1/namespaces/own-token/pods"
    assert node.plane.request("GET", pods, token=token).status == 401
    direct = ("kubectl", "--server=https://10.0.0.1", "--insecure-skip-tls-verify", "get", "pods")
    done = node.plane.kubectl(*run, *direct, f"--token={token}", check=False)
    assert "Unauthorized" in done.stderr or "logged in" in done.stderr, done.stderr


@pytest.mark.usefixtures("installed")
def test_a_job_completes_and_init_containers_have_the_api(node: Node) -> None:
    open_namespace(node, "jobs", "app", VIEW)
    pod = write_pod("unused", "kubectl get pods -o name | wc -l", serviceAccountName="app")
    first = dict(pod["spec"]["containers"][0], name="first")
    pod["spec"]["initContainers"] = [first]
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job"},
        "spec": {"backoffLimit": 0, "template": {"spec": pod["spec"]}},
    }
    node.plane.create("/apis/batch/v1/namespaces/jobs/jobs", job)
    deadline = time.monotonic() + 120
    while True:
        status = node.plane.request("GET", "/apis/batch/v1/namespaces/jobs/jobs/job").json()
        if status["status"].get("succeeded") == 1:
            break
        assert not status["status"].get("failed"), describe(node, "jobs")
        assert time.monotonic() < deadline, describe(node, "jobs")
        time.sleep(0.5)
    for container in ("first", "app"):
        logs = node.plane.kubectl("logs", "-n", "jobs", "job/job", "-c", container)
        assert logs.stdout == "1\n"


def describe(node: Node, namespace: str) -> str:
    """Every pod there, for the message of a test that waited in vain."""
    pods = node.plane.request("GET", f"/api/v1/namespaces/{namespace}/pods").json()["items"]
    return "\n".join(node.explain(pod) for pod in pods)


@pytest.mark.usefixtures("installed")
def test_a_restricted_namespace_takes_injected_pods(node: Node) -> None:
    open_namespace(node, "restricted", "app", VIEW)
    label = "pod-security.kubernetes.io/enforce=restricted"
    node.plane.kubectl("label", "namespace", "restricted", label)
    pod = write_pod("app", serviceAccountName="app")
    pod["spec"]["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    create(node, "restricted", pod)
    node.wait_for_pod("restricted", "app")
    run = ("exec", "-n", "restricted", "app", "-c", "app", "--")
    assert node.plane.kubectl(*run, "kubectl", "get", "pods", "-o", "name").stdout == "pod/app\n"
    assert search(node, "restricted", "app") == []
