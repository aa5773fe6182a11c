"""Owns how a call is decided where no cluster can be asked, and what is assumed for that.

Must not decide by itself: the sidecar's own `decide` does. What it would want to know of kinds
comes from the table of built-in ones, from hints and from the form of the call.
"""

from typing import NamedTuple

from sidecar.policy.decide import Policy, decide
from sidecar.policy.explanation import Step, explain
from sidecar.policy.requestinfo import RequestInfo
from sidecar.policy.scopes import Scopes
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
# More than any cluster serves; recorded calls can name kinds without end.
_MOST_KINDS = 4096


class UndecidedError(Exception):
    """What the decision hangs on is not known here; the text says what would tell."""


class Judgement(NamedTuple):
    """A final verdict and what was assumed for it; `by_body`: it hangs on the body."""

    verdict: Permit | Denial | Answer
    assumed: tuple[str, ...] = ()
    by_body: bool = False


class Judge:
    """One policy, and what is known of kinds."""

    def __init__(self, policy: Policy, kinds: Kinds) -> None:
        self._policy = policy
        self._kinds = kinds
        self._scopes = Scopes()
        self._learned: dict[tuple[str, str, str], dict[str, bool]] = {}
        self._assumed: dict[tuple[str, str, str, str], str] = {}

    def judge(self, caller: Caller, info: RequestInfo, body: Body) -> Judgement:
        """The verdict; `body` counts only where the decision asks for one."""
        given: Body | None = None
        assumed: list[str] = []
        for _ in range(_MOST_QUESTIONS):
            verdict = decide(self._policy, self._scopes, caller, info, given)
            if isinstance(verdict, NeedScope):
                self._learn(verdict, info)
            elif isinstance(verdict, NeedBody) and given is None:
                given = body
            elif isinstance(verdict, NeedBody):
                break
            else:
                assumed += self._told(info)
                return Judgement(verdict, tuple(assumed), given is not None)
        raise UndecidedError("the decision hangs on more than can be known here")

    def list_steps(
        self, caller: Caller, info: RequestInfo, body: Body, judgement: Judgement
    ) -> tuple[Step, ...]:
        """How a verdict that was given came about, stage by stage."""
        given = body if judgement.by_body else None
        return explain(self._policy, caller, info, self._scopes, given).steps

    def _learn(self, need: NeedScope, info: RequestInfo) -> None:
        """Answer in the place of the member's discovery."""
        namespaced, why = self._find(need, info)
        if len(self._assumed) >= _MOST_KINDS:
            self._scopes = Scopes()
            self._learned.clear()
            self._assumed.clear()
        key = (need.cluster, need.group, need.version)
        kinds = self._learned.setdefault(key, {})
        kinds[need.resource] = namespaced
        self._scopes.learn(*key, kinds)
        # What was not asked for yet is not absent.
        self._scopes.doubt(*key)
        kind = Kind(need.group, need.version, need.resource, namespaced)
        scope = "has namespaces" if namespaced else "has no namespaces"
        self._assumed[(*key, need.resource)] = (
            f"{kind.title} {scope}, {why}: at run time {need.cluster}'s discovery tells"
        )

    def _find(self, need: NeedScope, info: RequestInfo) -> tuple[bool, str]:
        known = self._kinds.namespaced(need.group, need.resource)
        if known is not None:
            hinted = self._kinds.is_hinted(need.group, need.resource)
            return known, "by --kinds" if hinted else "as built into Kubernetes"
        asked_for = (info.group, info.resource) == (need.group, need.resource)
        if asked_for and info.namespace:
            return True, "by the form of the call"
        if asked_for and info.name:
            return False, "by the form of the call"
        title = Kind(need.group, need.version, need.resource, None).title
        raise UndecidedError(
            f"whether {title} has namespaces is not known here:"
            f" give --kinds {title}={NAMESPACED} or --kinds {title}={CLUSTER}"
        )

    def _told(self, info: RequestInfo) -> list[str]:
        """What was assumed of this call's kind, or of any that a review asked about."""
        return [
            text
            for (_, group, version, resource), text in self._assumed.items()
            if (group, version, resource) == (info.group, info.version, info.resource)
            or info.group == "authorization.k8s.io"
        ]
