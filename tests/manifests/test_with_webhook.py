"""Injection and guards together, behind the API server's own plugins: attacks 56, 57 and 65.

The guards must not stand in the way of what injection makes, and what comes after it must not pass.
"""

import base64
import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from tests.controlplane import Answer, ControlPlane
from tests.manifests.meddler import Meddler
from tests.manifests.scene import SETTINGS, Guarded, assert_passed, assert_refused, wait_until
from tests.webhook.admission.scene import IMAGE, WebhookProcess
from webhook.admission.registration import build_registration
from webhook.resources.definitions import build_definitions

pytestmark = pytest.mark.apiserver
CUSTOM = "/apis/mca.io/v1alpha1"
OF_MCA = {"apiVersion": "mca.io/v1alpha1"}
PODS = "/api/v1/namespaces/team/pods"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
REGISTRATIONS = f"{ADMISSION}/mutatingwebhookconfigurations"


class Whole(NamedTuple):
    """A cluster with both."""

    guarded: Guarded
    webhook: WebhookProcess
    registration: dict[str, Any]

    def create(self, name: str, *, dry: bool = False, **fields: Any) -> Answer:
        """A pod by the tenant."""
        container = {"name": "app", "image": "app", **fields.pop("app", {})}
        spec = {"serviceAccountName": "owner", "containers": [container], **fields}
        body = {"metadata": {"name": name}, "spec": spec}
        return self.guarded.call("POST", f"{PODS}{'?dryRun=All' if dry else ''}", body)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    settings = replace(SETTINGS, image=IMAGE, previous_images=(), audiences=())
    with ControlPlane(controller_manager=True) as plane:
        for definition in build_definitions():
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            assert plane.request("POST", path, definition).status == 201
        # What it asks for each minute if it was not there at first.
        wait_until(lambda: plane.request("GET", f"{CUSTOM}/tenants").status == 200)
        webhook = WebhookProcess(
            tmp_path_factory.mktemp("webhook"),
            MCA_SIDECAR_POLICY="controller",
            KUBECONFIG=str(plane.admin_kubeconfig()),
        )
        try:
            guarded = Guarded(plane, settings)
            registration = build_registration({"url": webhook.wait().url}, webhook.ca_bundle, ())
            guarded.make(REGISTRATIONS, registration)
            whole = Whole(guarded, webhook, registration)
            wait_until(lambda: whole.create("probe", dry=True).status == 201)
            yield whole
        finally:
            webhook.stop()


def test_a_pod_is_injected_and_passes(whole: Whole) -> None:
    """With the volume that the API server's own plugin adds, and its second round."""
    answer = whole.create("first", initContainers=[{"name": "setup", "image": "a"}])
    assert_passed(answer)
    spec = answer.json()["spec"]
    assert [each["name"] for each in spec["initContainers"]] == ["mca", "setup"]
    assert {each["name"] for each in spec["volumes"]} == {
        "mca-identity", "mca-clients", "mca-token", "mca-policy", "mca-broker",
    }  # fmt: skip


