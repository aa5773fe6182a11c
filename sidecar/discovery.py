"""Owns merged discovery: home's documents, completed with what members offer beside it.

Home always wins: nothing that it says is changed or moved, and what a member adds comes behind.
It must not fetch anything, and knows routes only by what they made of the offers.
"""

from __future__ import annotations

import enum
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sidecar.offers import ResponseKind, parse_json
from sidecar.openapi import merge_index, merge_specification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sidecar.offers import Offer, Resource, Subresource

_JSON: Final = "application/json"
_ANY_TYPES: Final = frozenset({"*/*", "application/*"})
_AGGREGATED: Final = "as=apigroupdiscoverylist"


class Form(enum.Enum):
    """A document of discovery or OpenAPI, by what it tells of."""

    CORE = enum.auto()
    GROUPS = enum.auto()
    GROUP = enum.auto()
    RESOURCES = enum.auto()
    INDEX = enum.auto()
    SPECIFICATION = enum.auto()


class Document(NamedTuple):
    """One of them; without a group it tells of all, or of the core group."""

    form: Form
    group: str = ""
    version: str = ""

    @property
    def offer_paths(self) -> tuple[str, ...]:
        """What to ask members for, so that their offer is known as far as it matters here."""
        if self.form is Form.CORE:
            return ("/api",)
        if self.form is Form.GROUPS or self.group:
            return ("/apis",)
        if self.version:
            return ("/api",)
        return ("/api", "/apis")

    @property
    def asks_members(self) -> bool:
        """Whether members are asked for the same document as well."""
        return self.form in (Form.INDEX, Form.SPECIFICATION)


_LISTS: Final = (Form.CORE, Form.GROUPS)
_DOCUMENTS: Final = {
    ("api",): Document(Form.CORE),
    ("apis",): Document(Form.GROUPS),
    ("openapi", "v2"): Document(Form.SPECIFICATION),
    ("openapi", "v3"): Document(Form.INDEX),
}


def document_at(path: str) -> Document | None:
    """The document at a path, None where nothing is merged."""
    segments = path.strip("/").split("/")
    form = Form.RESOURCES
    if segments[:2] == ["openapi", "v3"] and len(segments) > 2:
        form = Form.SPECIFICATION
        segments = segments[2:]
    match segments:
        case ["api", version]:
            return Document(form, "", version)
        case ["apis", group, version]:
            return Document(form, group, version)
        case ["apis", group] if form is Form.RESOURCES:
            return Document(Form.GROUP, group)
    return _DOCUMENTS.get(tuple(segments)) if form is Form.RESOURCES else None


def accept_for(document: Document, accept: str) -> str:
    """What to accept from home on behalf of a client: its JSON forms; "" where it takes none."""
    if not accept.strip():
        return _JSON
    found: list[str] = []
    for entry in accept.split(","):
        media_type, _, parameters = (part.strip() for part in entry.partition(";"))
        if media_type.lower() in _ANY_TYPES:
            found.append(_JSON)
        elif media_type.lower() == _JSON:
            shaped = "as=" in parameters.lower()
            if not shaped or (_AGGREGATED in parameters.lower() and document.form in _LISTS):
                found.append(f"{_JSON};{parameters}" if parameters else _JSON)
    return ",".join(dict.fromkeys(found))


def merge(
    document: Document,
    home: bytes | None,
    offers: Sequence[Offer],
    specifications: Sequence[bytes | None] = (),
) -> bytes | None:
    """The document as it is with the offers; None where they add nothing.

    `home` is None where home has no such document. `specifications` are what each member answers
    to the same question, None where it did not. ValueError where home's cannot be read.
    """
    if document.form is Form.INDEX:
        merged = merge_index(_parsed(home), offers, specifications)
    elif document.form is Form.SPECIFICATION:
        group_version = (document.group, document.version) if document.version else None
        merged = merge_specification(_parsed(home), group_version, offers, specifications)
    else:
        merged = _MERGES[document.form](document, _parsed(home), offers)
    return None if merged is None else _written(merged)


def etag_of(content: bytes) -> str:
    """The ETag of a merged document, in the server's own form."""
    return f'"{hashlib.sha512(content).hexdigest().upper()}"'


def is_unchanged(if_none_match: str, etag: str) -> bool:
    """Whether a client has the document already."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in known or "*" in known


def _parsed(content: bytes | None) -> dict[str, Any] | None:
    return None if content is None else parse_json(content)


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")


def _merge_list(
    document: Document, home: dict[str, Any] | None, offers: Sequence[Offer]
) -> dict[str, Any] | None:
    """/api and /apis, in either form."""
    if home is None or home.get("kind") == "APIVersions":
        return None
    aggregated = home.get("kind") == "APIGroupDiscoveryList"
    found = (
        _Entries(_items(home, "items"), _name_of)
        if aggregated
        else _entries(home, "groups", "name")
    )
    changed = False
    for offer in offers:
        for group, versions in offer.groups.items():
            if bool(group) is (document.form is Form.GROUPS):
                add = _add_to_discovery if aggregated else _add_to_groups
                changed |= add(found, group, versions)
    return home if changed else None


def _add_to_discovery(
    items: _Entries, group: str, versions: Mapping[str, tuple[Resource, ...]]
) -> bool:
    item = items.find(group)
    changed = item is None
    if item is None:
        item = items.add(group, {"metadata": {"name": group}, "versions": []})
    known = _entries(item, "versions", "version")
    for version, resources in versions.items():
        entry = known.find(version)
        if entry is None:
            empty = {"version": version, "resources": [], "freshness": "Current"}
            entry = known.add(version, empty)
            changed = True
        found = _entries(entry, "resources", "resource")
        for resource in resources:
            changed |= _add_discovered(found, resource)
    return changed


def _name_of(item: dict[str, Any]) -> object:
    """The group of an item; the core group's name is left out."""
    metadata = item.get("metadata", {})
    return metadata.get("name", "") if isinstance(metadata, dict) else None


