"""Home and member are real API servers; only the member has the custom kinds that routes name.

A member with these kinds is itself the oracle: home, completed with what it adds, says the same.
"""

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.discovery import (
    Document,
    Form,
    accept_for,
    document_at,
    etag_of,
    is_unchanged,
    merge,
)
from sidecar.offers import (
    OFFER_ACCEPT,
    Offer,
    Resource,
    ResponseKind,
    Subresource,
    read_offer,
)
from tests.controlplane import ControlPlane

GROUP = "discovery.example.com"
AGGREGATED = OFFER_ACCEPT
BETA = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"


def custom_kind(group: str, plural: str, scope: str, *versions: str) -> dict[str, Any]:
    kind = plural.title().removesuffix("s")
    served = [
        {
            "name": version,
            "served": True,
            "storage": version == versions[0],
            "subresources": {
                "status": {},
                "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"},
            },
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object",
                            "properties": {"n": {"type": "integer", "description": plural}},
                        },
                        "status": {"type": "object", "properties": {"n": {"type": "integer"}}},
                    },
                }
            },
        }
        for version in versions
    ]  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {
                "plural": plural,
                "singular": kind.lower(),
                "kind": kind,
                "shortNames": [plural[:3]],
                "categories": ["all"],
            },
            "versions": served,
        },
    }


def install(plane: ControlPlane, *kinds: dict[str, Any]) -> None:
    """Until discovery and OpenAPI tell of them."""
    for kind in kinds:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert plane.request("POST", path, body=kind).status in (201, 409)
    for kind in kinds:
        spec = kind["spec"]
        for version in spec["versions"]:
            place = f"apis/{spec['group']}/{version['name']}"
            wait_for(plane, f"/{place}", f'"{spec["names"]["plural"]}/scale"')
            wait_for(plane, f"/openapi/v3/{place}", f"/{spec['names']['plural']}/")
        wait_for(plane, "/openapi/v2", f"/{spec['group']}/", spec["names"]["plural"])


def wait_for(plane: ControlPlane, path: str, *texts: str) -> None:
    deadline = time.monotonic() + 30
    while not all(text.encode() in plane.request("GET", path).body for text in texts):
        assert time.monotonic() < deadline, f"{path} does not tell of {texts}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def home(control_plane: ControlPlane) -> ControlPlane:
    """It has another kind of a group that the member has too."""
    install(control_plane, custom_kind(f"shared.{GROUP}", "locals", "Namespaced", "v1"))
    return control_plane


@pytest.fixture(scope="module")
def member() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        install(
            plane,
            custom_kind(GROUP, "widgets", "Namespaced", "v1", "v1beta1"),
            custom_kind(GROUP, "gadgets", "Cluster", "v1"),
            custom_kind(GROUP, "hiddens", "Namespaced", "v1"),
            custom_kind(f"shared.{GROUP}", "locals", "Namespaced", "v1", "v1beta1"),
            custom_kind(f"shared.{GROUP}", "remotes", "Namespaced", "v1"),
            custom_kind(f"unnamed.{GROUP}", "others", "Namespaced", "v1"),
        )
        yield plane


def names(group: str, resource: str) -> bool:
    """What routes name: all of two groups but one kind, and what home has anyway."""
    return not resource.startswith("hiddens") and group in (GROUP, f"shared.{GROUP}", "", "apps")


def get(plane: ControlPlane, path: str, accept: str = "application/json") -> bytes | None:
    answer = plane.request("GET", path, headers={"Accept": accept})
    assert answer.status in (200, 404), answer
    return answer.body if answer.status == 200 else None


def offer_of(plane: ControlPlane, *paths: str) -> Offer:
    contents = [plane.request("GET", path, headers={"Accept": AGGREGATED}).body for path in paths]
    return read_offer(contents, names)


def merged_at(
    home: ControlPlane, member: ControlPlane, path: str, accept: str = "application/json"
) -> bytes | None:
    document = document_at(path)
    assert document is not None
    offer = offer_of(member, *document.offer_paths)
    theirs = get(member, path) if document.asks_members else None
    return merge(document, get(home, path, accept), [offer], [theirs])


