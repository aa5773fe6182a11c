"""What a person, or a script, does with kubectl: the commands of one story, in their order.

Owns the table and how one row of it is run. Must not compare.
"""

import json
import re
import signal
import socket
import threading
from typing import Any, NamedTuple

from tests.clients.pods import Pod, RawStep
from tests.controlplane import find_binary

MANIFEST = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "story"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "story"}},
                "template": {
                    "metadata": {"labels": {"app": "story"}},
                    "spec": {"containers": [{"name": "one", "image": "example.invalid/one:1"}]},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "story"},
            "spec": {
                "clusterIP": "None",
                "ports": [{"name": "http", "port": 80}],
                "selector": {"app": "story"},
            },
        },
    ],
}
CHANGED = json.dumps(MANIFEST).replace("one:1", "one:2")
PATIENCE_S = 20.0
SHELL = "echo out; sleep 0.2; echo err >&2; exit 7"


class Row(NamedTuple):
    """One command, split at its spaces, and what it reads."""

    step: str
    command: str
    text: str | None = None
    last: str | None = None  # an argument that has spaces in it


def config_map(name: str, value: str, version: str | None = None) -> str:
    metadata = {"name": name} | ({"resourceVersion": version} if version else {})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": value}}
    return json.dumps(body)


ROWS = (
    Row("version", "version -o json"),
    Row("api-resources", "api-resources -o wide --sort-by=name"),
    Row("api-versions", "api-versions"),
    Row("explain", "explain deployment.spec.strategy"),
    Row("create", "create configmap plain --from-literal=key=first -o json"),
    Row("create-again", "create configmap plain --from-literal=key=second"),
    Row("create-invalid", "create configmap Not_A_Name"),
    Row("create-dry-run", "create configmap imagined --dry-run=server -o yaml"),
    Row("get-missing", "get configmap imagined"),
    Row("create-secret", "create secret generic hidden --from-literal=key=value -o json"),
    Row("create-big", "create -f -", config_map("big", "a well repeated line\n" * 15000)),
    *(Row(f"create-page-{n}", f"create configmap page-{n} --from-literal=n={n}") for n in range(5)),
    Row("get-chunks", "get configmaps --chunk-size=2 -o name"),
    Row("get-gzip", "get configmap big -o json"),
    Row("apply", "apply -f -", json.dumps(MANIFEST)),
    Row("apply-unchanged", "apply -f -", json.dumps(MANIFEST)),
    Row("diff", "diff -f -", CHANGED),
    Row("apply-changed", "apply -f -", CHANGED),
    Row("apply-server-side", "apply --server-side -f -", config_map("applied", "x")),
    Row("apply-conflict", "apply --server-side --field-manager=two -f -",
        config_map("applied", "y")),
    Row("apply-force", "apply --server-side --field-manager=two --force-conflicts -f -",
        config_map("applied", "y")),
    Row("get-table", "get deployments,services,configmaps"),
    Row("get-wide", "get pods -o wide --show-labels"),
    Row("get-json", "get deployment story -o json --show-managed-fields"),
    Row("get-yaml", "get service story -o yaml"),
    Row("get-selector", "get pods -o name -l", last="app in (talker,other),!none"),
    Row("get-field", "get pods -o name --field-selector=metadata.name=talker"),
    Row("get-plain-table", "get pods --server-print=false"),
    Row("get-all", "get all"),
    Row("get-unknown", "get nonsense"),
    Row("get-forbidden", "get nodes"),
    Row("describe", "describe deployment story"),
    Row("patch-json", "patch deployment story --type=json -o json -p",
        last='[{"op":"replace","path":"/spec/replicas","value":2}]'),
    Row("patch-json-failing", "patch deployment story --type=json -p",
        last='[{"op":"test","path":"/spec/replicas","value":9}]'),
    Row("patch-merge", "patch deployment story --type=merge -o json -p",
        last='{"spec":{"paused":true}}'),
    Row("patch-strategic", "patch deployment story -o json -p",
        last='{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"i:1"}]}}}}'),
    Row("patch-conflict", "patch configmap plain --type=merge -p",
        last='{"metadata":{"resourceVersion":"1"}}'),
    Row("replace-stale", "replace -f -", config_map("plain", "z", version="1")),
    Row("replace", "replace -f -", config_map("plain", "z")),
    Row("label", "label deployment story labelled=yes"),
    Row("annotate", "annotate configmap --all noted=yes"),
    Row("scale", "scale deployment story --replicas=3 --current-replicas=2"),
    Row("scale-refused", "scale deployment story --replicas=3 --current-replicas=9"),
    Row("set-image", "set image deployment/story one=example.invalid/one:3"),
    Row("rollout-pause", "rollout resume deployment story"),
    Row("rollout-status", "rollout status deployment story --watch=false"),
    Row("rollout-history", "rollout history deployment story"),
    Row("wait", "wait --for=condition=Ready pod/talker --timeout=10s"),
    Row("wait-not", "wait --for=delete pod/stray --timeout=2s"),
    Row("events", "events"),
    Row("can-i", "auth can-i create configmaps"),
    Row("can-i-not", "auth can-i create nodes"),
    Row("can-i-list", "auth can-i --list"),
    Row("whoami", "auth whoami -o json"),
    Row("raw-readyz", "get --raw /readyz?verbose"),
    Row("raw-version", "get --raw /version"),
    Row("raw-api", "get --raw /api"),
    Row("raw-openapi", "get --raw /openapi/v3/apis/apps/v1"),
    Row("raw-list", "get --raw HERE?limit=1"),
    Row("raw-expired", "get --raw HERE?resourceVersion=1&resourceVersionMatch=Exact"),
    Row("raw-watch-expired", "get --raw HERE?watch=1&resourceVersion=1"),
    Row("raw-nowhere", "get --raw /nowhere"),
    Row("raw-forbidden", "get --raw /api/v1/nodes"),
    Row("raw-create", "create --raw HERE -f -", config_map("raw", "a")),
    Row("raw-replace", "replace --raw HERE/raw -f -", config_map("raw", "b")),
    Row("raw-delete", "delete --raw HERE/raw"),
    Row("run", "run made --image=example.invalid/made:1 --restart=Never -o name"),
    Row("exec", "exec talker -- sh -c", last=SHELL),
    Row("exec-input", "exec -i talker -- cat", "to a container\n"),
    Row("exec-stray", "exec stray -- true"),
    Row("exec-missing", "exec missing -- true"),
    Row("attach", "attach -i talker", "to a container\n"),
    Row("attach-stray", "attach stray"),
    Row("logs", "logs talker"),
    Row("logs-follow", "logs -f talker -c main"),
    Row("logs-stray", "logs stray"),
    Row("port-forward-stray", "port-forward stray :7778"),
    Row("delete", "delete configmap plain"),
    Row("delete-again", "delete configmap plain"),
    Row("delete-dry-run", "delete configmap big --dry-run=server"),
    Row("delete-several", "delete deployment/story service/story"),
    Row("delete-pod", "delete pod made --grace-period=0 --force"),
    Row("delete-selected", "delete secrets -l", last="no in (such)"),
    Row("delete-collection", "delete configmaps --all"),
    Row("get-nothing", "get configmaps"),
)  # fmt: skip


