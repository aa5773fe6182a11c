"""Owns what `--pod` reads from the cluster of the current context: the pod, and its snapshot.

Must not send the call that is explained, nor anything that writes: it runs `kubectl get`, twice.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sidecar.policy.snapshot import Snapshot, parse_snapshot
from webhook.cli.policy.snapshot_source import SourceError

CONFIG_MAP = "mca-policy"
KEY = "snapshot.v1.json"
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_KUBECTL_S = 30.0

Raw = Mapping[str, Any]


class Pod(NamedTuple):
    """Who calls from a pod."""

    namespace: str
    name: str
    service_account: str
    containers: tuple[str, ...]
    usual_container: str


class Access(NamedTuple):
    """How kubectl is to reach the cluster: options of its own."""

    context: str | None = None
    kubeconfig: str | None = None

    def options(self) -> Sequence[str]:
        """As words of its command line."""
        given = (("--context", self.context), ("--kubeconfig", self.kubeconfig))
        return [f"{option}={text}" for option, text in given if text is not None]


def fetch_pod(named: str, access: Access) -> tuple[Pod, Snapshot]:
    """The pod, and the snapshot that its namespace has now; SourceError says what is missing."""
    namespace, slash, name = named.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise SourceError(f"--pod {named}: write NAMESPACE/NAME")
    pod = _read_pod(_fetch(access, namespace, "pod", name), namespace, name)
    config_map = _fetch(access, namespace, "configmap", CONFIG_MAP)
    return pod, _read_snapshot(config_map, namespace)


def _fetch(access: Access, namespace: str, kind: str, name: str) -> Raw:
    command = ["kubectl", *access.options(), "get", kind, f"--namespace={namespace}"]
    try:
        done = subprocess.run(  # noqa: S603 - kubectl, with names that it checks itself
            [*command, "--output=json", "--", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_S,
            check=False,
            env=os.environ,
        )
    except FileNotFoundError:
        raise SourceError("--pod needs kubectl, which was not found in PATH") from None
    except OSError as error:
        raise SourceError(f"kubectl cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"kubectl get {kind} {name}: no answer in {_KUBECTL_S:.0f} s") from None
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise SourceError(f"kubectl get {kind} {name} -n {namespace}: {said}{_hint(kind, said)}")
    try:
        found: Raw = json.loads(done.stdout)
    except ValueError:
        raise SourceError(f"kubectl get {kind} {name}: its answer is not JSON") from None
    return found


def _hint(kind: str, said: str) -> str:
    if kind != "configmap" or "NotFound" not in said:
        return ""
    return (
        "\nthe controller writes it into namespaces with the label mca.io/injection: enabled;"
        " for a snapshot of your own use --snapshot FILE"
    )


def _read_pod(raw: Raw, namespace: str, name: str) -> Pod:
    spec = raw.get("spec") or {}
    containers = tuple(
        str(item.get("name"))
        for key in ("containers", "initContainers")
        for item in spec.get(key) or ()
        if not is_ours(str(item.get("name")))
    )
    if not containers:
        raise SourceError(f"pod {namespace}/{name} has no container but the sidecar's")
    annotations = (raw.get("metadata") or {}).get("annotations") or {}
    wanted = annotations.get(_DEFAULT_CONTAINER)
    usual = wanted if wanted in containers else containers[0]
    account = spec.get("serviceAccountName") or "default"
    return Pod(namespace, name, account, containers, usual)


def is_ours(container: str) -> bool:
    """Whether it is the sidecar, which calls nobody through itself."""
    return container == "mca" or container.startswith("mca-")


def _read_snapshot(raw: Raw, namespace: str) -> Snapshot:
    where = f"ConfigMap {namespace}/{CONFIG_MAP}"
    content = (raw.get("data") or {}).get(KEY)
    if not isinstance(content, str):
        keys = ", ".join(sorted(raw.get("data") or {})) or "no key"
        raise SourceError(f"{where} has no {KEY}: it has {keys}")
    found = parse_snapshot(content.encode())
    if not isinstance(found, Snapshot):
        raise SourceError("\n".join(f"{where}: {KEY}: {problem}" for problem in found))
    return found
