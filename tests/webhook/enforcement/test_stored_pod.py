"""The look at stored pods, held against the guard by cases that the real one has judged."""

import copy
from typing import Any

import pytest

from tests.manifests.pods import app, good_pod, setup, spoil
from tests.manifests.scene import IMAGE, SETTINGS
from tests.manifests.test_final_pods import CASES, NEAR_MISSES
from webhook.admission.settings import InjectionSettings
from webhook.enforcement.stored_pod import has_sidecar, list_gaps

INJECTION = InjectionSettings(
    image=IMAGE, audiences=frozenset(SETTINGS.audiences), policy="controller"
)


def gaps(pod: dict[str, Any], *images: str) -> list[str]:
    accepted = (IMAGE, *SETTINGS.previous_images)
    return list(list_gaps(pod, INJECTION, images or accepted))


@pytest.mark.parametrize("case", CASES)
def test_what_the_guard_refuses_is_a_gap(case: str) -> None:
    pod = spoil(*CASES[case][1])
    assert not has_sidecar(pod) or gaps(pod)


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_what_the_guard_lets_pass_is_none(case: str) -> None:
    pod = spoil(*NEAR_MISSES[case])
    assert has_sidecar(pod)
    assert gaps(pod, IMAGE, *SETTINGS.previous_images) == []


def test_an_earlier_image_is_one_that_is_named() -> None:
    earlier = f"registry.example.com/mca@sha256:{'7' * 64}"
    pod = good_pod()
    pod["spec"]["initContainers"][0]["image"] = earlier
    assert gaps(pod) == [f"the sidecar's image is {earlier}"]
    assert gaps(pod, IMAGE, earlier) == []


@pytest.mark.parametrize(
    ("ephemeral", "told"),
    [
        ({"name": "debug", "targetContainerName": "mca"}, "it shares the sidecar's processes"),
        (
            {"name": "debug", "volumeMounts": [{"name": "mca-token", "mountPath": "/a"}]},
            "it mounts volume mca-token",
        ),
        ({"name": "debug", "securityContext": {"privileged": True}}, "privileged must not be true"),
        ({"name": "mca-debug"}, "names like mca and mca-* are the sidecar's"),
    ],
)
def test_ephemeral_containers_are_looked_at(ephemeral: dict[str, Any], told: str) -> None:
    pod = copy.deepcopy(good_pod())
    pod["spec"]["ephemeralContainers"] = [{"name": "fine", "targetContainerName": "app"}]
    assert gaps(pod) == []
    pod["spec"]["ephemeralContainers"].append(ephemeral)
    assert [told in gap for gap in gaps(pod)] == [True]


def test_each_gap_names_what_has_it() -> None:
    device = [{"name": "mca-identity", "devicePath": "/dev/a"}]
    key = {"fileKeyRef": {"volumeName": "mca-identity", "path": "a", "key": "A"}}
    pod = spoil(app(volumeDevices=device), setup(env=[{"name": "A", "valueFrom": key}]))
    assert gaps(pod) == [
        "container setup: env A reads volume mca-identity",
        "container app: it has volume mca-identity as a device",
    ]
