"""What an installation still lacks, told from two objects."""

from typing import Any

import pytest

from webhook.cli.install.readiness import (
    list_missing,
    list_reasons,
    read_earlier_images,
    read_sidecar_image,
)

REGISTERED = {"webhooks": [{"clientConfig": {"caBundle": "eA=="}}]}
IMAGE = f"mca@sha256:{'0' * 64}"
DONE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


def deployment(**status: Any) -> dict[str, Any]:
    metadata = {"name": "mca-webhook", "generation": 2}
    return {"metadata": metadata, "spec": {"replicas": 2}, "status": {**DONE, **status}}


def test_nothing() -> None:
    assert list(list_missing([deployment(), deployment()], REGISTERED)) == []


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"observedGeneration": 1}, "nobody has looked at the Deployment mca-webhook yet"),
        ({"availableReplicas": 1}, "1 of 2 pods of mca-webhook are ready"),
        ({"availableReplicas": None}, "0 of 2 pods of mca-webhook are ready"),
        ({"updatedReplicas": 1}, "1 of 2 pods of mca-webhook are ready"),
        ({"replicas": 3}, "1 pods of mca-webhook of before are there still"),
    ],
)
def test_pods(status: dict[str, Any], told: str) -> None:
    assert list(list_missing([deployment(), deployment(**status)], REGISTERED)) == [told]


def test_the_certificate() -> None:
    half = {"webhooks": [*REGISTERED["webhooks"], {"clientConfig": {}}]}
    assert list(list_missing([deployment()], half)) == [
        "the webhook's certificate is not registered yet"
    ]


@pytest.mark.parametrize("image", [IMAGE, "mca:1", None])
def test_the_image_that_pods_put_in(image: str | None) -> None:
    variable = {"name": "MCA_SIDECAR_IMAGE", **({} if image is None else {"value": image})}
    env = [{"name": "OTHER", "value": "x"}, variable]
    containers = [{"name": "proxy"}, {"name": "webhook", "env": env}]
    found = read_sidecar_image({"spec": {"containers": containers}})
    assert found == (IMAGE if image == IMAGE else "")


def test_the_images_that_the_controller_knows() -> None:
    value = f"{IMAGE},mca:1,,{IMAGE}"
    env = [{"name": "OTHER"}, {"name": "MCA_CONTROLLER_SIDECAR_IMAGES", "value": value}]
    containers = [{"name": "proxy"}, {"name": "controller", "env": env}]
    assert read_earlier_images({"spec": {"containers": containers}}) == [IMAGE, IMAGE]


def test_why_pods_wait() -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    running: dict[str, Any] = {"state": {"running": {}}}
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pods = [
        {"status": {"containerStatuses": [running, waiting]}},
        {"status": {"containerStatuses": [waiting]}},
        {"status": {"conditions": [unscheduled, {"type": "Ready", "status": "False"}]}},
        {},
    ]
    assert list_reasons(pods) == ["ImagePullBackOff", "Unschedulable"]
