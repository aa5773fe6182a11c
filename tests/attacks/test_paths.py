"""Attacks 1 to 13: paths that two readers could understand differently."""

import json
from urllib.parse import quote

import pytest

from tests.attacks.conftest import Front
from tests.controlplane import ControlPlane
from tests.raw_client import RawClient, render_request
from tests.sidecar_process import SidecarProcess

NAMESPACE = "attack-paths"

REFUSED = {
    "01-parent-segment": "/api/v1/namespaces/team-a/../kube-system/secrets",
    "01-parent-segment-last": "/api/v1/namespaces/team-a/..",
    "01-own-segment": "/api/v1/namespaces/./team-a/pods",
    "02-parent-escaped": "/api/v1/namespaces/team-a/%2e%2e/kube-system/secrets",
    "02-parent-escaped-upper-and-half": "/api/v1/namespaces/team-a/%2E./kube-system/secrets",
    "02-parent-half-escaped": "/api/v1/namespaces/team-a/.%2e/kube-system/secrets",
    "03-slash-escaped": "/api/v1/namespaces/team-a%2f..%2fkube-system/secrets",
    "03-slash-escaped-upper": "/api/v1/namespaces/team-a%2Fpods",
    "03-slash-escaped-in-name": "/api/v1/namespaces/team-a/pods/a%2fexec",
    "03-slash-escaped-first": "/%2fapi/v1/pods",
    "04-escaped-twice": "/api/v1/namespaces/team-a/pods/a%252fb",
    "04-escaped-percent": "/api/v1/namespaces/team-a/pods/a%25",
    "04-bad-escape": "/api/v1/namespaces/team-a/pods/a%zz",
    "04-cut-escape": "/api/v1/namespaces/team-a/pods/a%2",
    "04-escaped-parent-twice": "/api/v1/namespaces/%252e%252e/pods",
    "05-empty-segment": "/api/v1//pods",
    "05-empty-first-segment": "//api/v1/pods",
    "05-host-like": "//evil.example/api/v1/pods",
    "05-empty-last-segments": "/api/v1/pods//",
    "05-own-segment": "/api/./v1/pods",
    "06-parameter": "/api/v1/namespaces/team-a;x=1/pods",
    "06-parameter-escaped": "/api/v1/namespaces/team-a%3bx/pods",
    "06-backslash": "/api/v1/namespaces/team-a\\..\\kube-system/pods",
    "06-backslash-escaped": "/api/v1/namespaces/team-a%5c..%5ckube-system/pods",
    "07-nul": "/api/v1/namespaces/team-a%00/pods",
    "07-control-character": "/api/v1/namespaces/team-a%0d%0aX:1/pods",
    "07-delete-character": "/api/v1/namespaces/team-a%7f/pods",
    "07-c1-control": "/api/v1/namespaces/team-a%c2%85/pods",
    "07-overlong-slash": "/api/v1/namespaces/team-a%c0%afpods",
    "07-overlong-dots": "/api/v1/namespaces/%c0%ae%c0%ae/pods",
    "07-surrogate": "/api/v1/namespaces/%ed%a0%80/pods",
    "07-latin-1": "/api/v1/namespaces/%fc/pods",
    "07-raw-latin-1": "/api/v1/namespaces/\xfc/pods",
    "08-absolute-form": "https://evil.example/api/v1/pods",
    "08-absolute-form-own": "https://127.0.0.1/api/v1/pods",
    "08-authority-form": "127.0.0.1:443",
    "08-userinfo": "@evil.example/api/v1/pods",
    "08-asterisk": "*",
    "08-relative": "api/v1/pods",
    "08-query-only": "?watch=1",
    "08-fragment": "/api/v1/namespaces/team-a/pods#x",
    "08-fragment-in-query": "/api/v1/namespaces/team-a/pods?watch=1#&watch=0",
}


@pytest.mark.parametrize("target", REFUSED.values(), ids=REFUSED.keys())
def test_path_is_refused(front: Front, target: str) -> None:
    front.refuse(front.render(target=target), 400)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_01_parent_segment_in_a_write(front: Front, method: str) -> None:
    target = "/api/v1/namespaces/team-a/../kube-system/secrets/x"
    front.refuse(front.render(method, target, "Content-Length: 2", body=b"{}"), 400)


def test_08_connect_is_refused(front: Front) -> None:
    front.refuse(front.render("CONNECT", "evil.example:443"), 400)


@pytest.mark.parametrize(
    "line",
    [
        "GET  /api/v1/pods HTTP/1.1",
        "GET /api/v1/pods  HTTP/1.1",
        "GET /api/v1/pods HTTP/1.1 ",
        " GET /api/v1/pods HTTP/1.1",
        "GET\t/api/v1/pods\tHTTP/1.1",
        "GET /api/v1/pods HTTP/1.1 HTTP/1.1",
        "GET /api/v1/pods",
        "GET /api/v1/pods HTTP/01.1",
        "GET /api/v1/pods http/1.1",
        "GET /api/v1/a b HTTP/1.1",
        "GET /api/v1/pods\x0b HTTP/1.1",
        "",
    ],
)
def test_08_odd_request_line_is_refused(front: Front, line: str) -> None:
    sound = front.render(target="/api/v1/pods")
    front.refuse(sound.replace(b"GET /api/v1/pods HTTP/1.1", line.encode("latin-1")), 400)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2"])
