"""Runs in an application's container: what a program with the official Python client does.

Prints one JSON line with what it met. Must not import anything that an application's image lacks.
"""

# The client's annotations are narrower than what it takes: a dict is a body.
# mypy: disable-error-code="no-untyped-call, arg-type, union-attr"

import json
import sys

from kubernetes import client, config, stream, watch


def main() -> None:
    """Objects, a watch, a log and two commands, in the namespace of the first argument."""
    namespace = sys.argv[1]
    config.load_incluster_config()
    core = client.CoreV1Api()
    body = {"metadata": {"name": "python"}, "data": {"key": "first"}}
    made = core.create_namespaced_config_map(namespace, body)
    version = made.metadata.resource_version
    core.patch_namespaced_config_map("python", namespace, {"data": {"key": "second"}})
    core.delete_namespaced_config_map("python", namespace)
    seen = []
    for event in watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=30
    ):
        if event["object"].metadata.name == "python":
            seen.append(event["type"])
        if event["type"] == "DELETED":
            break
    talk = stream.stream(
        core.connect_get_namespaced_pod_exec,
        "talker",
        namespace,
        container="main",
        command=["sh", "-c", "read line; echo heard $line; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    talk.write_stdin("a line\n")
    talk.run_forever(timeout=30)
    told = {
        "pods": [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items],
        "events": seen,
        "log": core.read_namespaced_pod_log("talker", namespace, container="main")[:7],
        "exec": [talk.read_stdout(), talk.returncode],
    }
    sys.stdout.write(json.dumps(told) + "\n")


main()