def tell(pod: Pod, namespace: str) -> list[RawStep]:
    """The whole story in one pod."""
    steps = [{"step": row.step, "result": _run(pod, row, namespace)} for row in ROWS]
    return [
        *steps,
        {"step": "port-forward", "result": _forward(pod)},
        {"step": "watch", "result": _watch(pod)},
    ]


def _run(pod: Pod, row: Row, namespace: str) -> dict[str, Any]:
    words = row.command.replace("HERE", f"/api/v1/namespaces/{namespace}/configmaps").split(" ")
    if row.last is not None:
        words.append(row.last)
    done = pod.run([str(find_binary("kubectl")), *words], text=row.text)
    return {"code": done.returncode, "out": _parse(done.stdout), "err": _even(done.stderr)}


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return _even(text)


def _even(text: str) -> list[str]:
    """Lines, without what depends on the moment: ages, widths of columns, the library's own log."""
    text = re.sub(r"^[IWE]\d{4} \d\d:\d\d:.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=\s)(?:\d+[smh])+(?= ago|\s|$)", "<age>", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000", "<time>", text)
    text = re.sub(r"/tmp/(LIVE|MERGED)-\d+", r"/tmp/\1", text)
    return re.sub(r" {2,}", "  ", text).splitlines()


def _forward(pod: Pod) -> Any:
    """A forwarded port, used twice, until kubectl is told to end."""
    process = pod.start([str(find_binary("kubectl")), "port-forward", "talker", ":7778"])
    assert process.stdout is not None
    stuck = threading.Timer(PATIENCE_S, process.kill)
    stuck.start()
    try:
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found is not None, f"{line}{process.communicate(timeout=5)}"
        heard = [_talk(int(found[1])) for _ in range(2)]
    finally:
        stuck.cancel()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    return {"heard": heard}


def _watch(pod: Pod) -> Any:
    """A watch that is left open, of what is there and of a change."""
    kubectl = str(find_binary("kubectl"))
    words = ("get", "configmaps", "--watch", "--output-watch-events")
    pod.run([kubectl, "create", "configmap", "there"])
    process = pod.start([kubectl, *words])
    assert process.stdout is not None
    stuck = threading.Timer(PATIENCE_S, process.kill)
    stuck.start()
    try:
        seen = [process.stdout.readline() for _ in range(2)]
        pod.run([kubectl, "label", "configmap", "there", "watched=yes"])
        pod.run([kubectl, "delete", "configmap", "there"])
        seen += [process.stdout.readline() for _ in range(2)]
    finally:
        stuck.cancel()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    return [line.split()[:2] for line in seen]


def _talk(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as talk:
        talk.sendall(b"to the port")
        heard = b""
        while heard != b"to the port" and (piece := talk.recv(100)):
            heard += piece
        return heard.decode()
