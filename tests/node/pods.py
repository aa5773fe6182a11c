"""Pods as people write them, for tests on the node. Must not know of sidecars."""

from typing import Any

from tests.node.images import APPLICATION_IMAGE

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
