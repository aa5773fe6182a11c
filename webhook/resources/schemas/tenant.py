"""Owns the schema of Tenants. Must not know namespaces or clusters that there are."""

from webhook.resources.meta import RawDocument
from webhook.resources.schemas.forms import (
    array,
    choice,
    fields,
    flag,
    keyed,
    label,
    rule,
    text,
    texts,
    unique,
)
from webhook.resources.schemas.permissions import cluster_resources, limits, permission
from webhook.resources.schemas.provision import expression, provision_fields
from webhook.resources.schemas.route import route_fields
from webhook.resources.schemas.selectors import leases_without_stand_ins
from webhook.resources.schemas.status import conditions, counter, observed_generation

_OURS_ONLY = "must use labels of mca.io/ only: tenants can set others"


def tenant_schema() -> RawDocument:
    """A Tenant's whole schema."""
    return fields(
        "A set of namespaces, the clusters that their pods may use, what they may do there, and "
        "what the namespaces are given.",
        {"spec": _spec(), "status": _status()},
        ("spec",),
        rule(
            "self.metadata.name.size() <= 63 && "
            "self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
            "metadata.name must be a DNS label: lower-case letters, digits and -, at most 63",
        ),
    )


def _spec() -> RawDocument:
    return fields(
        "What the tenant is to have.",
        {
            "namespaces": _namespaces(),
            "mode": choice(
                "audit: what permissions would refuse is let pass and told in the audit log; "
                "guards, namespaces and clusters hold all the same.",
                "enforce",
                "audit",
                default="enforce",
            ),
            "boundary": choice(
                "enforced: namespaces are labelled so that no pod there gets at what its sidecar "
                "holds. none: the sidecar is a convenience, not a boundary.",
                "enforced",
                "none",
                default="enforced",
            ),
            "clusters": unique(
                "Clusters that routes may lead to, beside home.", label("A Cluster's name."), 64
            ),
            "permissions": keyed(
                "What the tenant's pods may do. What none allows is denied, so without any nothing "
                "is allowed; a deny wins over any allow. RBAC decides after that.",
                permission(),
                500,
                "name",
            ),
            "clusterResources": cluster_resources(),
            "limits": limits(),
            "routes": keyed(
                "Routes of the admin's, which come before all Routes in the namespaces.",
                _route(),
                64,
                "name",
            ),
            **provision_fields(),
        },
        ("namespaces",),
        rule(
            "(self.profile == 'custom') == (has(self.roles) && self.roles.size() > 0)",
            "profile custom needs roles, and only that profile has them",
            path=".roles",
        ),
        rule(
            "!has(self.clusters) || !('home' in self.clusters)",
            "home is always there: leave it out",
            path=".clusters",
        ),
    )


def _namespaces() -> RawDocument:
    return fields(
        "Which namespaces may be the tenant's: those named and those selected. One is, once an "
        "admin has labelled it mca.io/tenant with the Tenant's name; the first claim sticks.",
        {
            "names": unique("By name.", label("A namespace."), 200),
            "selector": fields(
                "By labels, mca.io/… only, which tenants cannot set.",
                {
                    "matchLabels": texts(
                        "Labels with their values.",
                        16,
                        63,
                        rule("self.all(key, key.startsWith('mca.io/'))", _OURS_ONLY),
                    ),
                    "matchExpressions": array(
                        "All must hold.",
                        expression(),
                        16,
                    )
                    | {
                        "x-kubernetes-validations": [
                            rule("self.all(e, e.key.startsWith('mca.io/'))", _OURS_ONLY)
                        ]
                    },
                },
                (),
                rule(
                    "(has(self.matchLabels) && self.matchLabels.size() > 0) || "
                    "(has(self.matchExpressions) && self.matchExpressions.size() > 0)",
                    "is empty and would take every namespace: name a label",
                ),
            ),
            "create": flag("Whether those of names that are missing are made."),
            "reclaim": choice(
                "What becomes of namespaces that were made, once the Tenant is deleted. Those that "
                "were there before are never deleted.",
                "retain",
                "delete",
                default="retain",
            ),
        },
        (),
        rule(
            "has(self.names) && self.names.size() > 0 || has(self.selector)",
            "must have names or a selector",
        ),
        rule(
            "!has(self.names) || self.names.all(n, n != 'default' && !n.startsWith('kube-'))",
            "default and kube-… are system namespaces, which no Tenant holds",
            path=".names",
        ),
        rule(
            "!self.create || (has(self.names) && self.names.size() > 0)",
            "only namespaces in names can be made",
            path=".create",
        ),
    )


def _route() -> RawDocument:
    return fields(
        "A route, as in a Route.",
        {"name": label("Its name.", maxLength=57), **route_fields()},
        ("name", "match", "to"),
        leases_without_stand_ins(),
    )


def _status() -> RawDocument:
    return fields(
        "What the controller found and made.",
        {
            "conditions": conditions(),
            "namespaces": unique(
                "Namespaces that the tenant holds.", text("A namespace.", most=63), 10_000
            ),
            "sidecars": fields(
                "Pods with a sidecar that told which policy they run.",
                {"total": counter("All."), "old": counter("Those on an old one.")},
            ),
            "observedGeneration": observed_generation(),
        },
    )
