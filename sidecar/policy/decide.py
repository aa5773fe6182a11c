"""Owns the decision: a policy, a caller and a request in, a Permit or a Denial out.

Pure and quick; the only maker of Permits. Order: identity guards (always), then tenant scope and
permissions, then the route, then the plan. It must not know health, load or connections: the
executor picks among a plan's candidates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.audiences import plain_audience
from sidecar.policy.guards import judge_identity
from sidecar.policy.snapshot import HOME
from sidecar.policy.verdict import _PERMIT_KEY, Permit, Plan, PlanKind

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.scopes import Scopes
    from sidecar.policy.snapshot import Snapshot
    from sidecar.policy.verdict import Body, Caller, Verdict

# No tenant is known: scope never widens by absence, so all is served by the home cluster.
_HOME_PLAN: Final = Plan(PlanKind.SINGLE, (HOME,))
_HOME_RULE: Final = "default/home"


class Policy(NamedTuple):
    """A snapshot made quick to decide with.

    `closed_audiences` None: not known, so no token request passes.
    """

    revision: str
    closed_audiences: frozenset[str] | None


def compile_policy(snapshot: Snapshot, api_audiences: frozenset[str] | None) -> Policy:
    """Index a snapshot.

    `api_audiences`: those that an API server is known to accept; None where that is not known.
    """
    if api_audiences is None:
        return Policy(snapshot.revision, None)
    named = {*api_audiences, *(cluster.server for cluster in snapshot.clusters)}
    return Policy(snapshot.revision, frozenset(map(plain_audience, named)))


def decide(
    policy: Policy,
    scopes: Scopes,
    caller: Caller,
    info: RequestInfo,
    body: Body | None = None,
) -> Verdict:
    """Whether this call may pass, and where to."""
    verdict = judge_identity(info, policy.closed_audiences, body)
    if verdict is not None:
        return verdict
    return Permit(_PERMIT_KEY, _HOME_PLAN, _HOME_RULE)
