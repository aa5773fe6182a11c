"""What a real API server answers, in every format that a client may ask for."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sidecar.objects import Inspection, Transform, TransformError, open_transform
from tests.controlplane import ControlPlane
from tests.controlplane.calls import Answer

JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
META = ";v=v1;g=meta.k8s.io"
TABLE = f"{JSON};as=Table{META}"
PARTIAL = f"{JSON};as=PartialObjectMetadata{META}"
PARTIAL_PROTOBUF = f"{PROTOBUF};as=PartialObjectMetadata{META}"
PARTIALS = f"{JSON};as=PartialObjectMetadataList{META}"
PARTIALS_PROTOBUF = f"{PROTOBUF};as=PartialObjectMetadataList{META}"
PARTIALS_BETA = PARTIALS_PROTOBUF.replace("v=v1;", "v=v1beta1;")

CORE = "/api/v1/namespaces/objects-a"
LISTS = [
    f"{CORE}/configmaps",
    f"{CORE}/configmaps?limit=1",
    f"{CORE}/secrets",
    "/apis/apps/v1/namespaces/objects-a/deployments",
    "/apis/objects.example/v1/namespaces/objects-a/foos",
]
OBJECTS = [
    f"{CORE}/configmaps/c0",
    f"{CORE}/pods/p",
    "/apis/apps/v1/namespaces/objects-a/deployments/d",
    "/apis/objects.example/v1/namespaces/objects-a/foos/f",
]
INITIAL = "allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
WATCHES = [
    f"{path}?watch=1&timeoutSeconds=1{more}"
    for path in (LISTS[0], LISTS[4])
    for more in (f"&{INITIAL}", "&resourceVersion=0")
]
POD = {"containers": [{"name": "c", "image": "i"}]}
FOO = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "foos.objects.example"},
    "spec": {
        "group": "objects.example",
        "scope": "Namespaced",
        "names": {"plural": "foos", "singular": "foo", "kind": "Foo"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Two namespaces with objects of the same names, and a kind that has no protobuf."""
    control_plane.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", FOO)
    for namespace in ("objects-a", "objects-b"):
        control_plane.create_service_account(namespace, "default")
        core = f"/api/v1/namespaces/{namespace}"
        for number in range(3):
            data = {"a": 'ü"\\}],"resourceVersion":"1"', "b": "x" * 40 * number}
            control_plane.create(
                f"{core}/configmaps", {"metadata": {"name": f"c{number}"}, "data": data}
            )
        control_plane.create(f"{core}/pods", {"metadata": {"name": "p"}, "spec": POD})
        labels = {"a": "b"}
        spec = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": POD},
        }
        control_plane.create(
            f"/apis/apps/v1/namespaces/{namespace}/deployments",
            {"metadata": {"name": "d"}, "spec": spec},
        )
        control_plane.kubectl(
            "create", "-f", "-", "--namespace", namespace, input=json.dumps(A_FOO)
        )
    yield control_plane
    control_plane.kubectl("delete", "crd", "foos.objects.example")


A_FOO = {
    "apiVersion": "objects.example/v1",
    "kind": "Foo",
    "metadata": {"name": "f"},
    "metadata2": {"namespace": "objects-b"},
}


def ask(
    plane: ControlPlane, path: str, accept: str, method: str = "GET", body: Any = None
) -> Answer:
    return plane.request(method, path, body, headers={"Accept": accept})


def look(answer: Answer, code: int | None = None, *, watch: bool = False) -> bytes:
    inspection = Inspection("objects-a", code, watch)
    transform = open_transform(answer.headers["Content-Type"].encode(), inspection)
    return pass_in_pieces(transform, answer.body)


def pass_in_pieces(transform: Transform, content: bytes) -> bytes:
    out = b"".join(transform.feed(content[at : at + 97]) for at in range(0, len(content), 97))
    return out + transform.finish()


def tagged(found: Any) -> Any:
    """The reference: every metadata at the places where the API has objects."""
    if not isinstance(found, dict):
        return found
    changed = dict(found)
    for key, value in found.items():
        if key == "metadata":
            changed[key] = tagged_meta(value)
        elif key in ("items", "rows"):
            changed[key] = [tagged(item) for item in value] if value is not None else None
        elif key == "object":
            changed[key] = tagged(value)
    return changed


def tagged_meta(found: dict[str, Any]) -> dict[str, Any]:
    changed = dict(found)
    if found.get("resourceVersion") not in (None, "", "0"):
        changed["resourceVersion"] += "7421"
    if found.get("continue"):
        changed["continue"] = "7421." + found["continue"]
    return changed


def is_custom_in_protobuf(path: str, accept: str) -> bool:
    return "objects.example" in path and accept.startswith(PROTOBUF) and "as=" not in accept


@pytest.mark.parametrize("accept", [JSON, TABLE, PARTIALS, f"{JSON};pretty=1"])
@pytest.mark.parametrize("path", LISTS)
def test_lists_in_json(plane: ControlPlane, path: str, accept: str) -> None:
    answer = ask(plane, path, accept)
    assert answer.status == 200
    assert look(answer) == answer.body
    assert json.loads(look(answer, 7421)) == tagged(answer.json())


@pytest.mark.parametrize("path", [*LISTS, *OBJECTS])
def test_pretty_json(plane: ControlPlane, path: str) -> None:
    answer = ask(plane, f"{path}{'&' if '?' in path else '?'}pretty=true", JSON)
    assert b"\n  " in answer.body
    assert look(answer) == answer.body
    assert json.loads(look(answer, 7421)) == tagged(answer.json())


