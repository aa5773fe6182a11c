"""What an application in Python is: the official client, set up by `load_incluster_config` alone.

A program of its own, run in a pod: prints one JSON line for each thing it did.
"""

# The client's annotations are of half of it, and narrower than what it takes: a dict is a body.
# mypy: disable-error-code="no-untyped-call, arg-type, union-attr, index"

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config, dynamic, stream, utils, watch
from kubernetes.client.exceptions import ApiException

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text()
HERE = f"/api/v1/namespaces/{NAMESPACE}"
INITIAL_END = "k8s.io/initial-events-end"
PAGES = 7
DEPLOYMENT = {
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
}
TWO = {"name": "two", "image": "example.invalid/two:1"}
PATCHES: list[tuple[str, str, Any, dict[str, Any]]] = [
    (
        "patch-json",
        "application/json-patch+json",
        [{"op": "replace", "path": "/spec/replicas", "value": 2}],
        {},
    ),
    (
        "patch-json-failing",
        "application/json-patch+json",
        [{"op": "test", "path": "/spec/replicas", "value": 9}],
        {},
    ),
    (
        "patch-merge",
        "application/merge-patch+json",
        {"metadata": {"annotations": {"a": "b"}}, "spec": {"paused": True}},
        {},
    ),
    (
        "patch-strategic",
        "application/strategic-merge-patch+json",
        {"spec": {"template": {"spec": {"containers": [TWO]}}}},
        {},
    ),
    (
        "patch-dry-run",
        "application/merge-patch+json",
        {"spec": {"replicas": 5}},
        {"dry_run": "All"},
    ),
    (
        "patch-warning",
        "application/merge-patch+json",
        {"spec": {"replica": 5}},
        {"field_validation": "Warn"},
    ),
    (
        "patch-conflict",
        "application/merge-patch+json",
        {"metadata": {"resourceVersion": "1"}},
        {},
    ),
    (
        "patch-apply",
        "application/apply-patch+yaml",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "story", "labels": {"applied": "yes"}},
        },
        {"field_manager": "story"},
    ),
]


