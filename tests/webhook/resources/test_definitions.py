"""The definitions as they are made: what a reader and an API server need of them is there."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from webhook.resources.definitions import build_definitions
from webhook.resources.names import PLURALS

DEFINITIONS = {each["spec"]["names"]["kind"]: each for each in build_definitions()}
every_kind = pytest.mark.parametrize("kind", PLURALS)
# Of the API's own: bounded by its date-time, or by a number's range.
FREE_FORMATS = ("date-time",)


def schema_of(kind: str) -> Any:
    (version,) = DEFINITIONS[kind]["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


def walk(schema: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from walk(schema[key], f"{path}[]")


@every_kind
def test_its_names(kind: str) -> None:
    definition = DEFINITIONS[kind]
    assert definition["metadata"] == {"name": f"{PLURALS[kind]}.mca.io"}  # type: ignore[index]
    spec = definition["spec"]
    assert spec["scope"] == ("Namespaced" if kind == "Route" else "Cluster")
    assert spec["names"]["categories"] == ["mca"]
    assert len(spec["names"]["shortNames"]) == 1


@every_kind
def test_every_field_is_explained(kind: str) -> None:
    for path, schema in walk(schema_of(kind), kind):
        if not path.endswith("[]"):
            assert schema.get("description", "").endswith("."), path


@every_kind
def test_everything_is_bounded(kind: str) -> None:
    """Or the API server could not bound what rules cost, nor we what is stored."""
    for path, schema in walk(schema_of(kind), kind):
        if schema.get("type") == "array":
            assert schema["maxItems"], path
            assert schema["x-kubernetes-list-type"], path
        if schema.get("type") == "string" and "enum" not in schema:
            assert schema.get("maxLength") or schema.get("format") in FREE_FORMATS, path
        if "additionalProperties" in schema:
            assert schema["maxProperties"], path


@every_kind
def test_patterns_are_patterns(kind: str) -> None:
    for path, schema in walk(schema_of(kind), kind):
        pattern = schema.get("pattern", "^$")
        re.compile(pattern)
        assert (pattern[0], pattern[-1]) == ("^", "$"), path


@every_kind
def test_no_name_of_its_status_is_read_from_users(kind: str) -> None:
    """Status is a subresource: who may write an object does not write its verdict."""
    (version,) = DEFINITIONS[kind]["spec"]["versions"]
    assert version["subresources"] == {"status": {}}
    conditions = schema_of(kind)["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


def test_each_call_makes_new_ones() -> None:
    """Who adds labels to one must not meet them in the next."""
    build_definitions()[0]["metadata"]["labels"] = {"a": "b"}
    assert "labels" not in build_definitions()[0]["metadata"]
