"""Owns when namespaces of Tenants are looked into for what others have put there, at any cluster.

When one is taken over or labelled anew, and when access is withdrawn: in between the guards hold.
What was found is looked at again until it is gone. All of them are looked into a while after a term
of leading begins, and then each hour, a few at a time: whoever led before may have ended between a
write and the look. Must not judge what is found.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from webhook.controller.tenants.applying import Applier
from webhook.controller.tenants.kinds import BINDING, NETWORK, Kind, Place, Step
from webhook.controller.tenants.namespaces import Seen
from webhook.controller.tenants.observing import fetch_all
from webhook.controller.tenants.others import Others, judge_others
from webhook.controller.tenants.steps import (
    OTHERS_LET_THROUGH,
    OTHERS_TOO,
    Apply,
    Plan,
    Problem,
    Remove,
    Write,
)
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.conditions import read_conditions
from webhook.resources.names import TENANT_UID
from webhook.resources.tenants import Tenant

# Of one namespace: others write what is read here. No more than a page is held at a time.
_LOOK_S: Final = 20.0
_LOOK_BYTES: Final = 256 << 20
_PAGE: Final = 50
_UNSEEN: Final = "namespace {!r}: not all that others have put there could be looked at"
# All namespaces of all Tenants would else be looked into at the start, beside all else there is.
FIRST_S: Final = 60.0
_SPREAD_S: Final = 540
AGAIN_S: Final = 3600.0
TURN: Final = 20
_NEXT_S: Final = 1.0


class Report(NamedTuple):
    """What is not as the Tenant states, who has access beside it, when to look again."""

    problems: tuple[Problem, ...]
    people: tuple[str, ...]
    again_s: float


@dataclass(slots=True)
class _Course:
    """Of one Tenant at one cluster: namespaces to look into, those where something was found."""

    due: float
    waiting: set[str] = field(default_factory=set)
    found: set[str] = field(default_factory=set)


class Inspection:
    """Calls for one Tenant come one at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._courses: dict[tuple[str, str], _Course] = {}

    def attend(
        self,
        where: str,
        kube: Kube,
        tenant: Tenant,
        namespaces: Mapping[str, Seen],
        plan: Plan,
        *,
        told: bool,
    ) -> Report:
        """After a plan was done. `told`: the status has it that there was something."""
        course = self._find_course(where, tenant.uid, told=told)
        now, held = self._clock(), set(plan.held)
        if now >= course.due:
            course.waiting, course.due = set(held), now + AGAIN_S
        course.waiting &= held
        names = course.found | list_touched(plan) | set(sorted(course.waiting)[:TURN])
        course.waiting -= names
        course.found = set()
        problems: list[Problem] = []
        people: list[str] = []
        for name in sorted(names - _list_passed_on(tenant, namespaces)):
            isolated = name in held and tenant.network.isolate
            seen = look_into(kube, name, plan.wished, isolated=isolated)
            failed = [*withdraw(kube, seen), *seen.problems]
            problems += failed
            people += seen.people if name in held else ()
            if failed or (name in held and seen.people):
                course.found.add(name)
        again_s = _NEXT_S if course.waiting else course.due - now
        return Report(tuple(problems), tuple(people), again_s)

    def _find_course(self, where: str, uid: str, *, told: bool) -> _Course:
        course = self._courses.get((where, uid))
        if course is None:
            now = self._clock()
            course = _Course(now if told else now + FIRST_S + hash(uid) % _SPREAD_S)
            self._courses[where, uid] = course
        return course

    def forget(self, uid: str) -> None:
        """A Tenant that is gone."""
        for key in [key for key in list(self._courses) if key[1] == uid]:
            self._courses.pop(key, None)

    def begin_term(self) -> None:
        """Others have worked meanwhile: what they found is in the status."""
        self._courses.clear()


def _list_passed_on(tenant: Tenant, namespaces: Mapping[str, Seen]) -> set[str]:
    """What stands in another Tenant's namespace is that one's affair."""
    return {
        name
        for name, seen in namespaces.items()
        if seen.meta.annotations.get(TENANT_UID, tenant.uid) != tenant.uid
    }


def withdraw(kube: Kube, seen: Others) -> list[Problem]:
    """What gives people a profile, though no Tenant says so; what is wrong."""
    return [*filter(None, map(Applier(kube).attempt, seen.strays))]


def look_into(kube: Kube, name: str, wished: Collection[Place], *, isolated: bool) -> Others:
    """One namespace of a Tenant that wishes these, as it is now.

    Page by page: what was seen before it was too much counts all the same.
    """
    # Of a member, a visit has its bounds as a whole.
    bounded = kube if kube.is_foreign else kube.for_at_most(_LOOK_S, _LOOK_BYTES)
    failures: list[KubeError] = []

    def fetch(kind: Kind) -> Iterator[RawDocument]:
        try:
            yield from fetch_all(bounded, kind.path(name), page=_PAGE)
        except KubeError as error:
            failures.append(error)

    policies = fetch(NETWORK) if isolated else ()
    seen = judge_others(name, wished, fetch(BINDING), policies, at_home=not kube.is_foreign)
    told = (
        Problem(Step.ACCESS, name, error.reason or "NotSeen", f"{_UNSEEN.format(name)}: {error}")
        for error in failures[:1]
    )
    return seen._replace(problems=(*seen.problems, *told))


def list_touched(plan: Plan) -> set[str]:
    """Namespaces that are taken over or labelled anew, and those where somebody loses access."""
    return {write.place.namespace for write in plan.writes if _touches(write)}


def _touches(write: Write) -> bool:
    if isinstance(write, Apply):
        return write.place.kind is None or (write.place.kind == BINDING and not write.vacant)
    return isinstance(write, Remove) and write.place.kind == BINDING


def was_told(document: Mapping[str, Any]) -> bool:
    """Whether a Tenant's status says that others have put something there."""
    found = read_conditions(dict(document)).values()
    return any(condition.reason in (OTHERS_TOO, OTHERS_LET_THROUGH) for condition in found)
