"""Owns the decision: a policy, a caller and a request in, a Permit or a Denial out.

Pure and quick; the only maker of Permits. Order: identity guards (always), then tenant scope and
permissions, then the route, then the plan. The route is looked up before it counts, because the
scope of a kind is that of the member which serves it. It must not know health, load or connections:
the executor picks among a plan's candidates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.audiences import plain_audience
from sidecar.policy.guards import judge_identity
from sidecar.policy.index import ObjectName
from sidecar.policy.kind_scope import scope_of
from sidecar.policy.paths import is_open
from sidecar.policy.plans import HOME_PLAN, members_of, plan_call, plan_path
from sidecar.policy.reviews import REVIEW_BYTES, read_access, read_rules_namespace, refuse_access
from sidecar.policy.routing import (
    Routing,
    choose_route,
    compile_routes,
    route_hangs_on_name,
    select_routes,
)
from sidecar.policy.rules import find_obstacle
from sidecar.policy.snapshot import HOME
from sidecar.policy.tenancy import (
    DEFAULT_DENY,
    Allowed,
    Tenancy,
    compile_tenant,
    is_namespace_object,
    judge_namespace,
    judge_path,
    permission_hangs_on_name,
)
from sidecar.policy.tenant_calls import TenantCall, judge_call, judge_written
from sidecar.policy.verdict import (
    _PERMIT_KEY,
    Denial,
    NeedBody,
    NeedScope,
    Permit,
    Plan,
    PlanKind,
)
from sidecar.policy.views import view_of
from sidecar.policy.written_objects import is_named_by_body, judge_owners, name_of_body

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.reviews import Access
    from sidecar.policy.scopes import Scopes
    from sidecar.policy.snapshot import Snapshot, Tenant
    from sidecar.policy.verdict import Body, Caller, Verdict

# No tenant is known: what may be done is for each cluster's RBAC alone.
_BY_RBAC: Final = Allowed("default/rbac")
_OPEN: Final = Allowed("default/discovery")
_SELF_REVIEW: Final = Allowed("default/self-review")
_ACCESS_REVIEW: Final = ("authorization.k8s.io", "selfsubjectaccessreviews")
_RULES_REVIEW: Final = ("authorization.k8s.io", "selfsubjectrulesreviews")
_SUBJECT_REVIEW: Final = ("authentication.k8s.io", "selfsubjectreviews")
_RULES_PLAN: Final = Plan(PlanKind.RULES_REVIEW, (HOME,))
_SELF_REVIEWS: Final = frozenset({_ACCESS_REVIEW, _RULES_REVIEW, _SUBJECT_REVIEW})
_SELF_KINDS: Final = frozenset(kind for _, kind in _SELF_REVIEWS)


class Policy(NamedTuple):
    """A snapshot made quick to decide with.

    `closed_audiences` None: not known, so no token request passes.
    """

    revision: str
    closed_audiences: frozenset[str] | None
    tenancy: Tenancy | None = None
    routing: Routing = compile_routes(())

    @property
    def tenant(self) -> Tenant | None:
        return None if self.tenancy is None else self.tenancy.tenant


def compile_policy(snapshot: Snapshot, api_audiences: frozenset[str] | None) -> Policy:
    """Index a snapshot.

    `api_audiences`: those that an API server is known to accept; None where that is not known.
    """
    closed = None
    if api_audiences is not None:
        named = {*api_audiences, *(cluster.server for cluster in snapshot.clusters)}
        closed = frozenset(map(plain_audience, named))
    tenancy = None if snapshot.tenant is None else compile_tenant(snapshot.tenant)
    return Policy(snapshot.revision, closed, tenancy, compile_routes(snapshot.routes))


def decide(
    policy: Policy,
    scopes: Scopes,
    caller: Caller,
    info: RequestInfo,
    body: Body | None = None,
) -> Verdict:
    """Whether this call may pass, and where to.

    Ask again with what a NeedBody or a NeedScope wants.
    """
    guarded = judge_identity(info, policy.closed_audiences, body)
    if isinstance(guarded, Denial):
        return guarded
    verdict: Verdict
    if not info.is_resource:
        verdict = _decide_path(policy, caller, info)
    elif info.resource in _SELF_KINDS and _is_self_review(info):
        verdict = _decide_review(policy, scopes, caller, info, body)
    else:
        verdict = _decide_call(policy, scopes, caller, info, body)
    # What is refused anyway is not gathered first.
    if guarded is not None and isinstance(verdict, Permit | NeedBody):
        return guarded
    return verdict


def _is_self_review(info: RequestInfo) -> bool:
    if info.verb != "create" or info.namespace or info.name:
        return False
    return (info.group, info.resource) in _SELF_REVIEWS


def _decide_path(policy: Policy, caller: Caller, info: RequestInfo) -> Permit | Denial:
    allowed: Allowed | Denial = _BY_RBAC
    if policy.tenancy is not None:
        allowed = _OPEN if is_open(info) else judge_path(policy.tenancy, info, caller)
    if isinstance(allowed, Denial):
        return allowed
    return _permit(plan_path(policy.routing, info, caller), allowed)


def _decide_call(
    policy: Policy,
    scopes: Scopes,
    caller: Caller,
    info: RequestInfo,
    body: Body | None,
    *,
    asked: bool = False,
) -> Permit | Denial | NeedBody | NeedScope:
    """A call on a resource; `asked`: it is not made, but asked about, and there is no body."""
    tenancy = policy.tenancy
    if tenancy is not None:
        refused = judge_namespace(tenancy, info)
        if refused is not None:
            return refused
    routes = select_routes(policy.routing, info, caller)
    name = ObjectName(info.name)
    if not asked and is_named_by_body(info) and _hangs_on_name(policy, info, caller, routes):
        read = name_of_body(info, body)
        if not isinstance(read, ObjectName):
            return read
        name = read
    route = choose_route(policy.routing, routes, name)
    if isinstance(route, Denial):
        return route
    members = members_of(route)
    allowed: Allowed | Denial | NeedBody | NeedScope = _BY_RBAC
    if tenancy is not None:
        call = TenantCall(tenancy, scopes, caller, info, name, members)
        allowed = judge_call(call) if asked else judge_written(call, body)
    if not isinstance(allowed, Allowed):
        return allowed
    if route is None:
        return _permit(HOME_PLAN, allowed)
    fails_over = tenancy is None or scope_of(scopes, info, members) is True
    plan = plan_call(route, info, fails_over=fails_over)
    stays = asked or plan.candidates[0] == HOME
    owned = None if stays else judge_owners(info, body)
    return _permit(plan, allowed) if owned is None else owned


def _hangs_on_name(policy: Policy, info: RequestInfo, caller: Caller, routes: int) -> bool:
    if route_hangs_on_name(policy.routing, routes):
        return True
    return policy.tenancy is not None and permission_hangs_on_name(policy.tenancy, info, caller)


def _decide_review(
    policy: Policy, scopes: Scopes, caller: Caller, info: RequestInfo, body: Body | None
) -> Verdict:
    """What callers ask about themselves. Always allowed; the answer says what is."""
    kind = (info.group, info.resource)
    if kind == _SUBJECT_REVIEW:
        return _permit(HOME_PLAN, _SELF_REVIEW)
    if kind == _RULES_REVIEW and policy.tenancy is None and not policy.routing.rows:
        return _permit(HOME_PLAN, _BY_RBAC)
    if body is None:
        return NeedBody(REVIEW_BYTES)
    if kind == _RULES_REVIEW:
        namespace = read_rules_namespace(body)
        return namespace if isinstance(namespace, Denial) else _permit(_RULES_PLAN, _SELF_REVIEW)
    access = read_access(body)
    return access if isinstance(access, Denial) else _answer(policy, scopes, caller, access)


def _answer(policy: Policy, scopes: Scopes, caller: Caller, access: Access) -> Verdict:
    """What policy refuses is answered here, all else by the RBAC of the member that would serve."""
    if access.verb == "impersonate":
        message = "nobody acts as somebody else through MCA: use the account of this pod"
        return refuse_access(access, "guard/impersonation", message)
    if access.asks_all:
        return _answer_all(policy, scopes, caller, access)
    asked = _decide_asked(policy, scopes, caller, asked_info(access))
    if isinstance(asked, Denial):
        return refuse_access(access, asked.rule, asked.message)
    if isinstance(asked, Permit):
        plan = Plan(PlanKind.SINGLE, asked.plan.candidates[:1], asked.plan.route)
        return Permit(_PERMIT_KEY, plan, asked.rule, asked.audited)
    return asked


def _answer_all(policy: Policy, scopes: Scopes, caller: Caller, access: Access) -> Verdict:
    """Many things at once are allowed only if each of them is."""
    info = asked_info(access)
    if policy.tenancy is not None and info.is_resource and "*" not in (info.group, info.resource):
        namespaced = scope_of(scopes, info, (HOME,))
        if isinstance(namespaced, NeedScope):
            return namespaced
    view = view_of(policy.tenancy, policy.routing, scopes, caller, access.namespace)
    obstacle = find_obstacle(view, access)
    if obstacle:
        return refuse_access(access, DEFAULT_DENY, obstacle)
    return _permit(HOME_PLAN, _SELF_REVIEW)


def asked_info(access: Access) -> RequestInfo:
    """What a review asks about; its version counts where it names one."""
    info = access.info
    version = "" if info.version == "*" else info.version
    return info._replace(version=version or ("" if info.group else "v1"))


def _decide_asked(
    policy: Policy, scopes: Scopes, caller: Caller, info: RequestInfo
) -> Permit | Denial | NeedBody | NeedScope:
    guarded = judge_identity(info, policy.closed_audiences, None)
    if isinstance(guarded, Denial):
        return guarded
    if not info.is_resource:
        return _decide_path(policy, caller, info)
    verdict = _decide_call(policy, scopes, caller, info, None, asked=True)
    if isinstance(verdict, Denial) and info.namespace and not is_namespace_object(info):
        # kubectl names its own namespace for kinds that have none, too.
        bare = info._replace(namespace="")
        other = _decide_call(policy, scopes, caller, bare, None, asked=True)
        return verdict if isinstance(other, Denial) else other
    return verdict


def _permit(plan: Plan, allowed: Allowed) -> Permit:
    return Permit(_PERMIT_KEY, plan, allowed.rule, allowed.audited)
