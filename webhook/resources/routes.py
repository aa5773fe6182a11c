"""Owns the reading of a Route: which calls of its namespace's callers go to which cluster.

Must not judge whether its clusters may be used: compiling does, which knows the Tenant.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sidecar.policy.fields import DNS_LABEL, Check
from sidecar.policy.snapshot_routes import read_routes
from webhook.resources.meta import (
    Invalid,
    Meta,
    RawDocument,
    documents,
    mapping,
    read_meta,
    text_list,
)
from webhook.resources.readings import as_fields, problems_of

MAX_PRIORITY: Final = 999
# Of one Route, as `Size` counts them: what is more is not remembered by anybody.
MAX_LETTERS: Final = 128 * 1024
# What a word costs beside its own letters, in JSON.
AROUND_WORD: Final = 3
_TOO_LONG: Final = (
    f"spec.match: its lists hold {{}} letters (each word counts {AROUND_WORD} more), and at most "
    f"{MAX_LETTERS} are taken: put patterns in the place of many names, or make several Routes"
)
_PLACES: Final = {
    "routes[0].name": "metadata.name",
    "routes[0]": "spec",
}


class Size(NamedTuple):
    """How much the lists of a match hold. Each word counts three letters more than it has."""

    words: int
    letters: int


class Route(NamedTuple):
    """A Route. `match` and `to` are as a snapshot has them."""

    meta: Meta
    priority: int
    match: tuple[RawDocument, ...]
    to: RawDocument

    @property
    def name(self) -> str:
        return self.meta.name

    @property
    def clusters(self) -> tuple[str, ...]:
        """Its members, then its stand-ins."""
        return list_clusters(self.to)

    @property
    def size(self) -> Size:
        return measure(self.match)


class Outline(NamedTuple):
    """A Route of which no more was kept: what it says has to be read again before it counts."""

    meta: Meta
    priority: int
    size: Size

    @property
    def name(self) -> str:
        return self.meta.name


def parse_route(document: RawDocument) -> Route | Invalid:
    """The Route, or all that is wrong with it."""
    meta = read_meta(document)
    spec = mapping(document.get("spec"))
    problems = judge_route(meta.name, spec, _PLACES)
    if problems:
        return Invalid(meta, problems)
    match = documents(spec["match"])
    letters = measure(match).letters
    if letters > MAX_LETTERS:
        return Invalid(meta, (_TOO_LONG.format(letters),))
    return Route(meta, spec.get("priority", 0), match, spec["to"])


def judge_route(name: object, spec: RawDocument, places: dict[str, str]) -> tuple[str, ...]:
    """What is wrong with a route, its clusters' existence aside; `places` renames paths."""
    priority = spec.get("priority", 0)
    raw = {"name": name, "priority": priority}
    raw |= {key: value for key, value in spec.items() if key not in raw}
    check = Check()
    if not isinstance(name, str) or DNS_LABEL.fullmatch(name) is None:
        check.fail("routes[0].name", "must be a DNS-1123 label of at most 63 characters")
    elif not _is_priority(priority):
        check.fail("routes[0].priority", f"must be a whole number from 0 to {MAX_PRIORITY}")
    else:
        read_routes(check, as_fields([raw]), None)
    return problems_of(check, places)


def measure(match: Iterable[RawDocument]) -> Size:
    """How much the lists of a match hold."""
    words = [word for entry in match for listed in entry.values() for word in text_list(listed)]
    return Size(len(words), sum(map(len, words)) + AROUND_WORD * len(words))


def list_clusters(to: RawDocument) -> tuple[str, ...]:
    """The clusters that a route's `to` names: members, then stand-ins."""
    members = tuple(member["cluster"] for member in documents(to.get("members")))
    return members + text_list(to.get("standIns"))


def _is_priority(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PRIORITY
