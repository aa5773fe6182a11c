"""Which calls create what is not there, as a real API server does it."""

import json

import pytest

from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Body
from sidecar.policy.written_objects import creates, may_create
from tests.controlplane import ControlPlane

NAMESPACE = "creation"
UID = "1e311378-528d-461f-9906-ed8ccce4ae85"


def updatable_kinds(plane: ControlPlane) -> list[tuple[str, str, str, bool]]:
    """Path of the group and version, resource, kind, whether it has namespaces."""

    def read(path: str) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = json.loads(plane.request("GET", path).body)
        return found

    versions = ["/api/v1"]
    for group in read("/apis")["groups"]:
        listed = group["versions"]
        assert isinstance(listed, list)
        versions += [f"/apis/{version['groupVersion']}" for version in listed]
    return [
        (base, str(kind["name"]), str(kind["kind"]), bool(kind["namespaced"]))
        for base in versions
        for kind in read(base)["resources"]
        if "update" in str(kind["verbs"]) and "/" not in str(kind["name"])
    ]


def info_of(method: str, path: str) -> RequestInfo:
    target = parse_target(path.encode())
    assert isinstance(target, Target)
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    return info


@pytest.mark.apiserver
def test_updates_create_only_what_we_know_of(control_plane: ControlPlane) -> None:
    control_plane.create_namespace(NAMESPACE)
    kinds = updatable_kinds(control_plane)
    assert len(kinds) > 30
    creating = set()
    for base, resource, kind, namespaced in kinds:
        within = f"/namespaces/{NAMESPACE}" if namespaced else ""
        path = f"{base}{within}/{resource}/creation-by-update"
        version = base.removeprefix("/apis/").removeprefix("/api/")
        for uid in ("", UID):
            meta = {"name": "creation-by-update", **({"uid": uid} if uid else {})}
            body = {"apiVersion": version, "kind": kind, "metadata": meta}
            status = control_plane.request("PUT", path, body).status
            # 404: no update creates it. 409: this one does not. Any other answer: it might.
            info = info_of("PUT", path)
            assert may_create(info) == (status != 404), path
            if status != 404:
                sent = Body("application/json", json.dumps(body).encode())
                assert creates(info, sent) == (status != 409), path
                creating.add(resource)
    assert {"leases", "services", "roles"} <= creating
