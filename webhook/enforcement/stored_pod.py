"""Owns the look at a pod that is there already: whether its sidecar is what MCA puts in, untouched.

It asks what the guard of new pods asks (webhook/guards/final_pods.py), of pods that may be older
than the guard. It must not ask for more: sidecars of an earlier release are right as they were.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final

from webhook.admission.boundary import list_breaches
from webhook.admission.names import (
    BROKER_VARIABLE,
    BROKER_VOLUME,
    CLIENTS_VOLUME,
    POLICY_VARIABLES,
    POLICY_VOLUME,
    SERVICE_ACCOUNT_PATH,
    SIDECAR,
    SIDECAR_MOUNTS,
    VARIABLE_FIELDS,
    VARIABLE_PATTERNS,
    is_ours,
)
from webhook.admission.outcome import RawObject
from webhook.admission.settings import InjectionSettings
from webhook.admission.volumes import list_containers
from webhook.enforcement.stored_volumes import is_our_volume

# What would run beside the sidecar's own program, or let others in.
_FOREIGN_FIELDS: Final = (
    "command", "args", "lifecycle", "envFrom", "workingDir", "volumeDevices", "stdin", "tty",
)  # fmt: skip
_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")


def has_sidecar(pod: RawObject) -> bool:
    """Whether something called as the sidecar stands where it belongs."""
    init = pod["spec"].get("initContainers") or []
    return bool(init) and init[0]["name"] == SIDECAR


def list_gaps(
    pod: RawObject, settings: InjectionSettings, images: Collection[str]
) -> Iterator[str]:
    """What a pod with a sidecar has that lets its application, or its maker, reach credentials.

    `images` are those that sidecars may have: the one that is put in now, and earlier ones.
    """
    spec = pod["spec"]
    sidecar = spec["initContainers"][0]
    if (spec.get("os") or {}).get("name") == "windows":
        yield "spec.os.name: the sidecar runs on Linux only"
    if spec.get("hostNetwork"):
        yield "spec.hostNetwork: it has no loopback of its own"
    if spec.get("automountServiceAccountToken") is not False:
        yield "spec.automountServiceAccountToken is not false"
    if sidecar["image"] not in images:
        yield f"the sidecar's image is {sidecar['image']}"
    if wrong := sorted(_list_wrong_fields(sidecar, settings)):
        yield f"the sidecar's {', '.join(wrong)}: not what MCA puts in"
    others = [*list_containers(spec), *(spec.get("ephemeralContainers") or ())][1:]
    for volume in spec.get("volumes") or ():
        if is_ours(volume["name"]) and not is_our_volume(volume):
            yield f"volume {volume['name']}: not what MCA puts in"
    for container in others:
        yield from _list_references(container)
    judged = {**spec, "initContainers": [], "containers": others}
    for breach in list_breaches(judged, settings):
        yield breach.message


def _list_wrong_fields(sidecar: RawObject, settings: InjectionSettings) -> Iterator[str]:
    if sidecar.get("restartPolicy") != "Always":
        yield "restartPolicy"
    yield from (field for field in _FOREIGN_FIELDS if sidecar.get(field))
    yield from (probe for probe in _PROBES if (sidecar.get(probe) or {}).get("exec"))
    env = sidecar.get("env") or ()
    if not all(_is_our_variable(item, settings) for item in env) or _lacks_policy(
        sidecar, settings
    ):
        yield "env"
    if not all(map(_is_our_mount, sidecar.get("volumeMounts") or ())):
        yield "volumeMounts"
    security = sidecar.get("securityContext") or {}
    capabilities = security.get("capabilities") or {}
    if (
        security.get("runAsUser") != settings.uid
        or not security.get("runAsNonRoot")
        or not security.get("readOnlyRootFilesystem")
        or security.get("allowPrivilegeEscalation") is not False
        or security.get("privileged")
        or "ALL" not in (capabilities.get("drop") or ())
        or capabilities.get("add")
    ):
        yield "securityContext"


def _lacks_policy(sidecar: RawObject, settings: InjectionSettings) -> bool:
    """Whether it would take its own cluster, whole, for all that it may do."""
    if settings.policy == "home" or sidecar["image"] != settings.image:
        return False
    named = {item["name"] for item in sidecar.get("env") or ()}
    mounted = {mount["name"] for mount in sidecar.get("volumeMounts") or ()}
    return not (named.issuperset(POLICY_VARIABLES) and {POLICY_VOLUME, BROKER_VOLUME} <= mounted)


def _is_our_variable(item: RawObject, settings: InjectionSettings) -> bool:
    name, source = item["name"], item.get("valueFrom")
    if name == BROKER_VARIABLE:
        return source is None and item.get("value") == settings.broker
    if name in VARIABLE_FIELDS:
        found = ((source or {}).get("fieldRef") or {}).get("fieldPath")
        return bool(found == VARIABLE_FIELDS[name])
    pattern = VARIABLE_PATTERNS.get(name)
    return (
        pattern is not None
        and source is None
        and re.fullmatch(pattern, item.get("value") or "", re.ASCII) is not None
    )


def _is_our_mount(mount: RawObject) -> bool:
    path = SIDECAR_MOUNTS.get(mount["name"])
    return path == mount["mountPath"] and not mount.get("subPath")


def _list_references(container: RawObject) -> Iterator[str]:
    """To what is ours; its own folder of `mca-clients`, not to be written, is all it may have."""
    where = f"container {container['name']}"
    if is_ours(container["name"]):
        yield f"{where}: names like mca and mca-* are the sidecar's"
    if is_ours(container.get("targetContainerName") or ""):
        yield f"{where}: it shares the sidecar's processes"
    for mount in container.get("volumeMounts") or ():
        if is_ours(mount["name"]) and not _is_own_folder(container["name"], mount):
            yield f"{where}: it mounts volume {mount['name']}"
    for device in container.get("volumeDevices") or ():
        if is_ours(device["name"]):
            yield f"{where}: it has volume {device['name']} as a device"
    for item in container.get("env") or ():
        key = (item.get("valueFrom") or {}).get("fileKeyRef") or {}
        if is_ours(key.get("volumeName") or ""):
            yield f"{where}: env {item['name']} reads volume {key['volumeName']}"


def _is_own_folder(container: str, mount: RawObject) -> bool:
    return (
        mount["name"] == CLIENTS_VOLUME
        and mount["mountPath"] == SERVICE_ACCOUNT_PATH
        and bool(mount.get("readOnly"))
        and mount.get("subPath") == container
    )
