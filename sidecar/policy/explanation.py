"""Owns the explanation of a decision: the rules that spoke, in their order, and the plan.

It tells what `decide` said and decides nothing itself, so that both cannot differ.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.decide import Policy, decide
from sidecar.policy.guards import judge_identity
from sidecar.policy.requestinfo import is_namespace_object
from sidecar.policy.scopes import Scopes
from sidecar.policy.verdict import Answer, Denial, NeedBody, NeedScope, Permit, Verdict, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.verdict import Body, Caller, Plan

PASSED: Final = "passed"
REFUSED: Final = "refused"
NEEDED: Final = "needed"

# Where a rule speaks, and which stages have let the call pass by then.
_STAGES: Final = {
    "guard": ("guards", ()),
    "body": ("body", ("guards",)),
    "tenant": ("scope", ("guards",)),
    "route/generate-name": ("route", ("guards",)),
    "permission": ("permissions", ("guards", "scope")),
    "default": ("permissions", ("guards", "scope")),
    "route/owner-references": ("route", ("guards", "scope", "permissions")),
}


class Step(NamedTuple):
    """One stage of a decision: what came of it, and why."""

    stage: str
    outcome: str
    detail: str


class Explanation(NamedTuple):
    """A verdict and the way to it."""

    verdict: Verdict
    steps: tuple[Step, ...]


def explain(
    policy: Policy,
    caller: Caller,
    info: RequestInfo,
    scopes: Scopes | None = None,
    body: Body | None = None,
) -> Explanation:
    """Decide a call, and say how."""
    verdict = decide(policy, Scopes() if scopes is None else scopes, caller, info, body)
    return Explanation(verdict, tuple(_list_steps(policy, info, body, verdict)))


def _list_steps(
    policy: Policy, info: RequestInfo, body: Body | None, verdict: Verdict
) -> Iterator[Step]:
    if isinstance(verdict, Permit):
        yield from _list_passes(policy, info, body, ("guards", "scope"))
        yield Step("permissions", PASSED, _tell_permission(verdict))
        yield Step("route", PASSED, verdict.plan.route or "none: home serves it")
        yield Step("plan", PASSED, _tell_plan(verdict.plan))
    elif isinstance(verdict, NeedBody):
        yield Step(
            "body", NEEDED, f"what the body says decides: give it, {verdict.limit} bytes at most"
        )
    elif isinstance(verdict, NeedScope):
        yield from _list_passes(policy, info, body, ("guards",))
        yield Step(
            "scope",
            NEEDED,
            f"whether {shown(verdict.resource)} has namespaces on the cluster "
            f"{verdict.cluster!r} is not known",
        )
    else:
        rule = verdict.rule
        stage, passed = _STAGES.get(rule) or _STAGES[rule.partition("/")[0]]
        yield from _list_passes(policy, info, body, passed)
        yield Step(stage, REFUSED, f"{rule}: {_message(verdict)}")


def _list_passes(
    policy: Policy, info: RequestInfo, body: Body | None, stages: tuple[str, ...]
) -> Iterator[Step]:
    for stage in stages:
        if stage == "guards":
            guarded = judge_identity(info, policy.closed_audiences, body)
            held = "none objects" if guarded is None else "one would look at the body first"
            yield Step(stage, PASSED, held)
        elif stage == "scope":
            yield Step(stage, PASSED, _tell_scope(policy, info))
        else:
            yield Step(stage, PASSED, "allowed")


def _tell_scope(policy: Policy, info: RequestInfo) -> str:
    if policy.tenant is None:
        return "no tenant: RBAC alone limits what may be done"
    name = policy.tenant.name
    if not info.is_resource:
        return f"no resource, so within every scope of the tenant {name!r}"
    if info.namespace and not is_namespace_object(info):
        return f"namespace {shown(info.namespace)!r} is one of the tenant {name!r}"
    return "the kind has no namespaces"


def _tell_permission(permit: Permit) -> str:
    if permit.audited:
        return f"{permit.rule}: mode audit lets pass what enforce would refuse by {permit.audited}"
    return permit.rule


def _tell_plan(plan: Plan) -> str:
    told = [f"{plan.kind.value}: {', '.join(plan.candidates)}"]
    if plan.tagged:
        told.append("versions carry the member they come from")
    if plan.inspected:
        told.append("answers are held to the namespace")
    return "; ".join(told)


def _message(verdict: Denial | Answer) -> str:
    if isinstance(verdict, Denial):
        return verdict.message
    return str(json.loads(verdict.content)["status"]["reason"])
