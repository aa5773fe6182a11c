"""What is no pod is told with its path."""

from typing import Any

import pytest

from tests.webhook.admission.scene import add_access, make_container, make_pod
from webhook.admission.pod_shape import find_problem


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        (None, "the pod is not an object"),
        ([], "the pod is not an object"),
        ({}, "spec is missing"),
        ({"spec": None}, "spec is missing"),
        ({"spec": []}, "spec is not an object"),
        ({"spec": {}}, "spec.containers is missing"),
        ({"spec": {"containers": {}}}, "spec.containers is not a list"),
        ({"spec": {"containers": [None]}}, "spec.containers[0] is null"),
        ({"spec": {"containers": [{}]}}, "spec.containers[0].name is missing"),
        (make_pod(make_container(env=[{"name": 1}])),
         "spec.containers[0].env[0].name is not a string"),
        (make_pod(hostNetwork="yes"), "spec.hostNetwork is not true or false"),
        (make_pod(securityContext={"runAsUser": True}),
         "spec.securityContext.runAsUser is not a whole number"),
        (make_pod(hostAliases=[{"hostnames": "x"}]),
         "spec.hostAliases[0].hostnames is not a list"),
        (make_pod(securityContext={"sysctls": [{}]}),
         "spec.securityContext.sysctls[0].name is missing"),
        (make_pod(nodeSelector={"a": 1}), "spec.nodeSelector is not a map of strings"),
        (make_pod(nodeSelector=[]), "spec.nodeSelector is not a map of strings"),
        (make_pod(volumes=[{"name": "x", "projected": {"sources": [{"secret": "x"}]}}]),
         "spec.volumes[0].projected.sources[0].secret is not an object"),
        (make_pod(make_container(volumeMounts=[{"name": "x"}])),
         "spec.containers[0].volumeMounts[0].mountPath is missing"),
    ],
)  # fmt: skip
def test_problems(pod: Any, problem: str) -> None:
    assert find_problem(pod) == problem


def test_pods() -> None:
    assert find_problem(add_access(make_pod(os=None, initContainers=[]))) == ""
