"""Pods as other systems make them, injected as in an enforced namespace: the guards let them in."""

from pathlib import Path

import pytest
import yaml

from tests.manifests.scene import IMAGE, SETTINGS, Guarded, assert_passed, assert_refused
from webhook.admission.injection import inject
from webhook.admission.outcome import Injected, RawObject, Refusal
from webhook.admission.registration import MODES
from webhook.admission.settings import InjectionSettings
from webhook.cli.inject.templates import rewrite_pods

pytestmark = pytest.mark.apiserver
FOLDER = Path(__file__).parents[1] / "webhook" / "admission" / "shapes"
SHAPES = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.endswith(".injected"))
# A priority above the webhook's; Docker in Docker; iptables, and a token for Istio's own CA, which
# its admins would list.
PRIVILEGED = {
    "daemonset": "found: system-node-critical",
    "github-arc": "found: dind",
    "istio": "found: istio-token",
}
PODS = "/api/v1/namespaces/lax/pods?dryRun=All"
INJECTION = InjectionSettings(
    image=IMAGE, audiences=frozenset(SETTINGS.audiences), policy="controller"
)


def list_pods(shape: str) -> list[RawObject]:
    found: list[RawObject] = []

    def keep(_: str, pod: RawObject) -> RawObject:
        spec = {"serviceAccountName": "owner", **pod["spec"]}
        annotations = (pod.get("metadata") or {}).get("annotations") or {}
        found.append({"metadata": {"name": "shape", "annotations": annotations}, "spec": spec})
        return pod

    for content in yaml.safe_load_all((FOLDER / f"{shape}.yaml").read_text()):
        rewrite_pods(content, keep)
    assert found
    return found


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - PRIVILEGED.keys()))
def test_injected_shapes_pass(guarded: Guarded, shape: str) -> None:
    for pod in list_pods(shape):
        outcome = inject(pod, MODES["enforced"], INJECTION, offline=True)
        assert isinstance(outcome, Injected), outcome
        assert_passed(guarded.call("POST", PODS, outcome.pod, namespace="lax"))


@pytest.mark.parametrize("shape", PRIVILEGED)
def test_shapes_that_need_the_node_pass_neither(guarded: Guarded, shape: str) -> None:
    for pod in list_pods(shape):
        refusal = inject(pod, MODES["enforced"], INJECTION, offline=True)
        assert isinstance(refusal, Refusal)
        outcome = inject(pod, MODES["standard"], INJECTION, offline=True)
        assert isinstance(outcome, Injected)
        answer = guarded.call("POST", PODS, outcome.pod, namespace="lax")
        assert_refused(answer, "mca-final-pods", PRIVILEGED[shape])
