"""What the controller shows to members, and the proof that it does not open home."""

import base64
import http.client
from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import ISSUER
from webhook.controller.members.credentials import MemberAccess
from webhook.kube import Kube, KubeError, open_kubeconfig
from webhook.resources.clusters import Audience, Cluster, Credentials, SecretRef
from webhook.resources.meta import Meta
from webhook.resources.names import CONTROLLER

NAMESPACE = "member-access"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


def make(plane: ControlPlane, credentials: Credentials, *, accepted: bool = True) -> Cluster:
    bundle = base64.b64encode(plane.ca_pem.encode()).decode()
    return Cluster(Meta("eu", uid="u1"), plane.url, bundle, credentials, accepted=accepted)


@pytest.fixture
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    control_plane.create_service_account(NAMESPACE, CONTROLLER)
    # With a client certificate, which must not be shown beside the token that is tried.
    kube = open_kubeconfig(path=str(control_plane.admin_kubeconfig()))
    yield kube
    kube.close()


def access(kube: Kube, cluster: Cluster | None = None, *, leads: bool = True) -> MemberAccess:
    return MemberAccess(kube, NAMESPACE, lambda _: cluster, lambda: leads)


def test_home_is_asked_whether_it_takes_an_audience(kube: Kube) -> None:
    found = access(kube)
    assert found.prove("mca.io/cluster/u1") == (False, "")
    # The API server's own: it knows us, whatever it allows.
    assert found.prove(ISSUER).opens is True


def test_without_a_token_nobody_knows(kube: Kube) -> None:
    elsewhere = MemberAccess(kube, "no-such-namespace", lambda _: None, lambda: True)
    proof = elsewhere.prove("mca.io/cluster/u1")
    assert proof.opens is None
    assert "no token could be had" in proof.problem


def test_a_token_is_kept_for_two_thirds_of_its_life(kube: Kube) -> None:
    now = [0.0]
    found = MemberAccess(kube, NAMESPACE, lambda _: None, lambda: True, lambda: now[0])
    first = found.issue("a")
    assert found.issue("a") is first
    assert found.issue("b") is not first
    now[0] = 2401.0
    assert found.issue("a") is not first
    assert list(found._issued) == ["a"]  # of "b" nobody has asked again


def test_writes_there_end_with_the_lease(control_plane: ControlPlane, kube: Kube) -> None:
    cluster = make(control_plane, Audience())
    member = access(kube, cluster, leads=False).open("eu")
    with pytest.raises(KubeError) as caught:
        member.request("POST", "/api/v1/namespaces", {})
    assert caught.value.reason == "NotLeading"
    # It is asked, and does not know the token.
    with pytest.raises(KubeError) as caught:
        member.request("GET", "/version")
    assert caught.value.status == http.client.UNAUTHORIZED
    member.close()


def test_what_may_not_be_used_is_not_opened(control_plane: ControlPlane, kube: Kube) -> None:
    for cluster in (None, make(control_plane, Audience(), accepted=False)):
        with pytest.raises(KubeError, match="Cluster eu is not"):
            access(kube, cluster).open("eu")


def test_secrets(control_plane: ControlPlane, kube: Kube) -> None:
    cluster = make(control_plane, SecretRef("stored"))
    found = access(kube, cluster)
    held = found.read_held(cluster)
    assert (held.login, held.reason) == (None, "SecretMissing")
    with pytest.raises(KubeError, match="is not there"):
        found.open("eu")
    token = control_plane.tokens["admin"]
    secret = {
        "metadata": {"name": "stored", "annotations": {"mca.io/tenant": "acme"}},
        "type": "mca.io/cluster-credentials",
        "data": {"token": base64.b64encode(token.encode()).decode()},
    }
    control_plane.create(SECRETS, secret)
    held = found.read_held(cluster)
    assert (held.login is not None, held.tenant) == (True, "acme")
    member = found.open("eu")
    assert member.request("GET", "/version").document["gitVersion"].startswith("v1.")
    member.close()
    control_plane.request("DELETE", f"{SECRETS}/stored")
    control_plane.create(SECRETS, {**secret, "type": "Opaque"})
    held = found.read_held(cluster)
    assert held.reason == "SecretInvalid"
    assert token not in held.problem
    control_plane.request("DELETE", f"{SECRETS}/stored")
