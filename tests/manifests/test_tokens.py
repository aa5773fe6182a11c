"""Attack 61: no token of the API server is won through the API in an enforced namespace."""

import base64
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from tests.controlplane.control_plane import ISSUER
from tests.manifests.scene import Guarded, assert_passed, assert_refused, wait_until

pytestmark = pytest.mark.apiserver
SECRETS = "/api/v1/namespaces/{}/secrets"
TOKEN_TYPE = "kubernetes.io/service-account-token"
ACCOUNT = "kubernetes.io/service-account.name"


def token_secret(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "annotations": {ACCOUNT: "owner"}},
        "type": TOKEN_TYPE,
    }


def test_61_no_token_secret_by_create_or_apply(guarded: Guarded) -> None:
    path = SECRETS.format("team")
    told = ("use another type", "sidecar")
    assert_refused(guarded.call("POST", path, token_secret("a")), "mca-token-secrets", *told)
    answer = guarded.call(
        "PATCH",
        f"{path}/a?fieldManager=x",
        json.dumps(token_secret("a")).encode(),
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    assert_refused(answer, "mca-token-secrets", *told)
    admin = guarded.plane.tokens["admin"]
    answer = guarded.call("POST", path, token_secret("a"), token=admin)
    assert_refused(answer, "mca-token-secrets", *told)


def test_61_near_miss_other_secrets_and_other_namespaces(guarded: Guarded) -> None:
    body = {"metadata": {"name": "mine", "annotations": {ACCOUNT: "owner"}}, "type": "Opaque"}
    assert_passed(guarded.call("POST", SECRETS.format("team"), body))
    assert_passed(guarded.patch(f"{SECRETS.format('team')}/mine", {"stringData": {"a": "b"}}))
    plain = SECRETS.format("plain")
    assert_passed(guarded.call("POST", plain, token_secret("a"), namespace="plain"))


def test_61_an_old_token_secret_is_deleted_and_not_used_again(guarded: Guarded) -> None:
    plane = guarded.plane
    plane.create_namespace("late")
    path = SECRETS.format("late")
    guarded.make(path, token_secret("plain"))
    old = token_secret("old")
    old["metadata"]["finalizers"] = ["example.com/hold"]
    guarded.make(path, old)
    plane.kubectl(
        "label", "namespace", "late", "pod-security.kubernetes.io/enforce=baseline",
        "mca.io/boundary=enforced",
    )  # fmt: skip
    admin = plane.tokens["admin"]
    # The policy sees the new label by a watch, a moment later.
    other = {"metadata": {"annotations": {ACCOUNT: "another"}}}

    def is_guarded() -> bool:
        return guarded.patch(f"{path}/old?dryRun=All", other, token=admin).status == 403

    wait_until(is_guarded)
    answer = guarded.patch(f"{path}/old", other, token=admin)
    assert_refused(answer, "mca-token-secrets", "or delete this one")
    assert guarded.call("DELETE", f"{path}/plain", token=admin).status == 200
    assert guarded.call("DELETE", f"{path}/old", token=admin).status == 200
    assert_refused(guarded.patch(f"{path}/old", other, token=admin), "mca-token-secrets", "delete")
    free = {"metadata": {"finalizers": None}}
    assert_passed(guarded.patch(f"{path}/old", free, token=admin))
    assert plane.request("GET", f"{path}/old").status == 404


GROUP = "rbac.authorization.k8s.io"
REQUEST = "/api/v1/namespaces/{}/serviceaccounts/owner/token"


@pytest.mark.parametrize(
    "audiences",
    [
        None, [], [ISSUER], ["vault", ISSUER], ["vault", "another"], ["Vault"], ["vault "],
        # What the broker and members take for a sidecar's.
        ["mca.io/broker"], ["vault", "mca.io/broker"], ["mca.io/cluster/uid"],
    ],
)  # fmt: skip
def test_61_29_74_no_token_for_an_audience_that_nobody_listed(
    guarded: Guarded, audiences: list[str] | None
) -> None:
    spec = {} if audiences is None else {"audiences": audiences}
    answer = guarded.call("POST", REQUEST.format("team"), {"spec": spec})
    found = ", ".join(audiences or [ISSUER])
    assert_refused(answer, "mca-token-requests", "--audience", f"(found: {found})")


@pytest.mark.parametrize("audiences", [["vault"], ["vault", "sts.example.com"]])
def test_61_near_miss_a_listed_audience(guarded: Guarded, audiences: list[str]) -> None:
    answer = guarded.call("POST", REQUEST.format("team"), {"spec": {"audiences": audiences}})
    assert_passed(answer)
    assert answer.json()["spec"]["audiences"] == audiences


def test_61_near_miss_those_who_may_and_other_namespaces(guarded: Guarded) -> None:
    for token in (guarded.plane.tokens["admin"], guarded.controller):
        assert_passed(guarded.call("POST", REQUEST.format("team"), {"spec": {}}, token=token))
    assert_passed(guarded.call("POST", REQUEST.format("plain"), {"spec": {}}, namespace="plain"))


def test_61_near_miss_kubelets_fetch_the_sidecars_token(guarded: Guarded) -> None:
    plane = guarded.plane
    binding = {
        "metadata": {"name": "kubelet"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": "kubelet"}],
    }
    guarded.make(f"/apis/{GROUP}/v1/clusterrolebindings", binding)
    path, token = REQUEST.format("team"), plane.tokens["kubelet"]
    wait_until(lambda: plane.request("POST", path, {"spec": {}}, token=token).status == 201)


def certificate_request(signer: str, name: str) -> dict[str, Any]:
    """For a pod of the tenant's, with the tenant's own key."""
    key = ed25519.Ed25519PrivateKey.generate()
    stub = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, None)
    uid = "0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b"
    return {
        "metadata": {"name": name},
        "spec": {
            "signerName": signer,
            "podName": "a",
            "podUID": uid,
            "serviceAccountName": "owner",
            "serviceAccountUID": uid,
            "nodeName": "node",
            "nodeUID": uid,
            "maxExpirationSeconds": 3600,
            "stubPKCS10Request": base64.b64encode(stub.public_bytes(Encoding.DER)).decode(),
        },
    }


def test_61_no_certificate_for_the_api_in_a_pods_name(guarded: Guarded) -> None:
    path = "/apis/certificates.k8s.io/v1beta1/namespaces/{}/podcertificaterequests"
    ours = certificate_request("kubernetes.io/kube-apiserver-client-pod", "a")
    answer = guarded.call("POST", path.format("team"), ours)
    assert_refused(
        answer, "mca-certificate-requests", "signer of your own", "through their sidecar"
    )
    assert_passed(guarded.call("POST", path.format("plain"), ours, namespace="plain"))
    other = certificate_request("example.com/signer", "b")
    assert_passed(guarded.call("POST", path.format("team"), other))
