"""One call, one watch, and whose credentials they have: on a real API server."""

import datetime as dt
import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.config import incluster_config

from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import choose_port
from tests.scripted_server import Connection, ScriptedServer
from webhook.kube import Kube, KubeError, open_cluster, open_kubeconfig

SECRET = "c2VjcmV0LXRva2Vu"


@pytest.fixture
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    opened = open_kubeconfig(path=str(control_plane.admin_kubeconfig()))
    yield opened
    opened.close()


def write_kubeconfig(folder: Path, server: str, **fields: Any) -> Path:
    """A kubeconfig with two contexts: `here`, which is current, and `there`."""
    user = fields.pop("user", {"token": SECRET})
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [
            {"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("here", "there")
        ],
        "clusters": [{"name": "c", "cluster": {"server": server, **fields.pop("cluster", {})}}],
        "users": [{"name": "u", "user": user}],
        **fields,
    }
    path = folder / "config"
    path.write_text(json.dumps(document))
    return path


def test_objects_go_in_and_come_out_as_they_are(kube: Kube, control_plane: ControlPlane) -> None:
    control_plane.create_namespace("kube-calls")
    path = "/api/v1/namespaces/kube-calls/configmaps"
    made = kube.request("POST", path, {"metadata": {"name": "a"}, "data": {"k": "ü"}})
    assert (made.status, made.document["data"], made.warnings) == (201, {"k": "ü"}, ())
    patch = {"data": {"l": "2"}}
    kube.request("PATCH", f"{path}/a", patch, content_type="application/merge-patch+json")
    applied = kube.request(
        "PATCH",
        f"{path}/b",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"k": "v"}},
        query={"fieldManager": "me & you", "force": "true"},
        content_type="application/apply-patch+yaml",
    )
    assert applied.document["metadata"]["managedFields"][0]["manager"] == "me & you"
    listed = kube.request("GET", path, query={"fieldSelector": "metadata.name=a"}).document
    assert [item["data"] for item in listed["items"]] == [{"k": "ü", "l": "2"}]
    bare = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = kube.request("GET", path, accept=bare).document
    assert [(item["metadata"]["name"], "data" in item) for item in listed["items"]] == [
        ("a", False),
        ("b", False),
    ]
    assert kube.request("DELETE", f"{path}/a").status == 200
    assert (kube.server, kube.context) == (control_plane.url, "control-plane")


def test_warnings_come_with_the_answer(kube: Kube, control_plane: ControlPlane) -> None:
    control_plane.create_namespace("kube-warnings")
    odd = {"name": "a", "image": "x"}
    pod = {"spec": {"containers": [odd, {**odd, "name": "b", "ports": [
        {"containerPort": 1, "name": "p"}, {"containerPort": 1, "name": "q"},
    ]}]}, "metadata": {"name": "a", "annotations": {
        "container.apparmor.security.beta.kubernetes.io/a": "unconfined",
    }}}  # fmt: skip
    path = "/api/v1/namespaces/kube-warnings/pods"
    control_plane.create(
        "/api/v1/namespaces/kube-warnings/serviceaccounts", {"metadata": {"name": "default"}}
    )
    warnings = kube.request("POST", path, pod, query={"dryRun": "All"}).warnings
    assert any("apparmor" in warning for warning in warnings)
    assert any('"' in warning or "duplicate" in warning for warning in warnings)
    assert len(warnings) == 2


def test_a_refusal_is_told_in_the_servers_words(kube: Kube) -> None:
    with pytest.raises(KubeError) as refused:
        kube.request("GET", "/api/v1/namespaces/none-such")
    error = refused.value
    assert (error.status, error.reason) == (404, "NotFound")
    assert str(error) == error.message == 'namespaces "none-such" not found'
    assert error.details == {"name": "none-such", "kind": "namespaces"}
    with pytest.raises(KubeError, match="404 page not found") as refused:
        kube.request("GET", "/none-such")
    assert (refused.value.status, refused.value.reason) == (404, "")
    with pytest.raises(KubeError, match="is no JSON object"):
        kube.request("GET", "/livez")


def test_a_watch_tells_what_changes_until_it_ends(kube: Kube, control_plane: ControlPlane) -> None:
    control_plane.create_namespace("kube-watch")
    path = "/api/v1/namespaces/kube-watch/configmaps"
    only = {"fieldSelector": "metadata.name=a"}
    seen: queue.Queue[tuple[str, str]] = queue.Queue()

    def follow() -> None:
        for event in kube.watch(path, query=only, timeout_s=4):
            seen.put((event["type"], event["object"]["metadata"]["name"]))

    follower = threading.Thread(target=follow)
    follower.start()
    time.sleep(0.5)
    for name in ("b", "a"):
        control_plane.create(path, {"metadata": {"name": name}, "data": {"k": "v" * 200_000}})
    assert seen.get(timeout=3) == ("ADDED", "a")
    assert follower.is_alive()
    follower.join(timeout=20)
    assert not follower.is_alive()
    assert seen.empty()