def test_members_of_its_tenant_have_their_tokens(whole: Whole) -> None:
    """From the moment that the Tenant names them; and a revoked one has none in the next pod."""
    plane, made = whole.guarded.plane, whole.guarded.make
    bundle = base64.b64encode(plane.authority.pem.encode()).decode()
    spec = {"server": plane.url, "caBundle": bundle, "credentials": {"audience": {}}}
    for name in ("eu-1", "us-1"):
        cluster = {**OF_MCA, "kind": "Cluster", "metadata": {"name": name}, "spec": spec}
        made(f"{CUSTOM}/clusters", cluster)
    accept(whole, "eu-1", "True")
    choice = {"namespaces": {"names": ["team"]}, "clusters": ["eu-1", "us-1"]}
    made(
        f"{CUSTOM}/tenants",
        {**OF_MCA, "kind": "Tenant", "metadata": {"name": "acme"}, "spec": choice},
    )
    label = {"metadata": {"labels": {"mca.io/tenant": "acme"}}}
    path = "/api/v1/namespaces/team"
    assert_passed(whole.guarded.patch(path, label, token=plane.tokens["admin"]))

    def read() -> dict[str, Any]:
        answer = whole.create("member", dry=True)
        assert_passed(answer)
        spec = answer.json()["spec"]
        env = {each["name"]: each.get("value") for each in spec["initContainers"][0]["env"]}
        tokens = [
            source["serviceAccountToken"]
            for volume in spec["volumes"]
            if volume["name"] == "mca-members"
            for source in volume["projected"]["sources"]
        ]
        return {"members": json.loads(env["MCA_MEMBERS"]), "tokens": tokens}

    wait_until(lambda: read()["tokens"])
    uid = plane.request("GET", f"{CUSTOM}/clusters/eu-1").json()["metadata"]["uid"]
    digest = hashlib.sha256(plane.authority.pem.encode()).hexdigest()
    assert read() == {
        "members": [{"name": "eu-1", "server": plane.url, "ca": digest}],
        "tokens": [
            {"audience": f"mca.io/cluster/{uid}", "expirationSeconds": 3600, "path": "eu-1/token"}
        ],
    }
    accept(whole, "eu-1", "False")
    wait_until(lambda: read() == {"members": [], "tokens": []})
    remove = {"metadata": {"labels": {"mca.io/tenant": None}}}
    assert_passed(whole.guarded.patch(path, remove, token=plane.tokens["admin"]))


