"""`mca explain --pod`, with a real API server and kubectl."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ControlPlane, find_binary
from tests.webhook.cli.policy.scene import USUAL
from tests.webhook.cli.run.scene import kubeconfig, wait_until
from webhook.cli.explain import main

NAMESPACE = "explain-a"
POD = f"{NAMESPACE}/web-0"
CONTENT = json.dumps({**USUAL, "namespace": NAMESPACE})


@pytest.fixture(autouse=True)
def person(control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody with kubectl, who may read what lies in the namespace."""
    token = control_plane.token(NAMESPACE, "person")
    config = tmp_path / "config"
    config.write_text(json.dumps(kubeconfig(control_plane, {"token": token})))
    monkeypatch.setenv("KUBECONFIG", str(config))
    monkeypatch.setenv("PATH", f"{find_binary('kubectl').parent}:{os.environ['PATH']}")
    return config


@pytest.fixture(scope="module", autouse=True)
def namespace(control_plane: ControlPlane) -> None:
    control_plane.create_service_account(NAMESPACE, "runner")
    # Reads pods and ConfigMaps, nothing else.
    control_plane.create_service_account(
        NAMESPACE, "person", cluster_role="system:aggregate-to-view"
    )
    spec: dict[str, Any] = {
        "serviceAccountName": "runner",
        "initContainers": [{"name": "mca", "image": "i"}, {"name": "setup", "image": "i"}],
        "containers": [{"name": "web", "image": "i"}, {"name": "agent-1", "image": "i"}],
    }
    root = f"/api/v1/namespaces/{NAMESPACE}"
    control_plane.create(f"{root}/pods", {"metadata": {"name": "web-0"}, "spec": spec})
    chosen = {"kubectl.kubernetes.io/default-container": "agent-1"}
    metadata = {"name": "web-1", "annotations": chosen}
    control_plane.create(f"{root}/pods", {"metadata": metadata, "spec": spec})
    content = {"metadata": {"name": "mca-policy"}, "data": {"snapshot.v1.json": CONTENT}}
    control_plane.create(f"{root}/configmaps", content)


def test_the_pods_container_account_and_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pod", POD, "get", "po/x", "-n", "team-a"]) == 0
    said = capsys.readouterr().out
    assert f"container web of pod web-0, service account runner, namespace {NAMESPACE}" in said
    assert f"revision r1 of ConfigMap {NAMESPACE}/mca-policy\n" in said
    assert "--as-container" not in said


@pytest.mark.parametrize(
    ("pod", "words", "container"),
    [
        ("web-1", (), "agent-1"),
        ("web-0", ("--as-container", "agent-1"), "agent-1"),
        ("web-0", ("--as-container", "setup"), "setup"),
    ],
)
def test_another_container(
    pod: str, words: tuple[str, ...], container: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--pod", f"{NAMESPACE}/{pod}", "--json", *words, "get", "po/x"])
    assert json.loads(capsys.readouterr().out)["caller"]["container"] == container


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pod", "web-0"), "--pod web-0: write NAMESPACE/NAME"),
        (("--pod", "a/b/c"), "--pod a/b/c: write NAMESPACE/NAME"),
        (("--pod", f"{NAMESPACE}/no"), "kubectl get pod no -n explain-a: Error from server"),
        (("--pod", POD, "--as-container=x"), "pod explain-a/web-0 has web, agent-1, setup"),
        (("--pod", POD, "--service-account=x"), "--service-account: a pod has its own"),
        (("--pod", POD, "--context=no"), 'context "no" does not exist'),
        (("--pod", POD, "--kubeconfig=/no"), "/no"),
        (("--pod", "default/-x"), "kubectl get pod -x"),
    ],
)
def test_errors(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "get", "po/x"]) == 2
    assert said in capsys.readouterr().err


def test_a_namespace_without_a_policy(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    control_plane.create_service_account("explain-b", "default")
    root = "/api/v1/namespaces/explain-b"
    spec = {"containers": [{"name": "web", "image": "i"}]}
    control_plane.create(f"{root}/pods", {"metadata": {"name": "web-0"}, "spec": spec})
    asked = ["--pod", "explain-b/web-0", "get", "po/x"]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert 'configmaps "mca-policy" not found' in said
    assert "label mca.io/injection: enabled; for a snapshot of your own use --snapshot" in said
    path = f"{root}/configmaps"
    content = {"metadata": {"name": "mca-policy"}, "data": {"snapshot.v9.json": "{}"}}
    control_plane.create(path, content)
    assert main(asked) == 2
    assert "has no snapshot.v1.json: it has snapshot.v9.json" in capsys.readouterr().err
    content["data"] = {"snapshot.v1.json": "{}"}
    control_plane.request("PUT", f"{path}/mca-policy", content)
    assert main(asked) == 2
    assert "snapshot.v1.json: apiVersion: is missing" in capsys.readouterr().err


def test_the_call_itself_is_not_sent(control_plane: ControlPlane) -> None:
    mark = control_plane.audit.mark()
    main(["--pod", POD, "delete", "secrets/explained", "-n", "team-a"])
    person = f"system:serviceaccount:{NAMESPACE}:person"

    def told() -> list[tuple[str, str]]:
        return [
            (event["verb"], event["objectRef"]["resource"])
            for event in control_plane.audit.since(mark)
            if event["user"].get("username") == person and event.get("objectRef")
        ]

    wait_until(lambda: len(told()) >= 2, "what kubectl asked for", 5)
    assert told() == [("get", "pods"), ("get", "configmaps")]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (None, "--pod needs kubectl, which was not found in PATH"),
        ("#!/no/such/interpreter\n", "kubectl"),
        ("#!/bin/sh\nexit 3\n", "kubectl get pod web-0 -n explain-a: exit code 3"),
        ("#!/bin/sh\necho no JSON\n", "kubectl get pod web-0: its answer is not JSON"),
    ],
)
def test_a_kubectl_that_does_not_work(
    program: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bin").mkdir()
    if program is not None:
        (tmp_path / "bin" / "kubectl").write_text(program)
        (tmp_path / "bin" / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert main(["--pod", POD, "get", "po/x"]) == 2
    assert said in capsys.readouterr().err