@pytest.mark.parametrize("accept", [JSON, TABLE, PARTIAL])
@pytest.mark.parametrize("path", OBJECTS)
def test_objects_in_json(plane: ControlPlane, path: str, accept: str) -> None:
    answer = ask(plane, path, accept)
    assert answer.status == 200
    assert look(answer) == answer.body
    assert json.loads(look(answer, 7421)) == tagged(answer.json())


@pytest.mark.parametrize("accept", [PROTOBUF, PARTIALS_PROTOBUF, PARTIALS_BETA])
@pytest.mark.parametrize("path", LISTS)
def test_lists_in_protobuf(plane: ControlPlane, path: str, accept: str) -> None:
    answer = ask(plane, path, accept)
    if is_custom_in_protobuf(path, accept):
        assert answer.status == 406
        return
    assert answer.status == 200
    assert look(answer) == answer.body
    in_json = ask(plane, path, JSON).json()
    versions = len(in_json["items"]) + 1
    assert look(answer, 7421).count(b"7421") == versions + bool(in_json["metadata"].get("continue"))


@pytest.mark.parametrize("accept", [PROTOBUF, PARTIAL_PROTOBUF])
@pytest.mark.parametrize("path", OBJECTS[:3])
def test_objects_in_protobuf(plane: ControlPlane, path: str, accept: str) -> None:
    answer = ask(plane, path, accept)
    assert answer.status == 200
    assert look(answer) == answer.body
    version = ask(plane, path, JSON).json()["metadata"]["resourceVersion"]
    assert look(answer, 7421).count(version.encode() + b"7421") == 1


@pytest.mark.parametrize("accept", [JSON, TABLE, PARTIAL])
@pytest.mark.parametrize("path", WATCHES)
def test_watches_in_json(plane: ControlPlane, path: str, accept: str) -> None:
    answer = ask(plane, path, accept)
    assert answer.status == 200
    assert answer.body.count(b"\n") > 0
    assert look(answer, watch=True) == answer.body
    passed = look(answer, 7421, watch=True).splitlines()
    assert [json.loads(line) for line in passed] == [
        tagged(json.loads(line)) for line in answer.body.splitlines()
    ]
    assert (b"k8s.io/initial-events-end" in b"".join(passed)) == (INITIAL in path)


@pytest.mark.parametrize("accept", [PROTOBUF, PARTIAL_PROTOBUF])
@pytest.mark.parametrize("path", WATCHES)
def test_watches_in_protobuf(plane: ControlPlane, path: str, accept: str) -> None:
    answer = ask(plane, path, accept)
    if is_custom_in_protobuf(path, accept):
        assert answer.status == 406
        return
    assert look(answer, watch=True) == answer.body
    events = answer.body.count(b"k8s\0")
    assert look(answer, 7421, watch=True).count(b"7421") == events > 0


@pytest.mark.parametrize("accept", [JSON, PROTOBUF, TABLE])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{CORE}/serviceaccounts/default/token", {"spec": {"audiences": ["x"]}}),
        ("POST", f"{CORE}/configmaps?dryRun=All", {"metadata": {"name": "new"}}),
        ("POST", f"{CORE}/pods/p/eviction?dryRun=All", {"metadata": {"name": "p"}}),
        ("DELETE", f"{CORE}/configmaps/c0?dryRun=All", None),
        ("DELETE", f"{CORE}/pods/p?dryRun=All", None),
        ("DELETE", f"{CORE}/configmaps?dryRun=All", None),
        ("GET", "/apis/apps/v1/namespaces/objects-a/deployments/d/scale", None),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/namespaces/objects-a/localsubjectaccessreviews",
            {
                "spec": {
                    "user": "u",
                    "resourceAttributes": {"namespace": "objects-a", "verb": "get"},
                }
            },
        ),
    ],
)
def test_answers_to_writes_and_subresources(
    plane: ControlPlane, method: str, path: str, body: Any, accept: str
) -> None:
    answer = ask(plane, path, accept, method, body)
    if answer.status == 406:  # no Table of these
        assert accept == TABLE
        return
    assert answer.status in (200, 201), answer.body
    assert look(answer) == answer.body
    if accept != PROTOBUF:
        assert json.loads(look(answer, 7421)) == tagged(answer.json())


@pytest.mark.parametrize(
    "accept", [JSON, PROTOBUF, TABLE, PARTIALS, PARTIALS_PROTOBUF, PARTIALS_BETA]
)
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/objects-b/configmaps",
        "/api/v1/namespaces/objects-b/configmaps/c0",
        "/api/v1/namespaces/objects-b/configmaps?watch=1&timeoutSeconds=1",
        "/api/v1/configmaps",
    ],
)
def test_objects_of_another_namespace_do_not_pass(
    plane: ControlPlane, path: str, accept: str
) -> None:
    single = path.endswith("c0") or "watch" in path
    answer = ask(plane, path, accept.replace("List;", ";") if single else accept)
    with pytest.raises(TransformError, match="foreign namespace"):
        look(answer, watch="watch" in path)


def test_an_expired_token_comes_with_another(
    make_control_plane: Callable[..., ControlPlane],
) -> None:
    """The Status of a 410 holds a continue token, which is the member's own."""
    plane = make_control_plane()
    plane.create_namespace("objects-a")
    for number in range(3):
        plane.create(f"{CORE}/configmaps", {"metadata": {"name": f"c{number}"}})
    token = ask(plane, f"{CORE}/configmaps?limit=1", JSON).json()["metadata"]["continue"]
    plane.create(f"{CORE}/configmaps", {"metadata": {"name": "after"}})
    plane.compact_etcd()
    plane.restart_api_server()
    for accept in (JSON, PROTOBUF):
        answer = ask(plane, f"{CORE}/configmaps?limit=1&continue={token}", accept)
        assert answer.status == 410
        assert look(answer) == answer.body
        assert look(answer, 7421).count(b"7421.") == 1