def _add_discovered(found: _Entries, resource: Resource) -> bool:
    entry = found.find(resource.name)
    if entry is None:
        found.add(resource.name, _discovered(resource))
        return True
    if not resource.subresources:
        return False
    known = _entries(entry, "subresources", "subresource")
    changed = False
    for subresource in resource.subresources:
        if known.find(subresource.name) is None:
            known.add(subresource.name, _discovered_subresource(subresource))
            changed = True
    return changed


def _discovered(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": resource.name,
        "responseKind": resource.kind._asdict(),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": resource.verbs,
        "shortNames": resource.short_names,
        "categories": resource.categories,
        "subresources": [_discovered_subresource(found) for found in resource.subresources],
    }
    return _without_empty(entry, "shortNames", "categories", "subresources")


def _discovered_subresource(subresource: Subresource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "subresource": subresource.name,
        "responseKind": None if subresource.kind is None else subresource.kind._asdict(),
        "acceptedTypes": [kind._asdict() for kind in subresource.accepted],
        "verbs": subresource.verbs,
    }
    return _without_empty(entry, "responseKind", "acceptedTypes")


def _add_to_groups(
    groups: _Entries, group: str, versions: Mapping[str, tuple[Resource, ...]]
) -> bool:
    entry = groups.find(group)
    if entry is None:
        groups.add(group, _group(group, versions))
        return True
    return _add_versions(entry, group, versions)


def _add_versions(
    entry: dict[str, Any], group: str, versions: Mapping[str, tuple[Resource, ...]]
) -> bool:
    known = _entries(entry, "versions", "version")
    added = [version for version in versions if known.find(version) is None]
    for version in added:
        known.add(version, _version(group, version))
    return bool(added)


def _group(group: str, versions: Mapping[str, tuple[Resource, ...]]) -> dict[str, Any]:
    listed = [_version(group, version) for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _version(group: str, version: str) -> dict[str, str]:
    return {"groupVersion": f"{group}/{version}", "version": version}


def _merge_group(
    document: Document, home: dict[str, Any] | None, offers: Sequence[Offer]
) -> dict[str, Any] | None:
    """/apis/GROUP."""
    changed = False
    for offer in offers:
        versions = offer.groups.get(document.group)
        if versions is None:
            continue
        if home is None:
            home = {"kind": "APIGroup", "apiVersion": "v1", **_group(document.group, versions)}
            changed = True
        else:
            changed |= _add_versions(home, document.group, versions)
    return home if changed else None


def _merge_resources(
    document: Document, home: dict[str, Any] | None, offers: Sequence[Offer]
) -> dict[str, Any] | None:
    """/api/VERSION and /apis/GROUP/VERSION."""
    changed = False
    for offer in offers:
        resources = offer.groups.get(document.group, {}).get(document.version, ())
        if resources and home is None:
            group_version = "/".join(filter(None, (document.group, document.version)))
            home = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version}
        if home is None:
            continue
        known = _items(home, "resources")
        names = {found.get("name") for found in known if isinstance(found, dict)}
        for resource in resources:
            added = [entry for entry in _listed(resource, document) if entry["name"] not in names]
            known.extend(added)
            changed |= bool(added)
    return home if changed else None


def _listed(resource: Resource, document: Document) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": resource.name,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        **_kind_in(document, resource.kind),
        "verbs": resource.verbs,
        "shortNames": resource.short_names,
        "categories": resource.categories,
    }
    listed = [_without_empty(entry, "shortNames", "categories")]
    for subresource in resource.subresources:
        kind = subresource.kind or ResponseKind("", "", "")
        listed.append(
            {
                "name": f"{resource.name}/{subresource.name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                **_kind_in(document, kind),
                "verbs": subresource.verbs,
            }
        )
    return listed


def _kind_in(document: Document, kind: ResponseKind) -> dict[str, str]:
    """Group and version are told where they are not the list's own."""
    if (kind.group, kind.version) in (("", ""), (document.group, document.version)):
        return {"kind": kind.kind}
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _without_empty(entry: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value or key not in keys}


class _Entries:
    """A list in home's document, by the names of its entries: members may offer thousands."""

    __slots__ = ("_by_name", "_items")

    def __init__(self, items: list[Any], name_of: Callable[[dict[str, Any]], object]) -> None:
        self._items = items
        self._by_name: dict[object, dict[str, Any]] = {}
        for item in items:
            name = name_of(item) if isinstance(item, dict) else None
            if isinstance(name, str):
                self._by_name.setdefault(name, item)

    def find(self, name: str) -> dict[str, Any] | None:
        return self._by_name.get(name)

    def add(self, name: str, entry: dict[str, Any]) -> dict[str, Any]:
        self._items.append(entry)
        self._by_name[name] = entry
        return entry


def _entries(parent: dict[str, Any], key: str, name: str) -> _Entries:
    """The list under a key, whose entries have their name under another."""
    return _Entries(_items(parent, key), lambda item: item.get(name))


def _items(parent: dict[str, Any], key: str) -> list[Any]:
    """The list under a key of home's document, made where it was left out."""
    found = parent.get(key)
    if found is None:
        found = parent[key] = []
    if not isinstance(found, list):
        message = f"{key} is not a list"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return found


_MERGES: Final[
    dict[Form, Callable[[Document, dict[str, Any] | None, Sequence[Offer]], dict[str, Any] | None]]
] = {
    Form.CORE: _merge_list,
    Form.GROUPS: _merge_list,
    Form.GROUP: _merge_group,
    Form.RESOURCES: _merge_resources,
}
