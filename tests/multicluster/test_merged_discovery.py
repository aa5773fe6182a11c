"""Custom kinds that only one member has, through one address: found, explained, written."""

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from sidecar.offers import OFFER_ACCEPT
from tests.controlplane import ControlPlane
from tests.multicluster.scene import Planes, route, tenant, wait_for
from tests.scripted_server import ScriptedServer, answer_all
from tests.sidecar_process import SidecarProcess

GROUP = "merged.example.com"
WIDGET = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "Widget",
    "metadata": {"name": "one", "namespace": "team-a"},
    "spec": {"n": 1},
}


def custom_kind(plural: str) -> dict[str, Any]:
    kind = plural.title().removesuffix("s")
    how_many = {"type": "integer", "description": f"how many {plural}"}
    spec = {"type": "object", "properties": {"n": how_many}}
    return {
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
                }
            ],
        },
    }


@pytest.fixture(scope="module")
def sidecar(planes: Planes) -> Iterator[SidecarProcess]:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for plural in ("widgets", "hiddens"):
        planes.west.create(crds, custom_kind(plural))
        wait_for(partial(tells, planes, f"/apis/{GROUP}/v1", plural))
        wait_for(partial(tells, planes, f"/openapi/v3/apis/{GROUP}/v1", f"/{plural}/"))
    rules = {
        "tenant": tenant(),
        "routes": [route("widgets", {"groups": [GROUP], "resources": ["widgets"]})],
    }
    with SidecarProcess(planes.clusters, rules=rules) as process:
        yield process


def tells(planes: Planes, path: str, text: str) -> bool:
    return text.encode() in planes.west.request("GET", path).body


def get(sidecar: SidecarProcess, path: str, **headers: str) -> Any:
    answer = sidecar.request("GET", path, headers=headers)
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.mark.parametrize("accept", ["application/json", f"{OFFER_ACCEPT},application/json"])
def test_the_group_is_listed(sidecar: SidecarProcess, accept: str) -> None:
    document = get(sidecar, "/apis", Accept=accept)
    groups = [
        found.get("name") or found["metadata"]["name"]
        for found in document.get("groups") or document["items"]
    ]
    assert groups.count(GROUP) == 1
    assert groups.count("apps") == 1


def test_only_what_the_route_names_is_listed(planes: Planes, sidecar: SidecarProcess) -> None:
    theirs = planes.west.request("GET", f"/apis/{GROUP}/v1").json()
    assert {found["name"] for found in theirs["resources"]} == {"hiddens", "widgets"}
    ours = get(sidecar, f"/apis/{GROUP}/v1")
    assert [found["name"] for found in ours["resources"]] == ["widgets"]
    assert get(sidecar, f"/apis/{GROUP}")["versions"][0]["version"] == "v1"
    assert sidecar.request("GET", "/apis/nowhere.example.com/v1").status == 404


def test_the_core_is_homes_own(planes: Planes, sidecar: SidecarProcess) -> None:
    for path in ("/api", "/api/v1", "/apis/apps/v1"):
        assert get(sidecar, path) == planes.home.request("GET", path).json()