def test_home_and_member_differ_and_home_is_not_changed(
    home: ControlPlane, member: ControlPlane
) -> None:
    for path in ("/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/openapi/v3/apis/apps/v1"):
        assert merged_at(home, member, path) is None
    assert merged_at(home, member, "/api", AGGREGATED) is None
    for path in (f"/apis/unnamed.{GROUP}", f"/apis/unnamed.{GROUP}/v1", "/apis/nowhere/v1"):
        assert merged_at(home, member, path) is None


def same(merged: bytes | None, expected: bytes | None) -> None:
    """In meaning: without order, and without a hash that only storage knows."""
    assert merged is not None
    assert expected is not None
    assert sort(json.loads(merged)) == sort(json.loads(expected))


def sort(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: sort(found)
            for key, found in value.items()
            if key not in ("storageVersionHash", "info", "resourceVersion")
        }
    if isinstance(value, list):
        return sorted((sort(found) for found in value), key=json.dumps)
    return value


@pytest.mark.parametrize("path", [f"/apis/{GROUP}", f"/apis/{GROUP}/v1beta1"])
def test_what_only_a_member_has_is_as_the_member_tells_it(
    home: ControlPlane, member: ControlPlane, path: str
) -> None:
    assert get(home, path) is None
    same(merged_at(home, member, path), get(member, path))


def test_a_kind_that_no_route_names_is_left_out(home: ControlPlane, member: ControlPlane) -> None:
    theirs = json.loads(get(member, f"/apis/{GROUP}/v1") or b"")
    theirs["resources"] = [
        found for found in theirs["resources"] if not found["name"].startswith("hiddens")
    ]
    same(merged_at(home, member, f"/apis/{GROUP}/v1"), json.dumps(theirs).encode())


@pytest.mark.parametrize("path", [f"/apis/shared.{GROUP}", f"/apis/shared.{GROUP}/v1"])
def test_a_group_that_both_have_is_completed(
    home: ControlPlane, member: ControlPlane, path: str
) -> None:
    same(merged_at(home, member, path), get(member, path))


def groups_of(content: bytes | None) -> dict[str, Any]:
    document = json.loads(content or b"")
    if document["kind"] == "APIGroupList":
        return {found["name"]: found for found in document["groups"]}
    return {found["metadata"].get("name", ""): found for found in document["items"]}


@pytest.mark.parametrize("accept", ["application/json", AGGREGATED])
def test_the_list_of_groups_is_completed(
    home: ControlPlane, member: ControlPlane, accept: str
) -> None:
    before = groups_of(get(home, "/apis", accept))
    merged = groups_of(merged_at(home, member, "/apis", accept))
    theirs = groups_of(get(member, "/apis", accept))
    assert list(merged)[: len(before)] == list(before)
    assert set(merged) - set(before) == {GROUP}
    for name, group in before.items():
        if name != f"shared.{GROUP}":
            assert merged[name] == group
    hidden = [
        version["resources"] for version in theirs[GROUP]["versions"] if "resources" in version
    ]
    for resources in hidden:
        resources[:] = [found for found in resources if found["resource"] != "hiddens"]
    for name in (GROUP, f"shared.{GROUP}"):
        assert sort(merged[name]) == sort(theirs[name])


