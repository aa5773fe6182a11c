"""Pods as people write them, for tests on the node. Must not know of sidecars."""

from pathlib import Path
from typing import Any

from tests.node.images import APPLICATION_IMAGE

TALKER = Path(__file__).with_name("talker.py").read_text()
FOREVER = "trap 'exit 0' TERM; sleep infinity & wait"


def write_pod(name: str, script: str = FOREVER, **spec: Any) -> dict[str, Any]:
    """One container `app` that runs a shell script; `spec` goes into the pod's spec."""
    container = {
        "name": "app",
        "image": APPLICATION_IMAGE,
        "command": ["/bin/sh", "-c", script],
        "imagePullPolicy": "Never",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "restartPolicy": "Never",
            "containers": [container],
            **spec,
        },
    }


def write_talker(name: str = "talker") -> dict[str, Any]:
    """What clients exec into, attach to, forward ports to and read the log of; it has no API."""
    container = {
        "name": "main",
        "image": APPLICATION_IMAGE,
        "command": ["python3", "-c", TALKER],
        "imagePullPolicy": "Never",
        "stdin": True,
    }
    pod = write_pod(name, automountServiceAccountToken=False)
    pod["spec"]["containers"] = [container]
    return pod
