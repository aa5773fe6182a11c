"""Attacks 58 and 59: what a tenant may do to a pod that runs, and to its sidecar not."""

import json
from typing import Any

import pytest

from tests.controlplane import Answer
from tests.manifests.pods import good_pod
from tests.manifests.scene import SETTINGS, Guarded, assert_passed, assert_refused

pytestmark = pytest.mark.apiserver
PODS = "/api/v1/namespaces/{}/pods"
RUNNING = f"{PODS.format('team')}/running"
OLD = f"{PODS.format('lax')}/old"
SHARED = f"{PODS.format('lax')}/shared"
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}


@pytest.fixture(scope="module", autouse=True)
def running(guarded: Guarded) -> None:
    """A good pod of the tenant's."""
    assert_passed(guarded.call("POST", PODS.format("team"), good_pod("running")))


def patch(guarded: Guarded, path: str, change: Any) -> Answer:
    """A strategic merge patch by the namespace's tenant, as a dry run."""
    content = json.dumps(change).encode()
    namespace = path.split("/")[4]
    return guarded.call(
        "PATCH", f"{path}?dryRun=All", content, headers=STRATEGIC, namespace=namespace
    )


def debug(guarded: Guarded, pod: str, **fields: Any) -> Answer:
    """An ephemeral container, as `kubectl debug` adds one."""
    container = {"name": "debugger", "image": "a", **fields}
    change = {"spec": {"ephemeralContainers": [container]}}
    return patch(guarded, f"{pod}/ephemeralcontainers", change)


# 59


@pytest.mark.parametrize("subresource", ["exec", "attach"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("container", ["mca", "mca-2"])
def test_59_nobody_enters_the_sidecar(
    guarded: Guarded, subresource: str, method: str, container: str
) -> None:
    query = f"container={container}&command=sh&stdout=true"
    answer = guarded.call(method, f"{RUNNING}/{subresource}?{query}")
    assert_refused(answer, "mca-exec", "name another container with -c", "kubectl logs -c mca")


@pytest.mark.parametrize("subresource", ["exec", "attach"])
@pytest.mark.parametrize("container", ["", "container=app&", "container=mcafee&", "container=&"])
def test_59_near_miss_other_containers_and_none(
    guarded: Guarded, subresource: str, container: str
) -> None:
    """No kubelet is there: a call that was let pass fails on the pod, not on the guard."""
    query = f"{container}command=sh&stdout=true"
    answer = guarded.call("POST", f"{RUNNING}/{subresource}?{query}")
    assert answer.status in (400, 500), answer.body
    assert b"ValidatingAdmissionPolicy" not in answer.body


def test_59_near_miss_port_forward_logs_and_admins(guarded: Guarded) -> None:
    for path in ("portforward?ports=6443", "log?container=mca"):
        method = "POST" if path.startswith("port") else "GET"
        answer = guarded.call(method, f"{RUNNING}/{path}")
        assert b"ValidatingAdmissionPolicy" not in answer.body
        assert answer.status != 403
    admin = guarded.plane.tokens["admin"]
    answer = guarded.call("POST", f"{RUNNING}/exec?container=mca&command=sh", token=admin)
    assert answer.status in (400, 500), answer.body


# 58: the sidecar itself


@pytest.mark.parametrize(
    ("subresource", "change"),
    [
        ("", {"image": "evil"}),
        ("/resize", {"resources": {"requests": {"cpu": "1m"}}}),
    ],
)
def test_58_the_sidecar_of_a_running_pod_is_not_changed(
    guarded: Guarded, subresource: str, change: Any
) -> None:
    body = {"spec": {"initContainers": [{"name": "mca"} | change]}}
    answer = patch(guarded, f"{RUNNING}{subresource}", body)
    assert_refused(answer, "mca-pod-updates", "annotations mca.io/", "template")


def test_58_kubectl_set_image_shows_why(guarded: Guarded) -> None:
    kubeconfig = guarded.write_kubeconfig("team")
    command = ("set", "image", "pod/running", "-n", "team")
    done = guarded.plane.kubectl(*command, "mca=evil", kubeconfig=kubeconfig, check=False)
    assert done.returncode == 1
    assert "the sidecar of a running pod is not changed" in done.stderr
    guarded.plane.kubectl(*command, "app=other", kubeconfig=kubeconfig)


@pytest.mark.parametrize(
    ("subresource", "change"),
    [
        ("", {"spec": {"containers": [{"name": "app", "image": "other"}]}}),
        ("", {"spec": {"initContainers": [{"name": "setup", "image": "other"}]}}),
        ("", {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/a"]}}),
        (
            "/resize",
            {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "1m"}}}]}},
        ),
    ],
)
def test_58_near_miss_the_rest_of_a_pod_is_the_tenants(
    guarded: Guarded, subresource: str, change: Any
) -> None:
    answer = patch(guarded, f"{RUNNING}{subresource}", change)
    assert b"ValidatingAdmissionPolicy" not in answer.body
    assert answer.status != 403


