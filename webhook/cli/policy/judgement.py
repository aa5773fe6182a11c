"""Owns how a call is decided where no cluster can be asked, and what is assumed for that.

Must not decide by itself: the sidecar's own `decide` does. What it would want to know of kinds
comes from the table of built-in ones, from hints and from the form of the call.
"""

from typing import NamedTuple

from sidecar.policy.decide import compile_policy, decide
from sidecar.policy.explanation import Step, explain
from sidecar.policy.requestinfo import SELF_REVIEWS, RequestInfo
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Snapshot
from sidecar.policy.verdict import (
    Answer,
    Body,
    Caller,
    Denial,
    NeedBody,
    NeedScope,
    Permit,
)
from webhook.cli.policy.kinds import CLUSTER, NAMESPACED, Kind, Kinds

# A review asks about one kind; what a decision needs is known after the kind and its stand-ins.
_MOST_QUESTIONS = 8
# Recorded calls can name kinds without end.
_MOST_KINDS = 500
# What is refused by these is refused before the kind's scope counts.
_BEFORE_SCOPE = ("guard/", "body/", "tenant/namespace")
_KindKey = tuple[str, str, str]


class UndecidedError(Exception):
    """What the decision hangs on is not known here; the text says what would tell."""


class Judgement(NamedTuple):
    """A final verdict and what was assumed for it; `by_body`: it hangs on the body."""

    verdict: Permit | Denial | Answer
    assumed: tuple[str, ...] = ()
    by_body: bool = False


class Judge:
    """One snapshot, and what is known of kinds."""

    def __init__(
        self, snapshot: Snapshot, api_audiences: frozenset[str] | None, kinds: Kinds
    ) -> None:
        self._policy = compile_policy(snapshot, api_audiences)
        self._clusters = [cluster.name for cluster in snapshot.clusters]
        self._scoped = snapshot.tenant is not None
        self._kinds = kinds
        self._scopes = Scopes()
        self._learned: dict[_KindKey, bool] = {}

    def judge(self, caller: Caller, info: RequestInfo, body: Body) -> Judgement:
        """The verdict; `body` counts only where the decision asks for one."""
        asked = (info.group, info.version, info.resource)
        told: dict[_KindKey, str] = {}
        if self._scoped and info.is_resource and info.resource not in SELF_REVIEWS:
            # As a sidecar knows it that has served a while.
            self._learn(asked, self._find_known(asked), told)
        given: Body | None = None
        for _ in range(_MOST_QUESTIONS):
            verdict = decide(self._policy, self._scopes, caller, info, given)
            if isinstance(verdict, NeedScope):
                needed = (verdict.group, verdict.version, verdict.resource)
                self._learn(needed, self._find(needed, info), told)
            elif isinstance(verdict, NeedBody) and given is None:
                given = body
            elif isinstance(verdict, NeedBody):
                break
            else:
                if verdict.rule.startswith(_BEFORE_SCOPE) and isinstance(verdict, Denial):
                    told.clear()
                return Judgement(verdict, tuple(told.values()), given is not None)
        raise UndecidedError("the decision hangs on more than can be known here")

    def list_steps(
        self, caller: Caller, info: RequestInfo, body: Body, judgement: Judgement
    ) -> tuple[Step, ...]:
        """How a verdict that was given came about, stage by stage."""
        given = body if judgement.by_body else None
        return explain(self._policy, caller, info, self._scopes, given).steps

    def _learn(
        self, key: _KindKey, found: tuple[bool, str] | None, told: dict[_KindKey, str]
    ) -> None:
        """Answer in the place of the members' discovery."""
        if found is None:
            return
        group, version, resource = key
        namespaced, why = found
        title = Kind(group, version, resource, namespaced).title
        scope = "has namespaces" if namespaced else "has no namespaces"
        told[key] = f"{title} {scope}, {why}: at run time the cluster's discovery tells"
        if self._learned.get(key) is namespaced:
            return
        if len(self._learned) >= _MOST_KINDS:
            self._scopes = Scopes()
            self._learned.clear()
        self._learned[key] = namespaced
        known = {
            other: scope
            for (of_group, of_version, other), scope in self._learned.items()
            if (of_group, of_version) == (group, version)
        }
        for cluster in self._clusters:
            self._scopes.learn(cluster, group, version, known)
            # What was not asked for yet is not absent.
            self._scopes.doubt(cluster, group, version)

    def _find_known(self, key: _KindKey) -> tuple[bool, str] | None:
        group, _, resource = key
        known = self._kinds.namespaced(group, resource)
        if known is None:
            return None
        hinted = self._kinds.is_hinted(group, resource)
        return known, "by --kinds" if hinted else "as built into Kubernetes"

    def _find(self, key: _KindKey, info: RequestInfo) -> tuple[bool, str]:
        known = self._find_known(key)
        if known is not None:
            return known
        group, _, resource = key
        if (info.group, info.resource) == (group, resource):
            if info.namespace:
                return True, "by the form of the call"
            if info.name:
                return False, "by the form of the call"
        title = Kind(group, "", resource, None).title
        raise UndecidedError(
            f"whether {title} has namespaces is not known here:"
            f" give --kinds {title}={NAMESPACED} or --kinds {title}={CLUSTER}"
        )
