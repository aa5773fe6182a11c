"""Owns the index by which rules are found: each axis maps a value to the rules that take it.

A set of rules is an int, one bit a rule, so that a decision is a few lookups and as many ANDs
however many rules there are. It must not know what a rule means: permissions and routes are both
looked up here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.globs import generated_matches, glob_matches, surely_generated
from sidecar.policy.requestinfo import is_namespace_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.verdict import Caller

_ANY: Final = "*"
_ALL: Final = (_ANY,)
_EVERY: Final = -1


class Row(NamedTuple):
    """The selectors of one rule."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    namespaces: tuple[str, ...] = _ALL
    names: tuple[str, ...] = _ALL
    containers: tuple[str, ...] = _ALL
    service_accounts: tuple[str, ...] = _ALL


class PathRow(NamedTuple):
    """The selectors of one rule on paths."""

    verbs: tuple[str, ...]
    paths: tuple[str, ...]
    containers: tuple[str, ...] = _ALL
    service_accounts: tuple[str, ...] = _ALL


class ObjectName(NamedTuple):
    """The name that a call is about; `generated` is what the server makes one of. Or neither."""

    name: str = ""
    generated: str = ""


class Axis:
    """One selector of all rules.

    Literals stand in a dict, each with the rules that take any value added. So do patterns with one
    star, to be found by what stands before it and behind it. Those with more stars are tried one by
    one, for rules that everything else has left.
    """

    __slots__ = ("_literals", "_loose", "_many", "_one_star", "_patterns", "_shapes", "any")

    def __init__(self, columns: Iterable[tuple[str, ...]]) -> None:
        entries = _collect(columns)
        self.any = entries.pop(_ANY, 0)
        self._patterns = {
            pattern: rules & ~self.any for pattern, rules in entries.items() if rules & ~self.any
        }
        self._literals: dict[str, int] = {}
        self._one_star: dict[str, int] = {}
        self._many: list[tuple[int, tuple[str, ...]]] = []
        self._loose = 0
        shapes: dict[tuple[int, int], int] = {}
        # One rule may name thousands of values: they share one int.
        shared: dict[int, int] = {}
        for pattern, rules in self._patterns.items():
            parts = tuple(pattern.split(_ANY))
            if len(parts) == 1:
                every = rules | self.any
                self._literals[pattern] = shared.setdefault(every, every)
                continue
            self._loose |= rules
            if len(parts) == 2:
                self._one_star[pattern] = shared.setdefault(rules, rules)
                shape = (len(parts[0]), len(parts[1]))
                shapes[shape] = shapes.get(shape, 0) | rules
            else:
                self._many.append((rules, parts))
        self._shapes = [(*shape, rules) for shape, rules in shapes.items()]

    @property
    def selects(self) -> bool:
        """Whether any rule takes some values only."""
        return bool(self._patterns)

    def find(self, value: str, rules: int) -> int:
        """Those of the rules that take this value."""
        found = self._literals.get(value, self.any) & rules
        loose = self._loose & rules & ~found
        if not loose:
            return found
        size = len(value)
        for before, behind, mine in self._shapes:
            if mine & loose and before + behind <= size:
                pattern = f"{value[:before]}*{value[size - behind :]}"
                found |= self._one_star.get(pattern, 0) & rules
        for mine, parts in self._many:
            if mine & loose & ~found and glob_matches(parts, value):
                found |= mine & rules
        return found

    def find_generated(self, base: str, rules: int) -> tuple[int, int]:
        """Those that surely take the name made of a generateName, and those that may."""
        sure = self.find(surely_generated(base), rules)
        maybe = sure
        for pattern, mine in self._patterns.items():
            if mine & rules & ~maybe and generated_matches(pattern, base) is None:
                maybe |= mine & rules
        return sure, maybe


class KindAxis:
    """Resources and subresources: "pods", "pods/exec", "pods/*", "*/scale" or "*"."""

    __slots__ = ("_any", "_by_kind", "_by_subresource", "_literals", "_named")

    def __init__(self, columns: Iterable[tuple[str, ...]]) -> None:
        named = _collect(columns)
        self._any = named.pop(_ANY, 0)
        self._by_kind: dict[str, int] = {}
        self._by_subresource: dict[str, int] = {}
        self._named: dict[str, int] = {}
        for resource, rules in named.items():
            kind, _, subresource = resource.partition("/")
            if kind == _ANY:
                self._by_subresource[subresource] = rules
            elif subresource == _ANY:
                self._by_kind[kind] = rules
            else:
                self._named[resource] = rules
        self._literals = {resource: rules | self._any for resource, rules in self._named.items()}

    def find(self, resource: str, subresource: str) -> int:
        """The rules that take it."""
        if not subresource:
            return self._literals.get(resource, self._any)
        return (
            self._literals.get(f"{resource}/{subresource}", self._any)
            | self._by_kind.get(resource, 0)
            | self._by_subresource.get(subresource, 0)
        )

    def find_named(self, resource: str, subresource: str) -> int:
        """The rules that spell it out."""
        return self._named.get(f"{resource}/{subresource}" if subresource else resource, 0)