def test_58_near_miss_pods_of_another_release_are_not_held_back(guarded: Guarded) -> None:
    change = {"metadata": {"labels": {"a": "b"}}}
    assert_passed(patch(guarded, OLD, change))


# 58: ephemeral containers

DEBUG = "mca-ephemeral-containers"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"targetContainerName": "mca"}, "--target"),
        ({"name": "mca-debug"}, "choose another name"),
        ({"volumeMounts": [{"name": "mca-identity", "mountPath": "/a"}]}, "leave the mount out"),
        ({"volumeMounts": [{"name": "mca-token", "mountPath": "/a"}]}, "mca-token"),
        ({"volumeMounts": [{"name": "mca-clients", "mountPath": "/a"}]}, "leave the mount out"),
        ({"envFrom": [{"secretRef": {"name": "mca-tls"}}]}, "env and envFrom"),
        ({"securityContext": {"runAsUser": SETTINGS.uid}}, "is the sidecar's"),
    ],
)
def test_58_no_ephemeral_container_reaches_the_sidecar(
    guarded: Guarded, fields: dict[str, Any], told: str
) -> None:
    assert_refused(debug(guarded, RUNNING, **fields), DEBUG, told)


@pytest.mark.parametrize("name", ["kube-api-access-x", "node", "secret"])
def test_58_volumes_are_judged_by_what_they_hold(guarded: Guarded, name: str) -> None:
    answer = debug(guarded, OLD, volumeMounts=[{"name": name, "mountPath": "/a"}])
    assert_refused(answer, DEBUG, "leave the mount out", name)


def test_58_shared_processes_show_the_sidecar(guarded: Guarded) -> None:
    assert_refused(debug(guarded, SHARED), DEBUG, "shareProcessNamespace")


def test_58_privileges_are_refused_without_pod_security(guarded: Guarded) -> None:
    path = f"{PODS.format('lax')}/running"
    guarded.make(PODS.format("lax"), good_pod("running"))
    for context in ({"privileged": True}, {"capabilities": {"add": ["SYS_PTRACE"]}}):
        answer = debug(guarded, path, securityContext=context)
        assert_refused(answer, DEBUG, "capabilities", "found: debugger")


@pytest.mark.parametrize(
    ("pod", "fields"),
    [
        (RUNNING, {}),
        (RUNNING, {"targetContainerName": "app"}),
        (RUNNING, {"volumeMounts": [{"name": "work", "mountPath": "/a"}]}),
        (RUNNING, {"securityContext": {"runAsUser": 0}}),
        (OLD, {"volumeMounts": [{"name": "vault", "mountPath": "/a"}]}),
    ],
)
def test_58_near_miss_debugging_goes_on(guarded: Guarded, pod: str, fields: dict[str, Any]) -> None:
    assert_passed(debug(guarded, pod, **fields))
