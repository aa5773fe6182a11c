"""Where pods are in the objects of Kubernetes."""

from typing import Any

import pytest

from webhook.admission.outcome import RawObject
from webhook.cli.inject.templates import rewrite_pods

POD: RawObject = {"spec": {"containers": []}}


def mark(name: str, pod: RawObject) -> RawObject:
    return {**pod, "seen": name}


def workload(version: str, kind: str, *path: str) -> RawObject:
    inner: RawObject = POD
    for key in reversed(path):
        inner = {key: inner}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **inner}


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("v1", "Pod", ()),
        ("v1", "PodTemplate", ("template",)),
        ("v1", "ReplicationController", ("spec", "template")),
        ("apps/v1", "Deployment", ("spec", "template")),
        ("apps/v1", "DaemonSet", ("spec", "template")),
        ("batch/v1", "CronJob", ("spec", "jobTemplate", "spec", "template")),
    ],
)
def test_each_kind(version: str, kind: str, path: tuple[str, ...]) -> None:
    content = workload(version, kind, *path)
    found = rewrite_pods(content, mark)
    for key in path:
        found = found[key]
    assert found["seen"] == f"{kind} x"
    assert rewrite_pods(content, lambda _, pod: pod) is content


@pytest.mark.parametrize(
    "content",
    [
        None,
        "text",
        [workload("v1", "Pod")],
        {"kind": "List"},
        workload("v1", "ConfigMap"),
        workload("apps/v1", "Pod"),
        workload("batch.volcano.sh/v1", "Job", "spec", "template"),
    ],
)
def test_others_are_left_alone(content: Any) -> None:
    assert rewrite_pods(content, mark) is content


def test_lists() -> None:
    content = {"apiVersion": "v1", "kind": "List", "items": [POD, workload("v1", "Pod")]}
    found = rewrite_pods(content, mark)
    assert found["items"][0] is POD
    assert found["items"][1]["seen"] == "Pod x"
    assert rewrite_pods(content, lambda _, pod: pod) is content


def test_what_is_cut_off_is_told() -> None:
    content = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generateName": "x-"}}
    with pytest.raises(ValueError, match=r"^Deployment x-\*: spec is not an object"):
        rewrite_pods(content, mark)
    with pytest.raises(ValueError, match=r"^Job \*: spec is not an object"):
        rewrite_pods({"apiVersion": "batch/v1", "kind": "Job", "metadata": []}, mark)
