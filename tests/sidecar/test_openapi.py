"""What real members tell is in test_discovery.py; this is about what hostile ones might."""

import json
from typing import Any

import pytest

from sidecar.offers import Offer, Resource, ResponseKind, Subresource
from sidecar.openapi import merge_index, merge_specification


def offered(name: str, *subresources: str) -> Resource:
    kind = ResponseKind("", "", "Kind")
    inner = tuple(Subresource(found, kind, (), ("get",)) for found in subresources)
    return Resource(name, "", kind, True, ("get",), (), (), inner)


WIDGETS = Offer({"a.io": {"v1": (offered("widgets", "scale"),)}})
PODS = Offer({"": {"v1": (offered("pods"),)}})


def reference(name: str, section: str = "components/schemas") -> dict[str, str]:
    return {"$ref": f"#/{section}/{name}"}


def specification(paths: Any, **schemas: Any) -> bytes:
    return json.dumps({"paths": paths, "components": {"schemas": schemas}}).encode()


def merged_paths(path: str, offer: Offer = WIDGETS) -> bool:
    merged = merge_specification(
        {"paths": {}}, None, [offer], [json.dumps({"paths": {path: {"get": 1}}}).encode()]
    )
    return merged is not None


@pytest.mark.parametrize(
    "path",
    [
        "/apis/a.io/v1/",
        "/apis/a.io/v1/widgets",
        "/apis/a.io/v1/widgets/{name}",
        "/apis/a.io/v1/widgets/{name}/scale",
        "/apis/a.io/v1/namespaces/{namespace}/widgets",
        "/apis/a.io/v1/namespaces/{namespace}/widgets/{name}",
        "/apis/a.io/v1/namespaces/{namespace}/widgets/{name}/scale",
        "/apis/a.io/v1/watch/namespaces/{namespace}/widgets/{name}",
    ],
)
def test_paths_of_what_is_offered(path: str) -> None:
    assert merged_paths(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/version/",
        "/apis/a.io/",
        "/apis/a.io/v1",
        "/apis/a.io/v1/gadgets",
        "/apis/a.io/v1/widgets/{name}/status",
        "/apis/a.io/v2/widgets",
        "/apis/b.io/v1/widgets",
        "/api/v1/widgets",
        "/api/v1/namespaces/{namespace}/widgets",
        "/apis/a.io/v1/widgets/x",
    ],
)
def test_other_paths(path: str) -> None:
    assert not merged_paths(path)


def test_paths_of_the_core_group() -> None:
    assert merged_paths("/api/v1/namespaces/{namespace}/pods/{name}", PODS)
    assert not merged_paths("/api/v1/namespaces/{name}", PODS)


def test_home_wins_and_schemas_come_along() -> None:
    home = {
        "paths": {"/apis/a.io/v1/widgets": {"get": "home"}},
        "components": {"schemas": {"Shared": "home"}},
    }
    theirs = specification(
        {
            "/apis/a.io/v1/widgets": {"get": reference("Hidden")},
            "/apis/a.io/v1/widgets/{name}": {"get": [reference("A"), reference("Shared")]},
            "/apis/a.io/v1/gadgets": {"get": reference("Hidden")},
        },
        A={"b": reference("B")},
        B={"again": reference("A"), "missing": reference("C"), "odd": {"$ref": 1}},
        Shared={"member": True},
        Hidden={},
    )
    assert merge_specification(home, ("a.io", "v1"), [WIDGETS], [theirs]) == {
        "paths": {
            "/apis/a.io/v1/widgets": {"get": "home"},
            "/apis/a.io/v1/widgets/{name}": {"get": [reference("A"), reference("Shared")]},
        },
        "components": {
            "schemas": {
                "Shared": "home",
                "A": {"b": reference("B")},
                "B": {"again": reference("A"), "missing": reference("C"), "odd": {"$ref": 1}},
            }
        },
    }


