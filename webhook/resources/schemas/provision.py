"""Owns the schemas of what is made in a tenant's namespaces: quota, limits, network, access.

Must not know how it is made.
"""

from webhook.resources.meta import RawDocument
from webhook.resources.schemas.forms import (
    array,
    choice,
    fields,
    flag,
    keyed,
    label,
    quantities,
    rule,
    subdomain,
    text,
    texts,
    unique,
    whole,
)

_PORT = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}


def provision_fields() -> dict[str, RawDocument]:
    """Fields of a Tenant's spec."""
    return {
        "profile": choice(
            "Rights of the owners in each namespace. standard: work with everything but quotas, "
            "network policies, roles, service accounts; elevated: roles, bindings and service "
            "accounts as well, within their own rights; custom: the ClusterRoles in roles.",
            "standard",
            "elevated",
            "custom",
            default="standard",
        ),
        "roles": unique("ClusterRoles of profile custom.", subdomain("A ClusterRole."), 32),
        "owners": array("Who gets the profile's rights.", _owner(), 100),
        "serviceAccounts": unique(
            "Service accounts that each namespace gets.", subdomain("A name."), 100
        ),
        "quota": quantities("The hard limits of a ResourceQuota in each namespace."),
        "containerLimits": keyed(
            "The limits of a LimitRange in each namespace.", _container_limit(), 3, "type"
        ),
        "network": _network(),
        "onMembers": flag("Whether all of this is made on the tenant's clusters, too."),
    }


def _owner() -> RawDocument:
    return fields(
        "A user, a group or a service account.",
        {
            "kind": choice("What it is.", "User", "Group", "ServiceAccount"),
            "name": text("Its name.", most=512, minLength=1),
            "namespace": label("Of a service account; left out: that of the namespace itself."),
        },
        ("kind", "name"),
        rule(
            "self.kind == 'ServiceAccount' || !has(self.namespace)",
            "only a ServiceAccount has a namespace",
            path=".namespace",
        ),
    )


def _container_limit() -> RawDocument:
    return fields(
        "Limits for one type of object.",
        {
            "type": choice("What they are for.", "Container", "Pod", "PersistentVolumeClaim"),
            "max": quantities("At most."),
            "min": quantities("At least."),
            "default": quantities("Limits of a container that names none."),
            "defaultRequest": quantities("Requests of a container that names none."),
            "maxLimitRequestRatio": quantities("How many times its request a limit may be."),
        },
        ("type",),
    )


def _network() -> RawDocument:
    ports = array("Ports; all if left out.", _port(), 64)
    peers = array("Who; everybody if left out.", _peer(), 64)
    ingress = fields("A rule of a NetworkPolicy.", {"from": peers, "ports": ports})
    egress = fields("A rule of a NetworkPolicy.", {"to": peers, "ports": ports})
    return fields(
        "Whether pods are kept apart.",
        {
            "isolate": flag(
                "NetworkPolicies that deny all but DNS, the API, MCA and what allow names."
            ),
            "allow": fields(
                "What isolated pods may do beside that, as in a NetworkPolicy.",
                {
                    "ingress": array("Who may reach them.", ingress, 64),
                    "egress": array("Whom they may reach.", egress, 64),
                },
            ),
        },
    )


def _port() -> RawDocument:
    return fields(
        "A port.",
        {
            "protocol": choice("TCP if left out.", "TCP", "UDP", "SCTP"),
            "port": {"description": "A number, or the name of a container's port.", **_PORT},
            "endPort": whole("The last of a range that begins with port.", 1, 65_535),
        },
    )


def _peer() -> RawDocument:
    return fields(
        "Pods by their labels and their namespaces', or addresses.",
        {
            "podSelector": _selector("Pods; all if empty."),
            "namespaceSelector": _selector("Their namespaces; all if empty."),
            "ipBlock": fields(
                "Addresses.",
                {
                    "cidr": text("Such as 10.0.0.0/8.", most=64),
                    "except": array("But not these.", text("A part of cidr.", most=64), 64),
                },
                ("cidr",),
            ),
        },
        (),
        rule(
            "!has(self.ipBlock) || (!has(self.podSelector) && !has(self.namespaceSelector))",
            "names either ipBlock or selectors",
        ),
    )


def _selector(description: str) -> RawDocument:
    return fields(
        description,
        {
            "matchLabels": texts("Labels with their values.", 16, 63),
            "matchExpressions": array("All must hold.", expression(), 16),
        },
    )


def expression() -> RawDocument:
    """One requirement of a label selector."""
    return fields(
        "One requirement.",
        {
            "key": text("A label.", most=317),
            "operator": choice("How.", "In", "NotIn", "Exists", "DoesNotExist"),
            "values": array("Of In and NotIn.", text("A value.", most=63), 32),
        },
        ("key", "operator"),
        rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
            "In and NotIn have values, Exists and DoesNotExist have none",
            path=".values",
        ),
    )
