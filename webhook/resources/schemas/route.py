"""Owns the schema of Routes. Must not know which clusters there are."""

from webhook.resources.meta import RawDocument
from webhook.resources.routes import AROUND_WORD, MAX_LETTERS, MAX_PRIORITY
from webhook.resources.schemas.forms import fields, rule, whole
from webhook.resources.schemas.selectors import destinations, leases_without_stand_ins, slices
from webhook.resources.schemas.status import conditions, observed_generation


def route_schema() -> RawDocument:
    """A Route's whole schema."""
    return fields(
        "Sends a slice of the calls of this namespace's pods to another cluster of its tenant.",
        {"spec": _spec(), "status": _status()},
        ("spec",),
        rule(
            "self.metadata.name.size() <= 63 && "
            "self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
            "metadata.name must be a DNS label: lower-case letters, digits and -, at most 63",
        ),
    )


def route_fields() -> dict[str, RawDocument]:
    """What a route says, wherever it stands."""
    return {
        "priority": whole(
            "The highest that matches counts, then the first by name. Routes of the Tenant itself "
            "come before all.",
            0,
            MAX_PRIORITY,
            default=0,
        ),
        "match": slices("Slices of the API, of which one must match a call."),
        "to": destinations(),
    }


def _spec() -> RawDocument:
    return fields(
        "Which calls, and where to.",
        route_fields(),
        ("match", "to"),
        leases_without_stand_ins(),
        _bounded_match(),
    )


def _bounded_match() -> RawDocument:
    """As `measure` counts."""
    letters = f"map(w, w.size() + {AROUND_WORD}).sum()"
    needed = [f"m.{field}.{letters}" for field in ("groups", "resources")]
    other = [
        f"(has(m.{field}) ? m.{field}.{letters} : 0)"
        for field in ("verbs", "namespaces", "names", "containers", "serviceAccounts")
    ]
    return rule(
        f"self.match.map(m, {' + '.join((*needed, *other))}).sum() <= {MAX_LETTERS}",
        f"its lists hold more than {MAX_LETTERS} letters (each word counts {AROUND_WORD} more): "
        "put patterns in the place of many names, or make several Routes",
        path=".match",
    )


def _status() -> RawDocument:
    return fields(
        "What the controller found. Accepted is False with a reason: NoTenant, Invalid, TooMany, "
        "TooLarge (the Route counts for nothing), ClusterNotAllowed, ClusterUnknown, "
        "ClusterNotAccepted, BoundaryRequired, BrokerUnknown, MemberNotEnforced (the calls that it "
        "takes fail, for they are not meant for home).",
        {"conditions": conditions(), "observedGeneration": observed_generation()},
    )
