"""Owns what a caller may do as a list of rules: RBAC's own list, reduced to what policy allows too.

A rule stays only as far as all that it says is allowed and answered by the cluster that told it;
what is allowed in part is left out, and the list says so. It must not decide calls, nor know where
policy comes from: it is handed over as values, for one caller and one namespace.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.documents import is_bounded, text_of
from sidecar.policy.overlap import ANY, matches_any, meet_path, meet_resources, meet_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidecar.policy.reviews import Access

_ALL: Final = (ANY,)
_VERBS: Final = (
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
)  # fmt: skip
_METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
_EVERY_SUBRESOURCE: Final = "/*"
# Four microseconds each, while all calls wait: what multiplies to more is told of in part.
_MAX_STEPS: Final = 10_000
_MAX_NOTES: Final = 8

# guards.py refuses these to everybody. Its other refusals hang on a call's body or container, and
# a wildcard is not understood to name what nobody may do.
_NEVER: Final = frozenset({"pods/proxy", "services/proxy", "nodes/proxy", "*/proxy"})


class Grant(NamedTuple):
    """Some calls, of one caller in one namespace, and the rule that speaks of them.

    Selectors as in permissions. `namespaced` limits it to kinds that have namespaces, or to those
    that have none. With `cluster`, the calls are answered there and not at home; `at_home` shields
    them from what follows.
    """

    rule: str
    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = _ALL
    paths: tuple[str, ...] = ()
    namespaced: bool | None = None
    cluster: str = ""
    at_home: bool = False


class View(NamedTuple):
    """Policy as one caller meets it in one namespace.

    `allows` is None where policy leaves all to RBAC. `denies` are deny rules, and what other
    clusters answer. `reserved` is what an allow rule covers only where it names group and resource
    itself. `is_namespaced` tells of a group and resource; None where that is not known. What
    `stays_home` (group and resource) is answered elsewhere only where a rule names it.
    """

    allows: tuple[Grant, ...] | None
    denies: tuple[Grant, ...]
    reserved: tuple[Grant, ...]
    is_namespaced: Callable[[str, str], bool | None]
    stays_home: frozenset[tuple[str, str]] = frozenset()


class _Kind(NamedTuple):
    """What one entry of a rule is about; a name of None is every name and none."""

    group: str
    resource: str
    name: str | None


def reduce_rules(answer: bytes, view: View) -> bytes:
    """The JSON of a SelfSubjectRulesReview with less in it.

    ValueError where it is none.
    """
    review = _read(answer)
    status = _object(review.get("status"))
    reduction = _Reduction(view)
    for rule in _objects(status, "resourceRules"):
        reduction.add_resources(
            _texts(rule, "verbs"),
            _texts(rule, "apiGroups"),
            _texts(rule, "resources"),
            _texts(rule, "resourceNames"),
        )
    for rule in _objects(status, "nonResourceRules"):
        reduction.add_paths(_texts(rule, "verbs"), _texts(rule, "nonResourceURLs"))
    told = status.get("evaluationError")
    notes = [told] if isinstance(told, str) and told else []
    notes += reduction.notes
    reduced: dict[str, object] = {
        "resourceRules": _list_resources(reduction.kinds),
        "nonResourceRules": _list_paths(reduction.paths),
        "incomplete": bool(status.get("incomplete")) or bool(notes),
    }
    if notes:
        reduced["evaluationError"] = _join(notes)
    return json.dumps({**review, "status": reduced}, separators=(",", ":")).encode("ascii")


def find_obstacle(view: View, access: Access) -> str:
    """Why something that asks for many things at once is not wholly allowed; "" where it is."""
    reduction = _Reduction(view)
    verbs = (access.verb,)
    if access.path:
        reduction.add_paths(verbs, (access.path,))
        found = reduction.paths.get(access.path)
    else:
        resource = "/".join(filter(None, (access.resource, access.subresource)))
        names = (access.name,) if access.name else ()
        reduction.add_resources(verbs, (access.group,), (resource,), names)
        found = reduction.kinds.get(_Kind(access.group, resource, access.name or None))
    if found is not None and access.verb in found:
        return ""
    return _join(reduction.notes) or "no rule allows all of it: ask for one thing at a time"


class _Reduction:
    """What is left of the rules so far, by what they are about, and why there is not more."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._steps = 0
        self._notes: dict[str, None] = {}
        self.kinds: dict[_Kind, dict[str, None]] = {}
        self.paths: dict[str, dict[str, None]] = {}

    @property
    def notes(self) -> list[str]:
        return list(self._notes)

    def add_resources(
        self,
        verbs: Iterable[str],
        groups: Iterable[str],
        resources: Iterable[str],
        names: Iterable[str],
    ) -> None:
        """One rule on resources; without names it is about all."""
        asked = tuple(verbs)
        each_name = tuple(names) or (None,)
        for group, resource in _pairs(groups, resources):
            for name in each_name:
                for met, allowed in self._meet(_Kind(group, resource, name), asked):
                    left = self._subtract(met, allowed, self._view.denies)
                    if left:
                        self.kinds.setdefault(met, {}).update(dict.fromkeys(left))

    def add_paths(self, verbs: Iterable[str], urls: Iterable[str]) -> None:
        """One rule on paths that are no resources."""
        asked = tuple(verbs)
        for url in urls:
            for path, allowed in self._meet_paths(url, asked):
                left = self._subtract_paths(path, allowed)
                if left:
                    self.paths.setdefault(path, {}).update(dict.fromkeys(left))

    def _spend(self) -> bool:
        """Whether there is time for one more step."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            self._note("the rules are too many to be compared")
        return self._steps <= _MAX_STEPS

    def _note(self, why: str) -> None:
        self._notes[why] = None

    def _meet(self, kind: _Kind, verbs: tuple[str, ...]) -> Iterator[tuple[_Kind, tuple[str, ...]]]:
        """What is allowed of this entry, in as many pieces as there are rules."""
        if self._view.allows is None:
            if not _is_refused_to_all(kind.group, kind.resource):
                yield kind, verbs
            return
        for grant in self._view.allows:
            if not self._spend():
                return
            met_verbs = meet_words(verbs, grant.verbs)
            if not met_verbs:
                continue
            for group, resource in _pairs(
                meet_words((kind.group,), grant.groups),
                meet_resources(kind.resource, grant.resources),
            ):
                if not self._may_tell(grant, group, resource):
                    continue
                for name in self._meet_names(kind.name, grant):
                    met = _Kind(group, resource, name)
                    literal = ANY not in group and ANY not in resource
                    named = literal and group in grant.groups and resource in grant.resources
                    reserved = () if named else self._view.reserved
                    yield met, self._subtract(met, met_verbs, reserved)

    def _may_tell(self, grant: Grant, group: str, resource: str) -> bool:
        if _is_refused_to_all(group, resource):
            return False
        if resource.endswith(_EVERY_SUBRESOURCE):
            self._note(f"{grant.rule} allows {_spell(group, resource)}, which RBAC cannot say")
            return False
        if grant.namespaced is None:
            return True
        main = resource.partition("/")[0]
        if ANY in (group, main):
            self._note(f"{grant.rule} allows a part of {_spell(group, resource)}")
            return False
        told = self._view.is_namespaced(group, main)
        if told is None:
            self._note(f"whether {_spell(group, main)} has namespaces is not known")
        return told is grant.namespaced

    def _meet_names(self, name: str | None, grant: Grant) -> list[str | None]:
        if name is not None:
            return [name] if matches_any(grant.names, name) else []
        if ANY in grant.names:
            return [None]
        if any(ANY in pattern for pattern in grant.names):
            self._note(f"{grant.rule} allows names by a pattern")
        return [pattern for pattern in grant.names if ANY not in pattern]

    def _subtract(
        self, kind: _Kind, verbs: tuple[str, ...], denies: tuple[Grant, ...]
    ) -> tuple[str, ...]:
        shielded: tuple[str, ...] = ()
        for deny in denies:
            if not self._spend():
                return ()
            if deny.cluster and self._stays_home(kind, deny):
                continue
            whole = _covers(deny, kind)
            if deny.at_home:
                if whole:
                    shielded += meet_words(verbs, deny.verbs)
                    verbs = tuple(verb for verb in verbs if verb not in shielded)
            elif whole is not None:
                what = _spell(kind.group, kind.resource)
                verbs = self._without(verbs, deny, what, _VERBS, whole=whole)
            if not verbs:
                break
        return shielded + verbs

    def _stays_home(self, kind: _Kind, deny: Grant) -> bool:
        main = kind.resource.partition("/")[0]
        named = kind.group in deny.groups and kind.resource in deny.resources
        return (kind.group, main) in self._view.stays_home and not named

    def _without(
        self, verbs: tuple[str, ...], deny: Grant, what: str, known: tuple[str, ...], *, whole: bool
    ) -> tuple[str, ...]:
        """The verbs that a deny rule leaves. Of what it denies as a whole, nothing is missing."""
        if ANY in deny.verbs:
            left: tuple[str, ...] = ()
        elif ANY in verbs:
            whole = False
            left = tuple(verb for verb in (*verbs, *known) if verb not in (ANY, *deny.verbs))
        else:
            left = tuple(verb for verb in verbs if verb not in deny.verbs)
        if left != verbs and deny.cluster:
            self._note(f"{what} is answered by cluster {deny.cluster} ({deny.rule})")
        elif left != verbs and not whole:
            self._note(f"{deny.rule} denies a part of {what}")
        return left

    def _meet_paths(
        self, url: str, verbs: tuple[str, ...]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        if self._view.allows is None:
            yield url, verbs
            return
        for grant in self._view.allows:
            if not self._spend():
                return
            met_verbs = meet_words(verbs, grant.verbs)
            if not met_verbs:
                continue
            for pattern in grant.paths:
                path, doubtful = meet_path(url, pattern)
                if doubtful:
                    self._note(f"{grant.rule} allows a part of {url}")
                elif path:
                    yield path, met_verbs

    def _subtract_paths(self, path: str, verbs: tuple[str, ...]) -> tuple[str, ...]:
        for deny in self._view.denies:
            for pattern in deny.paths:
                if not verbs or not self._spend():
                    return ()
                met, doubtful = meet_path(path, pattern)
                if met or doubtful:
                    verbs = self._without(verbs, deny, path, _METHODS, whole=met == path)
        return verbs


def _pairs(groups: Iterable[str], resources: Iterable[str]) -> list[tuple[str, str]]:
    named = tuple(resources)
    return [(group, resource) for group in groups for resource in named]


def _is_refused_to_all(group: str, resource: str) -> bool:
    return group in ("", ANY) and resource in _NEVER


def _covers(deny: Grant, kind: _Kind) -> bool | None:
    """Whether a rule speaks of all of a kind, or of a part; None where it does not speak of it.

    A rule on some names also speaks of what reaches them without naming them.
    """
    group_met = meet_words((kind.group,), deny.groups)
    resource_met = meet_resources(kind.resource, deny.resources)
    if not group_met or not resource_met:
        return None
    if kind.name is not None and not matches_any(deny.names, kind.name):
        return None
    whole = kind.group in group_met and kind.resource in resource_met
    return whole and (ANY in deny.names or kind.name is not None)


def _spell(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def _plain_verbs(verbs: Iterable[str]) -> tuple[str, ...]:
    found = tuple(verbs)
    return _ALL if ANY in found else found


def _list_resources(kinds: dict[_Kind, dict[str, None]]) -> list[dict[str, list[str]]]:
    """What is alike but for the resource, or but for the name, becomes one rule."""
    rules: dict[tuple[tuple[str, ...], str, str], dict[str, list[str]]] = {}
    for kind, verbs in kinds.items():
        plain = _plain_verbs(verbs)
        named = kind.name is not None
        rule = rules.setdefault(
            (plain, kind.group, kind.resource if named else ""),
            {"verbs": list(plain), "apiGroups": [kind.group], "resources": []},
        )
        if kind.resource not in rule["resources"]:
            rule["resources"].append(kind.resource)
        if kind.name is not None:
            rule.setdefault("resourceNames", []).append(kind.name)
    return list(rules.values())


def _list_paths(paths: dict[str, dict[str, None]]) -> list[dict[str, list[str]]]:
    rules: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for path, verbs in paths.items():
        plain = _plain_verbs(verbs)
        rule = rules.setdefault(plain, {"verbs": list(plain), "nonResourceURLs": []})
        rule["nonResourceURLs"].append(path)
    return list(rules.values())


def _join(notes: list[str]) -> str:
    told = notes[:_MAX_NOTES]
    if len(notes) > len(told):
        told.append(f"and {len(notes) - len(told)} more")
    return "; ".join(told)


def _read(answer: bytes) -> dict[str, object]:
    text = answer.decode("utf-8")
    if not is_bounded(text):
        message = "the list of rules is too long"
        raise ValueError(message)
    try:
        return _object(json.loads(text))
    except RecursionError:
        message = "nested too deeply"
        raise ValueError(message) from None


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        message = "not a SelfSubjectRulesReview"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return value


def _objects(parent: dict[str, object], key: str) -> list[dict[str, object]]:
    return [_object(item) for item in _items(parent, key)]


def _texts(parent: dict[str, object], key: str) -> list[str]:
    return [text_of(item) for item in _items(parent, key)]


def _items(parent: dict[str, object], key: str) -> list[object]:
    found = parent.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        message = f"{key} is not a list"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return found