class Story:
    """One client, and how it tells."""

    def __init__(self) -> None:
        config.load_incluster_config()
        self.api = client.ApiClient()
        self.core = client.CoreV1Api(self.api)
        self.apps = client.AppsV1Api(self.api)

    def plain(self, result: Any) -> Any:
        """A result as it stands in JSON."""
        return self.api.sanitize_for_serialization(result)

    def did(self, step: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Make a call of the generated API, and tell what came of it; returns its object."""
        try:
            result, code, headers = call(*arguments, **options)
        except ApiException as failure:
            tell(step, describe(failure))
            return None
        told = {"outcome": self.plain(result), "code": code, "headers": dict(headers)}
        tell(step, told)
        return result

    def raw(self, step: str, method: str, path: str, body: Any = None, **headers: str) -> None:
        """A call past the generated API, which may be an odd one."""
        fields = {name.replace("_", "-"): text for name, text in headers.items()}
        self.api.update_params_for_auth(
            fields, [], ["BearerToken"], resource_path=path, method=method, body=body
        )
        url = self.api.configuration.host + path
        answer = self.api.call_api(method, url, fields, body)
        content = answer.read()
        try:
            shown = json.loads(content)
        except ValueError:
            shown = content[:24].hex() if content[:3] == b"k8s" else content.decode()[:200]
        tell(step, {"code": answer.status, "headers": dict(answer.headers), "outcome": shown})


def tell(step: str, result: Any) -> None:
    """One line of the story."""
    print(json.dumps({"step": step, "result": result}), flush=True)  # noqa: T201


def ask(what: str) -> None:
    """Have the harness do what no client can."""
    print(json.dumps({"ask": what}), flush=True)  # noqa: T201
    sys.stdin.readline()


def describe(failure: ApiException) -> dict[str, Any]:
    """A refusal in full."""
    body = failure.body or ""
    try:
        status = json.loads(body)
    except ValueError:
        status = str(body)
    headers = dict(failure.headers or {})
    return {
        "code": failure.status,
        "reason": failure.reason,
        "status": status,
        "headers": headers,
    }


def config_map(name: str, value: str = "x") -> dict[str, Any]:
    labels = {"part": name.split("-", maxsplit=1)[0]}
    return {"metadata": {"name": name, "labels": labels}, "data": {"key": value}}


def tell_objects(story: Story) -> None:
    core, did = story.core, story.did
    create = core.create_namespaced_config_map_with_http_info
    read = core.read_namespaced_config_map_with_http_info
    replace = core.replace_namespaced_config_map_with_http_info
    made = did("create", create, NAMESPACE, config_map("plain", "first"))
    did("create-again", create, NAMESPACE, config_map("plain"))
    did("create-invalid", create, NAMESPACE, config_map("Not_A_Name"))
    did("create-dry-run", create, NAMESPACE, config_map("imagined"), dry_run="All")
    did("get", read, "plain", NAMESPACE)
    did("get-missing", read, "imagined", NAMESPACE)
    made.metadata.annotations = {"updated": "once"}
    did("update", replace, "plain", NAMESPACE, made)
    did("update-stale", replace, "plain", NAMESPACE, made)


def tell_chunks(story: Story) -> None:
    core, did = story.core, story.did
    chunks = core.list_namespaced_config_map_with_http_info
    for number in range(PAGES):
        core.create_namespaced_config_map(NAMESPACE, config_map(f"page-{number}"))

    def follow(step: str, token: str | None) -> None:
        number = 0
        while number == 0 or token:
            page = did(
                f"{step}-{number}",
                chunks,
                NAMESPACE,
                label_selector="part=page",
                limit=3,
                _continue=token,
            )
            token = page.metadata._continue
            number += 1

    follow("list-chunks", None)
    first = core.list_namespaced_config_map(NAMESPACE, label_selector="part=page", limit=3)
    core.replace_namespaced_config_map("page-0", NAMESPACE, config_map("page-0", "changed"))
    ask("compact")
    token = first.metadata._continue
    try:
        core.list_namespaced_config_map(
            NAMESPACE, label_selector="part=page", limit=3, _continue=token
        )
    except ApiException as failure:
        tell("list-expired", describe(failure))
        token = json.loads(failure.body or "{}")["metadata"]["continue"]
    follow("list-resumed", token)
    tell("watch-expired", events(story, resource_version="1", timeout_seconds=3))


def events(story: Story, heed: Callable[[Any], bool] | None = None, **options: Any) -> Any:
    """What a watch brings until it ends, or until an event that is heeded was the last wanted."""
    seen: list[Any] = []
    source = watch.Watch()
    try:
        for event in source.stream(story.core.list_namespaced_config_map, NAMESPACE, **options):
            seen.append({"type": event["type"], "object": event["raw_object"]})
            if heed is not None and heed(event["raw_object"]):
                source.stop()
    except ApiException as failure:
        return {"events": seen, "code": failure.status, "reason": failure.reason}
    return {"events": seen}


def tell_watches(story: Story) -> None:
    core = story.core
    version = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    core.create_namespaced_config_map(NAMESPACE, config_map("watched", "1"))
    core.patch_namespaced_config_map("watched", NAMESPACE, {"data": {"key": "2"}})
    core.delete_namespaced_config_map("watched", NAMESPACE)

    def advance(raw: dict[str, Any]) -> bool:
        # The server sends a bookmark two seconds before it ends a watch, if versions have advanced.
        if raw["metadata"].get("name") == "watched" and raw["data"]["key"] == "1":
            core.create_namespaced_config_map(NAMESPACE, config_map("unwatched"))
        return False

    told = events(
        story,
        advance,
        label_selector="part=watched",
        resource_version=version,
        allow_watch_bookmarks=True,
        timeout_seconds=4,
    )
    tell("watch", told)

    def ends(raw: dict[str, Any]) -> bool:
        return (raw["metadata"].get("annotations") or {}).get(INITIAL_END) == "true"

    told = events(
        story,
        ends,
        label_selector="part=page",
        send_initial_events=True,
        resource_version_match="NotOlderThan",
        allow_watch_bookmarks=True,
    )
    tell("watch-list", told)


def tell_patches(story: Story) -> None:
    apps, did = story.apps, story.did
    did(
        "create-deployment", apps.create_namespaced_deployment_with_http_info, NAMESPACE, DEPLOYMENT
    )
    patch = apps.patch_namespaced_deployment_with_http_info
    for step, kind, body, options in PATCHES:
        did(step, patch, "story", NAMESPACE, body, _content_type=kind, **options)
    scale = apps.patch_namespaced_deployment_scale_with_http_info
    did("patch-scale", scale, "story", NAMESPACE, {"spec": {"replicas": 0}})
    apply = story.core.patch_namespaced_config_map_with_http_info
    for step, manager, value, force in (
        ("apply-create", "one", "x", False),
        ("apply-conflict", "two", "y", False),
        ("apply-force", "two", "y", True),
    ):
        body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("applied", value)}
        did(
            step,
            apply,
            "applied",
            NAMESPACE,
            body,
            field_manager=manager,
            force=force,
            _content_type="application/apply-patch+yaml",
        )


def tell_raw(story: Story) -> None:
    raw = story.raw
    big = config_map("big", "a line that repeats itself well\n" * (300 * 1024 // 32))
    story.core.create_namespaced_config_map(NAMESPACE, big)
    at = f"{HERE}/configmaps"
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    metadata = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    raw("gzip", "GET", f"{at}/big", Accept_Encoding="gzip")
    raw("table", "GET", f"{at}?fieldSelector=metadata.name%3Dbig", Accept=table)
    raw("metadata-only", "GET", at, Accept=metadata)
    raw("protobuf", "GET", at, Accept="application/vnd.kubernetes.protobuf")
    raw("not-acceptable", "GET", at, Accept="application/xml")
    for path in ("/version", "/readyz", "/readyz?verbose=", "/api", "/nowhere", "/openapi/v3"):
        raw(f"raw-{path}", "GET", path)
    raw("raw-head", "HEAD", at)
    raw("raw-wrong-method", "POST", f"{at}/big", {}, Content_Type="application/json")
    raw("raw-bad-media", "POST", at, b"<a/>", Content_Type="application/xml")
    raw("raw-escaped-name", "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode")
    raw("raw-bad-selector", "GET", f"{at}?labelSelector=a%3D%3D%3Db")
    story.did("forbidden", story.core.list_node_with_http_info)
    story.did(
        "who-am-i",
        client.AuthenticationV1Api(story.api).create_self_subject_review_with_http_info,
        {},
    )


def tell_dynamic(story: Story) -> None:
    """The dynamic client finds kinds by discovery, utils makes objects from manifests."""
    found = dynamic.DynamicClient(story.api).resources.get(api_version="apps/v1", kind="Deployment")
    told = found.get(namespace=NAMESPACE, name="story").to_dict()
    tell("dynamic", told)
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("made")}
    tell(
        "from-manifest",
        story.plain(utils.create_from_dict(story.api, manifest, namespace=NAMESPACE)),
    )


def tell_removals(story: Story) -> None:
    core, did = story.core, story.did
    delete = core.delete_namespaced_config_map_with_http_info
    stranger = "00000000-0000-0000-0000-000000000000"
    did("delete-precondition", delete, "big", NAMESPACE, body={"preconditions": {"uid": stranger}})
    did("delete-dry-run", delete, "big", NAMESPACE, dry_run="All")
    did("delete", delete, "big", NAMESPACE, grace_period_seconds=0)
    did("delete-again", delete, "big", NAMESPACE)
    collection = core.delete_collection_namespaced_config_map_with_http_info
    did("delete-collection", collection, NAMESPACE, label_selector="part=page")
    did("list-left", core.list_namespaced_config_map_with_http_info, NAMESPACE)
    did("delete-all", collection, NAMESPACE)
    remove = story.apps.delete_namespaced_deployment_with_http_info
    did("delete-deployment", remove, "story", NAMESPACE, propagation_policy="Background")


def tell_streams(story: Story) -> None:
    core = story.core

    def run(step: str, pod: str, method: Callable[..., Any], **options: Any) -> None:
        try:
            shown = stream.stream(method, pod, NAMESPACE, stdout=True, stderr=True, **options)
            tell(step, shown)
        except ApiException as failure:
            # The header stands in the middle, as a dict.
            said, *_, body = str(failure.reason).split(" -+-+- ")
            tell(step, {"said": said, "status": json.loads(body)})

    execute = core.connect_get_namespaced_pod_exec
    shell = ["sh", "-c", "echo out; sleep 0.2; echo err >&2; exit 7"]
    run("exec", "talker", execute, command=shell, container="main", stdin=False, tty=False)
    run("exec-stray", "stray", execute, command=["true"], stdin=False, tty=False)
    run("attach", "talker", core.connect_get_namespaced_pod_attach, stdin=False, tty=False)
    tell("exec-input", exec_with_input(core))
    tell("port-forward", forward(core))
    for step, pod in (("logs", "talker"), ("logs-stray", "stray")):
        story.did(step, core.read_namespaced_pod_log_with_http_info, pod, NAMESPACE)
    follow = watch.Watch().stream(core.read_namespaced_pod_log, name="talker", namespace=NAMESPACE)
    tell("logs-follow", list(follow))


def exec_with_input(core: client.CoreV1Api) -> Any:
    """A conversation with a command, and its exit code."""
    talk = stream.stream(
        core.connect_get_namespaced_pod_exec,
        "talker",
        NAMESPACE,
        command=["sh", "-c", "read line; echo heard $line; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    talk.write_stdin("a line\n")
    talk.run_forever(timeout=10)
    told = {"out": talk.read_stdout(), "code": talk.returncode, "protocol": talk.subprotocol}
    talk.close()
    return told


def forward(core: client.CoreV1Api) -> Any:
    """Bytes through a forwarded port, both ways."""
    forwarded = stream.portforward(
        core.connect_get_namespaced_pod_portforward, "talker", NAMESPACE, ports="7778"
    )
    socket = forwarded.socket(7778)
    socket.setblocking(True)
    socket.sendall(b"to the port\n")
    heard = io.BytesIO()
    deadline = time.monotonic() + 10
    while b"\n" not in heard.getvalue() and time.monotonic() < deadline:
        heard.write(socket.recv(1024))
    forwarded.close()
    return {"heard": heard.getvalue().decode(), "error": forwarded.error(7778)}


def main() -> None:
    story = Story()
    for part in (
        tell_objects,
        tell_chunks,
        tell_watches,
        tell_patches,
        tell_raw,
        tell_dynamic,
        tell_removals,
        tell_streams,
    ):
        part(story)


if __name__ == "__main__":
    main()