def test_a_merged_document_is_not_sent_twice(sidecar: SidecarProcess) -> None:
    first = sidecar.request("GET", "/apis", headers={"Accept": OFFER_ACCEPT})
    etag = first.headers["ETag"]
    again = sidecar.request("GET", "/apis", headers={"Accept": OFFER_ACCEPT, "If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")
    assert GROUP.encode() in first.body


def test_openapi(sidecar: SidecarProcess) -> None:
    paths = get(sidecar, "/openapi/v3")["paths"]
    place = paths[f"apis/{GROUP}/v1"]["serverRelativeURL"]
    document = get(sidecar, place)
    assert "com.example.merged.v1.Widget" in document["components"]["schemas"]
    assert not any("hiddens" in path for path in document["paths"])
    for url in (paths["apis/apps/v1"], paths["api/v1"]):
        assert get(sidecar, url["serverRelativeURL"])["paths"]
    version_2 = get(sidecar, "/openapi/v2")
    assert "com.example.merged.v1.Widget" in version_2["definitions"]
    assert "com.example.merged.v1.Hidden" not in version_2["definitions"]


def test_kubectl_works_with_the_kind(planes: Planes, sidecar: SidecarProcess) -> None:
    listed = sidecar.kubectl("api-resources", "--no-headers").stdout
    assert [line.split()[0] for line in listed.splitlines() if GROUP in line] == ["widgets"]
    assert "how many widgets" in sidecar.kubectl("explain", "widgets.spec.n").stdout
    sidecar.kubectl("apply", "-f", "-", input=json.dumps(WIDGET))
    changed = {**WIDGET, "spec": {"n": 2}}
    sidecar.kubectl("apply", "-f", "-", input=json.dumps(changed))
    told = sidecar.kubectl("get", "widgets", "-n", "team-a", "-o", "jsonpath={.items[*].spec.n}")
    assert told.stdout == "2"
    there = f"/apis/{GROUP}/v1/namespaces/team-a/widgets/one"
    assert planes.west.request("GET", there).json()["spec"] == {"n": 2}
    assert planes.home.request("GET", there).status == 404
    sidecar.kubectl("delete", "widget", "one", "-n", "team-a")
    assert planes.west.request("GET", there).status == 404


def test_a_kind_is_found_moments_after_it_appeared(planes: Planes, sidecar: SidecarProcess) -> None:
    """As installers do: a definition, and right behind it an object."""
    group = f"late.{GROUP}"
    rules = {
        "tenant": tenant(),
        "routes": [route("late", {"groups": [group], "resources": ["*"]})],
    }
    definition = custom_kind("lates")
    definition["metadata"]["name"] = f"lates.{group}"
    definition["spec"]["group"] = group
    late = {"apiVersion": f"{group}/v1", "kind": "Late", "metadata": {"name": "a"}}
    place = f"/apis/{group}/v1/namespaces/team-a/lates"
    with SidecarProcess(planes.clusters, rules=rules) as process:
        assert process.request("POST", place, late).status == 403
        planes.west.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        began = time.monotonic()
        wait_for(lambda: process.request("POST", place, late).status == 201)
        direct = time.monotonic() - began
        assert direct < 8, "the API server itself takes about two seconds"
        assert process.request("GET", f"{place}/a").status == 200
        listed = get(process, f"/apis/{group}/v1")
        assert [found["name"] for found in listed["resources"]] == ["lates"]


def test_a_member_that_is_down_takes_nothing_from_home(planes: Planes) -> None:
    home, west = planes.clusters
    gone = type(west)("https://127.0.0.1:1", west.ca_pem, token=west.token)
    rules = {
        "tenant": None,
        "routes": [route("widgets", {"groups": [GROUP], "resources": ["widgets"]})],
    }
    with SidecarProcess((home, gone), rules=rules) as process:
        began = time.monotonic()
        document = get(process, "/apis", Accept=OFFER_ACCEPT)
        assert time.monotonic() - began < 5
        names = {found["metadata"]["name"] for found in document["items"]}
        assert "apps" in names
        assert GROUP not in names
        assert process.request("GET", f"/apis/{GROUP}/v1").status in (404, 503)


EVERYTHING = {"groups": ["*"], "resources": ["*"]}
FALSE = {
    "responseKind": {"group": "", "version": "", "kind": "Lie"},
    "scope": "Cluster",
    "singularResource": "lie",
    "verbs": ["get"],
}


def hostile(*resources: object, group: str = "apps") -> bytes:
    versions = [{"version": "v1", "resources": resources, "freshness": "Current"}]
    item = {"metadata": {"name": group}, "versions": versions}
    return json.dumps({"kind": "APIGroupDiscoveryList", "items": [item]}).encode()


@pytest.mark.parametrize(
    ("body", "added"),
    [
        # Another scope for what home has: home's stands.
        (hostile({**FALSE, "resource": "deployments"}), []),
        (hostile({**FALSE, "resource": "extras"}), ["extras"]),
        (hostile({**FALSE, "resource": "../secrets"}), []),
        (hostile({**FALSE, "resource": "extras", "verbs": {"get": 1}}), []),
        (hostile("odd"), []),
        (b"{" * 100_000, []),
        (b"\xff\xfe", []),
        (b"", []),
        (b'{"kind": "APIGroupList", "groups": []}', []),
    ],
)
def test_76_a_hostile_member_changes_nothing_that_home_tells(
    planes: Planes, body: bytes, added: list[str]
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with ScriptedServer(answer_all(head % len(body) + body)) as west:
        clusters = (planes.clusters[0], west.cluster("token-of-west"))
        rules = {"tenant": None, "routes": [route("all", EVERYTHING)]}
        with SidecarProcess(clusters, rules=rules) as process:
            for path in ("/apis/apps/v1", "/apis/apps", "/apis", "/openapi/v3/apis/apps/v1"):
                told, own = get(process, path), home_tells(planes.home, path)
                if path == "/apis/apps/v1":
                    extra = told["resources"][len(own["resources"]) :]
                    assert [found["name"] for found in extra] == added
                    told["resources"] = told["resources"][: len(own["resources"])]
                assert told == own


def home_tells(home: ControlPlane, path: str) -> Any:
    return home.request("GET", path).json()
