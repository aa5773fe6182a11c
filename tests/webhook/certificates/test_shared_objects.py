"""The two objects at a real API server: what is written onto what was not read, is not written."""

from pathlib import Path

import pytest

from tests.webhook.certificates.scene import (
    NAMESPACE,
    REGISTRATION,
    SECRET,
    Installed,
    render_kubeconfig,
)
from webhook.certificates.shared_objects import SharedObjects
from webhook.certificates.signing import make_authority
from webhook.kube import KubeError, open_kubeconfig

PEM = make_authority(1_700_000_000.0, 10**9).certificate.pem


def open_shared(installed: Installed, namespace: str = NAMESPACE) -> SharedObjects:
    return SharedObjects(open_kubeconfig(path=str(installed.plane.admin_kubeconfig())), namespace)


def test_of_two_who_read_the_same_one_writes(installed: Installed) -> None:
    shared = open_shared(installed)
    secret, registration = shared.read_secret(), shared.read_registration()
    assert registration is not None
    assert [*registration.bundles.values()] == [()] * 3
    assert shared.store(secret, {"a": "YQ=="})
    assert not shared.store(secret, {"a": "Yg=="})
    assert installed.read(SECRET)["data"] == {"a": "YQ=="}
    assert shared.publish(registration, PEM)
    assert not shared.publish(registration, "")
    assert installed.read_bundles() == [PEM] * 3


def test_other_data_of_the_secret_stays(installed: Installed) -> None:
    shared = open_shared(installed)
    installed.patch(SECRET, {"data": {"theirs": "YQ=="}, "metadata": {"labels": {"x": "y"}}})
    assert shared.store(shared.read_secret(), {"ours": "Yg=="})
    found = installed.read(SECRET)
    assert found["data"] == {"theirs": "YQ==", "ours": "Yg=="}
    assert found["metadata"]["labels"]["x"] == "y"


def test_what_only_admins_of_the_cluster_can_break(installed: Installed) -> None:
    shared = open_shared(installed)
    installed.patch(SECRET, {"immutable": True})
    with pytest.raises(KubeError, match="field is immutable when `immutable` is set"):
        shared.store(shared.read_secret(), {"a": "YQ=="})
    installed.plane.request("DELETE", REGISTRATION)
    assert shared.read_registration() is None
    with pytest.raises(KubeError, match="the Secret none/mca-webhook-ca is not there"):
        open_shared(installed, "none").read_secret()


def test_who_may_not_read_hears_so(installed: Installed, tmp_path: Path) -> None:
    """And does not take them for objects that are not there."""
    path = tmp_path / "kubeconfig"
    path.write_text(render_kubeconfig(installed.plane, installed.plane.tokens["nobody"]))
    shared = SharedObjects(open_kubeconfig(path=str(path)), NAMESPACE)
    for read in (shared.read_registration, shared.read_secret):
        with pytest.raises(KubeError) as refused:
            read()
        assert refused.value.status == 403
