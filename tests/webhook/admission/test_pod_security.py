"""What Pod Security `restricted` takes, it takes with a sidecar too: a sample of every control.

Each is sent as a dry run to a namespace without injection first: that shows that it is one.
"""

import time
from typing import Any

import pytest

from tests.webhook.admission.conftest import Served
from tests.webhook.admission.scene import RESTRICTED, make_container, make_pod

pytestmark = pytest.mark.apiserver
RawPod = dict[str, Any]
PLAIN, INJECTED, ENFORCED = "pss-plain", "pss-injected", "pss-enforced"
LOCAL = {"type": "Localhost", "localhostProfile": "profiles/a.json"}
PROBE = {"httpGet": {"path": "/", "port": 80}}


def without(*names: str) -> dict[str, Any]:
    """The usual security context of a container, but for what the pod's then says."""
    return {key: value for key, value in RESTRICTED.items() if key not in names}


def app(**security: Any) -> RawPod:
    return make_pod(make_container(securityContext=RESTRICTED | security))


def pod(*names: str, **security: Any) -> RawPod:
    """With a security context of the pod's own, in place of some of its container's."""
    return make_pod(make_container(securityContext=without(*names)), securityContext=security)


def volume(**source: Any) -> RawPod:
    mount = {"name": "v", "mountPath": "/v"}
    return make_pod(make_container(volumeMounts=[mount]), volumes=[{"name": "v", **source}])


def sysctls(**values: str) -> RawPod:
    """Names with dots, of which Python's have none."""
    named = [{"name": name.replace("__", "."), "value": text} for name, text in values.items()]
    return make_pod(securityContext={"sysctls": named})


CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
}
SAMPLES: dict[str, RawPod] = {
    "least": make_pod(),
    "all in the pod": pod(
        "runAsNonRoot",
        "seccompProfile",
        runAsNonRoot=True,
        seccompProfile={"type": "RuntimeDefault"},
    ),
    "Linux": make_pod(os={"name": "linux"}),
    "init containers": make_pod(
        initContainers=[make_container("setup"), make_container("proxy", restartPolicy="Always")]
    ),
    "host namespaces denied": make_pod(hostNetwork=False, hostPID=False, hostIPC=False),
    "unprivileged in words": app(privileged=False),
    "the one capability": app(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "a port": make_pod(make_container(ports=[{"containerPort": 80, "hostPort": 0}])),
    "AppArmor of the pod": make_pod(
        securityContext={"appArmorProfile": {"type": "RuntimeDefault"}}
    ),
    "AppArmor of a container": app(appArmorProfile=LOCAL | {"localhostProfile": "a"}),
    "SELinux of the pod": make_pod(
        securityContext={"seLinuxOptions": {"type": "container_t", "level": "s0:c1,c2"}}
    ),
    "SELinux of a container": app(seLinuxOptions={"type": "container_init_t"}),
    "SELinux of a virtual machine": app(seLinuxOptions={"type": "container_kvm_t"}),
    "/proc as usual": app(procMount="Default"),
    "a user namespace": make_pod(hostUsers=False),
    "seccomp of the node": app(seccompProfile=LOCAL),
    "seccomp of pod and container": make_pod(securityContext={"seccompProfile": LOCAL}),
    "sysctls": sysctls(
        kernel__shm_rmid_forced="1",
        net__ipv4__ip_local_port_range="1024 65535",
        net__ipv4__ip_unprivileged_port_start="0",
        net__ipv4__tcp_syncookies="0",
        net__ipv4__ping_group_range="1 0",
    ),
    "newer sysctls": sysctls(
        net__ipv4__ip_local_reserved_ports="8080",
        net__ipv4__tcp_keepalive_time="600",
        net__ipv4__tcp_fin_timeout="30",
        net__ipv4__tcp_keepalive_intvl="30",
        net__ipv4__tcp_keepalive_probes="5",
    ),
    "not root by the pod": pod("runAsNonRoot", runAsNonRoot=True, runAsUser=1000),
    "a user of the container's own": app(runAsUser=1000),
    "groups": make_pod(
        securityContext={
            "runAsUser": 1000,
            "runAsGroup": 3000,
            "fsGroup": 2000,
            "supplementalGroups": [4000],
            "fsGroupChangePolicy": "OnRootMismatch",
            "supplementalGroupsPolicy": "Strict",
        }
    ),
    "probes and hooks": make_pod(
        make_container(
            livenessProbe=PROBE,
            readinessProbe={"tcpSocket": {"port": 80}},
            startupProbe=PROBE,
            lifecycle={"preStop": {"httpGet": {"path": "/", "port": 80}}},
        )
    ),
    "a read-only root": app(readOnlyRootFilesystem=True),
    "a config map": volume(configMap={"name": "a"}),
    "a driver": volume(csi={"driver": "inline.example.com"}),
    "its own fields": volume(
        downwardAPI={"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    ),
    "an empty folder": volume(emptyDir={}),
    "a claim of its own": volume(ephemeral={"volumeClaimTemplate": {"spec": CLAIM}}),
    "a claim": volume(persistentVolumeClaim={"claimName": "a"}),
    "a projection": volume(projected={"sources": [{"configMap": {"name": "a"}}]}),
    "a Secret": volume(secret={"secretName": "a"}),
    "no token": make_pod(automountServiceAccountToken=False),
    "a share of its own": make_pod(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}),
    "Windows": make_pod(
        {"name": "app", "image": "app:1"},
        os={"name": "windows"},
        securityContext={"runAsNonRoot": True},
    ),
}
# Without a sidecar, and with which code.
SKIPPED = {"Windows": "windows", "no token": "no-token"}
# The boundary is stricter than the standard.
REFUSED = {
    "Windows": "windows",
    "a driver": "csi-volume",
}


@pytest.fixture(scope="module")
def levels(served: Served) -> Served:
    """With three namespaces under `restricted`; injection is seen to act in two."""
    served.create_namespace(PLAIN)
    served.create_namespace(INJECTED, injection="enabled")
    served.create_namespace(ENFORCED, boundary="enforced")
    deadline = time.monotonic() + 20
    for namespace in (INJECTED, ENFORCED):
        while send(served, namespace, make_pod())[2] != "mca":
            assert time.monotonic() < deadline
            time.sleep(0.1)
    return served


def send(served: Served, namespace: str, body: RawPod) -> tuple[int, str, str]:
    """Status, what was told, and the first init container's name."""
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict"
    answer = served.plane.request("POST", path, body)
    document = answer.json()
    init = document.get("spec", {}).get("initContainers") or [{"name": ""}]
    told = [document.get("message", ""), *(answer.headers.get_all("Warning") or [])]
    return answer.status, " ".join(told), init[0]["name"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_restricted_takes_it_takes_with_a_sidecar(levels: Served, sample: str) -> None:
    body = SAMPLES[sample]
    status, told, _ = send(levels, PLAIN, body)
    assert status == 201, told
    status, told, first = send(levels, INJECTED, body)
    assert status == 201, told
    assert (first == "mca") != (sample in SKIPPED)
    if sample in SKIPPED:
        assert f"mca {SKIPPED[sample]}: " in told


@pytest.mark.parametrize("sample", SAMPLES)
def test_and_an_enforced_namespace_all_but_what_opens_the_boundary(
    levels: Served, sample: str
) -> None:
    status, told, first = send(levels, ENFORCED, SAMPLES[sample])
    if sample in REFUSED:
        assert status == 403
        assert f"mca {REFUSED[sample]}: " in told
    else:
        assert (status, first) == (201, "mca"), told


@pytest.mark.parametrize("sample", sorted(set(SAMPLES) - SKIPPED.keys()))
def test_and_with_names_captured(levels: Served, sample: str) -> None:
    body = SAMPLES[sample]
    annotated = body | {"metadata": {"name": "web-0", "annotations": {"mca.io/capture": "env,dns"}}}
    status, told, first = send(levels, INJECTED, annotated)
    assert (status, first) == (201, "mca"), told
