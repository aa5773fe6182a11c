"""A real API server calls the webhook: what becomes of pods, read back from it."""

import time
from typing import Any

import pytest

from tests.webhook.admission.conftest import Served
from tests.webhook.admission.scene import (
    ACCOUNT_PATH,
    IMAGE,
    SETTINGS,
    make_container,
    make_pod,
)
from webhook.admission.injection import Patch, plan_patch
from webhook.admission.registration import MODES

pytestmark = pytest.mark.apiserver


def create(served: Served, namespace: str, pod: dict[str, Any]) -> tuple[int, Any, list[str]]:
    """Status, object and warnings."""
    answer = served.plane.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod)
    return answer.status, answer.json(), answer.headers.get_all("Warning") or []


def create_watched(served: Served, namespace: str, pod: dict[str, Any]) -> Any:
    """In a new namespace: the API server sees the registration a moment after it was made."""
    deadline = time.monotonic() + 20
    while True:
        status, made, _ = create(served, namespace, pod)
        assert status == 201, made
        if made["spec"].get("initContainers"):
            return made
        assert time.monotonic() < deadline, made
        served.plane.request(
            "DELETE", f"/api/v1/namespaces/{namespace}/pods/{made['metadata']['name']}",
            {"gracePeriodSeconds": 0},
        )  # fmt: skip
        time.sleep(0.2)


def test_a_pod_gets_its_sidecar_and_a_second_pass_changes_nothing(served: Served) -> None:
    served.create_namespace("injected", injection="enabled")
    pod = make_pod(
        make_container(env=[{"name": "KUBERNETES_SERVICE_HOST", "value": "10.0.0.1"}]),
        make_container("other"),
        initContainers=[make_container("setup")],
    )
    made = create_watched(served, "injected", pod)
    sidecar, setup = made["spec"]["initContainers"]
    assert (sidecar["name"], sidecar["image"], sidecar["restartPolicy"]) == ("mca", IMAGE, "Always")
    assert sidecar["env"][-1] == {"name": "MCA_CONTAINERS", "value": "setup,app,other"}
    assert made["spec"]["automountServiceAccountToken"] is False
    names = [volume["name"] for volume in made["spec"]["volumes"]]
    assert names == ["mca-identity", "mca-clients", "mca-token"]
    for container in [setup, *made["spec"]["containers"]]:
        assert container["volumeMounts"] == [
            {"name": "mca-clients", "mountPath": ACCOUNT_PATH, "readOnly": True,
             "subPath": container["name"]}
        ]  # fmt: skip
        env = {item["name"]: item["value"] for item in container["env"]}
        assert env == {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": "6443",
            "KUBERNETES_SERVICE_PORT_HTTPS": "6443",
        }
    assert plan_patch(made, MODES["standard"], SETTINGS) == Patch([], ())


def test_what_the_webhook_says_reaches_whoever_asked(served: Served) -> None:
    served.create_namespace("told", injection="enabled")
    create_watched(served, "told", make_pod())
    refused = make_pod(make_container("mca"))
    status, answer, _ = create(served, "told", refused)
    assert status == 403
    assert "mca reserved-name: container mca: names like mca and mca-*" in answer["message"]
    quiet = make_pod(automountServiceAccountToken=False)
    quiet["metadata"]["name"] = "quiet"
    status, made, warnings = create(served, "told", quiet)
    assert (status, made["spec"].get("initContainers")) == (201, None)
    assert "mca no-token" in warnings[0]
    page = served.webhook.call("GET", "/metrics")[1].decode()
    counted = 'mca_admission_reviews_total{code="reserved-name",mode="standard",result="refused"}'
    assert counted in page


def test_an_unlabelled_namespace_is_none_of_its_business(served: Served) -> None:
    served.create_namespace("plain")
    status, made, warnings = create(served, "plain", make_pod())
    assert (status, warnings) == (201, [])
    assert "initContainers" not in made["spec"]
    assert made["spec"]["volumes"][0]["name"].startswith("kube-api-access-")


