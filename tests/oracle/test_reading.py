"""What we read out of bodies against the API server's own decoders and patchers."""

import base64
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from sidecar.policy.object_meta import Meta, read_meta
from sidecar.policy.reviews import Access, read_access
from sidecar.policy.verdict import Body, Denial
from tests.oracle.programs import ask_all
from tests.oracle.spellings import spell_json, spell_patch, spell_protobuf, spell_yaml

BODIES = 6_000
PROTOBUF = "application/vnd.kubernetes.protobuf"
APPLY = "application/apply-patch+yaml"
VALUES = ("ci-1", "delete", "pods", "*", "team-a", "b", "kubernetes.io/x")

Maker = Callable[[random.Random, tuple[str, ...], str], bytes]
TEXTS: dict[str, Maker] = {
    "application/json": spell_json,
    "application/yaml": spell_yaml,
    APPLY: spell_yaml,
    "application/merge-patch+json": spell_json,
    "application/strategic-merge-patch+json": spell_json,
    "application/json-patch+json": spell_patch,
}


class Place(NamedTuple):
    """Where a string is put: keys, and the same as field numbers."""

    keys: tuple[str, ...]
    numbers: tuple[int, ...]


META = (
    Place(("metadata", "name"), (1, 1)),
    Place(("metadata", "generateName"), (1, 2)),
    Place(("metadata", "namespace"), (1, 3)),
    Place(("metadata", "uid"), (1, 5)),
    Place(("metadata", "ownerReferences", "uid"), (1, 13, 4)),
)
ACCESS = (
    Place(("spec", "resourceAttributes", "namespace"), (2, 1, 1)),
    Place(("spec", "resourceAttributes", "verb"), (2, 1, 2)),
    Place(("spec", "resourceAttributes", "group"), (2, 1, 3)),
    Place(("spec", "resourceAttributes", "version"), (2, 1, 4)),
    Place(("spec", "resourceAttributes", "resource"), (2, 1, 5)),
    Place(("spec", "resourceAttributes", "subresource"), (2, 1, 6)),
    Place(("spec", "resourceAttributes", "name"), (2, 1, 7)),
    Place(("spec", "nonResourceAttributes", "path"), (2, 2, 1)),
)


def make(
    source: random.Random, media_type: str, places: tuple[Place, ...], kind: tuple[str, str]
) -> bytes:
    place = source.choice(places)
    value = source.choice(VALUES)
    if media_type == PROTOBUF:
        return spell_protobuf(source, place.numbers, value, kind)
    return TEXTS[media_type](source, place.keys, value)


def ask_both(
    media_type: str, places: tuple[Place, ...], api_version: str, kind: str
) -> list[tuple[bytes, Any]]:
    """Bodies, and what the server reads out of each: None where it refuses."""
    source = random.Random(f"{kind} {media_type}")
    contents = [make(source, media_type, places, (api_version, kind)) for _ in range(BODIES)]
    questions = (
        f"{kind}\t{media_type}\t{base64.b64encode(content).decode()}".encode()
        for content in contents
    )
    answers = (
        None if "error" in answer else answer["strings"] or []
        for answer in ask_all("bodies", questions)
    )
    return list(zip(contents, answers, strict=True))


@pytest.mark.parametrize("media_type", [*TEXTS, PROTOBUF])
def test_what_is_read_of_an_object_is_what_the_server_reads(media_type: str) -> None:
    verb = "patch" if "-patch+" in media_type else "create"
    counts = Counter[str]()
    for content, strings in ask_both(media_type, META, "v1", "ConfigMap"):
        meta = read_meta(verb, Body(media_type, content))
        if strings is None:
            counts["refused by the server"] += 1
            continue
        name, generate_name, namespace, uid, *owners = strings
        counts["with owners"] += bool(owners)
        if isinstance(meta, Denial):
            counts["refused by us"] += 1
            continue
        counts["read"] += 1
        assert meta.has_owners or not owners, content
        if meta.name is not None:
            expected = Meta(name, generate_name, namespace, meta.has_owners, uid)
            assert meta == expected, content
            counts["named"] += bool(name)
    sys.stdout.write(f"object as {media_type}: {dict(counts)}\n")
    assert counts["read"] > BODIES / 8
    assert counts["with owners"] > BODIES / 40
    assert counts["named"] > BODIES / 200 or media_type == "application/json-patch+json"


@pytest.mark.parametrize("media_type", ["application/json", "application/yaml", PROTOBUF])
def test_what_is_read_of_a_review_is_what_the_server_reads(media_type: str) -> None:
    counts = Counter[str]()
    kind = "SelfSubjectAccessReview"
    for content, strings in ask_both(media_type, ACCESS, "authorization.k8s.io/v1", kind):
        access = read_access(Body(media_type, content))
        if strings is None or isinstance(access, Denial):
            counts["refused"] += 1
        elif access.path:
            assert [access.verb, access.path] == strings, content
            counts["path"] += 1
        else:
            assert told(access) == strings, content
            counts["resource"] += 1
    sys.stdout.write(f"review as {media_type}: {dict(counts)}\n")
    assert counts["resource"] > BODIES / 40
    assert counts["path"] > BODIES / 200


def told(access: Access) -> list[str]:
    """As the server keeps them: what stands behind a slash belongs to the resource."""
    resource, subresource = access.resource, access.subresource
    spec = access.spec["resourceAttributes"]
    assert isinstance(spec, dict)
    if "/" in spec.get("resource", ""):
        resource, subresource = spec["resource"], ""
    fields = (access.verb, access.namespace, access.group, access.version)
    return [*fields, resource, subresource, access.name]
