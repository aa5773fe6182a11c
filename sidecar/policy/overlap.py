"""Owns what two selectors have in common: of verbs and groups, of resources, of paths.

It must not know which of them allows and which denies.
"""

from __future__ import annotations

from typing import Final

from sidecar.policy.globs import pattern_matches

ANY: Final = "*"


def meet_words(asked: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Verbs or groups that are in both."""
    if ANY in asked:
        return allowed
    if ANY in allowed:
        return asked
    return tuple(word for word in asked if word in allowed)


def meet_resources(asked: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    met = dict.fromkeys(_meet_resource(asked, other) for other in allowed)
    return tuple(filter(None, met))


def _meet_resource(one: str, other: str) -> str:
    """`*` is everything, `pods/*` its subresources, `*/scale` that subresource of everything."""
    if ANY in (one, other):
        return other if one == ANY else one
    pieces, others = one.split("/", 1), other.split("/", 1)
    if len(pieces) != len(others):
        return ""
    met = [
        mine if theirs in (mine, ANY) else theirs if mine == ANY else ""
        for mine, theirs in zip(pieces, others, strict=True)
    ]
    return "/".join(met) if all(met) else ""


def matches_any(patterns: tuple[str, ...], text: str) -> bool:
    return any(pattern_matches(pattern, text) for pattern in patterns)


def meet_path(url: str, pattern: str) -> tuple[str, bool]:
    """What both match, "" for nothing; or whether that cannot be told in one pattern.

    RBAC knows a star at the end only.
    """
    head, star, rest = url.partition(ANY)
    if not star or rest:
        return (url if pattern_matches(pattern, url) else ""), False
    other_head, other_star, other_rest = pattern.partition(ANY)
    if not other_star:
        return (pattern if pattern.startswith(head) else ""), False
    if head.startswith(other_head):
        return ("", True) if other_rest else (url, False)
    if other_head.startswith(head):
        return ("", True) if other_rest else (pattern, False)
    return "", False
