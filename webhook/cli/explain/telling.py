"""Owns how an explanation is told: as text for a person, as JSON for a machine.

Must not decide, nor know where the policy came from.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sidecar.policy.explanation import REFUSED, Step
from sidecar.policy.snapshot import Snapshot
from sidecar.policy.verdict import REASON_CODES, Answer, Caller, Denial, Permit, Plan, PlanKind
from webhook.cli.arguments import printable
from webhook.cli.explain.question import Question
from webhook.cli.policy.judgement import Judgement

_WIDTH = 12
_TOLD_BY_PLAN = ("route", "plan")


class Explanation(NamedTuple):
    """One question and its answer; without a `question` the request is refused by its form."""

    source: str
    snapshot: Snapshot
    caller: Caller
    question: Question | None
    judgement: Judgement
    steps: tuple[Step, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the call is made."""
        return not isinstance(self.judgement.verdict, Denial)


def render_json(told: Explanation) -> str:
    """One object on one line; what does not apply is left out."""
    verdict = told.judgement.verdict
    document: dict[str, Any] = {"verdict": _word(verdict), "rule": verdict.rule}
    if isinstance(verdict, Denial):
        code = REASON_CODES[verdict.reason]
        document |= {"code": code, "reason": verdict.reason.value, "message": verdict.message}
    elif isinstance(verdict, Answer):
        document |= {"code": verdict.code, "answer": json.loads(verdict.content)}
    else:
        document |= _plan_fields(verdict)
    if told.question is not None:
        document["request"] = {
            "method": told.question.method,
            "target": told.question.target,
            **_request_fields(told.question),
        }
    tenant = told.snapshot.tenant
    document |= {
        "caller": {
            "container": told.caller.container,
            "pod": told.caller.pod,
            "namespace": told.caller.namespace,
            "serviceAccount": told.caller.service_account,
        },
        "snapshot": told.source,
        "revision": told.snapshot.revision,
        "tenant": None if tenant is None else {"name": tenant.name, "mode": tenant.mode},
        "steps": [step._asdict() for step in told.steps],
        "assumed": list(_assumed(told)),
    }
    return json.dumps(document)


def render_text(told: Explanation) -> str:
    """The verdict first, then what it is about and why."""
    verdict = told.judgement.verdict
    lines = [f"{_word(verdict)} by {verdict.rule}"]
    if isinstance(verdict, Denial):
        lines.append(f"  {verdict.message}")
    elif isinstance(verdict, Permit) and verdict.audited:
        lines.append(f"  the tenant is in mode audit: enforce would deny it by {verdict.audited}")
    lines.append("")
    lines += (f"  {title:<{_WIDTH}} {text}" for title, text in _details(told))
    if isinstance(verdict, Permit):
        lines.append("")
        lines.append(
            "Limits, the cluster's own RBAC and its admission still decide; nothing was sent to it."
        )
    lines += _assumptions(told)
    return "\n".join(printable(line) for line in lines)


def _assumptions(told: Explanation) -> Iterator[str]:
    assumed = _assumed(told)
    if assumed:
        yield ""
        yield "Assumed:"
        yield from (f"  - {text}" for text in assumed)


def _word(verdict: Permit | Denial | Answer) -> str:
    if isinstance(verdict, Denial):
        return "denied"
    return "allowed" if isinstance(verdict, Permit) else "answered"


def _details(told: Explanation) -> Iterator[tuple[str, str]]:
    question, verdict = told.question, told.judgement.verdict
    if question is not None:
        yield "request", f"{question.method} {question.target}"
        yield "asks to", _describe(question)
    caller = told.caller
    where = f" of pod {caller.pod}" if caller.pod else ""
    yield (
        "caller",
        f"container {caller.container}{where}, service account {caller.service_account},"
        f" namespace {caller.namespace}",
    )
    yield "policy", _describe_policy(told)
    for step in told.steps:
        if step.stage not in _TOLD_BY_PLAN or step.outcome == REFUSED:
            detail = verdict.rule if step.outcome == REFUSED else step.detail
            yield step.stage, f"{step.outcome}: {detail}"
    if isinstance(verdict, Permit):
        yield from _describe_plan(verdict.plan, told)
    elif isinstance(verdict, Answer):
        yield "member", "none: policy itself answers"
        yield "answer", verdict.content.decode()
    else:
        yield "member", "none: nothing would be sent"


def _describe(question: Question) -> str:
    info = question.info
    if not info.is_resource:
        return f"{info.verb} {info.path}"
    resource = f"{info.resource}.{info.group}" if info.group else info.resource
    words = [info.judged_verb, resource + (f"/{info.subresource}" if info.subresource else "")]
    if info.name:
        words.append(f"named {info.name}")
    if info.namespace and (info.group, info.resource) != ("", "namespaces"):
        words.append(f"in namespace {info.namespace}")
    if info.judged_verb != info.verb:
        words.append(f"(an upgrade is judged as {info.judged_verb})")
    return " ".join(words)


def _describe_policy(told: Explanation) -> str:
    tenant = told.snapshot.tenant
    whose = "no tenant" if tenant is None else f"tenant {tenant.name}, mode {tenant.mode}"
    return f"{whose}; revision {told.snapshot.revision} of {told.source}"


def _describe_plan(plan: Plan, told: Explanation) -> Iterator[tuple[str, str]]:
    servers = {cluster.name: cluster.server for cluster in told.snapshot.clusters}
    first, *others = plan.candidates
    yield "member", f"{first} ({servers[first]})"
    yield "route", plan.route or "none: home serves what no route names"
    yield "plan", "; ".join(_describe_handling(plan, others))


def _describe_handling(plan: Plan, others: list[str]) -> Iterator[str]:
    if plan.kind is PlanKind.DISCOVERY:
        yield f"asked of {', '.join(plan.candidates)} and merged, home wins"
        return
    if plan.kind is PlanKind.RULES_REVIEW:
        yield "its answer is reduced to what policy allows wholly"
        return
    yield "one member answers" + (f", while it is down {' or '.join(others)}" if others else "")
    if plan.tagged:
        yield "resourceVersions carry the member that they come from"
    if plan.inspected:
        yield "every object in the answer must be of the namespace"


def _plan_fields(permit: Permit) -> dict[str, Any]:
    plan = permit.plan
    fields = {
        "member": plan.candidates[0],
        "plan": {
            "kind": plan.kind.value,
            "candidates": list(plan.candidates),
            "route": plan.route,
            "tagged": plan.tagged,
            "inspected": plan.inspected,
        },
    }
    return fields | ({"wouldDeny": permit.audited} if permit.audited else {})


def _request_fields(question: Question) -> dict[str, Any]:
    info = question.info
    named = {
        "verb": info.judged_verb,
        "group": info.group,
        "version": info.version,
        "resource": info.resource,
        "subresource": info.subresource,
        "namespace": info.namespace,
        "name": info.name,
    }
    return {key: text for key, text in named.items() if text} | {"isResource": info.is_resource}


def _assumed(told: Explanation) -> tuple[str, ...]:
    return (() if told.question is None else told.question.assumed) + told.judgement.assumed
