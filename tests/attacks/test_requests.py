"""Attacks 27, 28, 32 to 35, 46, 81 and 82: verbs, subresources and query keys that decide."""

import time

import pytest

from tests.attacks.conftest import Front
from tests.controlplane import ControlPlane
from tests.raw_client import RawClient, render_request
from tests.sidecar_process import SidecarProcess

NAMESPACE = "attack-requests"
POD = f"/api/v1/namespaces/{NAMESPACE}/pods/a"
CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    control_plane.create_namespace(NAMESPACE)
    return NAMESPACE


def both(
    sidecar: SidecarProcess, plane: ControlPlane, method: str, target: str, *lines: str
) -> tuple[dict[str, str], dict[str, str]]:
    """What our audit line and the real server's say about one call."""
    with RawClient(sidecar) as client:
        client.send(render_request(sidecar, method, target, *lines))
        answer = client.read_head()
    ident = answer.header("Audit-Id") or ""
    ours = sidecar.wait_for_audit([ident])[ident]
    theirs = plane.audit.wait_for([ident])[ident]
    reference = theirs.get("objectRef", {})
    return (
        {"verb": ours["verb"], "name": ours.get("name", ""), "status": str(answer.status)},
        {"verb": theirs["verb"], "name": reference.get("name", "")},
    )


# 27: upgrades


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
def test_27_an_upgrade_by_get_is_judged_as_create(front: Front, subresource: str) -> None:
    """Nothing of ours permits or denies by verb yet: what is judged shows in the guard's words."""
    target = f"{POD}/{subresource}?container=mca"
    if subresource == "portforward":
        front.forward(front.render("GET", target, *WEBSOCKET))
        return
    for method in ("GET", "POST"):
        answer = front.deny(
            front.render(method, target, *WEBSOCKET), 403, "guard/sidecar-container"
        )
        assert b"it belongs to MCA" in answer.body


# 28: proxies


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/nodes/n/proxy",
        "/api/v1/nodes/n/proxy/metrics",
        "/api/v1/nodes/n:10250/proxy/run/ns/pod/c",
        f"{POD}/proxy",
        f"{POD}/proxy/",
        f"{POD}/prox%79/x",
        f"/api/v1/namespaces/{NAMESPACE}/services/https:s:443/proxy/x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_28_proxies_are_denied(front: Front, method: str, target: str) -> None:
    front.deny(front.render(method, target), 403, "guard/proxy")


# 32: methods


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("TRACE", 405),
        ("OPTIONS", 405),
        ("get", 405),
        ("Get", 405),
        ("PROPFIND", 405),
        ("QUERY", 405),
        ("GETT", 405),
        ("G" * 33, 400),
        ("GE-T", 400),
        ("G3T", 400),
    ],
)
def test_32_other_methods(front: Front, method: str, status: int) -> None:
    front.refuse(front.render(method, "/api/v1/namespaces/team-a/pods"), status)


def test_32_head_is_judged_as_get(front: Front) -> None:
    arrived = front.forward(front.render("HEAD", "/api/v1/namespaces/team-a/pods"), "HEAD")
    assert arrived.method == b"HEAD"
    front.deny(front.render("HEAD", f"{POD}/proxy"), 403, "guard/proxy", "HEAD")


def test_32_the_real_server_refuses_head_on_pods(
    sidecar: SidecarProcess, control_plane: ControlPlane, namespace: str
) -> None:
    ours, theirs = both(sidecar, control_plane, "HEAD", f"/api/v1/namespaces/{namespace}/pods")
    assert ours["status"] == "405"
    assert ours["verb"] == theirs["verb"] == "list"


# 33: watch


