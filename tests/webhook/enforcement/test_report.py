"""When a boundary is told to be enforced, and what is told to be left otherwise."""

import copy
import json
from typing import Any

import pytest

from tests.manifests.pods import good_pod
from tests.manifests.scene import ENFORCED, IMAGE
from webhook.admission.settings import InjectionSettings
from webhook.enforcement.report import CODES, Enforcement, Home, report_enforcement

SETTINGS = InjectionSettings(image=IMAGE)
GENUINE_CA: dict[str, Any] = {"data": {"ca.crt": "genuine"}}
EVIL_CA: dict[str, Any] = {"data": {"ca.crt": "evil"}}
AT_HOME = Home(GENUINE_CA, GENUINE_CA, ("web",))
BARE: dict[str, Any] = {
    "metadata": {"name": "old"},
    "spec": {"containers": [{"name": "app", "image": "app"}]},
}


def report(
    *pods: dict[str, Any],
    secrets: tuple[str, ...] = (),
    labels: dict[str, str] = ENFORCED,
    home: Home = AT_HOME,
    name: str = "team",
) -> Enforcement:
    namespace = {"metadata": {"name": name, "labels": labels}}
    named = [{"metadata": {"name": name}} for name in secrets]
    return report_enforcement(namespace, pods, named, SETTINGS, home)


@pytest.mark.parametrize(
    ("home", "told"),
    [
        (Home(EVIL_CA, GENUINE_CA), "configmap/kube-root-ca.crt names another CA"),
        (Home({**GENUINE_CA, "immutable": True}, GENUINE_CA), "kube-root-ca.crt is immutable"),
        (Home({**GENUINE_CA, "immutable": True}, None), "kube-root-ca.crt is immutable"),
        (Home(None, None, ("web", "kubernetes")), "service/kubernetes stands for the API server"),
        (Home(None, None, ("kubernetes-service",)), "service/kubernetes-service stands for"),
    ],
)
def test_what_would_lead_sidecars_elsewhere(home: Home, told: str) -> None:
    """Attack: it was written before the label, when nothing guarded it."""
    found = report(good_pod(), home=home)
    (left,) = found.leftovers
    assert not found.enforced
    assert told in f"{left.subject} {left.message}"
    assert left.code in CODES


def test_near_miss_the_api_servers_own_service() -> None:
    home = AT_HOME._replace(services=("kubernetes",))
    assert report(good_pod(), home=home, name="default").enforced
    assert report(good_pod(), home=Home(None, GENUINE_CA)).enforced


def make_bare(phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    pod = copy.deepcopy(BARE)
    pod["metadata"].update(metadata)
    return {**pod, "status": {"phase": phase}}


def owned_by(kind: str, name: str) -> dict[str, Any]:
    return make_bare(ownerReferences=[{"kind": kind, "name": name, "controller": True}])


def test_nothing_is_left() -> None:
    found = report(good_pod())
    assert found == Enforcement("team", wanted=True, enforced=True, leftovers=())
    assert json.loads(json.dumps(found.document()))["enforced"] is True


def test_each_leftover_is_named() -> None:
    found = report(good_pod(), BARE, secrets=("old-token",))
    assert not found.enforced
    assert [(left.code, left.subject) for left in found.leftovers] == [
        ("pod-without-sidecar", "pod/old"),
        ("token-secret", "secret/old-token"),
    ]
    shown = json.loads(json.dumps(found.document()))
    assert shown["leftovers"][1]["remedy"].startswith("delete it")


def test_a_pod_that_is_not_as_injected() -> None:
    pod = good_pod()
    pod["spec"]["initContainers"][0]["command"] = ["sh"]
    (left,) = report(pod).leftovers
    assert left.code == "pod-not-as-injected"
    assert left.message == "the sidecar's command: not what MCA puts in"


def test_what_is_not_asked_for_is_not_told() -> None:
    """Without the label nothing keeps the next pod from having no sidecar."""
    labels = {"mca.io/injection": "enabled", "pod-security.kubernetes.io/enforce": "restricted"}
    found = report(good_pod(), labels=labels)
    assert (found.wanted, found.enforced, found.leftovers) == (False, False, ())


@pytest.mark.parametrize(("level", "told"), [(None, "is not set"), ("privileged", "is privileged")])
def test_pod_security_belongs_to_it(level: str | None, told: str) -> None:
    labels = {"mca.io/boundary": "enforced"}
    if level:
        labels["pod-security.kubernetes.io/enforce"] = level
    found = report(good_pod(), labels=labels)
    assert not found.enforced
    assert found.leftovers[0].message.endswith(told)


@pytest.mark.parametrize(
    ("pod", "remedy"),
    [
        (make_bare(), "nobody makes it anew"),
        (make_bare("Succeeded"), "it has finished, and its token lives as long as it does"),
        (make_bare("Failed"), "it has finished"),
        (make_bare(deletionTimestamp="2026-11-21T10:00:00Z"), "wait until it is gone"),
        (owned_by("ReplicaSet", "web-7f"), "kubectl rollout restart deployment"),
        (owned_by("StatefulSet", "db"), "kubectl rollout restart statefulset/db"),
        (owned_by("DaemonSet", "log"), "kubectl rollout restart daemonset/log"),
        (owned_by("Job", "night"), "its Job night makes it anew"),
    ],
)
def test_the_remedy_fits_whoever_makes_the_pod(pod: dict[str, Any], remedy: str) -> None:
    (left,) = report(pod).leftovers
    assert remedy in left.remedy