def test_08_other_versions_are_refused(front: Front, version: str) -> None:
    front.refuse(front.render().replace(b"HTTP/1.1", version.encode()), 400, "http/version")


def test_08_http2_preface_is_refused(front: Front) -> None:
    front.refuse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400)


FORWARDED = {
    "07-upper-case": "/api/v1/namespaces/Team-A/pods",
    "07-upper-case-resource": "/api/v1/namespaces/team-a/Pods/X",
    "07-non-ascii-escaped": "/apis/rbac.authorization.k8s.io/v1/clusterroles/%C3%BC",
    "12-letter-escaped": "/api/v1/n%61mespaces/team-a/pods",
    "12-colon-escaped": "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
    "12-colon-plain": "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
    "12-mixed-escapes": "/api/v1/namespaces/team-a/pods/%61%62?fieldSelector=a%3Db",
    "12-query-untouched": "/api/v1/namespaces/team-a/pods?a=1;b=2&x=%zz&pretty",
    "11-trailing-slash": "/api/v1/namespaces/team-a/pods/",
}


@pytest.mark.parametrize("target", FORWARDED.values(), ids=FORWARDED.keys())
def test_path_is_forwarded_as_it_is(front: Front, target: str) -> None:
    assert front.forward(front.render(target=target)).target == target.encode()


def test_09_legacy_watch_is_judged_as_a_watch(front: Front) -> None:
    arrived = front.forward(front.render(target="/api/v1/watch/namespaces/other/pods/"))
    (ident,) = arrived.values(b"Audit-ID")
    found = front.sidecar.wait_for_audit([ident.decode()])[ident.decode()]
    assert (found["verb"], found["resource"], found["objectNamespace"]) == (
        "watch",
        "pods",
        "other",
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_09_legacy_watch_is_no_way_to_write(front: Front, method: str) -> None:
    request = front.render(method, "/api/v1/watch/namespaces/other/pods", "Content-Length: 0")
    front.refuse(request, 405)


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/proxy/namespaces/team-a/pods/a",
        "/api/v1/proxy/nodes/node-1/stats",
        "/api/v1/pr%6fxy/nodes/node-1",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_10_legacy_proxy_is_denied(front: Front, method: str, target: str) -> None:
    front.deny(front.render(method, target, "Content-Length: 0"), 403, "guard/proxy")


def audited(sidecar: SidecarProcess, target: str, method: str = "GET") -> dict[str, str]:
    """What our audit line says about a call through to the real server, joined by its id."""
    with RawClient(sidecar) as client:
        answer = client.ask(render_request(sidecar, method, target), method)
    ident = answer.header("Audit-Id") or ""
    return {**sidecar.wait_for_audit([ident])[ident], "status": str(answer.status)}


def test_03_the_real_server_splits_the_decoded_path(
    sidecar: SidecarProcess, control_plane: ControlPlane
) -> None:
    """Why an escaped slash is refused: the server sees another namespace than the bytes show."""
    target = "/api/v1/namespaces%2fkube-system%2fpods%2fa"
    answer = control_plane.request("GET", target)
    ident = answer.headers["Audit-Id"]
    seen = control_plane.audit.wait_for([ident])[ident]["objectRef"]
    assert (seen["namespace"], seen["name"]) == ("kube-system", "a")
    assert sidecar.request("GET", target).status == 400


def test_08_the_real_server_takes_an_absolute_form(
    sidecar: SidecarProcess, control_plane: ControlPlane
) -> None:
    target = f"{control_plane.url}/api/v1/namespaces/default"
    assert control_plane.request("GET", target).status == 200
    with RawClient(sidecar) as client:
        assert client.ask(render_request(sidecar, target=target)).status == 400


@pytest.mark.parametrize("suffix", ["", "/", "?", "/?limit=1"])
def test_11_a_trailing_slash_is_a_list_for_both(
    sidecar: SidecarProcess, control_plane: ControlPlane, suffix: str
) -> None:
    ours = audited(sidecar, f"/api/v1/namespaces/kube-system/configmaps{suffix}")
    theirs = control_plane.audit.wait_for([ours["id"]])[ours["id"]]
    assert (ours["verb"], ours["resource"]) == ("list", "configmaps")
    assert theirs["verb"] == "list"
    assert "name" not in ours
    assert ours["status"] == "200"


def test_12_an_escaped_name_is_judged_decoded_and_sent_as_it_is(
    sidecar: SidecarProcess, control_plane: ControlPlane
) -> None:
    target = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"
    ours = audited(sidecar, target)
    theirs = control_plane.audit.wait_for([ours["id"]])[ours["id"]]
    assert ours["name"] == theirs["objectRef"]["name"] == "system:node"
    assert theirs["requestURI"] == target


def test_13_a_field_selector_does_not_widen_scope(
    sidecar: SidecarProcess, control_plane: ControlPlane
) -> None:
    control_plane.create_namespace(NAMESPACE)
    selector = quote("metadata.namespace=kube-system")
    target = f"/api/v1/namespaces/{NAMESPACE}/configmaps?fieldSelector={selector}"
    ours = audited(sidecar, target)
    theirs = control_plane.audit.wait_for([ours["id"]])[ours["id"]]
    assert ours["objectNamespace"] == theirs["objectRef"]["namespace"] == NAMESPACE
    assert json.loads(sidecar.request("GET", target).body)["items"] == []