def test_a_watch_that_cannot_be(kube: Kube) -> None:
    with pytest.raises(KubeError) as refused:
        list(kube.watch("/api/v1/namespaces", query={"labelSelector": "=,"}, timeout_s=2))
    assert refused.value.status == 400


def test_a_watch_from_what_is_no_more(make_control_plane: Callable[..., ControlPlane]) -> None:
    """Begun with 200 and ended by an event of type ERROR."""
    plane = make_control_plane(flags={"watch-cache": "false"})
    kube = open_kubeconfig(path=str(plane.admin_kubeconfig()))
    plane.compact_etcd()
    with pytest.raises(KubeError) as refused:
        list(kube.watch("/api/v1/configmaps", query={"resourceVersion": "1"}, timeout_s=5))
    assert (refused.value.status, refused.value.reason) == (410, "Expired")


def test_a_token_is_shown(control_plane: ControlPlane, tmp_path: Path) -> None:
    cluster = {"certificate-authority": str(control_plane.authority.file)}
    user = {"token": control_plane.tokens["nobody"]}
    path = write_kubeconfig(tmp_path, control_plane.url, cluster=cluster, user=user)
    kube = open_kubeconfig(path=str(path))
    with pytest.raises(KubeError, match='User "nobody" cannot list resource "nodes"') as refused:
        kube.request("GET", "/api/v1/nodes")
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")


def test_a_plugin_is_run(control_plane: ControlPlane, tmp_path: Path) -> None:
    kind, version = "ExecCredential", "client.authentication.k8s.io/v1"
    shown = {"token": control_plane.tokens["admin"]}
    program = tmp_path / "plugin"
    issued = json.dumps({"apiVersion": version, "kind": kind, "status": shown})
    program.write_text(f"#!{sys.executable}\nprint({issued!r})\n")
    program.chmod(0o700)
    user = {"exec": {"apiVersion": version, "command": str(program), "interactiveMode": "Never"}}
    cluster = {"certificate-authority": str(control_plane.authority.file)}
    path = write_kubeconfig(tmp_path, control_plane.url, cluster=cluster, user=user)
    assert open_kubeconfig("there", str(path)).request("GET", "/api/v1/nodes").status == 200


def test_who_does_not_answer_is_named(tmp_path: Path) -> None:
    port = choose_port()
    kube = open_kubeconfig(path=str(write_kubeconfig(tmp_path, f"https://127.0.0.1:{port}")))
    with pytest.raises(KubeError) as refused:
        kube.request("GET", "/version")
    assert refused.value.status == 0
    assert str(refused.value) == f"https://127.0.0.1:{port}: Connection refused"
    with pytest.raises(KubeError, match="Connection refused"):
        list(kube.watch("/api/v1/nodes", timeout_s=1))


def test_who_is_silent_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        kube = open_kubeconfig(path=str(write_kubeconfig(tmp_path, server)))
        with pytest.raises(KubeError, match="timed out") as refused:
            kube.request("GET", "/version", timeout_s=0.2)
        assert refused.value.status == 0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "97 more expected"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", "3 more expected"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n", "the watch sent what is no event"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\noh\n", "answered 502: oh"),
    ],
)
def test_answers_that_break_off_or_are_anothers(tmp_path: Path, answer: bytes, told: str) -> None:
    def send_and_end(connection: Connection) -> None:
        connection.read_request()
        connection.send(answer)

    with ScriptedServer(send_and_end) as server:
        cluster = {"certificate-authority": str(server.authority.file)}
        path = write_kubeconfig(tmp_path, server.url, cluster=cluster)
        kube = open_kubeconfig(path=str(path))
        with pytest.raises(KubeError, match=told):
            list(kube.watch("/api/v1/nodes", timeout_s=5))
        if told != "the watch sent what is no event":
            again = open_kubeconfig(path=str(path))
            with pytest.raises(KubeError, match=told) as failed:
                again.request("GET", "/api/v1/nodes", timeout_s=5)
            assert SECRET not in str(failed.value)


