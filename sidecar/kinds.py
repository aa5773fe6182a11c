"""Owns the fetching of what members serve: which of their kinds have namespaces.

What is learned goes into the policy's Scopes; nothing is guessed. Must not decide: who needs to
know a kind asks, and is told when it is known or why it cannot be.
"""

from __future__ import annotations

import json
import re
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.inquiry import Inquiry, Told, question
from sidecar.log import log_event
from sidecar.policy.verdict import Denial, NeedScope, Reason

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from sidecar.gate import Gate
    from sidecar.member import Member

    Then = Callable[[Denial | None], None]

_DOUBT_S: Final = 1.0  # a kind may appear and be used within moments
_REFRESH_S: Final = 300.0
# A kind without namespaces that gets them would be listed over all of them: where that can happen,
# it is looked at more often.
_WIDE_REFRESH_S: Final = 5.0
_FIXED: Final = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration", "apiextensions", "apiregistration", "authentication",
        "authorization", "certificates", "coordination", "discovery", "events",
        "flowcontrol.apiserver", "internal.apiserver", "networking", "node",
        "rbac.authorization", "resource", "scheduling", "storage", "storagemigration",
    )
)  # fmt: skip
_TIMEOUT_S: Final = 5.0
_MAX_ANSWER: Final = 512 << 10
_MAX_KINDS: Final = 1000  # of a group and version; as many as Scopes keeps
_MAX_VERSIONS: Final = 16
_MAX_KNOWN: Final = 2048  # as many as Scopes keeps; callers can ask for names without end
_REPLACED: Final = Denial(
    Reason.SERVICE_UNAVAILABLE, "upstream/gone", "the cluster was replaced or taken away"
)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_VERSION: Final = re.compile(rf"(?:{_LABEL})?")
_GROUP: Final = re.compile(rf"(?=.{{0,253}}\Z)(?:{_LABEL}(?:\.{_LABEL})*)?")
_NO_GROUP: Final = Denial(
    Reason.FORBIDDEN, "tenant/unknown-kind", "no cluster serves a group and version so named"
)

Key = tuple[str, str, str]  # cluster, group, version


class _Known(NamedTuple):
    since: float
    kinds: Mapping[str, bool]
    refresh_s: float
    doubted: bool = False


class Kinds:
    """Learns kinds from members, each group and version once at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate) -> None:
        self._loop = loop
        self._gate = gate
        self._members: Mapping[str, Member] = {}
        self._waiting: dict[Key, tuple[Member, list[Then]]] = {}
        self._known: dict[Key, _Known] = {}
        self.changed: Callable[[], None] = lambda: None  # told when a kind has another scope

    def adopt(self, members: Mapping[str, Member]) -> None:
        """Ask these from now on; what a member told that is another now counts no more."""
        before, self._members = self._members, members
        for name, member in before.items():
            if members.get(name) is not member:
                self._gate.scopes.forget(name)
                self._known = {key: told for key, told in self._known.items() if key[0] != name}
                for key in [key for key in self._waiting if key[0] == name]:
                    self._fetched(key, _REPLACED)

    def learn(self, scope: NeedScope, then: Then) -> None:
        """Fetch what is served in a group and version; where one does not answer, the next."""
        # They come from a request's body, too, and become part of a path that we call ourselves.
        if _GROUP.fullmatch(scope.group) is None or _VERSION.fullmatch(scope.version) is None:
            then(_NO_GROUP)
        else:
            _Search(self, scope, then).go_on(None)

    def fetch(self, key: Key, then: Then) -> None:
        """Fetch it, or wait for the fetch that is under way."""
        member = self._members.get(key[0])
        if member is None:
            then(_REPLACED)
        elif key in self._waiting:
            self._waiting[key][1].append(then)
        else:
            waiting = self._waiting[key] = (member, [then])
            path = _path(key[1], key[2])
            # An answer of a member that was replaced meanwhile is nobody's: those who waited were
            # told, and whoever asks the new one waits anew.
            self._ask(
                member,
                path,
                lambda told: (
                    self._fetched(key, told) if self._waiting.get(key) is waiting else None
                ),
            )

    def ask(self, cluster: str, path: str, then: Callable[[Told | Denial], None]) -> None:
        """GET a path of a member's discovery."""
        member = self._members.get(cluster)
        if member is None:
            then(_REPLACED)
        else:
            self._ask(member, path, then)

    def _ask(self, member: Member, path: str, then: Callable[[Told | Denial], None]) -> None:
        inquiry = Inquiry(self._loop, then, limit=_MAX_ANSWER, timeout_s=_TIMEOUT_S)
        asked = question(path, b"Accept: application/json")
        inquiry.send_to(member, asked, self._gate.next_ident())

    def _fetched(self, key: Key, told: Told | Denial) -> None:
        _, waiting = self._waiting.pop(key)
        read = read_kinds(told)
        if isinstance(read, Denial):
            log_event("warning", "kinds_unknown", cluster=key[0], reason=read.message)
        else:
            self.note(key, read)
        for then in waiting:
            then(read if isinstance(read, Denial) else None)

    def note(self, key: Key, kinds: Mapping[str, bool]) -> None:
        """What a member serves in a group and version."""
        before = self._known.pop(key, None)
        if len(self._known) >= _MAX_KNOWN:
            self._make_room()
        self._known[key] = _Known(monotonic(), kinds, _refresh_s(key, kinds))
        self._gate.scopes.learn(*key, kinds)
        if before is not None and any(
            kinds.get(kind) != scope for kind, scope in before.kinds.items()
        ):
            self._gate.forget()  # what was decided by the old one is remembered
            self.changed()

    def _make_room(self) -> None:
        """Absences go first. What is let go is in doubt: nobody will look at it again."""
        empty = [key for key, known in self._known.items() if not known.kinds]
        for key in empty or [next(iter(self._known))]:
            del self._known[key]
            self._gate.scopes.doubt(*key)

    def kinds_of(self, key: Key) -> Mapping[str, bool]:
        """What was told last."""
        return self._known[key].kinds

    def sweep(self, now: float) -> None:
        """Put absences in doubt, and look again at what is known, now and then."""
        for key, known in list(self._known.items()):
            age = now - known.since
            if age < _DOUBT_S:
                continue
            if not known.doubted:
                self._gate.scopes.doubt(*key)
            if not known.kinds:  # nothing is known but that it is not there, and that no more
                del self._known[key]
            elif age < known.refresh_s:
                self._known[key] = known._replace(doubted=True)
            elif key[2]:
                self._known[key] = known._replace(since=now)
                self.fetch(key, _nobody)
            else:  # a whole group's: asked for again with the next review
                del self._known[key]
                self._gate.scopes.learn(*key, {})
                self._gate.scopes.doubt(*key)


