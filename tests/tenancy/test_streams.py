"""Attacks 43 and 44: tokens of other lists, and what of a watch must arrive as it was sent.

Both at home, where nothing is looked into, and on another cluster, where every object is.
"""

import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.controlplane import ControlPlane
from tests.tenancy.probe import Probe
from tests.tenancy.scene import DEV_ROUTE, TENANT, Scene
from tests.tenancy.town import CONFIGMAPS, MARKER, OURS, THEIRS, WIDGETS, object_of

pytestmark = pytest.mark.apiserver

HERE, DEV = OURS
PROTOBUF = "application/vnd.kubernetes.protobuf"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
# Two reads of a quiet namespace tell the same, but for a bookmark that moved on in between.
TRIES = 8
AGE = re.compile(rb'(?<=")[0-9]+[smh](?:[0-9]+[sm])?(?=")')


@pytest.fixture(scope="module")
def probe(scene: Scene) -> Probe:
    for plane in scene.planes:
        for namespace in (*OURS, THEIRS):
            for name in ("page-1", "page-2", "page-3"):
                note = MARKER if namespace == THEIRS else ""
                body = object_of(CONFIGMAPS, name, note)
                body["metadata"]["labels"] = {"pages": "yes"}
                plane.create(CONFIGMAPS.path(namespace), body)
    return Probe(scene)


# 43


def token_of(plane: ControlPlane, path: str) -> str:
    listed = plane.request("GET", f"{path}?limit=1&labelSelector=pages%3Dyes").json()
    return str(listed["metadata"]["continue"])


def crafted(start: str) -> str:
    """A token as the API server makes them, with a start of our own."""
    token = {"v": "meta.k8s.io/v1", "rv": -1, "start": start}
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode().rstrip("=")


STARTS = [
    f"../{THEIRS}/page-1\u0000",
    f"../../{THEIRS}/page-1\u0000",
    f"/../{THEIRS}/page-1\u0000",
    f"{THEIRS}/page-1\u0000",
    f"/registry/configmaps/{THEIRS}/\u0000",
    "\u0000",
    "zzz",
]


@pytest.mark.parametrize("namespace", OURS)
@pytest.mark.parametrize("start", STARTS)
def test_43_a_crafted_token_opens_no_other_namespace(
    probe: Probe, start: str, namespace: str
) -> None:
    continue_at(probe, namespace, crafted(start), {200, 400, 410})


@pytest.mark.parametrize("namespace", OURS)
@pytest.mark.parametrize("source", [THEIRS, *OURS, ""])
def test_43_a_token_of_another_list_continues_ones_own(
    probe: Probe, source: str, namespace: str
) -> None:
    plane = probe.scene.planes[OURS.index(namespace)]
    continue_at(probe, namespace, token_of(plane, CONFIGMAPS.path(source)), {200})


def test_43_a_token_of_another_cluster_is_held_to_the_path(probe: Probe) -> None:
    """The member reads it by its own versions: one of these may never have been there."""
    token = token_of(probe.scene.home, CONFIGMAPS.path(THEIRS))
    continue_at(probe, DEV, token, {200, 410, 504})


def continue_at(probe: Probe, namespace: str, token: str, codes: set[int]) -> None:
    """Whatever it is answered, nothing of another namespace is."""
    answer = probe.ask("GET", f"{CONFIGMAPS.path(namespace)}?limit=9&continue={token}")
    assert answer.status in codes, answer.body
    assert MARKER.encode() not in answer.body
    if answer.status == 200:
        assert {item["metadata"]["namespace"] for item in answer.json()["items"]} <= {namespace}


@pytest.mark.parametrize("namespace", OURS)
def test_43_ones_own_token_goes_on(probe: Probe, namespace: str) -> None:
    path = f"{CONFIGMAPS.path(namespace)}?limit=1&labelSelector=pages%3Dyes"
    found: list[str] = []
    token = ""
    while len(found) < 4:
        answer, _ = probe.forward("GET", f"{path}&continue={token}")
        listed = answer.json()
        found += [item["metadata"]["name"] for item in listed["items"]]
        token = listed["metadata"].get("continue", "")
        if not token:
            break
    assert found == ["page-1", "page-2", "page-3"]


@pytest.fixture(scope="module")
def tagged(scene: Scene) -> Iterator[Probe]:
    """The second namespace has a stand-in: its tokens name the cluster that they come from."""
    route = DEV_ROUTE | {"to": {"members": [{"cluster": "west"}], "standIns": ["home"]}}
    with scene.make_sidecar(TENANT, [route]) as sidecar:
        yield Probe(scene, sidecar)


def test_43_with_a_stand_in_a_token_is_bound_to_its_cluster(probe: Probe, tagged: Probe) -> None:
    path = CONFIGMAPS.path(DEV)
    for plane in probe.scene.planes:
        token = token_of(plane, path)
        tagged.refuse("GET", f"{path}?limit=1&continue={token}", "route/version", status=410)
    answer, _ = tagged.forward("GET", f"{path}?limit=1")
    own = answer.json()["metadata"]["continue"]
    tagged.forward("GET", f"{path}?limit=1&continue={own}")
    forged = own.partition(".")[0] + "." + crafted(f"../{THEIRS}/page-1\u0000")
    tagged.forward("GET", f"{path}?limit=1&continue={forged}", status=400)


# 44


INITIAL = (
    "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    "&timeoutSeconds=1"
)


def told_directly(plane: ControlPlane, path: str, accept: str) -> tuple[str | None, bytes]:
    answer = plane.request("GET", path, headers={"Accept": accept})
    return answer.headers["Content-Type"], AGE.sub(b"age", answer.body)


def told_through(probe: Probe, path: str, accept: str) -> tuple[str | None, bytes]:
    answer, _ = probe.forward("GET", path, headers={"Accept": accept})
    return answer.headers["Content-Type"], AGE.sub(b"age", answer.body)


def assert_told_alike(probe: Probe, namespace: str, path: str, accept: str) -> bytes:
    """Type and content, byte for byte; the content."""
    plane = probe.scene.planes[OURS.index(namespace)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(TRIES):
            direct = pool.submit(told_directly, plane, path, accept)
            meshed = pool.submit(told_through, probe, path, accept)
            if direct.result() == meshed.result():
                return direct.result()[1]
    raise AssertionError(f"what is told directly and through the sidecar differs for {accept}")


@pytest.mark.parametrize("namespace", OURS)
@pytest.mark.parametrize("accept", ["application/json", PROTOBUF, TABLE, PARTIAL])
def test_44_initial_events_and_bookmarks_pass_intact(
    probe: Probe, accept: str, namespace: str
) -> None:
    path = f"{CONFIGMAPS.path(namespace)}?{INITIAL}"
    told = assert_told_alike(probe, namespace, path, accept)
    assert b"page-3" in told
    assert b"k8s.io/initial-events-end" in told


@pytest.mark.parametrize("namespace", OURS)
@pytest.mark.parametrize("accept", ["application/json", TABLE])
def test_44_the_servers_own_error_event_passes_intact(
    probe: Probe, accept: str, namespace: str
) -> None:
    path = f"{WIDGETS.path(namespace)}?watch=1&resourceVersion=1&timeoutSeconds=1"
    told = assert_told_alike(probe, namespace, path, accept)
    event = json.loads(told)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
