"""One document at a time, whole. Pieces are test_json_stream's."""

import json
from typing import Any

import pytest

from sidecar.objects.inspection import Expected, Inspection, TransformError
from sidecar.objects.json_objects import JsonDocument

OURS = {"namespace": "team-a", "name": "a", "resourceVersion": "5"}
FOREIGN = {"namespace": "team-b", "name": "a", "resourceVersion": "5"}
POD = {"kind": "Pod", "apiVersion": "v1", "metadata": OURS, "spec": {"namespace": "team-b"}}
STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def a_list(*items: Any, kind: str = "PodList", **metadata: str) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "v1", "metadata": metadata, "items": list(items)}


def a_table(*rows: Any, **metadata: str) -> dict[str, Any]:
    kinds = {"kind": "Table", "apiVersion": "meta.k8s.io/v1"}
    return {**kinds, "metadata": metadata, "columnDefinitions": [{}], "rows": list(rows)}


def walk(
    text: str, expected: Expected = Expected.OBJECT_OR_STATUS, code: int | None = None
) -> str | None:
    """What is given out of a document; None if it is not whole."""
    document = JsonDocument(Inspection("team-a", code), expected)
    out: list[str] = []
    end = document.advance(text, 0, out)
    if not document.done:
        return None
    assert end == len(text)
    return "".join(out)


SOUND = [
    (POD, Expected.OBJECT),
    (POD, Expected.OBJECT_OR_STATUS),
    (POD, Expected.WRAPPER),
    (STATUS, Expected.OBJECT_OR_STATUS),
    (STATUS, Expected.WRAPPER),
    (a_list(), Expected.OBJECT_OR_STATUS),
    (a_list({"metadata": OURS}, {"metadata": OURS}), Expected.OBJECT_OR_STATUS),
    ({"kind": "PodList", "metadata": {}, "items": None}, Expected.OBJECT_OR_STATUS),
    (a_table(), Expected.OBJECT_OR_STATUS),
    (a_table({"cells": [], "object": {"metadata": OURS}}), Expected.OBJECT),
    (a_table({"cells": [], "object": None}, {"cells": []}), Expected.OBJECT_OR_STATUS),
    ({"kind": "Table", "metadata": {}, "rows": None}, Expected.OBJECT_OR_STATUS),
    ({"kind": "Pod", "metadata": {"resourceVersion": "5"}}, Expected.WRAPPER),  # a bookmark
    (a_table({"object": {"metadata": {"resourceVersion": "5"}}}), Expected.WRAPPER),
    ({"rows": [1], "kind": "Chart", "metadata": OURS}, Expected.OBJECT_OR_STATUS),
    ({"items": ["a", "b"], "kind": "Basket", "metadata": OURS}, Expected.OBJECT),
    ({"items": ["a", "b"], "kind": "Basket", "metadata": OURS}, Expected.OBJECT_OR_STATUS),
    (a_list({"items": ["a"], "metadata": OURS}), Expected.OBJECT_OR_STATUS),
]


@pytest.mark.parametrize(("document", "expected"), SOUND)
@pytest.mark.parametrize("indent", [None, 2])
def test_what_is_ours_passes_as_it_is(
    document: dict[str, Any], expected: Expected, indent: int | None
) -> None:
    text = json.dumps(document, indent=indent)
    assert walk(text, expected) == text


