"""Which volumes stand for a service account, by what they hold."""

from typing import Any

import pytest

from tests.webhook.admission.scene import ACCOUNT_PATH, make_container
from webhook.admission.volumes import find_access_volumes, is_account_path


def token_volume(name: str, **token: Any) -> dict[str, Any]:
    return {
        "name": name,
        "projected": {"sources": [{"serviceAccountToken": {"path": "t", **token}}]},
    }


@pytest.mark.parametrize(
    "path",
    [ACCOUNT_PATH, ACCOUNT_PATH + "/", "/run/secrets/kubernetes.io/serviceaccount",
     "/var/run//secrets/./kubernetes.io/serviceaccount",
     "//var/run/secrets/kubernetes.io/serviceaccount"],
)  # fmt: skip
def test_the_path(path: str) -> None:
    assert is_account_path(path)


@pytest.mark.parametrize("path", ["/", "/var/run/secrets", ACCOUNT_PATH + "/token", ""])
def test_other_paths(path: str) -> None:
    assert not is_account_path(path)


def test_only_tokens_of_the_api_server_that_stand_there_or_are_called_so() -> None:
    mounts = [
        {"name": name, "mountPath": ACCOUNT_PATH}
        for name in ("own", "hidden", "vault", "mca-token")
    ]
    spec = {
        "containers": [make_container(volumeMounts=mounts)],
        "volumes": [
            token_volume("own"),
            token_volume("kube-api-access-1"),
            token_volume("kube-api-access-2", audience="vault"),
            {"name": "kube-api-access-3", "configMap": {}},
            token_volume("elsewhere"),
            token_volume("vault", audience="vault"),
            {"name": "hidden", "emptyDir": {}},
            token_volume("mca-token"),
        ],
    }
    assert find_access_volumes(spec, ("mca-token",)) == {"own", "kube-api-access-1"}
    assert find_access_volumes({"containers": []}, ()) == frozenset()
