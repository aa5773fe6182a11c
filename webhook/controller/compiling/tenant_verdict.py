"""Owns the verdict on a Tenant as a whole, for its condition Accepted.

Must not look at namespaces: what differs from one to another, compiling tells of each.
"""

from collections.abc import Mapping

from webhook.controller.compiling.case import Broker, Case
from webhook.controller.compiling.judging import Ground, judge_admin_routes
from webhook.controller.compiling.members import choose_members
from webhook.controller.compiling.policy import list_admin_problems
from webhook.controller.compiling.verdicts import INVALID, PARTLY, TAKEN, Verdict
from webhook.resources.claims import Claim
from webhook.resources.clusters import Cluster
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import LABEL_BOUNDARY
from webhook.resources.tenants import Tenant

# It is not asked for here whether the broker's certificates are known.
_ANY_BROKER = Broker("", "")


def judge_tenant(tenant: Tenant | Invalid, clusters: Mapping[str, Cluster | Invalid]) -> Verdict:
    """Whether the Tenant counts, with all its clusters and routes."""
    if isinstance(tenant, Invalid):
        return Verdict(False, INVALID, "; ".join(tenant.problems))
    labels: dict[str, str] = {LABEL_BOUNDARY: tenant.boundary}
    case = Case(Meta("", labels=labels), Claim(tenant), clusters=clusters, broker=_ANY_BROKER)
    members = choose_members(tenant, case)
    ground = Ground(tenant, members, tenant.boundary == "enforced")
    told = (
        *(verdict.message for verdict in members.unusable.values()),
        *list_admin_problems(judge_admin_routes(tenant.routes, ground)),
    )
    return Verdict(False, PARTLY, "; ".join(told)) if told else TAKEN
