"""Owns when namespaces of Tenants are looked into for what others have put there, at any cluster.

When one is taken over or labelled anew, and when access is withdrawn: in between the guards hold.
What was found is looked at again until it is gone. Must not judge it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from webhook.controller.tenants.applying import Applier
from webhook.controller.tenants.kinds import BINDING, NETWORK, Place, Step
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
from webhook.kube import Kube, KubeError
from webhook.resources.conditions import read_conditions
from webhook.resources.tenants import Tenant

# Of one namespace: others write what is read here.
_LOOK_S: Final = 20.0
_LOOK_BYTES: Final = 8 << 20
_PAGE: Final = 50


class Report(NamedTuple):
    """What is not as the Tenant states, and who has access beside it."""

    problems: tuple[Problem, ...] = ()
    people: tuple[str, ...] = ()


class Inspection:
    """Remembers by cluster and Tenant in which namespaces something was found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], frozenset[str]] = {}

    def attend(
        self,
        where: str,
        kube: Kube,
        tenant: Tenant,
        plan: Plan,
        *,
        told: bool,
    ) -> Report:
        """After a plan was done. `told`: the status has it that there was something."""
        key = (where, tenant.uid)
        known = self._found.get(key)
        if known is None:
            known = frozenset(plan.held) if told else frozenset()
        names = known | list_touched(plan)
        if not names:
            return Report()
        problems: list[Problem] = []
        people: list[str] = []
        found = set()
        for name in sorted(names):
            held = name in plan.held
            seen = look_into(kube, name, plan.wished, isolated=held and tenant.network.isolate)
            failed = [*withdraw(kube, seen), *seen.problems]
            problems += failed
            if held:
                people += seen.people
            if failed or (held and seen.people):
                found.add(name)
        self._found[key] = frozenset(found)
        return Report(tuple(problems), tuple(people))

    def forget(self, uid: str) -> None:
        """A Tenant that is gone."""
        for key in [key for key in list(self._found) if key[1] == uid]:
            self._found.pop(key, None)


def withdraw(kube: Kube, seen: Others) -> list[Problem]:
    """What gives people a profile, though no Tenant says so; what is wrong."""
    return [*filter(None, map(Applier(kube).attempt, seen.strays))]


def look_into(kube: Kube, name: str, wished: Collection[Place], *, isolated: bool) -> Others:
    """One namespace of a Tenant that wishes these, as it is now."""
    # Of a member, a visit has its bounds as a whole.
    bounded = kube if kube.is_foreign else kube.for_at_most(_LOOK_S, _LOOK_BYTES)
    try:
        bindings = list(fetch_all(bounded, BINDING.path(name), page=_PAGE))
        policies = list(fetch_all(bounded, NETWORK.path(name), page=_PAGE)) if isolated else []
    except KubeError as error:
        told = f"namespace {name!r}: what others have put there could not be looked at: {error}"
        return Others(problems=(Problem(Step.ACCESS, name, error.reason or "NotSeen", told),))
    return judge_others(name, wished, bindings, policies)


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