def test_the_beta_of_aggregated_discovery_has_the_same_shape(
    home: ControlPlane, member: ControlPlane
) -> None:
    """1.36 does not serve it any more; older homes do."""
    text = get(home, "/apis", AGGREGATED)
    assert text is not None
    document = document_at("/apis")
    assert document is not None
    beta = text.replace(b"apidiscovery.k8s.io/v2", b"apidiscovery.k8s.io/v2beta1")
    merged = merge(document, beta, [offer_of(member, "/apis")])
    assert merged is not None
    assert json.loads(merged)["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    assert GROUP in groups_of(merged)


def test_openapi_3_of_what_only_a_member_has(home: ControlPlane, member: ControlPlane) -> None:
    path = f"/openapi/v3/apis/{GROUP}/v1beta1"
    same(merged_at(home, member, path), get(member, path))
    merged = json.loads(merged_at(home, member, f"/openapi/v3/apis/{GROUP}/v1") or b"")
    assert not any("hiddens" in found for found in merged["paths"])
    schemas = merged["components"]["schemas"]
    assert {"com.example.discovery.v1.Widget", "com.example.discovery.v1.Gadget"} <= set(schemas)
    assert "com.example.discovery.v1.Hidden" not in schemas


def test_openapi_3_of_a_group_that_both_have(home: ControlPlane, member: ControlPlane) -> None:
    path = f"/openapi/v3/apis/shared.{GROUP}/v1"
    same(merged_at(home, member, path), get(member, path))


def test_the_openapi_3_index(home: ControlPlane, member: ControlPlane) -> None:
    before = json.loads(get(home, "/openapi/v3") or b"")["paths"]
    merged = json.loads(merged_at(home, member, "/openapi/v3") or b"")["paths"]
    added = {f"apis/{GROUP}/v1", f"apis/{GROUP}/v1beta1", f"apis/shared.{GROUP}/v1beta1"}
    assert set(merged) - set(before) == added
    assert merged[f"apis/shared.{GROUP}/v1"] != before[f"apis/shared.{GROUP}/v1"]
    assert merged["apis/batch/v1"] == before["apis/batch/v1"]
    assert merged["version"] == before["version"]


def test_openapi_2(home: ControlPlane, member: ControlPlane) -> None:
    before = json.loads(get(home, "/openapi/v2") or b"")
    theirs = json.loads(get(member, "/openapi/v2") or b"")
    merged = json.loads(merged_at(home, member, "/openapi/v2") or b"")
    added = set(merged["paths"]) - set(before["paths"])
    assert added == {
        path
        for path in theirs["paths"]
        if path.startswith((f"/apis/{GROUP}/v", f"/apis/shared.{GROUP}/v"))
        and "hiddens" not in path
        and path not in before["paths"]
    }
    assert len(added) > 10
    assert (
        merged["definitions"]["com.example.discovery.v1.Widget"]
        == (theirs["definitions"]["com.example.discovery.v1.Widget"])
    )
    assert "com.example.discovery.v1.Hidden" not in merged["definitions"]
    for section in ("paths", "definitions", "parameters"):
        assert merged[section] | before[section] == merged[section]


class MergingServer:
    """A plain server that answers with home's discovery, completed; kubectl asks it."""

    def __init__(self, home: ControlPlane, member: ControlPlane) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                document = document_at(path)
                accept = self.headers.get("Accept", "")
                theirs = home.request("GET", path, headers={"Accept": accept})
                content, content_type = theirs.body, theirs.headers["Content-Type"]
                if document is not None and theirs.status in (200, 404):
                    normal = accept_for(document, accept)
                    if normal:
                        found = merged_at(home, member, path, normal)
                        content = content if found is None else found
                self.send_response(200 if content.startswith(b"{") else theirs.status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "MergingServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_kubectl_takes_the_merged_documents(home: ControlPlane, member: ControlPlane) -> None:
    explained = ("explain", f"widgets.{GROUP}.spec", "--recursive=false")
    with MergingServer(home, member) as server, contextlib.ExitStack():
        ask = ("--server", server.url, "--cache-dir", str(home.folder / "kubectl-cache"))
        listed = home.kubectl(*ask, "api-resources", "--no-headers", "-o", "wide").stdout
        direct = member.kubectl("api-resources", "--no-headers", "-o", "wide").stdout
        wanted = [line for line in direct.splitlines() if f" {GROUP}/" in line]
        assert len(wanted) == 3
        for line in wanted:
            found = " ".join(line.split())
            told = [" ".join(other.split()) for other in listed.splitlines()]
            assert (found in told) is ("hiddens" not in found)
        assert home.kubectl(*ask, *explained).stdout == member.kubectl(*explained).stdout
        assert f"{GROUP}/v1beta1" in home.kubectl(*ask, "api-versions").stdout


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api", Document(Form.CORE)),
        ("/apis", Document(Form.GROUPS)),
        ("/apis/", Document(Form.GROUPS)),
        ("/apis/apps", Document(Form.GROUP, "apps")),
        ("/apis/apps/v1", Document(Form.RESOURCES, "apps", "v1")),
        ("/apis/apps/v1/", Document(Form.RESOURCES, "apps", "v1")),
        ("/api/v1", Document(Form.RESOURCES, "", "v1")),
        ("/openapi/v2", Document(Form.SPECIFICATION)),
        ("/openapi/v3", Document(Form.INDEX)),
        ("/openapi/v3/api/v1", Document(Form.SPECIFICATION, "", "v1")),
        ("/openapi/v3/apis/apps/v1", Document(Form.SPECIFICATION, "apps", "v1")),
        ("/", None),
        ("/version", None),
        ("/openapi", None),
        ("/openapi/v3/api", None),
        ("/openapi/v3/apis", None),
        ("/openapi/v3/version", None),
        ("/openapi/v3/apis/apps", None),
        ("/openapi/v3/openapi/v2", None),
        ("/apis/apps/v1/deployments", None),
    ],
)
def test_which_documents_are_merged(path: str, expected: Document | None) -> None:
    assert document_at(path) == expected


