"""Owns the snapshot of a namespace, made of its case and held against the sidecar's own loader.

What is wrong with one object becomes a verdict on that object; a namespace always gets a snapshot,
and where one cannot be made it is one that denies everything. Must not write it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sidecar.policy.snapshot import Snapshot, parse_snapshot
from webhook.controller.compiling.case import Broker, Case
from webhook.controller.compiling.document import (
    build_document,
    clip_namespaces,
    closed_tenant,
    finish_document,
    tenant_entry,
)
from webhook.controller.compiling.fitting import MAX_BYTES, MAX_SENT_BYTES, count_fitting, fits
from webhook.controller.compiling.judging import Ground, Judged, judge_admin_routes, judge_routes
from webhook.controller.compiling.members import choose_members
from webhook.controller.compiling.verdicts import INVALID, NO_TENANT, PARTLY, TOO_LARGE, Verdict
from webhook.resources.meta import RawDocument
from webhook.resources.names import LABEL_BOUNDARY
from webhook.resources.tenants import Tenant

__all__ = ("Broker", "Case", "Compiled", "compile_policy")

_NOBODYS: Final = "no Tenant holds the namespace: an admin labels it mca.io/tenant=NAME"
_MOST: Final = (
    f"{MAX_BYTES} bytes, or {MAX_SENT_BYTES} as the API server sends it (<, > and & are six there)"
)
_LEFT_OUT: Final = Verdict(
    False,
    TOO_LARGE,
    f"the namespace's policy would hold more than {_MOST}, so routes of the lowest priority are "
    "left out: remove some, or shorten the lists in their match",
)


class Compiled(NamedTuple):
    """A snapshot, and what there is to say of the objects it was made of.

    `routes` by the names of the namespace's Routes; `tenant` tells which parts of the Tenant do
    not count here.
    """

    revision: str
    content: str
    routes: dict[str, Verdict]
    tenant: tuple[str, ...] = ()


def compile_policy(case: Case) -> Compiled:
    """The namespace's snapshot. Always one that the sidecar's loader takes."""
    if case.claim.denied:
        return _deny_all(case, Verdict(False, NO_TENANT, case.claim.denied))
    if case.claim.tenant is None:
        document = build_document(case.namespace.name, None, broker=case.broker)
        return _finish(document, _judge_alike(case, Verdict(False, NO_TENANT, _NOBODYS)))
    return _compile_tenant(case.claim.tenant, case)


def _compile_tenant(tenant: Tenant, case: Case) -> Compiled:
    members = choose_members(tenant, case)
    label = case.namespace.labels.get(LABEL_BOUNDARY)
    ground = Ground(tenant, members, "enforced" in (tenant.boundary, label))
    admins = judge_admin_routes(tenant.routes, ground)
    own = judge_routes(case.routes, ground)
    entries = [judged.entry for judged in (*admins, *own) if judged.entry is not None]
    namespaces, clipped = clip_namespaces(case)
    document = build_document(
        case.namespace.name,
        tenant_entry(tenant, namespaces),
        tuple(members.usable.values()),
        entries,
        case.broker,
    )
    count = count_fitting({**document, "routes": []}, entries)
    if not fits({**document, "routes": entries[:count]}):
        told = f"the Tenant's policy holds more than {_MOST}: shorten its permissions"
        return _deny_all(case, Verdict(False, TOO_LARGE, told))
    left_out = {str(entry["name"]) for entry in entries[count:]}
    admins, own = _leave_out(admins, left_out), _leave_out(own, left_out)
    unusable = (verdict.message for verdict in members.unusable.values())
    compiled = _finish(
        {**document, "routes": entries[:count]},
        {judged.name: judged.verdict for judged in own},
        (*unusable, *clipped, *list_admin_problems(admins)),
    )
    taken = parse_snapshot(compiled.content.encode())
    if isinstance(taken, Snapshot):
        return compiled
    told = f"the Tenant's policy cannot be taken by sidecars: {'; '.join(taken[:5])}"
    return _deny_all(case, Verdict(False, INVALID, told))


def list_admin_problems(admins: Sequence[Judged]) -> tuple[str, ...]:
    """What is to be said of the Tenant's own routes."""
    return tuple(
        f"route {judged.name}: {judged.verdict.message}"
        for judged in admins
        if not judged.verdict.accepted or judged.verdict.reason == PARTLY
    )


def _leave_out(routes: Sequence[Judged], left_out: set[str]) -> list[Judged]:
    return [
        judged._replace(verdict=_LEFT_OUT)
        if judged.entry is not None and judged.entry["name"] in left_out
        else judged
        for judged in routes
    ]


def _deny_all(case: Case, verdict: Verdict) -> Compiled:
    """Guards, no namespace and no permission: how a tenant that is lost is written."""
    document = build_document(case.namespace.name, closed_tenant(case), broker=case.broker)
    return _finish(document, _judge_alike(case, verdict), (verdict.message,))


def _judge_alike(case: Case, verdict: Verdict) -> dict[str, Verdict]:
    return {route.name: verdict for route in case.routes}


def _finish(
    document: RawDocument, routes: dict[str, Verdict], told: tuple[str, ...] = ()
) -> Compiled:
    revision, content = finish_document(document)
    return Compiled(revision, content, routes, told)
