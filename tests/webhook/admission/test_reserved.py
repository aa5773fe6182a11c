"""Names, references and ports that are the sidecar's."""

from typing import Any

import pytest

from tests.webhook.admission.scene import SETTINGS, make_container, make_pod
from webhook.admission.annotations import Tuning, parse_annotations
from webhook.admission.reserved import find_reserved

TUNING = parse_annotations({}, SETTINGS)
BY_NAME = parse_annotations({"mca.io/capture": "env,dns"}, SETTINGS)


def code(tuning: Tuning = TUNING, /, **spec: Any) -> str:
    containers = spec.pop("containers", [make_container()])
    found = find_reserved(make_pod(*containers, **spec)["spec"], tuning)
    return "" if found is None else found.code


def app(**fields: Any) -> dict[str, Any]:
    return {"containers": [make_container(**fields)]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [make_container("mca")]}, "reserved-name"),
        ({"containers": [make_container("mca-x")]}, "reserved-name"),
        ({"initContainers": [make_container("mca-x")]}, "reserved-name"),
        ({"volumes": [{"name": "mca-more", "emptyDir": {}}]}, "reserved-name"),
        ({"ephemeralContainers": [make_container("debug")]}, "reserved-name"),
        (app(volumeMounts=[{"name": "mca-token", "mountPath": "/x"}]), "reserved-volume"),
        (app(volumeDevices=[{"name": "mca-clients", "devicePath": "/x"}]), "reserved-volume"),
        (app(env=[{"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "mca-identity"}}}]),
         "reserved-volume"),
        ({"initContainers": [make_container("i", volumeMounts=[
            {"name": "mca-identity", "mountPath": "/x"}])]}, "reserved-volume"),
        (app(ports=[{"containerPort": 6443}]), "port-conflict"),
        (app(ports=[{"containerPort": 6444, "protocol": "TCP"}]), "port-conflict"),
    ],
)  # fmt: skip
def test_taken(spec: dict[str, Any], expected: str) -> None:
    assert code(**spec) == expected


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"volumes": [{"name": "mcafee", "emptyDir": {}}, {"name": "mca-token", "emptyDir": {}}]},
        {"initContainers": [make_container("mca", ports=[{"containerPort": 6443}])]},
        app(volumeMounts=[{"name": "mca-clients", "mountPath": "/x"}]),  # is stripped
        app(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x"}}}]),
        app(ports=[{"containerPort": 8080}, {"containerPort": 6443, "protocol": "UDP"}]),
    ],
)
def test_free(spec: dict[str, Any]) -> None:
    assert code(**spec) == ""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (app(ports=[{"containerPort": 443}]), "port-conflict"),
        ({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["kubernetes.default"]}]},
         "host-alias-conflict"),
        ({"securityContext": {"sysctls": [
            {"name": "net.ipv4.ip_unprivileged_port_start", "value": "1024"}]}}, "sysctl-conflict"),
    ],
)  # fmt: skip
def test_what_capture_by_name_needs_is_taken_there_alone(
    spec: dict[str, Any], expected: str
) -> None:
    assert code(BY_NAME, **spec) == expected
    assert code(TUNING, **spec) == ""


def test_free_for_capture_by_name() -> None:
    assert code(BY_NAME, **app(ports=[{"containerPort": 443, "protocol": "UDP"}])) == ""
    assert code(BY_NAME, **app(ports=[{"containerPort": 8443}, {"containerPort": 80}])) == ""