@pytest.mark.parametrize(
    ("query", "verb"),
    [
        ("watch=1", "watch"),
        ("watch=true", "watch"),
        ("watch=TRUE", "watch"),
        ("watch=", "watch"),
        ("watch", "watch"),
        ("watch=yes", "watch"),
        ("watch=0", "list"),
        ("watch=false", "list"),
        ("watch=FALSE", "list"),
        ("w%61tch=1", "watch"),
        ("WATCH=1", "list"),
        ("watch=%31", "watch"),
        ("fieldSelector=metadata.name%3Da", "list"),
        ("watch=1&fieldSelector=metadata.name%3Da", "watch"),
        ("fieldSelector=metadata.name%3Da,metadata.namespace%3Db", "list"),
        ("fieldSelector=metadata.name!%3Da", "list"),
    ],
)
def test_33_watch_and_name_are_what_the_real_server_says(
    sidecar: SidecarProcess, control_plane: ControlPlane, namespace: str, query: str, verb: str
) -> None:
    ours, theirs = both(sidecar, control_plane, "GET", f"{CONFIGMAPS}?timeoutSeconds=1&{query}")
    assert (ours["verb"], ours["name"]) == (theirs["verb"], theirs["name"])
    assert ours["verb"] == verb


def test_33_the_real_server_takes_the_first_of_two(control_plane: ControlPlane) -> None:
    """Why keys that decide are refused when they are given twice."""
    control_plane.create_namespace(NAMESPACE)
    for query, verb in (("watch=0&watch=1", "list"), ("watch=1&watch=0", "watch")):
        answer = control_plane.request("GET", f"{CONFIGMAPS}?{query}&timeoutSeconds=1")
        ident = answer.headers["Audit-Id"]
        assert control_plane.audit.wait_for([ident])[ident]["verb"] == verb


# 34: nameless deletes


@pytest.mark.parametrize("suffix", ["", "/", "?labelSelector=a%3Db", "?limit=1"])
def test_34_a_nameless_delete_is_a_deletecollection(
    sidecar: SidecarProcess, control_plane: ControlPlane, namespace: str, suffix: str
) -> None:
    ours, theirs = both(sidecar, control_plane, "DELETE", f"{CONFIGMAPS}{suffix}")
    assert ours["verb"] == theirs["verb"] == "deletecollection"
    ours, theirs = both(sidecar, control_plane, "DELETE", f"{CONFIGMAPS}/absent")
    assert ours["verb"] == theirs["verb"] == "delete"


# 35: dry runs


@pytest.mark.parametrize(
    ("method", "target", "rule"),
    [
        ("GET", f"{POD}/proxy?dryRun=All", "guard/proxy"),
        ("GET", f"{POD}/exec?container=mca&dryRun=All", "guard/sidecar-container"),
    ],
)
def test_35_a_dry_run_lifts_no_guard(front: Front, method: str, target: str, rule: str) -> None:
    front.deny(front.render(method, target), 403, rule)


def test_35_a_dry_run_is_judged_alike(
    sidecar: SidecarProcess, control_plane: ControlPlane, namespace: str
) -> None:
    for suffix in ("", "?dryRun=All"):
        ours, theirs = both(
            sidecar, control_plane, "POST", f"{CONFIGMAPS}{suffix}", "Content-Length: 0"
        )
        assert ours["verb"] == theirs["verb"] == "create"


# 46: log and exec arguments


@pytest.mark.parametrize(
    "container",
    ["..%2f", "..", "a%2fb", "%2e%2e%2f%2e%2e", "A", "a_b", "a.b", "-a", "a-", "a%20", "a" * 64],
)
@pytest.mark.parametrize("subresource", ["log", "exec", "attach", "portforward"])
def test_46_a_container_is_a_dns_label(front: Front, subresource: str, container: str) -> None:
    request = front.render("GET", f"{POD}/{subresource}?container={container}")
    front.deny(request, 400, "guard/container-name")


@pytest.mark.parametrize("container", ["mca", "mca-x", "mc%61"])
def test_46_the_sidecars_own_container_takes_no_exec(front: Front, container: str) -> None:
    for subresource in ("exec", "attach"):
        request = front.render("GET", f"{POD}/{subresource}?container={container}&command=id")
        front.deny(request, 403, "guard/sidecar-container")


@pytest.mark.parametrize("subresource", ["log", "exec"])
def test_46_other_containers_pass(front: Front, subresource: str) -> None:
    for container in ("app", "mcafee", "a-mca"):
        front.forward(front.render("GET", f"{POD}/{subresource}?container={container}"))


