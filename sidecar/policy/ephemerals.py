"""Owns the judgement of ephemeral containers: whether one names a container or volume of ours.

A whole pod that is sent back (PUT) names the sidecar rightly among its other containers; only what
stands under ephemeralContainers counts. It must not know which requests carry such a body.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sidecar.policy.bodies import Finding, Format
from sidecar.policy.protobuf import open_envelope, values_at

if TYPE_CHECKING:
    from collections.abc import Iterator

# Pod.spec.ephemeralContainers
_PROTOBUF_PATH: Final = (2, 34)
_KEY: Final = "ephemeralContainers".casefold()


class _Pairs(list[tuple[str, object]]):
    """A JSON object with every key that was given, also twice."""


def finds_sidecar(form: Format, content: bytes) -> Finding:
    """Whether the ephemeral containers in this body name `mca` or `mca-*`."""
    try:
        if form is Format.PROTOBUF:
            containers = values_at(open_envelope(content), _PROTOBUF_PATH)
            # No schema is known below: any mention counts.
            return _found(any(b"mca" in container for container in containers))
        text = content.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return _judge_yaml(content) if form is Format.YAML else Finding.MALFORMED
    if form is Format.JSON_PATCH:
        return _found(_patch_reaches(document))
    return _found(any(_is_ours(text) for text in _strings(document, inside=False)))


def _found(present: bool) -> Finding:
    return Finding.PRESENT if present else Finding.ABSENT


def _is_ours(text: str) -> bool:
    return text == "mca" or text.startswith("mca-")


def _judge_yaml(content: bytes) -> Finding:
    """bodies.py says why no other spelling is left without backslashes and tags."""
    if any(sign in content for sign in (b"mca", b"\\", b"!", b"\x00")):
        return Finding.UNPROVEN
    return Finding.ABSENT


def _patch_reaches(document: object) -> bool:
    """JSON patches.

    Copy and move could bring in a name from elsewhere in the pod without spelling it.
    """
    texts = set(_strings(document, inside=True))
    return bool(texts & {"copy", "move"}) or any(map(_is_ours, texts))


def _strings(document: object, *, inside: bool) -> Iterator[str]:
    """Every string under a key ephemeralContainers, keys too.

    Every string at all when `inside` from the start.
    """
    stack = [(document, inside)]
    while stack:
        value, counts = stack.pop()
        if isinstance(value, _Pairs):
            for key, member in value:
                if counts:
                    yield key
                stack.append((member, counts or key.casefold() == _KEY))
        elif isinstance(value, list):
            stack.extend((member, counts) for member in value)
        elif isinstance(value, str) and counts:
            yield value
