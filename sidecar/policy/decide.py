"""Owns the decision: a policy, a caller and a request in, a Permit or a Denial out.

Pure and quick; the only maker of Permits. Order: identity guards (always), then tenant scope and
permissions, then the route, then the plan. Most pods have neither a tenant nor routes, and load
nothing of what judges by them. It must not know health, load or connections: the executor picks
among a plan's candidates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.audiences import plain_audience
from sidecar.policy.guards import judge_identity
from sidecar.policy.requestinfo import SELF_REVIEWS
from sidecar.policy.verdict import _PERMIT_KEY, HOME_PLAN, Denial, NeedBody, Permit, Plan, Reason

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.routing import Routing
    from sidecar.policy.rulebook import Rulebook
    from sidecar.policy.scopes import Scopes
    from sidecar.policy.snapshot import Snapshot
    from sidecar.policy.snapshot_tenant import Tenant
    from sidecar.policy.tenancy import Tenancy
    from sidecar.policy.verdict import Body, Caller, Verdict

# Without a tenant and routes: home serves everything, and its RBAC limits what may be done.
_BY_RBAC: Final = Permit(_PERMIT_KEY, HOME_PLAN, "default/rbac")
# Out of file descriptors, most likely.
_UNREADABLE: Final = Denial(
    Reason.INTERNAL_ERROR,
    "body/review",
    "the part of the sidecar that answers self-reviews could not be loaded: ask again later",
)


class Policy(NamedTuple):
    """A snapshot made quick to decide with.

    `closed_audiences` None: not known, so no token request passes. `rulebook` None: there is
    neither a tenant nor a route.
    """

    revision: str
    closed_audiences: frozenset[str] | None
    rulebook: Rulebook | None = None

    @property
    def tenancy(self) -> Tenancy | None:
        return None if self.rulebook is None else self.rulebook.tenancy

    @property
    def tenant(self) -> Tenant | None:
        return None if self.tenancy is None else self.tenancy.tenant

    @property
    def routing(self) -> Routing | None:
        return None if self.rulebook is None else self.rulebook.routing


def compile_policy(snapshot: Snapshot, api_audiences: frozenset[str] | None) -> Policy:
    """Index a snapshot.

    `api_audiences`: those that an API server is known to accept; None where that is not known.
    """
    closed = None
    if api_audiences is not None:
        named = {*api_audiences, *(cluster.server for cluster in snapshot.clusters)}
        closed = frozenset(map(plain_audience, named))
    if snapshot.tenant is None and not snapshot.routes:
        return Policy(snapshot.revision, closed)
    from sidecar.policy.rulebook import Rulebook

    return Policy(snapshot.revision, closed, Rulebook(snapshot))


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
    book = policy.rulebook
    verdict: Verdict
    if info.resource in SELF_REVIEWS and _is_self_review(info):
        verdict = _decide_review(policy, scopes, caller, info, body)
    elif book is None:
        verdict = _BY_RBAC
    elif info.is_resource:
        verdict = book.decide_call(scopes, caller, info, body, _permit)
    else:
        verdict = book.decide_path(caller, info, _permit)
    # What is refused anyway is not gathered first.
    if guarded is not None and isinstance(verdict, Permit | NeedBody):
        return guarded
    return verdict


def _is_self_review(info: RequestInfo) -> bool:
    if info.verb != "create" or info.version != "v1" or info.namespace or info.name:
        return False
    return SELF_REVIEWS[info.resource] == info.group


def _decide_review(
    policy: Policy, scopes: Scopes, caller: Caller, info: RequestInfo, body: Body | None
) -> Verdict:
    closed = policy.closed_audiences
    if policy.rulebook is not None:
        return policy.rulebook.decide_review(closed, scopes, caller, info.resource, body, _permit)
    try:
        from sidecar.policy.self_reviews import SelfReview
    except (ImportError, OSError):
        return _UNREADABLE
    return SelfReview(None, closed, scopes, caller, _permit).decide(info.resource, body)


def _permit(plan: Plan, rule: str, audited: str) -> Permit:
    return Permit(_PERMIT_KEY, plan, rule, audited)
