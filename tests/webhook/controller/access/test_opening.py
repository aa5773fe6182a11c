"""How a member is called: directly, by one credential, verified by its Cluster's CA alone."""

import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from sidecar.secret import Secret
from tests.controlplane import ControlPlane
from tests.controlplane.certificates import Authority
from webhook.controller.access.opening import (
    Bearer,
    ClientCertificate,
    Location,
    Login,
    locate,
    open_member,
)
from webhook.kube import KubeError
from webhook.resources.clusters import Audience, Cluster
from webhook.resources.meta import Meta

REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def who(address: Location, login: Login) -> str:
    kube = open_member(address, login)
    try:
        return str(kube.request("POST", PATH, REVIEW).document["status"]["userInfo"]["username"])
    finally:
        kube.close()


def admin(control_plane: ControlPlane) -> Bearer:
    return Bearer(Secret(control_plane.tokens["admin"].encode()))


def certificate(control_plane: ControlPlane) -> ClientCertificate:
    pair = control_plane.authority.issue_client("member-test", ["system:masters"])
    key = Path(pair.key).read_bytes()
    return ClientCertificate(Path(pair.certificate).read_text(), Secret(key))


def test_by_token_and_by_certificate(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Servers are called directly, whatever the environment says.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    bundle = base64.b64encode(control_plane.ca_pem.encode()).decode()
    cluster = Cluster(Meta("eu-1"), control_plane.url, bundle, Audience())
    address = locate(cluster)
    assert who(address, admin(control_plane)) == "admin"
    before = set(os.listdir("/proc/self/fd"))
    assert who(address, certificate(control_plane)) == "member-test"
    assert len(set(os.listdir("/proc/self/fd")) - before) <= 1


def test_another_name_in_the_certificate(control_plane: ControlPlane) -> None:
    address = Location(control_plane.url, control_plane.ca_pem, "kubernetes.default.svc")
    assert who(address, admin(control_plane)) == "admin"
    with pytest.raises(KubeError, match="certificate verify failed"):
        who(address._replace(tls_server_name="evil.example.com"), admin(control_plane))


def test_another_ca_is_not_believed(control_plane: ControlPlane, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").pem
    with pytest.raises(KubeError, match="certificate verify failed"):
        who(Location(control_plane.url, other), admin(control_plane))


@pytest.mark.parametrize(
    ("ca", "key"),
    [
        ("", "c2VjcmV0"),
        ("no pem", "c2VjcmV0"),
        (None, "c2VjcmV0"),
        (None, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0"),
    ],
)
def test_what_is_no_pem_is_said_without_showing_it(
    control_plane: ControlPlane, ca: str | None, key: str
) -> None:
    login = ClientCertificate(certificate(control_plane).certificate, Secret(key.encode()))
    address = Location(control_plane.url, control_plane.ca_pem if ca is None else ca)
    with pytest.raises(KubeError, match="no PEM that fits") as caught:
        open_member(address, login)
    assert "c2VjcmV0" not in str(caught.value)


def test_what_is_no_text_is_no_credential(control_plane: ControlPlane) -> None:
    address = Location(control_plane.url, control_plane.ca_pem)
    for login in (Bearer(Secret(b"\xff")), ClientCertificate("", Secret(b"\xff"))):
        with pytest.raises(KubeError, match="no text"):
            open_member(address, login)


def test_an_encrypted_key_asks_nobody_for_its_password(control_plane: ControlPlane) -> None:
    found = certificate(control_plane)
    key = serialization.load_pem_private_key(found.key.reveal(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    address = Location(control_plane.url, control_plane.ca_pem)
    with pytest.raises(KubeError, match="no PEM that fits"):
        open_member(address, ClientCertificate(found.certificate, Secret(locked)))