def test_an_enforced_namespace_takes_no_pod_without_a_sidecar(served: Served) -> None:
    served.create_namespace("enforced", boundary="enforced")
    made = create_watched(served, "enforced", make_pod(automountServiceAccountToken=False))
    assert made["spec"]["initContainers"][0]["name"] == "mca"
    assert "volumeMounts" not in made["spec"]["containers"][0]
    status, answer, _ = create(served, "enforced", make_pod(annotations={"mca.io/inject": "false"}))
    assert status == 403
    assert "mca opted-out: " in answer["message"]
    assert plan_patch(made, MODES["enforced"], SETTINGS) == Patch([], ())


def test_a_namespace_may_let_pods_opt_out(served: Served) -> None:
    served.create_namespace("optional", injection="enabled", opt_out="allowed")
    create_watched(served, "optional", make_pod())
    out = make_pod(annotations={"mca.io/inject": "false"})
    out["metadata"]["name"] = "out"
    status, made, warnings = create(served, "optional", out)
    assert (status, made["spec"].get("initContainers")) == (201, None)
    assert "mca opted-out" in warnings[0]
    served.create_namespace("strict", injection="enabled")
    create_watched(served, "strict", make_pod())
    status, answer, _ = create(served, "strict", out)
    assert status == 403
    assert "mca opt-out-not-allowed: " in answer["message"]


def test_a_reference_to_a_volume_that_injection_will_add_is_refused(served: Served) -> None:
    served.create_namespace("thief", injection="enabled")
    create_watched(served, "thief", make_pod())
    mount = {"name": "mca-token", "mountPath": "/stolen"}
    status, answer, _ = create(served, "thief", make_pod(make_container(volumeMounts=[mount])))
    assert status == 403
    assert "mca reserved-volume: " in answer["message"]


def test_controllers_pods_get_theirs_under_a_quota_and_a_limit_range(served: Served) -> None:
    """What the API server's own plugins give the sidecar stays: a quota asks for it."""
    served.create_namespace("limited", injection="enabled")
    create_watched(served, "limited", make_pod())
    limits: dict[str, Any] = {
        "limits": [{"type": "Container", "default": {"cpu": "500m", "memory": "1Gi"}}]
    }
    quota: dict[str, Any] = {"hard": {"limits.cpu": "10", "requests.memory": "10Gi", "pods": "10"}}
    for kind, spec in (("limitranges", limits), ("resourcequotas", quota)):
        path = f"/api/v1/namespaces/limited/{kind}"
        served.plane.create(path, {"metadata": {"name": "x"}, "spec": spec})
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [make_container()]}}
    deployment = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    path = "/apis/apps/v1/namespaces/limited/deployments"
    served.plane.create(path, {"metadata": {"name": "web"}, "spec": deployment})
    job = {"metadata": {}, "spec": {"restartPolicy": "Never", "containers": [make_container()]}}
    path = "/apis/batch/v1/namespaces/limited/jobs"
    served.plane.create(path, {"metadata": {"name": "job"}, "spec": {"template": job}})
    pods = wait_for_pods(served, "limited", 4)
    for pod in pods:
        sidecar = pod["spec"]["initContainers"][0]
        assert sidecar["image"] == IMAGE
        if pod["metadata"].get("generateName"):
            assert sidecar["resources"]["limits"] == {"cpu": "500m", "memory": "64Mi"}
        assert plan_patch(pod, MODES["standard"], SETTINGS) == Patch([], ())


def test_a_pod_with_a_share_of_its_own_keeps_it_whole(served: Served) -> None:
    served.create_namespace("shared", injection="enabled")
    share = {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"memory": "32Mi"}}
    pod = make_pod(make_container(resources={"requests": share["requests"]}), resources=share)
    made = create_watched(served, "shared", pod)
    assert made["spec"]["resources"] == share
    assert made["spec"]["initContainers"][0]["resources"] == {}
    assert plan_patch(made, MODES["standard"], SETTINGS) == Patch([], ())


def wait_for_pods(served: Served, namespace: str, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while True:
        answer = served.plane.request("GET", f"/api/v1/namespaces/{namespace}/pods")
        pods: list[dict[str, Any]] = answer.json()["items"]
        if len(pods) == count:
            return pods
        assert time.monotonic() < deadline, pods
        time.sleep(0.2)
