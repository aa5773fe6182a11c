"""`mca check` on a real installation: in order, and with one thing after another broken."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.webhook.cli.check.scene import CONTROL, SIDECAR, bare_pod, make_bundle
from tests.webhook.cli.install.cluster import Cluster, wait_until
from tests.webhook.cli.test_entry import mca

pytestmark = pytest.mark.apiserver
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
REGISTRATION = f"{ADMISSION}/mutatingwebhookconfigurations/mca"
EXEC_GUARD = f"{ADMISSION}/validatingadmissionpolicies/mca-exec"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
POD_SECURITY = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Installed, with a namespace `team` whose pods are injected."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.install()
        made.label("team", injection="enabled")
        wait_until(lambda: made.check()[0] == 0)
        yield made


def findings(told: dict[str, Any], *statuses: str) -> dict[str, str]:
    """Group and check, and what is said of it."""
    return {
        f"{each['group']}/{each['check']}": each["message"]
        for each in told["findings"]
        if each["status"] in statuses
    }


def test_in_order(cluster: Cluster) -> None:
    code, told = cluster.check()
    assert findings(told, "warn", "fail", "unknown") == {}
    assert (code, told["result"]) == (0, "ok")
    fine = findings(told, "ok")
    assert fine["installation/settings"] == f"sidecars have the image {SIDECAR}"
    assert fine["installation/pods"] == "2 of 2 pods of mca-webhook are ready"
    assert fine["namespace team/injection"] == "a pod that was tried gets its sidecar"
    assert "rights/webhook-needs" in fine
    assert "rights/webhook-excess" in fine
    done = cluster.mca("check", "-n", "team")
    assert done.returncode == 0
    assert "\nnamespace team\n  ok      labels: mca.io/injection: enabled\n" in done.stdout


def test_nothing_is_written(cluster: Cluster) -> None:
    before = cluster.list_everything()
    cluster.check()
    assert cluster.list_everything() == before


def test_values_of_secrets_are_not_asked_for(cluster: Cluster) -> None:
    """By what the API server recorded of its answers."""
    before = len(cluster.list_answers_on_secrets())
    cluster.check()
    wait_until(lambda: len(cluster.list_answers_on_secrets()) >= before + 2)
    assert set(cluster.list_answers_on_secrets()[before:]) == {
        ("get", "PartialObjectMetadata", False),
        ("list", "PartialObjectMetadataList", False),
    }


def test_no_namespace_is_labelled(cluster: Cluster) -> None:
    cluster.label("team", injection=None)
    code, told = cluster.check()
    cluster.label("team", injection="enabled")
    assert code == 0, told
    assert findings(told, "ok")["namespaces/labelled"].startswith("none yet: kubectl label")
    assert findings(told, "ok")["webhook/reachable"] == "its /readyz answers the API server"


def test_the_webhook_is_down(cluster: Cluster) -> None:
    cluster.node.healthy = False
    try:
        wait_until(lambda: "installation/pods" in findings(cluster.check()[1], "fail"))
        wait_until(lambda: "installation/endpoints" in findings(cluster.check()[1], "fail"))
        code, told = cluster.check()
    finally:
        cluster.node.healthy = True
    assert code == 1
    failed = findings(told, "fail")
    assert failed["installation/pods"] == "0 of 2 pods of mca-webhook are ready"
    assert "failed calling webhook" in failed["namespace team/injection"]
    (hint,) = [each["hint"] for each in told["findings"] if each["check"] == "injection"]
    assert "kubectl get pods,endpointslices -n mca-system" in hint
    wait_until(lambda: cluster.check()[0] == 0)


def test_nobody_trusts_its_certificate(cluster: Cluster) -> None:
    """While the webhook itself cannot mend that: its right to is taken away."""
    cluster.plane.request("DELETE", f"{RBAC}/clusterrolebindings/mca-webhook")
    registration = cluster.plane.request("GET", REGISTRATION).json()
    for webhook in registration["webhooks"]:
        webhook["clientConfig"]["caBundle"] = make_bundle(20000)
    cluster.patch(REGISTRATION, {"webhooks": registration["webhooks"]})
    try:
        wait_until(lambda: "x509" in findings(cluster.check()[1], "fail").get(
            "namespace team/injection", ""))  # fmt: skip
        failed = findings(cluster.check()[1], "fail")
    finally:
        cluster.install()
    assert "may not get mutatingwebhookconfigurations" in failed["rights/webhook-needs"]
    assert "clusterrolebinding" in failed["installation/objects"]
    wait_until(lambda: cluster.check()[0] == 0)


def test_the_bundle_is_empty_or_old(cluster: Cluster) -> None:
    registration = cluster.plane.request("GET", REGISTRATION).json()
    cluster.plane.request("DELETE", f"{RBAC}/clusterrolebindings/mca-webhook")
    for bundle, said in ((None, "the caBundle is empty"), (make_bundle(-1), "is valid now")):
        for webhook in registration["webhooks"]:
            webhook["clientConfig"]["caBundle"] = bundle
        cluster.patch(REGISTRATION, {"webhooks": registration["webhooks"]})
        assert said in findings(cluster.check()[1], "fail")["webhook/ca-bundle"]
    cluster.install()
    wait_until(lambda: cluster.check()[0] == 0)


def test_the_registration_was_changed(cluster: Cluster) -> None:
    registration = cluster.plane.request("GET", REGISTRATION).json()
    changed = json.loads(json.dumps(registration["webhooks"]))
    changed[2]["failurePolicy"] = "Ignore"
    cluster.patch(REGISTRATION, {"webhooks": changed})
    _, told = cluster.check()
    assert findings(told, "fail") == {
        "webhook/registration": "mca was changed: standard.inject.mca.io: failurePolicy"
    }
    cluster.plane.request("DELETE", REGISTRATION)
    wait_until(lambda: "nothing was said" in findings(cluster.check()[1], "fail").get(
        "namespace team/injection", ""))  # fmt: skip
    _, told = cluster.check()
    assert "there is no MutatingWebhook" in findings(told, "fail")["webhook/registration"]
    cluster.install()
    wait_until(lambda: cluster.check()[0] == 0)


def test_a_guard_was_changed_or_taken_out(cluster: Cluster) -> None:
    guard = cluster.plane.request("GET", EXEC_GUARD).json()
    validations = [{**guard["spec"]["validations"][0], "expression": "true"}]
    cluster.patch(EXEC_GUARD, {"spec": {"validations": validations}})
    _, told = cluster.check()
    assert findings(told, "fail") == {
        "guards/policies": "was changed: mca-exec: validations[0].expression"
    }
    cluster.plane.request("DELETE", EXEC_GUARD.replace("policies", "policybindings"))
    _, told = cluster.check()
    assert "policy or binding: mca-exec" in findings(told, "fail")["guards/policies"]
    cluster.install("--force-conflicts")
    assert cluster.check()[0] == 0


def test_guards_for_another_image(cluster: Cluster) -> None:
    path = "/apis/apps/v1/namespaces/mca-system/deployments/mca-webhook"
    deployment = cluster.plane.request("GET", path).json()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for item in container["env"]:
        if item["name"] == "MCA_SIDECAR_IMAGE":
            item["value"] = CONTROL
    containers = {"spec": {"template": {"spec": {"containers": [container]}}}}
    cluster.patch(path, containers)
    _, told = cluster.check()
    assert f"the webhook puts in {CONTROL}" in findings(told, "fail")["guards/image"]
    cluster.install("--force-conflicts")
    wait_until(lambda: cluster.check()[0] == 0)


def test_the_account_may_too_much(cluster: Cluster) -> None:
    binding = {
        "metadata": {"name": "too-much"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
        },
        "subjects": [
            {"kind": "ServiceAccount", "name": "mca-webhook", "namespace": "mca-system"}
        ],
    }  # fmt: skip
    cluster.plane.create(f"{RBAC}/clusterrolebindings", binding)
    wait_until(lambda: "rights/webhook-excess" in findings(cluster.check()[1], "warn"))
    code, told = cluster.check()
    cluster.plane.request("DELETE", f"{RBAC}/clusterrolebindings/too-much")
    assert code == 0, told
    assert "may list secrets" in findings(told, "warn")["rights/webhook-excess"]
    wait_until(lambda: not findings(cluster.check()[1], "warn"))


def test_an_operator_whom_the_guards_do_not_know(cluster: Cluster) -> None:
    code, told = cluster.check(user="operator")
    assert code == 0, told
    assert list(findings(told, "warn")) == ["rights/labelling"]


def test_who_may_hardly_read_gets_no_verdict(cluster: Cluster) -> None:
    code, told = cluster.check(user="nobody")
    assert (code, told["result"]) == (2, "undecided")
    assert findings(told, "fail") == {}
    unknown = findings(told, "unknown")
    assert "deployments.apps" in unknown["installation/pods"]
    assert "namespaces/labelled" in unknown
    assert "rights/labelling" in unknown


def test_a_server_that_does_not_answer(cluster: Cluster) -> None:
    config = json.loads(cluster.plane.admin_kubeconfig().read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = cluster.folder / "away.kubeconfig"
    path.write_text(json.dumps(config))
    done = mca("check", "--kubeconfig", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "the API server cannot be asked: https://127.0.0.1:1: " in done.stderr


def test_a_label_with_a_value_that_means_nothing(cluster: Cluster) -> None:
    cluster.label("typo", injection="Enabled")
    code, told = cluster.check("-n", "typo", "-n", "absent")
    assert code == 1
    failed = findings(told, "fail")
    assert failed["namespace typo/labels"] == "means nothing: mca.io/injection: Enabled"
    assert failed["namespace absent/labels"] == "there is no namespace absent"


def test_when_a_boundary_is_enforced(cluster: Cluster) -> None:
    """It was labelled with things of before in it; what is left is named until it is gone."""
    namespace = "/api/v1/namespaces/guarded"
    cluster.label("guarded")
    assert cluster.plane.request("POST", f"{namespace}/pods", bare_pod()).status == 201
    token = {
        "metadata": {
            "name": "old-token", "annotations": {"kubernetes.io/service-account.name": "default"},
        },
        "type": "kubernetes.io/service-account-token",
    }  # fmt: skip
    plain = {"metadata": {"name": "plain"}, "data": {"a": "YQ=="}}
    for secret in (token, plain):
        assert cluster.plane.request("POST", f"{namespace}/secrets", secret).status == 201
    cluster.patch(f"{namespace}/configmaps/kube-root-ca.crt", {"immutable": True})
    stolen = {"metadata": {"name": "kubernetes"}, "spec": {"ports": [{"port": 443}]}}
    assert cluster.plane.request("POST", f"{namespace}/services", stolen).status == 201
    cluster.patch(namespace, {"metadata": {"labels": {POD_SECURITY: "baseline"}}})
    cluster.label("guarded", injection="enabled", boundary="enforced")

    code, told = cluster.check("-n", "guarded")
    (report,) = told["enforcement"]
    assert (code, report["wanted"], report["enforced"]) == (1, True, False)
    assert [(each["code"], each["subject"]) for each in report["leftovers"]] == [
        ("pod-without-sidecar", "pod/old-0"),
        ("token-secret", "secret/old-token"),
        ("foreign-ca", "configmap/kube-root-ca.crt"),
        ("foreign-service", "service/kubernetes"),
    ]
    failed = [each["message"] for each in told["findings"] if each["check"] == "boundary"]
    assert failed == [
        "pod/old-0 has no sidecar",
        "secret/old-token holds a token of the API server that does not expire",
        "configmap/kube-root-ca.crt is immutable: Kubernetes cannot keep it right",
        "service/kubernetes stands for the API server in the environment of new pods",
    ]

    pods = f"{namespace}/pods"
    cluster.plane.request("DELETE", f"{pods}/old-0", {"gracePeriodSeconds": 0})
    for path in ("secrets/old-token", "configmaps/kube-root-ca.crt", "services/kubernetes"):
        assert cluster.plane.request("DELETE", f"{namespace}/{path}").status == 200
    made = cluster.plane.request("POST", pods, {**bare_pod("new-0"), "status": {}})
    assert made.status == 201, made.body
    code, told = cluster.check("-n", "guarded")
    assert code == 0, findings(told, "fail")
    assert told["enforcement"] == [
        {"namespace": "guarded", "wanted": True, "enforced": True, "leftovers": []}
    ]
