"""What isolated pods reach, and nothing else."""

from typing import Any

import pytest

from webhook.controller.tenants.isolation import (
    ALLOW,
    API,
    DENY,
    DNS,
    Address,
    Surroundings,
    build_policies,
    find_address,
    list_unreachable,
)

AROUND = Surroundings((Address("10.0.0.1", 443), Address("fd00::1", 6443)), "mca-system")


def test_nothing_passes_but_dns_and_the_api() -> None:
    policies = build_policies(AROUND, [Address("192.0.2.7", 6443)], (), ())
    assert sorted(policies) == sorted([DENY, DNS, API])
    assert policies[DENY] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [],
    }
    assert {port["port"] for rule in policies[DNS]["egress"] for port in rule["ports"]} == {53}
    reached = [
        (rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for rule in policies[API]["egress"][:-1]
    ]
    assert reached == [("10.0.0.1/32", 443), ("192.0.2.7/32", 6443), ("fd00::1/128", 6443)]
    broker = policies[API]["egress"][-1]
    assert broker["ports"] == [{"protocol": "TCP", "port": 8444}]
    selector = broker["to"][0]["namespaceSelector"]["matchLabels"]
    assert selector == {"kubernetes.io/metadata.name": "mca-system"}
    assert all(policy["podSelector"] == {} for policy in policies.values())


def test_what_the_tenant_lists_is_let_through() -> None:
    ingress: tuple[dict[str, Any], ...] = ({"from": [{"podSelector": {}}]},)
    egress = ({"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},)
    both = build_policies(AROUND, [], ingress, egress)[ALLOW]
    assert both["policyTypes"] == ["Ingress", "Egress"]
    assert (both["ingress"], both["egress"]) == (list(ingress), list(egress))
    assert build_policies(AROUND, [], ingress, ())[ALLOW]["policyTypes"] == ["Ingress"]
    assert build_policies(AROUND, [], (), egress)[ALLOW]["policyTypes"] == ["Egress"]


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("https://10.0.0.1:6443", Address("10.0.0.1", 6443)),
        ("https://10.0.0.1", Address("10.0.0.1", 443)),
        ("https://[fd00::1]:443", Address("fd00::1", 443)),
        ("https://eu-1.example.com", None),
        ("https://10.0.0.1:port", None),
    ],
)
def test_only_addresses_are_addresses(server: str, address: Address | None) -> None:
    assert find_address(server) == address


def test_names_are_told() -> None:
    servers = ["https://b.example", "https://10.0.0.1", "https://a.example", "https://b.example"]
    assert list_unreachable(servers) == ["https://a.example", "https://b.example"]