@pytest.mark.parametrize(("document", "expected"), SOUND)
def test_the_order_of_keys_does_not_matter(document: dict[str, Any], expected: Expected) -> None:
    """Objects of custom resources come with their keys sorted."""
    if "rows" not in document:
        text = json.dumps(document, sort_keys=True)
        assert walk(text, expected) == text


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({**POD, "metadata": FOREIGN}, Expected.OBJECT),
        ({**POD, "metadata": FOREIGN}, Expected.OBJECT_OR_STATUS),
        ({**POD, "metadata": FOREIGN}, Expected.WRAPPER),
        ({**POD, "metadata": {}}, Expected.OBJECT_OR_STATUS),
        ({**POD, "metadata": None}, Expected.OBJECT_OR_STATUS),
        ({**POD, "metadata": [OURS]}, Expected.OBJECT_OR_STATUS),
        ({"kind": "Pod"}, Expected.OBJECT_OR_STATUS),
        ({"metadata": {**OURS, "namespace": None}}, Expected.OBJECT_OR_STATUS),
        (STATUS, Expected.OBJECT),
        ({**STATUS, "metadata": FOREIGN}, Expected.OBJECT_OR_STATUS),
        ({**STATUS, "apiVersion": "example.org/v1"}, Expected.OBJECT_OR_STATUS),
        (a_list({"metadata": OURS}, {"metadata": FOREIGN}), Expected.OBJECT_OR_STATUS),
        (a_list({"metadata": {}}), Expected.OBJECT_OR_STATUS),
        (a_list({}), Expected.OBJECT_OR_STATUS),
        (a_list(STATUS), Expected.OBJECT_OR_STATUS),
        (a_list(namespace="team-b"), Expected.OBJECT_OR_STATUS),
        (a_list({"metadata": FOREIGN}, kind="Status"), Expected.OBJECT_OR_STATUS),
        (a_list({"metadata": FOREIGN}), Expected.WRAPPER),
        (a_list({"metadata": OURS}), Expected.OBJECT),  # no event holds a list
        (a_list(), Expected.OBJECT),
        (a_list({"metadata": FOREIGN}, namespace="team-a"), Expected.OBJECT),
        ({"items": ["a"], "kind": "Basket", "metadata": {}}, Expected.OBJECT_OR_STATUS),
        (a_table({"object": {"metadata": FOREIGN}}), Expected.OBJECT_OR_STATUS),
        (a_table({"object": {"metadata": FOREIGN}}), Expected.OBJECT),
        (a_table({"object": {"metadata": FOREIGN}}), Expected.WRAPPER),
        (a_table({"object": {"metadata": {}}}), Expected.OBJECT_OR_STATUS),
        (a_table({"object": {}}), Expected.OBJECT_OR_STATUS),
        (a_table({"object": "text"}), Expected.OBJECT_OR_STATUS),
    ],
)
def test_what_is_foreign_does_not(document: dict[str, Any], expected: Expected) -> None:
    with pytest.raises(TransformError, match="foreign namespace"):
        walk(json.dumps(document), expected)


@pytest.mark.parametrize(
    "text",
    [
        '{"metadata":{"namespace":"team-a"},"metadata":{"namespace":"team-b"}}',
        '{"metadata":{"namespace":"team-a","namesp\\u0061ce":"team-b"}}',
        '{"Metadata":{"namespace":"team-b"},"metadata":{"namespace":"team-a"}}',
        '{"kind":"PodList","items":[],"items":[{"metadata":{"namespace":"team-b"}}]}',
        '{"kind":"PodList","items":[],"Items":[{"metadata":{"namespace":"team-b"}}]}',
        '{"kind":"PodList","items":[{"metadata":{"namespace":"team-a"},"metadata":{}}]}',
        '{"rows":[{"object":{"metadata":{"namespace":"team-b"}}}],"kind":"Table"}',
        '{"kind":"Table","rows":[{"object":{"metadata":{"namespace":"team-a"}},"object":{}}]}',
        '{"kind":"Table","rows":[{"metadata":{"namespace":"team-b"},"cells":[]}]}',
        '{"metadata":{"namespace":["team-a"]}}',
    ],
)
def test_what_two_readers_could_read_differently_does_not_pass(text: str) -> None:
    with pytest.raises(TransformError):
        walk(text)


@pytest.mark.parametrize(
    "items", [[{}], [1], [["a"]], ["a", {}], [None], ["a", {"metadata": FOREIGN}]]
)
def test_a_list_in_an_item_does_not_pass(items: list[Any]) -> None:
    """kubectl would print what is in it."""
    hidden = {"kind": "PodList", "metadata": OURS, "items": items}
    for document in (a_list(hidden), a_table({"object": hidden})):
        with pytest.raises(TransformError, match="no JSON object"):
            walk(json.dumps(document))