class CallerAxis:
    """Containers and service accounts, of which rules rarely name any."""

    __slots__ = ("_accounts", "_containers", "_selects")

    def __init__(
        self, containers: Sequence[tuple[str, ...]], accounts: Sequence[tuple[str, ...]]
    ) -> None:
        self._containers = Axis(containers)
        self._accounts = Axis(accounts)
        self._selects = self._containers.selects or self._accounts.selects

    def find(self, caller: Caller, rules: int) -> int:
        """Those of the rules that speak of this caller."""
        if not self._selects:
            return self._containers.any & rules
        rules = self._containers.find(caller.container, rules)
        return self._accounts.find(caller.service_account, rules)


class Index:
    """Rules on resources."""

    __slots__ = (
        "_any_group",
        "_any_verb",
        "_callers",
        "_groups",
        "_kinds",
        "_names",
        "_namespaces",
        "_verbs",
    )

    def __init__(self, rows: Sequence[Row]) -> None:
        # Verbs and groups have no patterns.
        self._verbs = _collect(row.verbs for row in rows)
        self._any_verb = self._verbs.get(_ANY, 0)
        self._groups = _collect(row.groups for row in rows)
        self._any_group = self._groups.get(_ANY, 0)
        self._kinds = KindAxis(row.resources for row in rows)
        self._namespaces = Axis(row.namespaces for row in rows)
        self._names = Axis(row.names for row in rows)
        self._callers = CallerAxis(
            [row.containers for row in rows], [row.service_accounts for row in rows]
        )

    def select(self, verb: str, info: RequestInfo, caller: Caller) -> int:
        """The rules that speak of this call, whatever the name of its object is."""
        found = (
            self._kinds.find(info.resource, info.subresource)
            & (self._groups.get(info.group, 0) | self._any_group)
            & (self._verbs.get(verb, 0) | self._any_verb)
        )
        if not found:
            return 0
        found = self._callers.find(caller, found)
        # A namespace stands in itself: in which, its name tells.
        return found if is_namespace_object(info) else self._namespaces.find(info.namespace, found)

    def of_caller(self, caller: Caller) -> int:
        """The rules that speak of this caller."""
        return self._callers.find(caller, _EVERY)

    def spelled_out(self, info: RequestInfo) -> int:
        """The rules that name this group and resource themselves."""
        kinds = self._kinds.find_named(info.resource, info.subresource)
        return kinds & self._groups.get(info.group, 0)

    def of_kind(self, group: str, resource: str) -> int:
        """The rules that speak of a resource ("pods" or "pods/exec")."""
        kind, _, subresource = resource.partition("/")
        return self.of_group(group, self._kinds.find(kind, subresource))

    def of_group(self, group: str, rules: int) -> int:
        """Those of the rules that speak of something in this group."""
        return rules & (self._groups.get(group, 0) | self._any_group)

    @property
    def has_names(self) -> bool:
        """Whether any rule is about objects of some names only."""
        return self._names.selects or self._namespaces.selects

    def narrow(self, rules: int, info: RequestInfo, name: ObjectName) -> tuple[int, int]:
        """Those of the rules that surely speak of this object, and those that may.

        Of a call that names no object, those surely do that speak of every object, and all may.
        """
        sure, maybe = _narrow(self._names, rules, name)
        if is_namespace_object(info):
            also, perhaps = _narrow(self._namespaces, rules, name)
            return sure & also, maybe & perhaps
        return sure, maybe


class PathIndex:
    """Rules on paths that are no resources."""

    __slots__ = ("_any_verb", "_callers", "_paths", "_verbs")

    def __init__(self, rows: Sequence[PathRow]) -> None:
        self._verbs = _collect(row.verbs for row in rows)
        self._any_verb = self._verbs.get(_ANY, 0)
        self._paths = Axis(row.paths for row in rows)
        self._callers = CallerAxis(
            [row.containers for row in rows], [row.service_accounts for row in rows]
        )

    def select(self, verb: str, path: str, caller: Caller) -> int:
        """The rules that speak of this call. A slash at the end makes no other path of it."""
        found = self._verbs.get(verb, 0) | self._any_verb
        found = self._callers.find(caller, found)
        return self._paths.find(path, found) | self._paths.find(path.rstrip("/"), found)


def _narrow(axis: Axis, rules: int, name: ObjectName) -> tuple[int, int]:
    if name.name:
        found = axis.find(name.name, rules)
        return found, found
    if name.generated:
        return axis.find_generated(name.generated, rules)
    return axis.any & rules, rules


def first_rule(rules: int) -> int:
    """The number of the first rule of a set that is not empty."""
    return (rules & -rules).bit_length() - 1


def _collect(columns: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """Each entry of a selector, with the rules that have it. Nothing but stars is any value."""
    found: dict[str, int] = {}
    for number, column in enumerate(columns):
        rule = 1 << number
        for entry in column:
            key = _ANY if entry and not entry.strip(_ANY) else entry
            found[key] = found.get(key, 0) | rule
    return found