@pytest.mark.parametrize("value", ["true", "1", "", "yes", "TRUE"])
def test_46_the_kubelet_is_always_verified(front: Front, value: str) -> None:
    request = front.render("GET", f"{POD}/log?insecureSkipTLSVerifyBackend={value}")
    front.deny(request, 403, "guard/insecure-backend")


def test_46_a_verified_backend_may_be_named(front: Front) -> None:
    front.forward(front.render("GET", f"{POD}/log?insecureSkipTLSVerifyBackend=false&follow=true"))


# 81: keys given twice

DECIDING = (
    "watch",
    "container",
    "fieldSelector",
    "labelSelector",
    "resourceVersion",
    "resourceVersionMatch",
    "continue",
    "limit",
    "timeoutSeconds",
    "allowWatchBookmarks",
    "sendInitialEvents",
    "insecureSkipTLSVerifyBackend",
    "namespace",
)


@pytest.mark.parametrize("key", DECIDING)
@pytest.mark.parametrize(
    "query", ["{key}=a&{key}=b", "{key}=a&{key}=a", "{key}&{key}=a", "{key}=a&x=1&{escaped}=b"]
)
def test_81_a_deciding_key_given_twice(front: Front, key: str, query: str) -> None:
    escaped = f"%{ord(key[0]):02x}{key[1:]}"
    filled = query.format(key=key, escaped=escaped)
    front.refuse(front.render(target=f"/api/v1/namespaces/team-a/pods?{filled}"), 400)


@pytest.mark.parametrize(
    "query", ["watch=1;watch=0", "a=b;watch=1", "watch=%zz", "x=1;container=b"]
)
def test_81_a_deciding_key_that_the_server_would_drop(front: Front, query: str) -> None:
    front.refuse(front.render(target=f"/api/v1/namespaces/team-a/pods?{query}"), 400)


def test_81_keys_that_decide_nothing_may_repeat(front: Front) -> None:
    front.forward(front.render("GET", f"{POD}/exec?command=ls&command=-l&command=/tmp"))


def test_81_the_real_server_takes_the_first_container(control_plane: ControlPlane) -> None:
    """Its answer names the container it looked for."""
    control_plane.create_namespace(NAMESPACE)
    pod = {"metadata": {"name": "twice"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    control_plane.create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    target = f"/api/v1/namespaces/{NAMESPACE}/pods/twice/log?container=one&container=two"
    answer = control_plane.request("GET", target)
    assert answer.status == 400
    assert "container one is not valid" in answer.json()["message"]


# 82: what is made to cost

COSTLY = {
    "digits": "/api/v1/namespaces/team-a/pods?limit=" + "9" * 100_000,
    "resource-version": "/api/v1/namespaces/team-a/pods?resourceVersion=" + "1" * 100_000,
    "stars": "/api/v1/namespaces/team-a/pods?labelSelector=" + "*" * 100_000,
    "many-keys": "/api/v1/pods?" + "&".join(f"k{n}=v" for n in range(9_999)),
    "many-escapes": "/api/v1/namespaces/" + "%61" * 30_000 + "/pods",
    "many-segments": "/api/v1" + "/a" * 50_000,
    "many-requirements": "/api/v1/pods?fieldSelector=" + ",".join(["a%3Db"] * 15_000),
    "many-commas": "/api/v1/pods?fieldSelector=" + "," * 100_000,
    "backslashes": "/api/v1/pods?fieldSelector=" + "a%5C%5C" * 14_000,
    "ampersands": "/api/v1/pods?" + "&" * 100_000,
    "semicolons": "/api/v1/pods?" + "a;" * 50_000,
    "container": f"{POD}/log?container=" + "a-" * 50_000,
}


@pytest.mark.parametrize("target", COSTLY.values(), ids=COSTLY.keys())
def test_82_costly_targets_are_linear(front: Front, target: str) -> None:
    """100 KB of anything is judged in 50 ms of the process; traced for coverage, in 250 ms."""

    def spent() -> float:
        with open(f"/proc/{front.sidecar.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    before = spent()
    started = time.monotonic()
    for number in range(4):
        with front.connect() as client:
            client.send(front.render(target=f"{target}{'&' if '?' in target else '?'}x={number}"))
            client.read_head()
    assert spent() - before < 4 * 0.25
    assert time.monotonic() - started < 5