def test_version_2_keeps_definitions_elsewhere() -> None:
    theirs: dict[str, Any] = {
        "paths": {
            "/apis/a.io/v1/widgets": {
                "parameters": [reference("limit", "parameters"), reference("x", "elsewhere")],
                "get": reference("a.io.Widget", "definitions"),
                "put": reference("gone", "definitions"),
                "post": {"$ref": "https://example.com/evil"},
            },
            "/apis/a.io/v1/widgets/{name}": "odd",
        },
        "definitions": {"a.io.Widget": {"type": "object"}, "other": {}, "odd": 1},
        "parameters": {"limit": {"name": "limit"}},
        "elsewhere": {"x": {}},
    }  # fmt: skip
    merged = merge_specification({"paths": {}}, None, [WIDGETS], [json.dumps(theirs).encode()])
    assert merged == {
        "paths": {"/apis/a.io/v1/widgets": theirs["paths"]["/apis/a.io/v1/widgets"]},
        "definitions": {"a.io.Widget": {"type": "object"}},
        "parameters": {"limit": {"name": "limit"}},
    }


def test_home_may_have_no_such_document() -> None:
    theirs = specification({"/apis/a.io/v1/widgets": {}})
    merged = merge_specification(None, ("a.io", "v1"), [WIDGETS, WIDGETS], [None, theirs])
    assert merged is not None
    assert merged["openapi"] == "3.0.0"
    assert list(merged["paths"]) == ["/apis/a.io/v1/widgets"]
    assert merge_specification(None, ("a.io", "v2"), [WIDGETS], [theirs]) is None


@pytest.mark.parametrize(
    "theirs",
    [
        None,
        b"",
        b"[]",
        b"{}",
        b'{"paths": []}',
        specification({"/apis/a.io/v1/widgets": []}),
        specification({"/apis/a.io/v1/gadgets": {}}),
    ],
)
def test_a_member_that_tells_nothing_useful_adds_nothing(theirs: bytes | None) -> None:
    assert merge_specification({"paths": {}}, None, [WIDGETS], [theirs]) is None
    assert merge_index({"paths": {}}, [WIDGETS], [theirs]) is None


@pytest.mark.parametrize("home", [{"paths": []}, {"paths": {}, "components": 1}])
def test_a_home_that_cannot_be_read(home: dict[str, Any]) -> None:
    theirs = specification({"/apis/a.io/v1/widgets": {"get": reference("A")}}, A={})
    with pytest.raises(ValueError, match="not an object"):
        merge_specification(home, None, [WIDGETS], [theirs])


def index(**hashes: str) -> dict[str, Any]:
    paths = {
        key.replace("_", "/"): {"serverRelativeURL": f"/openapi/v3/{key}?hash={found}"}
        for key, found in hashes.items()
    }
    return {"paths": paths}


def merged_index(home: dict[str, Any], offer: Offer, theirs: dict[str, Any]) -> dict[str, str]:
    merged = merge_index(json.loads(json.dumps(home)), [offer], [json.dumps(theirs).encode()])
    assert merged is not None
    return {key: found["serverRelativeURL"] for key, found in merged["paths"].items()}


def test_the_hash_in_the_index_changes_with_what_is_merged() -> None:
    home = index(version="AA", api_v1="BB")
    first = merged_index(home, PODS, index(api_v1="CC", apis_x_v1="DD"))
    assert list(first) == ["version", "api/v1"]
    assert first["version"] == "/openapi/v3/version?hash=AA"
    assert first["api/v1"].startswith("/openapi/v3/api/v1?hash=")
    assert first["api/v1"] != merged_index(home, PODS, index(api_v1="EE"))["api/v1"]
    assert first["api/v1"] != merged_index(index(api_v1="FF"), PODS, index(api_v1="CC"))["api/v1"]
    more = Offer({"": {"v1": (offered("pods", "log"),)}})
    assert first["api/v1"] != merged_index(home, more, index(api_v1="CC"))["api/v1"]
    assert first["api/v1"] == merged_index(home, PODS, index(api_v1="CC"))["api/v1"]


def test_the_index_names_what_only_a_member_has() -> None:
    theirs = {"paths": {"apis/a.io/v1": {"serverRelativeURL": "/openapi/v3/apis/a.io/v1?hash=0F"}}}
    assert list(merged_index(index(version="AA"), WIDGETS, theirs)) == ["version", "apis/a.io/v1"]


@pytest.mark.parametrize(
    "entry", [None, 1, {}, {"serverRelativeURL": 1}, {"serverRelativeURL": "https://evil?hash=x"}]
)
def test_an_odd_entry_of_a_members_index_adds_nothing(entry: object) -> None:
    theirs = json.dumps({"paths": {"apis/a.io/v1": entry}}).encode()
    assert merge_index({"paths": {}}, [WIDGETS], [theirs]) is None


def test_there_is_no_index_without_homes() -> None:
    assert merge_index(None, [WIDGETS], [None]) is None
