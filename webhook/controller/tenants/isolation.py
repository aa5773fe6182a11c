"""Owns the NetworkPolicies of an isolated tenant: nothing passes but what is listed here. Pure.

NetworkPolicies know addresses, not names. Must not open the way to a name by guessing its address:
`list_unreachable` tells which are left to the admin.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from webhook.resources.meta import RawDocument
from webhook.resources.names import BROKER_PORT, OUR_LABELS

DENY: Final = "mca-default-deny"
DNS: Final = "mca-dns"
API: Final = "mca-api"
ALLOW: Final = "mca-allow"

_HTTPS_PORT: Final = 443
_DNS_PORT: Final = 53
# Where NodeLocal DNSCache listens on every node, unless told otherwise.
_NODE_DNS: Final = "169.254.20.10/32"
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"


class Address(NamedTuple):
    """An address of an API server; addresses are compared and sorted as text."""

    ip: str
    port: int


class Surroundings(NamedTuple):
    """What a tenant's pods must reach, wherever they run."""

    api: tuple[Address, ...]
    system_namespace: str


def build_policies(
    around: Surroundings,
    members: Iterable[Address],
    ingress: tuple[RawDocument, ...],
    egress: tuple[RawDocument, ...],
) -> dict[str, RawDocument]:
    """Specs by name."""
    everything: RawDocument = {"podSelector": {}}
    found = {
        DENY: everything | {"policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []},
        DNS: everything | {"policyTypes": ["Egress"], "egress": [_let_dns()]},
        API: everything
        | {
            "policyTypes": ["Egress"],
            "egress": [
                *(_let_address(address) for address in sorted({*around.api, *members})),
                _let_broker(around.system_namespace),
            ],
        },
    }
    if ingress or egress:
        ways = [*(["Ingress"] if ingress else []), *(["Egress"] if egress else [])]
        found[ALLOW] = everything | {
            "policyTypes": ways,
            "ingress": list(ingress),
            "egress": list(egress),
        }
    return found


def find_address(server: str) -> Address | None:
    """Of an https:// URL, if its host is an address."""
    parts = urlsplit(server)
    try:
        ip = ipaddress.ip_address(parts.hostname or "")
        return Address(str(ip), parts.port or _HTTPS_PORT)
    except ValueError:
        return None


def list_unreachable(servers: Iterable[str]) -> list[str]:
    """Servers that are names: the admin must let pods reach them by their addresses."""
    return sorted(server for server in set(servers) if find_address(server) is None)


def _let_dns() -> RawDocument:
    return {
        "to": [
            {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: "kube-system"}}},
            {"ipBlock": {"cidr": _NODE_DNS}},
        ],
        "ports": [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")],
    }


def _let_address(address: Address) -> RawDocument:
    bits = ipaddress.ip_address(address.ip).max_prefixlen
    return {
        "to": [{"ipBlock": {"cidr": f"{address.ip}/{bits}"}}],
        "ports": [{"protocol": "TCP", "port": address.port}],
    }


def _let_broker(namespace: str) -> RawDocument:
    return {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace}},
                "podSelector": {"matchLabels": dict(OUR_LABELS)},
            }
        ],
        "ports": [{"protocol": "TCP", "port": BROKER_PORT}],
    }