def test_a_list_of_strings_that_goes_on_with_objects_does_not_pass() -> None:
    text = json.dumps({"kind": "PodList", "metadata": OURS, "items": ["a", {"metadata": FOREIGN}]})
    for expected in Expected:
        with pytest.raises(TransformError, match="no JSON object"):
            walk(text, expected)


def test_an_escaped_namespace_is_read() -> None:
    text = '{"meta\\u0064ata":{"n\\u0061mespace":"te\\u0061m-a"}}'
    assert walk(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", '{"items":[{"metadata":{"namespace":"team-a"}},1]}',
     '{"items":[{"metadata":{"namespace":"team-a"}}',
     '{"items":[{"metadata":{"namespace":"team-a"}},]}', '{"items":[', '{"items":[]', '{"items":[ ',
     '{"metadata":{"namespace":"team-a"}', '{"items":[{"metadata":{"namespace":"team-a"}} {}]}'],
)  # fmt: skip
def test_what_is_not_whole_is_not_done(text: str) -> None:
    assert walk(text) is None


def test_nothing_is_checked_where_no_namespace_was_asked_for() -> None:
    document = JsonDocument(Inspection("", 7421), Expected.OBJECT_OR_STATUS)
    out: list[str] = []
    document.advance('{"metadata":{"name":"n","resourceVersion":"5"}}', 0, out)
    assert "".join(out) == '{"metadata":{"name":"n","resourceVersion":"57421"}}'


@pytest.mark.parametrize(
    ("document", "expected"),
    [(document, expected) for document, expected in SOUND]
    + [
        (a_list({"metadata": OURS}, **{"resourceVersion": "9", "continue": "ab"}), None),
        (a_list({"metadata": OURS}, **{"continue": "", "resourceVersion": "0"}), None),
        (a_table({"object": {"metadata": OURS}}, resourceVersion="9"), None),
        ({**STATUS, "metadata": {"continue": "ab"}}, None),
        ({**POD, "metadata": {**OURS, "resourceVersion": None}}, None),
        ({**POD, "involved": {"resourceVersion": "5"}, "resourceVersion": "5"}, None),
        ({**POD, "metadata": {"annotations": {"resourceVersion": "5"}, **OURS}}, None),
        ({**POD, "text": '"resourceVersion":"5"'}, None),
    ],
)
def test_versions_are_tagged_and_nothing_else_changes(
    document: dict[str, Any], expected: Expected | None
) -> None:
    for indent in (None, 1):
        text = json.dumps(document, indent=indent)
        passed = walk(text, expected or Expected.OBJECT_OR_STATUS, 7421)
        assert passed == json.dumps(tagged(document), indent=indent)


def tagged(document: dict[str, Any]) -> dict[str, Any]:
    """The reference: the same on parsed documents."""
    return {
        **document,
        **({"metadata": _tagged_meta(document["metadata"])} if "metadata" in document else {}),
        **{
            key: [_tagged_element(element) for element in document[key]]
            for key in ("items", "rows")
            if document.get(key) and isinstance(document[key][0], dict)
        },
    }


def _tagged_element(element: dict[str, Any]) -> dict[str, Any]:
    if element.get("object") is not None:
        return {**element, "object": tagged(element["object"])}
    return (
        {**element, "metadata": _tagged_meta(element["metadata"])}
        if "metadata" in element
        else element
    )


def _tagged_meta(metadata: dict[str, Any]) -> dict[str, Any]:
    changed = dict(metadata)
    if metadata.get("resourceVersion") not in (None, "", "0"):
        changed["resourceVersion"] = metadata["resourceVersion"] + "7421"
    if metadata.get("continue"):
        changed["continue"] = "7421." + metadata["continue"]
    return changed
