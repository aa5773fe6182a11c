"""Owns merged OpenAPI: home's documents (versions 2 and 3), with the paths of what members offer.

Home always wins. Of a member's document only the paths of offered kinds are taken, and the schemas
that they lead to. It must not fetch anything.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from sidecar.offers import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sidecar.offers import Offer, Resource

# Where definitions stand, in both versions; a $ref names one as `#/…/NAME`.
_SECTIONS: Final = (("definitions",), ("parameters",), ("components", "schemas"))
_HASH: Final = re.compile(r"[0-9A-Fa-f]{1,128}")


def merge_index(
    home: dict[str, Any] | None, offers: Sequence[Offer], indexes: Sequence[bytes | None]
) -> dict[str, Any] | None:
    """/openapi/v3: where the document of each group and version is.

    Its address names a hash of the document, which changes with what is merged into it.
    """
    if home is None:
        return None
    known = _object(home, "paths")
    changed = False
    for offer, content in zip(offers, indexes, strict=True):
        paths = _readable(content).get("paths")
        theirs = paths if isinstance(paths, dict) else {}
        for key, resources in _offered_keys(offer):
            content_hash = _hash_of(theirs.get(key))
            if content_hash:
                names = ",".join(_plurals(resources))
                told = f"{_hash_of(known.get(key))} {content_hash} {names}"
                merged = hashlib.sha512(told.encode()).hexdigest().upper()
                known[key] = {"serverRelativeURL": f"/openapi/v3/{key}?hash={merged}"}
                changed = True
    return home if changed else None


def merge_specification(
    home: dict[str, Any] | None,
    group_version: tuple[str, str] | None,
    offers: Sequence[Offer],
    specifications: Sequence[bytes | None],
) -> dict[str, Any] | None:
    """/openapi/v2, or the document of one group and version of /openapi/v3."""
    changed = False
    for offer, content in zip(offers, specifications, strict=True):
        theirs = _readable(content)
        paths = theirs.get("paths")
        if not isinstance(paths, dict):
            continue
        wanted = _offered_paths(offer, group_version)
        offered = {
            path: item
            for path, item in paths.items()
            if isinstance(item, dict) and _shorten(path) in wanted
        }
        if offered and home is None:
            home = {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": ""}}
        if home is None:
            continue
        known = _object(home, "paths")
        added = {path: item for path, item in offered.items() if path not in known}
        if added:
            known |= added
            _add_definitions(home, theirs, added)
            changed = True
    return home if changed else None


def _readable(content: bytes | None) -> dict[str, Any]:
    """A member's document; one that cannot be read adds nothing."""
    if content is None:
        return {}
    try:
        return parse_json(content)
    except ValueError:
        return {}


def _offered_keys(offer: Offer) -> Iterator[tuple[str, tuple[Resource, ...]]]:
    for group, versions in offer.groups.items():
        for version, resources in versions.items():
            yield (f"apis/{group}/{version}" if group else f"api/{version}"), resources


def _hash_of(entry: object) -> str:
    url = entry.get("serverRelativeURL") if isinstance(entry, dict) else None
    found = url.rpartition("?hash=")[2] if isinstance(url, str) else ""
    return found if _HASH.fullmatch(found) is not None else ""


def _plurals(resources: tuple[Resource, ...]) -> Iterator[str]:
    for resource in resources:
        yield resource.name
        for subresource in resource.subresources:
            yield f"{resource.name}/{subresource.name}"


def _offered_paths(offer: Offer, group_version: tuple[str, str] | None) -> frozenset[str]:
    """The paths that may be added, in their short form."""
    wanted: set[str] = set()
    for group, versions in offer.groups.items():
        for version, resources in versions.items():
            if group_version in (None, (group, version)):
                prefix = f"/apis/{group}/{version}/" if group else f"/api/{version}/"
                wanted.add(prefix)
                wanted.update(prefix + plural for plural in _plurals(resources))
    return frozenset(wanted)


def _shorten(path: str) -> str:
    """A path by what it serves: without watch/, namespace and name.

    `/apis/G/V/watch/namespaces/{namespace}/KIND/{name}/SUB` becomes `/apis/G/V/KIND/SUB`.
    """
    at = 4 if path.startswith("/apis/") else 3
    pieces = path.split("/")
    prefix, rest = pieces[:at], pieces[at:]
    if rest[:1] == ["watch"]:
        rest = rest[1:]
    if rest[:2] == ["namespaces", "{namespace}"]:
        rest = rest[2:]
    kept = [piece for piece in rest if piece not in ("{name}", "{path}")]
    return "/".join((*prefix, *kept))


def _add_definitions(
    home: dict[str, Any], theirs: Mapping[str, Any], added: Mapping[str, Any]
) -> None:
    """What the added paths refer to, directly or through others, as far as home lacks it."""
    left: list[Any] = [added]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left.extend(value)
        elif isinstance(value, dict):
            left.extend(value.values())
            found = _take(home, theirs, value.get("$ref"))
            if found is not None:
                left.append(found)


def _take(home: dict[str, Any], theirs: Mapping[str, Any], reference: object) -> object:
    """The definition that was added for a reference, None where none had to be."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    *section, name = reference[2:].split("/")
    if tuple(section) not in _SECTIONS:
        return None
    source: object = theirs
    for key in (*section, name):
        source = source.get(key) if isinstance(source, dict) else None
    target = home
    for key in section:
        target = _object(target, key)
    if not isinstance(source, dict) or name in target:
        return None
    target[name] = source
    return source


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under a key of home's document, made where it was left out."""
    found = parent.setdefault(key, {})
    if not isinstance(found, dict):
        message = f"{key} is not an object"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return found
