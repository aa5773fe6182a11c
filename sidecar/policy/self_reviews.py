"""Owns what is answered to callers who ask what they themselves may do: what they would really get.

What policy refuses is answered here, all else by the RBAC of the member that would serve the call.
Only loaded where there are rules, or when one is asked. It must not allow anything: it asks the
same rules as calls do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policy.guards import judge_identity
from sidecar.policy.kind_scope import scope_of
from sidecar.policy.requestinfo import is_namespace_object
from sidecar.policy.reviews import REVIEW_BYTES, read_access, read_rules_namespace, refuse_access
from sidecar.policy.rules import find_obstacle
from sidecar.policy.tenancy import DEFAULT_DENY
from sidecar.policy.verdict import (
    HOME,
    HOME_PLAN,
    Denial,
    NeedBody,
    NeedScope,
    Permit,
    Plan,
    PlanKind,
)
from sidecar.policy.views import view_of

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.reviews import Access
    from sidecar.policy.rulebook import Maker, Rulebook
    from sidecar.policy.scopes import Scopes
    from sidecar.policy.verdict import Body, Caller, Verdict

_BY_RBAC: Final = "default/rbac"
_SELF_REVIEW: Final = "default/self-review"
_RULES_PLAN: Final = Plan(PlanKind.RULES_REVIEW, (HOME,))


class SelfReview:
    """One question of one caller, under the rules if there are any."""

    __slots__ = ("_caller", "_closed_audiences", "_permit", "_rulebook", "_scopes")

    def __init__(
        self,
        rulebook: Rulebook | None,
        closed_audiences: frozenset[str] | None,
        scopes: Scopes,
        caller: Caller,
        permit: Maker,
    ) -> None:
        self._rulebook = rulebook
        self._closed_audiences = closed_audiences
        self._scopes = scopes
        self._caller = caller
        self._permit = permit

    def decide(self, resource: str, body: Body | None) -> Verdict:
        """Always allowed; the answer says what is."""
        if resource == "selfsubjectreviews":
            return self._permit(HOME_PLAN, _SELF_REVIEW, "")
        if resource == "selfsubjectrulesreviews":
            return self._decide_rules(body)
        if body is None:
            return NeedBody(REVIEW_BYTES)
        access = read_access(body)
        return access if isinstance(access, Denial) else self._answer(access)

    def _decide_rules(self, body: Body | None) -> Verdict:
        if self._rulebook is None:
            return self._permit(HOME_PLAN, _BY_RBAC, "")
        if body is None:
            return NeedBody(REVIEW_BYTES)
        namespace = read_rules_namespace(body)
        if isinstance(namespace, Denial):
            return namespace
        return self._permit(_RULES_PLAN, _SELF_REVIEW, "")

    def _answer(self, access: Access) -> Verdict:
        if access.verb == "impersonate":
            message = "nobody acts as somebody else through MCA: use the account of this pod"
            return refuse_access(access, "guard/impersonation", message)
        info = _asked_info(access)
        if access.asks_all:
            return self._answer_all(access, info)
        asked = self._decide_asked(info)
        if isinstance(asked, Denial):
            return refuse_access(access, asked.rule, asked.message)
        if isinstance(asked, Permit):
            plan = Plan(PlanKind.SINGLE, asked.plan.candidates[:1], asked.plan.route)
            return self._permit(plan, asked.rule, asked.audited)
        return asked

    def _answer_all(self, access: Access, info: RequestInfo) -> Verdict:
        """Many things at once are allowed only if each of them is."""
        book = self._rulebook
        tenancy, routing = (None, None) if book is None else (book.tenancy, book.routing)
        if tenancy is not None and info.is_resource and "*" not in (info.group, info.resource):
            namespaced = scope_of(self._scopes, info, (HOME,))
            if isinstance(namespaced, NeedScope):
                return namespaced
        view = view_of(tenancy, routing, self._scopes, self._caller, access.namespace)
        obstacle = find_obstacle(view, access)
        if obstacle:
            return refuse_access(access, DEFAULT_DENY, obstacle)
        return self._permit(HOME_PLAN, _SELF_REVIEW, "")

    def _decide_asked(self, info: RequestInfo) -> Permit | Denial | NeedBody | NeedScope:
        guarded = judge_identity(info, self._closed_audiences, None)
        if isinstance(guarded, Denial):
            return guarded
        book = self._rulebook
        if book is None:
            return self._permit(HOME_PLAN, _BY_RBAC, "")
        if not info.is_resource:
            return book.decide_path(self._caller, info, self._permit)
        verdict = self._decide_call(book, info)
        if isinstance(verdict, Denial) and info.namespace and not is_namespace_object(info):
            # kubectl names its own namespace for kinds that have none, too.
            other = self._decide_call(book, info._replace(namespace=""))
            return verdict if isinstance(other, Denial) else other
        return verdict

    def _decide_call(
        self, book: Rulebook, info: RequestInfo
    ) -> Permit | Denial | NeedBody | NeedScope:
        return book.decide_call(self._scopes, self._caller, info, None, self._permit, asked=True)


def _asked_info(access: Access) -> RequestInfo:
    """What a review asks about; its version counts where it names one."""
    info = access.info
    version = "" if info.version == "*" else info.version
    return info._replace(version=version or ("" if info.group else "v1"))
