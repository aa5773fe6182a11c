"""Owns what a replay found: changes in groups, each with a count and its most frequent calls.

Must not grow with the number of calls: groups and the calls told of each are bounded.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from webhook.cli.policy.audit_lines import Outcome, Record

_MAX_GROUPS = 1000
_MAX_CALLS = 200
_SHOWN_CALLS = 5


class Change(NamedTuple):
    """What was, what would be; not `sure`: it hangs on a body, which was not recorded."""

    old: Outcome
    new: Outcome
    sure: bool = True


def find_change(old: Outcome, new: Outcome, *, sure: bool) -> Change | None:
    """The change, if it is one; what the old line does not tell is not held against the new."""
    if old.permitted == new.permitted:
        same_rule = not old.rule or old.rule == new.rule
        same_member = not old.members or not new.members or old.members[0] in new.members
        if same_rule and same_member and old.route == new.route:
            return None
    return Change(old, new, sure)


class _Group:
    __slots__ = ("calls", "count", "example")

    def __init__(self, example: str) -> None:
        self.count = 0
        self.example = example
        self.calls: Counter[str] = Counter()

    def add(self, call: str) -> None:
        self.count += 1
        if call in self.calls or len(self.calls) < _MAX_CALLS:
            self.calls[call] += 1


class Changes:
    """All changes of a replay."""

    def __init__(self) -> None:
        self.count = 0
        self.left_out = 0
        self._groups: dict[Change, _Group] = {}

    def add(self, change: Change, record: Record) -> None:
        """Count one."""
        self.count += 1
        group = self._groups.get(change)
        if group is None:
            if len(self._groups) >= _MAX_GROUPS:
                self.left_out += 1
                return
            group = self._groups[change] = _Group(record.ident)
        group.add(describe_call(record))

    def render_text(self) -> Iterator[str]:
        """The gravest first: calls that are refused, then allowed, then served elsewhere."""
        for change, group in self._ordered():
            yield ""
            yield f"{group.count:>8}  {_describe(change)}"
            for call, count in group.calls.most_common(_SHOWN_CALLS):
                yield f"{count:>16}  {call}"
            others = len(group.calls) - _SHOWN_CALLS
            if others > 0:
                more = "or more " if len(group.calls) == _MAX_CALLS else ""
                yield f"{'':>16}  and {others} {more}other calls"
            yield f"{'':>16}  first: {group.example or 'a line without an id'}"
        if self.left_out:
            yield ""
            yield f"{self.left_out:>8}  more, in groups beyond the first {_MAX_GROUPS}"

    def render_json(self) -> Iterator[str]:
        """One object for each group."""
        for change, group in self._ordered():
            document = {
                "count": group.count,
                "old": _as_fields(change.old),
                "new": _as_fields(change.new),
                "hangsOnBody": not change.sure,
                "calls": dict(group.calls.most_common(_SHOWN_CALLS)),
                "example": group.example,
            }
            yield json.dumps(document)

    def _ordered(self) -> list[tuple[Change, _Group]]:
        return sorted(self._groups.items(), key=lambda item: (_gravity(item[0]), -item[1].count))


def describe_call(record: Record) -> str:
    """A call without the name of its object, so that like calls are counted together."""
    info, caller = record.info, record.caller
    if not info.is_resource:
        return f"{info.verb} {info.path} by {caller.container}"
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    kind = f"{resource}.{info.group}" if info.group else resource
    where = f" in {info.namespace}" if info.namespace else ""
    return f"{info.verb} {kind}{where} by {caller.container}"


def _gravity(change: Change) -> tuple[bool, int]:
    if change.old.permitted != change.new.permitted:
        return not change.sure, 0 if change.old.permitted else 1
    moved = change.old.route != change.new.route or change.old.members != change.new.members
    return not change.sure, 2 if moved else 3


def _describe(change: Change) -> str:
    unsure = "" if change.sure else " (hangs on their bodies, which are not recorded)"
    return f"{_describe_outcome(change.old)} -> {_describe_outcome(change.new)}{unsure}"


def _describe_outcome(outcome: Outcome) -> str:
    by = f" by {outcome.rule}" if outcome.rule else ""
    if not outcome.permitted:
        return f"denied{by}"
    at = f" at {outcome.members[0]}" if outcome.members else ""
    route = f" over route {outcome.route}" if outcome.route else ""
    return f"allowed{by}{at}{route}"


def _as_fields(outcome: Outcome) -> dict[str, str]:
    fields = {
        "decision": "permit" if outcome.permitted else "denial",
        "rule": outcome.rule,
        "member": outcome.members[0] if outcome.members else "",
        "route": outcome.route,
    }
    return {key: text for key, text in fields.items() if text}