@pytest.mark.parametrize(
    ("path", "offer_paths", "asks_members"),
    [
        ("/api", ("/api",), False),
        ("/api/v1", ("/api",), False),
        ("/apis", ("/apis",), False),
        ("/apis/apps", ("/apis",), False),
        ("/apis/apps/v1", ("/apis",), False),
        ("/openapi/v2", ("/api", "/apis"), True),
        ("/openapi/v3", ("/api", "/apis"), True),
        ("/openapi/v3/api/v1", ("/api",), True),
        ("/openapi/v3/apis/apps/v1", ("/apis",), True),
    ],
)
def test_what_members_are_asked(
    path: str, offer_paths: tuple[str, ...], asks_members: bool
) -> None:
    document = document_at(path)
    assert document is not None
    assert document.offer_paths == offer_paths
    assert document.asks_members is asks_members


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/apis", "", "application/json"),
        ("/apis", "*/*", "application/json"),
        ("/apis", "application/json, */*", "application/json"),
        ("/apis", f"{AGGREGATED},{BETA},application/json", f"{AGGREGATED},{BETA},application/json"),
        ("/apis", f"{AGGREGATED};profile=nopeer", f"{AGGREGATED};profile=nopeer"),
        ("/apis/apps", f"{AGGREGATED},application/json", "application/json"),
        ("/openapi/v3", AGGREGATED, ""),
        ("/apis", "Application/JSON ; q=0.5", "application/json;q=0.5"),
        ("/apis", "application/json;as=Table;v=v1;g=meta.k8s.io", ""),
        ("/apis", "application/yaml", ""),
        ("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", ""),
        ("/apis", "application/vnd.kubernetes.protobuf, application/json", "application/json"),
    ],
)
def test_only_json_is_asked_for(path: str, accept: str, expected: str) -> None:
    document = document_at(path)
    assert document is not None
    assert accept_for(document, accept) == expected


def test_an_etag_is_that_of_the_content() -> None:
    etag = etag_of(b"a")
    assert etag.startswith('"')
    assert len(etag) == 130
    assert etag != etag_of(b"b")
    assert is_unchanged(etag, etag)
    assert is_unchanged(f'"x", W/{etag}', etag)
    assert is_unchanged("*", etag)
    assert not is_unchanged("", etag)
    assert not is_unchanged(etag_of(b"b"), etag)


def offered(group: str, version: str, *plurals: str, subresources: tuple[str, ...] = ()) -> Offer:
    kind = ResponseKind("", "", "Kind")
    inner = tuple(Subresource(name, None, (kind,), ("get",)) for name in subresources)
    resources = tuple(
        Resource(plural, "", kind, False, ("get",), (), (), inner) for plural in plurals
    )
    return Offer({group: {version: resources}})


def merged_with(path: str, home: Any, *offers: Offer) -> Any:
    document = document_at(path)
    assert document is not None
    content = None if home is None else json.dumps(home).encode()
    merged = merge(document, content, offers)
    return None if merged is None else json.loads(merged)


