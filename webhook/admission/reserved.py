"""Owns the names and ports that a pod may not take, in any namespace: they are the sidecar's.

Must not strip anything: what injection itself puts into a pod may come back, in a copied pod, and
is rebuilt. Here is what it never puts there.
"""

from collections.abc import Iterator

from webhook.admission.annotations import Tuning
from webhook.admission.capture import PORT, find_conflicts
from webhook.admission.names import CAPTURE, CLIENTS_VOLUME, PORTS, SIDECAR, VOLUMES, is_ours
from webhook.admission.outcome import RawObject, Refusal
from webhook.admission.volumes import list_containers


def find_reserved(spec: RawObject, tuning: Tuning) -> Refusal | None:
    """The first name, reference or port that is taken."""
    return next(_find(spec, tuning), None)


def _find(spec: RawObject, tuning: Tuning) -> Iterator[Refusal]:
    yield from _find_names(spec)
    for container in list_containers(spec):
        if container["name"] != SIDECAR:
            yield from _find_references(container)
            yield from _find_ports(container, tuning)
    if tuning.captures_names:
        yield from find_conflicts(spec)


def _find_names(spec: RawObject) -> Iterator[Refusal]:
    for volume in spec.get("volumes") or ():
        if is_ours(volume["name"]) and volume["name"] not in VOLUMES:
            yield _reserved_name("volume", volume["name"])
    for container in spec.get("containers") or ():
        if is_ours(container["name"]):
            yield _reserved_name("container", container["name"])
    for container in spec.get("initContainers") or ():
        if is_ours(container["name"]) and container["name"] != SIDECAR:
            yield _reserved_name("container", container["name"])
    if spec.get("ephemeralContainers"):
        yield Refusal(
            "reserved-name", "spec.ephemeralContainers: no pod is created with them: leave them out"
        )


def _reserved_name(kind: str, name: str) -> Refusal:
    return Refusal(
        "reserved-name", f"{kind} {name}: names like mca and mca-* are the sidecar's: take another"
    )


def _find_references(container: RawObject) -> Iterator[Refusal]:
    """Validation runs after injection: what points at a volume that is not there yet would hold."""
    mounts = [item["name"] for item in container.get("volumeMounts") or ()]
    named = [name for name in mounts if name != CLIENTS_VOLUME]
    named += [item["name"] for item in container.get("volumeDevices") or ()]
    sources = [item["valueFrom"] for item in container.get("env") or () if item.get("valueFrom")]
    named += [(source.get("fileKeyRef") or {}).get("volumeName") or "" for source in sources]
    for name in filter(is_ours, named):
        yield Refusal(
            "reserved-volume",
            f"container {container['name']} refers to volume {name}, which is the sidecar's own:"
            " leave that out",
        )


def _find_ports(container: RawObject, tuning: Tuning) -> Iterator[Refusal]:
    for item in container.get("ports") or ():
        port = item.get("containerPort")
        if item.get("protocol", "TCP") != "TCP":
            continue
        if port in (tuning.api_port, tuning.admin_port):
            yield Refusal(
                "port-conflict",
                f"container {container['name']} has port {port}, which the sidecar needs: give the"
                f' sidecar two others by the annotation {PORTS}: "7443,7444"',
            )
        if tuning.captures_names and port == PORT:
            yield Refusal(
                "port-conflict",
                f"container {container['name']} has port {PORT}, which the sidecar needs for"
                f" {CAPTURE}: give the container another, or leave out dns there",
            )
