"""Owns which images of sidecars new pods may still get while webhooks are replaced.

Whoever asks whether the newest Deployment says so asks too little: an upgrade that did not end has
changed that already, and webhooks of before go on serving. Must not change anything.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from webhook.admission.outcome import RawObject
from webhook.cli.install.readiness import read_earlier_images, read_sidecar_image
from webhook.guards.reading import PODS_GUARD, UnreadableError, read_images
from webhook.install.names import WEBHOOK
from webhook.kube import Kube, KubeError
from webhook.resources.names import CONTROLLER

_GUARDS: Final = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"


def list_living_images(kube: Kube, system: str) -> list[str]:
    """Those that the guards accept now, and those that webhooks put in that are there."""
    found = dict.fromkeys([*_list_accepted(kube), *_list_put_in(kube, system)])
    return [image for image in found if image]


def list_earlier_images(kube: Kube, system: str) -> list[str]:
    """Those that the controller knows of: pods of earlier releases may still have them."""
    deployment = _find(kube, f"/apis/apps/v1/namespaces/{system}/deployments/{CONTROLLER}")
    return [] if deployment is None else read_earlier_images(deployment["spec"]["template"])


def _list_accepted(kube: Kube) -> tuple[str, ...]:
    guard = _find(kube, f"{_GUARDS}/{PODS_GUARD}")
    if guard is None:
        return ()
    try:
        return read_images(guard)
    except UnreadableError:
        return ()  # somebody has changed it: it is made anew


def _list_put_in(kube: Kube, system: str) -> Iterator[str]:
    deployment = _find(kube, f"/apis/apps/v1/namespaces/{system}/deployments/{WEBHOOK}")
    if deployment is not None:
        yield read_sidecar_image(deployment["spec"]["template"])
    query = {"labelSelector": "app.kubernetes.io/component=webhook,app.kubernetes.io/name=mca"}
    pods = kube.request("GET", f"/api/v1/namespaces/{system}/pods", query=query).document
    for pod in pods["items"]:
        yield read_sidecar_image(pod)


def _find(kube: Kube, path: str) -> RawObject | None:
    try:
        return kube.request("GET", path).document
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
