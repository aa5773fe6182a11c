"""Owns what a tenant's rules and the routes say of a call, and the plan that follows from it.

Only loaded where there is a tenant or a route. A route is looked up before it counts, because the
scope of a kind is that of the member which serves it. It makes no Permit: it hands what one is made
of to the maker that decide.py gives it. It must not know health, load or connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policy.index import ObjectName
from sidecar.policy.kind_scope import scope_of
from sidecar.policy.paths import is_open
from sidecar.policy.plans import members_of, plan_call, plan_path
from sidecar.policy.routing import choose_route, compile_routes, route_hangs_on_name, select_routes
from sidecar.policy.self_reviews import SelfReview
from sidecar.policy.tenancy import (
    DEFAULT_DENY,
    Allowed,
    compile_tenant,
    judge_namespace,
    judge_path,
    permission_hangs_on_name,
)
from sidecar.policy.tenant_calls import judge_call, judge_written
from sidecar.policy.verdict import HOME, HOME_PLAN, Denial, NeedBody, NeedScope, Reason
from sidecar.policy.written_objects import is_named_by_body, judge_owners, name_of_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.scopes import Scopes
    from sidecar.policy.snapshot import Snapshot
    from sidecar.policy.verdict import Body, Caller, Permit, Plan, Verdict

    Maker = Callable[[Plan, str, str], Permit]

# Without a tenant, what may be done is for each cluster's RBAC alone.
_BY_RBAC: Final = Allowed("default/rbac")
_OPEN: Final = Allowed("default/discovery")
# Patterns are matched in linear time, which a name of 250 KB would make long.
_MAX_NAME: Final = 253
_LONG_NAME: Final = Denial(
    Reason.FORBIDDEN,
    DEFAULT_DENY,
    f"no rule speaks of a name of more than {_MAX_NAME} characters: give the object a shorter one",
)


class Rulebook:
    """A tenant, or none, and routes, made quick to ask."""

    __slots__ = ("routing", "tenancy")

    def __init__(self, snapshot: Snapshot) -> None:
        self.tenancy = None if snapshot.tenant is None else compile_tenant(snapshot.tenant)
        self.routing = compile_routes(snapshot.routes)

    def decide_path(self, caller: Caller, info: RequestInfo, permit: Maker) -> Permit | Denial:
        """A path that is no resource."""
        allowed: Allowed | Denial = _BY_RBAC
        if self.tenancy is not None:
            allowed = _OPEN if is_open(info) else judge_path(self.tenancy, info, caller)
        if isinstance(allowed, Denial):
            return allowed
        return permit(plan_path(self.routing, info, caller), allowed.rule, allowed.audited)

    def decide_call(
        self,
        scopes: Scopes,
        caller: Caller,
        info: RequestInfo,
        body: Body | None,
        permit: Maker,
        *,
        asked: bool = False,
    ) -> Permit | Denial | NeedBody | NeedScope:
        """A call on a resource; `asked`: it is not made, but asked about, and there is no body."""
        tenancy = self.tenancy
        refused = self._judge_at_once(info)
        if refused is not None:
            return refused
        routes = select_routes(self.routing, info, caller)
        name = ObjectName(info.name)
        if not asked and is_named_by_body(info) and self._hangs_on_name(info, caller, routes):
            read = name_of_body(info, body)
            if not isinstance(read, ObjectName):
                return read
            name = read
        route = choose_route(self.routing, routes, info, name)
        if isinstance(route, Denial):
            return route
        members = members_of(route)
        allowed: Allowed | Denial | NeedBody | NeedScope = _BY_RBAC
        if tenancy is not None:
            if asked:
                allowed = judge_call(tenancy, scopes, caller, info, name, members)
            else:
                allowed = judge_written(tenancy, scopes, caller, info, name, members, body)
        if not isinstance(allowed, Allowed):
            return allowed
        if route is None:
            return permit(HOME_PLAN, allowed.rule, allowed.audited)
        fails_over = tenancy is None or scope_of(scopes, info, members) is True
        plan = plan_call(route, info, fails_over=fails_over)
        stays = asked or plan.candidates[0] == HOME
        owned = None if stays else judge_owners(info, body)
        return permit(plan, allowed.rule, allowed.audited) if owned is None else owned

    def decide_review(
        self,
        closed_audiences: frozenset[str] | None,
        scopes: Scopes,
        caller: Caller,
        resource: str,
        body: Body | None,
        permit: Maker,
    ) -> Verdict:
        """What callers ask about themselves."""
        review = SelfReview(self, closed_audiences, scopes, caller, permit)
        return review.decide(resource, body)

    def _judge_at_once(self, info: RequestInfo) -> Denial | None:
        """What needs no rule, nor anything to be known of the kind."""
        if len(info.name) > _MAX_NAME:
            return _LONG_NAME
        return None if self.tenancy is None else judge_namespace(self.tenancy, info)

    def _hangs_on_name(self, info: RequestInfo, caller: Caller, routes: int) -> bool:
        if route_hangs_on_name(self.routing, routes, info):
            return True
        return self.tenancy is not None and permission_hangs_on_name(self.tenancy, info, caller)