def test_of_several_members_the_first_wins() -> None:
    first = offered("a.io", "v1", "widgets")
    second = offered("a.io", "v1", "widgets", "gadgets", subresources=("log",))
    merged = merged_with("/apis/a.io/v1", None, first, second, offered("b.io", "v1", "x"))
    assert merged["groupVersion"] == "a.io/v1"
    assert [found["name"] for found in merged["resources"]] == [
        "widgets",
        "widgets/log",
        "gadgets",
        "gadgets/log",
    ]
    merged = merged_with("/apis/a.io", None, first, second, offered("a.io", "v2", "widgets"))
    assert [found["version"] for found in merged["versions"]] == ["v1", "v2"]
    assert merged["preferredVersion"]["version"] == "v1"


@pytest.mark.parametrize("form", ["kinds", "groups", "versions", "subresources"])
def test_what_is_offered_is_merged_in_time_that_grows_with_it(form: str) -> None:
    """Nobody else is served meanwhile: 16 times as much may cost 16 times, and not 256 times."""

    def merge_some(count: int) -> float:
        names = [f"a{number}" for number in range(count)]
        kind = ResponseKind("", "", "Kind")
        plain = Resource("kinds", "", kind, False, ("get",), (), (), ())
        parts = tuple(Subresource(name, None, (), ("get",)) for name in names)
        shapes: dict[str, dict[str, dict[str, tuple[Resource, ...]]]] = {
            "kinds": {"a.io": {"v1": tuple(plain._replace(name=name) for name in names)}},
            "groups": {name: {"v1": (plain,)} for name in names},
            "versions": {"a.io": dict.fromkeys(names, (plain,))},
            "subresources": {"a.io": {"v1": (plain._replace(subresources=parts),)}},
        }
        resources = [{"resource": "kinds"}]
        versions = [{"version": "v1", "resources": resources}]
        items = [{"metadata": {"name": "a.io"}, "versions": versions}]
        home = json.dumps({"kind": "APIGroupDiscoveryList", "items": items}).encode()
        began = time.process_time()
        assert merge(Document(Form.GROUPS), home, [Offer(shapes[form])]) is not None
        return time.process_time() - began

    few = min(merge_some(1000) for _ in range(3))
    assert min(merge_some(16_000) for _ in range(3)) < 80 * few


def test_the_core_group() -> None:
    home = {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {}, "versions": []}]}
    offer = offered("", "v1", "pods", subresources=("log",))
    merged = merged_with("/api", home, offer, offered("a.io", "v1", "widgets"))
    (item,) = merged["items"]
    (pods,) = item["versions"][0]["resources"]
    assert pods["subresources"] == [
        {
            "subresource": "log",
            "acceptedTypes": [{"group": "", "version": "", "kind": "Kind"}],
            "verbs": ["get"],
        }
    ]
    assert merged_with("/api/v1", None, offer)["groupVersion"] == "v1"


def test_a_subresource_that_home_lacks_is_added() -> None:
    listed = {"resource": "widgets", "verbs": ["get"]}
    item = {"metadata": {"name": "a.io"}, "versions": [{"version": "v1", "resources": [listed]}]}
    home = {"kind": "APIGroupDiscoveryList", "items": ["odd", {"metadata": "odd"}, item]}
    merged = merged_with("/apis", home, offered("a.io", "v1", "widgets", subresources=("log",)))
    (resource,) = merged["items"][2]["versions"][0]["resources"]
    assert resource["verbs"] == ["get"]
    assert [found["subresource"] for found in resource["subresources"]] == ["log"]
    assert merged_with("/apis", merged, offered("a.io", "v1", "widgets")) is None


@pytest.mark.parametrize("path", ["/api", "/apis", "/apis/b.io", "/apis/a.io/v2", "/openapi/v3"])
def test_nothing_is_made_up(path: str) -> None:
    document = document_at(path)
    assert document is not None
    assert merge(document, None, [offered("a.io", "v1", "widgets")], [None]) is None
    assert merge(document, None, []) is None


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("/apis", []),
        ("/apis", {"kind": "APIGroupList", "groups": {}}),
        ("/apis", {"kind": "APIGroupList", "groups": [{"name": "a.io", "versions": 1}]}),
        ("/apis/a.io/v1", {"resources": {}}),
    ],
)
def test_a_home_that_cannot_be_read(path: str, home: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        merged_with(path, home, offered("a.io", "v1", "widgets"))
