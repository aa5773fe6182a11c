"""Profiles leave out what would undo a tenant's bounds."""

import pytest

from webhook.resources.profiles import ELEVATED, STANDARD, build_roles

RULES = {role["metadata"]["name"]: role["rules"] for role in build_roles()}
_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def list_verbs(profile: str, group: str, resource: str) -> set[str]:
    return {
        verb
        for rule in RULES[profile]
        if group in rule["apiGroups"] and resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("profile", [STANDARD, ELEVATED])
@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("networking.k8s.io", "networkpolicies"),
        ("", "serviceaccounts/token"),
        ("", "pods/ephemeralcontainers"),
        ("", "pods/proxy"),
        ("", "services/proxy"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("mca.io", "tenants"),
        ("mca.io", "clusters"),
    ],
)
def test_nobody_gets_what_undoes_the_bounds(profile: str, group: str, resource: str) -> None:
    assert list_verbs(profile, group, resource) == set()


@pytest.mark.parametrize("profile", [STANDARD, ELEVATED])
@pytest.mark.parametrize("resource", ["resourcequotas", "limitranges", "namespaces"])
def test_bounds_can_be_read_only(profile: str, resource: str) -> None:
    verbs = list_verbs(profile, "", resource)
    assert "get" in verbs
    assert not verbs & _WRITES


def test_no_rule_has_a_star_or_impersonates() -> None:
    for rules in RULES.values():
        for rule in rules:
            for field in ("apiGroups", "resources", "verbs"):
                assert "*" not in rule[field]
            assert not {"impersonate", "bind", "escalate", "approve"} & set(rule["verbs"])


def test_elevated_is_more_than_standard() -> None:
    assert "create" in list_verbs(STANDARD, "", "pods")
    rbac = "rbac.authorization.k8s.io"
    assert list_verbs(STANDARD, rbac, "rolebindings") == set()
    assert "create" in list_verbs(ELEVATED, rbac, "rolebindings")
    assert list_verbs(STANDARD, "", "serviceaccounts") == {"get", "list", "watch"}
    assert "create" in list_verbs(ELEVATED, "", "serviceaccounts")
    assert all(rule in RULES[ELEVATED] for rule in RULES[STANDARD])
