"""Clients' stories, told from inside a container `clients`: each line is a step or a question.

Owns the conversation. Must not judge what is told.
"""

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tests.controlplane import find_binary
from tests.node.node import Node

TIMEOUT_S = 120.0


def tell(
    node: Node,
    namespace: str,
    pod: str,
    command: Sequence[str],
    heed: Callable[[str], None],
) -> dict[str, Any]:
    """The result of each step by its name; `heed` is called with each, as soon as it is told."""
    kubectl = [str(find_binary("kubectl")), f"--kubeconfig={node.plane.admin_kubeconfig()}"]
    execute = ["exec", "-i", "-n", namespace, pod, "-c", "clients", "--"]
    told: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*kubectl, *execute, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={"HOME": str(node.folder)},
        ) as process,
    ):
        stuck = threading.Timer(TIMEOUT_S, process.kill)
        stuck.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for line in process.stdout:
                step = json.loads(line)
                if "ask" in step:
                    node.plane.compact_etcd()
                    process.stdin.write("done\n")
                    process.stdin.flush()
                else:
                    told[step["step"]] = step["result"]
                    heed(step["step"])
            code = process.wait()
        finally:
            stuck.cancel()
            process.kill()
        errors.seek(0)
        assert code == 0, f"code {code} after {list(told)[-1:]}: {errors.read()[-3000:]}"
    return told
