"""What an enforced namespace takes no pod with, and the near misses."""

from typing import Any

import pytest

from tests.webhook.admission.scene import SETTINGS, make_container, make_pod
from webhook.admission.boundary import list_breaches

LISTED = SETTINGS._replace(audiences=frozenset({"vault"}))


def codes(**spec: Any) -> list[str]:
    container = spec.pop("container", {})
    pod = make_pod(make_container(**container), **spec)
    breaches = list(list_breaches(pod["spec"], LISTED))
    assert all(": " in breach.message for breach in breaches)
    return [breach.code for breach in breaches]


def volume(**source: Any) -> list[dict[str, Any]]:
    return [{"name": "v", **source}]


def projected(**source: Any) -> list[dict[str, Any]]:
    return volume(projected={"sources": [source]})


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"hostPID": True}, "host-pid"),
        ({"hostIPC": True}, "host-ipc"),
        ({"priority": 2_000_000_000}, "system-priority"),
        ({"priorityClassName": "system-node-critical"}, "system-priority"),
        ({"shareProcessNamespace": True}, "share-process-namespace"),
        ({"securityContext": {"runAsUser": 64430}}, "sidecar-uid"),
        ({"container": {"securityContext": {"runAsUser": 64430}}}, "sidecar-uid"),
        ({"container": {"securityContext": {"privileged": True}}}, "privileged"),
        ({"container": {"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}},
         "capabilities"),
        ({"initContainers": [make_container("i", securityContext={"privileged": True})]},
         "privileged"),
        ({"volumes": volume(hostPath={"path": "/etc/hosts"})}, "host-path"),
        ({"volumes": volume(image={"reference": "x"})}, "image-volume"),
        ({"volumes": volume(csi={"driver": "x"})}, "csi-volume"),
        ({"volumes": projected(serviceAccountToken={"path": "t"})}, "token-volume"),
        ({"volumes": projected(serviceAccountToken={"audience": "api"})}, "token-volume"),
        ({"volumes": volume(nfs={"server": "x"})}, "volume-type"),
        ({"container": {"securityContext": {"procMount": "Unmasked"}}}, "proc-mount"),
        ({"volumes": projected(podCertificate={
            "signerName": "kubernetes.io/kube-apiserver-client-pod"})}, "token-volume"),
        ({"volumes": projected(secret={"name": "mca-broker"})}, "reserved-secret"),
        ({"volumes": volume(secret={"secretName": "mca-broker"})}, "reserved-secret"),
        ({"container": {"envFrom": [{"secretRef": {"name": "mca"}}]}}, "reserved-secret"),
        ({"container": {"env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "mca-x", "key": "k"}}}
        ]}}, "reserved-secret"),
        ({"container": {"volumeMounts": [
            {"name": "v", "mountPath": "/v", "subPathExpr": "$(A)"}
        ]}}, "sub-path-expr"),
    ],
)  # fmt: skip
def test_breaches(spec: dict[str, Any], code: str) -> None:
    assert codes(**spec) == [code]


@pytest.mark.parametrize(
    "spec",
    [
        {"hostPID": False, "securityContext": {"runAsUser": 1000}},
        {"priorityClassName": "highest", "priority": 1_000_000_000},
        {"container": {"securityContext": {"capabilities": {"add": ["CAP_CHOWN", "KILL"]}}}},
        {"volumes": volume(emptyDir={})},
        {"volumes": volume(persistentVolumeClaim={"claimName": "x"})},
        {"volumes": projected(serviceAccountToken={"audience": "vault"})},
        {"volumes": volume(secret={"secretName": "mine"}, hostPath=None)},
        {"volumes": projected(podCertificate={"signerName": "example.com/mesh"})},
        {"container": {"securityContext": {"procMount": "Default"}}},
        {"container": {"envFrom": [{"configMapRef": {"name": "mca-policy"}}]}},
        {"container": {"env": [{"name": "A", "value": "x"}]}},
        {"container": {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a"}]}},
        {"volumes": [{"name": "mca-token", "hostPath": {"path": "/"}}]},  # is rebuilt
    ],
)
def test_near_misses(spec: dict[str, Any]) -> None:
    assert codes(**spec) == []