@pytest.mark.parametrize(
    "name", ["a?dryRun=All", "a#", "", "..", "a b", "a\n", "a/../b", "ü", "a//b"]
)
def test_a_path_is_one_of_an_api(tmp_path: Path, name: str) -> None:
    kube = open_kubeconfig(path=str(write_kubeconfig(tmp_path, "https://127.0.0.1:1")))
    with pytest.raises(KubeError, match="is not the path of an API"):
        kube.request("DELETE", f"/api/v1/namespaces/{name}/pods")


def test_a_certificate_of_another_authority(control_plane: ControlPlane, tmp_path: Path) -> None:
    kube = open_kubeconfig(path=str(write_kubeconfig(tmp_path, control_plane.url)))
    with pytest.raises(KubeError, match="certificate verify failed") as refused:
        kube.request("GET", "/version")
    assert refused.value.status == 0
    assert SECRET not in str(refused.value)


def test_kubeconfigs_that_are_of_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(path: Path, context: str | None = None) -> str:
        with pytest.raises(KubeError) as refused:
            open_kubeconfig(context, str(path))
        assert refused.value.status == 0
        return str(refused.value).replace(str(path), "FILE")

    path = write_kubeconfig(tmp_path, "https://127.0.0.1:1")
    assert tell(path, "where") == "FILE: there is no context 'where'"
    assert tell(tmp_path / "none").startswith("no kubeconfig: looked for FILE; ")
    assert tell(tmp_path) == "FILE: Is a directory"
    assert tell(write_kubeconfig(tmp_path, "", **{"current-context": ""})) == (
        "FILE: there is no current context"
    )
    unusable = "FILE: is no usable kubeconfig ("
    for text in (f"users: [{SECRET}\n", f"[{SECRET}]", f"contexts: [{SECRET}]", f"- {SECRET}"):
        path.write_text(text)
        told = tell(path, "here")
        assert told.startswith(unusable)
        assert SECRET not in told
    twice = {"users": [{"name": "u", "user": {"token": SECRET}}], "clusters": [{"name": "c"}]}
    told = tell(write_kubeconfig(tmp_path, "https://127.0.0.1:1", **twice))
    assert told.startswith(unusable)
    assert SECRET not in told
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeError, match=r"\.kube/config; name one by KUBECONFIG"):
        open_cluster()


def test_the_first_file_that_names_a_context_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, server in ((first, "https://127.0.0.1:1"), (second, "https://127.0.0.1:2")):
        folder.mkdir()
        write_kubeconfig(folder, server)
    files = [tmp_path / "none", first / "config", second / "config"]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    kube = open_kubeconfig()
    assert (kube.server, kube.context) == ("https://127.0.0.1:1", "here")
    assert open_kubeconfig("there").context == "there"


def test_a_pod_has_its_account(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder lies elsewhere here, and no kubeconfig comes before it."""
    token = tmp_path / "token"
    token.write_text(control_plane.tokens["admin"])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(
        incluster_config, "SERVICE_CERT_FILENAME", str(control_plane.authority.file)
    )
    monkeypatch.setenv("KUBECONFIG", str(control_plane.admin_kubeconfig()))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(control_plane.port))
    kube = open_cluster()
    assert (kube.server, kube.context) == (control_plane.url, "")
    assert kube.request("GET", "/api/v1/nodes").status == 200


def test_a_token_that_is_gone(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client reads a pod's token again after a minute."""
    token = tmp_path / "token"
    token.write_text(SECRET)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(
        incluster_config, "SERVICE_CERT_FILENAME", str(control_plane.authority.file)
    )
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(control_plane.port))
    kube = open_cluster()
    with pytest.raises(KubeError) as refused:
        kube.request("GET", "/api/v1/nodes")
    assert refused.value.status == 401

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Later":
            moment = dt.datetime.now(tz) + dt.timedelta(seconds=61)
            return cls.fromtimestamp(moment.timestamp(), tz)

    later = SimpleNamespace(datetime=Later, timedelta=dt.timedelta)
    monkeypatch.setattr(incluster_config, "datetime", later)
    token.write_text("")
    for call in (
        lambda: kube.request("GET", "/api/v1/nodes"),
        lambda: list(kube.watch("/api/v1/nodes", timeout_s=1)),
    ):
        with pytest.raises(KubeError, match="the credential cannot be read"):
            call()
    token.unlink()
    with pytest.raises(KubeError, match="token: No such file or directory"):
        kube.request("GET", "/api/v1/nodes")


def test_a_pod_without_its_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no kubeconfig and a pod's variables are set, its account is meant."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for opening in (open_cluster, open_kubeconfig):
        with pytest.raises(KubeError, match="the pod's service account: Service token file"):
            opening()
    with pytest.raises(KubeError, match="no kubeconfig"):
        open_kubeconfig("here")
