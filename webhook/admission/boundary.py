"""Owns what a pod may not have where the boundary is enforced: ways to its sidecar's credentials.

Must not know how the sidecar is put in. It judges pods as they arrive, so that whoever made one is
told early and in full; what other webhooks do later is for the guards that see the final pod.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from webhook.admission.names import VOLUMES, is_ours
from webhook.admission.outcome import RawObject
from webhook.admission.settings import InjectionSettings
from webhook.admission.volumes import list_audiences, list_containers

# Those that Pod Security `baseline` allows.
BASELINE_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
        "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
# Above it is Kubernetes' own, system-cluster-critical and system-node-critical.
HIGHEST_PRIORITY: Final = 1_000_000_000
_VOLUME_TYPES: Final = frozenset(
    {
        "name", "configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
        "projected", "secret",
    }
)  # fmt: skip
_VOLUME_CODES: Final = {
    "hostPath": "host-path",
    "image": "image-volume",
    "csi": "csi-volume",
}
# Of certificates that the API server trusts; those of others are named by their own domains.
_API_SIGNERS: Final = "kubernetes.io/"
_SHARED: Final = (
    ("hostPID", "host-pid"),
    ("hostIPC", "host-ipc"),
    ("shareProcessNamespace", "share-process-namespace"),
)


class Breach(NamedTuple):
    """One reason why the boundary would not hold."""

    code: str
    message: str


def list_breaches(spec: RawObject, settings: InjectionSettings) -> Iterator[Breach]:
    """Everything in the pod's spec that must go, each with what to do."""
    for field, code in _SHARED:
        if spec.get(field):
            yield Breach(code, f"spec.{field}: leave it out: it opens the sidecar's processes")
    yield from _judge_priority(spec)
    yield from _judge_user(spec.get("securityContext") or {}, "spec", settings)
    for volume in spec.get("volumes") or ():
        if volume["name"] not in VOLUMES:
            yield from _judge_volume(volume, settings)
    for container in list_containers(spec):
        if not is_ours(container["name"]):
            yield from _judge_container(container, settings)


def _judge_priority(spec: RawObject) -> Iterator[Breach]:
    """By the number that the API server's own plugin has set; a pod in a file has the name only."""
    name = spec.get("priorityClassName") or ""
    if (spec.get("priority") or 0) > HIGHEST_PRIORITY or name.startswith("system-"):
        yield Breach(
            "system-priority",
            f"spec.priorityClassName: {name} could push MCA's webhook off its node: name another",
        )


def _judge_user(security: RawObject, where: str, settings: InjectionSettings) -> Iterator[Breach]:
    if security.get("runAsUser") == settings.uid:
        yield Breach(
            "sidecar-uid",
            f"{where}.securityContext.runAsUser: {settings.uid} is the sidecar's; take another",
        )


def _judge_volume(volume: RawObject, settings: InjectionSettings) -> Iterator[Breach]:
    where = f"volume {volume['name']}"
    for kind in volume:
        if volume[kind] is not None and kind not in _VOLUME_TYPES:
            code = _VOLUME_CODES.get(kind, "volume-type")
            yield Breach(code, f"{where}: {kind} is not allowed here: use a PersistentVolumeClaim")
    for audience in list_audiences(volume):
        if audience not in settings.audiences:
            named = f"for audience {audience!r}" if audience else "without an audience"
            yield Breach("token-volume", f"{where}: a token {named} is not allowed here")
    for source in (volume.get("projected") or {}).get("sources") or ():
        signer = (source.get("podCertificate") or {}).get("signerName") or ""
        if signer.startswith(_API_SIGNERS):
            yield Breach("token-volume", f"{where}: a certificate by {signer} is not allowed here")
        yield from _judge_secret((source.get("secret") or {}).get("name"), where)
    yield from _judge_secret((volume.get("secret") or {}).get("secretName"), where)


def _judge_secret(name: str | None, where: str) -> Iterator[Breach]:
    if name is not None and is_ours(name):
        yield Breach("reserved-secret", f"{where}: Secret {name} is MCA's own: leave it out")


def _judge_container(container: RawObject, settings: InjectionSettings) -> Iterator[Breach]:
    where = f"container {container['name']}"
    security = container.get("securityContext") or {}
    yield from _judge_user(security, where, settings)
    if security.get("privileged"):
        yield Breach("privileged", f"{where}: securityContext.privileged must not be true")
    if security.get("procMount") not in (None, "Default"):
        yield Breach("proc-mount", f"{where}: securityContext.procMount must be Default")
    added = (security.get("capabilities") or {}).get("add") or ()
    if beyond := [name for name in added if name.removeprefix("CAP_") not in BASELINE_CAPABILITIES]:
        yield Breach("capabilities", f"{where}: capabilities beyond baseline: {', '.join(beyond)}")
    for mount in container.get("volumeMounts") or ():
        if mount.get("subPathExpr"):
            yield Breach(
                "sub-path-expr", f"{where}: subPathExpr of {mount['name']}: write a plain subPath"
            )
    for item in container.get("env") or ():
        reference = (item.get("valueFrom") or {}).get("secretKeyRef") or {}
        yield from _judge_secret(reference.get("name"), f"{where}: env {item['name']}")
    for source in container.get("envFrom") or ():
        yield from _judge_secret((source.get("secretRef") or {}).get("name"), f"{where}: envFrom")
