"""The kinds of an installation: all are known, and the real API server has them where it says."""

from dataclasses import replace

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.cli.check.scene import SETTINGS
from webhook.cli.install.paths import KINDS, OPERATORS, find_collection, find_path, name_object
from webhook.install.objects import build_objects

OPTIONS = [
    {},
    {"cert_manager": True},
    {"service_monitor": True, "dashboard": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "cert-manager", "monitoring"])
def test_every_kind_is_known(options: dict[str, bool]) -> None:
    objects = build_objects(replace(SETTINGS, **options))  # type: ignore[arg-type]
    paths = list(map(find_path, objects))
    assert len(set(paths)) == len(paths)
    assert len({name_object(item) for item in objects}) == len(objects)
    for item in objects:
        assert KINDS[item["apiVersion"], item["kind"]][1] is ("namespace" in item["metadata"])


def test_paths_and_names() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "r", "namespace": "n"}}  # fmt: skip
    assert find_path(role) == "/apis/rbac.authorization.k8s.io/v1/namespaces/n/roles/r"
    assert name_object(role) == "n: role.rbac.authorization.k8s.io/r"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    assert find_path(namespace) == "/api/v1/namespaces/n"
    assert name_object(namespace) == "namespace/n"
    assert find_collection("v1", "Namespace", "n") == "/api/v1/namespaces"


def test_the_api_server_agrees(control_plane: ControlPlane) -> None:
    for (api_version, kind), (plural, namespaced) in KINDS.items():
        if api_version.partition("/")[0] in OPERATORS:
            continue
        root = "/apis/" if "/" in api_version else "/api/"
        served = control_plane.request("GET", f"{root}{api_version}").json()["resources"]
        (found,) = [item for item in served if item["name"] == plural]
        assert (found["kind"], found["namespaced"]) == (kind, namespaced)