def accept(whole: Whole, cluster: str, status: str) -> None:
    """As the controller says it."""
    told = {"type": "Accepted", "status": status, "reason": "Any", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    path = f"{CUSTOM}/clusters/{cluster}/status"
    change = {"status": {"conditions": [told]}}
    assert_passed(whole.guarded.patch(path, change, token=whole.guarded.plane.tokens["admin"]))


def test_a_pod_whose_names_are_captured_passes(whole: Whole) -> None:
    """Under Pod Security, with its sysctl; and comes back from the second round as it was."""
    metadata = {"name": "captured", "annotations": {"mca.io/capture": "env,dns"}}
    spec: dict[str, Any] = {"containers": [{"name": "app", "image": "a"}]}
    body = {"metadata": metadata, "spec": {"serviceAccountName": "owner", **spec}}
    answer = whole.guarded.call("POST", f"{PODS}?dryRun=All", body)
    assert_passed(answer)
    pod = answer.json()
    assert [alias["ip"] for alias in pod["spec"]["hostAliases"]] == ["127.0.0.1", "::1"]
    again = whole.guarded.call("POST", f"{PODS}?dryRun=All", {**body, "spec": pod["spec"]})
    assert_passed(again)
    assert again.json()["spec"] == pod["spec"]
    spec["hostAliases"] = [{"ip": "10.0.0.1", "hostnames": ["kubernetes.default.svc"]}]
    refused = whole.guarded.call("POST", f"{PODS}?dryRun=All", {**body, "spec": spec})
    assert refused.status == 403
    assert "mca host-alias-conflict: " in refused.json()["message"]


def test_the_api_server_finds_nothing_to_warn_of(whole: Whole) -> None:
    """Its controller checks the types of every expression, a moment after a policy was made."""
    path = f"{ADMISSION}/validatingadmissionpolicies"

    def list_states() -> list[dict[str, Any]]:
        items = whole.guarded.plane.request("GET", path).json()["items"]
        return [item.get("status", {}) for item in items]

    wait_until(lambda: all("typeChecking" in state for state in list_states()))
    assert not [state for state in list_states() if state["typeChecking"]]


def test_56_a_stored_pod_copied_with_a_sidecar_of_its_own(whole: Whole) -> None:
    """`kubectl debug --copy-to`, a dumped template: what it brings is made anew, or refused."""
    pod = whole.create("copied", dry=True).json()
    sidecar = pod["spec"]["initContainers"][0]
    made = copy.deepcopy(sidecar)
    sidecar |= {"image": "evil", "command": ["sh"]}
    sidecar["env"].append({"name": "PYTHONPATH", "value": "/tmp"})
    body = {"metadata": {"name": "copy"}, "spec": pod["spec"]}
    answer = whole.guarded.call("POST", f"{PODS}?dryRun=All", body)
    assert_passed(answer)
    assert answer.json()["spec"]["initContainers"][0] == made


@pytest.mark.parametrize("name", ["mca-identity", "mca-token", "mca-broker", "mca-members"])
def test_56_a_reference_to_what_injection_will_add(whole: Whole, name: str) -> None:
    answer = whole.create("early", app={"volumeMounts": [{"name": name, "mountPath": "/a"}]})
    assert answer.status == 403, answer.body
    assert "leave that out" in answer.json()["message"]


def test_webhooks_that_were_taken_out_let_no_pod_in(whole: Whole) -> None:
    """The boundary is no worse for our processes being gone: nothing starts, nothing leaks."""
    plane = whole.guarded.plane
    name = whole.registration["metadata"]["name"]
    assert plane.request("DELETE", f"{REGISTRATIONS}/{name}").status == 200
    try:
        wait_until(lambda: whole.create("bare", dry=True).status == 403)
        assert_refused(
            whole.create("bare", dry=True), "mca-final-pods", "whether the webhook is registered"
        )
    finally:
        whole.guarded.make(REGISTRATIONS, whole.registration)
    wait_until(lambda: whole.create("bare", dry=True).status == 201)


def test_65_a_namespace_with_our_objects_ends(whole: Whole) -> None:
    plane = whole.guarded.plane
    labels = {"mca.io/boundary": "enforced", "pod-security.kubernetes.io/enforce": "baseline"}
    whole.guarded.make("/api/v1/namespaces", {"metadata": {"name": "ends", "labels": labels}})
    path = "/api/v1/namespaces/ends/configmaps"
    body = {"metadata": {"name": "mca-policy"}}
    assert_passed(whole.guarded.call("POST", path, body, token=whole.guarded.controller))
    assert plane.request("DELETE", f"{path}/mca-policy").status == 403
    assert plane.request("DELETE", "/api/v1/namespaces/ends").status == 200
    wait_until(lambda: plane.request("GET", "/api/v1/namespaces/ends").status == 404, timeout_s=60)


@pytest.fixture(scope="module")
def meddler(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meddler]:
    plane = whole.guarded.plane
    with Meddler(tmp_path_factory.mktemp("meddler")) as meddler:
        whole.guarded.make(REGISTRATIONS, meddler.registration())
        meddler.operations = [{"op": "add", "path": "/metadata/labels", "value": {"met": "yes"}}]
        wait_until(lambda: "labels" in whole.create("probe", dry=True).json().get("metadata", ()))
        yield meddler
        assert plane.request("DELETE", f"{REGISTRATIONS}/zz-meddler").status == 200
        wait_until(
            lambda: "labels" not in whole.create("probe", dry=True).json().get("metadata", ())
        )


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("initContainers/0/env/-", {"name": "PYTHONPATH", "value": "/work"}, "environment"),
        ("initContainers/0/image", "evil", "(found: evil)"),
        ("initContainers/0/command", ["sh"], "command"),
        ("containers/0/volumeMounts/-", {"name": "mca-token", "mountPath": "/a"}, "found: app"),
        ("containers/-", {"name": "b", "image": "b", "volumeMounts": [
            {"name": "mca-identity", "mountPath": "/a"}]}, "found: b"),
        ("shareProcessNamespace", True, "shareProcessNamespace"),
    ],
)  # fmt: skip
def test_57_what_changes_the_pod_after_us_is_seen(
    whole: Whole, meddler: Meddler, path: str, value: Any, told: str
) -> None:
    """It has the last word among the webhooks: after its change ours is asked once more, then it.

    Where ours, asked again, refuses the pod itself, nothing is left for the guard.
    """
    meddler.operations = [{"op": "add", "path": f"/spec/{path}", "value": value}]
    answer = whole.create("meddled", dry=True)
    assert answer.status == 403, answer.body
    message = answer.json()["message"]
    assert "'mca-final-pods'" in message or 'webhook "enforced.inject.mca.io" denied' in message
    if "mca-final-pods" in message:
        assert told in message


def test_57_near_miss_another_webhook_may_do_the_rest(whole: Whole, meddler: Meddler) -> None:
    meddler.operations = [
        {"op": "add", "path": "/spec/containers/-", "value": {"name": "proxy", "image": "a"}},
    ]
    assert_passed(whole.create("helped", dry=True))
