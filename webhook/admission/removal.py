"""Owns the way back: a pod without its sidecar, as far as the injected one still tells.

Must not touch a pod that has none. What injection replaced (a `valueFrom` of the API's address, a
mount at the service account's path) is not in the pod any more, and does not come back.
"""

from webhook.admission.application import ADDRESS_VARIABLES
from webhook.admission.capture import remove_capture
from webhook.admission.names import CAPTURE, CLIENTS_VOLUME, CONTAINERS, SIDECAR, VOLUMES
from webhook.admission.outcome import RawObject
from webhook.admission.proxies import remove_exceptions


def remove_sidecar(pod: RawObject) -> RawObject:
    """The pod without it; the same object if there is none."""
    spec = pod["spec"]
    init = spec.get("initContainers") or []
    if not any(item["name"] == SIDECAR for item in init):
        return pod
    volumes = [item for item in spec.get("volumes") or () if item["name"] not in VOLUMES]
    restored = {
        **spec,
        "initContainers": [_restore(item) for item in init if item["name"] != SIDECAR],
        "containers": [_restore(item) for item in spec["containers"]],
        "volumes": volumes,
    }
    for key in ("initContainers", "volumes"):
        if not restored[key]:
            del restored[key]
    # With that annotation, the pod may have said so itself: it must not get a token by our going.
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    if "dns" in annotations.get(CAPTURE, ""):
        restored = remove_capture(restored)
    if CONTAINERS not in annotations:
        restored.pop("automountServiceAccountToken", None)
    return {**pod, "spec": restored}


def _restore(container: RawObject) -> RawObject:
    mounts = container.get("volumeMounts") or []
    kept = [mount for mount in mounts if mount["name"] != CLIENTS_VOLUME]
    if len(kept) == len(mounts):
        return container
    env = [item for item in container.get("env") or () if item["name"] not in ADDRESS_VARIABLES]
    restored = {**container, "volumeMounts": kept, "env": remove_exceptions(env)}
    for key in ("volumeMounts", "env"):
        if not restored[key]:
            del restored[key]
    return restored
