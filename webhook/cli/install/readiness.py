"""Owns the question whether an installation serves: what is still missing, in words.

Must not fetch, nor wait.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from webhook.admission.outcome import RawObject
from webhook.serving.setting_values import parse_image


def list_missing(deployments: Iterable[RawObject], registration: RawObject) -> Iterator[str]:
    """Nothing, once new pods get their sidecar, and what they live by is written."""
    for deployment in deployments:
        yield from _list_of_deployment(deployment)
    if not all(
        webhook["clientConfig"].get("caBundle") for webhook in registration.get("webhooks") or ()
    ):
        yield "the webhook's certificate is not registered yet"


def _list_of_deployment(deployment: RawObject) -> Iterator[str]:
    name = deployment["metadata"]["name"]
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        yield f"nobody has looked at the Deployment {name} yet"
        return
    new = min(status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0)
    old = (status.get("replicas") or 0) - (status.get("updatedReplicas") or 0)
    if new < wanted:
        yield f"{new} of {wanted} pods of {name} are ready"
    elif old > 0:
        yield f"{old} pods of {name} of before are there still"


def read_sidecar_image(pod: RawObject) -> str:
    """What a pod of the webhook puts in, or a pod's template; empty if it names no digest."""
    for container in pod["spec"]["containers"]:
        for item in container.get("env") or ():
            if item["name"] == "MCA_SIDECAR_IMAGE":
                with suppress(ValueError):
                    return parse_image(item.get("value") or "")
    return ""


def read_earlier_images(pod: RawObject) -> list[str]:
    """What a pod of the controller takes for images of sidecars, or a pod's template."""
    found: list[str] = []
    for container in pod["spec"]["containers"]:
        for item in container.get("env") or ():
            if item["name"] == "MCA_CONTROLLER_SIDECAR_IMAGES":
                for image in (item.get("value") or "").split(","):
                    with suppress(ValueError):
                        found.append(parse_image(image))
    return found


def list_reasons(pods: Iterable[RawObject]) -> list[str]:
    """Why pods are not ready, in the kubelet's and the scheduler's words."""
    return sorted({reason for pod in pods for reason in _list_of_pod(pod.get("status") or {})})


def _list_of_pod(status: RawObject) -> Iterator[str]:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            yield str(waiting["reason"])
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield str(condition.get("reason") or "Unschedulable")