class _Search:
    """One request's wish to know a kind: of a cluster, or of those that stand in for it."""

    def __init__(self, kinds: Kinds, scope: NeedScope, then: Then) -> None:
        self._kinds = kinds
        self._scope = scope
        self._then = then
        self._clusters = [scope.cluster, *scope.others]
        self._asked = ""
        self._left: list[str] = []
        self._found: dict[str, bool] = {}

    def go_on(self, failure: Denial | None) -> None:
        """Ask the next cluster; `failure` is the last one's."""
        if not self._clusters:
            self._then(failure and _unknown(self._scope, failure))
            return
        cluster = self._asked = self._clusters.pop(0)
        scope = self._scope
        if scope.version:
            self._kinds.fetch((cluster, scope.group, scope.version), self._on_version)
        else:
            self._kinds.ask(cluster, f"/apis/{scope.group}", self._on_group)

    def _on_version(self, failure: Denial | None) -> None:
        if failure is None:
            self._then(None)
        else:
            self.go_on(failure)

    def _on_group(self, told: Told | Denial) -> None:
        versions = read_versions(told)
        if isinstance(versions, Denial):
            self.go_on(versions)
            return
        self._left = versions
        self._found = {}
        self._next_version(None)

    def _next_version(self, failure: Denial | None) -> None:
        """The preferred version comes first, and what it says of a kind counts."""
        if failure is not None:
            self.go_on(failure)
            return
        if not self._left:
            self._kinds.note((self._asked, self._scope.group, ""), self._found)
            self._then(None)
            return
        key = (self._asked, self._scope.group, self._left.pop(0))

        def fetched(failure: Denial | None) -> None:
            if failure is None:
                self._found = {**self._kinds.kinds_of(key), **self._found}
            self._next_version(failure)

        self._kinds.fetch(key, fetched)


def _refresh_s(key: Key, kinds: Mapping[str, bool]) -> float:
    """Only the kinds of custom resources ever change; those groups have a dot in their names."""
    fixed = "." not in key[1] or key[1] in _FIXED
    return _REFRESH_S if fixed or all(kinds.values()) else _WIDE_REFRESH_S


def _path(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def _unknown(scope: NeedScope, failure: Denial) -> Denial:
    return Denial(
        Reason.SERVICE_UNAVAILABLE,
        "tenant/unknown-scope",
        f"whether {scope.resource} have namespaces is not known, so the call cannot be judged: "
        f"{failure.message}",
    )


def read_kinds(told: Told | Denial) -> dict[str, bool] | Denial:
    """The kinds of an APIResourceList, and whether each has namespaces; none for a 404."""
    document = _read(told)
    if isinstance(document, Denial):
        return document
    kinds: dict[str, bool] = {}
    for resource in _list(document, "resources"):
        name, namespaced = resource.get("name"), resource.get("namespaced")
        if isinstance(name, str) and isinstance(namespaced, bool) and "/" not in name:
            kinds[name] = namespaced
            if len(kinds) > _MAX_KINDS:
                message = f"it serves more than {_MAX_KINDS} kinds of one group and version"
                return Denial(Reason.BAD_GATEWAY, "upstream/discovery", message)
    return kinds


def read_versions(told: Told | Denial) -> list[str] | Denial:
    """The versions of an APIGroup, the preferred one first; none for a 404."""
    document = _read(told)
    if isinstance(document, Denial):
        return document
    names = [entry.get("version") for entry in _list(document, "versions")]
    preferred = document.get("preferredVersion")
    if isinstance(preferred, dict):
        names.insert(0, preferred.get("version"))
    versions = [name for name in names if isinstance(name, str) and _VERSION.fullmatch(name)]
    return list(dict.fromkeys(versions))[:_MAX_VERSIONS]


def _read(told: Told | Denial) -> dict[str, object] | Denial:
    """A document of discovery; empty for what is not served."""
    if isinstance(told, Denial):
        return told
    if told.status == 404:
        return {}
    problem = f"it answers {told.status}"
    if told.status == 200:
        problem = "it is no discovery document"
        try:
            document = json.loads(told.content)
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict):
            return document
    message = f"its discovery cannot be read: {problem}"
    return Denial(Reason.BAD_GATEWAY, "upstream/discovery", message)


def _list(document: dict[str, object], key: str) -> list[dict[str, object]]:
    found = document.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _nobody(failure: Denial | None) -> None:
    """Nobody waits for it."""
