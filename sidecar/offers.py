"""Owns what a member offers beside home: the kinds in its own discovery that a route names.

Read from the one document that holds all of it (aggregated discovery), strictly: members are not
trusted. It must not know what home offers, nor fetch anything.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sidecar.policy.documents import is_bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

OFFER_ACCEPT: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# A plain cluster's is 45 KB; thousands of custom kinds make some MB.
MAX_DISCOVERY_BYTES: Final = 8 * 1024 * 1024

_MAX_PARTS: Final = 400_000
_MAX_OFFERED: Final = 10_000
_WORD: Final = re.compile(r"[a-z0-9](?:[a-z0-9.:_-]{0,251}[a-z0-9])?")
_KIND: Final = re.compile(r"[A-Za-z0-9-]{1,253}")


class ResponseKind(NamedTuple):
    """A kind of object; group and version are "" where they are those of its list."""

    group: str
    version: str
    kind: str


class Subresource(NamedTuple):
    """What a kind has beside itself; `kind` is None where it answers with no object."""

    name: str
    kind: ResponseKind | None
    accepted: tuple[ResponseKind, ...]
    verbs: tuple[str, ...]


class Resource(NamedTuple):
    """A kind that is served under a plural."""

    name: str
    singular: str
    kind: ResponseKind
    namespaced: bool
    verbs: tuple[str, ...]
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    subresources: tuple[Subresource, ...]


class Offer(NamedTuple):
    """By group ("" is the core group) and version, in the member's order of preference."""

    groups: Mapping[str, Mapping[str, tuple[Resource, ...]]]


def parse_json(content: bytes) -> dict[str, Any]:
    """A JSON object of discovery or OpenAPI; ValueError where it is none, or too much."""
    text = content.decode("utf-8")
    if len(content) > MAX_DISCOVERY_BYTES or not is_bounded(text, _MAX_PARTS):
        message = "the document is too large"
        raise ValueError(message)
    try:
        return _object(json.loads(text, parse_constant=_refuse_constant, parse_float=_finite))
    except RecursionError:
        message = "the document is nested too deeply"
        raise ValueError(message) from None


def _refuse_constant(name: str) -> object:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _finite(number: str) -> float:
    """Too large a one would be written as Infinity, and the merged document be no JSON."""
    value = float(number)
    if not isfinite(value):
        _refuse_constant(number)
    return value


def read_offer(contents: Iterable[bytes], names: Callable[[str, str], bool]) -> Offer:
    """What a member's aggregated discovery holds of the groups and resources that a route names.

    ValueError with the reason where a document is not as it should be.
    """
    groups: dict[str, dict[str, tuple[Resource, ...]]] = {}
    size = 0
    for content in contents:
        document = parse_json(content)
        if document.get("kind") != "APIGroupDiscoveryList":
            message = "the member does not serve aggregated discovery"
            raise ValueError(message)
        for item in _objects(document, "items"):
            group = _group_name(_object(item.get("metadata", {})))
            for version in _objects(item, "versions"):
                found = _read_version(version, group, names)
                size += len(found)
                if size > _MAX_OFFERED:
                    message = f"the member offers more than {_MAX_OFFERED} kinds"
                    raise ValueError(message)
                if found:
                    name = _text(version, "version", _WORD)
                    groups.setdefault(group, {}).setdefault(name, found)
    return Offer(groups)


def _read_version(
    version: Mapping[str, Any], group: str, names: Callable[[str, str], bool]
) -> tuple[Resource, ...]:
    """What no route names is not looked into: an oddity there harms nobody."""
    found: list[Resource] = []
    for raw in _objects(version, "resources"):
        name = _text(raw, "resource", _WORD)
        if names(group, name):
            subresources = [
                _read_subresource(inner)
                for inner in _objects(raw, "subresources")
                if names(group, f"{name}/{_text(inner, 'subresource', _WORD)}")
            ]
            found.append(_read_resource(name, raw, tuple(subresources)))
    return tuple(found)


def _read_resource(
    name: str, raw: Mapping[str, Any], subresources: tuple[Subresource, ...]
) -> Resource:
    kind = _read_kind(raw.get("responseKind"))
    scope = raw.get("scope")
    if kind is None or scope not in ("Namespaced", "Cluster"):
        message = f"{name} has no kind or no scope"
        raise ValueError(message)
    return Resource(
        name,
        _text(raw, "singularResource", _WORD, default=""),
        kind,
        scope == "Namespaced",
        _words(raw, "verbs"),
        _words(raw, "shortNames"),
        _words(raw, "categories"),
        subresources,
    )


def _read_subresource(raw: Mapping[str, Any]) -> Subresource:
    accepted = [_read_kind(found) for found in _objects(raw, "acceptedTypes")]
    return Subresource(
        _text(raw, "subresource", _WORD),
        _read_kind(raw.get("responseKind")),
        tuple(kind for kind in accepted if kind is not None),
        _words(raw, "verbs"),
    )


def _read_kind(raw: object) -> ResponseKind | None:
    if raw is None:
        return None
    found = _object(raw)
    return ResponseKind(
        _text(found, "group", _WORD, default=""),
        _text(found, "version", _WORD, default=""),
        _text(found, "kind", _KIND),
    )


def _group_name(metadata: Mapping[str, Any]) -> str:
    return _text(metadata, "name", _WORD, default="")


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        message = "not an object where one should be"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return value


def _objects(parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [_object(item) for item in _list(parent, key)]


def _words(parent: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(_matching(item, key, _WORD) for item in _list(parent, key))


def _list(parent: Mapping[str, Any], key: str) -> Sequence[object]:
    found = parent.get(key)
    if found is None:
        return ()
    if not isinstance(found, list):
        message = f"{key} is not a list"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return found


def _text(
    parent: Mapping[str, Any], key: str, pattern: re.Pattern[str], default: str | None = None
) -> str:
    """`default` is what the server writes, or leaves out, for nothing."""
    found = parent.get(key, default)
    return default if default is not None and found == default else _matching(found, key, pattern)


def _matching(value: object, key: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        message = f"{key} is not as it should be"
        raise ValueError(message)
    return value
